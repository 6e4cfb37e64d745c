"""Origins of pictures that are arranged into a folder per identity: names and pictures."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pairsets.errors import SourceError
from pairsets.images import ImageError, open_header
from pairsets.picture_sources.image_table import Columns, Entry, ImageTable, Picture
from pairsets.sources.folders.face_folder import Row, missing_row
from pairsets.sources.folders.plain_folder import PlainFaces, pictures_below
from pairsets.sources.folders.safe_names import LONGEST, SafeNames, safe_names, spelling

_SUFFIXES = {
    "JPEG": ".jpg",
    "MPO": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "GIF": ".gif",
    "BMP": ".bmp",
    "TIFF": ".tiff",
    "AVIF": ".avif",
}
# Room that a file's ending needs.
_ENDING = 5


class Item(NamedTuple):
    """Picture to be put in place, with its identity and name.

    `stem` is `<folder>/<name>`, None for a row without an identity. With `ending` the picture is
    a file that is linked, unread.
    """

    number: int
    identity: str | None
    source: str
    stem: str | None
    picture: Picture
    ending: str | None = None


class Origin(ABC):
    """Origin of faces: the name to give each, and then its picture.

    Attributes:
        names: of the identities' folders.
        key: tells these faces from any others.
        count: of the items.
        misfits: rows of what is no item, and `reasons` how many of them there are, by reason.
    """

    names: SafeNames
    key: Mapping[str, object]
    count: int
    misfits: Sequence[Row]
    reasons: Mapping[str, int]

    @abstractmethod
    def items(self) -> Iterator[Item]:
        """Items of all pictures, in order."""


class PlainOrigin(Origin):
    """Files of plain folders. Identities' folders are not called as any of `taken`."""

    def __init__(self, plain: PlainFaces, taken: Sequence[str] = ()) -> None:
        self._plain = plain
        self.names = safe_names(plain.identities, taken=taken)
        by_identity: dict[str, list[str]] = {}
        for name, identity in zip(plain.names, plain.identities, strict=True):
            by_identity.setdefault(identity, []).append(name)
        files: dict[str, str] = {}
        for identity, listed in by_identity.items():
            folder = self.names.folder(identity)
            files |= {name: f"{folder}/{own}" for name, own in _file_names(listed).items()}
        self._files = [files[name] for name in plain.names]
        self.count = len(plain.names)
        self.key = {"files": _digest([*plain.names, *self._files])}
        self.misfits = [missing_row("", name, why) for name, why in plain.misfits]
        counts = Counter(why for _, why in plain.misfits)
        self.reasons = {f"entries of the folder: {why}": n for why, n in sorted(counts.items())}

    def items(self) -> Iterator[Item]:
        """Items of the files, sorted by name."""
        plain = self._plain
        for number, (name, identity) in enumerate(zip(plain.names, plain.identities, strict=True)):
            yield Item(number, identity, name, self._files[number], plain.folder / name, ending="")


class TableOrigin(Origin):
    """Rows of a table. Folders are not called as any of `taken`.

    Raises:
        SourceError: no row has an identity, or an id stands twice with one.
    """

    def __init__(
        self,
        table: ImageTable,
        columns: Columns,
        source: Path,
        taken: Sequence[str] = (),
        step: Callable[[int, int], None] | None = None,
    ) -> None:
        self._table, self._columns = table, columns
        entries: list[Entry] = []
        for entry in table.entries(columns):
            entries.append(entry)
            if step is not None and not len(entries) % 1000:
                step(len(entries), 0)
        if not any(entry.identity is not None for entry in entries):
            raise SourceError(
                f"{source}: {len(entries):,} rows, and not one says in {columns.identity!r} who "
                "it is; choose another --identity-column, or another --split"
            )
        self._identities = [entry.identity for entry in entries]
        known = [name for name in self._identities if name is not None]
        self.names = safe_names(known, taken=taken)
        self._stems = _stems(entries, self.names, source)
        self.count, self.reasons, self.misfits = len(entries), {}, ()
        unnamed = _unnamed(source, entries) if source.is_dir() else []
        if unnamed:
            why = "a picture of the folder that no row taken names"
            self.misfits = [missing_row("", name, why) for name in unnamed]
            self.reasons = {"pictures of the folder that no row taken names": len(unnamed)}
        self.key = {
            "image": columns.image,
            "identity": columns.identity,
            "id": columns.id,
            "rows": len(entries),
            "files": _digest(stem or "" for stem in self._stems),
        }

    def items(self) -> Iterator[Item]:
        """Items of the rows, in order."""
        pictures = self._table.pictures(self._columns)
        for number, picture in enumerate(pictures):
            identity, stem = self._identities[number], self._stems[number]
            yield Item(number, identity, f"row {number}", stem, picture)


