"""The best pairs found so far, and the score that a newcomer has to reach."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import pair_scores
from indexes.join.constraints import PairConstraints

Each = Callable[[Callable[[slice], None], Sequence[slice]], None]


class Found(NamedTuple):
    """Pairs i < j with near scores: the exact ones lie within `margins` of them.

    A margin of 0 says that the score is exact. All are `[M]`.
    """

    i: Rows
    j: Rows
    scores: Scores
    margins: Scores

    def take(self, kept: Rows | slice) -> Found:
        """Some of the pairs, by number or slice."""
        return Found(self.i[kept], self.j[kept], self.scores[kept], self.margins[kept])

    @classmethod
    def joined(cls, parts: Sequence[Found]) -> Found:
        """All pairs of `parts` as one."""
        if len(parts) == 1:
            return parts[0]
        if not parts:
            nothing = np.empty(0, np.int64)
            return cls(nothing, nothing, np.empty(0), np.empty(0))
        return cls(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Best:
    """The n best pairs of those that `rules` let pass, by (score falling, i, j).

    Workers `sift` what a filter let through, each for itself, and `take` the outcome in one step.
    Pairs are held with near scores as long as those tell enough: only what may be among the n best
    in the end is scored exactly. The outcome depends neither on the order nor on the filter.

    Args:
        vectors: `[N, D]`.
        n: how many pairs.
        rules: which pairs count; its scores are those of this class, `sign` included.
        sign: -1 to look for the lowest scores: they are held negated.
    """

    def __init__(self, vectors: Vectors, n: int, rules: PairConstraints, sign: int = 1) -> None:
        self.vectors, self.n, self.rules, self.sign = vectors, n, rules, sign
        # No pair below it can be among the n best. It only ever rises.
        self.threshold = rules.lowest
        self.parts: list[Found] = []
        self.held = self.fresh = 0
        # Settling costs a pass over what is held: not for every handful of newcomers.
        self.patience = max(n // 8, 1024)
        # Beside n, how many pairs may be held before all are scored exactly: for ties without end.
        self.spare = 2**18
        # Pairs scored exactly at a time.
        self.portion = 2**14
        self.lock = Lock()

    def sift(self, i: Rows, j: Rows, filtered: Scores, margin: Scores | float) -> Found:
        """Drop the pairs i < j that cannot be among the best.

        Args:
            i, j: `[M]`.
            filtered: `[M]` filter scores (negated with `sign`).
            margin: how far those may lie from the exact scores, one number or `[M]`.
        """
        margins = np.array(np.broadcast_to(np.asarray(margin, np.float64), filtered.shape))
        kept = self.rules.admit(i, j)
        kept &= filtered + margins >= self.threshold
        found = Found(i, j, filtered, margins).take(np.flatnonzero(kept))
        found = self._crop(self._within(found))
        if found.scores.size > 2 * self.n + self.spare:  # ties without end
            found = best_of(self.n, self._exact(found, one_by_one))
        return found

    def _within(self, found: Found) -> Found:
        """Drop pairs whose exact scores the rules forbid; where that is in doubt it is settled."""
        rules = self.rules
        if not rules.capped and rules.lowest == -np.inf:
            return found
        tops = rules.tops(found.i, found.j)
        kept = np.flatnonzero(found.scores - found.margins <= tops)
        found, tops = found.take(kept), tops[kept]
        high, low = found.scores + found.margins, found.scores - found.margins
        doubt = np.flatnonzero((high > tops) | (low < rules.lowest))
        if not doubt.size:
            return found
        sure = np.ones(tops.size, np.bool_)
        for start in range(0, doubt.size, self.portion):
            some = doubt[start : start + self.portion]
            exact = self._score(found.i[some], found.j[some])
            found.scores[some], found.margins[some] = exact, 0.0
            sure[some] = (exact <= tops[some]) & (exact >= rules.lowest)
        return found.take(np.flatnonzero(sure))

    def _crop(self, found: Found) -> Found:
        """Drop the pairs of `found` that can not be among its own n best."""
        if found.scores.size <= self.n:
            return found
        return found.take(np.flatnonzero(found.scores + found.margins >= _nth(found, self.n)))

    def take(self, found: Found) -> None:
        """Hold what `sift` found, and raise the threshold if that is due."""
        with self.lock:
            size = found.scores.size
            if not size:
                return
            self.parts.append(found)
            self.held += size
            self.fresh += size
            first = self.held >= self.n and self.held - size < self.n
            if first or self.fresh >= self.patience:
                self._settle()

    def _settle(self) -> None:
        found = Found.joined(self.parts)
        if found.scores.size >= self.n:
            self.threshold = max(self.threshold, _nth(found, self.n))
            found = found.take(np.flatnonzero(found.scores + found.margins >= self.threshold))
            if found.scores.size > 2 * self.n + self.spare:
                found = best_of(self.n, self._exact(found, one_by_one))
                self.threshold = max(self.threshold, float(found.scores.min()))
        self.parts, self.held, self.fresh = [found], found.scores.size, 0

    def raise_to(self, threshold: float) -> None:
        """Let nothing below `threshold` in: n pairs are known to reach it."""
        self.threshold = max(self.threshold, threshold)

    def snapshot(self) -> Found:
        """Pairs that are held now, in no order."""
        with self.lock:
            self._settle()
            return self.parts[0]

    def forget(self) -> None:
        """Hold nothing; the threshold stays, as n pairs are known to reach it."""
        with self.lock:
            self.parts, self.held, self.fresh = [], 0, 0

    def is_full(self) -> bool:
        """Whether n pairs have been found."""
        return self.snapshot().scores.size >= self.n

    def finish(self, each: Each) -> None:
        """Score exactly what is held, by a map over slices that may use several threads."""
        found = self._exact(self.snapshot(), each)
        with self.lock:
            self.parts = [best_of(self.n, found)]

    def result(self) -> tuple[Rows, Rows, Scores]:
        """The n best, in order, with their exact scores; all there are if they are fewer."""
        self.finish(one_by_one)
        i, j, scores, _ = self.parts[0]
        order = np.lexsort((j, i, -scores))
        return i[order], j[order], scores[order]

    def _exact(self, found: Found, each: Each) -> Found:
        near = np.flatnonzero(found.margins > 0)
        scores, margins = found.scores.copy(), np.zeros(found.margins.size)

        def score(rows: slice) -> None:
            some = near[rows]
            scores[some] = self._score(found.i[some], found.j[some])

        each(score, [slice(at, at + self.portion) for at in range(0, near.size, self.portion)])
        return Found(found.i, found.j, scores, margins)

    def _score(self, i: Rows, j: Rows) -> Scores:
        return self.sign * pair_scores(self.vectors, self.vectors, i, j)


def best_of(n: int, found: Found) -> Found:
    """The n best of pairs with exact scores, in no order."""
    scores = found.scores
    if scores.size <= n:
        return found
    nth = np.partition(scores, scores.size - n)[scores.size - n]
    above = np.flatnonzero(scores > nth)
    ties = np.flatnonzero(scores == nth)
    ties = ties[np.lexsort((found.j[ties], found.i[ties]))[: n - above.size]]
    return found.take(np.r_[above, ties])


def one_by_one(work: Callable[[slice], None], slices: Sequence[slice]) -> None:
    """Call `work` with each of the slices."""
    for rows in slices:
        work(rows)


def _nth(found: Found, n: int) -> float:
    """A score that n of the pairs reach for certain."""
    least = found.scores - found.margins
    return float(np.partition(least, least.size - n)[least.size - n])
