"""Evaluation of a model on a pair set: the numbers, and as files hold them."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

from pairsets.evaluation.intervals import Interval, Rate
from pairsets.evaluation.population_rates import PopulationRates

if TYPE_CHECKING:
    import pandas as pd

# Turns results into what notebooks show: above this package, and loaded there alone.
NOTEBOOK = "pairsets.report.notebook_tables"


@dataclass(frozen=True)
class OperatingPoint:
    """Operating point: one rate at a target of the other.

    Attributes:
        fixed: which rate the target is of.
        target: a share.
        threshold, fpr, fnr: the rates that a real threshold achieves without exceeding the target.
        interpolated: the other rate on the line between two thresholds.
        interval: of the achieved other rate; None where it was not resampled, or cannot be known.
        resolvable: whether the set has pairs enough for such a rate at all.
    """

    fixed: Literal["fnr", "fpr"]
    target: float
    threshold: float
    fpr: float
    fnr: float
    interpolated: float
    interval: Interval | None
    resolvable: bool

    @property
    def value(self) -> float:
        """The achieved rate that is not fixed."""
        return self.fpr if self.fixed == "fnr" else self.fnr


@dataclass(frozen=True)
class Carried:
    """The rates at a threshold that was chosen on another set."""

    threshold: float
    source: str
    fpr: Rate
    fnr: Rate


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Evaluation of a model's scores on a pair set.

    Attributes:
        target_fnr: the FNR at which FPR is reported. Where no threshold reaches it, since so many
            positives have no score, the rates and the threshold there are nan.
        fpr_interpolated: FPR at that FNR as the original `evaluate.py` computes it.
        fpr_achieved, fnr_achieved, threshold: the rates of the highest threshold whose FNR does
            not exceed the target, and that threshold (accept if score >= threshold).
        eer, eer_threshold: see `pairsets.evaluation.rates.equal_error`.
        auc: area under the ROC, ties counted half.
        dprime: see `pairsets.evaluation.rates.sensitivity_index`.
        positives, negatives: valid rows of each kind; `invalid`: rows left out.
        rejected_positives, rejected_negatives: of these, pairs without a score, counted as
            rejected at every threshold.
        dropped: valid rows left out since this or another model has no score of them.
        distance: whether the scores are distances turned round. Thresholds here are of scores all
            the same; `shown` turns them back.
        fpr_rate, fnr_rate: the achieved rates with the closed-form intervals, design effects and
            effective numbers of pairs that they have at that threshold, taken as given.
        intervals: of `fpr_interpolated`, `fpr_achieved`, `eer`, `auc` and `dprime`, by name, with
            the threshold's own uncertainty; without those that were not resampled, or of a set so
            small that they cannot be known.
        points: FPR at several FNRs, FNR at several FPRs.
        carried: the rates at a threshold from another set.
        clusters: how many identities (or images) the pairs have.
        population: the rates over all pairs of different identities, where the set has a design.
    """

    target_fnr: float
    fpr_interpolated: float
    fpr_achieved: float
    fnr_achieved: float
    threshold: float
    eer: float
    eer_threshold: float
    auc: float
    dprime: float
    positives: int
    negatives: int
    invalid: int
    fpr_rate: Rate
    fnr_rate: Rate
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    points: Sequence[OperatingPoint] = ()
    carried: Carried | None = None
    clusters: int = 0
    rejected_positives: int = 0
    rejected_negatives: int = 0
    dropped: int = 0
    distance: bool = False
    population: PopulationRates | None = None

    def __repr__(self) -> str:
        return (
            f"Evaluation(FPR {_percent(self.fpr_achieved)} at an FNR of "
            f"{_percent(self.fnr_achieved)}, EER {_percent(self.eer)}, AUC {self.auc:.4g}; "
            f"{self.positives:,} positives, {self.negatives:,} negatives)"
        )

    def _repr_html_(self) -> str:
        """Table of the rates with their intervals, as a notebook shows it."""
        return str(importlib.import_module(NOTEBOOK).evaluation_html(self))

    def to_frame(self) -> pd.DataFrame:
        """Table of one row: `record`."""
        import pandas as pd

        return pd.DataFrame([self.record()])

    @property
    def reaches_target(self) -> bool:
        """Whether some threshold has an FNR as low as the target."""
        return not math.isnan(self.threshold)

    @property
    def rejected(self) -> int:
        """Number of pairs of either kind without a score, rejected at every threshold."""
        return self.rejected_positives + self.rejected_negatives

    @property
    def floor(self) -> float:
        """The FNR below which no threshold gets: the share of positives without a score."""
        return self.rejected_positives / self.positives

    def shown(self, threshold: float) -> float:
        """Threshold in the units that were given: of distances, accept if distance <= it."""
        return shown_threshold(threshold, distance=self.distance)

    @property
    def accepts(self) -> str:
        """Rule by which a threshold, as files and tables have it, accepts a pair."""
        return "distance <= threshold" if self.distance else "score >= threshold"

    def record(self) -> dict[str, float | int | str | None]:
        """Flat record as files hold it; None for what is not known or not finite."""
        found: dict[str, float | int | str | None] = {name: getattr(self, name) for name in _PLAIN}
        for name in ("threshold", "eer_threshold"):
            found[name] = self.shown(getattr(self, name))
        found["accepts"] = self.accepts
        for name, interval in self.intervals.items():
            found |= {f"{name}_low": interval.low, f"{name}_high": interval.high}
        for name, rate in (("fpr", self.fpr_rate), ("fnr", self.fnr_rate)):
            found |= {
                f"{name}_at_threshold_low": rate.low,
                f"{name}_at_threshold_high": rate.high,
                f"{name}_design_effect": rate.design_effect,
                f"{name}_effective_pairs": rate.effective,
            }
        for point in self.points:
            other = "fpr" if point.fixed == "fnr" else "fnr"
            name = f"{other}_at_{point.fixed}_{point.target:g}"
            bounds = (point.interval.low, point.interval.high) if point.interval else (None, None)
            numbers = (point.value, point.interpolated, *bounds)
            for end, value in zip(("", "_interpolated", "_low", "_high"), numbers, strict=True):
                found[name + end] = value if point.resolvable else None
        if self.carried is not None:
            found["carried_from"] = self.carried.source
            found["carried_threshold"] = self.shown(self.carried.threshold)
            for name, rate in (("fpr", self.carried.fpr), ("fnr", self.carried.fnr)):
                found[f"carried_{name}"] = rate.value
                found |= {f"carried_{name}_low": rate.low, f"carried_{name}_high": rate.high}
        if self.population is not None:
            found |= self.population.record()
        # A threshold that accepts nothing is infinite, which JSON does not know.
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in found.items()
        }


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def shown_threshold(threshold: float, *, distance: bool) -> float:
    """Threshold of scores as users have it: of distances turned round, that of the distances.

    >>> shown_threshold(-0.4, distance=True), shown_threshold(0.4, distance=False)
    (0.4, 0.4)
    """
    # Nought without a sign.
    return 0.0 - threshold if distance else threshold


# Fields that a record holds as they are.
_PLAIN = [one.name for one in fields(Evaluation) if one.type in ("float", "int")]
