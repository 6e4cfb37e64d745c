"""Faces in a Hugging Face data set, in Parquet files or in plain folders -> a folder per identity.

Pictures are written as they are, byte for byte.
"""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from mining.commands.result import CommandResult
from mining.parallel import in_order
from pairsets.errors import SourceError
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS, ImageError, read
from pairsets.picture_sources.image_table import ImageTable, choose
from pairsets.progress import Progress, Step, silent
from pairsets.sources.folders.face_folder import FaceFolder, FolderJournal, Row, missing_row
from pairsets.sources.folders.huggingface import SAVED, HuggingFaceImages
from pairsets.sources.folders.origins import Item, Origin, PlainOrigin, TableOrigin, ending_of
from pairsets.sources.folders.parquet_images import SUFFIX, ParquetImages
from pairsets.sources.folders.plain_folder import PlainFaces, pictures_below
from pairsets.sources.folders.safe_names import cell_of
from pairsets.storage.artefacts import refuse_inside, versions
from pairsets.storage.publication import alone

Kind = Literal["auto", "folders", "flat", "huggingface", "parquet"]
KIND = "faces"
COLUMNS = ("path", "source", "bytes")
_CHUNK = 16
# Of shards.
TAR = ".tar"
# Of the tables of names in image folders.
_METADATA = frozenset({".csv", ".jsonl", SUFFIX})


