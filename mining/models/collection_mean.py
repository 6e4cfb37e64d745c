"""Mean of a collection of faces, and a test whether two collections have the same.

A mean is of identities that were drawn, n_c faces of identity c: m = sum w_c x_c, with the share
w_c = n_c / N and the identity's own mean x_c. What the draw leaves open is summed over identities
as clusters are (Liang and Zeger, "Longitudinal data analysis using generalized linear models",
1986), each mended by its own leverage:

    V = sum w_c^2 (x_c - m)(x_c - m)' / (1 - 2 w_c + sum w^2)

which is right for identities of unequal numbers of faces, and for faces of one identity that are
much alike. Two collections A and B whose identities are drawn from one kind of faces have

    F = |m_A - m_B|^2 / (tr V_A + tr V_B)

near 1, spread as Dempster's non-exact F ("A high dimensional two sample significance test", 1958)
with r and r v degrees of freedom: r = tr(V)^2 / tr(V^2) as Box (1954) and Satterthwaite (1946) have
it, where tr(V_A V_B) is taken at its bound sqrt(tr V_A^2 tr V_B^2), which errs to the side of no
finding, and v is Welch's. No matrix has to be kept for it: a mean and three numbers are enough.

The test finds the least difference if only identities are many. How much it matters tells the share

    s = (|m_A - m_B|^2 - tr V_A - tr V_B) / sum_B w_c |x_c - m_B|^2

of the mean that is left, in units of what tells identities of B apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from indexes.memory import gather
from mining.errors import ModelError
from pairsets.arrays import Floats, Rows

# A mean is foreign where chance explains it this seldom, and where this much of it is left: up to
# here nothing was lost by it (benchmarks/post_fit.py).
LEVEL = 1e-3
SHARE = 0.2
# Of fewer identities a spread is no more than a guess.
LEAST_IDENTITIES = 10
# Vectors that are read at a time.
_BLOCK = 4096
# Degrees of freedom are of no more components than these: a matrix of all might be too large.
_COMPONENTS = 4096


@dataclass(frozen=True, eq=False)
class CollectionMean:
    """A mean, and what it is known by.

    Attributes:
        mean: float64 `[K]`.
        identities: how many it is of.
        spread: tr V, see the module.
        freedom: r of this collection alone, 1 or more; 0 where the identities do not differ.
        between: sum w_c |x_c - m|^2, the variance between identities.
    """

    mean: Floats
    identities: int
    spread: float
    freedom: float
    between: float

    def __post_init__(self) -> None:
        numbers = (self.spread, self.freedom, self.between)
        if self.mean.ndim != 1 or self.mean.dtype != np.float64 or not np.isfinite(self.mean).all():
            raise ModelError("a mean that is not [K] of finite float64")
        if self.identities < 1 or not all(0 <= one < math.inf for one in numbers):
            raise ModelError(
                f"a mean of {self.identities} identities with spreads {numbers}; expected numbers "
                "from 0 on"
            )

    @property
    def facts(self) -> dict[str, Any]:
        """All but the mean, JSON-able."""
        return {name: value for name, value in vars(self).items() if name != "mean"}

    @classmethod
    def kept(cls, mean: Floats, facts: Mapping[str, Any]) -> CollectionMean:
        """A mean with the facts that a file keeps; ModelError where they are others."""
        counted = facts.get("identities")
        numbers = [facts.get(name) for name in ("spread", "freedom", "between")]
        known = [one for one in numbers if type(one) in (int, float)]
        if type(counted) is not int or len(known) < len(numbers) or len(facts) > 4:
            raise ModelError("facts of a mean that are none")
        return cls(mean, counted, *(float(one) for one in known if one is not None))


@dataclass(frozen=True)
class MeanFit:
    """A comparison of the mean that a step was learnt on with that of other faces.

    Attributes:
        ratio: F, see the module; 1 is what a draw of identities explains.
        p: its tail.
        share: s, 0 or more.
    """

    ratio: float
    p: float
    share: float

    @property
    def foreign(self) -> bool:
        """Whether the faces are of another kind."""
        return self.p < LEVEL and self.share > SHARE


def identity_codes(names: NDArray[Any]) -> Rows:
    """`[N]`: the number of each name, in the order of names."""
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)


def collection_mean(
    vectors: NDArray[Any],
    identities: Rows,
    *,
    block: int = _BLOCK,
    components: int = _COMPONENTS,
) -> CollectionMean:
    """The mean of vectors and its spread, in float64 and one thread.

    Args:
        vectors: `[N, K]`, finite, in memory or mapped.
        identities: `[N]`: the number of each one's identity, from 0 on without a gap.
        block: vectors that are read at a time.
        components: the degrees of freedom are of so many, evenly spaced.
    """
    counts = np.bincount(identities)
    order = np.argsort(identities, kind="stable")
    weights = counts / len(identities)
    leverage = 1 - 2 * weights + (weights**2).sum()
    with threadpool_limits(1, user_api="blas"):
        total = sum(sums.sum(axis=0) for _, sums in _sums(vectors, order, counts, block))
        mean = np.asarray(total / len(identities), np.float64)
        columns = np.linspace(0, len(mean) - 1, min(len(mean), components)).astype(np.int64)
        inner = np.zeros((len(columns), len(columns)))
        spread = between = 0.0
        for part, sums in _sums(vectors, order, counts, block):
            apart = sums / counts[part, None] - mean
            lengths = np.einsum("ck,ck->c", apart, apart)
            between += float(weights[part] @ lengths)
            if len(counts) > 1:
                shares = weights[part] / np.sqrt(leverage[part])
                spread += float(shares**2 @ lengths)
                chosen = (apart * shares[:, None])[:, columns]
                inner += chosen.T @ chosen
        square = float((inner**2).sum())
        freedom = float(np.trace(inner)) ** 2 / square if square > 0 else 0.0
    return CollectionMean(mean, len(counts), spread, freedom, between)


def _sums(
    vectors: NDArray[Any], order: Rows, counts: Rows, most: int
) -> Iterator[tuple[slice, Floats]]:
    """Sums of the vectors of some identities `[C', K]`, and which these are.

    As many identities at a time as have `most` faces, or one, and no more faces than that.
    """
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        begin = int(ends[first] - counts[first])
        last = max(first + 1, int(np.searchsorted(ends, begin + most, side="right")))
        codes = np.repeat(np.arange(last - first), counts[first:last])
        sums = np.zeros((last - first, vectors.shape[1]))
        for start in range(0, len(codes), most):
            rows = order[begin + start : begin + min(start + most, len(codes))]
            block = gather(vectors, rows).astype(np.float64)
            np.add.at(sums, codes[start : start + most], block)
        yield slice(first, last), sums
        first = last


def compared(learnt: CollectionMean, found: CollectionMean) -> MeanFit | None:
    """Whether the mean of faces is that of those a step was learnt on, and how much is left.

    Returns:
        None where either is of fewer than `LEAST_IDENTITIES`, or of identities that do not differ.
    """
    spread = learnt.spread + found.spread
    enough = min(learnt.identities, found.identities) >= LEAST_IDENTITIES
    if not enough or not min(learnt.freedom, found.freedom, found.between) > 0:
        return None
    apart = float(((learnt.mean - found.mean) ** 2).sum())
    # tr(V^2) at its bound is the square of the sum of both roots.
    roots = [one.spread / math.sqrt(one.freedom) for one in (learnt, found)]
    freedom = (spread / sum(roots)) ** 2
    welch = spread**2 / sum(one.spread**2 / (one.identities - 1) for one in (learnt, found))
    return MeanFit(
        apart / spread,
        f_tail(apart / spread, freedom, freedom * welch),
        max(0.0, apart - spread) / found.between,
    )


def f_tail(ratio: float, one: float, other: float) -> float:
    """The chance that F with these degrees of freedom is larger, by its cube root.

    After Paulson ("An approximate normalization of the analysis-of-variance distribution", 1942):
    a chance of 0.001 comes out a twentieth too large from 5 and 45 degrees of freedom on.

    >>> round(f_tail(1.0, 100.0, 100.0), 2)
    0.5
    """
    root = ratio ** (1 / 3)
    a, b = 2 / (9 * one), 2 / (9 * other)
    return NormalDist().cdf(-((1 - b) * root - (1 - a)) / math.sqrt(b * root**2 + a))
