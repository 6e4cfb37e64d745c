"""Rates over all pairs of different identities, from a sample whose probabilities are known.

A pair that came into the set with probability pi stands for w = 1 / pi pairs. The rate is
sum(w e) / sum(w), e being 1 for an error (Hajek 1971, after Horvitz and Thompson 1952). Its
variance is that of the sum of the residuals z = w (e - rate) / sum(w), within groups of
neighbouring strata, corrected for what is known of them:

    V = sum over groups  m / (m - 1)  sum over pairs  (1 - pi) (z - zbar)^2

zbar being the mean of the group with weights 1 - pi (Hajek 1964; Deville 1999). In one stratum,
with one pi = m / N, this is the textbook's (1 - m / N) m s^2 of sampling without replacement
(Sarndal, Swensson and Wretman 1992, sect. 3.7 and 5.5). Pairs with pi = 1 add nothing. Wilson's
interval is on the pairs that would tell as much, rate (1 - rate) / V. Its deviate is Student's: a
few heavy error pairs make up most of V, which is itself not well known then, with (sum v)^2 / sum
v^2 degrees of freedom, v being the shares of the error pairs in V (Satterthwaite 1946).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Floats, Mask, Rows, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import CONFIDENCE, Interval, deviate, student, wilson
from pairsets.evaluation.rates import checked_share

# Error pairs that have to carry an estimate; below, its interval would not hold.
FEWEST = 10.0
# Share of an estimate from which on a pair that carries it alone is told.
HEAVY = 0.1
# Sampled pairs of a group over which a variance is taken: a stratum alone may have none or one.
_GROUP = 6
# Where errors are too few, or all among pairs that are no sample, so many unseen ones of the
# largest weight are allowed for: the rule of three (Hanley and Lippman-Hand 1983).
_UNSEEN = 3.0
_NOWHERE = Interval(math.nan, math.nan)


@dataclass(frozen=True)
class DesignRate:
    """A share of all pairs of different identities, estimated from a sample of them.

    Attributes:
        value: the estimate; nan where no pair counts.
        low, high: interval of the truth over all pairs of these very faces.
        wider: interval for other identities like these; nan where no clusters were given.
        errors, count: pairs of the sample.
        effective: error pairs of one weight that would carry as much: (sum w e)^2 / sum (w e)^2.
        heaviest: share of the estimate that one pair carries; 0 without errors.
    """

    value: float
    low: float
    high: float
    wider: Interval
    errors: int
    count: int
    effective: float
    heaviest: float

    @property
    def resolvable(self) -> bool:
        """Whether errors enough carry the estimate, so that its interval holds."""
        return self.effective >= FEWEST

    @property
    def interval(self) -> Interval:
        """Interval of the truth over these faces, from `low` to `high`."""
        return Interval(self.low, self.high)


@dataclass(frozen=True)
class DesignPoint:
    """FNR at an FPR over all pairs of different identities.

    Attributes:
        target: the FPR.
        threshold: the lowest score of a pair at which the FPR does not exceed the target; infinite
            where no pair may be accepted.
        fnr: share of the positives below it.
        interval: FNRs at the thresholds whose FPR cannot be told from the target (Woodruff 1952).
        resolvable: whether error pairs enough carry the FPR there.
    """

    target: float
    threshold: float
    fnr: float
    interval: Interval
    resolvable: bool


def design_rate(
    wrong: ArrayLike,
    probability: ArrayLike,
    stratum: ArrayLike,
    populations: ArrayLike,
    clusters: Clusters | None = None,
    *,
    counted: ArrayLike | None = None,
    confidence: float = CONFIDENCE,
) -> DesignRate:
    """Estimate the share of `wrong` among all pairs that a sample of m stands for.

    Args:
        wrong: `[m]` bool.
        probability: `[m]` with which each pair came into the sample, above 0 and at most 1.
        stratum: `[m]` number of each pair's stratum; neighbours have neighbouring probabilities.
        populations: `[K]` pairs in each stratum.
        clusters: of the pairs, for the wider interval: to `V` it adds the covariance of pairs that
            share an identity (`pairsets.evaluation.clusters`).
        counted: `[m]` bool, pairs that count; the others leave the population with all that they
            stand for. By default all count.
        confidence: of the intervals.

    Raises:
        ScoresError: other lengths, or a probability outside these bounds.

    >>> found = design_rate([1, 0, 0, 0], [1, 0.01, 0.01, 0.01], [0, 1, 1, 1], [1, 300])
    >>> round(found.value, 6), found.resolvable
    (0.003322, False)
    """
    errors, chance = np.asarray(wrong, bool), np.asarray(probability, np.float64)
    cells = np.asarray(stratum, np.int64)
    domain = np.ones(chance.shape, bool) if counted is None else np.asarray(counted, bool)
    _refuse_unfit(errors, chance, cells, domain, np.asarray(populations))
    if clusters is not None and len(clusters) != chance.size:
        raise ScoresError(f"clusters of {len(clusters)} pairs for a sample of {chance.size}")
    errors = errors & domain
    weights = np.where(domain, 1 / chance, 0.0)
    total, carried = float(weights.sum()), weights[errors]
    if total == 0:
        return DesignRate(math.nan, math.nan, math.nan, _NOWHERE, 0, 0, 0.0, 0.0)
    value = min(float(carried.sum()) / total, 1.0)
    residuals = weights * (errors - value) / total
    variance = _design_variance(residuals, chance, cells)
    variance *= _inflation(residuals[errors], chance[errors], confidence)
    heaviest = float(weights.max()) / total
    squares = float((carried**2).sum())
    effective = float(carried.sum()) ** 2 / squares if squares else 0.0
    # Few errors, or none, have little variance to see, which does not make the rate certain.
    unseen = effective < FEWEST or not (errors & (chance < 1)).any()
    near = _interval(value, variance, heaviest, confidence, unseen=unseen, census=total)
    wider = _NOWHERE
    if clusters is not None:
        shared = clusters.spread(residuals).variance - float((residuals**2).sum())
        # Even all pairs of these faces are but a draw of the pairs of others.
        more = max(shared, 0.0) + value * (1 - value) / total
        wider = _interval(value, variance + more, heaviest, confidence, unseen=unseen, census=total)
        wider = Interval(min(wider.low, near.low), max(wider.high, near.high))
    return DesignRate(
        value=value,
        low=near.low,
        high=near.high,
        wider=wider,
        errors=int(errors.sum()),
        count=int(domain.sum()),
        effective=effective,
        heaviest=float(carried.max() / carried.sum()) if carried.size else 0.0,
    )


def _refuse_unfit(
    errors: Mask, chance: Floats, cells: Rows, domain: Mask, populations: Rows
) -> None:
    shapes = [one.shape for one in (errors, chance, cells, domain)]
    if len({*shapes}) > 1 or errors.ndim != 1:
        raise ScoresError(
            f"errors, probabilities, strata and counted pairs of shapes {shapes}; expected one of "
            "each a pair"
        )
    wrong = np.flatnonzero(~((chance > 0) & (chance <= 1)))
    if wrong.size:
        raise ScoresError(
            f"pair {wrong[0] + 1} has a probability of {chance[wrong[0]]:g}; expected one above 0, "
            "at most 1"
        )
    if cells.size and not 0 <= cells.min() <= cells.max() < populations.size:
        raise ScoresError(
            f"strata {cells.min()} to {cells.max()} for {populations.size} populations; expected "
            "numbers from 0 on"
        )


def _design_variance(residuals: Floats, chance: Floats, cells: Rows) -> float:
    """Variance of the sum of `residuals` over samples of this design; see the module."""
    free = chance < 1
    if not free.any():
        return 0.0
    values, missed, cells = residuals[free], 1 - chance[free], cells[free]
    group = _groups(cells)[cells]
    count = np.bincount(group)
    factor = np.bincount(group, missed)
    mean = np.bincount(group, missed * values) / factor
    squares = np.bincount(group, missed * (values - mean[group]) ** 2)
    # One pair alone, which is all of the sample then, tells nothing of its variance.
    return float((squares * count / np.maximum(count - 1, 1)).sum())


def _inflation(residuals: Floats, chance: Floats, confidence: float) -> float:
    """Factor of a variance that makes the normal deviate Student's, from the error pairs."""
    shares = (1 - chance) * residuals**2
    squares = float((shares**2).sum())
    if not squares:
        return 1.0
    degrees = float(shares.sum()) ** 2 / squares
    return (student(confidence, degrees) / deviate(confidence)) ** 2


