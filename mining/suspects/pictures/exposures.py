"""Two pictures brought to one exposure: what light lost in the one is lost in the other, too.

A picture that is made brighter, or of more contrast, loses what would be lighter than white. There
it says nothing of what the other shows. Where a gain and a shift of levels take one to the other,
the same is done to that other, and both are white in the same places; where the other is darker
than that gain explains, it still disagrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mining.suspects.pictures.features import Bytes
from pairsets.arrays import Mask

# Levels below and above which light may be lost, share of them that is worth it, and the gain.
_LOW, _HIGH = 6, 249
_LOST = 0.01
_LEAST_GAIN, _LARGEST_GAIN = 1.1, 3.0
# Values that tell a gain, and how well they must do so (correlation).
_LEAST_VALUES, _LEAST_LIKENESS = 300, 0.7
_ROUNDS = 3


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
    x, y = (one[seen].astype(np.float32).ravel() for one in (first, second))
    if len(x) < _LEAST_VALUES:
        return None
    turned = bool(x.std() > y.std())
    for of_second in (turned, not turned):
        faint, strong = (y, x) if of_second else (x, y)
        lost = [float(((one > _HIGH) | (one < _LOW)).mean()) for one in (strong, faint)]
        found = _gain(faint, strong) if lost[0] - lost[1] >= _LOST else None
        if found is not None:
            return Exposure(*found, of_second)
    return None


def _gain(x: np.ndarray, y: np.ndarray) -> tuple[float, float] | None:
    """Gain and shift that take values of one picture to the other's; None where none does."""
    kept = (y >= _LOW) & (y <= _HIGH) & (x >= _LOW) & (x <= _HIGH)
    gain, shift = 1.0, 0.0
    for _ in range(_ROUNDS):
        if kept.sum() < _LEAST_VALUES:
            return None
        here, there = x[kept].astype(np.float64), y[kept].astype(np.float64)
        across, along = here - here.mean(), there - there.mean()
        squares = float(across @ across)
        if squares <= 0:
            return None
        gain = float(across @ along) / squares
        shift = float(there.mean() - gain * here.mean())
        # Chosen by what lies in the first: to leave out what was lost in the other makes it faint.
        made = gain * x + shift
        kept = (made >= _LOW) & (made <= _HIGH)
    if not _LEAST_GAIN <= gain <= _LARGEST_GAIN:
        return None
    norm = float(np.sqrt(squares * float(along @ along)))
    return (gain, shift) if norm > 0 and float(across @ along) / norm >= _LEAST_LIKENESS else None
