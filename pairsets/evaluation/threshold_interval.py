"""Interval of a threshold for a target FPR: all thresholds that the data cannot refuse.

A threshold T is in the interval if the target lies in the interval of the FPR at T, clustered by
identity. So the interval needs no second threshold to be drawn, as a bootstrap of the threshold
itself does, which has no answer where few pairs are wrong: it is the test inverted.

The FPR's interval: with se the jackknife's standard error over identities
(`pairsets.evaluation.jackknife`) divided by the FPR p, and t Student's deviate,

    p (1 + t se / 2)^-2   to   p (1 - t se / 2)^-2,

which is symmetric in 1 / sqrt(p): sums of few, clumped errors are skewed to the right, and what
makes them is rare, so that a sample without the identities that err most shows too little spread,
too. How often the interval holds is measured by `benchmarks/threshold.py`. Of no error at all
the upper end is that of independent pairs, -ln(alpha / 2) / N.
"""

from __future__ import annotations

import math

import numpy as np

from pairsets.evaluation.intervals import CONFIDENCE, Interval, student
from pairsets.evaluation.jackknife import Jackknife
from pairsets.evaluation.trials import Trials


def fpr_interval(found: Jackknife, negatives: int, confidence: float = CONFIDENCE) -> Interval:
    """Interval of the FPR at a threshold that is given, for other identities like these.

    Args:
        found: the FPR, and how it moves without each identity.
        negatives: number of pairs of two identities.
        confidence: of the interval.
    """
    rate = found.fpr
    if not found.accepted:
        return Interval(0.0, min(-math.log((1 - confidence) / 2) / negatives, 1.0))
    # No surer than independent pairs.
    variance = max(found.fpr_spread.variance, rate * (1 - rate) / negatives)
    step = student(confidence, found.fpr_degrees()) * variance**0.5 / rate / 2
    high = 1.0 if step >= 1 else min(rate * (1 - step) ** -2, 1.0)
    return Interval(rate * (1 + step) ** -2, high)


def threshold_interval(
    trials: Trials,
    threshold: float,
    target: float,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Interval of the threshold whose FPR is the target, for other identities like these.

    Its low end is the highest score that the data refuse to accept, its high end the lowest that
    they refuse to ask for: from -inf, or to inf, where they refuse none.

    Args:
        trials: the pairs.
        threshold: that they set.
        target: the FPR.
        confidence: of the interval.
    """
    scores = trials.candidates(threshold)
    count = len(scores)
    known: dict[int, Interval] = {}

    def look(places: list[int]) -> None:
        """The FPR's interval at each number of candidates accepted."""
        new = sorted({at for at in places if at not in known})
        if not new:
            return
        cuts = [float(scores[at - 1]) if at else math.inf for at in new]
        for at, errors in zip(new, trials.errors(cuts), strict=True):
            found = Jackknife.of(trials, errors)
            known[at] = fpr_interval(found, trials.negatives, confidence)

    # As many as are accepted, the FPR may be the target: at its low end, and at its high end.
    last, first = [0, count + 1], [-1, count]
    while last[1] - last[0] > 1 or first[1] - first[0] > 1:
        lower = _between(last[0], last[1], trials.width)
        upper = _between(first[0], first[1], trials.width)
        look([*lower, *upper])
        for at in lower:
            if known[at].low > target:
                last[1] = at
                break
            last[0] = at
        for at in upper:
            if known[at].high >= target:
                first[1] = at
                break
            first[0] = at
    low = float(scores[last[0]]) if last[0] < count else -math.inf
    top = first[1] if trials.complete else first[1] - 1
    return Interval(low, float(scores[top - 1]) if top > 0 else math.inf)


def _between(low: int, high: int, width: int) -> list[int]:
    """Numbers between two, evenly, so many at most."""
    inside = np.linspace(low, high, width + 2)[1:-1] if high - low - 1 > width else None
    found = range(low + 1, high) if inside is None else inside.astype(np.int64).tolist()
    return [int(at) for at in dict.fromkeys(found) if low < at < high]
