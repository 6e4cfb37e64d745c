"""Tables of CSV, read and written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from pairsets.errors import PairSetError
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.publication import settle

# Of a CSV, written at a time.
_ROWS = 1 << 14


@contextmanager
def reading(path: Path, what: str, *, kind: str | None = None, hint: str = "") -> Iterator[TextIO]:
    """Open a CSV file as text, with or without a byte-order mark.

    Args:
        path: of the file.
        what: it is, as `file of aliases`, for errors.
        kind: shorter than `what`, where a file turns out not to be one.
        hint: what to do where there is none.

    Raises:
        PairSetError: no such file, a folder, or not UTF-8, which the block meets while it reads.
    """
    settle(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream
    except FileNotFoundError:
        raise PairSetError(f"{path}: no such {what}{hint}") from None
    except IsADirectoryError:
        raise PairSetError(f"{path}: a folder; expected a {what}") from None
    except UnicodeDecodeError as error:
        raise PairSetError(
            f"{path}: not UTF-8 text at byte {error.start}; is it a {kind or what}?"
        ) from None


def table_rows(
    path: Path, stream: Iterable[str], columns: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """Line and cells of each row of a CSV with exactly these columns; empty lines are passed over.

    Args:
        path: of the file, for errors.
        stream: its text, as `reading` opens it.
        columns: the header.

    Raises:
        PairSetError: another header, a row of another length, or not CSV.
    """
    reader = csv.reader(stream, strict=True)
    expected = ",".join(columns)
    try:
        header = next(reader, None)
        if not header:
            raise PairSetError(f"{path}: empty; expected the header {expected}")
        if [cell.strip() for cell in header] != list(columns):
            raise PairSetError(
                f"{path}, line 1: expected the header {expected}, got {','.join(header)[:80]}; "
                "is the header line missing?"
            )
        for cells in reader:
            if cells and len(cells) != len(columns):
                raise PairSetError(
                    f"{path}, line {reader.line_num}: {len(cells)} "
                    f"{'value' if len(cells) == 1 else 'values'}, expected {expected}"
                    + ("; is a comma in one not quoted?" if len(cells) > len(columns) else "")
                )
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise PairSetError(f"{path}, line {reader.line_num}: not CSV ({error})") from None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    """Write a CSV with a header, `\\n` line ends and minimal quoting, atomically."""
    left = chain([header], rows)
    with atomic_write(path) as stream:
        while batch := list(islice(left, _ROWS)):
            stream.write(_csv_text(batch).encode())
    return path


def _csv_text(rows: Sequence[Sequence[object]], end: str = "\n") -> str:
    """Rows as CSV; what holds a carriage return is quoted, as readers take it for a row's end."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end).writerows(rows)
    found = text.getvalue()
    if end == "\n" and "\r" in found:
        # The writer quotes it only where it is of the rows' ends: rare, and so one by one.
        return "".join(_csv_text([row], "\r\n").removesuffix("\r\n") + end for row in rows)
    return found
