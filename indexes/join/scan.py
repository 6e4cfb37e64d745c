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
# Whole numbers in a row of which the largest is looked at first.
_RUN = 32
# A box of a tile: rows from, to, columns from, to.
Box = tuple[int, int, int, int]
# Below any threshold: bits of a negative bfloat16 that is no number, and the least int32.
_NOTHING: dict[torch.dtype, Any] = {
    torch.bfloat16: np.int16(-1),
    torch.float32: np.float32(-np.inf),
    torch.int32: np.int32(-(2**31)),
}


def place(tile: Tile, p: Rows, q: Rows) -> Rows:
    """Places in the tile's product, row by row, of the positions p, q."""
    width = tile.columns.stop - tile.columns.start
    return np.asarray((p - tile.rows.start) * width + (q - tile.columns.start))


class Scanner:
    """Buffers of one worker for tiles of at most `area` pairs on the processor, of any type."""

    # Fewer hits than this are never too many.
    few = 2048
    # Tiles with too many hits are not halved: they are small.
    whole: int | None = None
    # Hits are rare where they are fewer than this share of the products.
    rare = 5e-4
    # Runs of which fewer than this share hold a hit are looked at alone.
    sparse = 0.12

    def __init__(self, area: int) -> None:
        # Of four bytes each, and of as many of two; pages that nothing touches take no memory.
        self.buffer = torch.empty(area, dtype=torch.int32)
        self.mask = np.empty(area, np.bool_)
        self.tops = torch.empty(area // _STACK, dtype=torch.int32)
        self.share = 1.0
        self.dtype: torch.dtype = torch.float32

    @property
    def products(self) -> torch.Tensor:
        """Buffer of the products, in the type of those multiplied last."""
        return self.buffer.view(self.dtype)

    @property
    def numbers(self) -> NDArray[Any]:
        """The products as NumPy has them: bfloat16 numbers as their bits."""
        return self._as_numpy(self.buffer)

    def _as_numpy(self, buffer: torch.Tensor) -> NDArray[Any]:
        raw = torch.int16 if self.dtype == torch.bfloat16 else self.dtype
        return np.asarray(buffer.view(raw).numpy())

    def multiply(self, bound: Filter, tile: Tile) -> tuple[int, int]:
        """Fill the buffer with the tile's product; returns its shape."""
        left, right = bound.left(tile.rows), bound.right(tile.columns)
        shape = len(left), len(right)
        self.dtype = bound.kernel.products
        bound.kernel.multiply(left, right, self.products[: shape[0] * shape[1]].view(shape))
        return shape

    def compact(
        self, shape: tuple[int, int], least: float | Rows, closed: Sequence[Box] = ()
    ) -> Rows:
        """Places where the products are at least `least`, or would be but for rounding; rising.

        `closed` boxes of the tile are left out, and blanked. Whole numbers have a `least [R]`, one
        for each row; the others one for the tile.
        """
        table = self.numbers[: shape[0] * shape[1]].reshape(shape)
        for top, bottom, first, last in closed:
            table[top:bottom, first:last] = _NOTHING[self.dtype]
        if self.dtype == torch.int32:
            return self._by_rows(table, np.asarray(least))
        low = self.dtype == torch.bfloat16
        limit = floor_bits(float(least)) if low else rounded(float(least), FLOAT32)
        # Bits of negative bfloat16 numbers stand in the reverse of their order.
        stacked = self.share < self.rare and (limit >= 0 or not low)
        found = self._in_stacks(table, limit) if stacked else None
        if found is None:
            found = self._one_by_one(table.ravel(), limit)
        self.share = found.size / table.size
        return found

    def _by_rows(self, table: NDArray[Any], least: Rows) -> Rows:
        """Places where the table is at least `least` of its row, by runs of numbers in a row.

        Only runs whose largest number is no less are looked at, unless many of the tile before
        were: then each number is compared for itself.
        """
        height, width = table.shape
        whole = width - width % _RUN
        if self.share > self.sparse:
            found = self._one_by_one(table, least[:, np.newaxis])
            self.share = min(found.size * _RUN / table.size, 1.0)
            return found
        runs = table[:, :whole].reshape(height, whole // _RUN, _RUN)
        # torch takes a fraction of NumPy's time for it.
        tops = torch.amax(torch.from_numpy(runs), dim=2).numpy()
        # Flat places: NumPy finds two numbers of each in twice the time.
        hit = np.flatnonzero(tops >= least[:, np.newaxis])
        self.share = hit.size / max(tops.size, 1)
        row, run = np.divmod(hit, max(tops.shape[1], 1))
        at, column = np.divmod(np.flatnonzero(runs[row, run] >= least[row, np.newaxis]), _RUN)
        found = np.asarray(row[at] * width + run[at] * _RUN + column, np.int64)
        if whole == width:
            return found
        row, column = np.nonzero(table[:, whole:] >= least[:, np.newaxis])
        return np.sort(np.concatenate([found, row * width + column + whole]))

    def _one_by_one(self, numbers: NDArray[Any], limit: Any) -> Rows:
        mask = self.mask[: numbers.size].reshape(numbers.shape)
        if self.dtype == torch.bfloat16:
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
        tops = self._as_numpy(self.tops)[: len(stacks) * width]
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
        found = self.compact(shape, bound.least(tile, threshold), closed)
        if found.size > max(self.few, shape[0] * shape[1] * crowd):
            return None
        p, q = np.divmod(found, shape[1])
        p += tile.rows.start
        q += tile.columns.start
        return p, q

    def most_at(self, bound: Filter, tile: Tile, p: Rows, q: Rows) -> Scores:
        """Upper bounds of the scores of the tile multiplied last, up to the filter's margins."""
        found = self.numbers[place(tile, p, q)]
        if self.dtype == torch.bfloat16:
            bits = found.view(np.uint16).astype(np.uint32) << 16
            return unrounded(np.asarray(bits.view(np.float32), np.float64))
        return bound.most(np.asarray(found, np.float64), p, q)
