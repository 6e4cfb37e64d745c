"""Error rates of scores against labels: pure functions, nothing of files or models.

A pair is accepted as "same identity" if score >= threshold (the convention of bob.measure):

    FNR(T) = #(positives with score < T) / P        FPR(T) = #(negatives with score >= T) / N

A score of -inf says that a pair has none, and is rejected at every threshold: a failure to enrol,
as NIST counts it. Such positives are errors whatever the threshold, such negatives never are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Floats, Scores
from pairsets.errors import ScoresError
from pairsets.sorted_arrays import sort_in_place

# Steps of a curve that are looked at together, at first.
FEW = 64
# Vertices that are summed over at a time.
BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Curve:
    """The ROC of some scores: one vertex per distinct score, after the one that accepts nothing.

    Attributes:
        thresholds: `[K + 1]`, falling, the first +inf.
        false_positives: `[K + 1]`, negatives with score >= threshold.
        true_positives: `[K + 1]`, positives with score >= threshold.
        rejected_positives, rejected_negatives: pairs without a score, which no threshold accepts;
            with them the curve ends before the corner where all is accepted.
    """

    thresholds: Floats
    false_positives: Counts
    true_positives: Counts
    rejected_positives: int = 0
    rejected_negatives: int = 0

    @property
    def positives(self) -> int:
        """Number of positives, rejected ones among them."""
        return int(self.true_positives[-1]) + self.rejected_positives

    @property
    def negatives(self) -> int:
        """Number of negatives, rejected ones among them."""
        return int(self.false_positives[-1]) + self.rejected_negatives

    @cached_property
    def fpr(self) -> Floats:
        """False positive rate at each threshold, rising."""
        return self.false_positives / self.negatives

    @cached_property
    def fnr(self) -> Floats:
        """False negative rate at each threshold, falling."""
        return (self.positives - self.true_positives) / self.positives

    def rates(self, at: int) -> tuple[float, float]:
        """FPR and FNR of one vertex, equal to those of `fpr` and `fnr`, which take all of them."""
        positives = self.positives
        return (
            int(self.false_positives[at]) / self.negatives,
            (positives - int(self.true_positives[at])) / positives,
        )

    def first(self, holds: Callable[[float, float], bool]) -> int:
        """First vertex whose FPR and FNR are such; K + 1 where none is.

        What `holds` of a vertex must hold of all that follow, too.
        """
        vertices = range(len(self.thresholds))
        return bisect_left(vertices, True, key=lambda at: holds(*self.rates(at)))

    def point(self, at: int) -> Point:
        """The operating point of a vertex."""
        return Point(float(self.thresholds[at]), *self.rates(at))


@dataclass(frozen=True)
class Point:
    """One operating point: a threshold, and the rates it gives; nan where no threshold does."""

    threshold: float
    fpr: float
    fnr: float


NOWHERE = Point(float("nan"), float("nan"), float("nan"))


def roc(labels: ArrayLike, scores: ArrayLike) -> Curve:
    """The ROC curve of `scores [N]` against `labels [N]` (1 positive, 0 negative).

    Pairs that score -inf are rejected at every threshold.

    Raises:
        ScoresError: other lengths, nan or +inf, no pair with a score, only one class.

    >>> curve = roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1])
    >>> curve.fpr.tolist(), curve.fnr.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.5, 0.0, 0.0])
    """
    positive, values = np.asarray(labels) == 1, np.asarray(scores, np.float64)
    if values.ndim != 1 or positive.shape != values.shape:
        raise ScoresError(
            f"scores of shape {values.shape} for labels of shape {positive.shape}; "
            "expected one score a pair"
        )
    refuse_unknown(values)
    if positive.all() or not positive.any():
        kind = "negative" if positive.all() else "positive"
        raise ScoresError(f"{values.size} pairs and no {kind} one; rates need both classes")
    kinds = values[~positive], values[positive]
    for kind in kinds:
        sort_in_place(kind)
    rejected = [int(kind.searchsorted(-np.inf, side="right")) for kind in kinds]
    if sum(rejected) == values.size:
        raise ScoresError(f"not one of {values.size} pairs has a score; rates need some that do")
    negatives, positives = (kind[lost:] for kind, lost in zip(kinds, rejected, strict=True))
    return Curve(
        *_vertices(negatives, positives),
        rejected_positives=rejected[1],
        rejected_negatives=rejected[0],
    )


def _vertices(negatives: Scores, positives: Scores) -> tuple[Floats, Counts, Counts]:
    """Thresholds, false and true positives as `Curve` has them, of either kind's rising scores."""
    # Either kind sorted alone, and not the pairs with their labels: that would take far longer.
    place = negatives.searchsorted(positives)
    ranked = np.insert(negatives, place, positives)
    count = ranked.size
    # How many pairs there are down to each positive, the best first; itself among them.
    ranks = (count - place - np.arange(place.size))[::-1]
    accepted = np.arange(count + 1)
    hits = np.repeat(np.arange(place.size + 1), np.diff(ranks, prepend=0, append=count + 1))
    ranked = ranked[::-1]
    # Equal scores become one vertex, so that their order does not matter.
    ends = np.concatenate([ranked[1:] != ranked[:-1], [True]])
    if not ends.all():
        ranked = ranked[ends]
        kept = np.concatenate([[True], ends])
        accepted, hits = accepted[kept], hits[kept]
    accepted -= hits
    thresholds = np.concatenate([[np.inf], ranked])
    # Nought has one sign, whichever of two a sort puts first.
    thresholds += 0.0
    return thresholds, accepted, hits


