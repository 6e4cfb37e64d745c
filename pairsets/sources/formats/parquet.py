"""Parquet: a row a pair, with the columns of a pair file, and of folds where there are any."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.formats import KEEPABLE, Pairs
from pairsets.sources.formats.collection import held_by
from pairsets.sources.formats.records import EXPECTED, NAMES, Values, gather_records, records_of
from pairsets.sources.text.text_lines import opened, read_head
from pairsets.storage.artefacts import atomic_write

NAME = "parquet"
SUMMARY = "a Parquet table with columns pathA, pathB, label"
KEEPS = KEEPABLE - {"identities"}
MAGIC = b"PAR1"
_ROWS = 1 << 16
_KINDS = ("string", "string", "int8", "int8", "int8", "int32")
T = TypeVar("T")


def looks_like(path: Path, head: bytes) -> bool:
    """Whether it is a Parquet file with columns pathA and pathB, or one that cannot be opened."""
    if not head.startswith(MAGIC):
        return False
    names = columns_of(path)
    return names is None or {"pathA", "pathB"} <= set(names)


def columns_of(path: Path) -> list[str] | None:
    """The columns of a Parquet file; None where it is damaged or pyarrow is not installed."""
    try:
        with open_parquet(path) as table:
            return [str(name) for name in table.schema_arrow.names]
    except SourceError:
        return None


def read(path: Path, *, progress: Step | None = None) -> Pairs:
    """Read a row a pair, some rows at a time; other columns are left out, and noted.

    Raises:
        SourceError: not a Parquet file, a column is missing, a value is missing or of another
            kind, or pyarrow is not installed.
    """
    if not read_head(path).startswith(MAGIC):
        raise SourceError(f"{path}: not a Parquet file; expected one that begins with PAR1")
    with open_parquet(path) as table:
        names = [str(name) for name in table.schema_arrow.names]
        missing = [name for name in NAMES[:3] if name not in names]
        if missing:
            raise SourceError(
                f"{path}: column {', '.join(missing)} missing, it has {', '.join(names)[:90]}; "
                f"expected {EXPECTED}"
            )
        notes = [f"column {name!r} is left out" for name in names if name not in NAMES]
        return gather_records(path, _records(table, names, progress), unit="row", notes=notes)


def write(content: Pairs, path: Path) -> Pairs:
    """Write a row a pair: text, small whole numbers, and a fold where there are folds.

    Raises:
        SourceError: pyarrow is not installed.
    """
    held = held_by(NAME, KEEPS, content)
    names = NAMES if held.folds is not None else NAMES[:-1]
    write_table(path, dict(zip(names, _KINDS, strict=False)), records_of(held), _ROWS)
    return held


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file, as pyarrow has it.

    Raises:
        SourceError: not a whole one, which the block may meet while it reads; or pyarrow is not
            installed.
    """
    arrow, parquet = import_pyarrow()
    try:
        with opened(path) as stream:
            yield parquet.ParquetFile(stream)
    except (arrow.ArrowException, OSError, UnicodeDecodeError) as error:
        told = str(error).partition("\n")[0][:200]
        raise SourceError(
            f"{path}: not a whole Parquet file ({told}); is it cut short or damaged?"
        ) from None


def write_table(
    path: Path, columns: Mapping[str, str], rows: Iterable[Sequence[object]], most: int
) -> None:
    """Write rows as Parquet, atomically: `columns` are names and kinds, `most` the rows of a group.

    Raises:
        SourceError: pyarrow is not installed.
    """
    arrow, parquet = import_pyarrow()
    kinds = [getattr(arrow, kind)() for kind in columns.values()]
    schema = arrow.schema(list(zip(columns, kinds, strict=True)))
    left = iter(rows)
    with atomic_write(path) as stream, parquet.ParquetWriter(stream, schema) as writer:
        while batch := list(islice(left, most)):
            arrays = map(arrow.array, zip(*batch, strict=True), kinds)
            writer.write_table(arrow.Table.from_arrays(list(arrays), schema=schema))


def import_pyarrow() -> tuple[ModuleType, ModuleType]:
    """Import `pyarrow` and `pyarrow.parquet`.

    Raises:
        SourceError: not installed; the message names the extra.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError(
            "Parquet files need pyarrow, which is not installed: pip install 'lookalikes[parquet]'"
        ) from None
    return pyarrow, pyarrow.parquet


def converted(convert: Callable[[], T]) -> T:
    """Result of a conversion to Python's own values.

    Raises:
        pyarrow.ArrowInvalid: values that Python has none for, as times of other ages or zones.
    """
    arrow, _ = import_pyarrow()
    try:
        return convert()
    except Exception as error:
        raise arrow.ArrowInvalid(f"{type(error).__name__}: {error}") from None


def _records(table: Any, names: list[str], progress: Step | None) -> Iterator[tuple[int, Values]]:
    total, done = table.metadata.num_rows, 0
    wanted = [name for name in NAMES if name in names]
    for batch in table.iter_batches(_ROWS, columns=wanted):
        columns = converted(batch.to_pydict)
        empty = [None] * len(batch)
        rows = zip(*(columns.get(name, empty) for name in NAMES), strict=True)
        yield from enumerate(rows, done + 1)
        done += len(batch)
        if progress:
            progress(done, total)
