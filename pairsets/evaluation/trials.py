"""Scored pairs that a threshold is chosen on: what has to be known of them, and pairs of a list.

What a threshold needs is counts: how many pairs of two identities reach a score, and how many of
one, in all and by identity. `Trials` says so; `PairTrials` counts them in arrays of listed pairs.
All pairs of a folder of faces are counted without a list (`mining.scores.face_trials`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Counts, Floats, Mask, Rows, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.dyads import Sorted, Table, dyads
from pairsets.evaluation.jackknife import Errors, PairCounts
from pairsets.evaluation.rates import refuse_unknown
from pairsets.paths import strings

Names = NDArray[np.object_]


@dataclass(frozen=True)
class Cut:
    """A threshold, and the pairs that reach it.

    Attributes:
        threshold: pairs are accepted if they score as much or more; inf accepts none.
        accepted: pairs of two identities that reach it.
        hits: pairs of one identity that do.
    """

    threshold: float
    accepted: int
    hits: int


class Trials(PairCounts, Protocol):
    """Scored pairs of two identities, and of one, that can be counted at any threshold."""

    @property
    def names(self) -> Names:
        """`[G]`: the identities, in the order of all that is by identity."""

    @property
    def width(self) -> int:
        """Number of thresholds that are best counted at once."""

    @property
    def complete(self) -> bool:
        """True where the candidates are all scores there are, and not some of them."""

    def candidates(self, threshold: float) -> Floats:
        """`[K]`, falling: the thresholds among which the ends of the interval are looked for."""

    def cuts(self, most: Sequence[int]) -> list[Cut]:
        """The lowest score that accepts at most so many pairs of two identities, of each number."""

    def count(self, threshold: float) -> Cut:
        """The pairs that reach a threshold."""

    def errors(self, thresholds: Sequence[float]) -> list[Errors]:
        """Errors by identity at each threshold."""

    def take(self, identities: Mask) -> Trials:
        """The pairs of which both ends are among some identities, `[G]`."""

    def means(self) -> tuple[Floats, Floats]:
        """`[G]` each: mean score of each identity's own pairs, and with others; nan without any."""


