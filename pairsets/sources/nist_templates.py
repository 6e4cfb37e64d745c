"""Lists of templates as NIST ships IJB-A, IJB-B and IJB-C: CSV, a row a picture of a template.

The header has TEMPLATE_ID, SUBJECT_ID, FILENAME (FILE in IJB-A), and MEDIA_ID (IJB-A) or
SIGHTING_ID, in any order; other columns, as the face's box, do not matter here. A medium is what
MEDIA_ID says, else SIGHTING_ID: the frames of one sighting in a video are one medium.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.paths import strings
from pairsets.progress import Step
from pairsets.sources.text.text_lines import csv_rows, head_lines
from pairsets.storage.csv_tables import ragged

_TEMPLATE, _SUBJECT = "TEMPLATE_ID", "SUBJECT_ID"
# The first of each that there is.
_FILES, _MEDIA = ("FILENAME", "FILE"), ("MEDIA_ID", "SIGHTING_ID")
_EXPECTED = (
    "expected a CSV of templates as NIST's ijbc_1N_gallery_G1.csv, with TEMPLATE_ID, SUBJECT_ID, "
    "FILENAME and SIGHTING_ID"
)


class ListedTemplates(NamedTuple):
    """Rows of a list of templates, as they stand in its file; it may name no subjects."""

    lines: list[int]
    images: NDArray[np.object_]
    templates: NDArray[np.int64]
    media: NDArray[np.int64]
    subjects: NDArray[np.int64] | None = None


def begins_so(head: bytes) -> bool:
    """Whether a file's first line is the header of NIST's templates.

    >>> begins_so(b"TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID\\n"), begins_so(b"1.jpg 1 2\\n")
    (True, False)
    """
    lines = head_lines(head)
    return bool(lines) and {_TEMPLATE, _SUBJECT} <= {*_names(lines[0].split(","))}


def read_listed(path: Path, progress: Step | None = None) -> ListedTemplates:
    """Read NIST's list of templates.

    Raises:
        SourceError: a column is missing or twice there, a row has more or fewer cells, or a number
            is none; the message gives file and line.
    """
    rows = csv_rows(path, progress, what="file of templates")
    _, header = next(rows, (1, [""]))
    names = _names(header)
    at = [_column(path, names, options) for options in (_FILES, (_TEMPLATE,), _MEDIA, (_SUBJECT,))]
    lines: list[int] = []
    images: list[str] = []
    known: dict[str, str] = {}
    numbers: list[tuple[int, int, int]] = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise SourceError(f"{path}, line {line}: {ragged(cells, header)}")
        image = cells[at[0]].strip()
        template, medium, subject = (_number(path, line, names[n], cells[n]) for n in at[1:])
        lines.append(line)
        images.append(known.setdefault(image, image))
        numbers.append((template, medium, subject))
    if not lines:
        raise SourceError(f"{path}: no rows below its header; {_EXPECTED}")
    columns = np.array(numbers, np.int64).T
    return ListedTemplates(lines, strings(images), columns[0], columns[1], columns[2])


def _names(cells: list[str]) -> list[str]:
    return [cell.strip().strip('"').strip().upper() for cell in cells]


def _column(path: Path, names: list[str], options: tuple[str, ...]) -> int:
    """Place of the first of `options` that there is."""
    name = next((one for one in options if one in names), None)
    if name is None:
        raise SourceError(
            f"{path}, line 1: no column {' or '.join(options)} in {','.join(names)[:120]!r}; "
            f"{_EXPECTED}"
        )
    if names.count(name) > 1:
        raise SourceError(f"{path}, line 1: two columns {name}; {_EXPECTED}")
    return names.index(name)


def _number(path: Path, line: int, name: str, cell: str) -> int:
    text = cell.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise SourceError(
            f"{path}, line {line}: {name} is {cell[:40]!r}; expected a whole number from 0 on"
        )
    return int(text)
