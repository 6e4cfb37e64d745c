"""Pairs that a search goes over: a triangle, of all rows, or a rectangle, of two sets of rows.

Both are of *positions* in the order that a search gives its rows. In a rectangle the positions of
the first set come before all of the second, so that a pair is p < q in either.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Protocol

import numpy as np

from indexes.base import Rows, Scores
from indexes.join.tiles import Tile, Tiles, halved, triangle

# Rows and columns at least of a corner that raises the threshold of a search by numpy.
_CORNER = 128


class Space(Protocol):
    """Pairs of positions, and how they are gone over."""

    @property
    def pairs(self) -> int:
        """Number of the pairs."""

    @property
    def size(self) -> int:
        """Number of rows that have about as many pairs among themselves."""

    @property
    def sides(self) -> list[slice]:
        """Positions that may be put in another order among themselves."""

    def tiles(self, side: int) -> Tiles:
        """Tiles of at most `side` x `side` that hold each pair once, with as little else."""

    def blocks(self, side: int) -> Tiles:
        """Tiles of `side` x `side` that hold each pair once."""

    def corner(self, pairs: int) -> Tile | None:
        """The first tile of about so many pairs or more; None where that is much of all."""

    def nearest(self, near: Scores, count: int) -> tuple[Rows, Space]:
        """Positions of the rows with the highest `near [P]`, and the space of them.

        It has about as many pairs as `count` rows have among themselves.
        """

    def sample(self, first: int, rest: int, generator: np.random.Generator) -> Rows:
        """Positions drawn at random: each of the `first` may be paired with any of the `rest`."""


@dataclass(frozen=True, slots=True)
class Triangle:
    """Pairs p < q of `count` positions."""

    count: int

    @property
    def pairs(self) -> int:
        """Number of the pairs."""
        return self.count * (self.count - 1) // 2

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.count

    @property
    def sides(self) -> list[slice]:
        """All positions."""
        return [slice(0, self.count)]

    def tiles(self, side: int) -> Tiles:
        """Tiles of which those on the diagonal are quartered."""
        return halved(self.count, side)

    def blocks(self, side: int) -> Tiles:
        """Tiles of `side` x `side`."""
        return triangle(self.count, side)

    def corner(self, pairs: int) -> Tile | None:
        """The first tile on the diagonal; None where it is a quarter of all or more."""
        side = int(max((2 * pairs) ** 0.5, _CORNER))
        return None if side > self.count // 2 else Tile(slice(0, side), slice(0, side))

    def nearest(self, near: Scores, count: int) -> tuple[Rows, Space]:
        """The `count` positions with the highest `near [P]`, and their triangle."""
        chosen = np.argsort(-near, kind="stable")[:count]
        return chosen, Triangle(len(chosen))

    def sample(self, first: int, rest: int, generator: np.random.Generator) -> Rows:
        """Positions of any rows."""
        return generator.integers(0, self.count, first + rest)


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pairs of the first `height` positions with the `width` that follow them."""

    height: int
    width: int

    @property
    def pairs(self) -> int:
        """Number of the pairs."""
        return self.height * self.width

    @property
    def size(self) -> int:
        """Number of rows that have about as many pairs among themselves."""
        return isqrt(2 * self.pairs)

    @property
    def sides(self) -> list[slice]:
        """Positions of the first set, and of the second."""
        return [slice(0, self.height), slice(self.height, self.height + self.width)]

    def tiles(self, side: int) -> Tiles:
        """Tiles, row of tiles by row of tiles."""
        return Tiles(Tile(*self.sides).blocks(side) if self.pairs else ())

    blocks = tiles

    def corner(self, pairs: int) -> Tile | None:
        """The tile of the first of both sets; None where it is a quarter of all or more."""
        if not self.pairs:
            return None
        side = max(isqrt(2 * pairs), _CORNER)
        height, width = self._shape(side, side, 2 * pairs)
        if 4 * height * width > self.pairs:
            return None
        return Tile(slice(0, height), slice(self.height, self.height + width))

    def nearest(self, near: Scores, count: int) -> tuple[Rows, Space]:
        """The positions of each set with the highest `near [P]`, and their rectangle."""
        pairs = max(count * count // 2, 1)
        height, width = self._shape(isqrt(pairs), isqrt(pairs), pairs)
        first, second = (np.argsort(-near[part], kind="stable") for part in self.sides)
        chosen = np.concatenate([first[:height], second[:width] + self.height])
        return chosen, Rectangle(height, width)

    def sample(self, first: int, rest: int, generator: np.random.Generator) -> Rows:
        """Positions of the first set, and of the second."""
        left = generator.integers(0, self.height, first)
        right = generator.integers(self.height, self.height + self.width, rest)
        return np.concatenate([left, right])

    def _shape(self, height: int, width: int, pairs: int) -> tuple[int, int]:
        """Rows and columns of a corner; where one set is small, more of the other's instead.

        Not more than a quarter of them: a corner is to be little beside the whole.
        """
        height = min(height, self.height)
        width = min(max(width, min(pairs // height, self.width // 4)), self.width)
        height = min(max(height, min(pairs // width, self.height // 4)), self.height)
        return height, width


def space_of(rows: Rows, split: int | None) -> Space:
    """The space of rows, in any order in which those below `split` come first.

    Args:
        rows: `[P]`.
        split: number of the second set's first row; None where there is one set.
    """
    if split is None:
        return Triangle(len(rows))
    height = int(np.count_nonzero(rows < split))
    return Rectangle(height, len(rows) - height)
