"""Outputs of face detectors of the YOLO family, read as boxes and how sure each is.

An output is a table of A candidates with W numbers each, `[1, W, A]` or `[1, A, W]`:

- `yolov8`: box, then the scores of W - 4 classes; one candidate for each cell of its grids;
- `yolov8-pose`: box, score, then landmarks of two or three numbers each (YOLOv8-face);
- `yolov5`: box, objectness, then the scores of W - 5 classes, each to be multiplied by it; three
  candidates for each cell (YOLOv7 too), or one (YOLOv6, YOLOX).

A box is centre x, centre y, width, height in pixels of the input; scores are 0 to 1. Which it is
the file says in its metadata, or else the shape, or else, for landmarks, the numbers. Where none
does, `{"kind": "yolov8"}` in `PATH.json` must: a wrong guess makes thousands of faces, or none.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from mining.errors import ModelError
from pairsets.storage.json_files import read_json

Kind = Literal["yolov8", "yolov8-pose", "yolov5"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# A detector has some thousand candidates; fewer than this many are no candidates, but detections.
_FEWEST = 32
# Pixels between the cells of the grids that networks of this family have.
_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_ANCHORS = 3
# Box, score and five landmarks, of two or three numbers each.
_POSES = (4 + 1 + 5 * 2, 4 + 1 + 5 * 3)
# How far from 0 to 1 rounding may bring a score.
_SLACK = 1e-3


def kind_said(path: Path, metadata: Mapping[str, str]) -> Kind | int | None:
    """The kind of output that `PATH.json` or the file's metadata tell, or how many classes it has.

    Args:
        path: of the network.
        metadata: its own, as ultralytics writes it: `task`, `names` of the classes.

    Returns:
        None where neither says anything.

    Raises:
        ModelError: `PATH.json` is no `{"kind": KIND}`.
    """
    sidecar = path.with_name(f"{path.name}.json")
    if sidecar.is_file():
        found = read_json(sidecar, "what kind of network it is", error=ModelError)
        told = isinstance(found, dict) and isinstance(found.get("kind"), str)
        if not told or found["kind"] not in KINDS or len(found) > 1:
            raise ModelError(f'{sidecar}: expected {{"kind": KIND}}, one of {", ".join(KINDS)}')
        return cast(Kind, found["kind"])
    if metadata.get("task") == "pose":
        return "yolov8-pose"
    try:
        return len(ast.literal_eval(metadata["names"]))
    except (KeyError, ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def width_of(shape: tuple[int, ...], path: Path) -> int:
    """Numbers a candidate of an output: its shorter side.

    Raises:
        ModelError: an output of another shape.
    """
    if len(shape) == 3 and shape[0] == 1 and min(shape[1:]) >= 5 and max(shape[1:]) >= _FEWEST:
        return min(shape[1:])
    raise ModelError(
        f"{path}: its output is {list(shape)}; expected [1, 4 + C, A] or [1, A, 4 + C] with A "
        f"candidates, {_FEWEST} or more, as YOLOv8 is exported for detection without nms=True"
    )


def kind_of(
    shape: tuple[int, ...], said: Kind | int | None, size: tuple[int, int], path: Path
) -> Kind | None:
    """The kind of an output of this shape; None where its numbers must tell (`_POSES`).

    Args:
        shape: of the output.
        said: of `kind_said`.
        size: height and width of the input.
        path: of the network, for the error.

    Raises:
        ModelError: the shape is one of several kinds.
    """
    width, count = width_of(shape, path), max(shape[1:])
    if isinstance(said, str):
        return said
    if said is not None and width - said in (4, 5):
        return "yolov8" if width - said == 4 else "yolov5"
    cells = {sum(-(-size[0] // s) * -(-size[1] // s) for s in strides) for strides in _STRIDES}
    single, triple = count in cells, count in {_ANCHORS * n for n in cells}
    if triple and not single:
        return "yolov5" if width > 5 else "yolov8"  # of five numbers the last is the score anyway
    if width in _POSES:
        return None
    # YOLOv8 alone lets the candidates come last; YOLOv6, YOLOX and others do not.
    if shape[1] == width or (width == 5 and single):
        return "yolov8"
    raise ambiguous(shape, path)


def ambiguous(shape: tuple[int, ...], path: Path) -> ModelError:
    """The error for an output that could be of several kinds."""
    width = width_of(shape, path)
    return ModelError(
        f"{path}: its output {list(shape)} may hold {width - 4} classes (YOLOv8), or objectness "
        f"and {width - 5} classes (YOLOv5, YOLOv6, YOLOX), or boxes that are chosen already; if it "
        f'is one of the former two, say which in {path.name}.json: {{"kind": "yolov8"}} or "yolov5"'
    )


def boxes_and_scores(
    found: NDArray[Any], said: Kind | int | None, size: tuple[int, int], path: Path
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Boxes `[A, 4]` as the network has them, and how sure it is of each, `[A]`, 0 to 1.

    Args:
        found: the output.
        said: of `kind_said`.
        size: height and width of the input.
        path: of the network, for errors.

    Raises:
        ModelError: an output of another shape, of a kind that nothing tells, or whose scores are
            none.
    """
    width = width_of(found.shape, path)
    rows = found[0] if found.shape[2] == width else found[0].T
    told = kind_of(found.shape, said, size, path)
    if told is None:
        outside = (rows[:, 5:] < -_SLACK) | (rows[:, 5:] > 1 + _SLACK)
        if outside.any():
            told = "yolov8-pose"  # landmarks lie all over the picture, and scores do not
        elif found.shape[1] == width:
            told = "yolov8"
        else:
            raise ambiguous(found.shape, path)
    scores = rows[:, 4:5] if told == "yolov8-pose" else rows[:, 4:]
    if told == "yolov5" and width == 5:
        raise ModelError(f"{path}: its output {list(found.shape)} has no classes, as yolov5 has")
    if not np.isfinite(scores).all() or scores.min() < -_SLACK or scores.max() > 1 + _SLACK:
        raise ModelError(
            f"{path}: class scores from {scores.min():g} to {scores.max():g}; expected 0 to 1: are "
            "they logits, or is the output of another kind?"
        )
    best = scores[:, 0] * scores[:, 1:].max(axis=1) if told == "yolov5" else scores.max(axis=1)
    return rows[:, :4], np.clip(best, 0, 1)
