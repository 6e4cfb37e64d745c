"""What a bootstrap found of one statistic, and which statistics it is asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsets.intervals import CONFIDENCE, Interval, deviate, student
from pairsets.rates import checked_share

# Of the draws, those that a statistic must exist in for an interval to be given.
_ENOUGH = 0.95
Floats = NDArray[np.float64]
# Of each pair, whether a draw keeps it, or what it counts there.
Kept = NDArray[np.bool_] | NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic, its value in each draw, and what each pair adds to its error.

    Attributes:
        value: on all pairs.
        draws: `[B]`; nan where a draw left no positive or no negative.
        influence: `[N]`: the error of `value` is near to their sum.
        shrinkage, degrees: see `pairsets.clusters.Spread`.
    """

    value: float
    draws: Floats
    influence: Floats
    shrinkage: float
    degrees: float = math.inf

    @property
    def deviations(self) -> Floats:
        """Of the draws from the value, brought to the right variance; none where too few exist."""
        found = self.draws[np.isfinite(self.draws)]
        if found.size < _ENOUGH * self.draws.size or not np.isfinite(self.value):
            return np.empty(0)
        return (found - self.value) * self.shrinkage

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """The percentile interval; None where too many draws had no such statistic."""
        return self.around(self.value, confidence)

    def around(self, value: float, confidence: float = CONFIDENCE) -> Interval | None:
        """The interval of another definition of the same statistic, with these deviations."""
        # Of few clusters, or a few that outweigh the rest, the draws vary as little as those do.
        wider = student(confidence, self.degrees) / deviate(confidence)
        deviations = self.deviations * wider
        if not deviations.size:
            return None
        tail = (1 - confidence) / 2
        low, high = np.quantile(deviations, [tail, 1 - tail])
        return Interval(float(value + low), float(value + high))


@dataclass(frozen=True)
class Targets:
    """What is resampled beside EER, AUC and d': FPR at these FNRs, FNR at these FPRs."""

    fnrs: Sequence[float] = ()
    fprs: Sequence[float] = ()

    def __post_init__(self) -> None:
        for rates, what in ((self.fnrs, "FNR"), (self.fprs, "FPR")):
            for rate in rates:
                checked_share(rate, what)
