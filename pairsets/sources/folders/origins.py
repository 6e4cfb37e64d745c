"""Origins of pictures that are arranged into a folder per character: names and pictures."""

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
from pairsets.sources.folders.face_folder import Row, missing_row
from pairsets.sources.folders.image_table import Columns, Entry, ImageTable, Picture
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
    """Picture to be put in place, with its character and name.

    `stem` is `<folder>/<name>`, None for a row without a character. With `ending` the picture is
    a file that is linked, unread.
    """

    number: int
    character: str | None
    source: str
    stem: str | None
    picture: Picture
    ending: str | None = None


class Origin(ABC):
    """Origin of faces: the name to give each, and then its picture.

    Attributes:
        names: of the characters' folders.
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
    """Files of plain folders. Characters' folders are not called as any of `taken`."""

    def __init__(self, plain: PlainFaces, taken: Sequence[str] = ()) -> None:
        self._plain = plain
        self.names = safe_names(plain.characters, taken=taken)
        by_character: dict[str, list[str]] = {}
        for name, character in zip(plain.names, plain.characters, strict=True):
            by_character.setdefault(character, []).append(name)
        files: dict[str, str] = {}
        for character, listed in by_character.items():
            folder = self.names.folder(character)
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
        for number, (name, character) in enumerate(zip(plain.names, plain.characters, strict=True)):
            yield Item(number, character, name, self._files[number], plain.folder / name, ending="")


class TableOrigin(Origin):
    """Rows of a table. Folders are not called as any of `taken`.

    Raises:
        SourceError: no row has a character, or an id stands twice with one.
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
        if not any(entry.character is not None for entry in entries):
            raise SourceError(
                f"{source}: {len(entries):,} rows, and not one says in {columns.character!r} who "
                "it is; choose another --character-column, or another --split"
            )
        self._characters = [entry.character for entry in entries]
        known = [name for name in self._characters if name is not None]
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
            "character": columns.character,
            "id": columns.id,
            "rows": len(entries),
            "files": _digest(stem or "" for stem in self._stems),
        }

    def items(self) -> Iterator[Item]:
        """Items of the rows, in order."""
        pictures = self._table.pictures(self._columns)
        for number, picture in enumerate(pictures):
            character, stem = self._characters[number], self._stems[number]
            yield Item(number, character, f"row {number}", stem, picture)


def _file_names(paths: Sequence[str]) -> dict[str, str]:
    """Names for the files of a character: as they are, with folders where that is no name.

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
    """`<folder>/<name>` of each row, without an ending; None where there is no character."""
    wanted: list[str] = []
    given: Counter[tuple[str, str]] = Counter()
    for entry in entries:
        name = entry.id if entry.id is not None else PurePosixPath(entry.path or "").stem
        wanted.append(name)
        if entry.character is not None:
            given[entry.character, name] += 1
            if entry.id is not None and given[entry.character, name] > 1:
                raise SourceError(
                    f"{source}: the id {entry.id!r} stands twice with {entry.character!r}; choose "
                    "another --id-column, or none"
                )
    # All of a character, so that a row's number cannot be what another picture is called.
    by_row = {who for (who, name), times in given.items() if times > 1 or not name}
    digits = len(str(max(len(entries) - 1, 0)))
    per_character: dict[str, list[str]] = {}
    for number, entry in enumerate(entries):
        if entry.character is None:
            continue
        if entry.character in by_row:
            wanted[number] = f"{number:0{digits}d}"
        per_character.setdefault(entry.character, []).append(wanted[number])
    safe = {
        who: safe_names(listed, longest=LONGEST - _ENDING) for who, listed in per_character.items()
    }
    return [
        None
        if entry.character is None
        else f"{names.folder(entry.character)}/{safe[entry.character].folder(name)}"
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
