"""Sums over pairs of the same two clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Floats, Mask, Rows
from pairsets.sorted_arrays import in_order

# Keys that are worth a table of all of them, however few pairs there are.
TABLE = 1_000_000
# Keys that are computed at a time, in memory that stays near.
BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Table:
    """Dyads in a table of all that there could be.

    Attributes:
        keys: `[N]`, the place of each pair's dyad.
        count: how many places there are.
    """

    keys: Rows
    count: int

    def sums(self, values: Floats) -> Floats:
        """Sum of the values `[N]` of each dyad, `[count]`; 0 where it has no pair."""
        return np.bincount(self.keys, values, self.count).astype(np.float64, copy=False)


@dataclass(frozen=True, eq=False)
class Sorted:
    """Dyads that pairs have, in the order of the two clusters.

    Attributes:
        rows: `[N]`, of the pairs, by dyad; those of one dyad in their own order.
        first: `[N]`, of these: whether it is the first of its dyad.
        later: the places of the others.
        among: the dyad of each of the others.
    """

    rows: NDArray[np.integer]
    first: Mask
    later: Rows
    among: Rows

    def sums(self, values: Floats) -> Floats:
        """Sum of the values `[N]` of each dyad, in order, first to last."""
        ordered: Floats = values[self.rows]
        if not self.later.size:
            return ordered
        found: Floats = ordered[self.first]
        np.add.at(found, self.among, ordered[self.later])
        return found


def dyads(a: Rows, b: Rows, count: int) -> Table | Sorted:
    """Dyads of pairs of the clusters `a [N]` and `b [N]`, which are numbered from 0 to `count` - 1.

    Sums over them are the same in either form but for noughts, to the last bit.
    """
    if count**2 <= max(4 * a.size, TABLE):
        return Table(_keys(a, b, count), count**2)
    rows, keys = in_order(_keys(a, b, count), count**2)
    first = np.ones(keys.size, np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    later = np.flatnonzero(~first)
    # Before the k-th of the others there are as many firsts as places less k.
    return Sorted(rows, first, later, later - np.arange(later.size) - 1)


def _keys(a: Rows, b: Rows, count: int) -> Rows:
    """A number of the two clusters of each pair, `[N]`."""
    found = np.empty(a.size, np.int64)
    for begin in range(0, a.size, BLOCK):
        part = slice(begin, begin + BLOCK)
        found[part] = np.minimum(a[part], b[part]) * count + np.maximum(a[part], b[part])
    return found
