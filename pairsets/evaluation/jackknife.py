"""Both error rates at one threshold, and how they move without each identity.

The formulas are told in `pairsets.evaluation.census`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from pairsets.arrays import Counts, Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Spread
from pairsets.evaluation.intervals import Interval, score_interval, student

# Misses, were they independent, below which the FPR at their share has no interval to rely on.
_FEWEST = 10


class PairCounts(Protocol):
    """Numbers of pairs, in all and by identity."""

    @property
    def negatives(self) -> int:
        """Number of pairs of two identities."""

    @property
    def positives(self) -> int:
        """Number of pairs of one identity."""

    @property
    def apart(self) -> Counts:
        """`[G]`: pairs of each identity with others."""

    @property
    def within(self) -> Counts:
        """`[G]`: pairs of each identity's own faces."""

    @property
    def squares(self) -> int:
        """Sum over pairs of identities of the squared number of their pairs of faces."""


@dataclass(frozen=True, eq=False)
class Population:
    """All pairs of faces, by identity.

    Attributes:
        sizes: `[G]`, faces of each identity.

    Raises:
        ScoresError: faces of one identity alone, or no two of one.

    >>> Population(np.array([2, 3])).negatives, Population(np.array([2, 3])).positives
    (6, 4)
    """

    sizes: Counts

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or not (self.sizes > 1).any():
            lacking = "two identities" if len(self.sizes) < 2 else "an identity with two faces"
            raise ScoresError(
                f"{self.faces:,} faces of {len(self.sizes):,} identities; rates over all pairs "
                f"need {lacking} at least"
            )

    @cached_property
    def faces(self) -> int:
        """Number of faces."""
        return int(self.sizes.sum())

    @cached_property
    def negatives(self) -> int:
        """Number of pairs of two identities."""
        return int(self.faces * (self.faces - 1) // 2 - self.positives)

    @cached_property
    def positives(self) -> int:
        """Number of pairs of one identity."""
        return int(self.within.sum())

    @cached_property
    def apart(self) -> Counts:
        """`[G]`: pairs of each identity with others."""
        return np.asarray(self.sizes * (self.faces - self.sizes), np.int64)

    @cached_property
    def within(self) -> Counts:
        """`[G]`: pairs of each identity's own faces."""
        return np.asarray(self.sizes * (self.sizes - 1) // 2, np.int64)

    @cached_property
    def squares(self) -> int:
        """Sum over pairs of identities of the squared number of their pairs of faces."""
        values, counts = np.unique(self.sizes, return_counts=True)
        sizes = list(zip(values.tolist(), counts.tolist(), strict=True))
        second = sum(size**2 * count for size, count in sizes)
        return int(second**2 - sum(size**4 * count for size, count in sizes)) // 2


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors over all pairs at one threshold, by identity.

    Attributes:
        threshold: pairs are accepted if they score as much or more.
        accepted: `[G]`, false accepts of each identity with others; each counts for two.
        missed: `[G]`, pairs of each identity's own faces that are not accepted.
        squares: sum over pairs of identities of their squared number of false accepts.
        products: the same of that number times the number of all their pairs.
    """

    threshold: float
    accepted: Counts
    missed: Counts
    squares: int
    products: int


@dataclass(frozen=True, eq=False)
class Jackknife:
    """Both rates at one threshold, and how they move without each identity.

    Attributes:
        accepted, missed: errors of either kind.
        fpr, fnr: the rates.
        by_fpr, by_fnr: `[G]`, scaled so that sums of squares are variances.
        across: the part of the FPR's variance of pairs of identities, neither of which has it.
    """

    accepted: int
    missed: int
    fpr: float
    fnr: float
    by_fpr: Floats
    by_fnr: Floats
    across: float

    @classmethod
    def of(cls, population: PairCounts, errors: Errors) -> Jackknife:
        """The rates of errors among all pairs, and what each identity moves."""
        negatives, positives = population.negatives, population.positives
        accepted, missed = int(errors.accepted.sum()) // 2, int(errors.missed.sum())
        fpr, fnr = accepted / negatives, missed / positives
        scale = (1 - 1 / len(population.apart)) ** 0.5

        def moved(rate: float, mine: Counts, every: Counts, total: int) -> Floats:
            # An identity that has all pairs leaves nothing to compare with.
            rest = np.maximum(total - every, 1)
            return np.asarray(scale * (rate * every - mine) / rest)

        across = errors.squares - 2 * fpr * errors.products + fpr**2 * population.squares
        return cls(
            accepted,
            missed,
            fpr,
            fnr,
            moved(fpr, errors.accepted, population.apart, negatives),
            moved(fnr, errors.missed, population.within, positives),
            max(across, 0.0) / negatives**2,
        )

    @property
    def fpr_spread(self) -> Spread:
        """The parts of the FPR's variance; pairs of one identity are in none."""
        squares = self.by_fpr**2
        total, fourth = float(squares.sum()), float((squares**2).sum())
        evenness = total**2 / fourth if fourth > 0 else math.inf
        return Spread(0.0, self.across, total - 2 * self.across, evenness)

    def fpr_degrees(self) -> float:
        """Degrees of freedom of the FPR's variance."""
        return max(_degrees(self.fpr_spread, float((self.by_fpr**2).sum())), 1.0)

    @property
    def tells_fnr(self) -> bool:
        """Whether the FNR is known so well that what hangs on it is about a straight line."""
        squares = float((self.by_fnr**2).sum())
        return self.fnr**2 >= _FEWEST * squares if squares else self.missed >= _FEWEST

    def interval(
        self, weights: tuple[float, float], value: float, count: int, confidence: float
    ) -> tuple[Interval, float]:
        """Interval of a mixture of both rates, and the independent pairs that would tell as much.

        Wilson's form on effective pairs, with Student's deviate for what few identities estimate.
        A rate of 0 or 1 is known as well as from one pair an identity.
        """
        first, second = weights[0] * self.by_fpr, weights[1] * self.by_fnr
        both = first + second
        squares = both**2
        total, fourth = float(squares.sum()), float((squares**2).sum())
        inside, across = float((second**2).sum()), weights[0] ** 2 * self.across
        evenness = total**2 / fourth if fourth > 0 else math.inf
        spread = Spread(inside, across, total - inside - 2 * across, evenness)
        effective = float(min(count, len(self.by_fpr)))
        deviate = student(confidence, math.inf)
        if 0 < value < 1 and spread.variance > 0:
            effective = min(value * (1 - value) / spread.variance, float(count))
            deviate = student(confidence, max(_degrees(spread, total), 1.0))
        return score_interval(value, effective, deviate), effective


def _degrees(spread: Spread, total: float) -> float:
    """Degrees of freedom: what identities share is estimated from as many squares as are even."""
    alone = spread.across
    if total <= alone:
        return math.inf
    return spread.evenness * (spread.variance / max(total - alone, 1e-300)) ** 2
