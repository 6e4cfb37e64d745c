"""One model's pairs in order of score: its rates on any part of them, and their influence."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Counts, Floats, Mask, Rows
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import CONFIDENCE, Interval, deviate, student, wilson
from pairsets.evaluation.rates import checked_share

# Vertices, or pairs, that are worked on at a time.
_BLOCK = 1 << 16


class RankedScores:
    """One model's pairs in falling order of score, to find its rates on any part of them.

    A score of -inf is that of a pair which every threshold rejects, as in
    `pairsets.evaluation.rates`.
    """

    def __init__(self, positive: Mask, scores: Floats, targets: Targets) -> None:
        self.positive, self.scores, self.targets = positive, scores, targets
        self.order = np.argsort(-scores, kind="stable")
        ranked = scores[self.order]
        distinct = ranked[1:] != ranked[:-1]
        self.last = None if distinct.all() else np.r_[np.flatnonzero(distinct), ranked.size - 1]
        self.hits = positive[self.order]
        # Pairs without a score (-inf) come last, and share the vertex after the last threshold.
        self.scored = int(np.isfinite(ranked).sum())
        vertices = ranked.size if self.last is None else self.last.size
        self.end = vertices - (self.scored < ranked.size)
        # Centred, so that sums of squares keep their digits.
        known = ranked[: self.scored]
        self.centred = known - known.mean()
        self.squares = self.centred**2
        self.rounding = 1e-9 * float(self.squares.mean())
        everything = np.ones(scores.size, np.bool_)
        fp, tp = self._vertices(everything)
        self.value = self._statistics(everything, fp, tp)
        self.at = self._points(fp, tp)
        # At the points, and of all pairs: what is needed of the vertices from here on.
        self.accepted = fp[self.at], tp[self.at]
        self.counts = int(fp[-1]), int(tp[-1])

    @property
    def width(self) -> int:
        """Number of columns of a draw: statistics, then FPR and FNR at each rate's fixed point."""
        return len(self.names) + 2 * (len(self.names) - 2)

    @property
    def names(self) -> list[str]:
        """Names of the statistics; the first are those of a point on the curve."""
        return [
            *(f"fpr@{target!r}" for target in self.targets.fnrs),
            *(f"fnr@{target!r}" for target in self.targets.fprs),
            "eer",
            "auc",
            "dprime",
        ]

    def statistics(self, pairs: Kept) -> Floats:
        """The statistics over the pairs `[N]` kept, and the rates at the points of all pairs."""
        kept = pairs[self.order]
        fp, tp = self._vertices(kept)
        found = np.full(self.width, np.nan)
        if fp[-1] and tp[-1]:
            found[: len(self.names)] = self._statistics(kept, fp, tp)
            rates = np.stack([fp[self.at] / fp[-1], 1 - tp[self.at] / tp[-1]])
            found[len(self.names) :] = rates.ravel()
        return found

    def _vertices(self, kept: Kept) -> tuple[Counts, Counts]:
        """False and true positives at each distinct score, after those of no pair accepted."""
        tp = np.cumsum(kept * self.hits, dtype=np.int32)
        fp = np.cumsum(kept, dtype=np.int32) - tp
        if self.last is not None:
            tp, fp = tp[self.last], fp[self.last]
        zero = np.zeros(1, np.int32)
        return np.concatenate([zero, fp]), np.concatenate([zero, tp])

    def _points(self, fp: Counts, tp: Counts) -> Rows:
        """The vertex of each target, then that at the EER; one beyond `end` has no threshold."""
        negatives, positives = int(fp[-1]), int(tp[-1])
        at = [
            int(tp.searchsorted(np.int32(positives - steps(target, positives))))
            for target in self.targets.fnrs
        ]
        at += [
            min(
                int(fp.searchsorted(np.int32(steps(target, negatives)), side="right")) - 1, self.end
            )
            for target in self.targets.fprs
        ]
        return np.array([*at, crossing(fp, tp)])

    def _statistics(self, kept: Kept, fp: Counts, tp: Counts) -> Floats:
        negatives, positives = int(fp[-1]), int(tp[-1])
        *at, after = self._points(fp, tp).tolist()
        split = len(self.targets.fnrs)
        nan = float("nan")
        rates = [fp[one] / negatives if one <= self.end else nan for one in at[:split]]
        rates += [1 - tp[one] / positives for one in at[split:]]
        before = after - 1
        gap = (positives - tp[before]) / positives - fp[before] / negatives
        over = fp[after] / negatives - (positives - tp[after]) / positives
        fnr = (positives - tp[[before, after]]) / positives
        eer = fnr[0] + (fnr[1] - fnr[0]) * (gap / (gap + over)) if after <= self.end else nan
        twice = 0
        for first in range(0, len(fp) - 1, _BLOCK):
            part = slice(first, first + _BLOCK + 1)
            ends = tp[part].astype(np.int64)
            twice += int((np.diff(fp[part]) * (ends[1:] + ends[:-1])).sum())
        auc = twice / (2 * positives * negatives)
        return np.array([*rates, eer, auc, self._dprime(kept, positives, negatives)])

    def _dprime(self, kept: Kept, positives: int, negatives: int) -> float:
        means, variances = [], []
        hits, kept = self.hits[: self.scored], kept[: self.scored]
        for kind, count in ((hits, positives), (~hits, negatives)):
            chosen = (kept * kind).astype(np.float64)
            if self.scored < self.hits.size:
                count = int(chosen.sum())
                if not count:
                    return float("nan")
            mean = _dot(self.centred, chosen) / count
            means.append(mean)
            variances.append(_dot(self.squares, chosen) / count - mean * mean)
        spread = sum(variances) / 2
        # Of equal scores the sums leave a rounding error, which is no spread.
        return (means[0] - means[1]) / spread**0.5 if spread > self.rounding else float("nan")

    def resampled(self, found: Floats, clusters: Clusters) -> dict[str, Resampled]:
        """Resampled statistics by name, from the table of their draws."""
        points = len(self.names) - 2
        fixed = found[:, len(self.names) :]
        result = {}
        for column, name in enumerate(self.names):
            draws = found[:, column]
            if column < points:
                fpr, fnr = fixed[:, column], fixed[:, points + column]
                influence: Floats | ByVerdict = self._of_rate(column, draws, fpr, fnr)
            else:
                influence = self._of_area() if name == "auc" else self._of_dprime()
            one = Resampled(float(self.value[column]), draws, influence, 1.0)
            spread = clusters.spread(one.influence)
            result[name] = replace(one, shrinkage=spread.shrinkage, degrees=spread.degrees)
        return result

    def _of_rate(self, column: int, draws: Floats, fpr: Floats, fnr: Floats) -> Floats | ByVerdict:
        """Influence on a rate of the curve: a sum of those on FPR and FNR at its point.

        The error of FPR at a target FNR is that of the FPR at the fixed threshold, plus the slope
        of the curve times that of the FNR; an EER mixes the two. The slope, or the mixture, is
        what fits the draws best.
        """
        if not np.isfinite(self.value[column]):
            return np.zeros(self.scores.size)
        (fps, tps), (negatives, positives) = self.accepted, self.counts
        at, fp, tp = self.at[column], int(fps[column]), int(tps[column])
        share = fp / negatives, 1 - tp / positives
        parts = fpr - share[0], fnr - share[1]
        error = draws - self.value[column]
        if column < len(self.targets.fnrs):
            weights = 1.0, _slope(error - parts[0], parts[1])
        elif column < len(self.targets.fnrs) + len(self.targets.fprs):
            weights = _slope(error - parts[1], parts[0]), 1.0
        else:
            mixed = min(_slope(error - parts[1], parts[0] - parts[1]), 1.0)
            weights = mixed, 1.0 - mixed
        ends = at if self.last is None or not at else self.last[at - 1] + 1
        accepted = np.empty(self.scores.size, np.bool_)
        accepted[self.order] = np.arange(self.scores.size) < ends
        verdicts = np.array([False, True])
        of_positives = weights[1] * (~verdicts - share[1]) / positives
        of_negatives = weights[0] * (verdicts - share[0]) / negatives
        return ByVerdict(self.positive, accepted, np.stack([of_negatives, of_positives]))

    def _of_area(self) -> Floats:
        """Influence on the AUC: placements (DeLong, DeLong and Clarke-Pearson 1988)."""
        kinds = [np.sort(self.scores[self.positive]), np.sort(self.scores[~self.positive])]
        area = self.value[self.names.index("auc")]
        influence = np.empty(self.scores.size)
        for first in range(0, self.scores.size, _BLOCK):
            part = slice(first, first + _BLOCK)
            scores = self.scores[part]
            positives_below, negatives_below = (
                (other.searchsorted(scores) + other.searchsorted(scores, "right"))
                / (2 * other.size)
                for other in kinds
            )
            influence[part] = np.where(
                self.positive[part],
                (negatives_below - area) / kinds[0].size,
                (1 - positives_below - area) / kinds[1].size,
            )
        return influence

    def _of_dprime(self) -> Floats:
        """Influence on d': that of two means and two variances."""
        influence = np.zeros(self.scores.size)
        value = self.value[self.names.index("dprime")]
        if not np.isfinite(value):
            return influence
        known = np.isfinite(self.scores)
        masks = self.positive & known, ~self.positive & known
        spread = sum(float(self.scores[mask].var()) for mask in masks) / 2
        for sign, mask in zip((1, -1), masks, strict=True):
            apart = self.scores[mask] - self.scores[mask].mean()
            through = value / (4 * spread) * (apart**2 - (apart**2).mean())
            influence[mask] = (sign * apart / spread**0.5 - through) / mask.sum()
        return influence


