"""Two pictures brought to one exposure: what light lost in the one is lost in the other, too.

A picture that is made brighter, or of more contrast, loses what would be lighter than white. There
it says nothing of what the other shows. Where a gain and a shift of levels take one to the other,
the same is done to that other, and both are white in the same places; where the other is darker
than that gain explains, it still disagrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mining.suspects.pictures.features import Bytes
from pairsets.arrays import Mask

# Levels below and above which light may be lost, share of them that is worth it, and the gain.
_LOW, _HIGH = 6, 249
_LOST = 0.01
_LEAST_GAIN, _LARGEST_GAIN = 1.1, 3.0
# Values that tell a gain, and how well they must do so (correlation).
_LEAST_VALUES, _LEAST_LIKENESS = 300, 0.7
# Values that are looked at, at most.
_VALUES = 2048
# Levels from which a ratio of two tells anything, and what lies beside lost light.
_DIM = 16
_NEAR = np.ones((5, 5), np.uint8)


@dataclass(frozen=True)
class Exposure:
    """Gain and shift of levels that make one of two pictures as exposed as the other.

    Attributes:
        gain, shift: of its levels.
        of_second: whether the second one is the fainter.
    """

    gain: float
    shift: float
    of_second: bool

    def of(self, pixels: Bytes) -> Bytes:
        """The fainter picture with as much light lost as the other."""
        levels = np.clip(np.arange(256) * self.gain + self.shift, 0, 255)
        return np.asarray(np.rint(levels).astype(np.uint8)[pixels])


def exposure_between(first: Bytes, second: Bytes, seen: Mask) -> Exposure | None:
    """Exposure that explains what light one of two pictures lost that lie over each other.

    None where the stronger one lost none, or no gain explains it.

    Args:
        first, second: `[h, w, 3]`.
        seen: `[h, w]`, places that both show.
    """
    lost = [((one > _HIGH) | (one < _LOW)) & seen[:, :, None] for one in (first, second)]
    counts = [np.count_nonzero(one) for one in lost]
    least = _LOST * 3 * np.count_nonzero(seen)
    if max(counts) - min(counts) <= least:
        return None
    of_second = bool(counts[0] > counts[1])
    faint, strong = (second, first) if of_second else (first, second)
    # What lies beside lost light has its share of it.
    near = np.asarray(cv2.dilate(lost[not of_second].astype(np.uint8), _NEAR))
    found = _gain(faint, strong, (near == 0) & seen[:, :, None], seen)
    return None if found is None else Exposure(*found, of_second)


def _gain(faint: Bytes, strong: Bytes, clear: Mask, seen: Mask) -> tuple[float, float] | None:
    """Gain and shift that take levels of one picture to the other's; None where none does.

    Args:
        faint, strong: `[h, w, 3]`.
        clear: `[h, w, 3]`, where neither lost light.
        seen: `[h, w]`, all places that both show.
    """
    rows = np.flatnonzero(clear)
    if len(rows) < _LEAST_VALUES:
        return None
    rows = rows[:: -(-len(rows) // _VALUES)]
    x, y = (one.ravel()[rows].astype(np.float64) for one in (faint, strong))
    across, along = x - x.mean(), y - y.mean()
    squares = float(across @ across)
    norm = np.sqrt(squares * float(along @ along))
    if norm <= 0 or float(across @ along) / norm < _LEAST_LIKENESS:
        return None
    gain = float(across @ along) / squares
    light = x >= _DIM
    # A gain alone is told better by little light than one with a shift.
    both = [(gain, float(y.mean() - gain * x.mean()))]
    both += [(float(np.median(y[light] / x[light])), 0.0)] if light.any() else []
    rows = np.flatnonzero(seen)
    rows = rows[:: -(-len(rows) // _VALUES)]
    here, there = (one.reshape(-1, 3)[rows].astype(np.float64) for one in (faint, strong))
    misses = [float(np.abs(np.clip(g * here + s, 0, 255) - there).mean()) for g, s in both]
    gain, shift = both[int(np.argmin(misses))]
    return (gain, shift) if _LEAST_GAIN <= gain <= _LARGEST_GAIN else None
