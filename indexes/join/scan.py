"""A tile's product, and the positions in it that reach the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from indexes.base import Rows, Scores
from indexes.join.bfloat16 import at_least, floor_bits, unrounded
from indexes.join.bounds import FLOAT32, rounded
from indexes.join.filters import Filter
from indexes.join.tiles import Tile

# Rows that are looked at as one where hits are rare.
_STACK = 16
# A box of a tile: rows from, to, columns from, to.
Box = tuple[int, int, int, int]
# Bits of a negative bfloat16 that is no number: below any threshold.
_NOTHING = np.int16(-1)


class Products:
    """Buffer of one worker for the products of tiles of at most `area` pairs, on any device."""

    # Fewer hits than this are never too many.
    few = 2048

    def __init__(self, area: int, dtype: torch.dtype, device: str) -> None:
        self.products = torch.empty(area, dtype=dtype, device=device)

    def multiply(self, bound: Filter, tile: Tile) -> tuple[int, int]:
        """Fill the buffer with the tile's product; returns its shape."""
        left, right = bound.left(tile.rows), bound.right(tile.columns)
        shape = len(left), len(right)
        torch.mm(left, right.T, out=self.products[: shape[0] * shape[1]].view(shape))
        return shape

    def places(self, tile: Tile, p: Rows, q: Rows) -> Rows:
        """Places in the buffer of the positions p, q of the tile multiplied last."""
        width = tile.columns.stop - tile.columns.start
        return np.asarray((p - tile.rows.start) * width + (q - tile.columns.start))


class Scanner(Products):
    """Buffers of one worker for tiles of at most `area` pairs on the processor."""

    # Hits are rare where they are fewer than this share of the products.
    rare = 5e-4

    def __init__(self, area: int, dtype: torch.dtype) -> None:
        super().__init__(area, dtype, "cpu")
        self.low = dtype == torch.bfloat16
        raw = self.products.view(torch.int16) if self.low else self.products
        self.numbers: NDArray[Any] = raw.numpy()
        self.mask = np.empty(area, np.bool_)
        self.tops = np.empty(area // _STACK, self.numbers.dtype)
        self.share = 1.0

    def compact(self, shape: tuple[int, int], least: float, closed: Sequence[Box] = ()) -> Rows:
        """Places where the products are at least `least`, or would be but for rounding; rising.

        `closed` boxes of the tile are left out, and blanked.
        """
        table = self.numbers[: shape[0] * shape[1]].reshape(shape)
        for top, bottom, first, last in closed:
            table[top:bottom, first:last] = _NOTHING if self.low else -np.inf
        limit = floor_bits(least) if self.low else rounded(least, FLOAT32)
        # Bits of negative bfloat16 numbers stand in the reverse of their order.
        stacked = self.share < self.rare and (limit >= 0 or not self.low)
        found = self._in_stacks(table, limit) if stacked else None
        if found is None:
            found = self._one_by_one(table.ravel(), limit)
        self.share = found.size / table.size
        return found

    def _one_by_one(self, numbers: NDArray[Any], limit: Any) -> Rows:
        mask = self.mask[: numbers.size]
        if self.low:
            at_least(numbers, limit, mask)
        else:
            np.greater_equal(numbers, limit, out=mask)
        return np.flatnonzero(mask)

    def _in_stacks(self, table: NDArray[Any], limit: Any) -> Rows | None:
        """Places where the table is at least `limit`, by the largest of 16 in a column.

        Half the time of looking at each, if hits are rare; None if they are not.
        """
        height, width = table.shape
        stacks = table[: height - height % _STACK].reshape(-1, _STACK, width)
        tops = self.tops[: len(stacks) * width]
        np.maximum.reduce(stacks, axis=1, out=tops.reshape(len(stacks), width))
        mask = np.greater_equal(tops, limit, out=self.mask[: tops.size])
        found = np.flatnonzero(mask)
        if found.size > table.size * self.rare:
            return None
        stack, column = np.divmod(found, width)
        inside = (stack * _STACK * width + column)[:, None] + np.arange(_STACK) * width
        places = inside.ravel()
        places = np.sort(places[table.ravel()[places] >= limit])
        rest = stacks.size
        return np.concatenate([places, np.flatnonzero(table.ravel()[rest:] >= limit) + rest])

    def hits(
        self,
        bound: Filter,
        tile: Tile,
        threshold: float,
        crowd: float,
        closed: Sequence[Box] = (),
    ) -> tuple[Rows, Rows] | None:
        """Positions p, q of the pairs that may reach `threshold`.

        None where they are more than the share `crowd` of the tile.
        """
        shape = self.multiply(bound, tile)
        found = self.compact(shape, threshold - bound.margin(tile), closed)
        if found.size > max(self.few, shape[0] * shape[1] * crowd):
            return None
        p, q = np.divmod(found, shape[1])
        p += tile.rows.start
        q += tile.columns.start
        return p, q

    def most_at(self, tile: Tile, p: Rows, q: Rows) -> Scores:
        """Upper bounds of the products of the tile multiplied last, before they were rounded."""
        found = self.places(tile, p, q)
        if not self.low:
            return np.asarray(self.numbers[found], np.float64)
        bits = self.numbers[found].view(np.uint16).astype(np.uint32) << 16
        return unrounded(np.asarray(bits.view(np.float32), np.float64))
