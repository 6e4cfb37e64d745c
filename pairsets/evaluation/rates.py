"""Error rates of scores against labels: pure functions, nothing of files or models.

A pair is accepted as "same identity" if score >= threshold (the convention of bob.measure):

    FNR(T) = #(positives with score < T) / P        FPR(T) = #(negatives with score >= T) / N

A score of -inf says that a pair has none, and is rejected at every threshold: a failure to enrol,
as NIST counts it. Such positives are errors whatever the threshold, such negatives never are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Floats, Scores
from pairsets.errors import ScoresError


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
    scored = values > -np.inf
    rejected = int((positive & ~scored).sum()), int((~positive & ~scored).sum())
    if not scored.any():
        raise ScoresError(f"not one of {values.size} pairs has a score; rates need some that do")
    if any(rejected):
        positive, values = positive[scored], values[scored]
    # Equal scores become one vertex, so that their order does not matter: the fastest sort will do.
    order = np.argsort(values)[::-1]
    ranked = values[order]
    last = np.r_[np.flatnonzero(ranked[1:] != ranked[:-1]), ranked.size - 1]
    true_positives = np.cumsum(positive[order])[last]
    return Curve(
        thresholds=np.r_[np.inf, ranked[last]],
        false_positives=np.r_[0, last + 1 - true_positives].astype(np.int64),
        true_positives=np.r_[0, true_positives].astype(np.int64),
        rejected_positives=rejected[0],
        rejected_negatives=rejected[1],
    )


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
    reached = curve.fnr <= checked_share(target)
    if not reached[-1]:
        return NOWHERE
    at = int(np.argmax(reached))
    return Point(float(curve.thresholds[at]), float(curve.fpr[at]), float(curve.fnr[at]))


def fpr_at_fnr_interpolated(curve: Curve, target: float) -> float:
    """FPR at a target FNR as ZACI-20's `evaluate.py` has it: a rate between two thresholds.

    That is `scipy.interpolate.interp1d(fnr, fpr)(target)` on scikit-learn's `roc_curve`, whose
    points in a straight run of the curve are dropped. Where several points share one FNR,
    interp1d takes the one with the highest FPR, and draws its line from there: on small or well
    separated sets the rate comes out too high. Kept to the letter, so that figures agree with the
    published tables; no threshold need reach the rate. `fpr_at_fnr` gives one that is reached.
    nan where positives without a score leave no threshold an FNR so low.
    """
    if curve.fnr[-1] > checked_share(target):
        return float("nan")
    false_positives, true_positives = curve.false_positives[1:], curve.true_positives[1:]
    turns = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
    kept = np.flatnonzero(np.r_[True, turns, True]) if false_positives.size > 2 else slice(None)
    fpr = np.r_[0, false_positives[kept]] / curve.negatives
    fnr = 1.0 - np.r_[0, true_positives[kept]] / curve.positives
    order = np.argsort(fnr, kind="stable")
    return float(np.interp(target, fnr[order], fpr[order]))


def fnr_at_fpr(curve: Curve, target: float) -> Point:
    """The *achieved* point: the lowest threshold whose FPR does not exceed `target`.

    >>> fnr_at_fpr(roc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]), 0.4)
    Point(threshold=0.9, fpr=0.0, fnr=0.5)
    """
    at = int(np.searchsorted(curve.fpr, checked_share(target, "FPR"), side="right")) - 1
    return Point(float(curve.thresholds[at]), float(curve.fpr[at]), float(curve.fnr[at]))


def fnr_at_fpr_interpolated(curve: Curve, target: float) -> float:
    """FNR at a target FPR on the line between the vertices beside it; the upper one of several.

    >>> fnr_at_fpr_interpolated(roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]), 0.25)
    0.25
    """
    at = int(np.searchsorted(curve.fpr, checked_share(target, "FPR"), side="right")) - 1
    if at == curve.thresholds.size - 1:
        return float(curve.fnr[at])
    ends = slice(at, at + 2)
    return float(np.interp(target, curve.fpr[ends], curve.fnr[ends]))


def is_resolvable(target: float, count: int) -> bool:
    """Whether a rate over `count` pairs can be `target` at all: 1 / count is its smallest step.

    >>> is_resolvable(1e-3, 2991), is_resolvable(1e-4, 2991)
    (True, False)
    """
    # As a quotient, which is what the curve's rates are: 49 * (1 / 49) is below 1.
    return count > 0 and 1 / count <= target


def sensitivity_index(labels: ArrayLike, scores: ArrayLike) -> float:
    """d': how many standard deviations the means of positives and negatives lie apart.

    `(mean+ - mean-) / sqrt((var+ + var-) / 2)`, with the variances of the population (Green and
    Swets 1966; Daugman 2000 calls it decidability); nan where neither kind varies. Pairs without a
    score (-inf) are left out, which flatters a model that has many.

    >>> sensitivity_index([1, 1, 0, 0], [3.0, 5.0, 1.0, 3.0])
    2.0
    """
    positive, values = np.asarray(labels) == 1, np.asarray(scores, np.float64)
    scored = values > -np.inf
    kinds = values[positive & scored], values[~positive & scored]
    if not (kinds[0].size and kinds[1].size):
        return float("nan")
    # From one of them: the mean of equal numbers may be rounded, and they would seem to vary.
    spread = sum(float((kind - kind[0]).var()) for kind in kinds) / 2
    apart = float(kinds[0].mean() - kinds[1].mean())
    return apart / spread**0.5 if spread > 0 else float("nan")


def equal_error(curve: Curve) -> tuple[float, float]:
    """EER and its threshold: where the ROC, its vertices joined by lines, crosses FPR = FNR.

    The same definition as ZACI-20's `evaluate.py` (root of `1 - x - interp(tpr, fpr)(x)`), in
    closed form. The threshold is that of the vertex beside the crossing where the two rates
    differ least. Both nan where so many positives are without a score that the curve ends before.

    >>> equal_error(roc([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1]))
    (0.5, 0.8)
    """
    fpr, fnr = curve.fpr, curve.fnr
    if fpr[-1] < fnr[-1]:
        return float("nan"), float("nan")
    after = int(np.argmax(fpr >= fnr))
    before = after - 1
    gap, overshoot = fnr[before] - fpr[before], fpr[after] - fnr[after]
    rate = fnr[before] + (fnr[after] - fnr[before]) * (gap / (gap + overshoot))
    nearer = before if gap < overshoot and before > 0 else after
    return float(rate), float(curve.thresholds[nearer])


def area_under(curve: Curve) -> float:
    """AUC: the chance that a positive outscores a negative, ties counted half.

    Pairs without a score rank below all others, and tie with one another.

    >>> area_under(roc([1, 0, 1, 0], [0.9, 0.8, 0.8, 0.1]))
    0.875
    """
    steps = np.diff(curve.false_positives)
    twice = int((steps * (curve.true_positives[1:] + curve.true_positives[:-1])).sum())
    twice += curve.rejected_negatives * (curve.positives + int(curve.true_positives[-1]))
    return twice / (2 * curve.positives * curve.negatives)


def checked_share(value: float, what: str = "FNR") -> float:
    """`value`, if it is a share from 0 to 1 (nan is none)."""
    if not 0.0 <= value <= 1.0:
        raise ScoresError(
            f"a target {what} of {value}; expected a share from 0 to 1, such as 0.139"
        )
    return value
