"""Models that search one gallery for the same probes: by how much they differ.

The error of a difference is that of two sums over probes, in which each probe stands twice: with
what it adds to the first model's rate, a pair of its identity and the one that it is most like
there, and taken away, with what it adds to the second's (`pairsets.evaluation.searches`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from statistics import NormalDist

import numpy as np

from pairsets.arrays import Floats, Mask
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters, Spread
from pairsets.evaluation.differences import Difference, holm, letters
from pairsets.evaluation.identification import Identification
from pairsets.evaluation.intervals import CONFIDENCE, deviate, student
from pairsets.evaluation.resamples import Resampled

# Of the draws, those that both models must have a rate in.
_ENOUGH = 0.95
_NORMAL = NormalDist()


@dataclass(frozen=True, eq=False, repr=False)
class IdentificationComparison:
    """Models that searched one gallery for the same probes, side by side.

    Attributes:
        models: by name, in the order given.

    Raises:
        ScoresError: no model, or searches for other probes.
    """

    models: Mapping[str, Identification]

    def __post_init__(self) -> None:
        if not self.models:
            raise ScoresError("no model that searched a gallery; expected one or more")
        (first, one), *others = self.models.items()
        for name, other in others:
            mine, theirs = one.searches, other.searches
            if not (
                np.array_equal(mine.identities, theirs.identities)
                and np.array_equal(mine.mated, theirs.mated)
                and (mine.size, mine.numbered) == (theirs.size, theirs.numbered)
            ):
                raise ScoresError(
                    f"{first} and {name} searched other galleries, or for other probes; models "
                    "are compared on the same"
                )

    def __repr__(self) -> str:
        told = ", ".join(
            f"{model} {100 * one.rates[0].value:.3g} %" for model, one in self.models.items()
        )
        name = next(iter(self.models.values())).rates[0].name
        return f"IdentificationComparison({name}: {told})"

    @cached_property
    def differences(self) -> Mapping[str, tuple[Difference, ...]]:
        """Differences of every two models, first minus second, by the name of the rate."""
        if len(self.models) < 2:
            return {}
        names = [one.name for one in next(iter(self.models.values())).rates]
        return {name: self._differences(name) for name in names}

    @cached_property
    def groups(self) -> Mapping[str, Mapping[str, str]]:
        """Letters of the models by name of a rate: those that share one are not told apart."""
        return {name: letters(self.order(name), found) for name, found in self.differences.items()}

    def is_best(self, name: str, model: str) -> bool:
        """Whether a model has the best of a rate, told from all others'."""
        mine = [one for one in self.differences.get(name, ()) if model in (one.first, one.second)]
        falls = self.models[model].rate(name).falls
        return bool(mine) and all(
            one.significant and (one.value < 0) == (falls == (one.first == model)) for one in mine
        )

    def order(self, name: str) -> list[str]:
        """The models by a rate, the best first, those without one last."""
        sign = 1 if next(iter(self.models.values())).rate(name).falls else -1
        known = {model: sign * one.rate(name).value for model, one in self.models.items()}
        return sorted(known, key=lambda model: (math.isnan(known[model]), known[model]))

    def _differences(self, name: str) -> tuple[Difference, ...]:
        found = []
        for first, second in combinations(self.models, 2):
            one, other = self.models[first], self.models[second]
            right = _is_right(one, name), _is_right(other, name)
            value = one.rate(name).value - other.rate(name).value
            low, high, p = _judged(one, other, name, value)
            only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
            found.append(Difference(name, first, second, value, low, high, p, 1.0, *only))
        adjusted = holm([one.p for one in found])
        return tuple(replace(one, p_holm=float(p)) for one, p in zip(found, adjusted, strict=True))


def _is_right(one: Identification, name: str) -> Mask:
    """Probes `[P]` that a model gets right: at a rank, or at the threshold of a target."""
    found, rate = one.searches, one.rate(name)
    if rate.threshold is None:
        rank = int(name.partition("-")[2]) if name.startswith("rank-") else 1
        return np.asarray(found.mated & (found.ranks <= rank))
    labels, scores = found.open_set(one.targets.rank_limit)
    # A threshold that there is not accepts nobody.
    return np.asarray((scores >= rate.threshold) == labels)


def _judged(
    one: Identification, other: Identification, name: str, value: float
) -> tuple[float, float, float]:
    """The interval of a difference, and the p-value of none; nan and 1 where it is unknown."""
    if one.rate(name).threshold is None:
        parts = [_influence(each, name) for each in (one, other)]
        spread = _joined(
            [each.searches.clusters(each.searches.mated) for each in (one, other)], parts
        )
        error, scale = math.sqrt(spread.variance), student(CONFIDENCE, spread.degrees)
        # Student's, by a normal deviate that has been narrowed as the interval was widened.
        error *= scale / deviate(CONFIDENCE)
    else:
        error = _resampled_error(one, other, name, value)
    if error == 0 and value == 0:
        return value, value, 1.0
    if error == 0:
        # What no probe moves is no surer than both rates are, each alone (Newcombe 1998).
        ends = [each.rate(name).interval for each in (one, other)]
        widths = [end.high - end.low for end in ends if end is not None]
        error = math.hypot(*widths) / deviate(CONFIDENCE)
    if not (error > 0 and math.isfinite(error)) or math.isnan(value):
        return math.nan, math.nan, 1.0
    half = deviate(CONFIDENCE) * error
    p = 2 * _NORMAL.cdf(-abs(value) / error)
    return max(value - half, -1.0), min(value + half, 1.0), p


def _influence(one: Identification, name: str) -> Floats:
    """Share of each mated probe in the error of a rate of the closed set."""
    found = one.searches
    if name == "map":
        values = found.precisions[found.mated]
    else:
        values = _is_right(one, name)[found.mated].astype(np.float64)
    return np.asarray((values - values.mean()) / values.size)


def _joined(clusters: list[Clusters], influences: list[Floats]) -> Spread:
    """Spread of the first sum minus the second."""
    a, b = (np.concatenate([getattr(one, end) for one in clusters]) for end in ("a", "b"))
    signed = np.concatenate([influences[0], -influences[1]])
    return Clusters(a, b, clusters[0].count).spread(signed)


def _resampled_error(one: Identification, other: Identification, name: str, value: float) -> float:
    """Standard error of a difference of rates at a target, from draws that both share."""
    kind, _, target = name.partition("@")
    at = f"{'fnr' if kind == 'fnir' else 'fpr'}@{target}"
    tables: list[Resampled] = [each.resampled[at] for each in (one, other) if at in each.resampled]
    if len(tables) < 2:
        return math.nan
    drawn = tables[0].draws - tables[1].draws
    drawn = drawn[np.isfinite(drawn)]
    if drawn.size < _ENOUGH * tables[0].draws.size:
        return math.nan
    error = float(np.sqrt(np.mean((drawn - value) ** 2)))
    limit = one.targets.rank_limit
    ends = [each.searches.open_clusters(limit) for each in (one, other)]
    return error * _joined(ends, [table.influence for table in tables]).shrinkage
