"""Tables of CSV, read and written."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from pairsets.errors import PairSetError
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.former_names import KEYS
from pairsets.storage.publication import settle

# Makes the error of a message.
Fail = Callable[[str], Exception]
# The line that a row begins in, and its cells.
Row = tuple[int, list[str]]
# Of a CSV, written at a time.
_ROWS = 1 << 14
# Characters of which one alone makes that a cell may be quoted.
_QUOTED = re.compile(r"[^\w ./()-]")


def column_names(header: Iterable[str]) -> list[str]:
    """Names of the columns of a table of ours, as this version calls them.

    >>> column_names(["character", " fold"])
    ['identity', 'fold']
    """
    return [KEYS.get(cell, cell) for cell in map(str.strip, header)]


def ragged(cells: Sequence[str], header: Sequence[str]) -> str:
    """The message about a row of another length than the header."""
    hint = "; is a comma in a path not quoted?" if len(cells) > len(header) else ""
    return f"{len(cells)} values, expected {len(header)}{hint}"


@contextmanager
def open_table(
    path: Path,
    what: str,
    *,
    kind: str | None = None,
    hint: str = "",
    broken: str = "",
    error: Fail = PairSetError,
) -> Iterator[TextIO]:
    """Open a CSV file as text, with or without a byte-order mark.

    Args:
        path: of the file.
        what: it is, as `file of aliases`, for errors.
        kind: shorter than `what`, where a file turns out not to be one.
        hint: what to do where there is none.
        broken: what to say of a file that is not UTF-8, or no CSV, without a place in it.
        error: makes the error of a message.

    Raises:
        PairSetError, or what `error` makes: no such file, a folder, or not UTF-8, which the block
            meets while it reads.
    """
    settle(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except FileNotFoundError:
        raise error(f"{path}: no such {what}{hint}") from None
    except IsADirectoryError:
        raise error(f"{path}: a folder; expected a {what}") from None
    except UnicodeDecodeError as fault:
        raise error(
            f"{path}: {broken} ({fault})"
            if broken
            else f"{path}: not UTF-8 text at byte {fault.start}; is it a {kind or what}?"
        ) from None


def csv_rows(
    path: Path,
    lines: Iterable[str],
    *,
    broken: str = "",
    error: Fail = PairSetError,
    mark: str = ",",
) -> Iterator[Row]:
    """Rows of CSV text: the line that each begins in, and its cells, which may be none.

    Args:
        path: of the file, for errors.
        lines: of text, with their ends.
        broken, error: see `open_table`.
        mark: stands between cells.

    Raises:
        PairSetError, or what `error` makes: not CSV.
    """
    reader = csv.reader(lines, strict=True, delimiter=mark)
    end = 0
    try:
        for cells in reader:
            # A quoted cell may hold line ends.
            line, end = end + 1, reader.line_num
            yield line, cells
    except csv.Error as fault:
        told = f": {broken}" if broken else f", line {end + 1}: not CSV"
        raise error(f"{path}{told} ({fault})") from None


def line_cells(line: str, mark: str = ",") -> list[str]:
    """Cells of one line of CSV; none where it is no CSV.

    >>> line_cells('a,"b,c"'), line_cells('"a')
    (['a', 'b,c'], [])
    """
    try:
        return next(csv.reader([line], strict=True, delimiter=mark), [])
    except csv.Error:
        return []


def read_table(
    path: Path,
    what: str,
    *,
    kind: str | None = None,
    hint: str = "",
    broken: str = "",
    error: Fail = PairSetError,
    ragged: Callable[[Sequence[str], Sequence[str]], str] = ragged,
) -> Iterator[Row]:
    """Rows of a CSV file with a header: that first, then all rows of its length.

    Who reads them looks at the header before the next one. Empty lines are passed over; of a file
    without text, the header has no cells.

    Args:
        path, what, kind, hint, broken, error: see `open_table`.
        ragged: what is wrong with a row of another length, and the header.

    Raises:
        PairSetError, or what `error` makes: see `open_table`; not CSV, or a row of another length.
    """
    with open_table(path, what, kind=kind, hint=hint, broken=broken, error=error) as stream:
        rows = csv_rows(path, stream, broken=broken, error=error)
        _, header = next(rows, (1, []))
        yield 1, header
        for line, cells in rows:
            if cells and len(cells) != len(header):
                raise error(f"{path}, line {line}: {ragged(cells, header)}")
            if cells:
                yield line, cells


def batches(rows: Iterator[Row], most: int) -> Iterator[list[Row]]:
    """Rows some at a time; before an error come those that stand before it.

    >>> [len(batch) for batch in batches(iter([(1, ["a"]), (2, ["b"]), (3, ["c"])]), 2)]
    [2, 1]
    """
    while True:
        batch: list[Row] = []
        try:
            for row in islice(rows, most):
                batch.append(row)
        except Exception:
            if batch:
                yield batch
            raise
        if not batch:
            return
        yield batch


def table_rows(
    path: Path, what: str, columns: Sequence[str], *, error: Fail = PairSetError
) -> Iterator[Row]:
    """Rows of a CSV file with exactly these columns, without the header.

    Args:
        path, what, error: see `open_table`.
        columns: the header.

    Raises:
        PairSetError, or what `error` makes: see `read_table`, or another header.
    """
    expected = ",".join(columns)

    def uneven(cells: Sequence[str], header: Sequence[str]) -> str:
        hint = "; is a comma in one not quoted?" if len(cells) > len(header) else ""
        return f"{len(cells)} value{'s' * (len(cells) != 1)}, expected {expected}{hint}"

    rows = read_table(path, what, error=error, ragged=uneven)
    _, header = next(rows)
    if not header:
        raise error(f"{path}: empty; expected the header {expected}")
    if column_names(header) != list(columns):
        raise error(
            f"{path}, line 1: expected the header {expected}, got {','.join(header)[:80]}; "
            "is the header line missing?"
        )
    yield from rows


def number_cell(value: object) -> object:
    """Cell of a number, in full; empty where it is none, or not finite; of other values as is."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return repr(value) if isinstance(value, float) else value


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV with a header, `\\n` line ends and minimal quoting, atomically."""
    left = chain([header], rows)
    with atomic_write(path) as stream:
        while batch := list(islice(left, _ROWS)):
            stream.write(csv_text(batch).encode())
    return path


def csv_cells(values: Iterable[str]) -> list[bytes]:
    """Values that are not empty, each as a cell of any row that `write_csv` writes.

    >>> csv_cells(["a b", "a,b", 'a"b'])
    [b'a b', b'"a,b"', b'"a""b"']
    """
    return [
        (csv_text([(value, "")])[:-2] if _QUOTED.search(value) else value).encode()
        for value in values
    ]


def csv_text(rows: Sequence[Sequence[object]], end: str = "\n") -> str:
    """Rows as CSV; what holds a carriage return is quoted, as readers take it for a row's end."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    found = text.getvalue()
    if end == "\n" and "\r" in found:
        # The writer quotes it only where it is of the rows' ends: rare, and so one by one.
        return "".join(csv_text([row], "\r\n").removesuffix("\r\n") + end for row in rows)
    return found
