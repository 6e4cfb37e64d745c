"""Tiles of whole groups: the pairs of two groups stand in one of them, unless one is too large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from indexes.base import Mask, Rows, Scores, Vectors
from indexes.join.bounds import pair_scores
from indexes.memory import gather

# Pairs of all kinds, or those of one group alone.
Kind = Literal["both", "positive"]
Values = NDArray[np.floating]


class GroupedRows(Protocol):
    """Rows with groups, and how they are multiplied: what a tile needs of `AllPairs`."""

    vectors: Vectors
    codes: Rows
    order: Rows
    dtype: np.dtype[np.floating]

    @property
    def margin(self) -> float:
        """Largest distance of a product from its pair's score."""


@dataclass(frozen=True)
class Unit:
    """Rows that stand together: whole groups, or a part of one that is too large.

    Attributes:
        start, stop: places in the order of the rows, group by group.
        family: its number; parts of one group are of one family.
        groups: numbers of its groups.
        edges: `[A]`, where among its rows each of them begins.
    """

    start: int
    stop: int
    family: int
    groups: slice
    edges: Rows = field(compare=False)


def units_of(starts: Sequence[int], side: int) -> Iterator[Unit]:
    """Runs of whole groups of at most `side` rows together; a larger group in parts."""
    family, at, count = 0, 0, len(starts) - 1
    while at < count:
        begin, first = at, starts[at]
        at += 1
        while at < count and starts[at + 1] - first <= side:
            at += 1
        groups, stop = slice(begin, at), starts[at]
        # One group alone may be larger.
        for start in range(first, stop, side):
            edges = np.maximum(np.array(starts[groups]) - start, 0)
            yield Unit(start, min(start + side, stop), family, groups, edges)
        family += 1


@dataclass(eq=False)
class UnitTile:
    """The pairs of two units, or within one."""

    first: Unit
    second: Unit
    kind: Kind
    product: Values = field(default_factory=lambda: np.empty((0, 0), np.float32))
    # Where in the product the values of either kind stand, unless they are all of it.
    _places: list[Rows | None] = field(default_factory=lambda: [None, None])

    @property
    def diagonal(self) -> bool:
        """Whether both units are one."""
        return self.first == self.second

    @property
    def pairs(self) -> int:
        """Number of pairs of rows p < q."""
        height = self.first.stop - self.first.start
        if self.diagonal:
            return height * (height - 1) // 2
        return height * (self.second.stop - self.second.start)

    def fill(
        self,
        pairs: GroupedRows,
        multiply: Callable[[Values, Values, Values], None],
        buffer: Values | None = None,
    ) -> None:
        """Multiply the rows of both units."""
        sides = [
            gather(pairs.vectors, pairs.order[unit.start : unit.stop]).astype(
                pairs.dtype, copy=False
            )
            for unit in (self.first, self.second)
        ]
        shape = len(sides[0]), len(sides[1])
        if buffer is None:
            self.product = np.empty(shape, pairs.dtype)
        else:
            self.product = buffer[: shape[0] * shape[1]].reshape(shape)
        with np.errstate(under="ignore"):
            multiply(sides[0], sides[1], self.product)

    def values(self, pairs: GroupedRows) -> Iterator[tuple[Values, int]]:
        """Products of the pairs of two groups, and of one, each with 0 or 1; nothing if none."""
        flat = self.product.ravel()
        if self.first.family != self.second.family:
            yield flat, 0
            return
        if not self.diagonal:
            yield flat, 1
            return
        codes = pairs.codes[pairs.order[self.first.start : self.first.stop]]
        above: Mask = np.triu(np.ones((len(codes), len(codes)), np.bool_), 1)
        same: Mask = codes[:, np.newaxis] == codes
        for positive, mask in ((0, above & ~same), (1, above & same)):
            if positive or self.kind == "both":
                places = np.flatnonzero(mask)
                self._places[positive] = places
                yield flat[places], positive

    def scores(self, pairs: GroupedRows, found: Rows, positive: int) -> Scores:
        """Scores of some of those that `values` gave last, by number."""
        places = self._places[positive]
        return self._scores_at(pairs, found if places is None else places[found])

    def _scores_at(self, pairs: GroupedRows, places: Rows) -> Scores:
        p, q = np.divmod(places, self.product.shape[1])
        i, j = pairs.order[self.first.start + p], pairs.order[self.second.start + q]
        return pair_scores(pairs.vectors, pairs.vectors, i, j)

    def between(self, pairs: GroupedRows, cut: float) -> Rows:
        """Number `[A, B]` of pairs between groups A of the first and B of the second unit.

        Those that score at least `cut`; within one unit, of rows p < q.
        """
        sure = at_least(cut + pairs.margin, pairs.dtype)
        near = at_least(cut - pairs.margin, pairs.dtype)
        reached: Mask = self.product >= near
        doubt = np.flatnonzero(reached & (self.product < sure))
        if doubt.size:
            reached.ravel()[doubt] = self._scores_at(pairs, doubt) >= cut
        if self.diagonal:
            reached = np.triu(reached, 1)
        narrow = np.add.reduceat(reached.view(np.int8), self.second.edges, axis=1, dtype=np.int32)
        return np.add.reduceat(narrow, self.first.edges, axis=0, dtype=np.int64)


def by_numpy(left: Values, right: Values, out: Values) -> None:
    """Fill `out [A, B]` with the products of the rows `left [A, D]` and `right [B, D]`."""
    np.matmul(left, right.T, out=out)


def at_least(value: float, dtype: np.dtype[np.floating]) -> np.floating:
    """The lowest number of the type that is not below `value`."""
    with np.errstate(over="ignore"):
        low = dtype.type(value)
    return low if float(low) >= value else np.nextafter(low, dtype.type(np.inf))
