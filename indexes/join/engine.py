"""The join on all cores, in the precision that the processor is fastest at.

Rows stand group by group, the groups that lie nearest to the mean direction first: their pairs
score highest, and pairs of one group fill few tiles. A block of the rows nearest to the mean seeds
the threshold, which then lets little through. Whether a narrow bound pays is measured on a sample.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from indexes.base import Rows, Scores, Vectors
from indexes.join.best import Best, Found
from indexes.join.bounds import margin, norms32, products32
from indexes.join.filters import Filter, chunks
from indexes.join.scan import Box, Scanner
from indexes.join.stack import last_part
from indexes.join.tiles import Plain, Tile
from indexes.join.workers import Meanwhile, Pool
from indexes.memory import gather

if TYPE_CHECKING:
    from indexes.join.cuda import DeviceScanner

# A tile of which more than this share passes the last filter is not worth compacting.
CROWD = 1 / 16


class Engine:
    """Search of one tile after the other for `best`, by filters tried in turn.

    Args:
        best: what to fill.
        order: `[P]` the row of each position.
        lengths: `[N]` norms of the rows.
        filters: tried in turn, each with the share of a tile above which the next one is better.
    """

    def __init__(
        self,
        best: Best,
        order: Rows,
        lengths: Scores,
        filters: Sequence[tuple[Filter, float]],
    ) -> None:
        self.best, self.order, self.lengths, self.filters = best, order, lengths, filters
        self.codes = best.rules.groups[order]
        self.plain = Plain(best, order, lengths)

    def search(self, tile: Tile, worker: Worker) -> list[Found]:
        """Pairs of the tile that may be among the best."""
        closed = self._closed(tile)
        if closed is None:
            return []
        threshold = self.best.threshold
        if threshold > -np.inf:
            for bound, crowd in self.filters:
                hits = worker.scanner.hits(bound, tile, threshold, crowd, closed)
                if hits is not None:
                    return [self._settle(tile, *hits, bound, threshold, worker)]
            largest = max(tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
            if worker.scanner.whole is not None and largest > worker.scanner.whole:
                # Hits often lie in one corner of a large tile: the rest of it goes on as usual.
                parts = tile.blocks(-(-largest // 2))
                return [found for part in parts for found in self.search(part, worker)]
        return list(self.plain.search(tile))

    def _settle(
        self, tile: Tile, p: Rows, q: Rows, bound: Filter, threshold: float, worker: Worker
    ) -> Found:
        kept = self.codes[p] != self.codes[q]
        if tile.diagonal:
            kept &= p < q
        p, q = p[kept], q[kept]
        # The tile's margin is that of its worst rows; most pairs have a smaller one.
        most = worker.scanner.most_at(bound, tile, p, q)
        kept = most + bound.margins(p, q) >= threshold
        p, q = p[kept], q[kept]
        a, b = self.order[p], self.order[q]
        products = worker.products(self.best.vectors, self.order, tile.rows, p, b)
        margins = margin(self.best.vectors.shape[1], self.lengths[a] * self.lengths[b])
        return self.best.sift(np.minimum(a, b), np.maximum(a, b), products, margins)

    def _closed(self, tile: Tile) -> list[Box] | None:
        """Boxes in which both rows are of one group; None if that is the whole tile."""
        rows, columns = self.codes[tile.rows], self.codes[tile.columns]
        if rows[0] == columns[-1] and (rows == rows[0]).all() and (columns == rows[0]).all():
            return None
        if self.best.rules.split is not None:
            # Each set stands group by group for itself: a group may be anywhere in both.
            if not np.isin(rows, columns).any():
                return []
        elif tile.rows.stop < tile.columns.start and rows[-1] != columns[0]:
            return []
        boxes = []
        sides = {int(columns[first]): (first, last) for first, last in _runs(columns)}
        for top, bottom in _runs(rows):
            side = sides.get(int(rows[top]))
            # Single pairs are cheaper to drop later.
            if side is not None and (bottom - top) * (side[1] - side[0]) >= 64:
                boxes.append((top, bottom, *side))
        return boxes


class Worker:
    """Buffers of one thread."""

    # Fewer pairs than this are quicker gathered one by one.
    gathered = 1500

    def __init__(self, scanner: Scanner | DeviceScanner) -> None:
        self.scanner = scanner
        self._rows: slice | None = None
        self._panel: Vectors = np.empty((0, 0), np.float32)

    def forget(self) -> None:
        """Drop the vectors kept: what follows is of other positions."""
        self._rows = None

    def products(self, vectors: Vectors, order: Rows, rows: slice, p: Rows, b: Rows) -> Scores:
        """Float32 dot products `[M]` of the positions p, rising, with the rows b.

        Tiles come row of tiles by row of tiles, so the vectors of `rows` are kept for the next.
        """
        if len(p) < self.gathered:
            return products32(vectors, order[p], b)
        if self._rows != rows:
            self._rows, self._panel = rows, gather(vectors, order[rows])
        height = len(self._panel)
        starts = np.searchsorted(p, np.arange(rows.start, rows.stop + 1))
        columns, b = last_part(vectors, b)
        where = torch.sparse_csr_tensor(
            torch.from_numpy(starts),
            torch.from_numpy(b),
            torch.zeros(len(b), dtype=torch.float32),
            size=(height, len(columns)),
            check_invariants=False,
        )
        left, right = torch.from_numpy(self._panel), torch.from_numpy(columns)
        found = torch.sparse.sampled_addmm(where, left, right.T, beta=0.0).values()
        return np.asarray(found.numpy(), np.float64)


@contextmanager
def _own_settings() -> Iterator[None]:
    matmul = getattr(torch.backends.mkldnn, "matmul", None)
    before = getattr(matmul, "fp32_precision", None)
    put: Callable[[str], None]
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        # Newer releases of torch set it for each backend, and want no mixture of both ways.
        if before is not None:
            put = partial(setattr, matmul, "fp32_precision")
            put("ieee")
        else:
            before, put = torch.get_float32_matmul_precision(), torch.set_float32_matmul_precision
            put("highest")
        try:
            yield
        finally:
            put(before)


# Inside it, torch computes float32 products in float32, and does not warn: it would, that a file's
# vectors are read-only, to which nothing here writes, and of sparse tensors.
own_settings = Meanwhile(_own_settings)


def lengths_of(vectors: Vectors, pool: Pool) -> Scores:
    """`[N]` upper bounds of the norms."""
    lengths = np.empty(len(vectors))

    def fill(rows: slice) -> None:
        lengths[rows] = norms32(vectors[rows])

    pool.each(fill, chunks(len(vectors), vectors.shape[1]))
    return lengths


def nearness(vectors: Vectors, order: Rows, pool: Pool, split: int | None = None) -> Scores:
    """`[N]`: each row's product with the mean direction, of a sample of `order`.

    With two sets, of which the second begins with the row `split`, that of the other set.
    """
    near = np.empty(len(vectors), np.float32)

    def compare(first: int, others: Rows, stop: int) -> None:
        mean = _mean_direction(vectors, others)

        def fill(rows: slice) -> None:
            rows = slice(first + rows.start, first + rows.stop)
            # Rows that take no part may be of any length.
            with np.errstate(over="ignore", invalid="ignore"):
                np.matmul(vectors[rows], mean, out=near[rows])

        pool.each(fill, chunks(stop - first, vectors.shape[1]))

    if split is None:
        compare(0, order, len(vectors))
    else:
        compare(0, order[order >= split], split)
        compare(split, order[order < split], len(vectors))
    return near.astype(np.float64)


def _mean_direction(vectors: Vectors, rows: Rows) -> Vectors:
    """Mean of a sample of the rows, `[D]`, at a length of 1."""
    some = gather(vectors, rows[:: max(1, len(rows) // 4096)])
    mean = some.mean(axis=0, dtype=np.float64)
    length = max(float(np.linalg.norm(mean)), np.finfo(np.float64).tiny)
    return np.asarray((mean / length).astype(np.float32))


def arranged(groups: Rows, order: Rows, lengths: Scores, near: Scores) -> Rows:
    """`order` with the rows of a group together, the groups nearest to the mean first.

    Rows with norms far above the usual come before all: tiles that hold one have blunt bounds.
    """
    sizes = lengths[order]
    usual = max(float(np.median(sizes)), np.finfo(np.float64).tiny)
    with np.errstate(divide="ignore"):
        heavy = np.maximum(np.floor(np.log2(sizes / usual)), 0)
    _, group, counts = np.unique(groups[order], return_inverse=True, return_counts=True)
    means = np.bincount(group, near[order]) / counts
    return order[np.lexsort((order, group, -means[group], -heavy))]


def _runs(codes: Rows) -> list[tuple[int, int]]:
    """Bounds (from, to) of the runs of equal codes."""
    edges = np.flatnonzero(np.diff(codes)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(codes)], strict=True))