def _dot(first: Floats, second: Floats) -> float:
    """Dot product by einsum: `@` hands so short a sum to threads, which wait for one another."""
    return float(np.einsum("i,i->", first, second))


def steps(share: float, count: int) -> int:
    """Largest number of `count` pairs that is at most that share, as `evaluation.rates` counts."""
    # A product may be rounded either way; the quotient is what `rates` compares.
    steps = int(share * count) + 1
    while steps / count > share:
        steps -= 1
    return steps


def crossing(fp: Counts, tp: Counts) -> int:
    """The first vertex whose FPR is not below its FNR."""
    negatives, positives = int(fp[-1]), int(tp[-1])

    def reached(at: int) -> bool:
        return int(fp[at]) * positives >= (positives - int(tp[at])) * negatives

    return bisect_left(range(len(fp)), True, key=reached)


def _slope(error: Floats, part: Floats) -> float:
    """The least-squares slope of `error` over `part` through nought, no less than nought."""
    known = np.isfinite(error) & np.isfinite(part)
    error, part = error[known], part[known]
    # Not `@`: see `Clusters.spread`.
    squares = float((part * part).sum())
    return max(float((error * part).sum()) / squares, 0.0) if squares > 0 else 0.0


# Of the draws, those that a statistic must exist in for an interval to be given.
_ENOUGH = 0.95
# Of each pair, whether a draw keeps it, or what it counts there.
Kept = NDArray[np.bool_] | NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class ByVerdict:
    """Influence that each pair has by its label and the verdict on it, in two marks a pair.

    Attributes:
        positive, accepted: `[N]`.
        table: `[2, 2]`, of a negative and a positive, rejected and accepted.
    """

    positive: Mask
    accepted: Mask
    table: Floats

    def of_each(self) -> Floats:
        """Influence of each pair, `[N]`."""
        (rejected, accepted), (missed, hit) = self.table
        negatives = np.where(self.accepted, accepted, rejected)
        found: Floats = np.where(self.positive, np.where(self.accepted, hit, missed), negatives)
        return found


