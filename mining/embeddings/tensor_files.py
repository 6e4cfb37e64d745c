"""Tensors in `.safetensors` and `.pt` files, read as data: nothing in them is run."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.sources.vectors.contents import Contents, Entry
from pairsets.storage.json_files import parse_json

_SAVE = "torch.save({'embeddings': tensor, 'paths': [...]}, FILE)"


def read_safetensors(path: Path) -> Contents:
    """The tensors of a file; lists of names are JSON in its metadata.

    Raises:
        SourceError: no whole file of this kind.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            entries = {
                name: Entry(
                    tuple(file.get_slice(name).get_shape()),
                    _KINDS.get(file.get_slice(name).get_dtype(), file.get_slice(name).get_dtype()),
                    partial(_tensor, path, name),
                )
                for name in file.keys()  # noqa: SIM118
            }
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise SourceError(
            f"{path}: no .safetensors file, or damaged ({_gist(error)}); was the download cut "
            "short?"
        ) from None
    texts: dict[str, Callable[[], Sequence[str]]] = {}
    for name, text in metadata.items():
        if text.lstrip().startswith("["):
            found = parse_json(
                text, f"{path}: metadata {name!r}", "a list of names", error=SourceError
            )
            if all(isinstance(one, str) for one in found):
                texts[name] = partial(list, found)
    return Contents(path, entries, texts)


_KINDS = {
    "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64", "I8": "int8",
    "I16": "int16", "I32": "int32", "I64": "int64", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


def _tensor(path: Path, name: str) -> NDArray[Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return _array(file.get_tensor(name))


def _array(tensor: Any) -> NDArray[Any]:
    """A tensor as NumPy has it; bfloat16, which it lacks, as float32."""
    import torch

    plain = tensor.detach()
    if plain.dtype == torch.bfloat16:
        plain = plain.float()
    return np.asarray(plain.contiguous().numpy())


def read_tensors(path: Path) -> Contents:
    """A tensor saved by `torch.save`, or a dict of tensors and of lists of names.

    Raises:
        SourceError: damaged, or holding what only running code could restore.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise SourceError(
            f"{path}: refused: more than tensors, texts and lists is in it ({_gist(error)}), and "
            f"to load that would run code from it; save it anew where you trust it: {_SAVE}"
        ) from None
    except Exception as error:  # a damaged file makes the parsers raise nearly anything
        raise SourceError(
            f"{path}: cannot be read as tensors ({_gist(error)}); was the download cut short?"
        ) from None
    if isinstance(found, torch.Tensor):
        found = {"": found}
    if not isinstance(found, Mapping):
        raise SourceError(
            f"{path}: holds a {type(found).__name__}; expected a tensor, or a dict: {_SAVE}"
        )
    entries: dict[str, Entry] = {}
    texts: dict[str, Callable[[], Sequence[str]]] = {}
    for key, value in found.items():
        name = str(key)
        if isinstance(value, torch.Tensor):
            kind = str(value.dtype).removeprefix("torch.")
            if value.layout == torch.strided and value.ndim:
                entries[name] = Entry(tuple(value.shape), kind, partial(_array, value))
        elif isinstance(value, list | tuple) and value and all(isinstance(v, str) for v in value):
            texts[name] = partial(list, value)
    return Contents(path, entries, texts)


def _gist(error: Exception) -> str:
    told = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return told.partition(". ")[0][:160]
