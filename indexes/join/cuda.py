"""Tiles on a CUDA device.

The product goes to a bfloat16 buffer that is re-used, is compared with one number and compacted
where it lies; only positions leave the device. Sums are kept in float32: torch's default of
letting bfloat16 products reduce in bfloat16 is switched off meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch

from indexes.base import Rows, Scores
from indexes.join.bfloat16 import floor_bits, unrounded
from indexes.join.filters import Filter
from indexes.join.scan import Box, place
from indexes.join.tiles import Tile
from indexes.join.workers import Meanwhile

# Rows of a tile: its products take half a GiB.
SIDE = 16384


class DeviceScanner:
    """Scanner for filters whose values lie on `device`; as `Scanner`, in bfloat16 only."""

    # Fewer hits than this are never too many.
    few = 2048

    def __init__(self, area: int, device: str) -> None:
        self.products = torch.empty(area, dtype=torch.bfloat16, device=device)
        self.mask = torch.empty(area, dtype=torch.bool, device=device)

    def multiply(self, bound: Filter, tile: Tile) -> tuple[int, int]:
        """Fill the buffer with the tile's product; returns its shape."""
        left, right = bound.left(tile.rows), bound.right(tile.columns)
        shape = len(left), len(right)
        torch.mm(left, right.T, out=self.products[: shape[0] * shape[1]].view(shape))
        return shape

    def hits(
        self,
        bound: Filter,
        tile: Tile,
        threshold: float,
        crowd: float,
        closed: Sequence[Box] = (),
    ) -> tuple[Rows, Rows] | None:
        """Positions p, q of the pairs that may reach `threshold`; see `Scanner.hits`."""
        shape = self.multiply(bound, tile)
        size = shape[0] * shape[1]
        mask = self.mask[:size]
        least = float(bound.least(tile, threshold))
        bits = torch.tensor(int(floor_bits(least)), dtype=torch.int16)
        torch.ge(self.products[:size], bits.view(torch.bfloat16).item(), out=mask)
        table = mask.view(shape)
        for top, bottom, first, last in closed:
            table[top:bottom, first:last] = False
        if tile.diagonal:
            table.triu_(1)
        if int(mask.count_nonzero()) > max(self.few, size * crowd):
            return None
        found: Rows = mask.nonzero().squeeze(1).cpu().numpy()
        p, q = np.divmod(found, shape[1])
        return p + tile.rows.start, q + tile.columns.start

    def most_at(self, bound: Filter, tile: Tile, p: Rows, q: Rows) -> Scores:
        """Upper bounds of the scores of the tile multiplied last; see `Scanner.most_at`."""
        at = torch.from_numpy(place(tile, p, q)).to(self.products.device)
        return unrounded(np.asarray(self.products[at].to(torch.float64).cpu().numpy()))


@contextmanager
def _sums_in_full() -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    before = matmul.allow_bf16_reduced_precision_reduction
    matmul.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        matmul.allow_bf16_reduced_precision_reduction = before


# Inside it, CUDA keeps the sums of bfloat16 products in float32.
sums_in_full = Meanwhile(_sums_in_full)
