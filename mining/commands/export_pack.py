"""A pair set and its faces -> a pack: a folder of faces with lists that other evaluators read."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256 as digest
from itertools import islice
from pathlib import Path

from mining.commands.result import CommandResult
from mining.parallel import in_order
from pairsets.errors import OutputError, SourceError
from pairsets.faces import Faces, resolve
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.funnel import FunnelRow
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet, identities_of
from pairsets.progress import Progress, Step, silent
from pairsets.sources.folders.face_folder import FaceFolder, FolderJournal, Row
from pairsets.sources.folders.pack_lists import (
    Layout,
    Size,
    list_names,
    list_notes,
    one_size,
    write_lists,
)
from pairsets.sources.folders.packs import PackPlan, pack_picture, upright_size
from pairsets.sources.folders.safe_names import cell_of
from pairsets.sources.formats import Pairs
from pairsets.storage.artefacts import installed, refuse_inside, versions
from pairsets.storage.digests import sha256
from pairsets.storage.publication import alone

KIND = "pack"
COLUMNS = ("path", "face", "face_bytes", "bytes", "width", "height", "copied", "squeezed")
_CHUNK = 16


@dataclass(frozen=True)
class PackOptions:
    """Options of a pack.

    Attributes:
        layout: of its lists; see `pairsets.sources.folders.pack_lists`.
        size: side that all pictures are resized to; None leaves them as large as they are.
        quality: of the JPEG files that are made, 1 to 100.
        max_pixels: width times height above which a picture is refused undecoded.

    Raises:
        SourceError: a value outside its range.
    """

    layout: Layout
    size: int | None = None
    quality: int = 95
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise SourceError(f"a size of {self.size} pixels; expected 1 to 4096")
        if not 1 <= self.quality <= 100:
            raise SourceError(f"a JPEG quality of {self.quality}; expected 1 to 100")


@alone(folder=True)
def export_pack(
    source: Path,
    faces: Path,
    out: Path,
    options: PackOptions,
    *,
    identities: Rule | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress = silent,
) -> CommandResult:
    """Write the pairs of a pair file, with their faces, as other evaluators read them.

    The faces go to `out/<name>/<name>_0001.jpg`; beside the names lie the lists, `pack.csv` (which
    face each file is), `names.csv` (identities that are called otherwise) and `pack.json`, which
    says that all of it is there. Interrupted, the same command goes on.

    Args:
        source: the pair file; folds and identities beside it are kept.
        faces: their folder, or shards of them.
        out: to be made.
        options: of the pack.
        identities: who each face shows, where neither folders nor `PAIRS.identities.csv` say it.
        workers: threads; as many as there are cores by default.
        overwrite: replace what an earlier run wrote to `out`.
        progress: shows how far it is.

    Raises:
        SourceError, PairSetError: pairs that cannot be read, or that the layout cannot hold.
        FacesError, ImageError: a face that is not there, or cannot be read.
        OutputError: `out` holds something else, something finished, or a link.
    """
    for read in (source, identities_of(source)):
        if read.resolve().is_relative_to(out.resolve()):
            raise OutputError(f"{read}: is read by this command, and lies in {out}; choose another")
    refuse_inside(out, faces)
    # Before anything is read, which may take long; what hangs on that is asked for after it.
    FaceFolder(out, KIND, COLUMNS, {}).refuse(overwrite=overwrite, keyed=False)
    pairs, parts = PairSet.read(source, identities), folds_of(source)
    content = Pairs(pairs, Folds.read(parts, pairs) if parts.is_file() else None)
    taken = (*FaceFolder.reserved(KIND), *list_names())
    try:
        plan = PackPlan.of(content, options.layout, taken)
    except SourceError as error:
        raise SourceError(f"{source}: {error}") from None
    known = resolve(faces, pairs.paths)
    packing = _Packing(plan, known, options)
    if options.layout == "insightface" and options.size is None:
        packing.refuse_sizes()
    folder = FaceFolder(out, KIND, COLUMNS, packing.key)
    with (
        folder.filled(overwrite=overwrite, fits=lambda row: packing.fits(folder.root, row)) as kept,
        progress("Packing faces") as step,
    ):
        for name in list_names():
            (out / name).unlink(missing_ok=True)
        packing.run(folder, kept, workers, step)
        write_lists(plan.content, options.layout, out, packing.sizes)
        manifest = {
            "faces": len(plan.faces),
            "pairs": len(plan.content.pairs),
            "folds": len(plan.content.folds or ()),
            "lists": {name: sha256(out / name) for name in list_names(options.layout)},
            "pairs_sha256": sha256(source),
            "versions": versions("lookalikes", "pillow"),
        }
        rows = (packing.rows[path] for path in plan.faces)
        files = folder.finish(rows, plan.names, (), manifest)
    listed = [out / name for name in list_names(options.layout)]
    notes = [*plan.content.notes, *list_notes(plan.content, options.layout), *packing.notes()]
    return CommandResult([out, *listed, *files], packing.funnel(), notes)


class _Packing:
    """The work on all faces of a pack.

    Attributes:
        rows: the table's row of each picture that is in place, by its path in the pack.
    """

    def __init__(self, plan: PackPlan, faces: Faces, options: PackOptions) -> None:
        self._plan, self._faces, self._options = plan, faces, options
        self.rows: dict[str, Row] = {}
        self._kept = 0

    @property
    def key(self) -> Mapping[str, object]:
        """Key of all files of the pack: another one makes them all anew."""
        files = "\0".join(f"{path}\0{face}" for path, face in self._plan.faces.items())
        return {
            "layout": self._options.layout,
            "size": self._options.size,
            "quality": self._options.quality,
            "faces": digest(files.encode()).hexdigest(),
            "pillow": installed("pillow").get("pillow"),
        }

    @property
    def sizes(self) -> dict[str, Size]:
        """Width and height of each picture, by its path in the pack."""
        return {path: (int(row[4]), int(row[5])) for path, row in self.rows.items()}

    def refuse_sizes(self) -> None:
        """Raise where faces are of several sizes, before anything is written."""
        most = self._options.max_pixels
        faces = self._plan.faces.values()
        found = (
            upright_size(self._faces.read(face)[0], path=face, max_pixels=most) for face in faces
        )
        try:
            one_size(dict(zip(faces, found, strict=True)))
        except SourceError as error:
            raise SourceError(f"{self._faces.place}: {error}") from None

    def fits(self, root: Path, row: Row) -> bool:
        """Whether the file of an earlier run is there, whole, and of the face as it is now."""
        face = self._plan.faces.get(row[0])
        if face is None or row[0] in self.rows or self._faces.source is not None:
            return False
        try:
            there = (root / row[0]).lstat()
            numbers = [int(cell) for cell in row[2:]]
            sound = stat.S_ISREG(there.st_mode) and row[1] == cell_of(face)
            sizes = [(self._faces.root / face).stat().st_size, there.st_size]
        except (OSError, ValueError):  # gone, or no numbers
            return False
        if not sound or numbers[:2] != sizes:
            return False
        self.rows[row[0]] = row
        self._kept += 1
        return True

    def run(
        self, folder: FaceFolder, journal: FolderJournal, workers: int | None, step: Step
    ) -> None:
        """Put the pictures in place that are not there yet."""
        total = len(self._plan.faces)
        step(len(self.rows), total)

        def begun() -> Iterator[list[str]]:
            left = iter([path for path in self._plan.faces if path not in self.rows])
            while chunk := list(islice(left, _CHUNK)):
                journal.begin(chunk)
                yield chunk

        def put_all(chunk: list[str]) -> list[Row]:
            return [self._put(folder, path) for path in chunk]

        for rows in in_order(put_all, begun(), workers):
            journal.note(rows)
            self.rows |= {row[0]: row for row in rows}
            step(len(self.rows), total)

    def funnel(self) -> list[FunnelRow]:
        """Funnel rows of pairs and faces."""
        held = self._plan.content
        rows = [FunnelRow(KIND, what, count) for what, count in held.dropped.items()]
        counts = {
            "pairs": len(held.pairs),
            "folds": len(held.folds or ()),
            "faces": len(self.rows),
            "faces that were there already": self._kept,
            "faces copied as they are": self._count(6),
            "faces made JPEG files of": len(self.rows) - self._count(6),
        }
        return rows + [
            FunnelRow(KIND, what, count, kept=True) for what, count in counts.items() if count
        ]

    def notes(self) -> list[str]:
        """Sentences on what the user should look at."""
        told = []
        if self._count(7):
            told.append(
                f"{self._count(7):,} of {len(self.rows):,} faces were not square, and are squeezed"
            )
        if self._options.layout == "insightface":
            told.append(
                "Nothing is aligned here: InsightFace's networks expect its own five-point "
                "alignment, which its build_eval_pack.py does"
            )
        return told

    def _count(self, column: int) -> int:
        return sum(int(row[column]) for row in self.rows.values())

    def _put(self, folder: FaceFolder, path: str) -> Row:
        face, chosen = self._plan.faces[path], self._options
        data, _ = self._faces.read(face)
        made = pack_picture(
            data, chosen.size, chosen.quality, path=face, max_pixels=chosen.max_pixels
        )
        folder.put(path, made.data)
        numbers = (len(data), len(made.data), *made.size, int(made.copied), int(made.squeezed))
        return (path, cell_of(face), *map(str, numbers))
