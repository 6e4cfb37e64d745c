"""Counts over all pairs of rows by their scores: those of one group, and those of two.

Nothing is sampled and no pair is held. Three passes over the same tiles answer what rates are made
of:

`histogram`
    How many pairs of either kind score about how much, in bins of equal width. It is of float32
    products, which lie within `Histogram.slack` of the scores, so that the bin of a rank brackets
    the score of that rank.
`windows`
    Of each of a few intervals of scores how many pairs lie above it, and each score inside with
    its pairs: exact. Only pairs whose product is within the rounding bound of an interval, or in
    it, are scored.
`by_group`
    Of each of a few thresholds how many pairs of each group reach it: exact, by the same rule.

Rows stand group by group, and a tile is made of whole groups, unless one alone is larger: so that
the pairs of two groups are counted in one place, and their squares can be summed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from threading import Lock

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import IndexesError, Rows, Vectors, as_groups, as_vectors
from indexes.join.bounds import filter_dtype, margin, norms
from indexes.join.group_sums import GroupSums
from indexes.join.options import SearchOptions
from indexes.join.pairs import Progress
from indexes.join.score_counts import GroupCounts, Histogram, Window
from indexes.join.score_windows import Grid, WindowSums
from indexes.join.unit_tiles import Kind, Unit, UnitTile, Values, by_numpy, units_of

BINS = 2**16
# Rows of a tile: what is counted in it stays in a core's cache.
SIDE = 1024
# The same where pairs of one group alone count: what is between groups is multiplied in vain.
OWN = 256


class AllPairs:
    """All pairs i < j of rows, counted by score.

    Args:
        vectors: `[N, D]` finite float32; may be read-only or memory-mapped.
        groups: `[N]` values of one kind; pairs of one group are positives.
        how: threads and the rows of a tile; the passes run on the processor, in float32, or in
            float64 where norms are so large that float32 could overflow.

    Attributes:
        names: `[G]`, the distinct values of `groups`, sorted: the order of all that is by group.
        sizes: `[G]`, how many rows each has.
        negatives, positives: how many pairs are of two groups, and of one.

    Raises:
        IndexesError: vectors of another shape, or not finite; groups of another length.

    >>> pairs = AllPairs([[1, 0], [0.8, 0.6], [0, 1]], ["a", "b", "b"])
    >>> pairs.negatives, pairs.positives
    (2, 1)
    >>> [found] = pairs.windows([(0.5, 1.0)])
    >>> found.scores.round(6).tolist(), found.negatives.tolist(), found.positives.tolist()
    ([0.8, 0.6], [1, 0], [0, 1])
    """

    def __init__(
        self, vectors: ArrayLike, groups: ArrayLike, how: SearchOptions | None = None
    ) -> None:
        self.vectors: Vectors = as_vectors(vectors)
        self.how = how or SearchOptions()
        count = len(self.vectors)
        as_groups(groups, count)
        self.names, codes = np.unique(np.asarray(groups), return_inverse=True)
        self.codes = codes.astype(np.int64)
        self.sizes: Rows = np.bincount(self.codes, minlength=len(self.names))
        self.positives = sum(size * (size - 1) // 2 for size in self.sizes.tolist())
        self.negatives = count * (count - 1) // 2 - self.positives
        self.order: Rows = np.argsort(self.codes, kind="stable")
        self.lengths = norms(self.vectors)
        self.dtype = filter_dtype(self.lengths)
        self.largest = float(self.lengths.max(initial=0.0)) ** 2
        self.side = self.how.tile or SIDE
        starts = np.concatenate([[0], np.cumsum(self.sizes)]).tolist()
        self.units: dict[Kind, list[Unit]] = {
            "both": list(units_of(starts, self.side)),
            "positive": list(units_of(starts, min(self.side, OWN))),
        }

    @property
    def margin(self) -> float:
        """Largest distance of a product from its pair's score."""
        # Twice what is proven: the sums of it with a score are rounded, too.
        return 2 * float(margin(self.vectors.shape[1], self.largest, self.dtype))

    def _grid(self, bins: int) -> Grid:
        return Grid.of(self.largest, self.margin, self.dtype, bins)

    def histogram(
        self,
        bins: int = BINS,
        *,
        kind: Kind = "both",
        progress: Progress | None = None,
    ) -> Histogram:
        """Numbers of pairs by product, in `bins` of one width over all that products can be."""
        grid = self._grid(bins)
        counts, lock = np.zeros((2, bins), np.int64), Lock()

        def make() -> Callable[[UnitTile], int]:
            def work(tile: UnitTile) -> int:
                for values, positive in tile.values(self):
                    found = np.bincount(grid.places(values), minlength=bins)
                    with lock:
                        counts[positive] += found
                return tile.pairs

            return work

        self._share(make, kind, progress)
        return Histogram(grid.edges, counts[0], counts[1], grid.slack)

    def windows(
        self,
        asked: Sequence[tuple[float, float]],
        *,
        kind: Kind = "both",
        progress: Progress | None = None,
    ) -> list[Window]:
        """Pairs above each interval `[low, high)`, and the scores inside, exact.

        Raises:
            IndexesError: an interval that ends before it begins, or is not of numbers.
        """
        for low, high in asked:
            if not low <= high:
                raise IndexesError(f"scores from {low} to {high}; expected low <= high")
        grid = self._grid(BINS)
        sums = WindowSums(asked, grid)

        def make() -> Callable[[UnitTile], int]:
            def work(tile: UnitTile) -> int:
                for values, positive in tile.values(self):
                    places = grid.places(values)
                    found = np.flatnonzero(sums.looked[places])
                    scores = tile.scores(self, found, positive)
                    counts = np.bincount(places, minlength=BINS)
                    sums.add(positive, counts, scores, places[found])
                return tile.pairs

            return work

        self._share(make, kind, progress)
        return sums.windows()

    def by_group(
        self,
        thresholds: ArrayLike,
        *,
        kind: Kind = "both",
        progress: Progress | None = None,
    ) -> GroupCounts:
        """Numbers of pairs of each group that score at least each of `thresholds [T]`, exact."""
        cuts = np.asarray(thresholds, np.float64)
        if cuts.ndim != 1 or np.isnan(cuts).any():
            raise IndexesError(f"thresholds of shape {cuts.shape}; expected a list of numbers")
        found = GroupSums(self.sizes, self.units[kind], cuts)

        def make() -> Callable[[UnitTile], int]:
            def work(tile: UnitTile) -> int:
                found.add(tile, [tile.between(self, float(cut)) for cut in cuts])
                return tile.pairs

            return work

        self._share(make, kind, progress)
        return found.result()

    def _tiles(self, kind: Kind) -> Iterator[UnitTile]:
        units = self.units[kind]
        for at, first in enumerate(units):
            for second in units[at:]:
                if kind == "positive" and second.family != first.family:
                    break
                yield UnitTile(first, second, kind)

    def _share(
        self,
        make: Callable[[], Callable[[UnitTile], int]],
        kind: Kind,
        progress: Progress | None,
    ) -> None:
        """Work off all tiles, on all cores where that is worth it."""
        total = sum(tile.pairs for tile in self._tiles(kind))
        done = 0

        def report(pairs: int) -> None:
            nonlocal done
            done += pairs
            if progress is not None:
                progress(done, total)

        report(0)
        count, width = self.vectors.shape
        if self.how.is_plain(count, width):
            work = make()
            for tile in self._tiles(kind):
                tile.fill(self, by_numpy)
                report(work(tile))
            return
        self._share_fast(make, kind, report)

    def _share_fast(
        self,
        make: Callable[[], Callable[[UnitTile], int]],
        kind: Kind,
        report: Callable[[int], None],
    ) -> None:
        import torch

        from indexes.join.engine import own_settings
        from indexes.join.kernels import FP32_NUMPY, Choice, one_blas_thread, quicker32
        from indexes.join.workers import pool_of

        threads = self.how.threads or torch.get_num_threads()
        with ExitStack() as stack:
            stack.enter_context(own_settings())
            pool = stack.enter_context(pool_of(threads))
            kernel = FP32_NUMPY
            if self.dtype == np.float32:
                kernel = pool.executor.submit(quicker32, self.vectors.shape[1]).result()
            stack.enter_context(one_blas_thread(Choice(kernel, kernel, "")))

            def by_kernel(left: Values, right: Values, out: Values) -> None:
                if self.dtype == np.float32:
                    kernel.multiply(*map(torch.from_numpy, (left, right, out)))
                else:
                    by_numpy(left, right, out)

            def worker() -> Callable[[UnitTile], int]:
                work, buffer = make(), np.empty(self.side**2, self.dtype)

                def one(tile: UnitTile) -> int:
                    tile.fill(self, by_kernel, buffer)
                    return work(tile)

                return one

            pool.share(self._tiles(kind), worker, report)