def _file_names(paths: Sequence[str]) -> dict[str, str]:
    """Names for the files of an identity: as they are, with folders where that is no name.

    Of two names that some file system takes for one, one gets a digest before its ending.
    """
    bare = {path: path.rpartition("/")[2] for path in paths}
    if len({*map(spelling, bare.values())}) < len(paths):
        bare = {path: path for path in paths}
    parts = {path: (PurePosixPath(name).suffix, name) for path, name in bare.items()}
    stems = {path: name[: len(name) - len(end)] for path, (end, name) in parts.items()}
    if len({*map(spelling, stems.values())}) == len(paths):
        safe = safe_names(stems.values(), longest=LONGEST - _ENDING)
        return {path: safe.folder(stems[path]) + parts[path][0] for path in paths}
    safe = safe_names((name for _, name in parts.values()), longest=LONGEST - _ENDING)
    found = {}
    for path, (end, name) in parts.items():
        own = safe.folder(name)
        found[path] = own if own.endswith(end) else own + end
    return found


def _stems(entries: Sequence[Entry], names: SafeNames, source: Path) -> list[str | None]:
    """`<folder>/<name>` of each row, without an ending; None where there is no identity."""
    wanted: list[str] = []
    given: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        name = entry.id if entry.id is not None else PurePosixPath(entry.path or "").stem
        wanted.append(name)
        if entry.identity is not None:
            given[entry.identity, name] += 1
            if entry.id is not None and given[entry.identity, name] > 1:
                raise SourceError(
                    f"{source}: the id {entry.id!r} stands twice with {entry.identity!r}; choose "
                    "another --id-column, or none"
                )
    # All of an identity, so that a row's number cannot be what another picture is called.
    by_row = {who for (who, name), times in given.items() if times > 1 or not name}
    digits = len(str(max(len(entries) - 1, 0)))
    per_identity: dict[str, list[str]] = {}
    for number, entry in enumerate(entries):
        if entry.identity is None:
            continue
        if entry.identity in by_row:
            wanted[number] = f"{number:0{digits}d}"
        per_identity.setdefault(entry.identity, []).append(wanted[number])
    safe = {
        who: safe_names(listed, longest=LONGEST - _ENDING) for who, listed in per_identity.items()
    }
    return [
        None
        if entry.identity is None
        else f"{names.folder(entry.identity)}/{safe[entry.identity].folder(name)}"
        for entry, name in zip(entries, wanted, strict=True)
    ]


def ending_of(data: bytes, max_pixels: int) -> str:
    """The ending of a picture's file, by its content.

    Raises:
        ImageError: no picture, one of another format, or of more pixels than `max_pixels`.
    """
    try:
        return _SUFFIXES[open_header(data, max_pixels).format or "JPEG"]
    except ImageError:
        raise
    except Exception as error:  # Pillow's parsers meet hostile bytes with nearly any exception
        raise ImageError(f"is damaged: {error or type(error).__name__}") from error


def _unnamed(source: Path, entries: Sequence[Entry]) -> list[str]:
    """Pictures that lie in the folder of a table and are none of its rows'."""
    there = pictures_below(source)
    if not there:
        return []
    root = f"{source.resolve().as_posix()}/"
    named = {(entry.path or "").removeprefix(root) for entry in entries}
    return [path for path in there if path not in named]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(lines)).encode()).hexdigest()
