"""Scores of a model's positives: how alike it finds two pictures of one identity."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from indexes import pair_scores
from indexes.memory import gather
from mining.embeddings.store import Embeddings
from pairsets.arrays import Rows, Scores

MOST = 200_000
"""So many pairs of one identity are looked at; quantiles are then within 0.3 % of the true."""
_SEED = 0
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class Positives:
    """The scores of pairs of one identity, over all embedded faces.

    Two faces with the very same vector are the same picture twice, not two pictures of one
    identity: such pairs are left out. They all score highest, and would raise what is asked of a
    pair to be called as alike as the upper positives.

    Attributes:
        scores: `[K]`, rising, read-only; empty where no identity has two faces.
    """

    scores: Scores

    @classmethod
    def of(cls, embeddings: Embeddings, most: int = MOST) -> Positives:
        """Scores of all pairs of one identity, or of `most` of them drawn with a fixed seed."""
        return cls.among(embeddings.vectors, embeddings.faces.groups, most)

    @classmethod
    def among(cls, vectors: NDArray[np.float32], codes: Rows, most: int = MOST) -> Positives:
        """Scores of pairs of one identity among vectors `[N, D]`, whose numbers are `codes [N]`."""
        i, j = _drawn(codes, most)
        apart = np.ones(len(i), bool)
        for start in range(0, len(i), _BLOCK):
            rows = slice(start, start + _BLOCK)
            apart[rows] = (gather(vectors, i[rows]) != gather(vectors, j[rows])).any(axis=1)
        i, j = i[apart], j[apart]
        scores = np.sort(pair_scores(vectors, vectors, i, j))
        scores.setflags(write=False)
        return cls(scores)

    def __len__(self) -> int:
        return len(self.scores)

    def quantile(self, scores: Scores) -> Scores:
        """The share of positives that score no higher; nan where there are none."""
        if not len(self):
            return np.full(np.shape(scores), np.nan)
        return np.searchsorted(self.scores, scores, "right") / len(self)

    @cached_property
    def mean(self) -> float:
        """Mean of the scores; nan where there are none."""
        return float(self.scores.mean()) if len(self) else np.nan

    @cached_property
    def spread(self) -> float:
        """Half of the range of the middle 68 %: what the standard deviation is of normal scores.

        A few duplicates or wrong crops do not change it. 0 where there are none.
        """
        if not len(self):
            return 0.0
        low, high = np.quantile(self.scores, (0.16, 0.84))
        return float(high - low) / 2


def _drawn(groups: Rows, most: int) -> tuple[Rows, Rows]:
    """Rows i, j of pairs of one group: all, or `most` of them."""
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts = np.cumsum(sizes) - sizes
    ends = np.cumsum(sizes * (sizes - 1) // 2)
    total = int(ends[-1]) if ends.size else 0
    if total <= most:
        drawn = np.arange(total)
    else:
        generator = np.random.default_rng(_SEED)
        drawn = np.sort(generator.choice(total, most, replace=False, shuffle=False))
    group = np.searchsorted(ends, drawn, "right")
    # The number of a pair within its group: pair (a, b), b < a, is number a (a - 1) / 2 + b.
    number = drawn - (ends[group] - (sizes * (sizes - 1) // 2)[group])
    # Square roots of whole numbers below 2^52 are exact enough to be rounded down.
    a = ((1 + np.sqrt(1 + 8.0 * number)) / 2).astype(np.int64)
    b = number - a * (a - 1) // 2
    return order[starts[group] + a], order[starts[group] + b]
