"""The upper triangle of all pairs in tiles, and the filter that any machine can run.

`Plain` multiplies blocks in numpy, in float32, or in float64 where norms are so large that
float32 could overflow. It is what small jobs run on, and what seeds and settles the fast filters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.base import Rows, Scores
from indexes.join.best import Best, Found
from indexes.join.bounds import filter_dtype, margin, rounded
from indexes.memory import gather

BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Tile:
    """Positions `rows` x `columns`; on the diagonal, only those above it."""

    rows: slice
    columns: slice

    @property
    def diagonal(self) -> bool:
        """Whether rows and columns are the same."""
        return self.rows == self.columns

    @property
    def area(self) -> int:
        """Rows times columns."""
        height: int = self.rows.stop - self.rows.start
        width: int = self.columns.stop - self.columns.start
        return height * width

    @property
    def pairs(self) -> int:
        """Number of pairs of positions p < q in the tile."""
        height: int = self.rows.stop - self.rows.start
        return height * (height - 1) // 2 if self.diagonal else self.area

    def blocks(self, size: int) -> Iterator[Tile]:
        """The tile in tiles of at most `size` x `size`."""
        for top in range(self.rows.start, self.rows.stop, size):
            rows = slice(top, min(top + size, self.rows.stop))
            first = top if self.diagonal else self.columns.start
            for side in range(first, self.columns.stop, size):
                yield Tile(rows, slice(side, min(side + size, self.columns.stop)))


class Tiles:
    """Tiles of a search by their numbers, made when they are asked for: there may be a million.

    Attributes:
        bounds: `[T, 4]` of each: rows from, to, columns from, to.
    """

    def __init__(self, tiles: Iterable[Tile]) -> None:
        bounds = (
            edge
            for tile in tiles
            for edge in (tile.rows.start, tile.rows.stop, tile.columns.start, tile.columns.stop)
        )
        self.bounds = np.fromiter(bounds, np.int64).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self.bounds)

    def __getitem__(self, number: int) -> Tile:
        top, bottom, left, right = self.bounds[number].tolist()
        return Tile(slice(top, bottom), slice(left, right))


def triangle(count: int, size: int) -> Tiles:
    """Tiles of `size` x `size` that hold each pair of positions p < q < `count` once."""
    return Tiles(_triangle(count, size))


def _triangle(count: int, size: int) -> Iterator[Tile]:
    return Tile(slice(0, count), slice(0, count)).blocks(size)


def halved(count: int, size: int) -> Tiles:
    """Tiles as of `triangle`, but those on the diagonal, of which half is empty, in quarters."""
    half = max(1, size // 2)
    return Tiles(
        part
        for tile in _triangle(count, size)
        for part in (tile.blocks(half) if tile.diagonal else [tile])
    )


class Plain:
    """Filter that multiplies blocks by numpy.

    Args:
        best: what to fill.
        order: `[P]` the row of each position.
        lengths: `[N]` norms of the rows.
    """

    def __init__(self, best: Best, order: Rows, lengths: Scores) -> None:
        self.best, self.order, self.lengths = best, order, lengths
        self.dtype = filter_dtype(lengths[order])

    def search(self, tile: Tile, block: int = BLOCK) -> Iterator[Found]:
        """Pairs of the tile that may be among the best, block by block."""
        for part in tile.blocks(block):
            yield self._block(part)

    def _block(self, tile: Tile) -> Found:
        vectors, sign = self.best.vectors, self.best.sign
        rows, columns = self.order[tile.rows], self.order[tile.columns]
        left = sign * gather(vectors, rows).astype(self.dtype, copy=False)
        product: NDArray[np.floating] = (
            left @ gather(vectors, columns).astype(self.dtype, copy=False).T
        )
        largest = float(self.lengths[rows].max() * self.lengths[columns].max())
        error = margin(vectors.shape[1], largest, self.dtype)
        hits = np.flatnonzero(product >= rounded(self.best.threshold - error, self.dtype))
        r, c = np.divmod(hits, product.shape[1])
        if tile.diagonal:
            above = r < c
            hits, r, c = hits[above], r[above], c[above]
        a, b = rows[r], columns[c]
        filtered = product.ravel()[hits].astype(np.float64)
        margins = margin(vectors.shape[1], self.lengths[a] * self.lengths[b], self.dtype)
        return self.best.sift(np.minimum(a, b), np.maximum(a, b), filtered, margins)
