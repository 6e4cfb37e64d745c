"""Faces as boxes in pictures, by character: the JSON form of ZACI-20.

    {"asuka_(eva)": [{"id": 3131051, "bbox": [213, 15, 327, 151]}, ...], ...}

`id` is the number of a Danbooru post, or the path of a picture relative to its folder; `bbox` is
left, top, right, bottom in pixels of that picture.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import SourceError
from pairsets.paths import strings, why_unsafe
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.json_files import read_json

PictureId = int | str
_EXPECTED = '{"character": [{"id": 3131051, "bbox": [213, 15, 327, 151]}, ...], ...}'


class BoxedFace(NamedTuple):
    """One face: whose it is, in which picture, and where."""

    character: str
    id: PictureId
    bbox: tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Dataset:
    """Boxed faces, those of a character together.

    Attributes:
        characters: `[C]` distinct names, in order.
        owner: `[N]` int32, row of the character of each face, not falling.
        ids: `[N]` int or str objects, of the pictures. One may show a character more than once, as
            a page of a comic does, in boxes that differ.
        boxes: `[N, 4]` int32: left, top, right, bottom in pixels of the picture.

    Raises:
        SourceError: another length or order, a box without area, a character without faces, a box
            twice with one character, a path that leaves its folder.
    """

    characters: tuple[str, ...]
    owner: NDArray[np.int32]
    ids: NDArray[np.object_]
    boxes: NDArray[np.int32]

    def __post_init__(self) -> None:
        count = len(self.ids)
        owner, boxes = np.array(self.owner, np.int32), np.array(self.boxes, np.int32)
        if owner.shape != (count,) or boxes.shape != (count, 4):
            raise SourceError(
                f"{count} pictures with owners {owner.shape} and boxes {boxes.shape}; expected "
                f"({count},) and ({count}, 4)"
            )
        present = np.unique(owner)
        if (
            not np.array_equal(present, np.arange(len(self.characters)))
            or (np.diff(owner) < 0).any()
        ):
            raise SourceError("faces are not grouped by character, or a character has none")
        if len(set(self.characters)) != len(self.characters):
            again = Counter(self.characters).most_common(1)[0][0]
            raise SourceError(f"the character {again!r} is listed twice")
        flat = (boxes[:, 2] <= boxes[:, 0]) | (boxes[:, 3] <= boxes[:, 1])
        wrong = np.flatnonzero(flat | (boxes[:, :2] < 0).any(axis=1))
        if wrong.size:
            raise SourceError(
                f"{self._where(int(wrong[0]))}: box {boxes[wrong[0]].tolist()}; expected left, "
                "top, right, bottom of an area within the picture"
            )
        first: dict[tuple[int, PictureId], int] = {}
        more: dict[int, list[int]] = {}
        keys = zip(owner.tolist(), self.ids.tolist(), strict=True)
        is_plain = not {*map(type, self.ids)} - {int} and len({*keys}) == count
        pictures = () if is_plain else zip(owner.tolist(), self.ids, strict=True)
        for row, (number, picture) in enumerate(pictures):
            if isinstance(picture, str) and (unsafe := why_unsafe(picture)):
                raise SourceError(f"{self._where(row)}: the path {picture!r} {unsafe}")
            before = first.setdefault((number, picture), row)
            if before == row:
                continue
            others = more.setdefault(before, [before])
            if any((boxes[row] == boxes[other]).all() for other in others):
                raise SourceError(f"{self._where(row)}: listed twice with one box")
            others.append(row)
        for name, array in (("owner", owner), ("ids", strings(self.ids)), ("boxes", boxes)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @classmethod
    def of(cls, faces: Mapping[str, Iterable[tuple[PictureId, ArrayLike]]]) -> Dataset:
        """A dataset of `(id, bbox)` by character.

        >>> found = Dataset.of({"rei": [(7, (0, 0, 9, 9))], "asuka": [(3, (1, 2, 3, 4))]})
        >>> found.characters, found.ids.tolist()
        (('rei', 'asuka'), [7, 3])
        """
        rows = [(at, *face) for at, listed in enumerate(faces.values()) for face in listed]
        return cls(
            tuple(faces),
            np.array([row[0] for row in rows], np.int32),
            strings(row[1] for row in rows),  # type: ignore[misc]
            np.array([row[2] for row in rows], np.int32).reshape(-1, 4),
        )

    @classmethod
    def read(cls, path: str | Path) -> Dataset:
        """Read a dataset from ZACI-20's JSON.

        Raises:
            SourceError: the file is missing, not JSON, or an entry is of another form; the message
                names the character and the entry.
        """
        path = Path(path)
        try:
            content = read_json(
                path, f"a JSON file {_EXPECTED}", error=SourceError, most=None, surrogates=True
            )
        except FileNotFoundError:
            raise SourceError(f"{path}: no such dataset") from None
        except IsADirectoryError:
            raise SourceError(f"{path}: a folder; expected a JSON file {_EXPECTED}") from None
        if not isinstance(content, dict):
            raise SourceError(f"{path}: a {type(content).__name__}; expected {_EXPECTED}")
        if not content:
            raise SourceError(f"{path}: no characters in it; expected {_EXPECTED}")
        try:
            return cls.of({name: list(_faces(name, entries)) for name, entries in content.items()})
        except SourceError as error:
            raise SourceError(f"{path}: {error}") from None

    def write(self, path: str | Path) -> Path:
        """Write ZACI-20's JSON, on one line as the original is; atomically."""
        path = Path(path)
        with atomic_write(path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
            text.write("{")
            for name, rows in self.rows():
                faces = zip(self.ids[rows].tolist(), self.boxes[rows].tolist(), strict=True)
                # Whole numbers, and lists of them, are written in JSON as Python shows them.
                listed = ", ".join(
                    f'{{"id": {_json(picture)}, "bbox": {box}}}' for picture, box in faces
                )
                text.write(f"{', ' if rows.start else ''}{json.dumps(name)}: [{listed}]")
            text.write("}")
            text.detach()
        return path

    def __len__(self) -> int:
        """Number of faces."""
        return len(self.ids)

    def __iter__(self) -> Iterator[BoxedFace]:
        boxes = self.boxes.tolist()
        for owner, picture, box in zip(self.owner.tolist(), self.ids, boxes, strict=True):
            yield BoxedFace(self.characters[owner], picture, tuple(box))

    def rows(self) -> Iterator[tuple[str, slice]]:
        """Each character, with the rows of its faces."""
        ends = np.cumsum(self.counts).tolist()
        yield from zip(self.characters, map(slice, [0, *ends], ends), strict=True)

    @property
    def counts(self) -> NDArray[np.int64]:
        """`[C]`: faces of each character."""
        return np.bincount(self.owner, minlength=len(self.characters))

    @property
    def histogram(self) -> dict[int, int]:
        """Number of characters that have so many faces, by number of faces."""
        sizes, times = np.unique(self.counts, return_counts=True)
        return dict(zip(sizes.tolist(), times.tolist(), strict=True))

    def _where(self, row: int) -> str:
        owner = int(self.owner[row])
        name = self.characters[owner] if 0 <= owner < len(self.characters) else owner
        return f"{name!r}, picture {self.ids[row]!r}"


def _json(picture: PictureId) -> str:
    """An id in JSON."""
    return str(picture) if type(picture) is int else json.dumps(picture)


def _faces(name: str, entries: object) -> Iterator[tuple[PictureId, list[int]]]:
    """Id and box of each entry of a character."""
    if not isinstance(entries, list) or not entries:
        raise SourceError(f"{name!r}: expected a list of faces, got {str(entries)[:60]}")
    for number, entry in enumerate(entries, 1):
        where = f"{name!r}, face {number}"
        if not isinstance(entry, dict) or not {"id", "bbox"} <= set(entry):
            raise SourceError(f"{where}: expected an object with id and bbox, got {entry!r:.80}")
        picture, box = entry["id"], entry["bbox"]
        if isinstance(picture, bool) or not isinstance(picture, int | str):
            raise SourceError(f"{where}: id {picture!r:.60}; expected a number or a path")
        sound = isinstance(box, list) and len(box) == 4
        if not sound or any(type(side) is not int or abs(side) >= 2**31 for side in box):
            raise SourceError(f"{where}: bbox {box!r:.60}; expected four whole numbers")
        yield picture, box
