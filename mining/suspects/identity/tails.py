"""Tails of scores: how high those that are no mistake score, told from the bulk below them.

Most of what is looked at is no mistake, and the mistakes score highest. So the tail of the others
is fitted where they are among themselves, below the `spared` highest scores, and carried on above:
excesses over a start follow a generalised Pareto distribution, whatever they are excesses of
(Pickands, "Statistical inference using extreme order statistics", 1975). The spared scores count
as what they are known to be, above. A shape below `least` is not believed: a tail that ends would
let nothing beyond its end be no mistake.

Scores from a level on are then believed to be mistakes as far as the number of others expected
there allows (Benjamini and Hochberg, "Controlling the false discovery rate", 1995, on an empirical
null as in Efron, "Large-scale simultaneous hypothesis testing", 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pairsets.arrays import Floats

# Shapes and scales that are tried: in steps of 0.02, and of about 2 % either way of the mean.
_LARGEST, _STEP = 0.5, 0.02
_SCALES = np.exp(np.linspace(-1.2, 2.0, 161))
# Scores between what is spared and the start that a fit needs.
LEAST = 15


@dataclass(frozen=True)
class Fit:
    """Part of the scores that a tail is fitted to.

    Attributes:
        spared: share of all, the highest, that may be mistakes.
        start: share of all from which on the tail begins.
        least: the smallest shape that is believed.
    """

    spared: float
    start: float
    least: float


@dataclass(frozen=True)
class Tail:
    """Generalised Pareto tail of scores.

    Attributes:
        count: scores above the start.
        start: where it begins.
        scale, shape: of the distribution of excesses.
    """

    count: int
    start: float
    scale: float
    shape: float

    @classmethod
    def of(cls, scores: Floats, fit: Fit) -> Tail | None:
        """The likeliest tail of scores, the highest first; None of too few.

        Args:
            scores: `[N]`, falling.
            fit: which of them.
        """
        spared = max(5, int(fit.spared * len(scores)))
        count = int(fit.start * len(scores))
        if count - spared < LEAST or count >= len(scores):
            return None
        start = float(scores[count])
        excess, censored = scores[spared:count] - start, float(scores[spared]) - start
        if not excess.mean() > 0:
            return None
        shapes = np.arange(fit.least, _LARGEST + _STEP / 2, _STEP).round(6)
        scales = float(excess.mean()) * _SCALES
        best = (np.inf, 0.0, 0.0)
        for shape in shapes.tolist():
            cost = _cost(excess, censored, spared, scales, shape)
            at = int(np.argmin(cost))
            if cost[at] < best[0]:
                best = float(cost[at]), float(scales[at]), shape
        return None if np.isinf(best[0]) else cls(count, start, best[1], best[2])

    def expected(self, scores: Floats) -> Floats:
        """Number of scores that are no mistake and as high as each of these, above the start."""
        excess = np.maximum(np.asarray(scores, np.float64) - self.start, 0) / self.scale
        if self.shape == 0:
            return np.asarray(self.count * np.exp(-np.minimum(excess, 700)))
        left = np.maximum(1 + self.shape * excess, 0)
        with np.errstate(divide="ignore"):
            return np.asarray(self.count * left ** (-1 / self.shape))


def _cost(excess: Floats, censored: float, spared: int, scales: Floats, shape: float) -> Floats:
    """`[S]`: negative log-likelihood of each scale; inf where a score lies beyond the end."""
    if shape == 0:
        found = len(excess) * np.log(scales) + (excess.sum() + spared * censored) / scales
        return np.asarray(found)
    # The largest excess that is seen is the censored one.
    end = 1 + shape * censored / scales
    possible = end > 0
    cost = np.full(len(scales), np.inf)
    some = scales[possible]
    logs = np.log1p(shape * excess[None] / some[:, None]).sum(axis=1)
    cost[possible] = (
        len(excess) * np.log(some) + (1 + 1 / shape) * logs + spared / shape * np.log(end[possible])
    )
    return cost


@dataclass(frozen=True)
class Level:
    """Level of scores from which on they are believed to be mistakes.

    Attributes:
        value: the level; inf where none would do.
        flagged: number of scores that reach it.
        wrong: number of these that are expected to be no mistake.
    """

    value: float
    flagged: int
    wrong: float


def level_of(scores: Floats, fits: Sequence[Fit], share: float) -> Level | None:
    """Lowest level at which no more than a share of what is flagged is expected to be wrong.

    Of several fits the one that expects most counts. Where nothing can be flagged, the level is
    that at which a single score would be believed. None where nothing can be fitted.

    Args:
        scores: `[N]`, in any order, finite.
        fits: which parts the tail is told from.
        share: 0 to 1.
    """
    falling = np.sort(scores)[::-1]
    tails = [Tail.of(falling, fit) for fit in fits]
    told = [tail for tail in tails if tail is not None]
    if not told or len(told) < len(tails):
        return None
    above = falling[: min(tail.count for tail in told)]
    wrong = np.max([tail.expected(above) for tail in told], axis=0)
    enough = np.flatnonzero(wrong <= share * np.arange(1, len(above) + 1))
    if enough.size:
        # Scores that are equal are flagged together.
        last = float(above[enough[-1]])
        count = int((falling >= last).sum())
        return Level(last, count, float(wrong[enough[-1]]))
    low = float(above[0])
    for high in low + (falling[0] - falling[-1] + 1) * np.linspace(0, 2, 401):
        if max(float(tail.expected(np.array([high]))[0]) for tail in told) <= share:
            return Level(float(high), 0, share)
    return Level(np.inf, 0, 0.0)
