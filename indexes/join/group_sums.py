"""Sums of pairs by group, and of squares by pair of groups, from tiles in any order."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from indexes.base import Rows, Scores
from indexes.join.score_counts import GroupCounts
from indexes.join.unit_tiles import Unit, UnitTile


class GroupSums:
    """Sums by group, of tiles in any order."""

    def __init__(
        self, codes: Rows, order: Rows, sizes: Rows, units: Sequence[Unit], cuts: Scores
    ) -> None:
        self.codes, self.order, self.sizes = codes, order, sizes
        self.cuts, self.lock = cuts, Lock()
        shape = len(cuts), len(sizes)
        self.negatives, self.positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.squares, self.products = [0] * len(cuts), [0] * len(cuts)
        parts: dict[int, int] = {}
        for unit in units:
            parts[unit.family] = parts.get(unit.family, 0) + 1
        self.parts = parts
        # Between families of which one is in parts: the counts so far, and how many tiles follow.
        self.open: dict[tuple[int, int], tuple[Rows, int]] = {}

    def add(self, tile: UnitTile, found: Sequence[Rows]) -> None:
        """Add the numbers of pairs between groups, of each threshold."""
        first, second = (
            np.unique(self.codes[self.order[unit.start : unit.stop]])
            for unit in (tile.first, tile.second)
        )
        family = tile.first.family, tile.second.family
        tiles = self.parts[family[0]] * self.parts[family[1]]
        # Whole groups: what is between two of them is all in this tile.
        whole = tiles == 1
        with self.lock:
            for at, between in enumerate(found):
                if family[0] == family[1]:
                    self.positives[at, first] += np.diagonal(between)
                    between = between - np.diag(np.diagonal(between))
                if tile.kind == "positive":
                    continue
                self.negatives[at, first] += between.sum(axis=1)
                self.negatives[at, second] += between.sum(axis=0)
                if whole:
                    self._square(at, first, second, between)
            if not whole and family[0] != family[1]:
                before, left = self.open.pop(family, (np.zeros(1, np.int64), tiles))
                together = before + np.stack(found)
                if left > 1:
                    self.open[family] = together, left - 1
                else:
                    for at, between in enumerate(together):
                        self._square(at, first, second, between)

    def _square(self, at: int, first: Rows, second: Rows, between: Rows) -> None:
        row, column = np.nonzero(between)
        sizes = self.sizes
        counts = between[row, column]
        every = sizes[first[row]] * sizes[second[column]]
        if counts.size and int(every.max()) >= 2**20:
            # Whole numbers of any size.
            self.squares[at] += sum(int(one) ** 2 for one in counts)
            self.products[at] += sum(int(a) * int(b) for a, b in zip(counts, every, strict=True))
            return
        self.squares[at] += int((counts * counts).sum())
        self.products[at] += int((counts * every).sum())

    def result(self) -> GroupCounts:
        """The sums as their users have them."""
        squares, products = tuple(self.squares), tuple(self.products)
        return GroupCounts(self.cuts, self.negatives, self.positives, squares, products)
