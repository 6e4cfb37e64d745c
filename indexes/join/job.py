"""A search that others take part in: what they are told, and the share of it that one of them does.

The machine that asks orders the rows, raises the threshold by a few of them and decides on the
narrow bound; that is a `JoinJob`. Whoever has the vectors then searches the tiles of a share for
the pairs that may be among the best, scores them exactly and sends them back. Which shares were
done, by whom, how often and in what order does not change the answer: a pair is among the n best
of all only if it is among the n best of its share, and no pair below the threshold is either.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor

from indexes.base import Rows, Scores, Vectors
from indexes.join.best import Best, Found, one_by_one
from indexes.join.constraints import PairConstraints
from indexes.join.engine import CROWD, Engine, Worker, own_settings
from indexes.join.filters import Exact32, Filter, LowPrecision, Rounded, Rounding, rounded16
from indexes.join.kernels import BF16, INT8, Choice, choose, one_blas_thread
from indexes.join.narrow import narrow
from indexes.join.options import Precision
from indexes.join.quantisation import Quantised, quantised
from indexes.join.scan import Scanner
from indexes.join.shares import Share
from indexes.join.tiles import Tile
from indexes.join.workers import pool_of

# Takes the threshold of one who searches, returns the highest that is known of all.
Exchange = Callable[[float], float]
# Blocks that a worker keeps in low precision: the two of its share and one that may come again, or
# as many as these bytes hold.
_KEPT, KEPT_BYTES = 3, 2**29


@dataclass(frozen=True, eq=False)
class JoinJob:
    """A search as others need to know it, all but the vectors.

    Attributes:
        n: how many pairs.
        rules: which pairs count.
        order: `[P]` the row of each position.
        lengths: `[N]` upper bounds of the norms.
        basis: `[D, d]` of the narrow bound, or None where the whole vectors are quicker.
        crowd: share of a tile above which its whole vectors are quicker after all.
        turning: whether rows are turned before they are rounded to 8 bits.
        precision: of the filter, as of `SearchOptions`.
        device: CUDA device of those who search, or None.
        threshold: no pair below it can be among the best, known before the first share.
        side: rows of the tiles that are multiplied; larger ones are cut.
    """

    n: int
    rules: PairConstraints
    order: Rows
    lengths: Scores
    basis: Vectors | None
    crowd: float
    turning: bool
    precision: Precision = "auto"
    device: str | None = None
    threshold: float = -np.inf
    side: int = 2048


class Crew(Protocol):
    """Contract of who searches shares of a join elsewhere."""

    @property
    def device(self) -> str | None:
        """CUDA device that they search on, or None for processors."""

    def block(self, count: int, width: int, side: int) -> int:
        """Rows of a share's blocks, a multiple of `side`, for `count` vectors of `width`."""

    def search(
        self,
        job: JoinJob,
        vectors: Vectors,
        tiles: Sequence[Rows],
        commit: Callable[[int, Found], float],
    ) -> None:
        """Search all shares.

        Args:
            job: what is searched.
            vectors: `[N, D]` as this machine has them.
            tiles: `[T, 4]` bounds of the tiles of each share.
            commit: takes a share's number and its pairs; returns the threshold. A share that is
                given a second time counts once.
        """


