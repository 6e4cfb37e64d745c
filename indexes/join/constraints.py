"""Constraints on the pairs that may be taken: groups, exclusions, and the scores between limits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import IndexesError, Mask, Rows, Scores


@dataclass(frozen=True, eq=False)
class PairConstraints:
    """Constraints that a pair of rows has to meet.

    Attributes:
        groups: `[N]` codes.
        same: whether the two groups have to be equal (else different).
        lowest, highest: scores that still count.
        excluded: `[K]` sorted keys i * N + j, i < j, of pairs that may not be taken.
        apart: `[K]` sorted keys of pairs of groups that may not be taken.
        ceilings: `[N]`; a pair counts only if it scores at most the lower of its two.
        split: number of the first row of a second set, where a pair is of both: i < split <= j.
            The search goes over no others, so `admit` does not ask.
    """

    groups: Rows
    same: bool = False
    lowest: float = -np.inf
    highest: float = np.inf
    excluded: Rows | None = None
    apart: Rows | None = None
    ceilings: Scores | None = None
    split: int | None = None

    def admit(self, i: Rows, j: Rows) -> Mask:
        """`[M]`: whether the pairs i < j may be taken, their scores aside."""
        a, b = self.groups[i], self.groups[j]
        kept: Mask = (a == b) if self.same else (a != b)
        if self.excluded is not None:
            kept &= ~_among(i * len(self.groups) + j, self.excluded)
        if self.apart is not None:
            kept &= ~_among(_keys(a, b, len(self.groups)), self.apart)
        return kept

    @property
    def capped(self) -> bool:
        """Whether a pair can score too high."""
        return self.ceilings is not None or self.highest < np.inf

    def tops(self, i: Rows, j: Rows) -> Scores:
        """`[M]`: the highest score that each pair may have."""
        if self.ceilings is None:
            return np.full(len(i), self.highest)
        lower = np.minimum(self.ceilings[i], self.ceilings[j])
        return np.minimum(lower, self.highest)


def pair_keys(pairs: ArrayLike | None, count: int, what: str) -> Rows | None:
    """Sorted keys of `pairs [K, 2]` of numbers below `count`, either way round.

    Raises:
        IndexesError: another shape, or a number that is no row.
    """
    if pairs is None:
        return None
    try:
        array = np.asarray(pairs)
    except ValueError:
        raise IndexesError(f"{what} of rows of several lengths; expected [K, 2]") from None
    if array.size == 0:
        return None
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise IndexesError(f"{what} of shape {array.shape}; expected whole numbers [K, 2]")
    wrong = np.flatnonzero(((array < 0) | (array >= count)).any(axis=1))
    if wrong.size:
        row = int(wrong[0])
        raise IndexesError(f"{what}: row {row} is {array[row].tolist()}; expected 0 to {count - 1}")
    array = array.astype(np.int64)
    return np.unique(_keys(array[:, 0], array[:, 1], count))


def score_limits(min_score: float | None, max_score: float | None) -> tuple[float, float]:
    """Lowest and highest score that counts: infinity where there is no limit.

    Raises:
        IndexesError: limits that are no numbers, or that nothing can pass.
    """
    limits = [-np.inf, np.inf]
    for at, (value, what) in enumerate(((min_score, "min_score"), (max_score, "max_score"))):
        if value is None:
            continue
        try:
            limits[at] = float(value)
        except (TypeError, ValueError):
            limits[at] = np.nan
        if not np.isfinite(limits[at]):
            raise IndexesError(f"{what} of {value}; expected a finite number")
    if limits[0] > limits[1]:
        raise IndexesError(f"min_score {min_score} above max_score {max_score}: nothing can pass")
    return limits[0], limits[1]


def row_ceilings(ceilings: ArrayLike | None, count: int) -> Scores | None:
    """`ceilings` as float64 `[N]`; infinity is no limit."""
    if ceilings is None:
        return None
    try:
        array = np.asarray(ceilings, np.float64)
    except (TypeError, ValueError):
        raise IndexesError("ceilings that are no numbers; expected one for each vector") from None
    if array.shape != (count,) or np.isnan(array).any():
        raise IndexesError(
            f"ceilings of shape {array.shape} for {count} vectors; expected a number each"
        )
    return array


def _keys(a: Rows, b: Rows, count: int) -> Rows:
    return np.minimum(a, b) * count + np.maximum(a, b)


def _among(keys: Rows, known: Rows) -> Mask:
    at = np.minimum(np.searchsorted(known, keys), known.size - 1)
    return np.asarray(known[at] == keys)
