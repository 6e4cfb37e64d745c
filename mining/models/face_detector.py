"""Faces in an image, or whether there is one at all: asked of a detector that the user has.

None is part of this project. Detectors of drawn faces are exported as ONNX files of the YOLO kind,
which is the one kind read here: one input `[1, 3, H, W]`, RGB from 0 to 1, the image scaled to fit
and centred on grey; one output of candidates, `[1, 4 + C, A]` of YOLOv8, that with landmarks of
YOLOv8-face, or `[1, A, 5 + C]` of YOLOv5 (see `mining.models.detector_outputs`, which tells them
apart). All classes are faces. Files with suppression built in (`[1, N, 6]` of YOLOv10, several
outputs) are of another kind, and refused as far as shapes tell.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from mining.models.detector_outputs import boxes_and_scores, kind_of, kind_said
from mining.models.onnx_sessions import image_input, open_session
from pairsets.arrays import Floats, Rows, Scores

# Pixels on a side where the file leaves it open, and what a side must be a multiple of.
DEFAULT_SIDE = 640
# What ultralytics fills up with.
_GREY = (114, 114, 114)


class FaceDetector(Protocol):
    """Says how surely an image shows a face; called from several threads."""

    def __call__(self, image: Image.Image) -> float:
        """The highest confidence of any face in an RGB image, 0 to 1; 0 without one."""


@dataclass(frozen=True, eq=False)
class Letterbox:
    """An image as a detector takes it: scaled to fit, on grey.

    Attributes:
        pixels: uint8 `[H, W, 3]`.
        size: width and height of the image before.
        fitted: width and height of the image within.
        corner: left and top of the image within.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    fitted: tuple[int, int]
    corner: tuple[int, int]

    @classmethod
    def of(cls, image: Image.Image, size: tuple[int, int]) -> Letterbox:
        """An RGB image brought to `size` (height, width)."""
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
        corner = (width - fitted.width) // 2, (height - fitted.height) // 2
        canvas.paste(fitted, corner)
        return cls(np.asarray(canvas), image.size, fitted.size, corner)

    def undone(self, boxes: Floats) -> Floats:
        """`[K, 4]`: boxes (left, top, right, bottom) of the input in pixels of the image before.

        What reaches beyond the image is cut off.
        """
        # Each side has its own scale: the other one was rounded.
        scale = np.array(self.size, np.float64) / np.array(self.fitted, np.float64)
        moved = (boxes - np.tile(self.corner, 2)) * np.tile(scale, 2)
        return np.asarray(np.clip(moved, 0, np.tile(self.size, 2)))


class OnnxFaceDetector:
    """A face detector in an ONNX file of the YOLO kind.

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
        shape = _output_shape(session.get_outputs(), path)
        self._said = kind_said(path, session.get_modelmeta().custom_metadata_map)
        if shape is not None:  # an export may leave it unsaid; then the first image tells
            kind_of(shape, self._said, self.size, path)
        if isinstance(self._said, str):
            # What it finds so is not what it finds read otherwise.
            self.digest = hashlib.sha256(f"{self.digest} {self._said}".encode()).hexdigest()
        self._session: Any = session
        self._input = session.get_inputs()[0].name
        # One face at a time: ONNX Runtime takes all cores for each.
        self._lock = Lock()

    def __call__(self, image: Image.Image) -> float:
        """The highest score at any place.

        Raises:
            ModelError: the network fails, or gives anything but candidates with scores 0 to 1.
        """
        return float(self._candidates(self.letterbox(image))[1].max())

    def letterbox(self, image: Image.Image) -> Letterbox:
        """An RGB image as `find` takes it; much smaller than the image may be."""
        return Letterbox.of(image, self.size)

    def find(self, image: Letterbox, *, min_score: float, overlap: float) -> tuple[Floats, Floats]:
        """The faces in an image, the surest first.

        Args:
            image: of `letterbox`.
            min_score: the confidence that a face must have.
            overlap: of two boxes that overlap more, as `distinct` has it, the surer one is kept.

        Returns:
            `[K, 4]`: left, top, right, bottom in pixels of the image, all within it and with an
            area; `[K]`: how sure, 0 to 1.

        Raises:
            ModelError: as for a call; or boxes that are no numbers.
        """
        boxes, scores = self._candidates(image)
        sure = scores >= min_score
        boxes, scores = boxes[sure].astype(np.float64), scores[sure].astype(np.float64)
        if not np.isfinite(boxes).all():
            raise ModelError(f"{self.path}: gives boxes that are no finite numbers")
        half = boxes[:, 2:] / 2
        corners = np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)
        kept = distinct(corners, scores, overlap)
        within, scores = image.undone(corners[kept]), scores[kept]
        areal = (within[:, :2] < within[:, 2:]).all(axis=1)
        return within[areal], scores[areal]

    def _candidates(self, image: Letterbox) -> tuple[NDArray[Any], NDArray[Any]]:
        """Boxes `[A, 4]` as the network has them, and how sure it is of each, `[A]`."""
        batch = image.pixels.transpose(2, 0, 1)[None].astype(np.float32) / np.float32(255)
        try:
            with self._lock:
                found = np.asarray(self._session.run(None, {self._input: batch})[0])
        except Exception as error:
            raise ModelError(
                f"{self.path}: ONNX Runtime fails on {batch.shape}: {error}"
            ) from error
        return boxes_and_scores(found, self._said, self.size, self.path)


def distinct(boxes: Floats, scores: Scores, overlap: float) -> Rows:
    """Rows of the boxes to keep, the surest first; of equally sure ones the first.

    A box goes if its intersection over union with one that is kept is above `overlap`.

    Args:
        boxes: `[K, 4]`: left, top, right, bottom.
        scores: `[K]`.
        overlap: 0 to 1; with 1 all are kept.
    """
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    left = np.argsort(-scores, kind="stable")
    kept = []
    while left.size:
        best, left = left[0], left[1:]
        kept.append(best)
        common = np.minimum(boxes[best, 2:], boxes[left, 2:]) - np.maximum(
            boxes[best, :2], boxes[left, :2]
        )
        both = np.prod(np.maximum(common, 0), axis=1)
        # Not divided: two boxes without area have no union.
        left = left[both <= overlap * (areas[best] + areas[left] - both)]
    return np.array(kept, np.int64)


def _input_size(inputs: list[Any], path: Path) -> tuple[int, int]:
    """Height and width of the one input."""
    taken = image_input(
        inputs,
        path,
        "float32 [1, 3, H, W], as YOLOv8 is exported (not in half precision)",
        layout="NCHW",
    )
    if taken.batch not in (None, 1):
        raise ModelError(f"{path}: takes {taken.batch} images at a time; expected one")
    height, width = (taken.height or DEFAULT_SIDE, taken.width or DEFAULT_SIDE)
    if not (1 <= height <= 4096 and 1 <= width <= 4096):
        raise ModelError(f"{path}: takes {height} x {width} pixels; expected at most 4096 a side")
    return height, width


def _output_shape(outputs: list[Any], path: Path) -> tuple[int, ...] | None:
    """The shape of the one output; None where the file leaves it open."""
    if len(outputs) != 1:
        names = ", ".join(one.name for one in outputs)
        raise ModelError(
            f"{path}: has {len(outputs)} outputs ({names}); expected one of shape [1, 4 + C, A], "
            "as YOLOv8 is exported for detection without nms=True"
        )
    shape = outputs[0].shape
    if shape and all(isinstance(side, int) for side in shape):
        return tuple(shape)
    return None
