"""Contents of a checkpoint file: every state dict, read without running what is in it.

Beside the tensors trainers keep settings, which PyTorch's safe reader refuses for the one class it
does not know (`argparse.Namespace`, a NumPy number). Those named in `SET_ASIDE` are read as
`Aside`, which keeps nothing of them: neither their class nor any function of theirs is called.
"""

from __future__ import annotations

import io
import pickle
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mining.errors import ModelError

State = dict[str, Tensor]

# How deep a state dict may lie: {"callbacks": {"EMA": {"weights": {...}}}}.
_DEPTH = 4
# Of the same names as the weights and often of the same shapes, but no weights.
_NO_WEIGHTS = ("optim", "sched", "scaler", "grad")
_NUMPY = ("multiarray.scalar", "multiarray._reconstruct", "numeric._frombuffer")
SET_ASIDE = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    *(f"numpy.{core}.{name}" for core in ("core", "_core") for name in _NUMPY),
    *(f"numpy.{name}" for name in ("dtype", "ndarray", "bool_", "bool", "float32", "float64")),
    *(f"numpy.{name}" for name in ("float16", "int32", "int64", "uint8", "uint32", "str_")),
    *(f"pathlib.{pure}{kind}Path" for pure in ("Pure", "") for kind in ("Posix", "Windows")),
    *(f"pathlib._local.{kind}Path" for kind in ("Posix", "Windows")),
    *(f"datetime.{name}" for name in ("datetime", "date", "timedelta", "timezone")),
    *(f"builtins.{name}" for name in ("slice", "range", "list", "dict", "int", "float", "str")),
)


class Aside:
    """Stands in the place of a value that is no tensor; keeps nothing of it."""

    def __new__(cls, *args: object, **options: object) -> Aside:
        """Let go whatever the value was made of."""
        return super().__new__(cls)

    def __init__(self, *args: object, **options: object) -> None:
        """Take any arguments, and keep none."""

    def __setstate__(self, state: object) -> None:
        """Take any state, and keep none."""


def _plain_dict(*args: object) -> dict[Any, Any]:
    """An empty dict in the place of a `defaultdict`, whose items are still to come."""
    return {}


def load_checkpoint(source: Path | bytes, label: str) -> object:
    """Whatever a checkpoint file holds, read as data.

    Args:
        source: a file, `.safetensors` or saved by `torch.save`, or the bytes of the latter.
        label: how errors call it.

    Raises:
        ModelError: missing, damaged, a program (TorchScript, torch.export), or holding objects
            beyond those that `torch.load(weights_only=True)` lets through and `SET_ASIDE`.
    """
    if isinstance(source, Path):
        if not source.exists():
            raise ModelError(f"{label}: no such file")
        if not source.is_file():
            raise ModelError(f"{label}: not a file; expected a checkpoint")
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    _refuse_program(file, label)
    allowed: list[Any] = [(Aside, name) for name in SET_ASIDE]
    allowed.append((_plain_dict, "collections.defaultdict"))
    try:
        if isinstance(source, Path) and source.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(source)
        with warnings.catch_warnings(), torch.serialization.safe_globals(allowed):
            # A newer pickle protocol is read all the same.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{label}: refused, or not a checkpoint at all: no more than tensors, and settings of "
            f"a few plain kinds beside them, is read from it ({_gist(error)}). To load such a file "
            "would run code from it; save it anew from its source with "
            "torch.save(model.state_dict(), ...)"
        ) from None
    except PermissionError:
        raise ModelError(f"{label}: permission to read it is denied") from None
    except Exception as error:  # a damaged file makes the parsers raise nearly anything
        raise ModelError(
            f"{label}: cannot be read as a checkpoint ({_gist(error)}). Likely cause: an "
            "incomplete download, or not a file of weights"
        ) from None


def states_in(found: object, label: str) -> dict[str, State]:
    """Every state dict in what `load_checkpoint` gave, by the keys that lead to it.

    Keys are joined by `/`; the file's own dict has the name "". What is no tensor is passed over.

    Raises:
        ModelError: there is none.
    """
    if not isinstance(found, Mapping) or not found:
        raise ModelError(f"{label}: holds a {type(found).__name__}, not a state dict of tensors")
    states = dict(_states(found, ()))
    if not states:
        strange = [str(name) for name in found]
        listed = ", ".join(strange[:4]) + (", ..." if len(strange) > 4 else "")
        raise ModelError(
            f"{label}: not a state dict: {listed} hold no tensor; expected tensors alone, or a "
            "dict of tensors under any of these"
        )
    return states


def _states(found: Mapping[Any, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, State]]:
    tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
    if tensors:
        yield "/".join(keys), tensors
    for name, value in found.items():
        known = isinstance(name, str) and not name.lower().startswith(_NO_WEIGHTS)
        if known and isinstance(value, Mapping) and len(keys) < _DEPTH:
            yield from _states(value, (*keys, name))


def _refuse_program(file: Path | io.BytesIO, label: str) -> None:
    """Raise ModelError where the file is a program that holds its weights, not a state dict."""
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:
        return  # of the older form, or damaged, which the reader will say
    finally:
        if isinstance(file, io.BytesIO):
            file.seek(0)
    members = {name.partition("/")[2] for name in names}
    kind = save = ""
    if "constants.pkl" in members:
        kind, save = "TorchScript (torch.jit.save)", "torch.jit.load(FILE)"
    elif members & {"archive_format", "serialized_exported_program.json"}:
        kind, save = "a program of torch.export", "torch.export.load(FILE)"
    if kind:
        raise ModelError(
            f"{label}: {kind}, which holds code and not a state dict; refused. Save its weights "
            f"where you trust it: torch.save({save}.state_dict(), 'weights.pth')"
        )


def _gist(error: Exception) -> str:
    """The sentence of an error that says what was wrong, without PyTorch's advice to run it."""
    text = str(error).strip()
    found = re.search(r"unsupported (global|operand|class|opcode)[^\n]*", text, re.IGNORECASE)
    line = found[0] if found else next(iter(text.splitlines()), "")
    return line.partition(". ")[0].rstrip(".")[:200] or type(error).__name__