class PairTrials:
    """Listed pairs with their scores, and the identities at their ends.

    Args:
        labels: `[N]`, 1 for pairs of one identity.
        scores: `[N]`, higher is more alike; -inf is rejected at every threshold.
        identities_a, identities_b: `[N]`, who stands at either end.

    Raises:
        ScoresError: columns of other lengths, scores that are nan or +inf.

    >>> made = PairTrials([1, 0, 0], [0.9, 0.8, 0.1], ["a", "a", "b"], ["a", "b", "c"])
    >>> made.cuts([0, 1])
    [Cut(threshold=0.9, accepted=0, hits=1), Cut(threshold=0.8, accepted=1, hits=1)]
    """

    width = 1
    complete = True

    def __init__(
        self,
        labels: ArrayLike,
        scores: ArrayLike,
        identities_a: Sequence[str] | Names,
        identities_b: Sequence[str] | Names,
    ) -> None:
        first, second = strings(identities_a), strings(identities_b)
        self.names, codes = np.unique(np.concatenate([first, second]), return_inverse=True)
        positive, values = np.asarray(labels) == 1, np.asarray(scores, np.float64)
        shapes = {positive.shape, values.shape, first.shape, second.shape}
        if len(shapes) != 1:
            raise ScoresError(
                f"labels {positive.shape}, scores {values.shape} and identities {first.shape}, "
                f"{second.shape}; expected one of each a pair"
            )
        refuse_unknown(values)
        self._fill(positive, values, codes[: len(first)], codes[len(first) :])

    def _fill(self, positive: Mask, values: Scores, a: Rows, b: Rows) -> None:
        self._positive, self._values, self._a, self._b = positive, values, a, b
        order = np.argsort(-values[~positive], kind="stable")
        self._apart_scores = values[~positive][order]
        self._ends = a[~positive][order], b[~positive][order]
        self._within_scores = np.sort(values[positive])

    @property
    def negatives(self) -> int:
        """Number of pairs of two identities."""
        return len(self._apart_scores)

    @property
    def positives(self) -> int:
        """Number of pairs of one identity."""
        return len(self._within_scores)

    @cached_property
    def apart(self) -> Counts:
        """`[G]`: pairs of each identity with others."""
        return self._by_end(self.negatives)

    @cached_property
    def within(self) -> Counts:
        """`[G]`: pairs of each identity's own faces."""
        return np.bincount(self._a[self._positive], minlength=len(self.names)).astype(np.int64)

    @property
    def squares(self) -> int:
        """Sum over pairs of identities of the squared number of their pairs of faces."""
        return int((self._between**2).sum())

    def candidates(self, threshold: float) -> Floats:
        """`[K]`, falling: the scores of pairs of two identities, each once."""
        del threshold  # nothing is dear here
        known = self._apart_scores[np.isfinite(self._apart_scores)]
        return known[np.diff(known, prepend=np.inf) < 0]

    @cached_property
    def _dyads(self) -> Table | Sorted:
        return dyads(*self._ends, len(self.names))

    @cached_property
    def _between(self) -> Floats:
        """Numbers of pairs between every two identities that have some, in the order of dyads."""
        return self._dyads.sums(np.ones(self.negatives))

    def _by_end(self, count: int) -> Counts:
        """`[G]`: how many of the first pairs each identity stands in, at either end."""
        a, b = (np.bincount(ends[:count], minlength=len(self.names)) for ends in self._ends)
        return (a + b).astype(np.int64)

    def _reaching(self, threshold: float) -> int:
        """Number of pairs of two identities that score at least a threshold."""
        return int(np.searchsorted(-self._apart_scores, -threshold, side="right"))

    def cuts(self, most: Sequence[int]) -> list[Cut]:
        """The lowest score that accepts at most so many pairs of two identities, of each number."""
        return [self.count(self._lowest(number)) for number in most]

    def _lowest(self, most: int) -> float:
        """The lowest score above that of the first pair too many; inf where there is none."""
        below = self._apart_scores[most] if most < self.negatives else -np.inf
        others = self._apart_scores[: self._above(float(below))]
        mine = self._within_scores[np.searchsorted(self._within_scores, below, side="right") :]
        found = [float(some[at]) for some, at in ((others, -1), (mine, 0)) if some.size]
        return min(found, default=np.inf)

    def _above(self, score: float) -> int:
        """Number of pairs of two identities that score more."""
        return int(np.searchsorted(-self._apart_scores, -score, side="left"))

    def count(self, threshold: float) -> Cut:
        """The pairs that reach a threshold."""
        missed = int(np.searchsorted(self._within_scores, threshold))
        return Cut(float(threshold), self._reaching(threshold), self.positives - missed)

    def errors(self, thresholds: Sequence[float]) -> list[Errors]:
        """Errors by identity at each threshold."""
        found = []
        for threshold in thresholds:
            count = self._reaching(threshold)
            # In the order of the scores: those that reach it come first.
            wrong = self._dyads.sums((np.arange(self.negatives) < count).astype(np.float64))
            mine = self._positive & (self._values < threshold)
            found.append(
                Errors(
                    float(threshold),
                    self._by_end(count),
                    np.bincount(self._a[mine], minlength=len(self.names)).astype(np.int64),
                    int((wrong**2).sum()),
                    int((wrong * self._between).sum()),
                )
            )
        return found

    def take(self, identities: Mask) -> PairTrials:
        """The pairs of which both ends are among some identities, `[G]`."""
        rows = identities[self._a] & identities[self._b]
        found = object.__new__(PairTrials)
        found.names = self.names
        found._fill(self._positive[rows], self._values[rows], self._a[rows], self._b[rows])
        return found

    def means(self) -> tuple[Floats, Floats]:
        """`[G]` each: mean score of each identity's own pairs, and with others; nan without any."""
        known, count = np.isfinite(self._values), len(self.names)
        found = []
        for rows, ends in (
            (known & self._positive, (self._a,)),
            (known & ~self._positive, (self._a, self._b)),
        ):
            places = np.concatenate([end[rows] for end in ends])
            sums = np.bincount(places, np.tile(self._values[rows], len(ends)), count)
            counts = np.bincount(places, minlength=count)
            found.append(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan))
        return found[0], found[1]
