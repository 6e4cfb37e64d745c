"""Tiles on a CUDA device: by a fused kernel of Triton's, or by torch where that is not to be had.

The fused kernel (`indexes.join.fused_kernel`) writes nothing but hits. By torch, the product goes
to a bfloat16 buffer that is re-used, is compared with one number and compacted where it lies. Only
positions, and a few products, leave the device. Sums are kept in float32: torch's default of
letting bfloat16 products reduce in bfloat16 is switched off meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from indexes.base import IndexesError, Rows, Scores
from indexes.join.bfloat16 import floor32, floor_bits, unrounded
from indexes.join.device_rows import BlockCache, DeviceRows, Residence
from indexes.join.filters import Filter
from indexes.join.kernels import INT8, sums_in_float32
from indexes.join.scan import Box, place
from indexes.join.tiles import Tile
from indexes.join.workers import Meanwhile

if TYPE_CHECKING:
    from indexes.join.fused_kernel import HitBuffer

# Rows of a tile whose products are written, half a GiB of them; and of a fused one, which writes
# none: on an H100 a tile of 512 coordinates then takes some milliseconds, what is done about it on
# the host about one.
SIDE, FUSED_SIDE = 16384, 65536
# The most hits of a tile that are listed by the kernel; with more the tile is halved.
ROOM = 2**22
# Bytes of a hit, with those that sorting takes.
_HIT = 64


def fused_fault(device: str) -> str:
    """Why the fused kernel cannot be used on a device; empty if it can."""
    if torch.device(device).type != "cuda" and not os.environ.get("TRITON_INTERPRET"):
        return "it is for CUDA devices"
    try:
        from indexes.join import fused_kernel
    except ImportError as error:
        return f"Triton is not installed ({error})"
    return fused_kernel.fault(device)


def refuse_inexact(device: str) -> str:
    """Name of what multiplies on the device, and why if it is torch.

    Raises:
        IndexesError: neither the kernel nor torch keeps the sums of bfloat16 products in float32.
    """
    fault = fused_fault(device)
    if not fault:
        return "fused kernel"
    if not sums_in_float32(device):
        raise IndexesError(
            f"{device}: sums of bfloat16 products are not kept in float32 there; "
            "use another device or precision"
        )
    return f"torch, as for the fused kernel {fault}"


def side(devices: Sequence[str]) -> int:
    """Rows of the largest tile that suits the devices."""
    return SIDE if any(map(fused_fault, devices)) else FUSED_SIDE


def scratch(devices: Sequence[str], area: int) -> int:
    """Bytes of a device that a thread needs for tiles of `area` products."""
    if any(map(fused_fault, devices)):
        return 3 * area + area // 16 * 16
    return ROOM * _HIT


class DeviceScanner:
    """Scanner of one thread for filters whose values lie on `device`, or are brought there.

    Works as `Scanner`; of the filters those in bfloat16, and by the fused kernel in 8 bits too.

    Args:
        area: of the largest tile.
        device: its name.
        kept: how the rows of a search are kept there.
    """

    # Fewer hits than this are never too many.
    few = 2048
    # Tiles of no more rows are not halved where they hold too many hits.
    whole: int | None = 4096

    def __init__(self, area: int, device: str, kept: Residence | None = None) -> None:
        self.device, self.kept = device, kept
        self.fused = not fused_fault(device)
        self.stream = None
        if torch.device(device).type == "cuda":
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            # The rows were put there by another one.
            self.stream.wait_stream(torch.cuda.default_stream(torch.device(device)))
        self.blocks: BlockCache | None = None
        self.buffer: HitBuffer | None = None
        size = 0 if self.fused else area
        self.products = torch.empty(size, dtype=torch.bfloat16, device=device)
        self.mask = torch.empty(size, dtype=torch.bool, device=device)
        # Of the hits of the tile before: places, rising, and products.
        self.places: Rows = np.empty(0, np.int64)
        self.values: Scores = np.empty(0)

    def hits(
        self,
        bound: Filter,
        tile: Tile,
        threshold: float,
        crowd: float,
        closed: Sequence[Box] = (),
    ) -> tuple[Rows, Rows] | None:
        """Positions p, q of the pairs that may reach `threshold`; see `Scanner.hits`."""
        with self._own_stream():
            if self.fused:
                return self._fused_hits(bound, tile, threshold, crowd, closed)
            return self._hits(bound, tile, threshold, crowd, closed)

    def multiply(self, bound: Filter, tile: Tile) -> tuple[int, int]:
        """Fill the buffer with the tile's product, by torch; returns its shape."""
        left, right = self._factors(bound, tile)
        shape = len(left), len(right)
        torch.mm(left, right.T, out=self.products[: shape[0] * shape[1]].view(shape))
        return shape

    def most_at(self, bound: Filter, tile: Tile, p: Rows, q: Rows) -> Scores:
        """Upper bounds of the scores of the tile multiplied last; see `Scanner.most_at`."""
        places = place(tile, p, q)
        if self.fused:
            found = self.values[np.searchsorted(self.places, places)]
            return bound.most(found, p, q)
        with self._own_stream():
            at = torch.from_numpy(places).to(self.products.device)
            return unrounded(np.asarray(self.products[at].to(torch.float64).cpu().numpy()))

    @contextmanager
    def _own_stream(self) -> Iterator[None]:
        with ExitStack() as stack:
            if self.stream is not None:
                stack.enter_context(torch.cuda.device(self.stream.device))
                stack.enter_context(torch.cuda.stream(self.stream))
            yield

    def _factors(self, bound: Filter, tile: Tile) -> tuple[Tensor, Tensor]:
        """Values of the tile's rows and columns, on the device."""
        if not isinstance(bound, DeviceRows):
            return bound.left(tile.rows), bound.right(tile.columns)
        values = bound.on(self.device)
        if values is not None:
            return values[tile.rows], values[tile.columns]
        if self.blocks is None:
            self.blocks = BlockCache(self.device, bound.residence, bound.width)
        left = self.blocks.fetch(bound.values, tile.rows)
        return left, self.blocks.fetch(bound.values, tile.columns)

    def _fused_hits(
        self, bound: Filter, tile: Tile, threshold: float, crowd: float, closed: Sequence[Box]
    ) -> tuple[Rows, Rows] | None:
        from indexes.join.fused_kernel import HitBuffer, tile_hits

        if self.buffer is None:
            self.buffer = HitBuffer(self.device)
        left, right = self._factors(bound, tile)
        height, width = len(left), len(right)
        least: Any = bound.least(tile, threshold)
        if bound.kernel is INT8:
            bars = torch.from_numpy(least).to(self.device)
        else:
            bar = float(floor32(float(least)))
            bars = torch.full((height,), bar, dtype=torch.float32, device=self.device)
        known = isinstance(bound, DeviceRows)
        if isinstance(bound, DeviceRows):
            codes = bound.codes(self.device, tile.rows, tile.columns)
        else:
            codes = torch.arange(height + width, dtype=torch.int32, device=self.device)
        limit = int(max(self.few, height * width * crowd))
        found = tile_hits(
            left,
            right,
            bars,
            codes,
            diagonal=tile.diagonal,
            room=min(limit, ROOM),
            buffer=self.buffer,
        )
        if found is None:
            return None
        rows, columns, products = (np.asarray(part.cpu().numpy()) for part in found)
        if closed and not known:
            kept = np.ones(len(rows), np.bool_)
            for top, bottom, first, last in closed:
                kept &= (rows < top) | (rows >= bottom) | (columns < first) | (columns >= last)
            rows, columns, products = rows[kept], columns[kept], products[kept]
        self.places, self.values = rows * width + columns, products.astype(np.float64)
        return rows + tile.rows.start, columns + tile.columns.start

    def _hits(
        self, bound: Filter, tile: Tile, threshold: float, crowd: float, closed: Sequence[Box]
    ) -> tuple[Rows, Rows] | None:
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
