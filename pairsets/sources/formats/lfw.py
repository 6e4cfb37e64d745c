"""LFW's `pairs.txt`, `pairsDevTrain.txt` and `pairsDevTest.txt`: persons and numbers of images.

The first line of `pairs.txt` is `K<TAB>N`: K folds, each of N lines `name n1 n2` (the same) and
N lines `name1 n1 name2 n2`. That of the Dev files is `N`: one such part, which is no fold. Others
keep the lines without the first, or as CSV below a header of words (Kaggle's `pairs.csv`): there,
labels are told by three cells or four, and may be as many of each as they like. An image is
`name/name_%04d.jpg`, unless the folder of faces has them in another form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pairsets.errors import SourceError
from pairsets.files.folds import Folds
from pairsets.pairset import PairSet
from pairsets.paths import is_image
from pairsets.progress import Step
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.formats.inferred_folds import in_blocks, read_folds
from pairsets.sources.formats.numbered_pictures import named, unsaid
from pairsets.sources.text.text_lines import HOLDS_ANY, head_lines, text_lines, write_lines
from pairsets.storage.csv_tables import line_cells

NAME = "lfw"
SUMMARY = "K<TAB>N, then in each fold N lines name n1 n2 and N lines name1 n1 name2 n2 (or N alone)"
KEEPS = frozenset({"label", "folds"})
_FACE = re.compile(r"(.+)/\1_([0-9]{4,})((?:_[0-9]+)?\.[^./\s]+)", re.DOTALL)
_DIGITS = 4
_BY_CELLS = (
    "if it is whole, take line 1 out: labels are then told by three cells or four, without folds"
)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether all lines, but for a first one of numbers or words, are of names and numbers."""
    lines = head_lines(head)
    if not lines:
        return False
    if _header(lines[0]) is not None:
        cells = _cells(lines[1]) if len(lines) > 1 else []
        return len(cells) == 3 and all(map(_is_number, cells[1:])) and not is_image(cells[0])
    rows = [_row(line) for line in (lines[1:] if _is_words(lines[0]) else lines)]
    # Three or four numbers may be anything.
    return bool(rows) and None not in rows and not all(row and _all_numbers(row) for row in rows)


def read(
    path: Path,
    *,
    progress: Step | None = None,
    suffix: str | None = None,
    digits: int | None = None,
    faces: Path | None = None,
) -> Pairs:
    """Read LFW's pairs.

    Raises:
        SourceError: a line of another form than the first line says stands there, or more or fewer
            lines than it says; a picture that is not in `faces`, or two for one number.
    """
    lines = text_lines(path, progress)
    number, line = next(lines, (1, ""))
    header = _header(line)
    if header is not None:
        rows = _announced(path, lines, *header)
        folds, size = header
        label = (np.arange(len(rows)) % (2 * size) < size).astype(np.int8)
        parts = np.arange(len(rows), dtype=np.int32) // (2 * size) + 1 if folds else None
        notes: list[str] = []
    else:
        if not _is_words(line):
            lines = chain([(number, line)], lines)
        rows = _plain(path, lines)
        label = np.array([row.positive for row in rows], np.int8)
        parts, notes = read_folds(path, label, None)
        notes.insert(0, "no first line that says how many: labels are told by three cells or four")
    first = [(f"{row.name_a}/{row.name_a}_", row.number_a) for row in rows]
    second = [(f"{row.name_b}/{row.name_b}_", row.number_b) for row in rows]
    name, told = named(
        path,
        [*first, *second],
        suffix=suffix,
        digits=digits,
        usual_digits=_DIGITS,
        faces=faces,
    )
    notes += told
    return gather(
        path,
        [name[one] for one in first],
        [name[one] for one in second],
        label,
        folds=parts,
        lines=[row.line for row in rows],
        notes=notes,
    )


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
    notes = (*held.notes, *unsaid(NAME, next(iter(suffixes))))
    folds, size = len(whole), int(pairs.label.sum()) // len(whole)
    write_lines(path, _lines(pairs, faces, f"{folds}\t{size}" if held.folds else f"{size}"), NAME)
    return Pairs(pairs, blocks.folds if held.folds else None, notes, held.dropped)


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


def _announced(path: Path, lines: Iterable[tuple[int, str]], folds: int, size: int) -> list[_Row]:
    """The rows of a file whose first line says how many there are."""
    count = 2 * size * (folds or 1)
    rows: list[_Row] = []
    left = iter(lines)
    for number, line in left:
        at = len(rows)
        if at == count:
            raise SourceError(
                f"{path}, line {number}: a pair more than the {count} that line 1 says; {_BY_CELLS}"
            )
        row = _row(line, number)
        positive = at % (2 * size) < size
        if row is None or row.positive != positive:
            told = _unlike(line, at, size, folds)
            if row is not None:
                told += _counts([*rows, row, *(found for _, text in left if (found := _row(text)))])
            raise SourceError(f"{path}, line {number}: {told}")
        _check(path, row)
        rows.append(row)
    if len(rows) != count:
        raise SourceError(
            f"{path}: {len(rows)} pairs, and line 1 says {count}; is the file cut short?"
            f"{_counts(rows)}"
        )
    return rows


