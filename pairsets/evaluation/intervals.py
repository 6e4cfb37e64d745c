"""Intervals of error rates that hold when pairs share identities: Wilson's, on effective pairs.

The formulas are those of Fogliato, Patil and Perona, "Confidence Intervals for Error Rates in 1:1
Matching Tasks" (arXiv 2306.01198).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """Interval from `low` to `high`, both included; nan where there is no telling."""

    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Rate:
    """A share of pairs, and how well it is known.

    Attributes:
        value: errors / count; nan where count is 0.
        low, high: the interval.
        errors, count: pairs.
        design_effect: how many times larger the variance is than that of independent pairs.
        effective: independent pairs that would tell as much: count / design_effect.
    """

    value: float
    low: float
    high: float
    errors: int
    count: int
    design_effect: float
    effective: float

    @property
    def interval(self) -> Interval:
        """Interval of the rate, from `low` to `high`."""
        return Interval(self.low, self.high)


# The rate of no pairs, or at a threshold that there is not.
UNKNOWN = Rate(math.nan, math.nan, math.nan, 0, 0, math.nan, 0.0)


def wilson(share: float, count: float, confidence: float = CONFIDENCE) -> Interval:
    """Wilson's score interval of a share of `count` (which may be no whole number) trials.

    Raises:
        ScoresError: no share, or no trials.

    >>> found = wilson(0.0, 100)
    >>> found.low, round(found.high, 4)
    (0.0, 0.037)
    """
    z = deviate(confidence)
    if not (0 <= share <= 1 and count > 0):
        raise ScoresError(f"a share of {share} of {count} trials has no interval")
    return score_interval(share, count, z)


def score_interval(share: float, count: float, z: float) -> Interval:
    """Wilson's score interval of a share of `count` trials, at a deviate `z` of any kind."""
    middle = share + z * z / (2 * count)
    half = z * (share * (1 - share) / count + (z / (2 * count)) ** 2) ** 0.5
    low, high = ((middle + side * half) / (1 + z * z / count) for side in (-1, 1))
    # At the ends the formula is exact but for rounding.
    return Interval(0.0 if share == 0 else max(low, 0.0), 1.0 if share == 1 else min(high, 1.0))


def clustered_rate(wrong: ArrayLike, clusters: Clusters, confidence: float = CONFIDENCE) -> Rate:
    """The share of `wrong [N]` pairs, its interval clustered as `clusters` says.

    With p the share and V its clustered variance, n_eff = p (1 - p) / V, at most N: Wilson's
    interval for p of n_eff trials. Where p is 0 or 1 there is no variance to see, and n_eff = N.

    Raises:
        ScoresError: another number of pairs than the clusters have.

    >>> hub = Clusters(np.array([0, 0, 3, 3]), np.array([1, 2, 4, 5]), 6)
    >>> rate = clustered_rate([True, True, False, False], hub)
    >>> rate.value, rate.count, rate.effective
    (0.5, 4, 2.0)
    """
    errors = np.asarray(wrong, bool)
    if errors.shape != clusters.a.shape:
        raise ScoresError(f"{errors.shape} decisions for {len(clusters)} pairs")
    count = errors.size
    if not count:
        return UNKNOWN
    found = int(errors.sum())
    share = found / count
    effective = float(count)
    if 0 < found < count:
        variance = clusters.spread(errors - share).variance / count**2
        if variance > 0:
            effective = min(share * (1 - share) / variance, effective)
    interval = wilson(share, effective, confidence)
    return Rate(share, interval.low, interval.high, found, count, count / effective, effective)


@cache
def deviate(confidence: float) -> float:
    """The normal deviate that a two-sided interval of that confidence reaches out to.

    >>> round(deviate(0.95), 3)
    1.96

    Raises:
        ScoresError: no share between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ScoresError(f"a confidence of {confidence}; expected a share such as 0.95")
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def student(confidence: float, degrees: float) -> float:
    """Deviate of Student's t with so many degrees of freedom, 3 at the least.

    The expansion about the normal deviate of Fisher and Cornish (1960): from 3 degrees of freedom
    on it is right to 0.2 % at a confidence of 0.95.

    >>> round(student(0.95, 10), 3), student(0.95, float("inf")) == deviate(0.95)
    (2.228, True)
    """
    z, n = deviate(confidence), max(degrees, 3.0)
    if math.isinf(n):
        return z
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )
