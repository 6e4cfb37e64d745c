"""Best pairs where many rows are equal: one of each class is searched, the rest follows.

All pairs of two classes, or of one with itself, score the same, and of equal scores the pairs that
come first by (i, j) are the best. So the pairs of classes are searched like pairs of rows, each
class by its first row, and are then spelled out, best first, as far as n pairs need it.

How many pairs two classes hold depends on the rules (groups, exclusions, ceilings), and is seen
when they are spelled out. What the search of classes leaves out stands behind the last pair of
classes it found: by a lower score, or by rows that come later than the first rows of that pair.
Where n pairs stand before that, they are the answer; else the classes are searched deeper.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import pair_scores
from indexes.join.constraints import PairConstraints, pair_keys
from indexes.join.equal import Classes

Pairs = tuple[Rows, Rows, Scores]
# Finds the best pairs of some rows by the rules given: as many as asked for, in order.
Search = Callable[[PairConstraints, Rows, int], Pairs]
# How much deeper the classes are searched where they were not enough.
_DEEPER = 4


class Grouped:
    """Search for the n best pairs of rows, of which many are equal.

    Args:
        vectors: `[N, D]`.
        n: how many pairs.
        rules: as of `Best`; where pairs are of one group, so are the rows of a class.
        classes: of the rows that take part; of two sets, each of rows of one.
        sign: as of `Best`.
    """

    # Pairs spelled out at a time.
    least, most = 2**14, 2**20

    def __init__(
        self, vectors: Vectors, n: int, rules: PairConstraints, classes: Classes, sign: int = 1
    ) -> None:
        self.vectors, self.n, self.rules, self.classes = vectors, n, rules, classes
        self.sign = sign

    def best(self, search: Search) -> Pairs:
        """The n best in order, with scores as of `Best`; all there are if they are fewer.

        `search` is asked for the best pairs of the rows that stand for all.
        """
        within = self._within()
        lowest = self.rules.lowest
        if len(within[2]) == self.n:
            lowest = max(lowest, float(within[2][-1]))
        rules, asked = replace(self._of_classes(), lowest=lowest), self.n
        while True:
            i, j, scores = search(rules, self.classes.standing, asked)
            found = self._spelled(within, i, j, scores)
            if len(i) < asked or self._before(found, (-scores[-1], i[-1], j[-1])):
                return found
            asked *= _DEEPER

    def _before(self, found: Pairs, last: tuple[float, int, int]) -> bool:
        """Whether n pairs were found that stand no later than `last`."""
        i, j, scores = found
        return len(i) == self.n and (-scores[-1], i[-1], j[-1]) <= last

    def _within(self) -> Pairs:
        """The n best of the pairs of equal rows; of two sets none, as a class is of one of them."""
        first = self.classes.first[: 0 if self.rules.split is not None else None]
        scores = self.sign * pair_scores(self.vectors, self.vectors, first, first)
        counts = (scores >= self.rules.lowest) & (scores <= self.rules.highest)
        nothing = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        first, scores = first[counts], scores[counts]
        order = np.lexsort((first, -scores))
        return self._spelled(nothing, first[order], first[order], scores[order])

    def _of_classes(self) -> PairConstraints:
        """Rules that let a pair of classes pass where they may let one of its pairs pass."""
        rules, classes, count = self.rules, self.classes, len(self.rules.groups)
        excluded, apart, ceilings = rules.excluded, rules.apart, rules.ceilings
        if excluded is not None:
            i, j = np.divmod(excluded, count)
            excluded = excluded[(classes.of[i] < 0) & (classes.of[j] < 0)]
            excluded = excluded if excluded.size else None
        if ceilings is not None:
            ceilings = ceilings.copy()
            ceilings[classes.first] = np.maximum.reduceat(
                ceilings[classes.members], classes.starts[:-1]
            )
        groups = rules.groups
        if not rules.same:
            # A class of several groups is of another group than any: one of its own.
            codes = groups[classes.members]
            low, high = (
                part.reduceat(codes, classes.starts[:-1]) for part in (np.minimum, np.maximum)
            )
            mixed = np.flatnonzero(low != high)
            groups = groups.copy()
            groups[classes.first[mixed]] = count + mixed
            values, groups = np.unique(groups, return_inverse=True)
            if apart is not None:
                pairs = np.column_stack(np.divmod(apart, count))
                codes = np.minimum(np.searchsorted(values, pairs), values.size - 1)
                apart = pair_keys(codes[(values[codes] == pairs).all(axis=1)], count, "apart")
        return replace(rules, groups=groups, excluded=excluded, apart=apart, ceilings=ceilings)

    def _spelled(self, known: Pairs, a: Rows, b: Rows, scores: Scores) -> Pairs:
        """The n best of `known` pairs of rows and of those of the classes of a and b.

        Args:
            known: in order.
            a, b, scores: `[M]` rows that stand for classes, in order.
        """
        alone = (self.classes.of[a] < 0) & (self.classes.of[b] < 0)
        known = self._ordered([known, (a[alone], b[alone], scores[alone])])
        a, b, scores = a[~alone], b[~alone], scores[~alone]
        parts, more = [known], 0
        edges = np.flatnonzero(scores[1:] != scores[:-1]) + 1
        for low, high in zip([0, *edges.tolist()], [*edges.tolist(), len(a)], strict=True):
            if low == high:
                break
            score = float(scores[low])
            wanted = self.n - more - int(np.searchsorted(-known[2], -score, side="left"))
            if wanted <= 0:
                break
            i, j = self._level(a[low:high], b[low:high], score, wanted)
            parts.append((i, j, np.full(len(i), score)))
            more += len(i)
        return self._ordered(parts) if len(parts) > 1 else known

    def _ordered(self, parts: list[Pairs]) -> Pairs:
        """The n best pairs of all `parts`, in order."""
        i, j, scores = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        order = np.lexsort((j, i, -scores))[: self.n]
        return i[order], j[order], scores[order]

    def _level(self, a: Rows, b: Rows, score: float, wanted: int) -> tuple[Rows, Rows]:
        """The first `wanted` pairs of rows, of pairs of classes that all score the same."""
        found: list[tuple[Rows, Rows]] = []
        size, room, last = 0, wanted, None
        for pair in zip(a.tolist(), b.tolist(), strict=True):
            # No pair of the two classes comes before that of their first rows.
            if last is not None and pair > last:
                break
            i, j = self._first(*pair, score, wanted)
            found.append((i, j))
            size += len(i)
            if size >= room:
                i, j = (np.concatenate(columns) for columns in zip(*found, strict=True))
                order = np.lexsort((j, i))[:wanted]
                found, size, room = [(i[order], j[order])], wanted, 2 * wanted
                last = int(i[order[-1]]), int(j[order[-1]])
        i, j = (np.concatenate(columns) for columns in zip(*found, strict=True))
        order = np.lexsort((j, i))[:wanted]
        return i[order], j[order]

    def _first(self, a: int, b: int, score: float, wanted: int) -> tuple[Rows, Rows]:
        """The first `wanted` pairs of the classes of two rows that the rules admit, or all."""
        left = self._below_ceilings(self.classes.with_row(a), score)
        right = left if a == b else self._below_ceilings(self.classes.with_row(b), score)
        sides = [(left, right)] if a == b else [(left, right), (right, left)]
        pools, columns, offset = [], [], 0
        for rows, others in sides:
            for heads, partners in self._partners(rows, others):
                starts = np.searchsorted(partners, heads, side="right")
                stops = np.full(len(heads), len(partners))
                columns.append((heads, starts + offset, stops + offset))
                pools.append(partners)
                offset += len(partners)
        heads, starts, stops = (np.concatenate(part) for part in zip(*columns, strict=True))
        order = np.argsort(heads, kind="stable")
        order = order[stops[order] > starts[order]]
        heads, starts, counts = heads[order], starts[order], (stops - starts)[order]
        return self._admitted(heads, starts, counts, np.concatenate(pools), wanted)

    def _admitted(
        self, heads: Rows, starts: Rows, counts: Rows, pool: Rows, wanted: int
    ) -> tuple[Rows, Rows]:
        """First `wanted` pairs that are admitted, of heads with their parts of the pool."""
        ends = np.cumsum(counts)
        found, size, at = [(heads[:0], heads[:0])], 0, 0
        most = min(max(wanted, self.least), self.most)
        while at < len(heads) and size < wanted:
            before = int(ends[at] - counts[at])
            stop = max(at + 1, int(np.searchsorted(ends, before + most, side="right")))
            some = slice(at, stop)
            i = np.repeat(heads[some], counts[some])
            shift = starts[some] - (ends[some] - counts[some] - before)
            j = pool[np.arange(len(i)) + np.repeat(shift, counts[some])]
            kept = np.flatnonzero(self.rules.admit(i, j))[: wanted - size]
            found.append((i[kept], j[kept]))
            size += len(kept)
            at = stop
        i, j = (np.concatenate(part) for part in zip(*found, strict=True))
        return i, j

    def _partners(self, rows: Rows, others: Rows) -> list[tuple[Rows, Rows]]:
        """Rows with the others that they may be paired with, by groups that hold most of those."""
        if self.rules.same or not others.size:
            return [(rows, others)]
        codes = self.rules.groups[others]
        values, counts = np.unique(codes, return_counts=True)
        most = int(counts.argmax())
        if 2 * int(counts[most]) <= len(others):
            return [(rows, others)]
        # Else each row of a large group would be tried with all its other rows, in vain.
        inside = self.rules.groups[rows] == values[most]
        return [(rows[inside], others[codes != values[most]]), (rows[~inside], others)]

    def _below_ceilings(self, rows: Rows, score: float) -> Rows:
        if self.rules.ceilings is None:
            return rows
        return rows[self.rules.ceilings[rows] >= score]
