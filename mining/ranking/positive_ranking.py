"""Pairs of one identity, the least alike first."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from indexes import FlatIndex, pair_scores
from indexes.memory import rows_taken
from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.ranking.ranked_pairs import COUNTED, RankedPairs, Spent, in_window
from mining.ranking.rules import Rules
from mining.ranking.search_space import SearchSpace
from pairsets.faces import Faces
from pairsets.files.exclusions import PathPairs
from pairsets.progress import Step


class PositiveRanking:
    """The pairs of one identity by one model's score, the least alike first, exact.

    Args and errors are those of `mine_positives`.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        rules: Rules | None = None,
        ignore: Iterable[str] = (),
        exclude: Iterable[PathPairs] = (),
    ) -> None:
        self.rules = rules or Rules()
        refuse_margins(self.rules)
        self.space = SearchSpace.of(embeddings.faces, ignore, exclude)
        self.faces: Faces = self.space.faces
        if self.faces.count_identities == len(self.faces):
            raise RulesError(
                f"no pair of one identity exists: none of the {len(self.faces)} faces has another "
                "of its own identity"
            )
        self._embeddings = embeddings
        self._vectors = self.space.take(embeddings.vectors)
        self._groups = self.faces.groups
        self._excluded = self.space.excluded(same=True)

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` pairs that are least alike; all if fewer exist."""
        with self._embeddings.watched(progress) as step:
            found = FlatIndex(self._vectors).bottom_pairs(
                depth,
                self._groups,
                min_score=self.rules.min_score,
                max_score=self.rules.max_score,
                exclude=self._excluded.rows,
                progress=step,
            )
        return RankedPairs(found.i, found.j, found.scores)

    def below(self, depth: int, spent: Spent, progress: Step | None = None) -> RankedPairs:
        """The `depth` least alike of the pairs that `spent` leaves; all if fewer exist."""
        first, second = spent.identities.T
        usable = spent.active & ~np.isin(self._groups, first[first == second])
        rows = np.flatnonzero(usable)
        if rows.size == 0:
            nothing = np.empty(0, np.int64)
            return RankedPairs(nothing, nothing, np.empty(0))
        # The rows keep their order, so that ties by (i, j) stay as they are.
        place = np.full(len(self.faces), -1)
        place[rows] = np.arange(rows.size)
        exclude = place[np.concatenate([self._excluded.rows, spent.pairs])]
        with self._embeddings.watched(progress) as step:
            # What is taken is a copy: only where faces are spent.
            vectors = self._vectors if usable.all() else rows_taken(self._vectors, usable)
            found = FlatIndex(vectors).bottom_pairs(
                depth,
                self._groups[rows],
                min_score=spent.score,
                max_score=self.rules.max_score,
                exclude=exclude[(exclude >= 0).all(axis=1)],
                progress=step,
            )
        return RankedPairs(rows[found.i], rows[found.j], found.scores)

    def turned_away(
        self, last: float | None, progress: Step | None = None
    ) -> list[tuple[str, int]]:
        """Counts of what each rule turned away; with `min_score`, counted by one more search."""
        drops = []
        i, j = self._excluded.rows.T
        if i.size:
            scores = pair_scores(self._vectors, self._vectors, i, j)
            alike = in_window(scores, self.rules)
            if last is not None:
                alike &= scores <= last
            drops += self._excluded.counts(alike)
        low = self.rules.min_score
        if low is not None:
            found = FlatIndex(self._vectors).bottom_pairs(
                COUNTED,
                self._groups,
                max_score=float(np.nextafter(low, -np.inf)),
                exclude=self._excluded.rows,
                progress=progress,
            )
            more = ", at least" if len(found) == COUNTED else ""
            drops.append((f"scoring below {low:g}{more}", len(found)))
        return drops


def refuse_margins(rules: Rules) -> None:
    """Raise RulesError where there is a margin, which is a distance from positives."""
    if rules.margins:
        raise RulesError(
            "a margin keeps pairs of different identities below the positives; it does not apply "
            "to hard positives"
        )
