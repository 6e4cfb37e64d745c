"""WIDER FACE's text: a picture, how many faces it has, and a line for each.

    0--Parade/0_Parade_1.jpg
    1
    449 330 122 149 0 0 0 0 0 0

are left, top, width, height, then blur, expression, illumination, invalid, occlusion and pose; a
detector's results have the score as a fifth number instead. RetinaFace's `label.txt` has
`# 0--Parade/0_Parade_1.jpg`, no number of faces, and landmarks behind each box. A picture without
a face may have a line of noughts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from pairsets.errors import SourceError
from pairsets.paths import is_image
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import (
    Found,
    number,
    numbers,
    picture_id,
    score_of,
    spanned,
)

INVALID = "box marked as invalid"
_NUMBERS = re.compile(r"\s*-?[\d.][\d.eE+-]*(\s+-?[\d.][\d.eE+-]*)*\s*\Z")
# Numbers of a line: of a box alone, with a score, of WIDER FACE, of RetinaFace.
_BOX, _SCORED, _WIDER, _LANDMARKS = 4, 5, 10, (19, 20)
_INVALID = 7
_EXAMPLE = "0--Parade/0_Parade_1.jpg"
_EXPECTED = "left, top, width, height, then nothing, a score, or WIDER FACE's six marks"


def looks_like(head: str) -> bool:
    """Whether a text begins with the name of a picture, and a line of one number or of four."""
    lines = [line for line in head.split("\n")[:20] if line.strip()]
    if len(lines) < 2 or not _is_picture(lines[0].removeprefix("#")):
        return False
    if lines[0].startswith("#"):
        return bool(_NUMBERS.match(lines[1])) and len(lines[1].split()) >= _BOX
    return lines[1].strip().isdigit()


def read(numbered: Iterable[tuple[int, str]]) -> Table:
    """Read faces from the numbered lines of a file.

    Raises:
        SourceError: a line of another form, or another number of faces than was said.
    """
    table = Table()
    table.relative = False
    taken = _Picture(table)
    line = 0
    for line, text in numbered:
        try:
            taken.line(text.strip())
        except SourceError as error:
            raise SourceError(f"line {line}: {error}") from None
    try:
        taken.finish()
    except SourceError as error:
        raise SourceError(f"line {line}: {error}; is the file whole?") from None
    return table


class _Picture:
    """The picture whose lines are read."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._row: int | None = None
        self._name: str | None = None
        self._marked = False  # by `#`, and so without a number of faces
        self._wanted: int | None = None
        self._got = 0

    def line(self, text: str) -> None:
        if _is_picture(text.removeprefix("#")):
            self.finish()
            self._marked = text.startswith("#")
            self._name = text.removeprefix("#").strip() if self._marked else text
            self._row = self._table.picture(picture_id(self._name))
            self._wanted, self._got = None, 0
        elif self._name is None or not _NUMBERS.match(text):
            raise SourceError(f"{text[:60]!r}; expected the path of a picture, as {_EXAMPLE!r}")
        elif self._wanted is None and not self._marked:
            if not text.isdigit():
                raise SourceError(f"{text[:60]!r}; expected how many faces {self._name!r} has")
            self._wanted = int(text)
        else:
            self._box(text.split())

    def finish(self) -> None:
        if self._name is None or self._marked:
            return
        if self._wanted is None or self._got != self._wanted:
            raise SourceError(
                f"{self._name!r} has {self._got} faces, not {self._wanted or 0} as it says"
                if self._wanted is not None
                else f"nothing says how many faces {self._name!r} has"
            )

    def _box(self, cells: list[str]) -> None:
        if self._wanted == 0 and all(float(cell) == 0 for cell in cells):
            return
        self._got += 1
        count = len(cells)
        fits = count in _LANDMARKS if self._marked else count in (_BOX, _SCORED, _WIDER)
        if not fits and not (self._marked and count == _BOX):
            raise SourceError(f"{count} numbers of a face; expected {_EXPECTED}")
        box = spanned(*numbers(list(cells[:4])))
        if count == _WIDER and number(cells[_INVALID]) != 0:
            self._table.skipped[INVALID] += 1
            return
        score = score_of(cells[4] if count == _SCORED else None)
        self._table.add(self._row, [Found(box, score)])


def _is_picture(text: str) -> bool:
    return is_image(text.strip())