class ShareSearcher:
    """One who searches shares of a job, and keeps the blocks that it has made for the next one.

    Args:
        job: what is searched.
        vectors: `[N, D]` of all rows, memory-mapped or in memory.
    """

    def __init__(self, job: JoinJob, vectors: Vectors) -> None:
        self.job, self.vectors = job, vectors
        self._blocks: OrderedDict[tuple[int, int], Filter] = OrderedDict()
        self._worker: tuple[int, Worker] | None = None
        self._choice: Choice | None = None

    def search(self, tiles: Rows, threshold: float, exchange: Exchange | None = None) -> Found:
        """Pairs of the tiles with these bounds `[T, 4]` that may be among the n best, exact.

        Args:
            tiles: rows from, to, columns from, to, of each.
            threshold: no pair below it can be among the best.
            exchange: called between tiles.
        """
        with ExitStack() as stack:
            stack.enter_context(own_settings())
            # Of its own thread: torch computes alone in it.
            pool = stack.enter_context(pool_of(1))
            if self.job.device is not None:
                from indexes.join.cuda import sums_in_full

                stack.enter_context(sums_in_full())
            return pool.executor.submit(self._search, tiles, threshold, exchange).result()

    def _search(self, tiles: Rows, threshold: float, exchange: Exchange | None) -> Found:
        job = self.job
        best = Best(self.vectors, job.n, job.rules)
        best.raise_to(threshold)
        local = _Positions(tiles)
        order = local.of(job.order)
        with one_blas_thread(self._kernels()):
            engine = Engine(best, order, job.lengths, self._filters(local, order))
            worker = self._buffers(min(int(local.areas.max(initial=0)), job.side**2))
            for tile in local.tiles():
                for part in tile.blocks(job.side):
                    for found in engine.search(part, worker):
                        best.take(found)
                if exchange is not None:
                    best.raise_to(exchange(best.threshold))
            best.finish(one_by_one)
        return best.snapshot()

    def _kernels(self) -> Choice:
        if self.job.device is not None:
            return Choice(BF16, BF16, f"on {self.job.device}")
        if self._choice is None:
            self._choice = choose(self.job.precision, self.vectors.shape[1])
        return self._choice

    def _buffers(self, area: int) -> Worker:
        if self._worker is None or self._worker[0] < area:
            if self.job.device is None:
                made = Worker(Scanner(area))
            else:
                from indexes.join.cuda import DeviceScanner

                made = Worker(DeviceScanner(area, self.job.device))
            self._worker = area, made
        # Its panel is of the rows of another share.
        self._worker[1].forget()
        return self._worker[1]

    def _filters(self, local: _Positions, order: Rows) -> list[tuple[Filter, float]]:
        job, kernels = self.job, self._kernels()
        vectors, lengths = self.vectors, job.lengths
        if kernels.first.factors == torch.float32 and job.basis is None:
            return [(Exact32(vectors, order, lengths, kernels.first), CROWD)]
        first = joined([self._block(part) for part in local.blocks])
        if job.basis is None:
            return [(first, CROWD)]
        second = (
            Rounding(vectors, order, lengths)
            if kernels.second is BF16
            else Exact32(vectors, order, lengths, kernels.second)
        )
        return [(first, job.crowd), (second, CROWD)]

    def _block(self, part: slice) -> Filter:
        """Filter of one block of positions, made once."""
        key = part.start, part.stop
        if key not in self._blocks:
            made = self._made(self.job.order[part])
            most = max(_KEPT, KEPT_BYTES // max(1, _size(made)))
            while len(self._blocks) >= most:
                self._blocks.popitem(last=False)
            self._blocks[key] = made
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _made(self, order: Rows) -> Filter:
        job, kernel = self.job, self._kernels().first
        if job.basis is not None:
            return narrow(self.vectors, order, job.lengths, job.basis, kernel, one_by_one)
        if kernel is INT8:
            return quantised(self.vectors, order, job.lengths, one_by_one, turning=job.turning)
        return rounded16(self.vectors, order, job.lengths, job.device or "cpu", one_by_one)


class _Positions:
    """Positions of the tiles of a share, numbered from 0: its rows, and behind them its columns.

    Args:
        tiles: `[T, 4]` bounds.
    """

    def __init__(self, tiles: Rows) -> None:
        self._bounds = tiles
        rows = slice(int(tiles[:, 0].min()), int(tiles[:, 1].max()))
        columns = slice(int(tiles[:, 2].min()), int(tiles[:, 3].max()))
        # One block, where they overlap, on the diagonal.
        if columns.start < rows.stop:
            self.blocks = [slice(rows.start, max(rows.stop, columns.stop))]
            self._shift = np.full(4, rows.start)
        else:
            self.blocks = [rows, columns]
            height = rows.stop - rows.start
            self._shift = np.array([rows.start] * 2 + [columns.start - height] * 2)
        self.areas = (tiles[:, 1] - tiles[:, 0]) * (tiles[:, 3] - tiles[:, 2])

    def of(self, order: Rows) -> Rows:
        """The rows of the search at these positions."""
        return np.concatenate([order[part] for part in self.blocks])

    def tiles(self) -> Iterable[Tile]:
        """The tiles, by the positions numbered anew."""
        for top, bottom, left, right in (self._bounds - self._shift).tolist():
            yield Tile(slice(top, bottom), slice(left, right))


def joined(parts: Sequence[Filter]) -> Filter:
    """One filter of the rows of several, one after the other, all of one kind."""
    if len(parts) == 1:
        return parts[0]
    norms: Any = tuple(
        np.concatenate(columns)
        for columns in zip(*(_low(part).norms for part in parts), strict=True)
    )
    first = _low(parts[0])
    values = _Values.of([part.values for part in parts if isinstance(part, Quantised | Rounded)])
    if isinstance(first, Quantised):
        scales = [part.scales for part in parts if isinstance(part, Quantised)]
        return Quantised(values, np.concatenate(scales), norms, first.noise)
    kernel = next(part.kernel for part in parts if isinstance(part, Rounded))
    return Rounded(values, norms, first.noise, kernel)


class _Values:
    """Rows of several tensors under one numbering; what is taken lies in one of them.

    Args:
        parts: `[R, W]` each.
    """

    def __init__(self, parts: Sequence[Tensor]) -> None:
        self._parts = parts
        self._starts = np.cumsum([0, *(len(part) for part in parts)])
        self.shape = int(self._starts[-1]), int(parts[0].shape[1])

    @classmethod
    def of(cls, parts: Sequence[Tensor]) -> Tensor:
        """The rows, for filters, which take slices alone."""
        return cast(Tensor, cls(parts))

    def __getitem__(self, rows: slice) -> Tensor:
        at = int(np.searchsorted(self._starts, rows.start, side="right")) - 1
        start = int(self._starts[at])
        return self._parts[at][rows.start - start : rows.stop - start]


def _size(part: Filter) -> int:
    """Bytes of a filter's rows."""
    values = getattr(part, "values", None)
    return 0 if values is None else int(values.numel() * values.element_size())


def _low(part: Filter) -> LowPrecision:
    assert isinstance(part, LowPrecision)
    return part


def bounds_of(shares: Sequence[Share], bounds: Rows) -> list[Rows]:
    """`[T, 4]` bounds of the tiles of each share, out of those of all tiles."""
    return [bounds[share.numbers] for share in shares]
