"""Score limits and exclusions behind a ranking that knows none, such as a fused one."""

from __future__ import annotations

import numpy as np

from mining.errors import RulesError
from mining.ranking.ranked_pairs import RankedPairs, Ranking, Rows, in_window
from mining.ranking.rules import Rules
from mining.ranking.search_space import SearchSpace
from pairsets.faces import Faces
from pairsets.progress import Step

# Pairs of the unfiltered ranking that are listed at most.
DEEPEST = 2**22


class FilteredRanking:
    """The pairs of `ranking` between the score limits of `rules` and not excluded in `space`.

    `min_score` and `max_score` are in the ranking's own scores: quantiles, for a fused one.

    Args:
        ranking: of the searched faces of `space`.
        rules: which pairs count; the occurrence caps are left to `mining.ranking.occurrence_caps`.
        space: with the excluded pairs.

    Raises:
        RulesError: a margin: that is a difference of one model's scores.
    """

    def __init__(self, ranking: Ranking, rules: Rules, space: SearchSpace) -> None:
        if rules.margins:
            raise RulesError(
                "a margin is a difference of one model's scores; it does not apply to several "
                "references together: leave out one or the other"
            )
        self.ranking, self.rules, self.space = ranking, rules, space
        self.faces: Faces = space.faces
        self._excluded = space.excluded(same=False)
        self._keys = _keys(self._excluded.rows, len(self.faces))
        self._listed: RankedPairs | None = None

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs; all if fewer exist.

        Where the unfiltered ranking is too long to be listed so far, `exact` is false and there
        may be fewer.
        """
        ask = depth + len(self._keys)
        while True:
            found = self.ranking.top(ask, progress)
            kept = np.flatnonzero(self._fits(found))
            low = self.rules.min_score
            over = len(found) < ask or (low is not None and bool(found.scores[-1] < low))
            if over or len(kept) >= depth or ask >= DEEPEST:
                break
            ask = min(4 * ask, max(DEEPEST, ask))
        self._listed, kept = found, kept[:depth]
        return RankedPairs(
            found.i[kept],
            found.j[kept],
            found.scores[kept],
            None if found.quantiles is None else found.quantiles[kept],
            exact=found.exact and (over or len(kept) == depth),
        )

    def turned_away(
        self, last: float | None, progress: Step | None = None
    ) -> list[tuple[str, int]]:
        """Counts of what each rule turned away, of the pairs that had to be listed."""
        if self._listed is None:
            return []
        found, rules, drops = self._listed, self.rules, []
        excluded = self._is_excluded(found)
        if len(self._keys):
            alike = excluded & in_window(found.scores, rules)
            if last is not None:
                alike &= found.scores >= last
            listed = found.i[alike] * len(self.faces) + found.j[alike]
            drops += self._excluded.counts(np.isin(self._keys, listed))
        if rules.max_score is not None:
            high = ~excluded & (found.scores > rules.max_score)
            drops.append((f"scoring above {rules.max_score:g}", int(high.sum())))
        return drops

    def _fits(self, found: RankedPairs) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return in_window(found.scores, self.rules) & ~self._is_excluded(found)

    def _is_excluded(self, found: RankedPairs) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.isin(found.i * len(self.faces) + found.j, self._keys)


def _keys(pairs: Rows, count: int) -> Rows:
    return np.asarray(pairs[:, 0] * count + pairs[:, 1], np.int64)
