"""Parquet tables with a column of lists: a vector a row, and other columns beside it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.sources.formats.parquet import converted, import_pyarrow, open_parquet
from pairsets.sources.vectors.contents import Contents, Entry


def read_table(path: Path) -> Contents:
    """The columns of a table, each read when it is asked for.

    Raises:
        SourceError: not a whole Parquet file, two columns of one name, or pyarrow is missing.
    """
    arrow, _ = import_pyarrow()
    types = arrow.types
    with open_parquet(path) as table:
        rows, schema = table.metadata.num_rows, table.schema_arrow
    if len({*schema.names}) < len(schema.names):
        raise SourceError(f"{path}: two columns of one name; rename one")
    entries, texts = {}, {}
    for column in schema:
        name, kind = column.name, column.type
        if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
            inner = _kind(kind.value_type)
            if inner is not None:
                width = _width(path, name, rows)
                entries[name] = Entry((rows, width), inner, partial(_rows, path, name, width))
        elif types.is_integer(kind):
            entries[name] = Entry((rows,), str(kind), partial(_numbers, path, name))
        elif types.is_string(kind) or types.is_large_string(kind) or types.is_dictionary(kind):
            texts[name] = partial(_text, path, name)
    return Contents(path, entries, texts)


def _kind(inner: Any) -> str | None:
    """The name of what a list holds, as NumPy has it; None where these are no numbers."""
    types = import_pyarrow()[0].types
    if not (types.is_floating(inner) or types.is_integer(inner) or types.is_boolean(inner)):
        return None
    return {"halffloat": "float16", "float": "float32", "double": "float64"}.get(
        str(inner), str(inner)
    )


def _column(path: Path, name: str) -> Any:
    with open_parquet(path) as table:
        return table.read(columns=[name]).column(name)


def _width(path: Path, name: str, rows: int) -> int:
    """Dimensions of the vectors of a column; SourceError where they have not as many each."""
    if not rows:
        return 0
    import pyarrow.compute as compute

    lengths = compute.list_value_length(_column(path, name))
    found = np.asarray(lengths.fill_null(-1).to_numpy(), np.int64)
    first = int(found[0])
    other = np.flatnonzero((found != first) | (found < 0))
    if other.size:
        row = int(other[0])
        told = f"{found[row]:,} numbers" if found[row] >= 0 else "nothing"
        raise SourceError(
            f"{path}: column {name!r} has {told} in row {row} (counted from 0), and "
            f"{max(first, 0):,} in row 0; expected as many in each"
        )
    return first


def _rows(path: Path, name: str, width: int) -> NDArray[Any]:
    """`[N, D]`; a number that is missing becomes NaN, which is refused as such."""
    arrow, _ = import_pyarrow()
    column = _column(path, name)
    parts = []
    for chunk in column.chunks:
        # Not `values`, which has what stands before and behind a slice, too.
        flat = chunk.flatten()
        if arrow.types.is_floating(flat.type):
            parts.append(flat.to_numpy(zero_copy_only=False).reshape(len(chunk), width))
        else:
            parts.append(np.asarray(flat.to_pylist()).reshape(len(chunk), width))
    return np.concatenate(parts) if parts else np.empty((0, width), np.float32)


def _numbers(path: Path, name: str) -> NDArray[Any]:
    column = _column(path, name)
    if column.null_count:
        raise SourceError(f"{path}: column {name!r} lacks a value in {column.null_count:,} rows")
    return np.asarray(column.to_numpy(), np.int64)


def _text(path: Path, name: str) -> Sequence[str]:
    found = converted(_column(path, name).to_pylist)
    return ["" if one is None else str(one) for one in found]
