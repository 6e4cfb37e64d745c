"""Five landmarks of each face, as detectors list them: eyes, tip of the nose, corners of the mouth.

Three forms of a table are told apart by their first lines:

- CSV with a header: a column of paths, and ten that are called `left_eye_x` ... `right_mouth_y`
  (in whatever spelling), or `x1,y1` to `x5,y5`;
- CelebA's list: a line with the number of pictures, one with the ten names, then a path and ten
  numbers a line;
- lists without a header: a path and ten numbers a line, and a score behind them, as IJB-C's
  `name_5pts_score` has.

Numbers are pixels of the picture as it is seen upright, (0, 0) the middle of its upper left one.
*Left* is what lies on the left of the picture. Where a file means the left of the person, faces
would be turned upside down, and it is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Floats
from pairsets.errors import SourceError
from pairsets.identities.lists import PATH_COLUMNS, plain_path
from pairsets.paths import why_unsafe
from pairsets.sources.text.text_lines import csv_rows, text_lines

_POINTS = ("left eye", "right eye", "nose", "left corner of the mouth", "right corner of the mouth")
_WHAT = "list of landmarks"
_WANTED = (
    "expected path,left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,left_mouth_x,"
    "left_mouth_y,right_mouth_x,right_mouth_y, or path,x1,y1,...,x5,y5"
)
# Ways to write the name of each point, of letters and digits alone, without the axis at its end.
_SPELLINGS = (
    {"lefteye", "eyeleft", "leye", "1", "p1", "point1"},
    {"righteye", "eyeright", "reye", "2", "p2", "point2"},
    {"nose", "nosetip", "3", "p3", "point3"},
    {"leftmouth", "mouthleft", "leftmouthcorner", "mouthleftcorner", "lmouth", "4", "p4", "point4"},
    {"rightmouth", "mouthright", "rightmouthcorner", "mouthrightcorner", "rmouth"}
    | {"5", "p5", "point5"},
)
_FIELDS = 11
Points = Floats


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Landmarks of faces, a row each.

    Attributes:
        file: that they are from.
        paths: `[N]`, of the pictures, each once.
        points: `[N, 5, 2]` float64: left eye, right eye, nose, left and right corner of the mouth.
        lines: `[N]`, of the file.

    Raises:
        SourceError: a picture that is listed twice; or, of more than half of them, points that
            tell no place, or left and right exchanged. The message names the line.
    """

    file: Path
    paths: list[str]
    points: Points
    lines: list[int]

    def __post_init__(self) -> None:
        first: dict[str, int] = {}
        for path, line in zip(self.paths, self.lines, strict=True):
            if first.setdefault(path, line) != line:
                raise SourceError(
                    f"{self.file}, line {line}: {path!r} has landmarks in line {first[path]} "
                    "already; expected one face a picture: keep that which is meant"
                )
        flat, mirrored = self._rows()
        half = len(self.paths) / 2
        if len(flat) > half:
            raise SourceError(
                f"{self._at(flat[0])}: its eyes and mouth lie on one point or one line, as in "
                f"{len(flat):,} of {len(self.paths):,} faces; expected five points of a face, in "
                "pixels: are they shares of the picture's sides?"
            )
        if len(mirrored) > half:
            raise SourceError(
                f"{self._at(mirrored[0])}: its left eye lies where the right one is, seen from the "
                f"mouth; so it is in {len(mirrored):,} of {len(self.paths):,} faces. Left is the "
                "left of the picture; where the file means the left of the person, exchange left "
                "and right in its header"
            )

    def _rows(self) -> tuple[list[int], list[int]]:
        """Rows whose points tell no place, and rows that are mirrored."""
        apart = _area(self.points)
        flat = np.abs(apart) < 1
        return np.flatnonzero(flat).tolist(), np.flatnonzero((apart < 0) & ~flat).tolist()

    def _at(self, row: int) -> str:
        return f"{self.file}, line {self.lines[row]}: {self.paths[row]!r}"

    @property
    def causes(self) -> dict[str, str]:
        """Why the points of some pictures cannot be used, by path: of detectors, now and then."""
        flat, mirrored = self._rows()
        found = {self.paths[row]: "its eyes and mouth lie on one line" for row in flat}
        told = "left and right of its landmarks are exchanged; a face from the side?"
        return found | {self.paths[row]: told for row in mirrored}

    @classmethod
    def read(cls, file: Path, progress: Callable[[int, int], None] | None = None) -> Landmarks:
        """Read a list, in the forms of the module.

        Raises:
            SourceError: none of these forms, a path that is none, numbers that are not finite, or
                as `Landmarks`.
        """
        _, first = next(text_lines(file, what=_WHAT), (1, ""))
        rows = _of_table(file, progress) if "," in first else _of_list(file, progress)
        paths: list[str] = []
        lines: list[int] = []
        numbers: list[list[float]] = []
        for line, path, values in rows:
            plain = plain_path(path.strip())
            if unsafe := why_unsafe(plain):
                raise SourceError(
                    f"{file}, line {line}: the path {plain!r:.80} {unsafe}; expected one relative "
                    "to the folder of faces"
                )
            paths.append(plain)
            lines.append(line)
            numbers.append(values)
        if not paths:
            raise SourceError(f"{file}: no landmarks in it; {_WANTED}")
        return cls(file, paths, np.array(numbers, np.float64).reshape(-1, 5, 2), lines)


