"""Parquet files with pictures in them, as Hugging Face data sets are published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.picture_sources.image_table import (
    Column,
    Columns,
    Entry,
    Picture,
    choose_split,
    entry_of,
    picture_of,
)
from pairsets.picture_sources.parquet_schema import arrow, read_columns

SUFFIX = ".parquet"
# A file is of the split that its name, or its folder's, has as a word.
_SPLIT = re.compile(r"(?:^|[-_./])(train|test|validation|valid|val|dev|eval)(?=$|[-_./0-9])")
# Pictures held at once.
_BATCH = 64


@dataclass(frozen=True)
class ParquetImages:
    """Pictures in Parquet files of one schema.

    Attributes:
        root: the folder of the files.
        files: in order.
        columns: of the first file; those that are read must be the same in the others.
    """

    root: Path
    files: tuple[Path, ...]
    columns: Mapping[str, Column]

    @classmethod
    def open(cls, source: Path, split: str | None = None) -> ParquetImages:
        """Open a file, or all files of a split below a folder.

        Raises:
            SourceError: pyarrow is not installed; no Parquet file, a damaged one, or several
                splits and none chosen.
        """
        root = source if source.is_dir() else source.parent
        files = sorted(source.rglob(f"*{SUFFIX}")) if source.is_dir() else [source]
        splits: dict[str, list[Path]] = {}
        for file in files:
            found = _SPLIT.findall(file.relative_to(root).as_posix()[: -len(SUFFIX)])
            splits.setdefault(found[-1] if found else "train", []).append(file)
        if not files:
            raise SourceError(f"{source}: no {SUFFIX} files in it")
        chosen = choose_split(list(splits), split, source)
        taken = tuple(file for name in chosen for file in splits[name])
        return cls(root, taken, read_columns(taken[0]))

    def entries(self, columns: Columns) -> Iterator[Entry]:
        """The rows without their pictures, in order.

        Raises:
            SourceError: a damaged file, or one with other columns or classes than the first.
        """
        for path in self.files[1:]:
            self._refuse_another(path, columns)
        wanted = [columns.identity, f"{columns.image}.path"]
        for row in self._rows([*wanted, *([columns.id] if columns.id else [])], 4096):
            yield entry_of(row, columns, self.columns[columns.identity], Column("text"))

    def pictures(self, columns: Columns) -> Iterator[Picture]:
        """The picture of each row, in the same order: its bytes, its file, or None."""
        for row in self._rows([columns.image], _BATCH):
            yield picture_of(row[columns.image], self.root)

    def _refuse_another(self, path: Path, columns: Columns) -> None:
        """Raise SourceError where the numbers of classes, say, stand for others than in the first.

        An id is text whatever its kind.
        """
        found = read_columns(path)
        for name in (name for name in columns if name is not None):
            if name not in found:
                raise SourceError(f"{path}: no column {name!r}, as {self.files[0].name} has")
            if name != columns.id and found[name] != self.columns[name]:
                raise SourceError(
                    f"{path}: the column {name!r} is of another kind, or of other classes, than in "
                    f"{self.files[0].name}; take one at a time"
                )

    def _rows(self, names: list[str], batch: int) -> Iterator[dict[str, Any]]:
        pyarrow = arrow()
        for path in self.files:
            try:
                with pyarrow.parquet.ParquetFile(path) as file:
                    for rows in file.iter_batches(batch_size=batch, columns=names):
                        yield from rows.to_pylist()
            # Names and texts that are not UTF-8, times and zones that Python has not, ...
            except Exception as error:
                raise SourceError(f"{path}: damaged or no Parquet file: {error}") from None
