"""Spots that stand out in a picture, at several scales, and what each looks like.

Corners (Shi and Tomasi, 1994) are looked for in one picture at several sizes, and what is about
each described as SIFT does (Lowe, 2004), by directions of gradients in 4 x 4 cells, but upright: a
picture that is copied is cut, squeezed, mirrored and turned by a little, hardly ever by much. All
sums are of whole numbers: they are exact in whatever order a processor takes them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from mining.suspects.pictures.single_thread import product
from pairsets.arrays import Rows

# Sizes of the picture that are looked at, as shares, and spots of each at most.
LEVELS = (1.0, 0.76, 0.58, 0.44, 0.33)
SPOTS = (44, 34, 24, 16, 10)
# Pixels from a spot, across and down, at which gradients are taken.
_AT = np.arange(-7, 8, 2)
# Strength of a corner: of the strongest one's, and at least (in levels of grey, squared).
_LEAST_SHARE, _LEAST = 0.004, 2e-5

_NEIGHBOURS = np.ones((3, 3), np.uint8)
BLUR = 0.9

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


def described(grey: Bytes) -> tuple[Floats, Floats, Bytes]:
    """Places `[K, 2]`, scales `[K]` and words `[K, 128]` of the strongest spots of a grey picture.

    A word is 4 rows by 4 columns of cells with 8 directions each: the root of their shares.
    """
    import cv2

    height, width = grey.shape
    rim = int(_AT[-1])
    places, scales, gradients = [], [], []
    level = grey
    for share, count in zip(LEVELS, SPOTS, strict=True):
        size = max(1, round(width * share)), max(1, round(height * share))
        if min(size) <= rim:
            continue
        # Smooth already, a level is made of the one before.
        level = np.asarray(cv2.GaussianBlur(cv2.resize(level, size), (5, 5), BLUR))
        strength = np.asarray(cv2.cornerMinEigenVal(level, 3))
        found = np.flatnonzero(strength == np.asarray(cv2.dilate(strength, _NEIGHBOURS)))
        # The strongest place is a peak, too.
        strengths = strength.ravel()[found]
        strong = strengths > max(_LEAST, _LEAST_SHARE * float(strengths.max()))
        found = found[strong][np.argsort(-strengths[strong], kind="stable")[:count]]
        if not len(found):
            continue
        y, x = np.divmod(found, size[0])
        framed = cv2.copyMakeBorder(level, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
        both = cv2.spatialGradient(framed)
        around = (y * framed.shape[1] + x)[:, None] + _around(framed.shape[1])
        gradients.append([np.asarray(one).ravel()[around] for one in both])
        # Pixels are counted from their middle.
        places.append([(x + 0.5) * (width / size[0]) - 0.5, (y + 0.5) * (height / size[1]) - 0.5])
        scales.append(np.full(len(found), 1 / share))
    if not places:
        return np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros((0, 128), np.uint8)
    return (
        np.concatenate(places, axis=1).T.astype(np.float32),
        np.concatenate(scales).astype(np.float32),
        _words(*np.concatenate(gradients, axis=1).astype(np.float32)),
    )


def _around(width: int) -> Rows:
    """Places of the gradients about the first pixel of a framed picture, in rows of that width."""
    at = _AT + _AT[-1]
    return np.asarray((at[:, None] * width + at).ravel(), np.int64)


def _words(across: Floats, down: Floats) -> Bytes:
    """Words `[K, 128]` of the gradients, `[K, 64]`, that are around spots."""
    count = len(across)
    least = np.rint(np.sqrt(across * across + down * down)) * 7
    channels = np.empty((8, *across.shape), np.float32)
    # Ten times what there is in a direction, less what there is in those beside it.
    ways = (10 * across, 7 * (across + down), 10 * down, 7 * (down - across))
    for at, along in enumerate(ways):
        np.subtract(along, least, out=channels[at])
        np.subtract(-along, least, out=channels[at + 4])
    np.maximum(channels, 0, out=channels)
    pooled = product(channels.reshape(count * 8, -1), _cells())
    words = pooled.reshape(8, count, 16).transpose(1, 2, 0).reshape(count, 128)
    words = words / np.maximum(words.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(np.rint(np.sqrt(words) * 255).astype(np.uint8))


@cache
def _cells() -> Floats:
    """`[64, 16]`: whole weights of what is around a spot in the 4 x 4 cells about it."""
    middles = np.array([-6.0, -2.0, 2.0, 6.0])
    # A cell's weight falls to none at the middle of the next one.
    near = np.maximum(0, 1 - np.abs(_AT[:, None] - middles) / 4)
    near = near * np.exp(-0.5 * (_AT / 8) ** 2)[:, None]
    both = near[:, None, :, None] * near[None, :, None, :]
    return np.asarray(np.rint(16 * both).reshape(len(_AT) ** 2, 16), np.float32)
