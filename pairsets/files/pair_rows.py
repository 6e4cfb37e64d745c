"""Rows of a pair set, found by the two paths of a pair."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Rows
from pairsets.pairset import PairSet
from pairsets.sorted_arrays import in_order


class PairRows:
    """Rows of the pairs of a set by their paths, in either order; no text is kept a pair.

    >>> rows = PairRows(PairSet.of(["a/1", "a/1"], ["b/1", "c/1"], 0))
    >>> rows.find(["c/1", "a/1", "b/1"], ["a/1", "b/1", "c/1"]).tolist()
    [1, 0, -1]
    """

    def __init__(self, pairs: PairSet) -> None:
        self.codes = pairs.codes
        self.number = {face: number for number, face in enumerate(pairs.codes.faces)}
        self.keys = pairs.codes.keys()
        # The row behind the one found last: files are often in the order of the set.
        self.next = 0

    def find(self, path_a: Sequence[str], path_b: Sequence[str]) -> Rows:
        """The row of each pair, `[M]`; -1 where the set has none of these two."""
        count = len(path_a)
        a, b = (
            np.fromiter(map(self.number.get, side, repeat(-1)), np.int64, count)
            for side in (path_a, path_b)
        )
        keys = np.minimum(a, b) * len(self.number) + np.maximum(a, b)
        keys[(a < 0) | (b < 0)] = -1
        begin = self.next if self.next + count <= self.keys.size else 0
        if np.array_equal(self.keys[begin : begin + count], keys):
            found: Rows = np.arange(begin, begin + count)
        else:
            found = self._search(keys)
        if count:
            self.next = (int(found[-1]) + 1) % max(self.keys.size, 1)
        return found

    def _search(self, keys: NDArray[np.int64]) -> Rows:
        rows, ranked = self._ranked
        place = np.searchsorted(ranked, keys)
        place[place == ranked.size] = 0
        return np.where(ranked[place] == keys, rows[place], -1) if ranked.size else keys * 0 - 1

    @cached_property
    def _ranked(self) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """The rows by their keys, and the keys, rising."""
        return in_order(self.keys.copy(), len(self.number) ** 2)
