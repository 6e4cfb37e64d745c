"""Nearest rows of two sets of vectors, exact: each with those of the other it is nearest to."""

from __future__ import annotations

import numpy as np

from indexes import pair_scores
from indexes.join import filter_dtype, margin, norms
from pairsets.arrays import Rows

# Scores held at a time.
_SCORES = 2**22
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def nearest_pairs(ours: Vectors, theirs: Vectors, known: Rows, count: int) -> Rows:
    """`[M, 2]`, sorted: each row of either set with its `count` nearest of the other, exact.

    Equal scores go to the row that comes first.

    Args:
        ours, theirs: `[A, D]` and `[B, D]`.
        known: `[K, 2]` pairs that are left out.
        count: 1 or more.
    """
    found = [_nearest(ours, theirs, known, count)]
    found.append(_nearest(theirs, ours, known[:, ::-1], count)[:, ::-1])
    return np.unique(np.concatenate(found), axis=0)


def _nearest(rows: Vectors, others: Vectors, known: Rows, count: int) -> Rows:
    """Each of `rows` with its nearest `others`: by rough products, settled by exact scores."""
    if not len(rows) or not len(others):
        return np.empty((0, 2), np.int64)
    lengths, count = [norms(part) for part in (rows, others)], min(count, len(others))
    dtype = filter_dtype(np.concatenate(lengths))
    slack = 2 * margin(rows.shape[1], lengths[0] * float(lengths[1].max()), dtype)
    right = others.astype(dtype).T
    step = max(1, _SCORES // len(others))
    found = []
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        rough = (rows[part].astype(dtype) @ right).astype(np.float64)
        inside = known[(known[:, 0] >= start) & (known[:, 0] < start + len(rough))]
        rough[inside[:, 0] - start, inside[:, 1]] = -np.inf
        last = np.partition(rough, -count, axis=1)[:, -count]
        at, column = np.nonzero((rough >= (last - slack[part])[:, None]) & (rough > -np.inf))
        at += start
        exact = pair_scores(rows, others, at, column)
        order = np.lexsort((column, -exact, at))
        at, column = at[order], column[order]
        place = np.arange(len(at)) - np.searchsorted(at, at, side="left")
        found.append(np.column_stack([at, column])[place < count])
    return np.concatenate(found)