def _area(points: Points) -> NDArray[np.float64]:
    """`[N]`: twice the area, signed, of the triangle of both eyes and the middle of the mouth."""
    eyes = points[:, 1] - points[:, 0]
    mouth = points[:, 3:].mean(axis=1) - points[:, 0]
    return np.asarray(eyes[:, 0] * mouth[:, 1] - eyes[:, 1] * mouth[:, 0])


def _of_table(
    file: Path, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, str, list[float]]]:
    rows = csv_rows(file, progress, what=_WHAT)
    number, header = next(rows)
    named = [re.sub("[^a-z0-9]", "", cell.lower()) for cell in header]
    columns = [_column(file, named, point, axis) for point in range(5) for axis in "xy"]
    low = [cell.strip().lower() for cell in header]
    places = [at for at, name in enumerate(low) if name in PATH_COLUMNS]
    if len(places) != 1:
        found = f"{len(places)} columns of paths" if places else "no column of paths"
        raise SourceError(f"{file}, line {number}: {found} in {','.join(header)[:80]}; {_WANTED}")
    for line, cells in rows:
        if len(cells) != len(header):
            raise SourceError(
                f"{file}, line {line}: {len(cells)} values, expected {len(header)} as in the header"
            )
        yield line, cells[places[0]], _numbers(file, line, [cells[at] for at in columns])


def _column(file: Path, named: list[str], point: int, axis: str) -> int:
    """The column of a coordinate."""
    wanted = {f"{name}{axis}" for name in _SPELLINGS[point]}
    wanted |= {f"{axis}{name}" for name in _SPELLINGS[point]}
    found = [at for at, name in enumerate(named) if name in wanted]
    if len(found) != 1:
        told = "two columns" if found else "no column"
        raise SourceError(f"{file}, line 1: {told} of {axis} of the {_POINTS[point]}; {_WANTED}")
    return found[0]


def _of_list(
    file: Path, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, str, list[float]]]:
    lines = text_lines(file, progress, what=_WHAT)
    announced = None
    for number, line in lines:
        cells = line.split()
        if number == 1 and len(cells) == 1 and cells[0].isdigit():
            announced = int(cells[0])
            continue
        if number <= 2 and len(cells) == _FIELDS - 1 and not _is_number(cells[0]):
            named = [re.sub("[^a-z0-9]", "", cell.lower()) for cell in cells]
            order = [_column(file, named, point, axis) for point in range(5) for axis in "xy"]
            if order != [*range(10)]:
                raise SourceError(f"{file}, line {number}: landmarks in another order; {_WANTED}")
            continue
        if len(cells) not in (_FIELDS, _FIELDS + 1):
            raise SourceError(
                f"{file}, line {number}: {len(cells)} values; expected a path and ten numbers "
                "between blanks, and a score or none: has the path blanks in it? Then as CSV, with "
                "a header"
            )
        yield number, cells[0], _numbers(file, number, cells[1:_FIELDS])
        announced = None if announced is None else announced - 1
    if announced:
        raise SourceError(
            f"{file}: line 1 says {abs(announced):,} pictures "
            f"{'more' if announced > 0 else 'fewer'} than there are; is the file cut?"
        )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _numbers(file: Path, line: int, cells: list[str]) -> list[float]:
    for at, cell in enumerate(cells):
        if not _is_number(cell) or not np.isfinite(float(cell)):
            axis, point = "xy"[at % 2], _POINTS[at // 2]
            raise SourceError(
                f"{file}, line {line}: {axis} of the {point} is {cell[:40]!r}; expected a number "
                "of pixels. Faces without landmarks are left out of the list"
            )
    return [float(cell) for cell in cells]
