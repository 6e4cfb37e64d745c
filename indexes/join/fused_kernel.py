"""Fused kernel of a tile on a GPU: products, bar and groups in registers, and only hits written.

A tile of 65,536 x 65,536 products takes 8 GiB in bfloat16, written once and read twice. Here no
product leaves the registers unless it reaches its row's bar: then its row, its column and the
product itself go to a bounded buffer, at a place that an atomic counter gives. What comes back is
sorted, so that nothing downstream sees in which order the blocks ran.

**Exactness.** Rows of bfloat16 are multiplied exactly and summed in float32, one block of
coordinates after the other, in one accumulator. Whatever the order, and whether the matrix unit
rounds or truncates, the sum s of a pair lies within gamma(D) |x'| |y'| of x' . y' with u = 2^-21
(see `indexes.join.bounds`). Unlike a product that is written in bfloat16 it is not rounded again:
a pair whose score reaches the threshold t has s >= b = t - margin. The bar is b rounded *down* to
float32, f(b) <= b <= s, so that no pair is lost. The sums themselves come back, and stand for the
scores up to the same margins. Rows of int8 are summed in int32, exactly up to `kernels.WIDEST`
coordinates, against whole bars of each row.

Before it is used on a device, `fault` runs this very kernel there on sums that lose small terms if
they are kept in fewer places. Where that fails, or Triton is missing, torch serves.

Triton comes with the CUDA builds of PyTorch: there is no extra to install. With TRITON_INTERPRET=1
in the environment, before Triton is imported, the kernel runs on the processor, slowly.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from indexes.base import IndexesError
from indexes.join.kernels import sums_in_float32

# Set before Triton is imported, TRITON_INTERPRET runs kernels by NumPy.
INTERPRETS = bool(triton.knobs.runtime.interpret)
_ONE = Lock()
_INTERPRETS: Any = tl.constexpr(INTERPRETS)
# Rows of blocks that are worked off together: their columns stay in the cache of the device.
_BAND: Any = tl.constexpr(8)


@dataclass(frozen=True)
class Blocks:
    """Rows, columns and coordinates of a block, the warps that share it, and its loads ahead.

    A fixed few instead of `triton.autotune`: that would compile and time each for every number of
    coordinates, and every one of them would add to the counters. 128 x 256 sums are 128 registers a
    thread in 8 warps; three stages of their factors take 144 KiB of the 227 KiB of shared memory
    of an H100 or H200. The smaller one takes 96 KiB and fits every GPU since Ampere.
    """

    shape: tuple[int, int, int]
    warps: int
    stages: int


LARGE, SMALL, INTERPRETED = (
    Blocks((128, 256, 64), 8, 3),
    Blocks((128, 128, 64), 4, 3),
    Blocks((64, 64, 64), 1, 1),
)


class Hits(NamedTuple):
    """Rows, columns `[M]` int64 in the tile, row by row, and products `[M]` float32 or int32."""

    rows: Tensor
    columns: Tensor
    products: Tensor


def _write_hits(
    left: tl.tensor,
    right: tl.tensor,
    bars: tl.tensor,
    codes: tl.tensor,
    found: tl.tensor,
    count: tl.tensor,
    height: tl.tensor,
    width: tl.tensor,
    room: tl.tensor,
    DEPTH: tl.constexpr,  # noqa: N803
    BLOCKS: tl.constexpr,  # noqa: N803
    DIAGONAL: tl.constexpr,  # noqa: N803
) -> None:
    """Kernel: one block of the tile `left [R, D]` x `right [C, D]`.

    `bars [R]`; `codes [R + C]` of the rows' and the columns' groups; `count [1]` int64 counts all
    hits; `found [1 + room, 3]` int32 begins with the number of those that are written, and takes
    row, column and the bits of the product of each.
    """
    tall: tl.constexpr = BLOCKS[0]
    wide: tl.constexpr = BLOCKS[1]
    deep: tl.constexpr = BLOCKS[2]
    down, across = tl.cdiv(height, tall), tl.cdiv(width, wide)
    program = tl.program_id(0)
    first = program // (_BAND * across) * _BAND
    inside = program % (_BAND * across)
    size = tl.minimum(down - first, _BAND)
    top, side = (first + inside % size) * tall, (inside // size) * wide
    # A constant beside it: the two cannot stand in one condition.
    if DIAGONAL:  # noqa: SIM102
        if side + wide - 1 <= top:
            return
    # Offsets of a block fit into 32 bits, those of a large set do not. Rows and columns beyond the
    # edge are the last one again, and are masked in the end.
    row, column, depth = tl.arange(0, tall), tl.arange(0, wide), tl.arange(0, deep)
    x = left + top.to(tl.int64) * DEPTH
    x += tl.minimum(row, height - 1 - top)[:, None] * DEPTH + depth[None, :]
    y = right + side.to(tl.int64) * DEPTH
    y += tl.minimum(column, width - 1 - side)[None, :] * DEPTH + depth[:, None]
    whole: tl.constexpr = left.dtype.element_ty == tl.int8
    kind: tl.constexpr = tl.int32 if whole else tl.float32
    total = tl.zeros((tall, wide), dtype=kind)
    for start in range(0, DEPTH, deep):
        if DEPTH % deep == 0:
            a, b = tl.load(x), tl.load(y)
        else:
            a = tl.load(x, mask=depth[None, :] < DEPTH - start, other=0)
            b = tl.load(y, mask=depth[:, None] < DEPTH - start, other=0)
        if _INTERPRETS and not whole:
            # Triton's interpreter multiplies the bits of bfloat16 as if they were whole numbers.
            a, b = a.to(tl.float32), b.to(tl.float32)
        total = tl.dot(a, b, total, out_dtype=kind)
        x += deep
        y += deep
    row += top
    column += side
    bar = tl.load(bars + row, mask=row < height, other=0)
    # Most blocks hold nothing: one comparison a row says so.
    if tl.max((tl.max(total, axis=1) >= bar).to(tl.int32), axis=0) > 0:
        own = tl.load(codes + row, mask=row < height, other=0)
        others = tl.load(codes + height + column, mask=column < width, other=0)
        hit = (total >= bar[:, None]) & (own[:, None] != others[None, :])
        hit = hit & (row < height)[:, None] & (column < width)[None, :]
        if DIAGONAL:
            hit = hit & (row[:, None] < column[None, :])
        many = tl.sum(tl.sum(hit.to(tl.int32), axis=1), axis=0)
        if many > 0:
            before = tl.atomic_add(count, many.to(tl.int64), sem="relaxed")
            # Blocks that fit have disjoint shares of the room, so that no slot lies beyond it.
            if before + many <= room:
                same = tl.zeros((tall, wide), dtype=tl.int32)
                slot = tl.atomic_add(found + same, same + 1, mask=hit, sem="relaxed")
                place = found + (slot * 3 + 3)
                tl.store(place, row[:, None] + same, mask=hit)
                tl.store(place + 1, column[None, :] + same, mask=hit)
                tl.store(place + 2, total.to(tl.int32, bitcast=True), mask=hit)


write_hits: Any = triton.jit(_write_hits)


class HitBuffer:
    """Room on a device for the hits of one tile at a time."""

    def __init__(self, device: str | torch.device) -> None:
        self.found = torch.empty((1, 3), dtype=torch.int32, device=device)
        self.count = torch.zeros(1, dtype=torch.int64, device=device)

    def ready(self, room: int) -> None:
        """Make room for as many hits, and forget those before."""
        if len(self.found) < room + 1:
            self.found = torch.empty((room + 1, 3), dtype=torch.int32, device=self.count.device)
        self.found[0] = 0
        self.count.zero_()

    def hits(self, count: int, kind: torch.dtype) -> Hits:
        """The `count` hits that were written, row by row."""
        rows, columns, bits = self.found[1 : count + 1].unbind(dim=1)
        # Atomics give places in no order.
        width = int(columns.max()) + 1 if count else 1
        places, order = torch.sort(rows.to(torch.int64) * width + columns)
        return Hits(places // width, places % width, bits[order].view(kind))


def tile_hits(
    left: Tensor,
    right: Tensor,
    bars: Tensor,
    codes: Tensor,
    *,
    diagonal: bool,
    room: int,
    buffer: HitBuffer,
    blocks: Blocks | None = None,
) -> Hits | None:
    """Pairs of a tile whose products reach their rows' bars; None where they are more than `room`.

    Args:
        left, right: `[R, D]` and `[C, D]`, bfloat16 or int8, contiguous, on one device.
        bars: `[R]` float32, or int32 for int8.
        codes: `[R + C]` int32, of the groups of rows and columns; pairs of one group are no hits.
        diagonal: whether only pairs with a row below the column count.
        room: the most hits that are wanted.
        buffer: of the same device.
        blocks: another way to cut the tile.
    """
    height, depth = left.shape
    width = len(right)
    kind = torch.int32 if left.dtype == torch.int8 else torch.float32
    if not (left.is_contiguous() and right.is_contiguous() and bars.dtype == kind):
        raise ValueError(f"rows that are not contiguous, or bars of {bars.dtype} not {kind}")
    buffer.ready(room)
    if not height or not width or not depth:
        raise ValueError(f"a tile of {height} x {width} products over {depth} coordinates")
    cut = blocks or blocks_for(left.device)
    tall, wide, deep = cut.shape
    if left.dtype == torch.int8:
        deep *= 2
    grid = (-(-height // tall) * -(-width // wide),)
    with _launching(left.device):
        write_hits[grid](
            left,
            right,
            bars,
            codes,
            buffer.found,
            buffer.count,
            height,
            width,
            room,
            DEPTH=depth,
            BLOCKS=(tall, wide, deep),
            DIAGONAL=diagonal,
            num_warps=cut.warps,
            num_stages=cut.stages,
            # As it is by default until Triton 3.9, which warns where it is not said.
            enable_fp_fusion=True,
        )
    count = int(buffer.count)
    return None if count > room else buffer.hits(count, kind)


@contextmanager
def _launching(device: torch.device) -> Iterator[None]:
    """Launch on that device; kernels of the interpreter one at a time, as it bends its language."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            yield
        return
    with _ONE:
        yield


