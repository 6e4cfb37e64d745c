"""Two models on the same pairs: by how much they differ, and whether the data can tell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.evaluator import ModelEvaluation
from pairsets.evaluation.intervals import CONFIDENCE, deviate, wilson
from pairsets.evaluation.resamples import Resampled

# What models are compared by: the name, and the name under which it was resampled.
STATISTICS = ("fpr", "eer")
ALPHA = 0.05
_ENOUGH = 0.95


@dataclass(frozen=True)
class Difference:
    """`first` minus `second`, in one statistic, on the same pairs.

    Attributes:
        statistic: `fpr` at the target FNR, or `eer`; lower is better.
        first, second: the models.
        value, low, high: the difference of shares and its interval.
        p: two-sided, of no difference.
        p_holm: the same after Holm's correction for all pairs of models compared.
        only_first, only_second: pairs that the one gets right and the other wrong, each at its
            own threshold for the target FNR; 0 where one of them has none.
    """

    statistic: str
    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    p_holm: float
    only_first: int
    only_second: int

    @property
    def told(self) -> tuple[str, str, float, float, float, float, float]:
        """Both models, then the difference, its interval and both p, as tables have them."""
        numbers = self.value, self.low, self.high, self.p, self.p_holm
        return self.first, self.second, *numbers

    @property
    def significant(self) -> bool:
        """Whether the data tell the two apart, all comparisons considered."""
        return self.p_holm < ALPHA

    @property
    def better(self) -> str | None:
        """The model with the lower rate, where the data tell."""
        if not self.significant:
            return None
        return self.first if self.value < 0 else self.second


def differences(
    judged: Mapping[str, ModelEvaluation],
    clusters: Clusters,
    statistic: str,
    confidence: float = CONFIDENCE,
) -> tuple[Difference, ...]:
    """Every two models compared, in the order given: K (K - 1) / 2 rows.

    Both have the same draws, so that the spread of their difference leaves out what makes a draw
    hard for both. That spread is brought to its right size as that of one model is (see
    `pairsets.evaluation.bootstrap`); interval and p-value take it as normal, so that an interval
    without nought and p < 0.05 say the same. A rate of 0 or 1, about which all draws agree, is no
    surer than its Wilson interval says.

    Args:
        judged: models on the same pairs, resampled with the same draws.
        clusters: of these pairs.
        statistic: `fpr` or `eer`.
        confidence: of the intervals.

    Raises:
        ScoresError: another statistic, or models that were not resampled.
    """
    if statistic not in STATISTICS:
        raise ScoresError(f"no differences of {statistic!r}; there are {', '.join(STATISTICS)}")
    tables = {model: _table(model, one, statistic) for model, one in judged.items()}
    found = []
    for first, second in combinations(judged, 2):
        value, error = _difference(tables[first], tables[second], clusters)
        error = math.hypot(
            error, *(_blind(tables[one], judged[one], statistic) for one in (first, second))
        )
        half = deviate(confidence) * error
        right, other = judged[first].right, judged[second].right
        if not all(judged[one].evaluation.reaches_target for one in (first, second)):
            right = other
        found.append(
            Difference(
                statistic,
                first,
                second,
                value,
                max(value - half, -1.0),
                min(value + half, 1.0),
                _p_value(value, error),
                1.0,
                int((right & ~other).sum()),
                int((other & ~right).sum()),
            )
        )
    adjusted = holm([one.p for one in found])
    return tuple(replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True))


def holm(p_values: ArrayLike) -> Floats:
    """P-values `[M]` adjusted for their number, step down (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty(values.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def letters(models: Sequence[str], found: Sequence[Difference]) -> dict[str, str]:
    """Groups of models that the data cannot tell apart: models that share a letter.

    The compact letter display of Piepho (2004): as few letters as its insert-and-absorb gives. The
    letters follow the order of `models`, best first.

    >>> one = Difference("fpr", "A", "C", -0.2, -0.3, -0.1, 0.001, 0.003, 9, 1)
    >>> letters(["A", "B", "C"], [one])
    {'A': 'a', 'B': 'ab', 'C': 'b'}
    """
    groups: list[set[str]] = [set(models)]
    for one in found:
        if not one.significant:
            continue
        split: list[set[str]] = []
        for group in groups:
            if one.first in group and one.second in group:
                split += [group - {one.first}, group - {one.second}]
            else:
                split.append(group)
        groups = []
        for group in split:
            if not any(group <= other for other in groups):
                groups = [other for other in groups if not other <= group] + [group]
    place = {model: at for at, model in enumerate(models)}
    groups.sort(key=lambda group: sorted(place[model] for model in group))
    return {
        model: "".join(_letter(at) for at, group in enumerate(groups) if model in group)
        for model in models
    }


def _letter(at: int) -> str:
    """Letter of a group by its number: a to z, then A to Z, then numbers in brackets."""
    if at < 26:
        return chr(ord("a") + at)
    return chr(ord("A") + at - 26) if at < 52 else f"({at + 1})"


def _table(model: str, judged: ModelEvaluation, statistic: str) -> Resampled:
    name = "eer" if statistic == "eer" else f"fpr@{judged.evaluation.target_fnr!r}"
    if name not in judged.resampled:
        raise ScoresError(f"{model}: not resampled, so that its differences have no interval")
    return judged.resampled[name]


def _difference(first: Resampled, second: Resampled, clusters: Clusters) -> tuple[float, float]:
    """The difference and its standard error; nan where too few draws have both."""
    value = first.value - second.value
    drawn = first.draws - second.draws
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < _ENOUGH * first.draws.size:
        return value, float("nan")
    # About the value, not about the draws' mean: a bias of the bootstrap widens the interval.
    error = float(np.sqrt(np.mean((drawn - value) ** 2)))
    return value, error * clusters.spread(first.influence - second.influence).shrinkage


def _blind(table: Resampled, judged: ModelEvaluation, statistic: str) -> float:
    """Wilson's standard error of a rate of 0 or 1, about which all draws agree."""
    if 0 < table.value < 1:
        return 0.0
    found = judged.evaluation
    count = found.negatives if statistic == "fpr" else min(found.positives, found.negatives)
    bounds = wilson(table.value, count)
    return (bounds.high - bounds.low) / (2 * deviate(CONFIDENCE))


def _p_value(value: float, error: float) -> float:
    if np.isnan(error):
        return 1.0
    if error == 0:
        return 1.0 if value == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(value) / error)
