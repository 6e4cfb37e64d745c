"""Aggregation of rankings: the best pairs of several models, from the heads of their lists alone.

Among M pairs, a pair's rank under a model is 1 + the number of pairs that score strictly higher,
and its quantile is 1 - (rank - 1) / M: 1 is the hardest. The fused quantile of a pair is the `mean`
or the `min` of its quantiles; pairs stand by it, falling, ties by key.

Why the heads are enough (after R. Fagin, A. Lotem, M. Naor, "Optimal aggregation algorithms for
middleware", JCSS 66, 2003: lists read from the top, and bounds for what was not read). Of each
model the best pairs are listed, score falling, ties by key:

1. The rank of a listed pair is known: whatever scores higher is listed above it.
2. An unlisted pair scores at most what the last listed one does; its rank is that one's or more.
3. A pair of every list comes before every pair of none. It has no higher rank under any model, so
   its fused quantile is no lower; and where the two are equal, a model that decides it ties them
   and lists only one, which therefore has the lower key.
4. So an unknown pair that may come before a pair of every list is one of some lists, not of all. By
   2 its fused quantile has an upper bound. The pairs of every list that stand before all of these
   bounds are the first of all M pairs, in their order: they are *certain*.

Everything is decided on ranks, whole numbers: on their sum for `mean`, on the largest for `min`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mining.errors import FusionError

Method = Literal["mean", "min"]
METHODS: tuple[Method, ...] = get_args(Method)
Integers = NDArray[np.int64]
Quantiles = NDArray[np.float64]


def refuse_method(method: str) -> None:
    """Raise FusionError where there is no such way to fuse."""
    if method not in METHODS:
        raise FusionError(f"fusion by {method!r}; expected one of {', '.join(METHODS)}")


@dataclass(frozen=True, eq=False)
class Listed:
    """The head of one model's list.

    Attributes:
        keys: `[K]` a number a pair, rising.
        ranks: `[K]` of these pairs under the model.
        beyond: the lowest rank that a pair outside the list can have.
    """

    keys: Integers
    ranks: Integers
    beyond: int

    @classmethod
    def of(cls, keys: Integers, scores: NDArray[np.float64]) -> Listed:
        """The head of a list as it stands, `[K]` with K of 1 or more: scores falling, ties by key.

        >>> head = Listed.of(np.array([5, 2, 7]), np.array([0.9, 0.8, 0.8]))
        >>> head.keys.tolist(), head.ranks.tolist(), head.beyond
        ([2, 5, 7], [2, 1, 2], 2)
        """
        ranks = np.searchsorted(-scores, -scores) + 1
        order = np.argsort(keys)
        return cls(keys[order], ranks[order], int(ranks[-1]))

    def look_up(self, keys: Integers) -> tuple[Integers, NDArray[np.bool_]]:
        """Rank of each of `keys [P]`, the lowest possible where unlisted; and which are listed."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        listed = self.keys[at] == keys
        return np.where(listed, self.ranks[at], self.beyond), listed


@dataclass(frozen=True, eq=False)
class Agreement:
    """The pairs that every list has, best first.

    Attributes:
        keys: `[C]`.
        ranks: `[C, R]`, a column a model.
        certain: how many of the first are the first of all pairs.
    """

    keys: Integers
    ranks: Integers
    certain: int


def agreement(lists: Sequence[Listed], method: Method) -> Agreement:
    """The pairs in all of `lists`, by their fused quantile, and how many of them are certain.

    Takes some 50 + 8 R bytes a listed pair of one model at a time.

    >>> one = Listed.of(np.array([1, 2, 3]), np.array([0.9, 0.5, 0.4]))
    >>> other = Listed.of(np.array([1, 4, 3]), np.array([0.8, 0.7, 0.6]))
    >>> found = agreement([one, other], "mean")
    >>> found.keys.tolist(), found.ranks.tolist(), found.certain
    ([1, 3], [[1, 1], [3, 3]], 1)
    """
    bounds = []
    for one in lists:
        ranks, everywhere = _ranks(one.keys, lists)
        if not everywhere.all():
            cost = _cost(ranks[~everywhere], method)
            # Of those with the best bound the one with the lowest key, since keys rise.
            first = int(np.argmin(cost))
            bounds.append((int(cost[first]), int(one.keys[~everywhere][first])))
    # The last list, like any other, has all pairs that every list has.
    keys, ranks = lists[-1].keys[everywhere], ranks[everywhere]
    cost = _cost(ranks, method)
    order = np.argsort(cost, kind="stable")
    certain = len(order)
    if bounds:
        bound, key = min(bounds)
        certain = int(((cost < bound) | ((cost == bound) & (keys < key))).sum())
    return Agreement(keys[order], ranks[order], certain)


def quantiles(ranks: Integers, count: int) -> Quantiles:
    """The quantiles of `ranks`, any shape, among `count` pairs: rounded once.

    >>> quantiles(np.array([1, 2, 4]), 4).tolist()
    [1.0, 0.75, 0.25]
    """
    return np.asarray((count + 1 - ranks) / count)


def fused_quantiles(ranks: Integers, count: int, method: Method) -> Quantiles:
    """The fused quantile `[C]` of `ranks [C, R]` among `count` pairs: rounded once.

    >>> fused_quantiles(np.array([[1, 4]]), 4, "mean").tolist()
    [0.625]
    >>> fused_quantiles(np.array([[1, 4]]), 4, "min").tolist()
    [0.25]
    """
    cost = _cost(ranks, method)
    if method == "min":
        return quantiles(cost, count)
    models = ranks.shape[1]
    return np.asarray((models * (count + 1) - cost) / (models * count))


def _cost(ranks: Integers, method: Method) -> Integers:
    """`[C]` of `ranks [C, R]`: low where the fused quantile is high."""
    return np.asarray(ranks.sum(axis=1) if method == "mean" else ranks.max(axis=1))


def _ranks(keys: Integers, lists: Sequence[Listed]) -> tuple[Integers, NDArray[np.bool_]]:
    """Ranks `[P, R]` of `keys [P]`, the lowest possible where unlisted; and which all list."""
    ranks = np.empty((len(keys), len(lists)), np.int64)
    everywhere = np.ones(len(keys), bool)
    for column, one in enumerate(lists):
        ranks[:, column], listed = one.look_up(keys)
        everywhere &= listed
    return ranks, everywhere
