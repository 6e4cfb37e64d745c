"""Names of rows in a file of text: a line a row, CSV, or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pairsets.errors import FacesError, SourceError
from pairsets.identities.lists import LISTED_IDENTITIES, PATH_COLUMNS
from pairsets.paths import read_lines
from pairsets.sources.vectors.contents import Contents
from pairsets.storage.csv_tables import read_table
from pairsets.storage.json_files import read_json, short

_WHAT = "list of names, a row a line"
_JSON = 'a JSON list of names, an object with a list in each key, or objects {"path": ...}'
_TITLES = PATH_COLUMNS | LISTED_IDENTITIES


def read_names(path: Path) -> Contents:
    """Names a line each; where the first line has commas and titles it is a CSV.

    Raises:
        SourceError: no such file, not UTF-8, or an empty line between others.
    """
    rows = _lines(path)
    blank = next((at for at, row in enumerate(rows, 1) if not row.strip()), None)
    if blank is not None:
        raise SourceError(
            f"{path}, line {blank}: empty; expected a name for each row of the vectors"
        )
    if len(rows) > 1 and {cell.strip().lower() for cell in rows[0].split(",")} <= _TITLES:
        # One column with a title, or several: as any CSV.
        return read_csv_names(path)
    return Contents(path, texts={"": lambda: rows}, lines=range(1, len(rows) + 1), titled=False)


def read_csv_names(path: Path) -> Contents:
    """The columns of a CSV with a header; without one where it has a single column.

    Raises:
        SourceError: no such file, not UTF-8, not CSV, or rows of several lengths.
    """
    found = read_table(path, _WHAT, error=SourceError)
    _, header = next(found)
    rows = [*found]
    names = [cell.strip() for cell in header]
    titled = len(names) > 1 or names[:1] == [] or names[0].lower() in _TITLES
    if not titled:
        rows, names = [(1, header), *rows], [""]
    return _table(path, names, [line for line, _ in rows], [cells for _, cells in rows], titled)


def read_tabbed_names(path: Path) -> Contents:
    """The columns of a table with a header and tabs between cells.

    Raises:
        SourceError: no such file, not UTF-8, or rows of several lengths.
    """
    text = _lines(path)
    cells = [(at, line.split("\t")) for at, line in enumerate(text, 1) if line]
    names = [cell.strip() for cell in cells[0][1]]
    for line, row in cells:
        if len(row) != len(names):
            raise SourceError(f"{path}, line {line}: {len(row)} values, expected {len(names)}")
    return _table(path, names, [at for at, _ in cells[1:]], [row for _, row in cells[1:]])


def _lines(path: Path) -> list[str]:
    """Lines of a text without those that are empty at its end; at least one."""
    try:
        lines = read_lines(path, _WHAT)
    except FacesError as error:
        raise SourceError(str(error)) from None
    rows = [line.removesuffix("\r") for line in lines]
    while rows and not rows[-1].strip():
        rows.pop()
    if not rows:
        raise SourceError(f"{path}: empty; expected a {_WHAT}")
    return rows


def _table(
    path: Path,
    names: Sequence[str],
    lines: Sequence[int],
    rows: Sequence[Sequence[str]],
    titled: bool = True,
) -> Contents:
    if len({*names}) < len(names):
        raise SourceError(f"{path}, line 1: two columns of one name: {','.join(names)[:80]}")
    if not rows:
        what = "a header and no rows" if names else f"empty; expected a {_WHAT}"
        raise SourceError(f"{path}: {what}")
    texts = {name: (lambda at=at: [row[at] for row in rows]) for at, name in enumerate(names)}
    return Contents(path, texts=texts, lines=lines, titled=titled)


def read_json_names(path: Path) -> Contents:
    """A list of names, an object with a list a key, or an object a row.

    Raises:
        SourceError: no such file, not JSON, or of another form.
    """
    found = read_json(path, _JSON, error=SourceError, most=None)
    if isinstance(found, list) and found and all(isinstance(one, dict) for one in found):
        keys = list(found[0])
        for row, one in enumerate(found):
            if set(one) != set(keys):
                raise SourceError(
                    f"{path}: entry {row} (counted from 0) has the keys {', '.join(one)[:60]}, "
                    f"entry 0 has {', '.join(keys)[:60]}; expected the same in each"
                )
        found = {key: [one[key] for one in found] for key in keys}
    columns: Mapping[str, Any] = found if isinstance(found, dict) else {"": found}
    texts = {}
    for name, column in columns.items():
        if not isinstance(column, list):
            if name == "":
                raise SourceError(f"{path}: {short(column)}; expected {_JSON}")
            continue
        if all(isinstance(one, str | int) and not isinstance(one, bool) for one in column):
            texts[name] = lambda column=column: [str(one) for one in column]
        elif name == "":
            row = next(at for at, one in enumerate(column) if not isinstance(one, str))
            raise SourceError(
                f"{path}: entry {row} (counted from 0) is {short(column[row])}; expected {_JSON}"
            )
    return Contents(path, texts=texts)
