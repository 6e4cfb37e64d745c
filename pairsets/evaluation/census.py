"""Rates of a model over all pairs of some faces, none left out, and how well they are known.

A census is no sample of pairs: over these faces its rates are exact. Its intervals are for other
identities like these, which are the sample. With G identities of n_a faces, N faces in all, each
pair of identities a < b stands once in the population, with n_a n_b pairs of faces of which E_ab
are false accepts; identity a has E_a = sum_b E_ab errors among its M_a = n_a (N - n_a) pairs. Of
the FPR p = sum_(a<b) E_ab / M, the estimate without identity a is (E - E_a) / (M - M_a), which
differs from p by

    u_a = (p M_a - E_a) / (M - M_a).

The jackknife over identities (Arvesen 1969; for U-statistics, Efron and Stein 1981) has the
variance (G - 1) / G sum u_a^2. It counts the part of a pair of identities that neither has alone
twice, once for each of its ends; that part is sum_(a<b) (E_ab - p n_a n_b)^2 / M^2, and is taken
off once, as in the variance of dyadic data (Fafchamps and Gubert 2007): at the far end of the
curve, where errors are few, it is all there is.

Pairs of one identity are inside it: F_a misses among its P_a = n_a (n_a - 1) / 2 pairs, and
u_a = (q P_a - F_a) / (P - P_a) for the FNR q. A rate at a target of the other moves with the
threshold that the target sets: its u_a is that of the rate at the fixed threshold plus the slope
of the curve times that of the other rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.differences import Difference, holm, letters
from pairsets.evaluation.intervals import CONFIDENCE, Interval, student
from pairsets.evaluation.jackknife import Errors, Jackknife, Population
from pairsets.evaluation.rates import Curve, Point

# Rates of which a point holds one fixed: FNR at a target, FPR at a target, or both equal.
Fixed = Literal["fnr", "fpr", "eer"]
# By how much the fixed rate is moved, up and down, to see the slope of the curve.
_STEP = 1.25
_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False)
class CensusPoint:
    """An operating point over all pairs.

    Attributes:
        fixed: the rate that a target is set for.
        target: the target; 0 of an EER, at which both are equal.
        threshold: that the rates are achieved at: a score, or the next number above a score that
            pairs of the target would be too many at.
        fpr, fnr: the rates over all pairs, exact; of an EER both are it, between two thresholds.
        accepted, missed: the errors that they are made of, at the threshold.
        interval: of the rate that is not fixed, for identities like these, the threshold's own
            uncertainty included; nan where it hangs on so few misses that it is not known.
        fpr_interval, fnr_interval: of either rate at this threshold, taken as given.
        effective: independent pairs that would tell as much of the rate that is not fixed.
        influence: `[G]`, how the rate that is not fixed moves without each identity, scaled so that
            the sum of squares is its jackknife variance.
    """

    fixed: Fixed
    target: float
    threshold: float
    fpr: float
    fnr: float
    accepted: int
    missed: int
    interval: Interval
    fpr_interval: Interval
    fnr_interval: Interval
    effective: float
    influence: Floats

    @property
    def value(self) -> float:
        """The rate that is not fixed."""
        return self.fpr if self.fixed == "fnr" else self.fnr

    @property
    def name(self) -> str:
        """Name of the rate in files, such as `fnr_at_fpr_0.001`."""
        if self.fixed == "eer":
            return "eer"
        return f"{'fpr' if self.fixed == 'fnr' else 'fnr'}_at_{self.fixed}_{self.target:g}"


@dataclass(frozen=True)
class Area:
    """AUC of all pairs, as far as a histogram tells it.

    Attributes:
        value: the AUC with the pairs of one bin counted half.
        low, high: where it lies for certain.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class Census:
    """Rates of one model over all pairs of some faces.

    Attributes:
        population: the pairs.
        points: operating points that the pairs resolve, the target FNR first.
        curve: vertices of the ROC: each exact, not all there are.
        target_fnr: the target of the rate that leads.
        area: AUC, where all scores were looked at.
        highest_far: FARs above it were left out, being dear; 1 where none was.
    """

    population: Population
    points: tuple[CensusPoint, ...]
    curve: Curve
    target_fnr: float
    area: Area | None = None
    highest_far: float = 1.0

    def __repr__(self) -> str:
        told = ", ".join(
            f"{one.name} {100 * one.value:.3g} %"
            for one in self.points
            if one.fixed == "eer" or one is self.points[0]
        )
        return (
            f"Census({self.population.faces:,} faces of {len(self.population.sizes):,} identities, "
            f"{self.population.negatives:,} negatives; {told})"
        )

    @property
    def full(self) -> bool:
        """Whether all scores were looked at, and not the highest alone."""
        return self.highest_far == 1.0

    def point(self, fixed: Fixed, target: float = 0.0) -> CensusPoint | None:
        """The operating point of a target; None where it is not known."""
        for one in self.points:
            if (one.fixed, one.target) == (fixed, target):
                return one
        return None

    def record(self) -> dict[str, float | int | None]:
        """Flat record as files hold it, rates as shares; None for what is not known."""
        found: dict[str, float | int | None] = {
            "faces": self.population.faces,
            "identities": len(self.population.sizes),
            "negatives": self.population.negatives,
            "positives": self.population.positives,
            "target_fnr": self.target_fnr,
        }
        for one in self.points:
            found |= {
                one.name: one.value,
                f"{one.name}_low": one.interval.low,
                f"{one.name}_high": one.interval.high,
                f"{one.name}_threshold": one.threshold,
                f"{one.name}_false_accepts": one.accepted,
                f"{one.name}_misses": one.missed,
                f"{one.name}_effective_pairs": one.effective,
            }
        area = self.area
        found |= {
            "auc": None if area is None else area.value,
            "auc_least": None if area is None else area.low,
            "auc_most": None if area is None else area.high,
        }
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in found.items()
        }


