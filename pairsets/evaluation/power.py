"""Pairs and identities that it takes to tell two models apart by so many points.

The set at hand shows how much the difference of two models varies, with all that pairs share. A
two-sided test at level alpha finds a true difference x in a share `power` of such sets if

    standard error = x / (z(1 - alpha / 2) + z(power))

(the standard formula of sample sizes; for biometric matching Schuckers, "Computational Methods in
Biometric Authentication", 2010, chapters 3 to 6). The variance is taken apart as in Fogliato,
Patil and Perona (arXiv 2306.01198): what belongs to single pairs shrinks with more pairs, what
belongs to identities only with more identities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import PLURALS, By, Clusters, Spread
from pairsets.evaluation.comparison import Comparison, has_rate
from pairsets.evaluation.differences import ALPHA, differences
from pairsets.evaluation.evaluator import ModelEvaluation

POWER = 0.8
_NORMAL = NormalDist()
# Low, so that no end of the interval is cut off at 100 points: its width is what is wanted.
_NARROW = 0.05


@dataclass(frozen=True)
class Size:
    """A set: how many times as many pairs as now, and what that comes to."""

    factor: float
    negatives: int
    positives: int
    identities: int

    @property
    def pairs(self) -> int:
        """Number of pairs, positives and negatives together."""
        return self.negatives + self.positives


@dataclass(frozen=True)
class Power:
    """Power of a set to tell two models apart, and its size to tell more.

    Attributes:
        first, second: the models.
        statistic: `fpr` at the target FNR, or `eer`.
        points: the difference to be told, a share.
        power: how often, where it is there.
        alpha: level of the two-sided test.
        by: what `identities` counts: identities, or images.
        difference, error: first minus second as seen, and its standard error.
        design_effect: how many times larger the variance is than that of independent pairs; 1 where
            it came out smaller.
        inside, across, shared: shares of the variance, by `pairsets.evaluation.clusters.Spread`: of
            pairs of one identity, of pairs of two, and of what pairs with one identity in common
            share.
        fixed: the share of the variance that more pairs of the same identities leave.
        present: the set as it is.
        grown: with more identities, and as many pairs each as now.
        more_pairs: with more pairs of the same identities; None where no number suffices.
        detectable: the smallest difference that this set tells so often.
        limit: the smallest that its identities can tell, with pairs without end.
        reached: how often this set tells `points`.
    """

    first: str
    second: str
    statistic: str
    points: float
    power: float
    alpha: float
    by: By
    difference: float
    error: float
    design_effect: float
    inside: float
    across: float
    shared: float
    fixed: float
    present: Size
    grown: Size
    more_pairs: Size | None
    detectable: float
    limit: float
    reached: float

    @property
    def enough(self) -> bool:
        """True where this set tells `points` as often as wanted."""
        return self.grown.factor <= 1

    @property
    def effective(self) -> float:
        """Number of independent pairs that would tell as much."""
        return self.present.pairs / self.design_effect

    def sentences(self) -> list[str]:
        """The plan in sentences."""
        name, what = self.statistic.upper(), f"{self.points * 100:.3g} points"
        found = [
            f"{self.first} - {self.second}: {name} differs by {self.difference * 100:+.2f} points, "
            f"standard error {self.error * 100:.2f}; {self.present.pairs:,} pairs tell as much as "
            f"{self.effective:,.0f} independent ones",
            f"a difference of {what} would be found (p < {self.alpha:.3g}) in "
            f"{self.reached * 100:.0f} % of such sets; found in {self.power * 100:.0f} % is one of "
            f"{self.detectable * 100:.2f} points",
        ]
        if self.enough:
            return [*found, f"this set is large enough for {what}"]
        grown, more = self.grown, self.more_pairs
        found.append(
            f"{what} need {grown.factor:.3g} times as much: {grown.negatives:,} negatives and "
            f"{grown.positives:,} positives of {grown.identities:,} {PLURALS[self.by]}"
        )
        if more is None:
            found.append(
                f"no number of pairs of the same {self.present.identities:,} {PLURALS[self.by]} "
                f"suffices: at best they tell {self.limit * 100:.2f} points"
            )
        else:
            found.append(
                f"or, of the same {self.present.identities:,} {PLURALS[self.by]}, "
                f"{more.negatives:,} negatives and {more.positives:,} positives"
            )
        return found


def power_of(
    first: ModelEvaluation,
    second: ModelEvaluation,
    clusters: Clusters,
    statistic: str = "fpr",
    *,
    points: float,
    power: float = POWER,
    alpha: float = ALPHA,
    names: tuple[str, str] = ("first", "second"),
) -> Power:
    """Plan from two models on one set; both judged with the same draws.

    Taken for granted: that the new pairs are like those at hand, and that the difference varies in
    the larger set as it does here, whatever its size. `grown` keeps the pairs per identity, so
    that variance goes as 1 / identities. `more_pairs` keeps the identities: new negatives are of
    other two identities than those at hand, as long as there are such (C identities make
    C (C - 1) / 2 twos), and the covariance of pairs that share one identity stays; so does what
    the pairs inside an identity share. Either number is only as good as the standard error seen,
    which is itself rough where the set is small.

    Args:
        first, second: of `evaluate_arrays`, `evaluate_all` or a comparison's `judged`.
        clusters: of the pairs that were judged, valid ones alone.
        statistic: `fpr` or `eer`.
        points: the difference that is to be told, a share: 0.02 is two points.
        power: how often it is to be found, where it is there.
        alpha: level of the two-sided test. With M comparisons, alpha / M is on the safe side of
            Holm's correction.
        names: what to call the two.

    Raises:
        ScoresError: numbers that are no shares, models not resampled, on another set, without such
            a rate (too many pairs have no score), too few pairs for an interval, or models that
            never differ: there is nothing to plan from.
    """
    reach = _reach(points, power, alpha)
    _refuse_unlike((first, second), clusters, statistic, names)
    (found,) = differences(dict(enumerate((first, second))), clusters, statistic, _NARROW)  # type: ignore[arg-type]
    half = max(found.high - found.value, found.value - found.low)
    error = half / _NORMAL.inv_cdf(0.5 + _NARROW / 2)
    name = "eer" if statistic == "eer" else f"fpr@{first.evaluation.target_fnr!r}"
    residuals = first.resampled[name].influence - second.resampled[name].influence
    spread = clusters.spread(residuals)
    if np.isnan(error):
        raise ScoresError(
            f"{' and '.join(names)}: too few pairs to know how much their difference varies"
        )
    if not error > 0 or not spread.variance > 0:
        name = statistic.upper()
        raise ScoresError(
            f"{' and '.join(names)} never differ on these pairs in their {name}, so that there is "
            "nothing to plan from; are they the same scores, or are the pairs too easy for both?"
        )
    single, shared = float(residuals @ residuals), max(spread.shared, 0.0)
    stays, tied, room = _left_by_more_pairs(residuals, clusters, spread)
    fixed = stays + tied / room
    wanted = (points / reach / error) ** 2
    more = _more_pairs(wanted, stays, tied, room)

    def size(factor: float, identities: float) -> Size:
        negatives, positives = first.evaluation.negatives, first.evaluation.positives
        whole = map(_whole, (factor * negatives, factor * positives, identities))
        return Size(float(factor), *whole)

    deviates = points / error
    tail = _NORMAL.inv_cdf(1 - alpha / 2)
    return Power(
        first=names[0],
        second=names[1],
        statistic=statistic,
        points=points,
        power=power,
        alpha=alpha,
        by=clusters.by,
        difference=found.value,
        error=error,
        design_effect=max(spread.variance / single, 1.0),
        inside=spread.inside / spread.variance,
        across=spread.across / spread.variance,
        shared=shared / spread.variance,
        fixed=fixed,
        present=size(1.0, clusters.used),
        grown=size(1 / wanted, clusters.used / wanted),
        more_pairs=None if more is None else size(more, clusters.used),
        detectable=reach * error,
        limit=reach * error * fixed**0.5,
        reached=_NORMAL.cdf(deviates - tail) + _NORMAL.cdf(-deviates - tail),
    )


def _refuse_unlike(
    models: tuple[ModelEvaluation, ModelEvaluation],
    clusters: Clusters,
    statistic: str,
    names: tuple[str, str],
) -> None:
    """Raise ScoresError for models without such a rate, or judged on other pairs."""
    for name, one in zip(names, models, strict=True):
        if not has_rate(one.evaluation, statistic):
            raise ScoresError(
                f"{name} has no {statistic.upper()}: {one.evaluation.rejected_positives} positives "
                "have no score and are rejected at every threshold; a higher target FNR may do"
            )
    sizes = {(one.evaluation.negatives, one.evaluation.positives) for one in models}
    if len(sizes) > 1 or sum(next(iter(sizes))) != len(clusters):
        raise ScoresError(
            f"{' and '.join(names)} were judged on other pairs than the {len(clusters)} given"
        )


def _more_pairs(wanted: float, stays: float, tied: float, room: float) -> float | None:
    """Factor by which pairs of the same identities have to grow; None where no number suffices."""
    if wanted > stays and (1 - stays) / (wanted - stays) <= room:
        return (1 - stays) / (wanted - stays)
    fixed = stays + tied / room
    # All twos of identities are taken before: what is tied to them is there from then on.
    return (1 - stays - tied) / (wanted - fixed) if wanted > fixed else None


def power_between(
    comparison: Comparison,
    first: str,
    second: str,
    statistic: str = "fpr",
    *,
    points: float,
    power: float = POWER,
    alpha: float = ALPHA,
    clusters: By = "identity",
) -> Power:
    """`power_of` two models of a comparison; `clusters` as it was compared by.

    Raises:
        ScoresError: a model that was not compared, and what `power_of` raises.
    """
    for model in (first, second):
        if model not in comparison.judged:
            known = ", ".join(comparison.judged) or "none"
            raise ScoresError(f"{model} is not among the models compared: {known}")
    pairs = comparison.pairs
    return power_of(
        comparison.judged[first],
        comparison.judged[second],
        Clusters.of(pairs, clusters).take(pairs.valid),
        statistic,
        points=points,
        power=power,
        alpha=alpha,
        names=(first, second),
    )


@dataclass(frozen=True)
class Needed:
    """Pairs of one kind that a plan without data asks for.

    Attributes:
        pairs: of the kind whose rate it is.
        identities: that they must have; None where pairs per identity are not given.
        error: the standard error of the difference that they come to.
    """

    pairs: int
    identities: int | None
    error: float


def power_from(
    rate: float,
    *,
    points: float,
    disagreement: float | None = None,
    design_effect: float = 1.0,
    pairs_per_identity: float | None = None,
    power: float = POWER,
    alpha: float = ALPHA,
) -> Needed:
    """Plan without data: the pairs to tell an error rate from one that is `points` higher.

    Both models judge the same pairs at thresholds taken as given. With D the share of pairs that
    one of them alone gets wrong, the difference of two rates x apart has the variance
    `design effect * (D - x^2) / pairs` (as for McNemar's test: Connor 1987; the design effect is
    Kish's, 1965). A threshold that is itself chosen on the pairs adds to it, which `power_of` sees
    and this does not.

    Args:
        rate: the lower of the two rates.
        points: how much higher the other is, a share.
        disagreement: D; None takes the errors of the two as independent, which asks for too much:
            models mostly fail on the same pairs.
        design_effect: 1 or more; of the person's FPR on ZACI-20's adversarial pairs it is 12.
        pairs_per_identity: in how many of the pairs an identity stands, on average; a pair of two
            identities counts for both. The design effect is that of a set with as many.
        power, alpha: as of `power_of`.

    Raises:
        ScoresError: numbers that are no shares, or contradict one another.

    >>> power_from(0.10, points=0.02, disagreement=0.06).pairs
    1170
    """
    reach = _reach(points, power, alpha)
    if not 0 <= rate <= 1 - points:
        raise ScoresError(f"a rate of {rate}; expected one from 0 to {1 - points:g}")
    higher = rate + points
    if disagreement is None:
        disagreement = rate * (1 - higher) + higher * (1 - rate)
    most = min(rate + higher, 2 - rate - higher)
    # What is on the edge is allowed, whatever float makes of it.
    if not points - 1e-12 <= disagreement <= most + 1e-12:
        raise ScoresError(
            f"a disagreement of {disagreement}; rates of {rate:g} and {higher:g} allow one from "
            f"{points:g} to {most:g}"
        )
    if not design_effect >= 1 or math.isinf(design_effect):
        raise ScoresError(f"a design effect of {design_effect}; expected 1 or more")
    if pairs_per_identity is not None and not 0 < pairs_per_identity < math.inf:
        raise ScoresError(f"{pairs_per_identity} pairs per identity; expected a number above 0")
    variance = design_effect * max(disagreement - points**2, 0.0)
    pairs = max(_whole(variance * (reach / points) ** 2), 1)
    identities = None
    if pairs_per_identity is not None:
        identities = max(_whole(2 * pairs / pairs_per_identity), 2)
    return Needed(pairs, identities, (variance / pairs) ** 0.5)


def _reach(points: float, power: float, alpha: float) -> float:
    """Number of standard errors that the difference must be to be found so often."""
    if not 0 < points < 1:
        raise ScoresError(
            f"{points} to tell apart; expected a share between 0 and 1: 0.02 is two points"
        )
    if not 0 < alpha < power < 1:
        raise ScoresError(
            f"a power of {power} at level {alpha}; expected shares such as 0.8 and 0.05, the power "
            "above the level"
        )
    return _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)


def _left_by_more_pairs(
    residuals: NDArray[np.float64], clusters: Clusters, spread: Spread
) -> tuple[float, float, float]:
    """Shares of the variance that stay, and how many times the pairs find new two identities.

    The first share stays however many pairs there are; the second, the covariance of pairs of the
    same two identities, goes with single pairs until all twos are taken. Each is a sum over the
    m (m - 1) couples of the m pairs at one place; with pairs without end it is one over m^2.
    """
    within = clusters.a == clusters.b
    single = [float(part @ part) for part in (residuals[within], residuals[~within])]
    a, b = clusters.a[~within], clusters.b[~within]
    inside = np.bincount(clusters.a[within], minlength=1)
    ends = np.bincount(np.concatenate([a, b]), minlength=1)
    _, twos = np.unique(np.minimum(a, b) * clusters.count + np.maximum(a, b), return_counts=True)
    shares = [
        max(part, 0.0) * _couples(counts) / spread.variance
        for part, counts in (
            (spread.inside - single[0], inside),
            (spread.shared, ends),
            (spread.across - single[1], twos),
        )
    ]
    # An estimate of covariances can come out above the whole.
    stays = min(shares[0] + shares[1], 1.0)
    room = clusters.used * (clusters.used - 1) / 2 / twos.size if twos.size else math.inf
    return stays, min(shares[2], 1.0 - stays), room


def _couples(counts: NDArray[np.int64]) -> float:
    """By how much couples outgrow themselves where the pairs at each place grow without end."""
    couples = float(counts @ (counts - 1))
    return float(counts @ counts) / couples if couples else 1.0


def _whole(number: float) -> int:
    """Rounded up, but for what float added."""
    return math.ceil(number - 1e-9 * max(number, 1.0))