@dataclass(frozen=True, eq=False)
class Resampled:
    """A statistic, its value in each draw, and what each pair adds to its error.

    Attributes:
        value: on all pairs.
        draws: `[B]`; nan where a draw left no positive or no negative.
        told: the influence, or what it is made of.
        shrinkage, degrees: see `pairsets.evaluation.clusters.Spread`.
    """

    value: float
    draws: Floats
    told: Floats | ByVerdict
    shrinkage: float
    degrees: float = math.inf

    @property
    def influence(self) -> Floats:
        """Influence `[N]` of each pair on the value, whose error is near to their sum."""
        return self.told.of_each() if isinstance(self.told, ByVerdict) else self.told

    @property
    def deviations(self) -> Floats:
        """Deviations of draws from the value, of the right variance; none where too few exist."""
        found = self.draws[np.isfinite(self.draws)]
        if found.size < _ENOUGH * self.draws.size or not np.isfinite(self.value):
            return np.empty(0)
        return (found - self.value) * self.shrinkage

    def interval(self, confidence: float = CONFIDENCE) -> Interval | None:
        """The percentile interval; None where too many draws had no such statistic."""
        return self.around(self.value, confidence)

    def around(self, value: float, confidence: float = CONFIDENCE) -> Interval | None:
        """Interval of another definition of the same statistic, with these deviations."""
        # Of few clusters, or a few that outweigh the rest, the draws vary as little as those do.
        wider = student(confidence, self.degrees) / deviate(confidence)
        deviations = self.deviations * wider
        if not deviations.size:
            return None
        tail = (1 - confidence) / 2
        low, high = np.quantile(deviations, [tail, 1 - tail])
        return Interval(float(value + low), float(value + high))

    def share(self, value: float, count: int, confidence: float = CONFIDENCE) -> Interval | None:
        """The interval of a share of `count` pairs or probes, cut down to what a share can be.

        Where none, or every one, is an error, all draws agree, which does not make the rate
        certain: then it reaches as far as Wilson's.
        """
        interval = None if math.isnan(value) else self.around(value, confidence)
        if interval is None:
            return None
        low, high = (min(max(end, 0.0), 1.0) for end in (interval.low, interval.high))
        if self.value in (0.0, 1.0):
            least = wilson(self.value, count, confidence)
            low, high = min(low, least.low), max(high, least.high)
        return Interval(low, high)


@dataclass(frozen=True)
class Targets:
    """Rates resampled beside EER, AUC and d': FPR at these FNRs, FNR at these FPRs."""

    fnrs: Sequence[float] = ()
    fprs: Sequence[float] = ()

    def __post_init__(self) -> None:
        for rates, what in ((self.fnrs, "FNR"), (self.fprs, "FPR")):
            for rate in rates:
                checked_share(rate, what)