def _plain(path: Path, lines: Iterable[tuple[int, str]]) -> list[_Row]:
    """The rows of a file without a first line."""
    rows: list[_Row] = []
    for number, line in lines:
        row = _row(line, number)
        if row is None:
            raise SourceError(f"{path}, line {number}: {_no_row(line, number)}")
        _check(path, row)
        rows.append(row)
    if not rows:
        raise SourceError(f"{path}: no pairs in it")
    if all(map(_all_numbers, rows)):
        raise SourceError(
            f"{path}, line {rows[0].line}: nothing but numbers in any line; expected names of "
            "people. Pairs of pictures by number are --from-format indices, of templates "
            "--from-format ijb"
        )
    return rows


class _Row(NamedTuple):
    """A pair: its line, two names with numbers of pictures, and whether the name is said once."""

    line: int
    name_a: str
    number_a: int
    name_b: str
    number_b: int
    positive: bool


def _row(text: str, line: int = 0) -> _Row | None:
    """Pair of a line, or None if it is not one of a pair."""
    cells = _cells(text)
    positive = len(cells) == 3
    if positive:
        cells.insert(2, cells[0])
    if len(cells) != 4 or not (_is_number(cells[1]) and _is_number(cells[3])):
        return None
    if not cells[0] or not cells[2] or is_image(cells[0]) or is_image(cells[2]):
        return None
    return _Row(line, cells[0], int(cells[1]), cells[2], int(cells[3]), positive)


def _check(path: Path, row: _Row) -> None:
    where = f"{path}, line {row.line}"
    if not row.positive and row.name_a == row.name_b:
        raise SourceError(f"{where}: {row.name_a!r} twice, in a pair of different people")
    for name in (row.name_a, row.name_b):
        if "/" in name:
            raise SourceError(f"{where}: {name!r}; expected a name without '/'")


def _all_numbers(row: _Row) -> bool:
    return _is_number(row.name_a) and _is_number(row.name_b)


def _is_words(line: str) -> bool:
    """Whether a line is the header of a CSV, as `name,imagenum1,imagenum2,`."""
    cells = _cells(line)
    return (
        "," in line
        and len(cells) > 2
        and cells[0].lower().startswith("name")
        and not any(map(_is_number, cells))
    )


def _counts(rows: Sequence[_Row]) -> str:
    """Advice on a file that has not as many pairs of each label; empty if it has."""
    same = sum(row.positive for row in rows)
    if 2 * same == len(rows):
        return ""
    return (
        f" It has {same} pairs of one name and {len(rows) - same} of two, and this form forces as "
        f"many of each; {_BY_CELLS}, or make it a CSV pathA,pathB,label"
    )


def _no_row(line: str, number: int) -> str:
    if number == 1:
        return (
            f"{line[:60]!r}; expected the number of folds and of pairs, such as 10<TAB>300, or of "
            "pairs alone; or, without such a line, name n1 n2"
        )
    return (
        f"{line[:80]!r}; expected name n1 n2 or name1 n1 name2 n2. Are names with spaces set off "
        "by tabs?"
    )


def _header(line: str) -> tuple[int, int] | None:
    """Number of folds, 0 in a Dev file, and of pairs of each label in one."""
    cells = line.split()
    if len(cells) not in (1, 2) or not all(_is_number(cell) and int(cell) > 0 for cell in cells):
        return None
    return (int(cells[0]) if len(cells) == 2 else 0), int(cells[-1])


def _unlike(line: str, at: int, size: int, folds: int) -> str:
    """Error text on the line of pair `at`, with the form it should have."""
    fold, row = divmod(at, 2 * size)
    what, form = ("positive", "name n1 n2") if row < size else ("negative", "name1 n1 name2 n2")
    where = f" of fold {fold + 1}" if folds else ""
    return (
        f"{line[:80]!r}; expected {form}, for {what} {row % size + 1} of {size}{where}. Does line "
        "1 say how many there are, and are names with spaces set off by tabs?"
    )


def _cells(line: str) -> list[str]:
    """Cells by tabs or commas, so that names may have spaces; without either by white space."""
    if "\t" in line:
        return line.rstrip().split("\t")
    cells = line.split()
    if "," not in line or _is_row_of(cells):
        return cells
    found = [cell.strip() for cell in line_cells(line)]
    # Kaggle's have an empty fourth.
    return found[:3] if found[3:] == [""] else found or cells


def _is_row_of(cells: Sequence[str]) -> bool:
    """Whether blanks set the cells off, whatever a name has: `a, b` is one only with tabs."""
    return len(cells) in (3, 4) and _is_number(cells[1]) and _is_number(cells[-1])


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.strip().isdigit() and len(cell) < 10
