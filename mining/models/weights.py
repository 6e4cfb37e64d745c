"""Checkpoints: read without running what is in them, checked against a network, digested."""

from __future__ import annotations

import hashlib
import io
import pickle
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from mining.models.base import ModelError

State = dict[str, Tensor]
_WRAPPERS = ("state_dict", "model")
# A counter of training steps, which old checkpoints lack and evaluation never reads.
_COUNTER = "num_batches_tracked"


def read_state(source: Path | bytes, label: str) -> State:
    """The tensors of a checkpoint, by name.

    Args:
        source: a file, `.safetensors` or saved by `torch.save`, or the bytes of the latter. A
            plain state dict is taken, or one under `state_dict` or `model`.
        label: how errors call it.

    Raises:
        ModelError: missing, damaged, or holding anything but tensors. Nothing is unpickled
            beyond what `torch.load(weights_only=True)` lets through.
    """
    if isinstance(source, Path):
        if not source.exists():
            raise ModelError(f"{label}: no such file")
        if not source.is_file():
            raise ModelError(f"{label}: not a file; expected a checkpoint")
    found = _load(source, label)
    if isinstance(found, Mapping):
        for wrapper in _WRAPPERS:
            if isinstance(found.get(wrapper), Mapping):
                found = found[wrapper]
                break
    if not isinstance(found, Mapping) or not found:
        raise ModelError(f"{label}: holds a {type(found).__name__}, not a state dict of tensors")
    strange = [str(name) for name, value in found.items() if not isinstance(value, Tensor)]
    if strange:
        raise ModelError(
            f"{label}: not a state dict: {some(strange)} hold no tensor; expected tensors alone, "
            f"or a state dict under {' or '.join(map(repr, _WRAPPERS))}"
        )
    return _without_data_parallel({str(name): value for name, value in found.items()})


def fit(module: nn.Module, state: State, label: str, *, classifier: Iterable[str] = ()) -> None:
    """Load `state` into `module`: every tensor must have its place, and every place its tensor.

    Args:
        module: changed in place.
        state: tensors by name.
        label: how errors call the checkpoint.
        classifier: name prefixes whose tensors may be left over, the module having dropped them.

    Raises:
        ModelError: tensors missing, left over or of another shape; says which and likely why.
    """
    wanted = module.state_dict()
    dropped = tuple(f"{prefix}." for prefix in classifier)
    extra = [n for n in state if n not in wanted and not n.startswith(dropped)]
    missing = [n for n in wanted if n not in state and not n.endswith(_COUNTER)]
    common = [n for n in wanted if n in state]
    reshaped = [
        f"{n} {tuple(state[n].shape)} for {tuple(wanted[n].shape)}"
        for n in common
        if state[n].shape != wanted[n].shape
    ]
    faults = [
        f"{len(names)} {what}: {some(names)}"
        for what, names in (
            ("missing", missing),
            ("unexpected", extra),
            ("of another shape", reshaped),
        )
        if names
    ]
    if faults:
        if not common:
            cause = "weights of another architecture, or of another library"
        elif reshaped and not (missing or extra):
            cause = "the same architecture in another size"
        else:
            cause = "another architecture, or an incomplete checkpoint"
        raise ModelError(
            f"{label}: does not fit {type(module).__name__}, which has {len(wanted)} tensors; "
            f"{'; '.join(faults)}. Likely cause: {cause}"
        )
    kept = {name: value for name, value in state.items() if name in wanted}
    # Not strict for the sake of the counters alone: all else was compared above.
    module.load_state_dict(kept, strict=False)


def state_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, of names, dtypes, shapes and bytes, wherever the tensors came from."""
    sha = hashlib.sha256()
    for name in sorted(name for name in state if not name.endswith(_COUNTER)):
        tensor = state[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def some(names: list[str], count: int = 4) -> str:
    """The first few of a list, for a message.

    >>> some(["a", "b", "c"], 2)
    'a, b, ...'
    """
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")


def _load(source: Path | bytes, label: str) -> object:
    """Whatever the file holds, read safely."""
    try:
        if isinstance(source, Path) and source.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(source)
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with warnings.catch_warnings():
            # A newer pickle protocol is read all the same.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{label}: refused, or not a checkpoint at all: PyTorch reads no more than tensors "
            f"from it ({_gist(error)}). To load such a file would run code from it; save it anew "
            "from its source with torch.save(model.state_dict(), ...)"
        ) from None
    except PermissionError:
        raise ModelError(f"{label}: permission to read it is denied") from None
    except Exception as error:  # a damaged file makes the parsers raise nearly anything
        raise ModelError(
            f"{label}: cannot be read as a checkpoint ({_gist(error)}). Likely cause: an "
            "incomplete download, or not a file of weights"
        ) from None


def _gist(error: Exception) -> str:
    """The sentence of an error that says what was wrong, without PyTorch's advice to run it."""
    text = str(error).strip()
    found = re.search(r"unsupported (global|operand|class|opcode)[^\n]*", text, re.IGNORECASE)
    line = found[0] if found else next(iter(text.splitlines()), "")
    return line.partition(". ")[0].rstrip(".")[:200] or type(error).__name__


def _without_data_parallel(state: State) -> State:
    """The state dict without the `module.` that DataParallel puts before every name."""
    prefix = "module."
    if all(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): value for name, value in state.items()}
    return state
