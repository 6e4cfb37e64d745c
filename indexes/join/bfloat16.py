"""Bfloat16 numbers: compared by their bits, and what they were before they were rounded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from indexes.base import Mask, Scores


def floor32(value: float) -> np.float32:
    """The largest float32 that is at most `value`."""
    with np.errstate(over="ignore"):
        near = np.float32(value)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > value else near


def floor_bits(value: float) -> np.int16:
    """The bits of the largest bfloat16 that is at most `value`."""
    bits = int(floor32(value).view(np.uint32))
    cut = bits >> 16
    if bits & 0xFFFF and cut & 0x8000:
        cut += 1  # away from zero is down for a negative number
    if not cut:
        cut = 0x8000  # -0.0 is not less than 0.0
    return np.uint16(cut).view(np.int16)


def at_least(bits: NDArray[np.int16], least: np.int16, out: Mask) -> Mask:
    """Whether the bfloat16 numbers with these `bits` are at least that with the bits `least`.

    Compared as whole numbers: positive floats stand in the order of their bits, negative ones in
    the reverse of it, below them.
    """
    if least >= 0:
        return np.greater_equal(bits, least, out=out)
    np.less_equal(bits, least, out=out)
    out |= bits >= 0
    return out


def unrounded(products: Scores) -> Scores:
    """Upper bounds of the numbers that were rounded to these bfloat16 ones."""
    return products + np.abs(products) * 2.0**-7 + 2.0**-126
