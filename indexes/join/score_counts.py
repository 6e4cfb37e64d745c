"""Counts of pairs by score, as `indexes.AllPairs` tells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from indexes.base import IndexesError, Rows, Scores


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of pairs by product, of two groups and of one.

    Attributes:
        edges: `[B + 1]`, rising.
        negatives, positives: `[B]`, pairs of two groups, and of one.
        slack: how far a pair's score can lie from the bin that it is counted in.
    """

    edges: Scores
    negatives: Rows
    positives: Rows
    slack: float

    def bracket(self, rank: int, kind: Literal["negative", "positive"]) -> tuple[float, float]:
        """Interval `[low, high)` that holds the `rank`-th highest score of that kind, from 1.

        Raises:
            IndexesError: a rank below 1, or above the number of such pairs.
        """
        counts = self.negatives if kind == "negative" else self.positives
        reached = np.cumsum(counts[::-1])
        if not 1 <= rank <= int(reached[-1]):
            raise IndexesError(f"rank {rank:,} of {int(reached[-1]):,} {kind} pairs")
        at = len(counts) - 1 - int(np.searchsorted(reached, rank))
        return self.around(at, at)

    def around(self, first: int, last: int) -> tuple[float, float]:
        """Interval `[low, high)` of scores that may be counted in the bins `first` to `last`."""
        low, high = self.edges[first] - self.slack, self.edges[last + 1] + self.slack
        return float(low), float(np.nextafter(high, np.inf))


@dataclass(frozen=True, eq=False)
class Window:
    """An interval of scores `[low, high)`: the pairs above it, and each score inside.

    Attributes:
        low, high: its ends; equal where pairs are only counted.
        negatives_above, positives_above: pairs with score >= high.
        scores: `[K]`, distinct, falling.
        negatives, positives: `[K]`, how many pairs have each.
    """

    low: float
    high: float
    negatives_above: int
    positives_above: int
    scores: Scores
    negatives: Rows
    positives: Rows


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Pairs that reach each of T thresholds, by group.

    A pair of two groups counts for both.

    Attributes:
        thresholds: `[T]`.
        negatives: `[T, G]` pairs of each group with others.
        positives: `[T, G]` pairs within each group.
        squares: `[T]`, sum over pairs of groups of the squared number of pairs between them.
        products: `[T]`, the same of that number times the number of all pairs between them.
    """

    thresholds: Scores
    negatives: Rows
    positives: Rows
    squares: tuple[int, ...]
    products: tuple[int, ...]