@alone(folder=True)
def arrange_faces(
    source: Path,
    out: Path,
    *,
    kind: Kind = "auto",
    identities: Rule | None = None,
    image_column: str | None = None,
    identity_column: str | None = None,
    id_column: str | None = None,
    split: str | None = None,
    workers: int | None = None,
    max_pixels: int = MAX_PIXELS,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Put the faces of another form of data set into `out/<identity>/<name>`.

    A file is named by the id column, else as the picture was, where no other picture of the
    identity was named so, else by its row. Beside the identities' folders lie `faces.csv` (where
    each file came from), `faces.json`, `names.csv` (identities whose folder has another name) and
    `missing.csv` (what gave no file, and why). Interrupted, the same command goes on.

    Args:
        source: a folder, or a Parquet file.
        out: to be made.
        kind: `folders` are pictures in folders, `flat` is one folder of files named as
            `AJ_Cook_0001.jpg`: these are linked, or copied where they cannot be. `huggingface`
            reads with the library `datasets`: image folders with metadata, and what
            `save_to_disk` wrote; `auto` finds out.
        identities: who a picture of plain folders shows; see `pairsets.identities.rules`.
        image_column: of the pictures, where it is not the only one that can be.
        identity_column: of the identities, likewise.
        id_column: what to name files by.
        split: of the data set, or `all`; of plain folders, the one of that name.
        workers: threads; as many as there are cores by default.
        max_pixels: width times height above which a picture is left out, unseen; files of plain
            folders are not opened at all.
        overwrite: replace what an earlier run wrote to `out`.
        progress: shows how far it is.

    Raises:
        SourceError: nothing of that kind there, a column or split that is not there or has to be
            chosen, a library is missing, or not one picture can be used.
        OutputError: `out` holds something else, something finished, or a link.
    """
    _refuse_source(source, out)
    found = _kind_of(source) if kind == "auto" else kind
    plain = found in ("flat", "folders")
    if plain:
        _refuse_columns(source, found, image_column, identity_column, id_column, split)
    elif identities is not None:
        raise SourceError(
            f"{source}: {identities.said} is of pictures in plain folders; here a column says who "
            "is shown: --identity-column"
        )
    # Before the names are read, which may take long; what hangs on them is asked for after that.
    FaceFolder(out, KIND, COLUMNS, {}).refuse(overwrite=overwrite, keyed=False)
    reserved = FaceFolder.reserved(KIND)
    origin: Origin
    notes: Sequence[str] = ()
    with progress("Reading names") as step:
        if plain:
            scanned = PlainFaces.scan(source, identities, flat=found == "flat", split=split)
            origin, notes = PlainOrigin(scanned, reserved), scanned.notes
        else:
            table = _open(found, source, split)
            columns = choose(
                table.columns, source, image=image_column, identity=identity_column, id=id_column
            )
            origin = TableOrigin(table, columns, source, reserved, step)
    folder = FaceFolder(out, KIND, COLUMNS, {"source": found, **origin.key})
    work = _Arranging(folder, origin, max_pixels)
    with (
        folder.filled(overwrite=overwrite, fits=work.fits) as journal,
        progress("Arranging faces") as step,
    ):
        work.run(journal, workers, step)
        manifest = {
            "faces": len(work.placed),
            "missing": len(work.missing),
            "versions": versions("lookalikes", "pillow"),
        }
        rows = (work.placed[at] for at in sorted(work.placed))
        columns_of_missing = ("identity", "source", "why")
        files = folder.finish(
            rows, origin.names, work.missing, manifest, missing_columns=columns_of_missing
        )
    return CommandResult([out, *files], work.funnel(), [*notes, *work.warnings()])


def _refuse_source(source: Path, out: Path) -> None:
    """Raise where the data set is not there, or would hold what is made of it."""
    if not source.exists():
        raise SourceError(f"{source}: no such file or folder; data sets are read from this machine")
    if source.is_dir():
        refuse_inside(out, source)


def _refuse_columns(
    source: Path,
    kind: str,
    image: str | None,
    identity: str | None,
    name: str | None,
    split: str | None,
) -> None:
    """Raise SourceError where a column, or a split of flat folders, was named."""
    options = {
        "--image-column": image,
        "--identity-column": identity,
        "--id-column": name,
        "--split": split if kind == "flat" else None,
    }
    named = [option for option, value in options.items() if value is not None]
    if named:
        raise SourceError(
            f"{source}: a plain folder has no columns{' or splits' * (kind == 'flat')}: leave "
            f"{named[0]} out"
        )


@dataclass(frozen=True, slots=True)
class _Placed:
    item: Item
    row: Row
    kept: bool


@dataclass(frozen=True, slots=True)
class _Dropped:
    item: Item
    reason: str
    cause: str


class _Arranging:
    """The work on all pictures.

    Attributes:
        placed: the table's row of each picture that is in place, by its number.
        missing: rows of what is not.
    """

    def __init__(self, folder: FaceFolder, origin: Origin, max_pixels: int) -> None:
        self._folder, self._origin, self._max_pixels = folder, origin, max_pixels
        self._earlier: dict[str, Row] = {}
        self._kept = 0
        self._reasons: Counter[str] = Counter()
        self.placed: dict[int, Row] = {}
        self.missing: list[Row] = list(origin.misfits)

    def fits(self, row: Row) -> bool:
        """Whether the file of an earlier run is there, whole; its content is looked at later."""
        try:
            status = (self._folder.root / row[0]).lstat()
            sound = stat.S_ISREG(status.st_mode) and status.st_size == int(row[2])
        except (OSError, ValueError):
            return False
        if sound:
            self._earlier[row[1]] = row
        return sound

    def run(self, journal: FolderJournal, workers: int | None, step: Step) -> None:
        """Put all pictures in place."""
        step(0, self._origin.count)
        done = 0

        def place_all(chunk: list[Item]) -> list[_Placed | _Dropped]:
            return [self._place(item, journal) for item in chunk]

        for chunk in in_order(place_all, self._chunks(), workers):
            fresh = [one for one in chunk if isinstance(one, _Placed) and not one.kept]
            journal.note(one.row for one in fresh)
            for one in chunk:
                if isinstance(one, _Placed):
                    self.placed[one.item.number] = one.row
                    self._kept += one.kept
                else:
                    self._reasons[one.reason] += 1
                    who = one.item.identity or ""
                    self.missing.append(missing_row(who, one.item.source, one.cause))
            done += len(chunk)
            step(done, self._origin.count)
        # What an earlier run made of a row that is another picture now, or none.
        there = {row[0] for row in self.placed.values()}
        for row in self._earlier.values():
            if row[0] not in there:
                self._folder.remove(row[0])
        if not self.placed:
            why = self.missing[0][-1] if self.missing else "there are no rows"
            raise SourceError(
                f"not one of the {self._origin.count:,} pictures can be used; the first: {why}"
            )

    def funnel(self) -> list[FunnelRow]:
        """Funnel rows of what was kept and what was dropped."""
        dropped = {**self._origin.reasons, **dict(sorted(self._reasons.items()))}
        rows = [FunnelRow(KIND, "pictures in the source", self._origin.count, kept=True)]
        rows += [FunnelRow(KIND, what, count) for what, count in dropped.items()]
        if self._kept:
            rows.append(FunnelRow(KIND, "faces that were there already", self._kept, kept=True))
        return [*rows, FunnelRow(KIND, "faces", len(self.placed), kept=True)]

    def warnings(self) -> list[str]:
        """Sentences on what the user should look at."""
        if not self.missing:
            return []
        _, first, why = self.missing[0]
        return [
            f"{len(self.missing):,} entries of the source gave no face, the first {first} ({why}); "
            f"{self._folder.missing} lists them"
        ]

    def _chunks(self) -> Iterator[list[Item]]:
        items = self._origin.items()
        while chunk := list(islice(items, _CHUNK)):
            yield chunk

    def _place(self, item: Item, journal: FolderJournal) -> _Placed | _Dropped:
        if item.stem is None:
            return _Dropped(item, "rows without an identity", "no identity")
        if item.picture is None:
            return _Dropped(item, "rows without a picture", "no picture, or not in the source")
        try:
            if item.ending is not None and isinstance(item.picture, Path):
                return self._linked(item, item.stem + item.ending, item.picture, journal)
            data = item.picture if isinstance(item.picture, bytes) else read(item.picture)
            path = item.stem + ending_of(data, self._max_pixels)
        except ImageError as error:
            return _Dropped(item, "pictures that cannot be used", error.cause)
        row = (path, cell_of(item.source), str(len(data)))
        kept = self._earlier.get(row[1]) == row and (self._folder.root / path).read_bytes() == data
        if not kept:
            journal.begin([path])
            self._folder.put(path, data)
        return _Placed(item, row, kept)

    def _linked(self, item: Item, path: str, file: Path, journal: FolderJournal) -> _Placed:
        row = (path, cell_of(item.source), str(file.stat().st_size))
        target = self._folder.root / path
        kept = self._earlier.get(row[1]) == row and (
            target.samefile(file) or target.read_bytes() == file.read_bytes()
        )
        if not kept:
            journal.begin([path])
            self._folder.link(path, file)
        return _Placed(item, row, kept)


def _kind_of(source: Path) -> Literal["huggingface", "parquet", "flat", "folders"]:
    """Kind of data set that lies at `source`."""
    if source.is_file():
        if source.suffix.lower() == SUFFIX:
            return "parquet"
        if source.suffix.lower() == TAR:
            raise SourceError(_of_shards(source, f"a {TAR}"))
        raise SourceError(f"{source}: a file; expected a folder, or a {SUFFIX} file")
    if any((source / name).is_file() for name in SAVED):
        return "huggingface"
    # An image folder's table of names may be one, too.
    if any(file.stem != "metadata" for file in source.rglob(f"*{SUFFIX}")):
        return "parquet"
    if any(file.suffix in _METADATA for file in source.rglob("metadata.*")):
        return "huggingface"
    # Plain folders are never left to `datasets`: it drops what it does not know, and makes splits
    # of folders and files that are called like one.
    pictures = pictures_below(source)
    if not pictures and any(source.glob(f"*{TAR}")):
        raise SourceError(_of_shards(source, f"a folder of {TAR}"))
    return "folders" if any("/" in path for path in pictures) else "flat"


def _of_shards(source: Path, what: str) -> str:
    """Error text on tars, which are not read here: one may be cut, and nothing says how many."""
    return (
        f"{source}: {what}, as WebDataset's shards are. They need not be arranged: embed, build, "
        "random and others take them as they are, with --identity-field for who is shown. Else "
        "unpack them into a folder (tar -xf FILE -C FOLDER). Where "
        "KEY.cls beside KEY.jpg says who it is, make a list of that there and give it with "
        '--identities: for f in *.cls; do echo "${f%.cls}.jpg $(cat "$f")"; done > '
        "../identities.txt"
    )


def _open(kind: str, source: Path, split: str | None) -> ImageTable:
    if kind == "parquet":
        return ParquetImages.open(source, split)
    if kind == "huggingface":
        if not source.is_dir():
            raise SourceError(f"{source}: a file; expected the folder of a data set")
        saved = any((source / name).is_file() for name in SAVED)
        if not saved and not any(file.suffix in _METADATA for file in source.rglob("metadata.*")):
            raise SourceError(
                f"{source}: a folder without metadata.csv, .jsonl or .parquet, of which the "
                "library datasets would leave files out: --kind folders reads it"
            )
        return HuggingFaceImages.open(source, split)
    raise SourceError(f"no kind {kind!r}; there are auto, folders, flat, huggingface and parquet")
