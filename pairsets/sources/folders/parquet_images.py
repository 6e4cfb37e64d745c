"""Parquet files with pictures in them, as Hugging Face data sets are published."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pairsets.errors import SourceError
from pairsets.sources.folders.image_table import (
    Column,
    Columns,
    Entry,
    Picture,
    choose_split,
    column_of,
    entry_of,
    picture_of,
)
from pairsets.storage.json_files import parse_json, short

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
        return cls(root, taken, _columns(taken[0]))

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
        found = _columns(path)
        for name in (name for name in columns if name is not None):
            if name not in found:
                raise SourceError(f"{path}: no column {name!r}, as {self.files[0].name} has")
            if name != columns.id and found[name] != self.columns[name]:
                raise SourceError(
                    f"{path}: the column {name!r} is of another kind, or of other classes, than in "
                    f"{self.files[0].name}; take one at a time"
                )

    def _rows(self, names: list[str], batch: int) -> Iterator[dict[str, Any]]:
        pyarrow = _pyarrow()
        for path in self.files:
            try:
                with pyarrow.parquet.ParquetFile(path) as file:
                    for rows in file.iter_batches(batch_size=batch, columns=names):
                        yield from rows.to_pylist()
            # Names and texts that are not UTF-8, times and zones that Python has not, ...
            except Exception as error:
                raise SourceError(f"{path}: damaged or no Parquet file: {error}") from None


def _columns(path: Path) -> dict[str, Column]:
    """Columns and what they hold: as `datasets` says in the schema, else by their types."""
    pyarrow = _pyarrow()
    try:
        schema = pyarrow.parquet.read_schema(path)
        names = list(schema.names)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: damaged or no Parquet file: {error}") from None
    features = _features(schema.metadata or {}, path)
    again = next((name for name, times in Counter(names).items() if times > 1), None)
    if again is not None:
        raise SourceError(f"{path}: two columns are called {again!r}; rename one")
    return {
        field.name: _column(field.type, features.get(field.name), f"{path}: {field.name!r}")
        for field in schema
    }


def _features(metadata: Mapping[bytes, bytes], path: Path) -> Mapping[str, Any]:
    """Features of the columns as `datasets` has them; none where they are missing or otherwise."""
    if b"huggingface" not in metadata:
        return {}
    where, what = f"{path}: metadata 'huggingface'", "what datasets writes"
    found = parse_json(
        metadata[b"huggingface"], where, what, error=SourceError, constants=True, surrogates=True
    )
    for key in ("info", "features"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _column(kind: Any, feature: object, where: str) -> Column:
    types = _pyarrow().types
    if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
        names = feature.get("names") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise SourceError(f"{where}: names of classes {short(names)}; expected a list of texts")
        return Column("class", tuple(names))
    if types.is_struct(kind):
        fields = {kind.field(at).name for at in range(kind.num_fields)}
        return Column("image" if fields == {"bytes", "path"} else "other")
    if types.is_dictionary(kind):
        kind = kind.value_type
    return column_of(str(kind))


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError("Parquet files need pyarrow: pip install 'lookalikes[parquet]'") from None
    return pyarrow
