"""View of a picture by a model: where it looks, and how something else is laid over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.models.base import Model
from pairsets.arrays import Floats

Box = tuple[float, float, float, float]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# How far a ramp may be from straight after a resize, in grey levels.
_STRAIGHT = 3.0


@dataclass(frozen=True, eq=False)
class View:
    """View of a picture, as it goes into a model.

    Attributes:
        model: whose way.
        pixels: uint8 `[H, W, 3]`: what `preprocess` makes of the picture, where that is again a
            picture; otherwise the picture itself.
        box: left, top, right and bottom of what `pixels` show, as fractions of the picture.
        is_input: `pixels` are what `encode` stacks, and need no `preprocess` any more.
    """

    model: Model
    pixels: NDArray[np.uint8]
    box: Box
    is_input: bool

    @classmethod
    def of(cls, image: Image.Image, model: Model) -> View:
        """View that `model` has of an RGB image.

        Where masks can be laid over the model's own input, they are: they then hide what they
        should whatever was cropped, and nothing is resized anew. Whether they can is tried, with a
        picture that tells its coordinates, and not asked, since a user's own code cannot be asked.
        """
        given = np.asarray(model.preprocess(image))
        if given.ndim == 3 and given.shape[2] == 3 and given.dtype == np.uint8:
            ramps = np.asarray(model.preprocess(_ramps(*image.size)))
            box = _box(ramps) if ramps.shape == given.shape else None
            if box is not None:
                return cls(model, given, box, is_input=True)
        return cls(model, np.asarray(image), WHOLE, is_input=False)

    def stack(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.generic]:
        """Batch for `encode` from pictures of the size of `pixels`."""
        if self.is_input:
            return np.stack(pictures)
        return np.stack(
            [np.asarray(self.model.preprocess(Image.fromarray(one))) for one in pictures]
        )


def _ramps(width: int, height: int) -> Image.Image:
    """A picture whose red rises from left to right and whose green from top to bottom."""
    ramps = np.zeros((height, width, 3), np.uint8)
    ramps[:, :, 0] = (np.arange(width) + 0.5) / width * 255
    ramps[:, :, 1] = ((np.arange(height) + 0.5) / height * 255)[:, None]
    return Image.fromarray(ramps)


def _box(seen: NDArray[np.uint8]) -> Box | None:
    """Part of the ramps that a picture shows; None where they do not rise straight any more."""
    across = _edges(seen[:, :, 0].mean(axis=0), seen[:, :, 0])
    down = _edges(seen[:, :, 1].mean(axis=1), seen[:, :, 1].T)
    return None if across is None or down is None else (across[0], down[0], across[1], down[1])


def _edges(means: Floats, lines: NDArray[np.uint8]) -> tuple[float, float] | None:
    """Begin of the first pixel and end of the last one, as fractions of the ramp."""
    count = len(means)
    if count < 2:
        return WHOLE[0], WHOLE[2]
    # The ends are left out: filters bend there, and some crops add black.
    inner = slice(count // 8, count - count // 8)
    at = np.arange(count)[inner] + 0.5
    rise, start = np.polyfit(at, means[inner] + 0.5, 1)
    if rise * count < 1 or np.abs(lines[:, inner] + 0.5 - (start + rise * at)).max() > _STRAIGHT:
        return None
    low, high = start / 255, (start + rise * count) / 255
    # Within a grey level of the picture's edge it is the edge.
    return (0.0 if abs(low) < 0.01 else low), (1.0 if abs(high - 1) < 0.01 else high)
