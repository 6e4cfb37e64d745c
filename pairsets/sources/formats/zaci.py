"""This project's own pair file, that of ZACI-20: five columns; folds and identities beside it.

One of three columns, `pathA,pathB,label`, is read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from pairsets.errors import PairSetError, SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.pairset import COLUMNS, SHORT, identities_of, read_identities
from pairsets.sources.formats import KEEPABLE, Pairs, Progress
from pairsets.sources.formats.collection import gather, held_by
from pairsets.sources.text.text_lines import csv_rows, head_lines

NAME = "csv"
SUMMARY = (
    "pathA,pathB,label,human_prediction,invalid with a header (the last two may both be missing); "
    "folds in X.folds.csv beside X.csv"
)
KEEPS = KEEPABLE
_HEADER = ",".join(COLUMNS)
_FLAGS = {"0": 0, "1": 1}
# One more than they say, as bytes have no sign.
_VERDICTS = {"0": 1, "1": 2, "-1": 0}


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line is a header with both paths."""
    lines = head_lines(head)
    return bool(lines) and {"pathA", "pathB"} <= set(lines[0].split(","))


def read(path: Path, *, progress: Progress | None = None) -> Pairs:
    """Read a pair file, and the folds and identities beside it where there are any.

    Unlike `PairSet.read`, this takes a file that lists a pair again.

    Raises:
        SourceError: not of this form, or what lies beside is not of these pairs.
    """
    lines: list[int] = []
    first: list[str] = []
    second: list[str] = []
    known: dict[str, str] = {}
    flags = bytearray(), bytearray(), bytearray()
    for line, (a, b, label, said, invalid) in _rows(path, progress):
        try:
            values = _FLAGS[label], _VERDICTS[said], _FLAGS[invalid]
        except KeyError:
            raise SourceError(f"{path}, line {line}: {_problem(label, said, invalid)}") from None
        lines.append(line)
        # One string for each face, however often it comes.
        first.append(known.setdefault(a, a))
        second.append(known.setdefault(b, b))
        for column, value in zip(flags, values, strict=True):
            column.append(value)
    columns = [np.frombuffer(bytes(column), np.int8) for column in flags]
    try:
        identities = read_identities(identities_of(path), known)
    except PairSetError as error:
        raise SourceError(str(error)) from None
    found = gather(
        path,
        first,
        second,
        columns[0],
        human_prediction=columns[1] - 1,
        invalid=columns[2],
        lines=lines,
        identities=identities,
    )
    if not folds_of(path).exists():
        return found
    try:
        return replace(found, folds=Folds.read(folds_of(path), found.pairs))
    except PairSetError as error:
        raise SourceError(str(error)) from None


def write(content: Pairs, path: Path) -> Pairs:
    """Write a pair file and, where there are any, `X.folds.csv` and `X.identities.csv` beside it.

    Folds that an older file left there are not touched: it is for the caller to replace them.
    """
    held = held_by(NAME, KEEPS, content)
    held.pairs.write(path)
    if held.folds is not None:
        held.folds.write(folds_of(path), held.pairs)
    return held


def _rows(path: Path, progress: Progress | None) -> Iterator[tuple[int, list[str]]]:
    """Line and five cells of each row."""
    rows = csv_rows(path, progress)
    _, header = next(rows, (1, None))
    if header is None:
        raise SourceError(f"{path}: empty; expected the header {_HEADER}")
    if tuple(header) not in (COLUMNS, SHORT):
        raise SourceError(
            f"{path}, line 1: expected the header {_HEADER}, got {','.join(header)[:80]!r}; is it "
            "missing, or has the file a column more or less?"
        )
    for line, cells in rows:
        if len(cells) != len(header):
            raise SourceError(
                f"{path}, line {line}: {len(cells)} values, expected {len(header)}"
                + ("; is a comma in a path not quoted?" if len(cells) > len(header) else "")
            )
        yield line, cells if len(header) == len(COLUMNS) else [*cells, "-1", "0"]


def _problem(*cells: str) -> str:
    """Description of the first of the last three cells that is wrong."""
    for name, cell, known in zip(COLUMNS[2:], cells, (_FLAGS, _VERDICTS, _FLAGS), strict=True):
        if cell not in known:
            return f"{name} is {cell!r}, expected {' or '.join(known)}"
    return f"expected {_HEADER}"
