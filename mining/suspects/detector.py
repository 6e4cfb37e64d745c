"""Whether an image shows a face at all: asked of a detector that the user has.

None is part of this project. Detectors of drawn faces are exported as ONNX files of the YOLOv8
kind, which is the one kind read here: one input `[1, 3, H, W]`, RGB from 0 to 1, the image scaled
to fit and centred on grey; one output of candidates, `[1, 4 + C, A]` or `[1, A, 4 + C]`: a box and
the scores (0 to 1) of C classes for each of A. Boxes and the suppression of overlapping ones are
not needed: the highest score of any class is what is asked for. Files with suppression built in
(`[1, N, 6]` of YOLOv10, several outputs) and with a score of objectness (YOLOv5) are of another
kind; the former and of the latter those with other widths are refused, as far as shapes tell.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.models.base import ModelError
from mining.models.onnx import image_shape, open_session

# Pixels on a side where the file leaves it open, and what a side must be a multiple of.
DEFAULT_SIDE = 640
# What ultralytics fills up with.
_GREY = (114, 114, 114)
# A detector has some thousand candidates; fewer than this many are no candidates, but detections.
_FEWEST = 32


class FaceDetector(Protocol):
    """Says how surely an image shows a face; called from several threads."""

    def __call__(self, image: Image.Image) -> float:
        """The highest confidence of any face in an RGB image, 0 to 1; 0 without one."""


class OnnxFaceDetector:
    """A face detector in an ONNX file of the YOLOv8 kind.

    Args:
        path: the file; its external data, if any, lies beside it.
        device: `cpu`, or `cuda` where ONNX Runtime has it.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, the file is none, or its
            input or output is of another kind.
    """

    def __init__(self, path: str | Path, *, device: str = "cpu") -> None:
        path = Path(path)
        self.path = path
        session, self.digest = open_session(path, device, str(path))
        self.size = _input_size(session.get_inputs(), path)
        _check_output(session.get_outputs(), path)
        self._session: Any = session
        self._input = session.get_inputs()[0].name
        # One face at a time: ONNX Runtime takes all cores for each.
        self._lock = Lock()

    def __call__(self, image: Image.Image) -> float:
        """The highest score of any class at any place.

        Raises:
            ModelError: the network fails, or gives anything but candidates with scores 0 to 1.
        """
        pixels = letterboxed(image, self.size)
        batch = pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        try:
            with self._lock:
                found = np.asarray(self._session.run(None, {self._input: batch})[0])
        except Exception as error:
            raise ModelError(
                f"{self.path}: ONNX Runtime fails on {batch.shape}: {error}"
            ) from error
        return _highest(found, self.path)


def letterboxed(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 `[H, W, 3]`: an image scaled to fit `size` (height, width), centred on grey."""
    height, width = size
    scale = min(width / image.width, height / image.height)
    fitted = image.resize(
        (
            min(width, max(1, round(image.width * scale))),
            min(height, max(1, round(image.height * scale))),
        ),
        Image.Resampling.BILINEAR,
    )
    canvas = Image.new("RGB", (width, height), _GREY)
    canvas.paste(fitted, ((width - fitted.width) // 2, (height - fitted.height) // 2))
    return np.asarray(canvas)


def _input_size(inputs: list[Any], path: Path) -> tuple[int, int]:
    """Height and width of the one input."""
    shape = image_shape(
        inputs, path, "float32 [1, 3, H, W], as YOLOv8 is exported (not in half precision)"
    )
    if isinstance(shape[0], int) and shape[0] != 1:
        raise ModelError(f"{path}: takes {shape[0]} images at a time; expected one")
    height, width = (side if isinstance(side, int) else DEFAULT_SIDE for side in shape[2:])
    if not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise ModelError(f"{path}: takes {height} x {width} pixels; expected at most 4096 a side")
    return height, width


def _check_output(outputs: list[Any], path: Path) -> None:
    """That there is one output, and that it may hold candidates."""
    if len(outputs) != 1:
        names = ", ".join(one.name for one in outputs)
        raise ModelError(
            f"{path}: has {len(outputs)} outputs ({names}); expected one of shape [1, 4 + C, A], "
            "as YOLOv8 is exported for detection without nms=True"
        )
    shape = outputs[0].shape
    # An export may leave the shape unsaid; then the first image tells.
    if shape and all(isinstance(side, int) for side in shape):
        _candidates(tuple(shape), path)


def _candidates(shape: tuple[int, ...], path: Path) -> int:
    """The axis of the candidates of an output: the longer one."""
    if len(shape) == 3 and shape[0] == 1 and min(shape[1:]) >= 5 and max(shape[1:]) >= _FEWEST:
        return 1 if shape[1] > shape[2] else 2
    raise ModelError(
        f"{path}: its output is {list(shape)}; expected [1, 4 + C, A] or [1, A, 4 + C] with A "
        f"candidates, {_FEWEST} or more, as YOLOv8 is exported for detection without nms=True"
    )


def _highest(found: NDArray[Any], path: Path) -> float:
    """The highest class score of an output."""
    axis = _candidates(found.shape, path)
    scores = found[0, :, 4:] if axis == 1 else found[0, 4:]
    if not np.isfinite(scores).all() or scores.min() < -1e-3 or scores.max() > 1 + 1e-3:
        raise ModelError(
            f"{path}: class scores from {scores.min():g} to {scores.max():g}; expected 0 to 1: are "
            "they logits, or is the output of another kind?"
        )
    return float(np.clip(scores.max(), 0, 1))
