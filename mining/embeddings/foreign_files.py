"""Files of vectors from elsewhere, and of their rows' names, by the ending of their names.

A kind of file is one function and one line in a dict.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from pairsets.errors import SourceError
from pairsets.sources.vectors.contents import Contents

_NUMPY = "pairsets.sources.vectors.numpy_files"
_NAMES = "pairsets.sources.vectors.names"
_TENSORS = "mining.embeddings.tensor_files"
VECTORS: Mapping[str, str] = {
    ".npy": f"{_NUMPY}:read_array",
    ".npz": f"{_NUMPY}:read_archive",
    ".safetensors": f"{_TENSORS}:read_safetensors",
    ".pt": f"{_TENSORS}:read_tensors",
    ".pth": f"{_TENSORS}:read_tensors",
    ".parquet": "pairsets.sources.vectors.parquet:read_table",
    ".fvecs": "pairsets.sources.vectors.fvecs:read_fvecs",
}
TEXTS: Mapping[str, str] = {
    "": f"{_NAMES}:read_names",
    ".txt": f"{_NAMES}:read_names",
    ".lst": f"{_NAMES}:read_names",
    ".csv": f"{_NAMES}:read_csv_names",
    ".tsv": f"{_NAMES}:read_tabbed_names",
    ".json": f"{_NAMES}:read_json_names",
}
_UNSAFE = {
    ".pkl": "a pickle, and to load one is to run whatever program its maker put into it",
    ".pickle": "a pickle, and to load one is to run whatever program its maker put into it",
    ".joblib": "a pickle, and to load one is to run whatever program its maker put into it",
}


def read_vectors(path: Path) -> Contents:
    """Contents of a file of vectors.

    Raises:
        SourceError: no such file, of another kind, or damaged.
    """
    return _read(path, VECTORS, "file of vectors")


def read_names(path: Path) -> Contents:
    """Contents of a file with names of rows; one of vectors may have names beside them.

    Raises:
        SourceError: no such file, of another kind, or damaged.
    """
    return _read(path, {**TEXTS, **VECTORS}, "file of the rows' names")


def _read(path: Path, kinds: Mapping[str, str], what: str) -> Contents:
    if path.is_dir():
        hint = ""
        if (path / "manifest.json").is_file():
            hint = ", and this is one of embeddings already, which other commands take as it is"
        raise SourceError(f"{path}: a folder; expected a {what}{hint}")
    if not path.exists():
        raise SourceError(f"{path}: no such {what}")
    if not path.is_file():
        raise SourceError(f"{path}: no plain file; expected a {what}, which is read twice")
    ending = path.suffix.lower()
    if ending in _UNSAFE:
        raise SourceError(
            f"{path}: {_UNSAFE[ending]}; save it anew where you trust it, as with np.save"
        )
    if ending not in kinds:
        listed = ", ".join(name for name in kinds if name)
        raise SourceError(f"{path}: not a {what} by its ending; expected {listed}")
    module, _, function = kinds[ending].partition(":")
    return cast(Contents, getattr(importlib.import_module(module), function)(path))
