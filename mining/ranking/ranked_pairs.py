"""Pairs of faces, best first, as deep as asked: what the rules take their pairs from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mining.ranking.rules import Rules
from mining.ranking.search_space import SearchSpace
from pairsets.faces import Faces
from pairsets.progress import Step

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Pairs listed at most to count what the rules turned away.
COUNTED = 2**22


@dataclass(frozen=True, eq=False)
class RankedPairs:
    """The beginning of a ranking.

    Attributes:
        i, j: `[M]` rows of the faces, i < j, the best pair first.
        scores: `[M]`, falling (rising where the least alike are the best); ties by (i, j).
        quantiles: `[M, R]` of each of R reference models, or None.
        exact: whether no better pair can exist.

    Raises:
        ValueError: ragged arrays, or a pair that is not i < j.
    """

    i: Rows
    j: Rows
    scores: Scores
    quantiles: Scores | None = None
    exact: bool = True

    def __post_init__(self) -> None:
        lengths = {len(self.i), len(self.j), len(self.scores)}
        if self.quantiles is not None:
            lengths.add(len(self.quantiles))
        if len(lengths) != 1:
            raise ValueError(f"columns of {sorted(lengths)} pairs; expected one length")
        if (self.i >= self.j).any():
            raise ValueError("a pair with i >= j; expected i < j")

    def __len__(self) -> int:
        return len(self.i)


@dataclass(frozen=True, eq=False)
class Spent:
    """Faces and identities that are used up once the pairs above have been looked through.

    Each of those pairs was taken, or has a face or two identities that are used up: whatever else
    is left scores no better than the last of them.

    Attributes:
        score: of the last pair looked at; what is left scores that or less (in a ranking with the
            least alike first: or more).
        pairs: `[K, 2]` rows i < j of the pairs taken.
        active: `[N]`: false for faces that are used up, themselves or with their identity.
        identities: `[C, 2]` values of `Faces.groups`, a <= b: the two identities of the pairs of
            which none may follow.
    """

    score: float
    pairs: Rows
    active: Mask
    identities: Rows


class Ranking(Protocol):
    """Pairs of faces, best first."""

    @property
    def faces(self) -> Faces:
        """The faces that its rows number."""

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs; all if fewer exist."""


@runtime_checkable
class DeepRanking(Ranking, Protocol):
    """A ranking that goes on where it is too long to be listed from the top."""

    def below(self, depth: int, spent: Spent, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs of what `spent` leaves; all if fewer exist."""


class RuledRanking(Ranking, Protocol):
    """The pairs of a ranking that keep to all rules but the occurrence caps."""

    @property
    def space(self) -> SearchSpace:
        """Faces that are searched, and pairs that are excluded."""

    @property
    def rules(self) -> Rules:
        """Rules that the pairs keep to; the caps are left to `mining.ranking.occurrence_caps`."""

    def turned_away(
        self, last: float | None, progress: Step | None = None
    ) -> list[tuple[str, int]]:
        """Counts of what each rule turned away: (which, how many pairs), each pair under one rule.

        Args:
            last: score of the last pair taken, below which nothing is counted but exclusions;
                None where the ranking ended before enough were taken.
            progress: of counting, where it takes another search.
        """


def in_window(scores: Scores, rules: Rules) -> Mask:
    """`[M]`: the scores from `min_score` to `max_score`, both included."""
    low = -np.inf if rules.min_score is None else rules.min_score
    high = np.inf if rules.max_score is None else rules.max_score
    return np.asarray((scores >= low) & (scores <= high))
