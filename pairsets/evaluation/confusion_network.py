"""Network of all identities that a model takes for one another, and its groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Counts, Rows, Scores
from pairsets.evaluation.communities import Communities
from pairsets.evaluation.confusion import coded_negatives
from pairsets.pairset import PairSet
from pairsets.paths import strings


@dataclass(frozen=True, eq=False)
class ConfusionNetwork:
    """Identities with a false accept, joined where two are taken for one.

    Attributes:
        identities: `[K]` names, sorted.
        low, high: `[E]` places of two identities, each two once, `low` the first by name.
        accepted: `[E]` negatives of the two that are taken for one: score >= threshold.
        counts: `[E]` all negatives of the two.
        best: `[E]` their highest score.
        communities: groups among the identities, or none.
        threshold: what a score has to reach.
    """

    identities: NDArray[np.object_]
    low: Rows
    high: Rows
    accepted: Counts
    counts: Counts
    best: Scores
    communities: Communities
    threshold: float

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(cls, pairs: PairSet, scores: ArrayLike, threshold: float) -> ConfusionNetwork:
        """The network of one model's false accepts among the valid negatives of `pairs`.

        Args:
            pairs: a pair set; negatives of one identity are left out.
            scores: `[N]`, one a pair; -inf where it has none and is rejected.
            threshold: what is at least as high is accepted.

        Raises:
            ScoresError: another number of scores, a negative with nan or +inf, a threshold that is
                no number.

        >>> pairs = PairSet.of(["a/1", "a/2", "b/1"], ["b/1", "b/1", "c/1"], 0)
        >>> found = ConfusionNetwork.of(pairs, [0.9, 0.8, 0.1], 0.5)
        >>> found.identities.tolist(), found.accepted.tolist(), found.best.tolist()
        (['a', 'b'], [2], [0.9])
        """
        edges, names = coded_negatives(pairs, scores, threshold)
        taken = np.flatnonzero(edges.accepted)
        kept, places = np.unique([edges.low[taken], edges.high[taken]], return_inverse=True)
        low, high = places.reshape(2, -1).astype(np.int64)
        accepted = edges.accepted[taken]
        return cls(
            identities=strings(names[kept]),
            low=low,
            high=high,
            accepted=accepted,
            counts=edges.counts[taken],
            best=edges.best[taken],
            communities=Communities.of(low, high, accepted, len(kept)),
            threshold=float(threshold),
        )
