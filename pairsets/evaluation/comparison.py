"""Models on one pair set, side by side: evaluations, differences, groups, and the person."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Rows, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.bootstrap import DRAWS
from pairsets.evaluation.clusters import By, Clusters
from pairsets.evaluation.differences import STATISTICS, Difference, differences, letters
from pairsets.evaluation.evaluator import ModelEvaluation, evaluate_all, settled
from pairsets.evaluation.human import HumanRates, human_rates, resolve_target
from pairsets.evaluation.missing_scores import Missing
from pairsets.evaluation.rates import is_resolvable
from pairsets.evaluation.result import NOTEBOOK, Evaluation
from pairsets.pairset import PairSet

if TYPE_CHECKING:
    import pandas as pd

# Clusters below which no interval is to be relied on.
FEW = 20


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Models compared on one set, as `compare` finds them.

    Attributes:
        name: of the set.
        pairs: the set, less the pairs that were dropped for want of a score.
        target_fnr: at which FPR is reported.
        scores: by model, `[N]`, one a row of `pairs`; -inf where a pair counts as rejected.
        judged: by model, over the valid rows.
        human: the person's rates, where there is one.
        differences: by statistic (`fpr`, `eer`), every two comparable models that have it.
        groups: by statistic, letters by model: models that share one cannot be told apart.
        apart: models left out of differences and groups, such as the one that mined the set, and
            its kin.
    """

    name: str
    pairs: PairSet
    target_fnr: float
    scores: Mapping[str, Scores]
    judged: Mapping[str, ModelEvaluation]
    human: HumanRates | None
    differences: Mapping[str, tuple[Difference, ...]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    apart: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        told = ", ".join(
            f"{model} {100 * one.fpr_achieved:.3g} %" for model, one in self.evaluations.items()
        )
        return (
            f"Comparison({self.name!r}, {int(self.pairs.valid.sum()):,} pairs; FPR at an FNR of "
            f"{100 * self.target_fnr:.3g} %: {told})"
        )

    def _repr_html_(self) -> str:
        """Table of the models, the lowest FPR first, as a notebook shows it."""
        return str(importlib.import_module(NOTEBOOK).comparison_html(self))

    def to_frame(self) -> pd.DataFrame:
        """Table with a row a model: `model`, its groups by statistic, and its `record`."""
        import pandas as pd

        rows = []
        for model, one in self.evaluations.items():
            letters = {f"{name}_group": by.get(model) for name, by in self.groups.items()}
            rows.append({"model": model, **letters, **one.record()})
        return pd.DataFrame(rows)

    @property
    def evaluations(self) -> dict[str, Evaluation]:
        """The evaluation of each model."""
        return {model: one.evaluation for model, one in self.judged.items()}

    @property
    def thresholds(self) -> dict[str, float]:
        """The threshold of each model at the target FNR; models without one are not there."""
        return {
            model: one.evaluation.threshold
            for model, one in self.judged.items()
            if one.evaluation.reaches_target
        }

    @property
    def aucs(self) -> dict[str, float]:
        """The AUC of each model; below 0.5 its positives score lower than negatives."""
        return {model: one.evaluation.auc for model, one in self.judged.items()}

    @property
    def warnings(self) -> list[str]:
        """Warnings to read before the numbers, in sentences."""
        found = []
        for one in list(self.evaluations.values())[:1]:
            if self.target_fnr > 0 and not is_resolvable(self.target_fnr, one.positives):
                found.append(
                    f"{self.name}: no threshold has an FNR of {100 * self.target_fnr:.3g} %: of "
                    f"{one.positives:,} positives one is {100 / one.positives:.3g} %. FPR is that "
                    "of missing none."
                )
            if one.clusters < FEW:
                found.append(
                    f"{self.name}: {one.clusters:,} identities or images in all; so few give rough "
                    "intervals, or none."
                )
        return found + [
            text for model, one in self.evaluations.items() for text in self._unreached(model, one)
        ]

    def _unreached(self, model: str, one: Evaluation) -> list[str]:
        """Sentence on the rates that rejected positives leave no threshold for, if any."""
        lost = [] if one.reaches_target else [f"no FPR at an FNR of {100 * self.target_fnr:.3g} %"]
        lost += ["no EER"] if np.isnan(one.eer) else []
        if not lost:
            return []
        return [
            f"{self.name}: {model} has {' and '.join(lost)}: {one.rejected_positives:,} of "
            f"{one.positives:,} positives have no score and are rejected, so that its FNR is "
            f"{100 * one.floor:.3g} % or more at every threshold. --target-fnr takes a higher "
            "one, --missing drop leaves such pairs out."
        ]

    def disagreements(self, right: str, wrong: str) -> Rows:
        """Rows of `pairs` that the model `right` gets right and the model `wrong` gets wrong.

        Raises:
            ScoresError: a model that was not compared, or has no threshold for the target FNR.
        """
        for model in (right, wrong):
            if model not in self.judged:
                known = ", ".join(self.judged) or "none"
                raise ScoresError(f"{model} is not among the models compared: {known}")
            if model not in self.thresholds:
                raise ScoresError(f"{model} has no threshold with an FNR of {self.target_fnr:g}")
        rows = np.flatnonzero(self.pairs.valid)
        return rows[self.judged[right].right & ~self.judged[wrong].right]

    def tied(self, statistic: str) -> bool:
        """True where the data cannot tell the best model from all others.

        A best beside a model without such a rate counts as tied.
        """
        if any(
            model not in self.apart and not has_rate(one.evaluation, statistic)
            for model, one in self.judged.items()
        ):
            return True
        found = self.differences.get(statistic, ())
        if not found:
            return False
        models = dict.fromkeys(model for one in found for model in (one.first, one.second))
        best = _ranked(models, self.evaluations, statistic)[0]
        return any(best in (one.first, one.second) and one.better != best for one in found)


class ComparisonOptions(TypedDict, total=False):
    """Options of `compare`, which pass through what calls it."""

    missing: Missing
    turned: Collection[str]
    dropped: int
    clusters: By
    draws: int
    seed: int
    carried: Mapping[str, tuple[float, str]] | None


def compare(
    name: str,
    pairs: PairSet,
    scores: Mapping[str, ArrayLike],
    target_fnr: float | str | None = None,
    *,
    apart: Collection[str] = (),
    missing: Missing = "fail",
    turned: Collection[str] = (),
    dropped: int = 0,
    clusters: By = "identity",
    draws: int = DRAWS,
    seed: int = 0,
    carried: Mapping[str, tuple[float, str]] | None = None,
) -> Comparison:
    """Evaluate models on one set and compare every two of them on the same draws.

    Args:
        name: of the set.
        pairs: the set; invalid rows are left out.
        scores: by model, `[N]`, one a row of `pairs`.
        target_fnr: see `pairsets.evaluate`.
        apart: models to evaluate and not to compare: those that mined the set, and their kin.
        missing: of pairs without a score, see `pairsets.evaluation.missing_scores.settle`.
        turned: models whose scores are distances, turned round already.
        dropped: pairs that were left out before for want of a score: counted.
        clusters: what pairs share that makes them depend on one another.
        draws: of the bootstrap; 0 leaves out what has no closed form, differences among it.
        seed: of the draws.
        carried: by model, a threshold from another set and that set's name.

    Raises:
        ScoresError, PairSetError: see `pairsets.evaluate`.
    """
    count = len(pairs)
    pairs, values = settled(pairs, scores, missing)
    target = resolve_target(pairs, target_fnr)
    judged = evaluate_all(
        pairs,
        values,
        target,
        missing="reject",
        turned=turned,
        dropped=dropped + count - len(pairs),
        clusters=clusters,
        draws=draws,
        seed=seed,
        carried=carried,
    )
    found: dict[str, tuple[Difference, ...]] = {}
    groups: dict[str, dict[str, str]] = {}
    compared = {model: one for model, one in judged.items() if model not in apart}
    if draws and len(compared) > 1:
        ends = Clusters.of(pairs, clusters).take(pairs.valid)
        for statistic in STATISTICS:
            known = {
                model: one for model, one in compared.items() if has_rate(one.evaluation, statistic)
            }
            if len(known) < 2:
                continue
            found[statistic] = differences(known, ends, statistic)
            evaluations = {model: one.evaluation for model, one in known.items()}
            order = _ranked(known, evaluations, statistic)
            groups[statistic] = letters(order, found[statistic])
    return Comparison(
        name,
        pairs,
        target,
        values,
        judged,
        human_rates(pairs, clusters) if pairs.judged.any() else None,
        found,
        groups,
        frozenset(apart) & judged.keys(),
    )


def has_rate(evaluation: Evaluation, statistic: str) -> bool:
    """True where a model has an FPR at the target FNR (`fpr`), or an `eer`."""
    return evaluation.reaches_target if statistic == "fpr" else not np.isnan(evaluation.eer)


def _ranked(
    models: Iterable[str], evaluations: Mapping[str, Evaluation], statistic: str
) -> list[str]:
    """Models, best first, by the rate that tables lead with; last those that have none."""
    column = "eer" if statistic == "eer" else "fpr_achieved"
    rates = {model: float(getattr(evaluations[model], column)) for model in models}
    return sorted(rates, key=lambda model: np.inf if np.isnan(rates[model]) else rates[model])
