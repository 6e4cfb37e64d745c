"""LFW's `pairs.txt`, `pairsDevTrain.txt` and `pairsDevTest.txt`: persons and numbers of images.

The first line of `pairs.txt` is `K<TAB>N`: K folds, each of N lines `name n1 n2` (the same) and
N lines `name1 n1 name2 n2`. That of the Dev files is `N`: one such part, which is no fold. An
image is `name/name_%04d.jpg`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pairsets.errors import SourceError
from pairsets.folds import Folds
from pairsets.pairset import PairSet
from pairsets.sources.formats import Pairs, Progress
from pairsets.sources.formats.blocks import in_blocks
from pairsets.sources.formats.gathering import gather, held_by
from pairsets.sources.formats.lines import HOLDS_ANY, head_lines, text_lines, write_lines

NAME = "lfw"
SUMMARY = "K<TAB>N, then in each fold N lines name n1 n2 and N lines name1 n1 name2 n2 (or N alone)"
KEEPS = frozenset({"label", "folds"})
_FACE = re.compile(r"(.+)/\1_([0-9]{4,})(\.[^./\s]+)", re.DOTALL)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether a line of one or two numbers comes before one of a name and two numbers."""
    lines = head_lines(head)
    if len(lines) < 2:
        return False
    cells = _cells(lines[1])
    return _header(lines[0]) is not None and len(cells) == 3 and all(map(_is_number, cells[1:]))


def read(path: Path, *, progress: Progress | None = None, suffix: str = ".jpg") -> Pairs:
    """Read LFW's pairs.

    Args:
        path: of the file.
        progress: called with bytes done and in all.
        suffix: of the images.

    Raises:
        SourceError: a first line that is no header, a line of another form than the header says
            stands there, or more or fewer lines than it says.
    """
    lines = text_lines(path, progress)
    number, line = next(lines, (1, ""))
    header = _header(line)
    if header is None:
        raise SourceError(
            f"{path}, line {number}: {line[:60]!r}; expected the number of folds and of pairs, "
            "such as 10<TAB>300, or of pairs alone"
        )
    folds, size = header
    count = 2 * size * (folds or 1)
    ending = suffix if suffix.startswith(".") else f".{suffix}"
    first: list[str] = []
    second: list[str] = []
    places: list[int] = []
    for number, line in lines:
        at = len(places)
        if at == count:
            raise SourceError(
                f"{path}, line {number}: a pair more than the {count} that line 1 says"
            )
        positive = at % (2 * size) < size
        cells = _cells(line)
        if positive and len(cells) == 3:
            cells.insert(2, cells[0])
        elif positive or len(cells) != 4:
            cells = []
        if not cells or not _is_number(cells[1]) or not _is_number(cells[3]):
            raise SourceError(f"{path}, line {number}: {_unlike(line, at, size, folds)}")
        if not positive and cells[0] == cells[2]:
            raise SourceError(
                f"{path}, line {number}: {cells[0]!r} twice, in a pair of different people"
            )
        for faces, name, image in ((first, cells[0], cells[1]), (second, cells[2], cells[3])):
            if "/" in name:
                raise SourceError(f"{path}, line {number}: {name!r}; expected a name without '/'")
            faces.append(f"{name}/{name}_{int(image):04d}{ending}")
        places.append(number)
    if len(places) != count:
        raise SourceError(
            f"{path}: {len(places)} pairs, and line 1 says {count}; is the file cut short?"
        )
    label = np.arange(count) % (2 * size) < size
    parts = np.arange(count) // (2 * size) + 1 if folds else None
    return gather(path, first, second, label.astype(np.int8), folds=parts, lines=places)


def write(content: Pairs, path: Path) -> Pairs:
    """Write LFW's pairs, fold by fold; without folds in the form of the Dev files.

    Raises:
        SourceError: folds that are not of N positives and N negatives each, a label that the names
            contradict, or a path that is not `name/name_%04d` with one suffix for all.
    """
    held = held_by(NAME, KEEPS, content)
    whole = held.folds or Folds(np.ones(len(held.pairs), np.int32))
    blocks = in_blocks(Pairs(held.pairs, whole))
    if blocks is None:
        what = "each fold" if held.folds else "a set without folds"
        raise SourceError(
            f"{NAME} cannot hold this: it wants as many positives as negatives in {what}"
            f"{', and folds of one size' if held.folds else ''}; {HOLDS_ANY}"
        )
    pairs = blocks.pairs
    faces: dict[str, tuple[str, int]] = {}
    suffixes: dict[str, str] = {}
    for path_of in pairs.paths:
        match = _FACE.fullmatch(path_of)
        if not match or f"{int(match[2]):04d}" != match[2] or len(match[2]) > 9:
            raise SourceError(
                f"{NAME} cannot hold {path_of!r}: it names faces as Aaron_Peirsol/"
                f"Aaron_Peirsol_0001.jpg; {HOLDS_ANY}"
            )
        if "\t" in match[1]:
            raise SourceError(f"{NAME} cannot hold {path_of!r}, with a tab in a name; {HOLDS_ANY}")
        faces[path_of] = match[1], int(match[2])
        suffixes.setdefault(match[3], path_of)
    if len(suffixes) > 1:
        one, other = list(suffixes.values())[:2]
        raise SourceError(
            f"{NAME} cannot hold images with several endings, as {one!r} and {other!r}; {HOLDS_ANY}"
        )
    notes = list(held.notes)
    suffix = next(iter(suffixes))
    if suffix != ".jpg":
        notes.append(f"{NAME} does not say that images end in {suffix}: name the suffix to read it")
    folds, size = len(whole), int(pairs.label.sum()) // len(whole)
    write_lines(path, _lines(pairs, faces, f"{folds}\t{size}" if held.folds else f"{size}"), NAME)
    return Pairs(pairs, blocks.folds if held.folds else None, tuple(notes), held.dropped)


def _lines(pairs: PairSet, faces: Mapping[str, tuple[str, int]], header: str) -> Iterator[str]:
    yield header
    for a, b, label in zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True):
        (name, number), (name_b, number_b) = faces[a], faces[b]
        if label != (name == name_b):
            raise SourceError(
                f"{NAME} cannot hold {a!r} and {b!r} with label {label}: it knows the same person "
                f"by the same name; {HOLDS_ANY}"
            )
        yield "\t".join([name, str(number), *([] if label else [name_b]), str(number_b)])


def _header(line: str) -> tuple[int, int] | None:
    """Number of folds, 0 in a Dev file, and of pairs of each label in one."""
    cells = line.split()
    if len(cells) not in (1, 2) or not all(_is_number(cell) and int(cell) > 0 for cell in cells):
        return None
    return (int(cells[0]) if len(cells) == 2 else 0), int(cells[-1])


def _unlike(line: str, at: int, size: int, folds: int) -> str:
    """What should stand in the line of pair `at`."""
    fold, row = divmod(at, 2 * size)
    what, form = ("positive", "name n1 n2") if row < size else ("negative", "name1 n1 name2 n2")
    where = f" of fold {fold + 1}" if folds else ""
    return (
        f"{line[:80]!r}; expected {form}, for {what} {row % size + 1} of {size}{where}. Does line "
        "1 say how many there are, and are names with spaces set off by tabs?"
    )


def _cells(line: str) -> list[str]:
    """Cells by tabs, so that names may have spaces; without a tab by white space."""
    return line.rstrip().split("\t") if "\t" in line else line.split()


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.strip().isdigit() and len(cell) < 10
