"""All pairs of some faces as trials that a threshold is set on, counted and not listed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes import AllPairs
from indexes.base import Vectors
from indexes.join import SearchOptions
from indexes.join.pairs import Progress
from indexes.join.score_counts import Histogram, Window
from indexes.memory import gather
from pairsets.arrays import Counts, Floats, Mask
from pairsets.evaluation.jackknife import Errors, Population
from pairsets.evaluation.trials import Cut, Names

# Distances from the threshold at which ends are looked for, on either side: of scores up to 1 from
# a hundred-thousandth to beyond all scores, each 2 % further than the one before.
_NEAREST, _FURTHEST, _STEPS = 1e-5, 2.5, 640


class FaceTrials:
    """All pairs i < j of faces, those of two identities and those of one.

    What is counted is exact (`indexes.AllPairs`), so that it depends neither on the processor nor
    on threads.

    Args:
        vectors: `[N, D]`.
        identities: `[N]`, who each face shows.
        how: threads of the passes.
        progress: called with the pairs done and in all, in each pass.
    """

    width = 36
    complete = False

    def __init__(
        self,
        vectors: Vectors,
        identities: ArrayLike,
        how: SearchOptions | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._how, self._progress = how or SearchOptions(), progress
        self._pairs = AllPairs(vectors, identities, self._how)

    @property
    def names(self) -> Names:
        """`[G]`: the identities, sorted."""
        found: NDArray[np.object_] = self._pairs.names.astype(object)
        return found

    @property
    def negatives(self) -> int:
        """Number of pairs of two identities."""
        return int(self._pairs.negatives)

    @property
    def positives(self) -> int:
        """Number of pairs of one identity."""
        return int(self._pairs.positives)

    @cached_property
    def _population(self) -> Population:
        return Population(self._pairs.sizes)

    @property
    def apart(self) -> Counts:
        """`[G]`: pairs of each identity with others."""
        return self._population.apart

    @property
    def within(self) -> Counts:
        """`[G]`: pairs of each identity's own faces."""
        return self._population.within

    @property
    def squares(self) -> int:
        """Sum over pairs of identities of the squared number of their pairs of faces."""
        return self._population.squares

    @cached_property
    def _histogram(self) -> Histogram:
        return self._pairs.histogram(progress=self._progress)

    def candidates(self, threshold: float) -> Floats:
        """`[K]`, falling: thresholds about one, ever further from it."""
        # Scores of unit vectors are 1 at most, give or take rounding that must not matter here.
        scale = 2.0 ** round(float(np.log2(max(self._pairs.largest, 1e-300))))
        steps = scale * np.geomspace(_NEAREST, _FURTHEST, _STEPS)
        return np.concatenate([threshold + steps[::-1], [threshold], threshold - steps])

    def cuts(self, most: Sequence[int]) -> list[Cut]:
        """The lowest score that accepts at most so many pairs of two identities, of each number.

        Where more than so many share the highest score in question, the next number above it.
        """
        asked = [self._around(number) for number in most]
        windows = self._pairs.windows([*dict.fromkeys(asked)], progress=self._progress)
        found = dict(zip(dict.fromkeys(asked), windows, strict=True))
        return [_cut(found[window], number) for window, number in zip(asked, most, strict=True)]

    def _around(self, most: int) -> tuple[float, float]:
        """Interval of scores that holds the last pair accepted, and the first that is not."""
        hist, count = self._histogram, self.negatives
        low = hist.bracket(most + 1, "negative")[0] if most < count else -np.inf
        return low, hist.bracket(most, "negative")[1] if most else np.inf

    def count(self, threshold: float) -> Cut:
        """The pairs that reach a threshold."""
        [found] = self._pairs.windows([(threshold, threshold)], progress=self._progress)
        return Cut(threshold, found.negatives_above, found.positives_above)

    def errors(self, thresholds: Sequence[float]) -> list[Errors]:
        """Errors by identity at each threshold."""
        found = self._pairs.by_group(np.array(thresholds), progress=self._progress)
        return [
            Errors(
                float(threshold),
                found.negatives[at],
                self.within - found.positives[at],
                found.squares[at],
                found.products[at],
            )
            for at, threshold in enumerate(thresholds)
        ]

    def take(self, identities: Mask) -> FaceTrials:
        """The pairs of the faces of some identities, `[G]`."""
        rows = np.flatnonzero(identities[self._pairs.codes])
        vectors = gather(self._pairs.vectors, rows)
        return FaceTrials(vectors, self._pairs.codes[rows], self._how, self._progress)

    def means(self) -> tuple[Floats, Floats]:
        """`[G]` each: mean score of each identity's own pairs, and with others; nan without any.

        From the sums s_a of each identity's vectors, s of all: with others s_a (s - s_a), among its
        own (s_a s_a - the sum of squares) / 2.
        """
        vectors, codes, count = self._pairs.vectors, self._pairs.codes, len(self._pairs.sizes)
        sums = np.zeros((count, vectors.shape[1]))
        squares = np.zeros(count)
        for begin in range(0, len(vectors), 4096):
            part = np.asarray(vectors[begin : begin + 4096], np.float64)
            rows = codes[begin : begin + 4096]
            np.add.at(sums, rows, part)
            np.add.at(squares, rows, (part * part).sum(axis=1))
        every = sums.sum(axis=0)
        inside = ((sums * sums).sum(axis=1) - squares) / 2
        outside = (sums * (every - sums)).sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            own = np.where(self.within > 0, inside / self.within, np.nan)
            others = np.where(self.apart > 0, outside / self.apart, np.nan)
        return own, others


def _cut(found: Window, most: int) -> Cut:
    """The lowest score of a window that lets in so many pairs of two identities at most."""
    accepted = found.negatives_above + np.cumsum(found.negatives)
    hits = found.positives_above + np.cumsum(found.positives)
    last = int(np.searchsorted(accepted, most, side="right")) - 1
    if last >= 0:
        return Cut(float(found.scores[last]), int(accepted[last]), int(hits[last]))
    if not found.negatives_above and not found.positives_above:
        return Cut(float("inf"), 0, 0)
    above = float(np.nextafter(found.scores[0], np.inf)) if len(found.scores) else found.low
    return Cut(above, found.negatives_above, found.positives_above)