def refuse_unknown(scores: Scores) -> None:
    """Raise ScoresError for nan and +inf; -inf is a pair that is rejected."""
    wrong = np.flatnonzero(~(scores < np.inf))
    if wrong.size:
        raise ScoresError(f"{wrong.size} scores are not finite, the first of pair {wrong[0] + 1}")


def fpr_at_fnr(curve: Curve, target: float) -> Point:
    """The *achieved* point: the highest threshold whose FNR does not exceed `target`.

    It walks groups of equal scores, as bob.measure does, so a real threshold reaches these rates.
    `NOWHERE` where so many positives are without a score that no threshold does.

    >>> fpr_at_fnr(roc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 0.5)
    Point(threshold=0.9, fpr=0.0, fnr=0.5)
    """
    checked_share(target)
    at = curve.first(lambda fpr, fnr: fnr <= target)
    return curve.point(at) if at < len(curve.thresholds) else NOWHERE


def fpr_at_fnr_interpolated(curve: Curve, target: float) -> float:
    """FPR at a target FNR as ZACI-20's `evaluate.py` has it: a rate between two thresholds.

    That is `scipy.interpolate.interp1d(fnr, fpr)(target)` on scikit-learn's `roc_curve`, whose
    points in a straight run of the curve are dropped. Where several points share one FNR,
    interp1d takes the one with the highest FPR, and draws its line from there: on small or well
    separated sets the rate comes out too high. Kept to the letter, so that figures agree with the
    published tables; no threshold need reach the rate. `fpr_at_fnr` gives one that is reached.
    nan where positives without a score leave no threshold an FNR so low.
    """
    if curve.rates(-1)[1] > checked_share(target):
        return float("nan")
    hits, alarms, last = curve.true_positives, curve.false_positives, len(curve.thresholds) - 1

    def fnr(at: int) -> float:
        return 1.0 - int(hits[at]) / curve.positives

    def fpr(at: int) -> float:
        return int(alarms[at]) / curve.negatives

    after = corner = bisect_left(range(last), True, key=lambda at: fnr(at) <= target)
    if after > 1:
        corner += _straight(alarms[after - 1 :], hits[after - 1 :]) - 1
    # Of corners that share an FNR the line runs from the last, and to the first.
    begin = int(np.searchsorted(hits, hits[corner], side="right")) - 1
    if fnr(begin) > target:  # by rounding alone: at the end of the curve
        return fpr(int(np.searchsorted(hits, hits[corner])))
    if after == 0 or fnr(begin) == target:
        return fpr(begin)
    corner = after - 1
    if corner > 1:
        corner += 1 - _straight(alarms[after:0:-1], hits[after:0:-1])
    end = int(np.searchsorted(hits, hits[corner]))
    return float(np.interp(target, [fnr(begin), fnr(end)], [fpr(begin), fpr(end)]))


def _straight(*columns: Counts) -> int:
    """Number of steps from the columns' beginning that are equal to the first of them."""
    done, width, every = 0, FEW, columns[0].size - 1
    while done < every:
        upto = min(done + width, every)
        same = np.ones(upto - done, np.bool_)
        for column in columns:
            same &= np.diff(column[done : upto + 1]) == column[1] - column[0]
        if not same.all():
            return done + int(same.argmin())
        done, width = upto, 2 * width
    return every


def fnr_at_fpr(curve: Curve, target: float) -> Point:
    """The *achieved* point: the lowest threshold whose FPR does not exceed `target`.

    >>> fnr_at_fpr(roc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 0.4)
    Point(threshold=0.9, fpr=0.0, fnr=0.5)
    """
    checked_share(target, "FPR")
    return curve.point(curve.first(lambda fpr, fnr: fpr > target) - 1)