def census_point(
    population: Population,
    curve: Curve,
    errors: Errors,
    fixed: Fixed,
    target: float = 0.0,
    *,
    at: Point | None = None,
    confidence: float = CONFIDENCE,
) -> CensusPoint:
    """An operating point with its intervals, from its errors by identity.

    Args:
        population: all pairs.
        curve: of which the slope is taken around the point.
        errors: at its threshold.
        fixed, target: what the threshold was chosen for.
        at: the rates to report where they are not those of the threshold: an EER's.
        confidence: of the intervals.
    """
    found = Jackknife.of(population, errors)
    shown = at or Point(errors.threshold, found.fpr, found.fnr)
    weights = _weights(curve, found, fixed)
    free = shown.fpr if fixed == "fnr" else shown.fnr
    count = population.negatives if fixed == "fnr" else population.positives
    if fixed == "eer":
        count = min(population.negatives, population.positives)
    interval, effective = found.interval(weights, free, count, confidence)
    if fixed == "fnr" and not found.tells_fnr:
        interval = Interval(math.nan, math.nan)
    fpr, _ = found.interval((1.0, 0.0), found.fpr, population.negatives, confidence)
    fnr, _ = found.interval((0.0, 1.0), found.fnr, population.positives, confidence)
    influence = weights[0] * found.by_fpr + weights[1] * found.by_fnr
    return CensusPoint(
        fixed,
        target,
        errors.threshold,
        shown.fpr,
        shown.fnr,
        found.accepted,
        found.missed,
        interval,
        fpr,
        fnr,
        effective,
        influence,
    )


def _weights(curve: Curve, found: Jackknife, fixed: Fixed) -> tuple[float, float]:
    """By how much a rate at a target moves with the FPR and the FNR at a fixed threshold."""
    if fixed == "fpr":
        return _slope(curve.fpr, curve.fnr, found.fpr), 1.0
    if fixed == "fnr":
        return 1.0, _slope(curve.fnr[::-1], curve.fpr[::-1], found.fnr)
    slope = _slope(curve.fpr, curve.fnr, found.fpr)
    return slope / (1 + slope), 1 / (1 + slope)


def _slope(rising: Floats, falling: Floats, at: float) -> float:
    """Slope by which one rate falls as the other rises, around a value of that; 0 or more."""
    low, high = at / _STEP, min(at * _STEP, 1.0)
    if not low < high:
        return 0.0
    # On normal deviates, where such curves are nearly straight between vertices.
    known = (rising > 0) & (rising < 1)
    if not known.any():
        return 0.0
    across, down = _deviates(rising[known]), _deviates(falling[known])
    ends = np.interp(_deviates(np.array([low, high])), across, down)
    above, below = map(_NORMAL.cdf, ends.tolist())
    return max(above - below, 0.0) / (high - low)


def _deviates(rates: Floats) -> Floats:
    """Normal deviates of rates; of 0 and 1 those of the rates next to them."""
    inside = np.clip(rates, 2.0**-1000, 1 - 2.0**-53)
    return np.array([_NORMAL.inv_cdf(rate) for rate in inside.tolist()])


