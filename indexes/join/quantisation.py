"""Filter of 8-bit whole numbers: x = s q + e, with one s for each block of rows.

The sum of int8 products is exact in int32, so nothing is to be added for it: what the score can lie
above s_x s_y (q_x . q_y) is |e_x| |y| + |x'| |e_y|, measured row by row; see
`indexes.join.bounds`. Where the largest coordinates stand out, which makes s and with it e large,
rows are turned before they are rounded: by blocks of a Hadamard matrix, whose entries are powers of
two, so that inner products stay as they are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import norms32
from indexes.join.filters import NOISE, LowPrecision, Map, Norms, blank, chunks
from indexes.join.kernels import INT8
from indexes.join.tiles import Tile
from indexes.memory import Room, gather

LEVELS = 127
# Rows are filled up with zeros to a multiple of this.
_WIDE = 16
# Values of the blocks that are turned, the largest first; roots of both are powers of two.
_BLOCKS = (64, 16)
# Turning pays where it takes this much of the error.
LESS = 0.85
_SAMPLE = 512
# Values of a smaller block are taken for zeros.
_TINY = 2.0**-100
_LARGEST = 2**31 - 1


class Quantised(LowPrecision):
    """Rows in 8 bits: `values [P, W]` times `scales [P]`."""

    kernel = INT8
    unit = 2.0**-52  # of the float64 product of the sum and both scales

    def __init__(self, values: Tensor, scales: Scores, norms: Norms, noise: float) -> None:
        super().__init__(int(values.shape[1]), norms, noise)
        self.values, self.scales = values, scales

    def left(self, rows: slice) -> Tensor:
        """The whole numbers of `rows`."""
        return self.values[rows]

    right = left

    def least(self, tile: Tile, threshold: float) -> Rows:
        """Sums `[R]`, int32, that a pair must reach in each row of the tile to be worth a look.

        A row has its own error and scale; of the columns those count that let most through.
        """
        left = [values[tile.rows] for values in self.norms]
        right = [float(values[tile.columns].max()) for values in self.norms]
        bar = threshold - np.asarray(self._margin(left, right), np.float64)
        scales = self.scales[tile.columns]
        # A bar below zero is the lower, the smaller the scale.
        bar /= self.scales[tile.rows] * np.where(bar >= 0, scales.max(), scales.min())
        # One less than it says covers the rounding of these very lines.
        return np.asarray(np.clip(np.ceil(bar) - 1, -_LARGEST, _LARGEST), np.int32)

    def most(self, products: Scores, p: Rows, q: Rows) -> Scores:
        """Scores that the sums `products [M]` of positions p and q stand for."""
        return products * (self.scales[p] * self.scales[q])


def quantised(
    vectors: Vectors,
    order: Rows,
    lengths: Scores,
    each: Map,
    room: Room | None = None,
    turning: bool | None = None,
) -> Quantised:
    """The vectors in 8 bits, in the order of the join.

    Args:
        vectors: `[N, D]`.
        order: `[P]` the row of each position.
        lengths: `[N]` norms.
        each: a map over slices.
        room: where the copy goes.
        turning: whether rows are turned, as of `turn_pays`; looked at here if None.
    """
    count, depth = len(order), vectors.shape[1]
    width = _wide_of(depth)
    if turning is None:
        turning = turn_pays(vectors, order, lengths)
    turn = hadamard(_side(width)) if turning else None
    lost = 0.0 if turn is None else _lost_by_turning(len(turn))
    values = blank((count, width), torch.int8, room)
    errors, scales = np.empty(count), np.empty(count)

    def fill(rows: slice) -> None:
        exact = turned(_wide(gather(vectors, order[rows]), width), turn)
        size = lengths[order[rows]]
        values[rows], scales[rows], off = quantise(exact, size)
        errors[rows] = off + lost * size

    each(fill, chunks(count, depth))
    sizes = lengths[order]
    return Quantised(values, scales, (sizes, sizes, sizes + errors, errors), depth * NOISE)


def quantise(exact: Tensor, sizes: Scores) -> tuple[Tensor, float, Scores]:
    """Whole numbers of a block of float32 rows, their scale, and what is lost of each row.

    `exact [R, W]` is overwritten; `sizes [R]` bounds the norms of its rows.
    """
    low, high = exact.aminmax()
    scale = float(np.float32(max(-low.item(), high.item(), _TINY) / LEVELS))
    near = (exact * (1 / scale)).round_()
    exact.sub_(near, alpha=scale)
    # The product and the difference are rounded, each to half a unit in the last place.
    lost = norms32(exact.numpy()) * (1 + 2.0**-22) + sizes * 2.0**-22
    return near.to(torch.int8), scale, lost


def turned(rows: Tensor, turn: Tensor | None) -> Tensor:
    """Rows with each block of their coordinates turned by `turn [B, B]`; the rows where it is None.

    A coordinate is a sum of B products with powers of two: gamma(B) of Higham's, times the norm of
    the block's row of `turn`, which is 1, and B of them make a factor of sqrt(B).
    """
    if turn is None:
        return rows
    return (rows.view(-1, len(turn)) @ turn).view(rows.shape)


def turn_pays(vectors: Vectors, order: Rows, lengths: Scores) -> bool:
    """Whether turning the rows takes so much of the error that it is worth its time."""
    width = _wide_of(vectors.shape[1])
    chosen = order[:: max(1, len(order) // _SAMPLE)][:_SAMPLE]
    some, sizes = _wide(gather(vectors, chosen), width), lengths[chosen]
    turn = hadamard(_side(width))
    lost = [np.median(quantise(rows, sizes)[2]) for rows in (turned(some, turn), some.clone())]
    return bool(lost[0] < LESS * lost[1])


def _lost_by_turning(side: int) -> float:
    """Bound of what turning may take from a vector of norm 1; see `turned`."""
    return float(side**0.5 * (side + 1) * 2.0**-24 * (1 + 2.0**-10))


def _wide_of(depth: int) -> int:
    return -(-depth // _WIDE) * _WIDE


def _side(width: int) -> int:
    return next(side for side in _BLOCKS if width % side == 0)


def hadamard(side: int) -> Tensor:
    """Orthogonal matrix `[B, B]` with entries of one size; `side` a power of four."""
    signs = torch.ones((1, 1), dtype=torch.float32)
    while len(signs) < side:
        signs = torch.cat([torch.cat([signs, signs], 1), torch.cat([signs, -signs], 1)])
    scaled: Tensor = signs / side**0.5
    return scaled


def _wide(rows: Vectors, width: int) -> Tensor:
    """Rows with zeros behind, up to `width`."""
    exact = torch.from_numpy(rows)
    lacking = width - rows.shape[1]
    return torch.nn.functional.pad(exact, (0, lacking)) if lacking else exact
