"""Exact scores, and how far a filter's score can lie from them.

**The score** of a pair is the inner product of its float32 vectors, summed in float64 coordinate
by coordinate in order: products of float32 values are exact in float64, so this number does not
depend on the machine. All ranking is done on it.

**float32 filter.** For a dot product of D terms in any order of summation, fused or not (Higham,
Accuracy and Stability of Numerical Algorithms, section 3.1),

    |fl(x . y) - x . y|  <=  gamma(D) * sum |x_k y_k|  <=  gamma(D) * |x| |y|,
    gamma(D) = D u / (1 - D u),  u = 2^-24,

plus D 2^-125 for products that underflow, flushed to zero or not. (Subnormal inputs are taken as
they are, which is so unless a program asks its processor to zero them.) The same with u = 2^-53
covers the float64 score itself.

**bfloat16 filter.** With x' the vector rounded to bfloat16 and e = x - x',

    |x . y - x' . y'|  =  |e_x . y + x' . e_y|  <=  |e_x| |y| + |x'| |e_y|,

where |e| is measured for the vectors at hand, not guessed from the format. Products of bfloat16
values are exact in float32; they are summed there with an error of at most gamma(D) |x'| |y'| with
u = 2^-21, which leaves room for matrix units that truncate instead of rounding (Fasi et al.,
Numerical behavior of NVIDIA tensor cores, 2021). Values that the unit takes for zero because they
are subnormal lose at most 2^-126 each. The result may be rounded to bfloat16 once more; that is
monotone, so a threshold rounded *down* to bfloat16 loses nothing.

A pair whose exact score is at least t thus has a filter score of at least t minus the bound.
"""

from __future__ import annotations

from typing import TypeVar, overload

import numpy as np

from indexes.base import Rows, Scores, Vectors
from indexes.memory import gather

FLOAT32: np.dtype[np.floating] = np.dtype(np.float32)
FLOAT64: np.dtype[np.floating] = np.dtype(np.float64)
# Products of larger vectors could overflow float32 or bfloat16; float64 ones of float32 never do.
LARGEST_NORM = 2.0**60
# Values of two float64 blocks that stay in a core's cache together.
_BLOCK = 2**15


def pair_scores(left: Vectors, right: Vectors, i: Rows, j: Rows) -> Scores:
    """The score of each pair `(left[i], right[j])`, `[M]`: the number every ranking is made on."""
    scores = np.empty(len(i), np.float64)
    step = max(2, _BLOCK // left.shape[1])
    for start in range(0, len(i), step):
        rows = slice(start, start + step)
        products = gather(left, i[rows]).astype(np.float64)
        products *= gather(right, j[rows])
        scores[rows] = _sums_in_order(products)
    # No score is -0.0, which a sum of one number may be.
    scores += 0.0
    return scores


def _sums_in_order(products: Scores) -> Scores:
    """Sums of the rows of `products [M, D]`, coordinate by coordinate."""
    if len(products) == 1:
        # One row alone numpy would add pairwise.
        return np.add.accumulate(products, axis=1)[:, -1]
    # Along the slow axis it adds whole rows, one after the other.
    return np.asarray(np.add.reduce(np.ascontiguousarray(products.T), axis=0))


def norms(vectors: Vectors) -> Scores:
    """Upper bounds `[N]` of the Euclidean norms, within a share of D 2^-51 of them."""
    lengths = np.empty(len(vectors), np.float64)
    step = max(1, _BLOCK // vectors.shape[1])
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step].astype(np.float64)
        lengths[start : start + step] = np.sqrt(np.einsum("nd,nd->n", part, part))
    lengths *= 1 + vectors.shape[1] * 2.0**-52
    return lengths


def norms32(vectors: Vectors) -> Scores:
    """Upper bounds `[N]` of the norms, quicker and looser than `norms`: summed in float32."""
    width = vectors.shape[1]
    squares = np.einsum("nd,nd->n", vectors, vectors).astype(np.float64)
    return np.asarray(np.sqrt(squares * (1 + width * 2.0**-23) + width * 2.0**-125))


def filter_dtype(lengths: Scores) -> np.dtype[np.floating]:
    """float32, or float64 where products of vectors of these norms could overflow float32."""
    fits = lengths.size == 0 or float(lengths.max()) < LARGEST_NORM
    return FLOAT32 if fits else FLOAT64


Bound = TypeVar("Bound", float, Scores)


def margin(terms: int, product: Bound, dtype: np.dtype[np.floating] = FLOAT32) -> Bound:
    """Largest distance of a `dtype` dot product of D = `terms` from the reported score.

    `product` bounds |x| |y|, of one pair or of many; the derivation is in the module's docstring.
    """
    unit = 2.0**-24 if dtype == FLOAT32 else 2.0**-53
    gamma = terms * unit / (1 - terms * unit) + 2 * terms * 2.0**-53
    return gamma * product + terms * 2.0**-125


def products32(vectors: Vectors, i: Rows, j: Rows) -> Scores:
    """Float32 dot products `[M]` of pairs of rows: cheap, and near the score by `margin`."""
    products = np.empty(len(i), np.float32)
    step = max(2, 2 * _BLOCK // vectors.shape[1])
    for start in range(0, len(i), step):
        rows = slice(start, start + step)
        left, right = gather(vectors, i[rows]), gather(vectors, j[rows])
        np.einsum("md,md->m", left, right, out=products[rows])
    return products.astype(np.float64)


@overload
def rounded(value: float, dtype: np.dtype[np.floating]) -> np.floating: ...


@overload
def rounded(value: Scores, dtype: np.dtype[np.floating]) -> Vectors: ...


def rounded(value: float | Scores, dtype: np.dtype[np.floating]) -> np.floating | Vectors:
    """Value, or values, in `dtype`, in order: whatever f of that type is >= it is >= this."""
    with np.errstate(over="ignore"):
        if isinstance(value, np.ndarray):
            return value.astype(dtype)
        return dtype.type(value)