@dataclass(frozen=True, eq=False, repr=False)
class CensusComparison:
    """Models over all pairs of the same faces, side by side.

    Attributes:
        models: the census of each, best first by the rate that leads.
        lead: what leads: FPR at the target FNR, or FNR at the highest FAR that all are known at.
        differences: by name of the rate, every two models.
        groups: by name of the rate, letters by model: those that share one cannot be told apart.
    """

    models: Mapping[str, Census]
    lead: tuple[Fixed, float]
    differences: Mapping[str, tuple[Difference, ...]]
    groups: Mapping[str, Mapping[str, str]]

    def __repr__(self) -> str:
        told = ", ".join(
            f"{model} {100 * self.leading(model).value:.3g} %" for model in self.models
        )
        return f"CensusComparison({self.leading(self.best).name}: {told})"

    @property
    def best(self) -> str:
        """The model with the lowest rate of those that lead; others may not be told from it."""
        return next(iter(self.models))

    @property
    def population(self) -> Population:
        """The pairs, which are those of all models."""
        return self.models[self.best].population

    @property
    def has_area(self) -> bool:
        """Whether the AUC of some model is known."""
        return any(one.area is not None for one in self.models.values())

    def leading(self, model: str) -> CensusPoint:
        """The operating point of the rate that leads."""
        found = self.models[model].point(*self.lead)
        assert found is not None  # or it would not lead
        return found

    @property
    def tied(self) -> tuple[str, ...]:
        """Models that cannot be told from the first in the rate that leads."""
        found = self.differences.get(self.leading(self.best).name, ())
        return tuple(
            one.second if one.first == self.best else one.first
            for one in found
            if self.best in (one.first, one.second) and not one.significant
        )


def compare_census(found: Mapping[str, Census]) -> CensusComparison:
    """Compare every two models over all pairs of the same identities.

    Differences take in that both were judged on the same identities: the variance is that of the
    jackknife, which is never too small on average (Efron and Stein 1981).

    Raises:
        ScoresError: no model, or models of other faces or another target.
    """
    if not found:
        raise ScoresError("no model to compare over all pairs")
    first = next(iter(found.values()))
    for model, one in found.items():
        if not np.array_equal(one.population.sizes, first.population.sizes):
            raise ScoresError(f"{model}: a census of other faces than {next(iter(found))}'s")
        if one.target_fnr != first.target_fnr:
            raise ScoresError(f"{model}: a census at another target FNR")
    common = [
        (one.fixed, one.target)
        for one in first.points
        if all(other.point(one.fixed, one.target) is not None for other in found.values())
    ]
    lead = _lead(common, first.target_fnr)
    told = [lead, *(point for point in common if point[0] != "fnr" and point != lead)]

    def value(model: str) -> tuple[float, float]:
        points = found[model].point(*lead), found[model].point("eer")
        one, other = (math.inf if at is None else at.value for at in points)
        return one, other

    models = {model: found[model] for model in sorted(found, key=value)}
    differences, groups = {}, {}
    for fixed, target in told:
        points = {
            model: point
            for model, one in models.items()
            if (point := one.point(fixed, target)) is not None
        }
        name = next(iter(points.values())).name
        order = sorted(points, key=lambda model: points[model].value)
        differences[name] = _differences({model: points[model] for model in order})
        groups[name] = letters(order, differences[name])
    return CensusComparison(models, lead, differences, groups)


def _lead(common: Sequence[tuple[Fixed, float]], target_fnr: float) -> tuple[Fixed, float]:
    """The rate that leads; ScoresError where the models have none in common."""
    if ("fnr", target_fnr) in common:
        return "fnr", target_fnr
    fars = [target for fixed, target in common if fixed == "fpr"]
    if not fars:
        raise ScoresError("no rate over all pairs that every model is known at")
    return "fpr", max(fars)


def _differences(points: Mapping[str, CensusPoint]) -> tuple[Difference, ...]:
    found = []
    for first, second in combinations(points, 2):
        one, other = points[first], points[second]
        value = one.value - other.value
        moved = one.influence - other.influence
        variance = float((moved**2).sum())
        # What no identity moves is no surer than either rate alone.
        if variance == 0:
            ends = [point.interval.high - point.interval.low for point in (one, other)]
            variance = (max(np.nan_to_num(ends)) / 4) ** 2
        fourth = float((moved**4).sum())
        degrees = float((moved**2).sum()) ** 2 / fourth if fourth > 0 else math.inf
        half = student(CONFIDENCE, degrees) * variance**0.5
        # As if normal at a deviate scaled so that interval and p-value say the same.
        scaled = value / half * student(CONFIDENCE, math.inf) if half > 0 else 0.0
        p = 2 * _NORMAL.cdf(-abs(scaled))
        bounds = max(value - half, -1.0), min(value + half, 1.0)
        if any(math.isnan(point.interval.low) for point in (one, other)):
            bounds, p = (math.nan, math.nan), 1.0
        found.append(Difference(one.name, first, second, value, *bounds, p, 1.0, 0, 0))
    adjusted = holm([one.p for one in found])
    return tuple(replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True))
