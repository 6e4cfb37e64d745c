"""Corners that a picture has since it was turned in its frame: black or white, and no content."""

from __future__ import annotations

import numpy as np

from mining.suspects.pictures.features import Bytes
from pairsets.arrays import Mask

# Turned by less (radians), a picture leaves no corners worth it.
LEAST_ANGLE = 0.02
# Levels from black or white, share of a corner that must be so, and pixels of its soft edge.
_LEVELS, _SHARE, _EDGE = 28, 0.93, 1.5


def content(pixels: Bytes, angle: float) -> Mask:
    """`[h, w]`: all of a picture but the plain corners that it has if it was turned.

    Args:
        pixels: `[h, w, 3]`.
        angle: by which its content is turned in its frame, radians, from x towards y.
    """
    height, width = pixels.shape[:2]
    whole = np.ones((height, width), np.bool_)
    tips = pixels[:: height - 1, :: width - 1].reshape(-1, 3)
    plain_tips = (tips.max(axis=1) < _LEVELS) | (tips.min(axis=1) > 255 - _LEVELS)
    if abs(angle) < LEAST_ANGLE or not plain_tips.any():
        return whole
    y, x = np.mgrid[:height, :width]
    x, y = x - (width - 1) / 2, y - (height - 1) / 2
    along, down = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    beyond = np.maximum(np.abs(along) - width / 2, np.abs(down) - height / 2)
    outside = beyond > _EDGE
    dark, light = pixels.max(axis=2) < _LEVELS, pixels.min(axis=2) > 255 - _LEVELS
    for upper in (True, False):
        for left in (True, False):
            corner = ((y < 0) == upper) & ((x < 0) == left)
            plain = outside & corner
            if plain.any() and max(dark[plain].mean(), light[plain].mean()) >= _SHARE:
                whole &= ~(corner & (beyond > -_EDGE))
    return whole