def blocks_for(device: torch.device) -> Blocks:
    """Blocks that suit a device."""
    if device.type != "cuda":
        return INTERPRETED
    return LARGE if torch.cuda.get_device_capability(device) >= (9, 0) else SMALL


def dense(left: Tensor, right: Tensor) -> Tensor:
    """All products `[R, C]` of `left [R, D]` and `right [D, C]` by the kernel, each a hit."""
    height, width = len(left), right.shape[1]
    device = left.device
    bars = torch.full((height,), -torch.inf, dtype=torch.float32, device=device)
    codes = torch.arange(height + width, dtype=torch.int32, device=device)
    hits = tile_hits(
        left,
        right.T.contiguous(),
        bars,
        codes,
        diagonal=False,
        room=height * width,
        buffer=HitBuffer(device),
    )
    if hits is None or len(hits.rows) != height * width:
        raise IndexesError(f"{device}: the kernel counts other hits than there are")
    return hits.products.view(height, width)


@lru_cache(maxsize=64)
def fault(device: str) -> str:
    """Why the kernel cannot be used on a device; empty if it can."""
    kind = torch.device(device).type
    if kind != "cuda" and not INTERPRETS:
        return f"it runs on CUDA devices, not on {kind}"
    try:
        if sums_in_float32(device, dense):
            return ""
    # Compilers and drivers raise errors of their own of any kind.
    except Exception as error:
        return f"it does not run there: {type(error).__name__}: {error}"
    return "its sums of bfloat16 products are not kept in float32"
