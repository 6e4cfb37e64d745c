"""Copies of tables for people who open them in a spreadsheet, where no cell is a formula.

Names of models, faces and people come from outside, and a spreadsheet computes a cell that begins
with `=`, `+`, `-` or `@`, whoever wrote it. The tables themselves keep every byte, as programs read
them. A copy of `NAME.csv` is called `NAME.spreadsheet.csv`; in it

- a cell that could be taken for a formula begins with a single quote, as OWASP advises ("CSV
  Injection"), and so does one that had a quote there before: the cell is what follows the quote;
- the same holds behind a semicolon, a tab or a line's end within a cell, where a spreadsheet that
  expects other separators begins a new one;
- text is quoted, and numbers stay numbers: -0.5 is no formula;
- the header begins with a quote too, so that no command of ours takes the copy for the table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from pairsets.storage.artefacts import atomic_write
from pairsets.storage.csv_tables import csv_rows

# The full-width forms are taken for the others where those are typed.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
_FORMULA = re.compile(rf"^(?=[\t\r\n])|(^|[;\t\r\n])(?='|\s*[{_SIGNS}])")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_ENDING = ".spreadsheet.csv"


def guarded(cell: str) -> str:
    """The cell as a spreadsheet shows it and computes nothing.

    >>> guarded("=1+1"), guarded("a;@b"), guarded("'tis"), guarded("-0.5"), guarded("rei=x")
    ("'=1+1", "a;'@b", "''tis", '-0.5', 'rei=x')
    """
    return cell if _NUMBER.fullmatch(cell) else _FORMULA.sub(r"\1'", cell)


def copies_of(tables: Iterable[Path]) -> list[Path]:
    """Names of the copies of tables.

    >>> [path.name for path in copies_of([Path("all.csv")])]
    ['all.spreadsheet.csv']
    """
    return [path.with_suffix(_ENDING) for path in tables]


def tables_of(files: Iterable[Path]) -> list[Path]:
    """Tables among `files`, by their ending."""
    return [path for path in files if path.suffix == ".csv"]


def write_copies(tables: Iterable[Path]) -> list[Path]:
    """Write a copy beside each of the tables; returns the copies."""
    tables = [*tables]
    copies = copies_of(tables)
    for table, copy in zip(tables, copies, strict=True):
        with table.open(encoding="utf-8", newline="") as stream, atomic_write(copy) as out:
            for row, (_, cells) in enumerate(csv_rows(table, stream)):
                out.write(_line(cells, header=row == 0).encode())
    return copies


def copy_hint(header: Sequence[str]) -> str:
    """The end of a message about a header that no table has: says so where it is a copy's.

    >>> copy_hint(["pathA", "pathB"])
    ''
    """
    # Others quote whole cells so.
    if not header or not header[0].startswith("'") or header[0].endswith("'"):
        return ""
    return "; a copy made for spreadsheets, whose cells are changed: give the table beside it"


def _line(cells: list[str], *, header: bool) -> str:
    shown = [guarded(cell) for cell in cells]
    if header:
        shown[:1] = [f"'{cells[0]}"]
    return ",".join(cell if _NUMBER.fullmatch(cell) else _quoted(cell) for cell in shown) + "\n"


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if cell else ""
