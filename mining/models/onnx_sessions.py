"""ONNX Runtime on a file: the session, what computes it, and what its input takes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mining.errors import ModelError
from mining.models.onnx_files import files_digest

Layout = Literal["NCHW", "NHWC"]
LAYOUTS: tuple[Layout, ...] = ("NCHW", "NHWC")
_COLOURS = 3
# Images of a call that a file fixes: as many are made room for, however few there are.
_MOST_IMAGES = 4096


@dataclass(frozen=True)
class ImageInput:
    """The one input of a network on images.

    Attributes:
        name: as the session has it.
        dtype: of its numbers.
        layout: NCHW as PyTorch exports it, NHWC as TensorFlow does.
        batch: images a call, where that is fixed.
        height, width: in pixels, where they are fixed.
    """

    name: str
    dtype: np.dtype[Any]
    layout: Layout
    batch: int | None
    height: int | None
    width: int | None


def open_session(path: Path, device: str, what: str) -> tuple[Any, str]:
    """An ONNX Runtime session on a file, and the digest of all its files.

    Args:
        path: of the file.
        device: as for models.
        what: asks for it, for the error that ONNX Runtime is missing.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, or the file is none.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"{what}: needs ONNX Runtime ({error}): pip install 'lookalikes[onnx]'"
        ) from None
    weights = files_digest(path)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors alone; they come back as exceptions
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=providers(device, onnxruntime.get_available_providers())
        )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: ONNX Runtime cannot load it: {error}") from error
    try:
        for one in (*session.get_inputs(), *session.get_outputs()):
            _ = one.name, one.type, one.shape
        _ = session.get_modelmeta().custom_metadata_map
    except UnicodeDecodeError:
        raise ModelError(f"{path}: a name in it is not UTF-8 text; is the file damaged?") from None
    if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelError(f"{path}: ONNX Runtime cannot start CUDA here; ask for auto or cpu")
    return session, weights


def providers(device: str, available: list[str]) -> list[Any]:
    """ONNX Runtime's providers for a device, in order of preference.

    Raises:
        ModelError: this ONNX Runtime has none for the device.
    """
    kind, _, index = device.partition(":")
    if not re.fullmatch(r"\d*", index):
        raise ModelError(
            f"device {device!r}: ONNX Runtime runs a model on one device; ask for cuda or cuda:N"
        )
    has_cuda = "CUDAExecutionProvider" in available
    if kind == "cpu" or (kind == "auto" and not has_cuda):
        return ["CPUExecutionProvider"]
    if kind == "mps" or not has_cuda:
        raise ModelError(
            f"device {device!r} is not to be had from this ONNX Runtime, which offers "
            f"{', '.join(available)}; ask for auto or cpu"
        )
    # fp32 must mean fp32, not TF32.
    cuda = ("CUDAExecutionProvider", {"device_id": index or "0", "use_tf32": "0"})
    return [cuda, "CPUExecutionProvider"]


def image_input(
    inputs: list[Any],
    path: Path,
    expected: str,
    *,
    dtypes: Sequence[str] = ("float32",),
    layout: Layout | None = None,
) -> ImageInput:
    """The one input of a network on images.

    Args:
        inputs: the session's.
        path: of the file.
        expected: what is taken, for the error.
        dtypes: kinds of number that are taken.
        layout: where it is known; otherwise the shape must tell.

    Raises:
        ModelError: several inputs, one that is not `expected`, or one whose shape leaves open
            where its three colours stand.
    """
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ModelError(f"{path}: has {len(inputs)} inputs ({names}); expected one, of images")
    shape, kind = list(inputs[0].shape), inputs[0].type.removeprefix("tensor(").removesuffix(")")
    dtype = {"float": "float32"}.get(kind, kind)
    what = f"{path}: input {inputs[0].name!r} is {dtype} {shape}"
    if len(shape) != 4 or dtype not in dtypes:
        raise ModelError(f"{what}; expected {expected}")
    sides = [side if isinstance(side, int) else None for side in shape]
    may = [one for one in LAYOUTS if sides[one.index("C")] in (None, _COLOURS)]
    sure = [one for one in may if sides[one.index("C")] == _COLOURS]
    found = layout
    if len(sure) == 1 or len(may) == 1:
        found = (sure or may)[0]
    elif layout is None and may:
        raise ModelError(
            f'{what}, which leaves open where its colours stand; say "layout": "NCHW" (PyTorch) '
            f'or "NHWC" (TensorFlow) in {path.name}.json'
        )
    if not may or found is None or layout not in (None, found):
        raise ModelError(f"{what}; expected {expected}")
    height, width = (sides[found.index(side)] for side in "HW")
    if sides[0] is not None and not 1 <= sides[0] <= _MOST_IMAGES:
        raise ModelError(f"{what}; expected 1 to {_MOST_IMAGES} images a call, or any number")
    return ImageInput(inputs[0].name, np.dtype(dtype), found, sides[0], height, width)
