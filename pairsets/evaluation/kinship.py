"""Kinship of a model with the reference that mined a set: how far its scores follow that model's.

A mined set holds the pairs that its reference finds most alike. A model whose scores follow the
reference's finds nearly all of them alike, too, and is punished for the likeness, not for its
errors. So the likeness is measured on pairs that nobody picked, and shown beside the rates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Floats, Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import CONFIDENCE, Interval, student

# Rank correlation from which a model is kin; judged by the value, not by the ends of its interval.
KIN = 0.5
# Pairs below which ranks say nothing of each other.
FEWEST_PAIRS = 10
# Correlations nearer to 1 are of equal orders, but for the rounding of sums.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Correlation:
    """Rank correlation of the scores of two models on the same pairs.

    Attributes:
        value: Spearman's, -1 to 1.
        low, high: its interval, which allows for pairs that share identities.
        pairs: how many it is of.
    """

    value: float
    low: float
    high: float
    pairs: int

    @property
    def interval(self) -> Interval:
        """Interval of the correlation, from `low` to `high`."""
        return Interval(self.low, self.high)


@dataclass(frozen=True)
class Overlap:
    """Share of the hardest pairs of one model that are among the hardest of another.

    Attributes:
        share: of the hardest pairs of the first, 0 to 1.
        hardest: how many pairs of each are looked at.
        pairs: all pairs of different identities, of which they are the hardest.
    """

    share: float
    hardest: int
    pairs: int

    @property
    def chance(self) -> float:
        """Share that two models which know nothing of each other have in common on average.

        A pair that one finds among its n hardest of N is there for the other with probability n / N
        (the mean of the hypergeometric distribution, over n).
        """
        return self.hardest / self.pairs


@dataclass(frozen=True)
class Kinship:
    """Likeness of a model to one reference.

    Attributes:
        reference: its name.
        correlation: of their scores on random pairs of different identities; None if not known.
        overlap: of their hardest pairs; None if not known.
        same_weights: whether both are one network, with other settings.
    """

    reference: str
    correlation: Correlation | None = None
    overlap: Overlap | None = None
    same_weights: bool = False

    def __post_init__(self) -> None:
        if self.correlation is None and not self.same_weights:
            raise ScoresError(
                f"a kinship with {self.reference} of which nothing is known; expected a rank "
                "correlation, or that the weights are the same"
            )

    @property
    def kin(self) -> bool:
        """Whether the model is kin of the reference: `KIN` or more, or one network."""
        return self.same_weights or (self.correlation is not None and self.correlation.value >= KIN)


def rank_correlation(
    first: ArrayLike, second: ArrayLike, clusters: Clusters, confidence: float = CONFIDENCE
) -> Correlation:
    """Spearman's rank correlation of two models' scores of the same pairs, with its interval.

    Scores are replaced by their shares of lower scores, equal ones counted half: u and v, of mean
    1/2. The correlation is that of Pearson between them, rho = C / sqrt(U V), with C their
    covariance, U and V their variances; it is SciPy's `spearmanr`, ties included.

    Its influence function (Croux and Dehon 2010, "Influence functions of the Spearman and Kendall
    correlation measures", there for scores without ties) says what a pair adds to its error. The
    ranks themselves hang on all pairs, so that a pair also moves the ranks of others:

        c = u v + E[above(x) v] + E[above(y) u] - 3 E[u v]
        influence = c / sqrt(U V) - rho / 2 (c_U / U + c_V / V)

    where above(x) is 1 for pairs that score more than x, 1/2 for equal ones, and c_U, c_V are c of
    u with u, and of v with v (nought where there are no ties). The variance of its mean over pairs
    that share identities is that of `Clusters.spread`. The interval is symmetric in Fisher's
    z = atanh(rho), whose error is that of rho over 1 - rho^2, with the deviate of Student's t for
    the degrees of freedom that the clusters leave. Scores in one order, or in the opposite one,
    give no error to see: both ends are the value.

    Args:
        first, second: `[N]` finite scores, one a pair.
        clusters: of the pairs.
        confidence: of the interval.

    Raises:
        ScoresError: other lengths, fewer than 10 pairs, scores that are not finite, or all equal.
    """
    x, y = (np.asarray(values, np.float64) for values in (first, second))
    if x.shape != clusters.a.shape or y.shape != x.shape:
        raise ScoresError(
            f"scores of shapes {x.shape} and {y.shape} for {len(clusters)} pairs; expected one a "
            "pair of either model"
        )
    if x.size < FEWEST_PAIRS:
        raise ScoresError(f"a rank correlation of {x.size} pairs; expected {FEWEST_PAIRS} or more")
    for values in (x, y):
        if not np.isfinite(values).all():
            raise ScoresError("scores that are not finite have no rank; leave such pairs out")
        if (values == values[0]).all():
            raise ScoresError(f"all {x.size} scores are {values[0]:g}; equal scores have no order")
    u, v = _Ranked.of(x), _Ranked.of(y)
    together, own, other = u.variance(v), u.variance(u), v.variance(v)
    size = math.sqrt(own * other)
    rho = together / size
    if abs(rho) > 1 - _ROUNDING:
        one = math.copysign(1.0, rho)
        return Correlation(one, one, one, x.size)
    influence = u.influence(v) / size
    influence -= rho / 2 * (u.influence(u) / own + v.influence(v) / other)
    spread = clusters.spread(influence / x.size)
    error = math.sqrt(spread.variance) / (1 - rho**2)
    half = student(confidence, spread.degrees) * error
    middle = math.atanh(rho)
    return Correlation(rho, math.tanh(middle - half), math.tanh(middle + half), x.size)


def hardest_overlap(first: ArrayLike, second: ArrayLike, faces: int, pairs: int) -> Overlap:
    """Overlap of the hardest pairs of two models, as many of each.

    Args:
        first, second: `[n, 2]` rows of the faces of the n hardest pairs of each, none twice.
        faces: how many faces there are.
        pairs: how many pairs of different identities there are.

    Raises:
        ScoresError: no pairs, other numbers of them, or more than there are.
    """
    ours, theirs = (_keys(rows, faces) for rows in (first, second))
    if not ours.size or ours.size != theirs.size or ours.size > pairs:
        raise ScoresError(
            f"the hardest {ours.size} and {theirs.size} of {pairs} pairs; expected as many of both "
            "models, at least one"
        )
    return Overlap(float(np.isin(ours, theirs).mean()), int(ours.size), pairs)


def _keys(rows: ArrayLike, faces: int) -> Rows:
    """One number a pair, whichever way round it stands."""
    ends = np.asarray(rows, np.int64).reshape(-1, 2)
    if ends.size and (ends.min() < 0 or ends.max() >= faces):
        raise ScoresError(f"rows of pairs outside 0 to {faces - 1}")
    keys = ends.min(axis=1) * faces + ends.max(axis=1)
    if np.unique(keys).size != keys.size:
        raise ScoresError("a pair is twice among the hardest; expected every pair once")
    return np.asarray(keys, np.int64)


@dataclass(frozen=True, eq=False)
class _Ranked:
    """Scores as shares of lower ones.

    Attributes:
        shares: `[N]`, equal scores counted half.
        order: `[N]`, the rows by score.
        first, last: `[N]`, where the scores equal to a pair's begin and end in that order.
    """

    shares: Floats
    order: Rows
    first: Rows
    last: Rows

    @classmethod
    def of(cls, scores: Floats) -> _Ranked:
        """The ranks of scores `[N]`."""
        order = np.argsort(scores, kind="stable")
        ordered = scores[order]
        first = ordered.searchsorted(scores, "left")
        last = ordered.searchsorted(scores, "right")
        return cls((first + last) / (2 * scores.size), order, first, last)

    def variance(self, other: _Ranked) -> float:
        """Covariance with other shares."""
        return float(np.mean((self.shares - 0.5) * (other.shares - 0.5)))

    def influence(self, other: _Ranked) -> Floats:
        """Influence of each pair on the covariance, `[N]`, of mean nought."""
        product = self.shares * other.shares
        found = product + self._above(other.shares) + other._above(self.shares)
        return np.asarray(found - 3 * product.mean())

    def _above(self, values: Floats) -> Floats:
        """Mean over all pairs of `values` where they score more, half where they score the same."""
        sums = np.r_[0.0, np.cumsum(values[self.order])]
        return np.asarray((sums[-1] - (sums[self.first] + sums[self.last]) / 2) / values.size)
