"""The highest scores of pairs of two identities: as many as a FAR lets through, exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexes import AllPairs, FlatIndex
from indexes.join import SearchOptions
from indexes.join.score_counts import Histogram
from indexes.memory import gather
from pairsets.arrays import Rows, Scores

# The FAR that the tail begins with, and the pairs of two identities that are held for it.
TAIL, HELD = 1e-3, 2**23
# Rows of a random block that the tail's lowest score is guessed from, and how many blocks.
_BLOCK, _BLOCKS = 1024, 8
# Pairs of the blocks that are to reach it.
_FEWEST = 200


@dataclass(eq=False)
class ScoreTail:
    """The highest scores of two identities, with the identities.

    Attributes:
        scores: `[K]`, falling.
        a, b: `[K]`, numbers of the identities.
        whole: whether these are all such pairs that there are.
    """

    scores: Scores
    a: Rows
    b: Rows
    whole: bool

    def reaching(self, threshold: float) -> int:
        """Number of pairs that score at least `threshold`."""
        return len(self.scores) - int(np.searchsorted(self.scores[::-1], threshold))

    def holds(self, threshold: float) -> bool:
        """Whether all pairs that score at least `threshold` are known."""
        return self.whole or (len(self.scores) > 0 and threshold >= self.scores[-1])


@dataclass(frozen=True, eq=False)
class TailSearch:
    """Search of the highest scores of pairs of two identities.

    Attributes:
        pairs: all pairs; groups are identities.
        how: device and threads.
        checkpoint: file that a long search goes on from.
        progress: called with the pairs done, and the pairs in all.
    """

    pairs: AllPairs
    how: SearchOptions
    checkpoint: Path | None = None
    progress: Callable[[int, int], None] | None = None

    def find(self, hist: Histogram | None) -> tuple[ScoreTail, float]:
        """The pairs that the tail's FAR lets through and the next one, and that FAR.

        It is `TAIL`, or less where more than `HELD` pairs would have to be held.

        Args:
            hist: where all scores were counted, which tells where the tail begins.
        """
        negatives, far = self.pairs.negatives, TAIL
        while int(far * negatives) + 1 > HELD // 2:
            far = _tenth(far)
        index, guess = FlatIndex(self.pairs.vectors), 1.2
        while True:
            rank = min(int(far * negatives) + 1, negatives)
            if hist is not None:
                floor = hist.bracket(rank, "negative")[0]
            else:
                floor = self.guess(min(rank * guess / negatives, 1.0))
            found = index.top_pairs(
                HELD,
                self.pairs.codes,
                min_score=floor if math.isfinite(floor) else None,
                how=self.how,
                progress=self.progress,
                checkpoint=self.checkpoint,
            )
            scores = found.scores
            if len(found) == HELD < negatives:
                # Of the lowest score there may be more pairs than are held.
                scores = scores[: len(scores) - int((scores == scores[-1]).sum())]
                while int(far * negatives) + 1 > len(scores) and far * negatives >= 1:
                    far = _tenth(far)
                rank = 0
            if len(found) >= rank or not math.isfinite(floor):
                # No more than is asked for, and those of the same score: whatever the floor was.
                last = min(int(far * negatives) + 1, len(scores))
                kept = int((scores >= scores[last - 1]).sum()) if last else 0
                a, b = (self.pairs.codes[rows[:kept]] for rows in (found.i, found.j))
                return ScoreTail(scores[:kept], a, b, kept == negatives), far
            guess *= 2

    def guess(self, share: float) -> float:
        """A score that about this share of pairs of two identities reach; -inf for all of them."""
        if share >= 1:
            return -math.inf
        # Of fewer pairs of the blocks the score would be known too badly.
        share = max(share, _FEWEST / (_BLOCK**2 * _BLOCKS))
        vectors, codes = self.pairs.vectors, self.pairs.codes
        draw, count = np.random.default_rng(0), len(vectors)
        found = []
        for _ in range(_BLOCKS):
            i, j = (draw.integers(0, count, min(_BLOCK, count)) for _ in range(2))
            product = gather(vectors, i) @ gather(vectors, j).T
            found.append(product[codes[i][:, None] != codes[j]])
        scores = np.sort(np.concatenate(found))
        if not scores.size:
            return -math.inf
        return float(scores[max(len(scores) - max(int(share * len(scores)), 1), 0)])


def _tenth(far: float) -> float:
    """A tenth of a power of ten, as it is written."""
    return float(f"{far / 10:.0e}")
