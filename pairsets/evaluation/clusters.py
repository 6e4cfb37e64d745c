"""Clusters of pairs that share an identity, and the variance of a sum over such pairs.

Pairs are not independent: those that share an identity share its difficulty. Sums over pairs are
dyadic data, and their variance takes in the covariance of all pairs that share an end (Fafchamps
and Gubert 2007; for error rates of 1:1 matching, Fogliato, Patil and Perona, arXiv 2306.01198).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Counts, Mask, Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.dyads import Sorted, Table, dyads
from pairsets.pairset import PairSet
from pairsets.paths import strings

By = Literal["identity", "image"]
BY: tuple[By, ...] = ("identity", "image")
PLURALS: Mapping[By, str] = {"identity": "identities", "image": "images"}


@dataclass(frozen=True)
class Spread:
    """The parts of the variance of a sum over pairs, as the squares of residuals estimate them.

    Attributes:
        inside: of pairs with both ends in one cluster.
        across: of pairs with their ends in the same two clusters.
        shared: covariance of pairs that share one cluster only; may come out below nought.
        evenness: clusters that would make up as much of the sum of squares if all made up the same:
            (sum S_i^2)^2 / sum S_i^4, S_i the sum of the residuals at i.
    """

    inside: float
    across: float
    shared: float
    evenness: float = math.inf

    @property
    def variance(self) -> float:
        """Variance of the sum: a negative covariance counts as none (Fogliato et al., sect. 3)."""
        return self.inside + self.across + max(self.shared, 0.0)

    @property
    def resampled(self) -> float:
        """Variance of the sum under the double-or-nothing bootstrap over clusters.

        A pair of two clusters has the weight W_i W_j, W being 0 or 2: its variance is 3, where 1
        would be right; covariances and pairs inside one cluster come out as they should.
        """
        return self.inside + 3 * self.across + self.shared

    @property
    def degrees(self) -> float:
        """Degrees of freedom of the variance, after Satterthwaite (1946).

        What pairs share is estimated from as many squares as clusters count evenly; the rest from
        so many pairs that it is taken as known. Without what is shared, infinite.
        """
        if self.shared <= 0:
            return math.inf
        return self.evenness * (self.variance / self.shared) ** 2

    @property
    def shrinkage(self) -> float:
        """Factor that gives deviations under the bootstrap the right variance."""
        return (self.variance / self.resampled) ** 0.5 if self.resampled > 0 else 1.0


@dataclass(frozen=True, eq=False)
class Clusters:
    """The clusters, identities or images, at the two ends of each pair.

    Attributes:
        a, b: `[N]` int64, numbers of the clusters, 0 to `count` - 1.
        count: how many clusters are numbered.
        by: what a cluster is.

    Raises:
        ScoresError: other lengths, or numbers outside the range.
    """

    a: Rows
    b: Rows
    count: int
    by: By = "identity"

    def __post_init__(self) -> None:
        for name in ("a", "b"):
            codes = np.asarray(getattr(self, name), np.int64)
            if codes.ndim != 1 or codes.shape != np.shape(self.a):
                raise ScoresError(
                    f"clusters of shapes {np.shape(self.a)} and {np.shape(self.b)}; expected one "
                    "number an end"
                )
            if codes.size and (codes.min() < 0 or codes.max() >= self.count):
                raise ScoresError(f"cluster numbers outside 0 to {self.count - 1}")
            object.__setattr__(self, name, codes)

    @classmethod
    def of(cls, pairs: PairSet, by: By = "identity") -> Clusters:
        """The identities, or the images, of all rows of `pairs`.

        Raises:
            ScoresError: `by` is something else.
        """
        if by not in BY:
            raise ScoresError(f"clusters by {by!r}; expected {' or '.join(BY)}")
        paths = pairs.paths
        place = {path: number for number, path in enumerate(paths)}
        number = np.array([place[face] for face in pairs.codes.faces], np.int64)
        count = len(paths)
        if by == "identity":
            folders, names = pd.factorize(strings(map(pairs.identity, paths)))
            number, count = folders[number], len(names)
        return cls(number[pairs.codes.a], number[pairs.codes.b], count, by)

    def __len__(self) -> int:
        return len(self.a)

    def take(self, rows: Mask | Rows) -> Clusters:
        """The clusters of some pairs, by mask or by number; their numbers stay."""
        return Clusters(self.a[rows], self.b[rows], self.count, self.by)

    def packed(self) -> Clusters:
        """Clusters without those that stand in no pair; the others numbered in their order."""
        numbers = np.cumsum(self._ends > 0) - 1
        return Clusters(numbers[self.a], numbers[self.b], self.used, self.by)

    @property
    def used(self) -> int:
        """Number of clusters that stand in a pair."""
        return int(np.count_nonzero(self._ends))

    @cached_property
    def _ends(self) -> Counts:
        both = np.bincount(self.a, minlength=self.count)
        return both + np.bincount(self.b, minlength=self.count)

    @cached_property
    def _apart(self) -> Mask:
        return np.asarray(self.a != self.b)

    @cached_property
    def _dyads(self) -> Table | Sorted:
        a, b = (self.a, self.b) if self._apart.all() else (self.a[self._apart], self.b[self._apart])
        return dyads(a, b, self.count)

    def spread(self, residuals: ArrayLike) -> Spread:
        """The variance of the sum of `residuals [N]`, each pair's share in an estimate's error.

        With e_ij the sum of the residuals of the pairs between i and j, and S_i that of all pairs
        at i: var = sum e_ij^2 + max(sum S_i^2 - 2 sum e_ij^2, 0), pairs inside a cluster being
        counted in its S_i once. Clusters that are in no pair change nothing, to the last bit.
        """
        values = np.asarray(residuals, np.float64)
        if values.shape != self.a.shape:
            raise ScoresError(f"residuals of shape {values.shape} for {len(self)} pairs")
        apart = self._apart
        inside = np.bincount(self.a[~apart], values[~apart], self.count)
        ends, between = (self.b, values) if apart.all() else (self.b[apart], values[apart])
        sums = np.bincount(self.a, values, self.count) + np.bincount(ends, between, self.count)
        across = self._dyads.sums(between)
        squares = _squares(inside), _squares(across)
        total, fourth = _squares(sums), _squares(sums**2)
        evenness = total**2 / fourth if fourth > 0 else math.inf
        return Spread(*squares, total - squares[0] - 2 * squares[1], evenness)


def _squares(values: NDArray[Any]) -> float:
    """Sum of squares, equal to the last bit however many noughts stand among the values."""
    # Among noughts the others would be added in groups that hang on how many there are.
    others = values[values != 0]
    # Not `@`: its order, and so its last digits, hang on the processor and on the threads.
    others *= others
    return float(others.sum())
