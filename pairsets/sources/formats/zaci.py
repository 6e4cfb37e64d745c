"""This project's own pair file, that of ZACI-20: five columns; folds and identities beside it.

One of three columns, `pathA,pathB,label`, is read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pairsets.errors import PairSetError, SourceError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of
from pairsets.pairset import COLUMNS, SHORT, VALUES, identities_of
from pairsets.progress import Step
from pairsets.sources.formats import KEEPABLE, Pairs
from pairsets.sources.formats.collection import held_by
from pairsets.sources.formats.records import NAMES, Values, gather_records
from pairsets.sources.text.text_lines import csv_rows, head_lines
from pairsets.storage.csv_tables import ragged

NAME = "csv"
SUMMARY = (
    "pathA,pathB,label,human_prediction,invalid with a header (the last two may both be missing); "
    "folds in X.folds.csv beside X.csv"
)
KEEPS = KEEPABLE
_HEADER = ",".join(COLUMNS)


def looks_like(path: Path, head: bytes) -> bool:
    """Whether the first line is a header with both paths."""
    lines = head_lines(head)
    return bool(lines) and {"pathA", "pathB"} <= set(lines[0].split(","))


def read(path: Path, *, progress: Step | None = None) -> Pairs:
    """Read a pair file, and the folds and identities beside it where there are any.

    Unlike `PairSet.read`, this takes a file that lists a pair again.

    Raises:
        SourceError: not of this form, or what lies beside is not of these pairs.
    """
    try:
        found = gather_records(path, _rows(path, progress), identities=identities_of(path))
        if not folds_of(path).exists():
            return found
        return replace(found, folds=Folds.read(folds_of(path), found.pairs))
    except PairSetError as error:  # of what lies beside
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


def _rows(path: Path, progress: Step | None) -> Iterator[tuple[int, Values]]:
    """Line and values of each row, those of missing columns None."""
    rows = csv_rows(path, progress)
    _, header = next(rows, (1, None))
    if header is None:
        raise SourceError(f"{path}: empty; expected the header {_HEADER}")
    if tuple(header) not in (COLUMNS, SHORT):
        raise SourceError(
            f"{path}, line 1: expected the header {_HEADER}, got {','.join(header)[:80]!r}; is it "
            "missing, or has the file a column more or less?"
        )
    untold = [None] * (len(NAMES) - len(header))
    for line, cells in rows:
        if len(cells) != len(header):
            raise SourceError(f"{path}, line {line}: {ragged(cells, header)}")
        flags = []
        for name, cell in zip(header[2:], cells[2:], strict=True):
            if cell not in VALUES[name]:
                raise SourceError(
                    f"{path}, line {line}: {name} is {cell!r}, expected "
                    + " or ".join(VALUES[name])
                )
            flags.append(VALUES[name][cell])
        yield line, (*cells[:2], *flags, *untold)
