"""Rows of unit norm, so that their inner products are cosines."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import IndexesError, Metric, Vectors, as_vectors, numbers_by_row, rows_said

# Values that are brought to unit norm at once.
PART = 2**20


def unit_rows(vectors: ArrayLike, what: str = "vectors") -> Vectors:
    """`vectors [N, D]` brought to unit norm in float64, as a new float32 array.

    Squares are summed coordinate by coordinate in order, so the rows are the same bytes on every
    machine. Rows of any size are taken: powers of two are divided out first.

    Raises:
        IndexesError: vectors of another shape or dtype, values that are not finite, or rows of
            nothing but noughts, which have no direction; the message lists the rows.

    >>> unit_rows([[3.0, 4.0], [0.0, 1e-300]]).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 1.0]]
    """
    array = numbers_by_row(vectors, what)
    found = np.empty(array.shape, np.float32)
    step = max(1, PART // array.shape[1])
    for start in range(0, len(array), step):
        part = np.array(array[start : start + step], np.float64)
        bad = np.flatnonzero(~np.isfinite(part).all(axis=1)) + start
        if bad.size:
            raise IndexesError(f"{what} not finite (nan or infinity) in row {rows_said(bad)}")
        largest = np.abs(part).max(axis=1)
        empty = np.flatnonzero(largest == 0) + start
        if empty.size:
            raise IndexesError(
                f"{what} of nothing but noughts in row {rows_said(empty)}: no direction, so no "
                "cosine; pictures that could not be read? Leave these rows out"
            )
        part = np.ldexp(part, -np.frexp(largest)[1][:, None])
        found[start : start + step] = part / np.sqrt(_squares(part))[:, None]
    return found


def measured_rows(vectors: ArrayLike, metric: Metric, what: str = "vectors") -> Vectors:
    """`vectors` whose inner products are the scores of `metric`: as they are, or of unit norm.

    Raises:
        IndexesError: see `unit_rows` and `indexes.base.as_vectors`.
    """
    return unit_rows(vectors, what) if metric == "cosine" else as_vectors(vectors, what)


def _squares(part: NDArray[np.float64]) -> NDArray[np.float64]:
    """`[N]`: the squared norm of each row."""
    total = np.zeros(len(part))
    for column in np.ascontiguousarray(part.T):
        total += column * column
    return total
