"""Model of the floor: a colour thumbnail, no network and no weights.

A reference model that does not beat it has learned nothing about faces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from mining.models.base import Precision, Similarity, digest
from mining.models.transform import Preprocessing
from pairsets.storage.artefacts import installed

SIDE = 16
# Part of every vector: without it two plain greys just below and above the middle would point in
# opposite directions.
BIAS = 0.05


class Pixels:
    """Model without weights, by the layout of an image's colours and which they are.

    A vector has `3 * 16 * 16 + 4` components: the 16 x 16 RGB thumbnail with each channel's mean
    taken off (the layout of hair, skin and background, divided by 16 so that its length is the
    colours' standard deviation), the three means less one half, and a constant. An image of one
    colour has no layout, and is compared by that colour.
    """

    similarity: Similarity = "cosine"
    notes: Sequence[str] = ()

    def __init__(self, name: str) -> None:
        """Takes nothing but its name: there is nothing to load."""
        self.name = name
        self._preprocessing = Preprocessing((SIDE, SIDE), (SIDE, SIDE), "box")
        self.provenance: Mapping[str, object] = {
            "family": "pixels",
            "side": SIDE,
            "bias": BIAS,
            "resize": "stretch, box filter",
            "precision": "fp32",
            "versions": installed("numpy", "pillow"),
        }
        self.fingerprint = digest(self.provenance)

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """uint8 `[16, 16, 3]`, stretched."""
        return self._preprocessing.apply(image)

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, 772]` of uint8 `[B, 16, 16, 3]`."""
        colours = batch.astype(np.float64) / 255
        means = colours.mean(axis=(1, 2), keepdims=True)
        layout = (colours - means).reshape(len(batch), -1) / SIDE
        tone = means.reshape(len(batch), 3) - 0.5
        bias = np.full((len(batch), 1), BIAS)
        return np.hstack([layout, tone, bias]).astype(np.float32)


def load(argument: str, *, name: str, device: str, precision: Precision) -> Pixels:
    """Load the model `pixels`: no argument, and fp32 on the CPU whatever the device.

    Raises:
        ModelError: given an argument, or asked for bf16.
    """
    if argument:
        raise ModelError(f"model {name!r}: pixels takes no argument")
    if precision != "fp32":
        raise ModelError(f"model {name!r}: computes with NumPy, in fp32 alone, not {precision}")
    return Pixels(name)