def _groups(cells: Rows) -> Rows:
    """`[K]`: group of each stratum, neighbours together until they have pairs enough."""
    groups, group, held = [], 0, 0
    counts = np.bincount(cells).tolist()
    left = len(cells)
    for count in counts:
        groups.append(group)
        held += count
        left -= count
        if held >= _GROUP and left >= _GROUP:
            group, held = group + 1, 0
    return np.array(groups, np.int64)


def _interval(
    value: float,
    variance: float,
    heaviest: float,
    confidence: float,
    *,
    unseen: bool,
    census: float,
) -> Interval:
    """Wilson's interval on the pairs that would tell as much; of unseen errors, beyond it too."""
    effective = census
    if 0 < value < 1 and variance > 0:
        effective = min(value * (1 - value) / variance, census)
    found = wilson(value, effective, confidence)
    if not unseen or heaviest * census <= 1:
        return found
    return Interval(min(found.low, value), min(1.0, max(found.high, value + _UNSEEN * heaviest)))


@dataclass(frozen=True, eq=False)
class DesignCurve:
    """Error rates over all pairs at every threshold, from a sample of the negatives.

    Attributes:
        positives: `[P]` scores, all of which count alike; -inf is rejected everywhere.
        negatives: `[m]` scores of the sample, likewise.
        probability, stratum: `[m]`, see `design_rate`.
        populations: `[K]` pairs in each stratum.
        counted: `[m]` bool, the pairs that count.
        clusters: of the negatives.
    """

    positives: Scores
    negatives: Scores
    probability: Floats
    stratum: Rows
    populations: Rows
    counted: Mask
    clusters: Clusters | None = None

    def fpr(self, accepted: ArrayLike) -> DesignRate:
        """FPR of the verdicts `accepted [m]`."""
        return design_rate(
            accepted,
            self.probability,
            self.stratum,
            self.populations,
            self.clusters,
            counted=self.counted,
        )

    def fnr_at_fpr(self, target: float) -> DesignPoint:
        """FNR at the lowest threshold whose FPR does not exceed `target`.

        Raises:
            ScoresError: the target is no share.
        """
        checked_share(target, "FPR")
        above = self._first_refused(target)
        found = self.fpr(self.negatives > above)
        scores = np.concatenate([self.positives, self.negatives])
        threshold = float(scores[scores > above].min(initial=math.inf))
        # The interval is that of the FPR reached, brought to the target.
        down, up = max(found.value - found.low, 0.0), max(found.high - found.value, 0.0)
        ends = [self._fnr(min(max(one, 0.0), 1.0)) for one in (target + up, target - down)]
        return DesignPoint(target, threshold, self._fnr(target), Interval(*ends), found.resolvable)

    def equal_error(self) -> float:
        """EER: where FPR over all pairs and FNR cross, on the line between two thresholds."""
        scores = np.unique(np.concatenate([self.positives, self.negatives]))[::-1]
        scores = scores[scores > -np.inf]
        order = np.argsort(-self.negatives, kind="stable")
        shares = np.r_[0.0, np.cumsum(self._weights[order])]
        accepted = np.searchsorted(-self.negatives[order], -scores, side="right")
        fpr = np.r_[0.0, shares[accepted] / max(shares[-1], math.ulp(0.0))]
        hits = np.searchsorted(np.sort(-self.positives), -scores, side="right")
        fnr = np.r_[1.0, 1 - hits / self.positives.size]
        crossed = np.flatnonzero(fpr >= fnr)
        if not crossed.size:
            return math.nan
        after = int(crossed[0])
        before = max(after - 1, 0)
        gap, over = fnr[before] - fpr[before], fpr[after] - fnr[after]
        share = gap / (gap + over) if gap + over > 0 else 0.0
        return float(fnr[before] + (fnr[after] - fnr[before]) * share)

    @property
    def _weights(self) -> Floats:
        return np.where(self.counted, 1 / self.probability, 0.0)

    def _first_refused(self, target: float) -> float:
        """Highest score of a negative that no threshold of such an FPR may accept; else -inf."""
        order = np.argsort(-self.negatives, kind="stable")
        weights = self._weights[order]
        shares = np.cumsum(weights) / weights.sum()
        # Rounding must not refuse the last of all pairs.
        refused = np.flatnonzero(shares > target * (1 + 1e-12))
        return float(self.negatives[order][refused[0]]) if refused.size else -math.inf

    def _fnr(self, fpr: float) -> float:
        """FNR at the lowest threshold with such an FPR."""
        return float((self.positives <= self._first_refused(fpr)).mean())