def fnr_at_fpr_interpolated(curve: Curve, target: float) -> float:
    """FNR at a target FPR on the line between the vertices beside it; the upper one of several.

    >>> fnr_at_fpr_interpolated(roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]), 0.25)
    0.25
    """
    checked_share(target, "FPR")
    at = curve.first(lambda fpr, fnr: fpr > target) - 1
    if at == len(curve.thresholds) - 1:
        return curve.rates(at)[1]
    fpr, fnr = zip(curve.rates(at), curve.rates(at + 1), strict=True)
    return float(np.interp(target, fpr, fnr))


def is_resolvable(target: float, count: int) -> bool:
    """Whether a rate over `count` pairs can be `target` at all: 1 / count is its smallest step.

    >>> is_resolvable(1e-3, 2991), is_resolvable(1e-4, 2991)
    (True, False)
    """
    # As a quotient, which is what the curve's rates are: 49 * (1 / 49) is below 1.
    return count > 0 and 1 / count <= target


def most_within(share: float, count: int) -> int:
    """The largest number of errors among `count` pairs whose rate is at most `share`.

    >>> most_within(1e-3, 2991), most_within(1e-4, 2991)
    (2, 0)
    """
    most = min(int(share * count) + 1, count)
    while most and most / count > share:
        most -= 1
    return most


def sensitivity_index(labels: ArrayLike, scores: ArrayLike) -> float:
    """d': how many standard deviations the means of positives and negatives lie apart.

    `(mean+ - mean-) / sqrt((var+ + var-) / 2)`, with the variances of the population (Green and
    Swets 1966; Daugman 2000 calls it decidability); nan where neither kind varies. Pairs without a
    score (-inf) are left out, which flatters a model that has many.

    >>> sensitivity_index([1, 1, 0, 0], [3.0, 5.0, 1.0, 3.0])
    2.0
    """
    positive, values = np.asarray(labels) == 1, np.asarray(scores, np.float64)
    moments = []
    for rows in (positive, ~positive):
        kind = values[rows]
        kind = kind[kind > -np.inf] if np.isneginf(kind).any() else kind
        if not kind.size:
            return float("nan")
        mean = float(kind.mean())
        # From one of them: the mean of equal numbers may be rounded, and they would seem to vary.
        kind -= kind[0]
        # As `numpy.var` has it, in the memory that is there.
        kind -= kind.mean()
        kind *= kind
        moments.append((mean, float(kind.mean())))
    (above, one), (below, other) = moments
    spread = (one + other) / 2
    return (above - below) / spread**0.5 if spread > 0 else float("nan")


def equal_error(curve: Curve) -> tuple[float, float]:
    """EER and its threshold: where the ROC, its vertices joined by lines, crosses FPR = FNR.

    The same definition as ZACI-20's `evaluate.py` (root of `1 - x - interp(tpr, fpr)(x)`), in
    closed form. The threshold is that of the vertex beside the crossing where the two rates
    differ least. Both nan where so many positives are without a score that the curve ends before.

    >>> equal_error(roc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]))
    (0.5, 0.8)
    """
    after = curve.first(lambda fpr, fnr: fpr >= fnr)
    if after == len(curve.thresholds):
        return float("nan"), float("nan")
    before = after - 1
    (low, high), (over, under) = curve.rates(before), curve.rates(after)
    gap, overshoot = high - low, over - under
    rate = high + (under - high) * (gap / (gap + overshoot))
    nearer = before if gap < overshoot and before > 0 else after
    return rate, float(curve.thresholds[nearer])


def area_under(curve: Curve) -> float:
    """AUC: the chance that a positive outscores a negative, ties counted half.

    Pairs without a score rank below all others, and tie with one another.

    >>> area_under(roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]))
    0.875
    """
    twice = 0
    for first in range(0, len(curve.thresholds) - 1, BLOCK):
        part = slice(first, first + BLOCK + 1)
        hits = curve.true_positives[part]
        twice += int((np.diff(curve.false_positives[part]) * (hits[1:] + hits[:-1])).sum())
    twice += curve.rejected_negatives * (curve.positives + int(curve.true_positives[-1]))
    return twice / (2 * curve.positives * curve.negatives)


def checked_share(value: float, what: str = "FNR") -> float:
    """`value`, if it is a share from 0 to 1 (nan is none)."""
    if not 0.0 <= value <= 1.0:
        raise ScoresError(
            f"a target {what} of {value}; expected a share from 0 to 1, such as 0.139"
        )
    return value
