"""Exports of PyTorch networks to ONNX, made once and kept in the user's cache folder.

An export is called by the model's fingerprint and the number of images that it takes a call. Beside
it, JSON says its SHA-256 and what made it: a file that is another one, cut off or half-written, is
made anew.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from mining.errors import ModelError
from mining.models.base import digest
from mining.models.torch_model import TorchModel
from pairsets.storage import locks
from pairsets.storage.artefacts import atomic_write, installed, write_json
from pairsets.storage.json_files import read_object
from pairsets.storage.user_cache import cache_folder

# Another one where exports are made in another way: those that are kept are then passed over.
_SCHEMA = 1
INPUT, OUTPUT = "images", "vectors"
# What one ONNX file holds, that of protobuf, less some room for the graph.
_MOST_BYTES = 2**31 - 2**24
EXPORTERS = ("onnx", "onnxscript")


@dataclass(frozen=True)
class Export:
    """A network as ONNX.

    Attributes:
        data: the serialised model, `[call, 3, H, W]` -> `[call, D]`.
        sha256: of `data`, in hex.
        file: where it is kept.
    """

    data: bytes
    sha256: str
    file: Path


def kept_export(model: TorchModel, call: int) -> Export:
    """The export of a model's network, made where none is kept or the kept one is damaged.

    Of two processes that need one, the second waits for what the first makes.

    Args:
        model: in float32.
        call: images a call.

    Raises:
        ModelError: what exports is not installed, PyTorch cannot export this network, or the
            export cannot be kept.
    """
    name = digest({"fingerprint": model.fingerprint, "call": call, "schema": _SCHEMA})[:40]
    try:
        file = cache_folder() / "networks" / f"{name}.onnx"
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone(file.with_suffix(".lock")):
            found = _kept(file)
            if found is not None:
                return found
            data = _exported(model, call)
            content = hashlib.sha256(data).hexdigest()
            # A kill between the two leaves a file that its JSON does not describe: made anew.
            with atomic_write(file) as stream:
                stream.write(data)
            facts = {
                "schema": _SCHEMA,
                "model": model.name,
                "fingerprint": model.fingerprint,
                "sha256": content,
                "versions": installed("torch", *EXPORTERS),
            }
            write_json(file.with_suffix(".json"), facts)
            return Export(data, content, file)
    except OSError as error:
        raise ModelError(
            f"{model.name}: its export to ONNX cannot be kept: {error.filename}: {error.strerror}. "
            "Name another cache folder by the environment variable XDG_CACHE_HOME, or ask for the "
            "engine torch"
        ) from error


@contextlib.contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Hold a lock file, waiting for whoever has it; it stays, as whoever waits has it open."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | locks.BINARY, 0o666)
    try:
        locks.lock(handle, wait=True)
        yield
    finally:
        os.close(handle)


def _kept(file: Path) -> Export | None:
    """The export in a file, if it is the one that was written there."""
    try:
        facts = read_object(file.with_suffix(".json"), "what is said of an export")
        data = file.read_bytes()
        content = hashlib.sha256(data).hexdigest()
        return Export(data, content, file) if facts.text("sha256") == content else None
    except (FileNotFoundError, ValueError):
        return None


def _exported(model: TorchModel, call: int) -> bytes:
    """A network as a serialised ONNX model, the same bytes each time."""
    require(EXPORTERS, f"{model.name}: exporting it to ONNX")
    network = copy.deepcopy(model.network).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    held = (*network.parameters(), *network.buffers())
    size = sum(tensor.numel() * tensor.element_size() for tensor in held)
    if size > _MOST_BYTES:
        raise ModelError(
            f"{model.name}: cannot be exported to ONNX: its {size:,} bytes of weights do not fit "
            "in one file, which holds 2 GiB; ask for the engine torch"
        )
    example = torch.zeros(call, 3, *model.size)
    said = io.StringIO()
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT],
                external_data=False,
                verbose=False,
            )
            assert program is not None
            found = program.model_proto
            _strip(found)
            data: bytes = found.SerializeToString(deterministic=True)
    # PyTorch's exporter lets out whatever its many passes raise.
    except Exception as error:
        lines = str(error).strip().splitlines() or [""]
        raise ModelError(
            f"{model.name}: PyTorch {torch.__version__} cannot export it to ONNX "
            f"({type(error).__name__}: {lines[0]}); ask for the engine torch"
        ) from error
    return data


def _strip(found: Any) -> None:
    """Take out notes on what was exported, which name files of this machine."""
    graph = found.graph
    for one in (found, graph, *found.functions, *graph.node, *graph.value_info, *graph.initializer):
        one.doc_string = ""
        del one.metadata_props[:]
    for function in found.functions:
        for one in (*function.node, *function.value_info):
            one.doc_string = ""
            del one.metadata_props[:]
    for one in (*graph.input, *graph.output):
        one.doc_string = ""
        del one.metadata_props[:]


def require(distributions: tuple[str, ...], what: str) -> None:
    """Raise ModelError naming the extra unless all of `distributions` are installed."""
    lacking = []
    for name in distributions:
        try:
            version(name)
        except PackageNotFoundError:
            lacking.append(name)
    if lacking:
        raise ModelError(
            f"{what} needs {' and '.join(lacking)}: pip install 'lookalikes[onnx]', or ask for the "
            "engine torch"
        )
