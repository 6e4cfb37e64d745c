"""Shares of a search: tiles of two blocks of rows, so that a block that was read serves many.

A search of more vectors than memory holds, or of several machines, is cut into squares of a few
thousand rows by as many. Each share names its tiles by their numbers in the search: what is done
is kept tile by tile, whoever did it and in whatever shares.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from indexes.base import Rows
from indexes.join.spaces import Space
from indexes.join.tiles import Tiles


@dataclass(frozen=True, eq=False)
class Share:
    """Tiles whose rows lie in one block of positions, and whose columns in one.

    Attributes:
        rows, columns: the two blocks; on the diagonal they are one.
        numbers: `[T]` of the tiles, rising.
        pairs: in those tiles.
    """

    rows: slice
    columns: slice
    numbers: Rows
    pairs: int


def shares_of(tiles: Tiles, numbers: Rows, space: Space, block: int) -> list[Share]:
    """The tiles with these numbers by blocks of `block` rows, a block again where it can be.

    Row of blocks by row of blocks, every other one backwards, so that two shares that follow one
    another have a block in common.

    Args:
        tiles: of the search.
        numbers: `[T]` of the tiles to do.
        space: that the tiles are of.
        block: rows, a multiple of the tiles' side.
    """
    if not len(numbers):
        return []
    bounds = tiles.bounds[numbers]
    sides = space.sides
    first, second = sides[0].start, sides[-1].start
    top, left = (bounds[:, 0] - first) // block, (bounds[:, 2] - second) // block
    order = np.lexsort((numbers, np.where(top % 2 == 0, left, -left), top))
    top, left = top[order], left[order]
    edges = np.flatnonzero((np.diff(top) != 0) | (np.diff(left) != 0)) + 1
    found = []
    for part in np.split(np.arange(len(order)), edges):
        inside = np.sort(numbers[order[part]])
        corners = tiles.bounds[inside]
        row, column = int(top[part[0]]), int(left[part[0]])
        found.append(
            Share(
                _block(first + row * block, block, sides[0]),
                _block(second + column * block, block, sides[-1]),
                inside,
                _pairs(corners),
            )
        )
    return found


def in_order(shares: list[Share]) -> Iterator[int]:
    """Numbers of the shares' tiles, share by share."""
    for share in shares:
        yield from share.numbers.tolist()


def _block(start: int, size: int, side: slice) -> slice:
    return slice(start, min(start + size, side.stop))


def _pairs(bounds: Rows) -> int:
    """Number of pairs in tiles with these bounds (from, to, from, to)."""
    height, width = bounds[:, 1] - bounds[:, 0], bounds[:, 3] - bounds[:, 2]
    square = (bounds[:, 0] == bounds[:, 2]) & (bounds[:, 1] == bounds[:, 3])
    return int(np.where(square, height * (height - 1) // 2, height * width).sum())
