r"""Danbooru2018's faces.tsv, a face a line, and tagIds.tsv, which names the tags.

    0446\332446.jpg<TAB>1<TAB>0.448534,0.441995,0.584106,0.654420,0.337403

are file name, tag and left, top, right, bottom, confidence; in the published file boxes are shares
of the picture's sides. Of tagIds.tsv, `name<TAB>id`, the columns may be in either order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pairsets.errors import SourceError
from pairsets.sources.face_boxes.builder import Table
from pairsets.sources.face_boxes.json_fields import Found, numbers, picture_id, score_of

UNNAMED = "tag of a face that the file of tags does not name"
_EXPECTED = r"0446\332446.jpg<TAB>1<TAB>left,top,right,bottom,confidence"


def looks_like(head: str) -> bool:
    """Whether a text begins with a line of three columns or more, the third of numbers."""
    cells = next((line for line in head.split("\n") if line.strip()), "").split("\t")
    return len(cells) > 2 and bool(re.match(r"[\s\d.,eE+-]+$", cells[2]))


def read(numbered: Iterable[tuple[int, str]], names: Mapping[str, str] | None) -> Table:
    """Read faces from the numbered lines of a file; `names` are those of tags.

    Raises:
        SourceError: a line of another form; says which.
    """
    table = Table()
    table.named = names is not None
    for line, text in numbered:
        try:
            file, tag, face = _cells(text)
            row = table.picture(picture_id(file.replace("\\", "/")))
            table.add(row, [face])
            if names is not None and tag in names:
                table.name(row, names[tag])
            elif names is not None:
                table.skipped[UNNAMED] += 1
        except SourceError as error:
            raise SourceError(f"line {line}: {error}") from None
    return table


def read_tag_ids(numbered: Iterable[tuple[int, str]]) -> dict[str, str]:
    """Names by the number of their tag.

    Raises:
        SourceError: a line of another form, a number twice, or numbers in neither column.
    """
    rows: list[tuple[int, str, str]] = []
    for line, text in numbered:
        cells = text.split("\t")
        if len(cells) != 2 or not all(cell.strip() for cell in cells):
            raise SourceError(f"line {line}: {text[:60]!r}; expected name<TAB>id, as in tagIds.tsv")
        rows.append((line, cells[0], cells[1]))
    # The published file has names first, among them some that are numbers.
    if all(row[2].isdigit() for row in rows):
        listed = [(line, tag, name) for line, name, tag in rows]
    elif all(row[1].isdigit() for row in rows):
        listed = rows
    else:
        line, *cells = next(row for row in rows if not row[2].isdigit())
        raise SourceError(f"line {line}: {cells}; expected a number in one column of all lines")
    found: dict[str, str] = {}
    for line, tag, name in listed:
        if found.setdefault(tag, name) != name:
            raise SourceError(f"line {line}: {tag} is {found[tag]!r} already, now {name!r}")
    return found


def _cells(text: str) -> tuple[str, str, Found]:
    cells = text.split("\t")
    if len(cells) != 3 or not cells[0]:
        raise SourceError(f"{text[:80]!r}; expected {_EXPECTED}")
    sides = [side for side in re.split(r"[\s,]+", cells[2]) if side]
    if len(sides) not in (4, 5):
        raise SourceError(f"{cells[2][:60]!r} is no box; expected {_EXPECTED}")
    score = score_of(sides[4] if len(sides) == 5 else None)
    return cells[0], cells[1].strip(), Found(numbers(sides[:4]), score)
