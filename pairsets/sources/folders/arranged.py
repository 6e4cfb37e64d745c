"""What is arranged into a folder per character: what each picture is called, and where it is."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple, Protocol

from pairsets.errors import SourceError
from pairsets.images import ImageError, open_header
from pairsets.sources.folders.face_folder import Row, missing_row
from pairsets.sources.folders.flat import FlatFaces
from pairsets.sources.folders.image_table import Columns, Entry, ImageTable, Picture
from pairsets.sources.folders.safe_names import LONGEST, SafeNames, safe_names

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
    """One picture to be put in place.

    `stem` is `<folder>/<name>`, None for a row without a character. With `ending` the picture is
    a file that is linked, unread.
    """

    number: int
    character: str | None
    source: str
    stem: str | None
    picture: Picture
    ending: str | None = None


class Origin(Protocol):
    """Where faces come from: what to call each, and then its picture.

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

    def items(self) -> Iterator[Item]:
        """All pictures in order."""


class FlatOrigin:
    """Files of a flat folder. Folders are not called as any of `taken`."""

    key: Mapping[str, object]
    misfits: Sequence[Row]
    reasons: Mapping[str, int]

    def __init__(self, flat: FlatFaces, taken: Sequence[str] = ()) -> None:
        self._flat = flat
        self.names = safe_names(flat.characters, taken=taken)
        by_character: dict[str, list[str]] = {}
        for name, character in zip(flat.names, flat.characters, strict=True):
            by_character.setdefault(character, []).append(name)
        files = {character: safe_names(listed) for character, listed in by_character.items()}
        self._stems = [
            f"{self.names.folder(character)}/{files[character].folder(name)}"
            for name, character in zip(flat.names, flat.characters, strict=True)
        ]
        self.count, self.key = len(flat.names), {"files": _digest(self._stems)}
        self.misfits = [missing_row("", name, why) for name, why in flat.misfits]
        counts = Counter(why for _, why in flat.misfits)
        self.reasons = {f"entries of the folder: {why}": n for why, n in sorted(counts.items())}

    def items(self) -> Iterator[Item]:
        """The files, sorted by name."""
        flat = self._flat
        for number, (name, character) in enumerate(zip(flat.names, flat.characters, strict=True)):
            yield Item(number, character, name, self._stems[number], flat.folder / name, ending="")


class TableOrigin:
    """Rows of a table. Folders are not called as any of `taken`.

    Raises:
        SourceError: no row has a character, or an id stands twice with one.
    """

    key: Mapping[str, object]
    misfits: Sequence[Row]
    reasons: Mapping[str, int]

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
        self.key = {
            "image": columns.image,
            "character": columns.character,
            "id": columns.id,
            "rows": len(entries),
            "files": _digest(stem or "" for stem in self._stems),
        }

    def items(self) -> Iterator[Item]:
        """The rows, in order."""
        pictures = self._table.pictures(self._columns)
        for number, picture in enumerate(pictures):
            character, stem = self._characters[number], self._stems[number]
            yield Item(number, character, f"row {number}", stem, picture)


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
        image = open_header(data)
    except ImageError:
        raise
    except Exception as error:  # Pillow's parsers meet hostile bytes with nearly any exception
        raise ImageError(f"is damaged: {error or type(error).__name__}") from error
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            f"{width} x {height} pixels is more than the limit of {max_pixels:,} pixels"
        )
    return _SUFFIXES[image.format or "JPEG"]


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256(json.dumps(list(lines)).encode()).hexdigest()
