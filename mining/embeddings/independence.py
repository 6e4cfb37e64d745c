"""Proof that a picture's vector is its own: the same whatever else is in the call that makes it.

Vectors are made in batches, kept, and joined by later ones from other batches, so this must hold
or a set's vectors are of no one model. It does not for a network left in training mode, whose
batch normalisation averages over the call, nor for one that was quantised dynamically, which takes
one scale for all of it, nor for code that centres its vectors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.journal import Vectors
from mining.errors import ModelError
from mining.models.base import Model

# How far apart, as a share of a vector's length, rounding alone may bring two ways to compute it
# in float32: a unit roundoff of 2**-24, the square root of sums of up to 2**14 terms, 16 layers
# deep.
_ROUNDING = 2.0 ** (-24 + 14 // 2 + 4)
# The same pictures twice may come out so far apart, in half precision and with threads that add
# in any order; what is beyond is chance in the network.
_NOISE = 2.0**-5
# Noise of two calls may add up, and more so in one picture than in another.
_TIMES = 4


def prove_independent(
    model: Model, pixels: Sequence[NDArray[np.generic]], count: int, vectors: Vectors
) -> None:
    """Check the vectors of a batch against those of some of its pictures alone.

    Costs a call of one picture for each of three of them. Where these differ by more than
    rounding, which they may in half precision, two more calls of the whole batch's shape decide.

    Args:
        model: made `vectors`.
        pixels: the batch, as `preprocess` gave it.
        count: pictures in it that are not there to fill it up.
        vectors: `[len(pixels), D]`.

    Raises:
        ModelError: a picture's vector depends on the others, or on chance.
    """
    for row in sorted({0, count // 2, count - 1}):
        one = pixels[row]
        try:
            alone = model.encode(np.stack([one]))
            if alone.shape == (1, vectors.shape[1]) and _apart(alone, vectors[row]) <= _ROUNDING:
                continue
        except ModelError:
            pass  # of a model that takes no single picture; none is given to it below
        # The same shape and the same place in it: what differs now is the company alone.
        lonely = model.encode(np.stack([one] * len(pixels)))[row]
        if _apart(lonely, vectors[row]) <= _ROUNDING:
            continue
        noise = _apart(model.encode(np.stack(pixels)), vectors)
        if noise > _NOISE:
            raise ModelError(
                f"{model.name}: gives the same pictures other vectors each time, so that none of "
                "them can be kept. Likely cause: a network left in training mode, where dropout "
                "draws at random; call its eval()"
            )
        if _apart(lonely, vectors[row]) > max(_ROUNDING, _TIMES * noise):
            raise ModelError(
                f"{model.name}: a picture's vector depends on the others in its batch, so that it "
                "would be another one tomorrow. Likely cause: a network left in training mode "
                "(call its eval()), one that is quantised dynamically, or vectors centred over the "
                "batch. Mend it; or, if one picture at a time is meant, give --batch-size 1 and a "
                "new folder for the vectors"
            )


def _apart(found: Vectors, expected: Vectors) -> float:
    """The largest distance of two vectors of a row, as a share of the longer one's length."""
    one, other = (np.atleast_2d(np.asarray(v, np.float64)) for v in (found, expected))
    length = np.maximum(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1))
    return float(np.max(np.linalg.norm(one - other, axis=1) / np.maximum(length, 1e-300)))
