"""Products that bound the scores of whole tiles from above, on a processor or a CUDA device.

Each filter says, for a tile of positions, a product of which every entry plus the tile's margin is
at least the exact score of its pair. What falls below the threshold by more than the margin is
dropped unseen; the rest is scored again. The derivations are in `indexes.join.bounds`, and that
of the narrow filter in `indexes.join.narrow`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from indexes.base import Rows, Scores, Vectors
from indexes.join.bounds import margin, norms32
from indexes.join.kernels import BF16, FP32, Kernel
from indexes.join.tiles import Tile
from indexes.memory import Room, gather

# Of the float64 sum that is the score, a term: Higham's gamma with room to spare.
NOISE = 2.0**-51
_CHUNK = 2**18
Norms = tuple[Scores, Scores, Scores, Scores]
Map = Callable[[Callable[[slice], None], list[slice]], None]


class Filter(Protocol):
    """Filter that bounds the scores of a tile from above."""

    width: int
    # Multiplies it on a processor.
    kernel: Kernel

    def left(self, rows: slice) -> Tensor:
        """Values `[R, W]` of the positions `rows`, the left factor of a tile's product."""

    def right(self, columns: slice) -> Tensor:
        """Values `[C, W]` of the positions `columns`, the right factor of a tile's product."""

    def margin(self, tile: Tile) -> float:
        """Largest distance by which a score of the tile can lie above its product."""

    def least(self, tile: Tile, threshold: float) -> float | Rows:
        """Product that a pair of the tile must reach to be worth a look, or one `[R]` for each row.

        In the units of the kernel's products.
        """

    def most(self, products: Scores, p: Rows, q: Rows) -> Scores:
        """Scores `[M]` that the products of positions p and q stand for, up to `margins`."""

    def margins(self, p: Rows, q: Rows) -> Scores:
        """Distances `[M]` by which the score of each pair of positions can exceed its product."""


class _Products:
    """Filter whose products are near the scores themselves."""

    def margin(self, tile: Tile) -> float:
        """Largest distance by which a score of the tile can lie above its product."""
        raise NotImplementedError

    def least(self, tile: Tile, threshold: float) -> float | Rows:
        """Product that a pair of the tile must reach to be worth a look."""
        return threshold - self.margin(tile)

    def most(self, products: Scores, p: Rows, q: Rows) -> Scores:
        """The products themselves."""
        return products


class Exact32(_Products):
    """The float32 vectors themselves, gathered tile by tile: no copy is kept."""

    def __init__(
        self, vectors: Vectors, order: Rows, lengths: Scores, kernel: Kernel = FP32
    ) -> None:
        self.kernel = kernel
        self.vectors, self.order, self.lengths = vectors, order, lengths[order]
        self.width = vectors.shape[1]

    def left(self, rows: slice) -> Tensor:
        """Vectors at the positions `rows`."""
        return torch.from_numpy(gather(self.vectors, self.order[rows]))

    right = left

    def margin(self, tile: Tile) -> float:
        """Largest error of a float32 product in the tile."""
        largest = float(self.lengths[tile.rows].max() * self.lengths[tile.columns].max())
        return margin(self.width, largest)

    def margins(self, p: Rows, q: Rows) -> Scores:
        """Largest error `[M]` of the float32 product of each pair of positions."""
        return np.asarray(margin(self.width, self.lengths[p] * self.lengths[q]))


