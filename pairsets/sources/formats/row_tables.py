"""Rows with named columns, of JSON lines, CSV or Parquet, whichever a file turns out to be."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.formats.parquet import MAGIC, columns_of, converted, open_parquet, write_table
from pairsets.sources.text.text_lines import csv_rows, head_lines, json_objects, read_head
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.csv_tables import line_cells, write_csv
from pairsets.storage.spreadsheets import copy_hint

Row = dict[str, Any]
_BATCH = 1 << 14
# Columns of Parquet that are no text.
_KINDS = {"label": "int8", "is_same": "int8", "fold_id": "int32", "score": "float64"}


def unit_of(head: bytes) -> str:
    """Unit that rows of a file that begins so are counted in: row or line."""
    return "row" if head.startswith(MAGIC) else "line"


def columns(path: Path, head: bytes) -> list[str]:
    """The names of the columns of a file, in their order; none if it is no such table."""
    if head.startswith(MAGIC):
        return columns_of(path) or []
    lines = head_lines(head)
    if not lines:
        return []
    if not lines[0].lstrip().startswith("{"):
        return line_cells(lines[0], _mark(lines))
    try:
        return [*json.loads(lines[0])]
    except (ValueError, RecursionError):
        return []


def read_rows(path: Path, progress: Step | None = None) -> Iterator[tuple[int, Row]]:
    """Number and values of each row, as a stream; None or an empty text where there is none.

    Raises:
        SourceError: no such file, or a row that is not of the file's form.
    """
    head = read_head(path)
    if head.startswith(MAGIC):
        return _parquet_rows(path, progress)
    lines = head_lines(head)
    if lines and lines[0].lstrip().startswith("{"):
        return json_objects(path, progress)
    return _csv_rows(path, progress, _mark(lines))


def write_rows(
    path: Path,
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    ending: str | None = None,
) -> None:
    """Write a table, as CSV or Parquet if `path` ends so, else as JSON lines; atomically.

    `ending` counts in place of that of `path`.

    Raises:
        SourceError: pyarrow is not installed.
    """
    ending = path.suffix if ending is None else ending
    if ending == ".csv":
        write_csv(path, names, rows)
        return
    if ending == ".parquet":
        write_table(path, {name: _KINDS.get(name, "string") for name in names}, rows, _BATCH)
        return
    with atomic_write(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
        for row in rows:
            record = dict(zip(names, row, strict=True))
            text.write(json.dumps(record, ensure_ascii=False) + "\n")
        text.detach()


def face_of(row: Row, name: str, where: str) -> str:
    """The path of a face in a column; `where` is the row, for errors.

    Raises:
        SourceError: none is there.
    """
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise SourceError(f"{where}: {name} is {value!r:.60}, expected the path of a face")
    return value


def _mark(lines: Sequence[str]) -> str:
    """Mark between the names of columns, a comma unless there is none."""
    return next((mark for mark in ",\t;" if lines and mark in lines[0]), ",")


def _csv_rows(path: Path, progress: Step | None, mark: str) -> Iterator[tuple[int, Row]]:
    rows = csv_rows(path, progress, mark=mark)
    _, header = next(rows, (1, []))
    if copy_hint(header):
        raise SourceError(f"{path}, line 1: {','.join(header)[:80]}{copy_hint(header)}")
    if len(set(header)) != len(header):
        raise SourceError(f"{path}, line 1: a column is named twice: {','.join(header)[:80]}")
    for line, cells in rows:
        if len(cells) != len(header):
            raise SourceError(
                f"{path}, line {line}: {len(cells)} values, expected {len(header)} as line 1 has"
                + ("; is a comma in a path not quoted?" if len(cells) > len(header) else "")
            )
        yield line, dict(zip(header, cells, strict=True))


def _parquet_rows(path: Path, progress: Step | None) -> Iterator[tuple[int, Row]]:
    done = 0
    with open_parquet(path) as table:
        for batch in table.iter_batches(_BATCH):
            yield from enumerate(converted(batch.to_pylist), done + 1)
            done += len(batch)
            if progress:
                progress(done, table.metadata.num_rows)
