"""Stand-in for machines that search shares of a join: it does all that may go wrong there."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence

import numpy as np

from indexes.base import Rows, Vectors
from indexes.join.best import Found
from indexes.join.job import JoinJob, ShareSearcher


class Others:
    """Two who search, each from a copy of the job, in any order, now and then a share twice.

    The threshold that they are told is an old one; what they find out themselves, nobody hears.
    """

    device = None

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.shares = 0

    def block(self, count: int, width: int, side: int) -> int:
        return 2 * side

    def search(
        self,
        job: JoinJob,
        vectors: Vectors,
        tiles: Sequence[Rows],
        commit: Callable[[int, Found], float],
    ) -> None:
        text = pickle.dumps(job)
        both = [ShareSearcher(pickle.loads(text), vectors) for _ in range(2)]
        threshold = job.threshold
        numbers = self.random.permutation(len(tiles)).tolist()
        for number in [*numbers, *numbers[: len(numbers) // 3]]:
            self.shares += 1
            one = both[int(self.random.integers(2))]
            found = one.search(tiles[number], threshold, lambda own: own)
            now = commit(number, pickle.loads(pickle.dumps(found)))
            if self.random.random() < 0.5:
                threshold = now
