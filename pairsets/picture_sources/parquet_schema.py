"""Columns of a Parquet file, and what each holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from pairsets.errors import SourceError
from pairsets.picture_sources.image_table import Column, column_of
from pairsets.storage.json_files import parse_json, short


def read_columns(file: Path | IO[bytes], name: str | None = None) -> dict[str, Column]:
    """Columns and what they hold: as `datasets` says in the schema, else by their types.

    Args:
        file: its path, or itself, open.
        name: of an open file, for messages.

    Raises:
        SourceError: pyarrow is not installed, or the file is missing or damaged.
    """
    path = name or file
    pyarrow = arrow()
    try:
        schema = pyarrow.parquet.read_schema(file)
        names = list(schema.names)
    except FileNotFoundError:
        raise SourceError(f"{path}: no such file") from None
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path}: damaged or no Parquet file: {error}") from None
    features = _features(schema.metadata or {}, str(path))
    again = next((name for name, times in Counter(names).items() if times > 1), None)
    if again is not None:
        raise SourceError(f"{path}: two columns are called {again!r}; rename one")
    return {
        field.name: _column(field.type, features.get(field.name), f"{path}: {field.name!r}")
        for field in schema
    }


def _features(metadata: Mapping[bytes, bytes], path: str) -> Mapping[str, Any]:
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
    types = arrow().types
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


def arrow() -> Any:
    """The library pyarrow.

    Raises:
        SourceError: it is not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise SourceError("Parquet files need pyarrow: pip install 'lookalikes[parquet]'") from None
    return pyarrow