class LowPrecision(_Products):
    """Margins of products of rows in a low precision, from what the rounding took from each.

    Args:
        width: how many values a row has.
        norms: `[P]` each: norms of the vectors themselves (upper bounds, as all of these are), of
            what was rounded, of what that left, and of what it took.
        noise: error of the reported score in units of the two vectors' norms.
    """

    # Of the sums of products: those of bfloat16, in float32, by units that may truncate.
    unit = 2.0**-21

    def __init__(self, width: int, norms: Norms, noise: float) -> None:
        self.width, self.norms, self.noise = width, norms, noise

    def margin(self, tile: Tile) -> float:
        """Margin of the tile: |e_x| |y| + |x'| |e_y|, and the sums' own errors."""
        left, right = (
            [float(values[part].max()) for values in self.norms]
            for part in (tile.rows, tile.columns)
        )
        return float(self._margin(left, right))

    def margins(self, p: Rows, q: Rows) -> Scores:
        """Margins `[M]` pair by pair: rows with large norms do not blunt the others' bounds."""
        left, right = ([values[part] for values in self.norms] for part in (p, q))
        return np.asarray(self._margin(left, right))

    def _margin(self, left: Sequence[Any], right: Sequence[Any]) -> Any:
        """Bound of the module `bounds` from both sides' norms."""
        length, _, kept, errors = left
        other_length, before, other_kept, other_errors = right
        gamma = self.width * self.unit / (1 - self.width * self.unit)
        bound = errors * before + kept * other_errors + gamma * kept * other_kept
        bound = bound + self.noise * length * other_length
        bound = bound + self.width * 2.0**-124 * (1 + kept + other_kept)
        # The last factor covers the rounding of these very lines.
        return bound * (1 + 2.0**-40)


class Rounded(LowPrecision):
    """Rows kept in a low precision: `values [P, W]` in the kernel's type, on a device."""

    def __init__(self, values: Tensor, norms: Norms, noise: float, kernel: Kernel = BF16) -> None:
        self.kernel = kernel
        super().__init__(int(values.shape[1]), norms, noise)
        self.values = values

    def left(self, rows: slice) -> Tensor:
        """The rounded values of `rows`."""
        return self.values[rows]

    right = left


class Rounding(LowPrecision):
    """The float32 vectors, rounded to bfloat16 tile by tile: no copy is kept.

    Slower a tile than `Rounded`; for the few tiles that a narrow bound does not thin out.
    """

    kernel = BF16

    def __init__(self, vectors: Vectors, order: Rows, lengths: Scores) -> None:
        self.vectors, self.order = vectors, order
        width, sizes = vectors.shape[1], lengths[order]
        # Half a unit in the last of 8 places, and what is subnormal: at most this is lost.
        errors = sizes * 2.0**-8 + width * 2.0**-126
        super().__init__(width, (sizes, sizes, sizes + errors, errors), width * NOISE)

    def left(self, rows: slice) -> Tensor:
        """The rounded vectors of `rows`."""
        return torch.from_numpy(gather(self.vectors, self.order[rows])).to(torch.bfloat16)

    right = left


def rounded16(
    vectors: Vectors,
    order: Rows,
    lengths: Scores,
    device: str,
    each: Map,
    room: Room | None = None,
    *,
    pinned: bool = False,
) -> Rounded:
    """The vectors in bfloat16, in the order of the join; `pinned` memory is for copies to a GPU."""
    count, width = len(order), vectors.shape[1]
    shape = count, width
    values = (
        blank(shape, torch.bfloat16, room)
        if device == "cpu" and not pinned
        else torch.empty(shape, dtype=torch.bfloat16, device=device, pin_memory=pinned)
    )
    errors = np.empty(count)

    def fill(rows: slice) -> None:
        exact = torch.from_numpy(gather(vectors, order[rows]))
        low = exact.to(torch.bfloat16)
        values[rows] = low.to(device)
        # The difference of a number and its rounding is exact.
        errors[rows] = norms32(exact.sub_(low).numpy())

    each(fill, chunks(count, width))
    sizes = lengths[order]
    return Rounded(values, (sizes, sizes, sizes + errors, errors), width * NOISE)


def blank(shape: tuple[int, int], dtype: torch.dtype, room: Room | None) -> Tensor:
    """A tensor on the processor to be filled, in memory or in a file where there is no room."""
    size = torch.empty(0, dtype=dtype).element_size()
    # NumPy would begin it at any 16 bytes, and products of such rows take half as long again.
    if room is None or room.fits(shape[0] * shape[1] * size):
        return torch.empty(shape, dtype=dtype)
    # NumPy has no bfloat16: its bits are whole numbers.
    return torch.from_numpy(room.array(shape, f"i{size}")).view(dtype)


def chunks(count: int, width: int) -> list[slice]:
    """Slices of rows that hold a few MiB each."""
    step = max(1, _CHUNK // width)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
