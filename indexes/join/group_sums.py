"""Sums of pairs by group, and of squares by pair of groups, from tiles in any order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock

import numpy as np

from indexes.base import Rows, Scores
from indexes.join.score_counts import GroupCounts
from indexes.join.unit_tiles import Unit, UnitTile


class GroupSums:
    """Sums by group, of tiles in any order."""

    def __init__(self, sizes: Rows, units: Sequence[Unit], cuts: Scores) -> None:
        self.sizes, self.cuts, self.lock = sizes, cuts, Lock()
        shape = len(cuts), len(sizes)
        self.negatives, self.positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.squares, self.products = [0] * len(cuts), [0] * len(cuts)
        # Units of each family.
        self.parts = Counter(unit.family for unit in units)
        # Between families of which one is in parts: the counts so far, and how many tiles follow.
        self.open: dict[tuple[int, int], tuple[Rows, int]] = {}

    def add(self, tile: UnitTile, found: Sequence[Rows]) -> None:
        """Add the numbers of pairs between groups, of each threshold."""
        first, second = tile.first.groups, tile.second.groups
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

    def _square(self, at: int, first: slice, second: slice, between: Rows) -> None:
        row, column = np.nonzero(between)
        counts = between[row, column]
        every = self.sizes[first][row] * self.sizes[second][column]
        self.squares[at] += whole_product(counts, counts)
        self.products[at] += whole_product(counts, every)

    def result(self) -> GroupCounts:
        """The sums as their users have them."""
        squares, products = tuple(self.squares), tuple(self.products)
        return GroupCounts(self.cuts, self.negatives, self.positives, squares, products)


def whole_product(first: Rows, second: Rows) -> int:
    """Sum of the products of two columns, 0 or more, in whole numbers of any size."""
    most = int(first.max(initial=0)) * int(second.max(initial=0)) * len(first)
    if most < 2**63:
        return int((first * second).sum())
    return sum(int(one) * int(other) for one, other in zip(first, second, strict=True))
