"""Rates of a model over all pairs of different identities, which a set with a design stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Mask
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import By, Clusters
from pairsets.evaluation.design_rates import (
    FEWEST,
    HEAVY,
    DesignCurve,
    DesignPoint,
    DesignRate,
    design_rate,
)
from pairsets.evaluation.intervals import Interval
from pairsets.files.designs import Design
from pairsets.pairset import PairSet

# FPRs over all pairs at which FNR is told.
TARGETS = (1e-2, 1e-3, 1e-4)


@dataclass(frozen=True)
class PopulationRates:
    """Rates over all pairs of different identities.

    Attributes:
        population: how many such pairs there are, label errors among them.
        fpr: at the threshold of the target FNR.
        points: FNR at FPRs.
        eer: where FPR over all pairs and FNR cross; nan where they do not.
        label_errors: share of all pairs that a person calls the same, or invalid, which leave the
            other rates; None where not every negative was judged.
        left_out: negatives of the set that left with all they stand for.
    """

    population: int
    fpr: DesignRate
    points: tuple[DesignPoint, ...]
    eer: float
    label_errors: DesignRate | None
    left_out: int

    def record(self) -> dict[str, float | int | str | None]:
        """Flat record as files hold it; None for what the set cannot resolve."""
        found: dict[str, float | int | str | None] = {"population_pairs": self.population}
        found |= _bounds("population_fpr", self.fpr.value, self.fpr.interval, self.fpr.resolvable)
        wider, known = self.fpr.wider, self.fpr.resolvable
        found["population_fpr_like_low"] = wider.low if known else None
        found["population_fpr_like_high"] = wider.high if known else None
        found["population_effective_errors"] = self.fpr.effective
        found["population_heaviest"] = self.fpr.heaviest
        found["population_eer"] = self.eer
        for point in self.points:
            name = f"population_fnr_at_fpr_{point.target:g}"
            found |= _bounds(name, point.fnr, point.interval, point.resolvable)
        if self.label_errors is not None:
            share = self.label_errors
            # Few label errors, or none, are what is hoped for: their upper bound tells something.
            found |= _bounds("population_label_errors", share.value, share.interval, True)
        return found

    def sentence(self, model: str) -> str:
        """The rates in a sentence."""
        lead = f"{model}: Over all {self.population:,} pairs of different identities"
        if self.left_out:
            lead += f" (less what {self.left_out:,} pairs stand for that do not count)"
        if self.fpr.resolvable:
            text = (
                f"FPR {_percent(self.fpr.value)} % {_span(self.fpr.interval)}, for identities like "
                f"these {_span(self.fpr.wider)}"
            )
        elif math.isnan(self.fpr.value):
            text = "no FPR, as no threshold has the target FNR"
        else:
            text = (
                f"FPR not resolvable, at most {_percent(self.fpr.high)} %: as much as "
                f"{self.fpr.effective:.1f} error pairs carry it, and it takes {FEWEST:g}"
            )
        told = [
            f"{_percent(point.fnr)} % {_span(point.interval)} at {_percent(point.target)} %"
            for point in self.points
            if point.resolvable
        ]
        lost = [f"{_percent(point.target)} %" for point in self.points if not point.resolvable]
        text += f". FNR at FPRs over all: {', '.join(told)}" if told else ""
        text += f". Not resolvable: FNR at an FPR of {', '.join(lost)}" if lost else ""
        return f"{lead}: {text}."

    def warnings(self, model: str) -> list[str]:
        """A sentence where one pair carries much of the estimate."""
        if not self.fpr.heaviest > HEAVY:
            return []
        return [
            f"{model}: one pair carries {100 * self.fpr.heaviest:.0f} % of its FPR over all pairs: "
            "look at it, and at what its label says"
        ]


def population_rates(
    pairs: PairSet,
    design: Design,
    scores: Mapping[str, ArrayLike],
    thresholds: Mapping[str, float],
    *,
    kept: Mask | None = None,
    clusters: By = "identity",
) -> dict[str, PopulationRates]:
    """Rates of models over all pairs of different identities.

    Negatives that are marked invalid, that a person calls the same, or that are not kept leave the
    population that they stand for.

    Args:
        pairs: the set, all of it.
        design: of the set.
        scores: by model, one a row of those that are kept; -inf is rejected at every threshold.
        thresholds: by model, that of the target FNR; nan where there is none.
        kept: `[N]`, rows that were not dropped for want of a score.
        clusters: what pairs share, for the wider intervals.

    Raises:
        ScoresError: another number of scores.
    """
    stay = np.ones(len(pairs), bool) if kept is None else np.asarray(kept, bool)
    drawn = np.flatnonzero(design.stratum >= 0)
    counted = (stay & pairs.valid & (pairs.human_prediction != 1))[drawn]
    chance, stratum = design.probability[drawn], design.stratum[drawn]
    ends = Clusters.of(pairs, clusters).take(drawn).packed()
    positive = stay & pairs.positives
    errors = label_errors(pairs, design, clusters)
    found = {}
    for model, given in scores.items():
        values = np.full(len(pairs), -np.inf)
        if np.shape(given) != (int(stay.sum()),):
            raise ScoresError(
                f"{model}: scores of shape {np.shape(given)} for {int(stay.sum())} pairs"
            )
        values[stay] = given
        curve = DesignCurve(
            values[positive], values[drawn], chance, stratum, design.populations, counted, ends
        )
        cut = thresholds.get(model, math.nan)
        fpr = curve.fpr(values[drawn] >= cut)
        if math.isnan(cut):
            gone = Interval(math.nan, math.nan)
            fpr = DesignRate(math.nan, math.nan, math.nan, gone, 0, fpr.count, 0.0, 0.0)
        points = tuple(curve.fnr_at_fpr(target) for target in TARGETS)
        eer = curve.equal_error()
        left = int((~counted).sum())
        found[model] = PopulationRates(design.population, fpr, points, eer, errors, left)
    return found


def label_errors(pairs: PairSet, design: Design, clusters: By = "identity") -> DesignRate | None:
    """Share of all pairs of different identities that a person calls the same, or invalid.

    None where a negative was neither judged nor marked: a share of some says nothing of all.

    Args:
        pairs: the set.
        design: of the set.
        clusters: what pairs share.
    """
    drawn = np.flatnonzero(design.stratum >= 0)
    said, invalid = pairs.human_prediction[drawn], ~pairs.valid[drawn]
    if not (invalid | (said >= 0)).all():
        return None
    return design_rate(
        invalid | (said == 1),
        design.probability[drawn],
        design.stratum[drawn],
        design.populations,
        Clusters.of(pairs, clusters).take(drawn).packed(),
    )


def label_error_sentence(share: DesignRate, population: int) -> str:
    """The share of label errors among so many pairs in a sentence."""
    return (
        f"Label errors among all {population:,} pairs of different identities: "
        f"{_percent(share.value)} % {_span(share.interval)}, from {share.errors:,} of "
        f"{share.count:,} judged"
        + ("." if share.resolvable else "; too few for more than a rough upper bound.")
    )


def _bounds(
    name: str, value: float, interval: Interval, known: bool
) -> dict[str, float | int | str | None]:
    numbers = (value, interval.low, interval.high)
    ends = ("", "_low", "_high")
    return {name + end: one if known else None for end, one in zip(ends, numbers, strict=True)}


def _percent(share: float) -> str:
    return f"{100 * share:.3g}"


def _span(interval: Interval) -> str:
    return f"[{_percent(interval.low)}, {_percent(interval.high)}]"
