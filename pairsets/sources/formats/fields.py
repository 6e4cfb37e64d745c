"""The fields of a line or row that names two images: the two paths, and the label beside them.

A path may hold blanks, but what stands behind the ending of an image and a blank is no part of it:
`a/1.jpg b/2.jpg` is two faces, never one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.paths import IMAGE_SUFFIXES, is_image
from pairsets.storage.csv_tables import line_cells

Layout = Literal["behind", "before", "none"]
# How a label is called, by what it says. Words of two rows are never mixed in one file.
_SAID: tuple[tuple[str, str], ...] = (
    ("1", "0"),
    ("1", "-1"),
    ("1.0", "0.0"),
    ("1.0", "-1.0"),
    ("true", "false"),
    ("t", "f"),
    ("yes", "no"),
    ("same", "different"),
    ("same", "diff"),
    ("match", "mismatch"),
    ("match", "nonmatch"),
    ("match", "non-match"),
    ("mated", "nonmated"),
    ("mated", "non-mated"),
    ("genuine", "impostor"),
    ("genuine", "imposter"),
    ("positive", "negative"),
    ("pos", "neg"),
    ("target", "nontarget"),
)
_WORDS = frozenset(word for row in _SAID for word in row)
# What is wrong with a line that should name one face.
TWO_FACES = (
    "expected one a line. Two paths a line, with a label or without, are --from-format trials, and "
    "then every line is to be so"
)
EXPECTED_LABEL = "0 or 1, -1 or 1, or two words such as same and different"
_END = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(IMAGE_SUFFIXES)))})(?=\s|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Fields:
    """Fields of a line that names two images: the paths and the text beside them.

    Attributes:
        a, b: the two paths.
        before, behind: what stands before and behind them; empty where nothing does.
    """

    a: str
    b: str
    before: str = ""
    behind: str = ""

    @property
    def layout(self) -> Layout:
        """Place of the label, if there is one."""
        if self.behind:
            return "behind"
        return "before" if self.before else "none"


def several(line: str) -> bool:
    """Whether a line that may be one path names more than one image.

    >>> several("A b/1.jpg"), several("A/1.jpg B/2.jpg"), several("A/1.jpg,B/2.jpg")
    (False, True, True)
    """
    return len(_END.findall(line)) > 1 or fields(line) is not None


def fields(line: str) -> Fields | None:
    """The fields of a line that names two images and at most one thing beside; else None.

    They are set off by tabs, by blanks, by commas or by semicolons.

    >>> fields("A b/1.jpg A b/2.jpg 1")
    Fields(a='A b/1.jpg', b='A b/2.jpg', before='', behind='1')
    >>> fields("0,A/1.jpg,B/2.jpg").before
    '0'
    """
    for cells in _ways(line):
        images = [is_image(cell) for cell in cells]
        if not 2 <= len(cells) <= 3 or sum(images) != 2 or any(map(_broken, cells)):
            continue
        if images[0] and images[1]:
            return Fields(cells[0], cells[1], behind=cells[2] if len(cells) == 3 else "")
        if images[1] and images[2]:
            return Fields(cells[1], cells[2], before=cells[0])
    return None


def layout_of(lines: Sequence[str]) -> Layout | None:
    """Place of the label in each line; None unless all lines name two images in one way.

    >>> layout_of(["1 A/1.jpg A/2.jpg", "0 A/1.jpg B/1.jpg"])
    'before'
    >>> layout_of(["A/1.jpg A/2.jpg", "A/1.jpg B/1.jpg 0"])
    """
    found = [fields(line) for line in lines]
    told = {None if one is None else one.layout for one in found}
    return told.pop() if len(told) == 1 else None


def labels(
    path: Path, said: Sequence[str], lines: Sequence[int], unit: str = "line"
) -> NDArray[np.int8]:
    """The label of each row, `[N]`, 1 same and 0 different, by what it is called.

    Raises:
        SourceError: something else, or words that do not go together; with the line.
    """
    words = [word.strip().casefold() for word in said]
    kinds = dict.fromkeys(words)
    for same, different in _SAID:
        if kinds.keys() <= {same, different}:
            return np.fromiter((word == same for word in words), np.int8, len(words))
    strange = next((word for word in kinds if word not in _WORDS), None)
    if strange is None:
        # Known ones that do not go together: the first that is not as those before it.
        known: set[str] = set()
        for strange in kinds:
            known.add(strange)
            if not any(known <= {*row} for row in _SAID):
                break
    at = words.index(str(strange))
    raise SourceError(
        f"{path}, {unit} {lines[at]}: label {said[at]!r:.60}; expected {EXPECTED_LABEL} in all of "
        "the file. A score has to be made a label first; is it in another column?"
    )


def _broken(cell: str) -> bool:
    """Whether a cell holds more than one image."""
    return len(cell.split()) > 1 and len(_END.findall(cell)) > 1


def _ways(line: str) -> Iterator[list[str]]:
    """The cells of a line by each of the ways to set them off."""
    # Most lines: no path holds a blank.
    yield line.split()
    if "\t" in line:
        yield [cell.strip() for cell in line.strip().split("\t")]
    ends = [match.end() for match in _END.finditer(line)]
    if len(ends) == 2:
        first, second, left = line[: ends[0]].strip(), line[ends[0] : ends[1]], line[ends[1] :]
        cells = [first, second.strip(), *([left.strip()] if left.strip() else [])]
        word, _, rest = first.partition(" ")
        if len(cells) == 2 and word.casefold() in _WORDS and rest.strip():
            cells = [word, rest.strip(), cells[1]]
        yield cells
    for mark in ",;":
        if mark in line:
            row = line_cells(line, mark)
            if row:
                yield [cell.strip() for cell in row]
