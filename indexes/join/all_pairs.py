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
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import IndexesError, Mask, Rows, Scores, Vectors, as_groups, as_vectors
from indexes.join.bounds import filter_dtype, margin, norms, pair_scores
from indexes.join.options import SearchOptions

Progress = Callable[[int, int], None]
# Pairs of all kinds, or those of one group alone.
Kind = Literal["both", "positive"]
BINS = 2**16
# Rows of a tile: what is counted in it stays in a core's cache.
SIDE = 1024
# Scores of windows that are held before equal ones are counted as one.
_HELD = 2**21
# Pairs that windows may have to score: more lie so close together only where vectors are alike.
_MOST = 2**28
_Values = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class Histogram:
    """Numbers of pairs by product, of two groups and of one.

    Attributes:
        edges: `[B + 1]`, rising.
        negatives, positives: `[B]`, pairs of two groups, and of one.
        slack: how far a pair's score can lie from the bin that it is counted in.
    """

    edges: Scores
    negatives: Rows
    positives: Rows
    slack: float

    def bracket(self, rank: int, kind: Literal["negative", "positive"]) -> tuple[float, float]:
        """Interval `[low, high)` that holds the `rank`-th highest score of that kind, from 1.

        Raises:
            IndexesError: a rank below 1, or above the number of such pairs.
        """
        counts = self.negatives if kind == "negative" else self.positives
        reached = np.cumsum(counts[::-1])
        if not 1 <= rank <= int(reached[-1]):
            raise IndexesError(f"rank {rank:,} of {int(reached[-1]):,} {kind} pairs")
        at = len(counts) - 1 - int(np.searchsorted(reached, rank))
        return self.around(at, at)

    def around(self, first: int, last: int) -> tuple[float, float]:
        """Interval `[low, high)` of all scores that may be counted in the bins `first` to `last`."""
        low, high = self.edges[first] - self.slack, self.edges[last + 1] + self.slack
        return float(low), float(np.nextafter(high, np.inf))

    def inside(self, low: float, high: float) -> int:
        """About how many pairs of either kind have scores from `low` to `high`, rather more."""
        first, last = np.searchsorted(self.edges, [low - self.slack, high + self.slack])
        both = self.negatives + self.positives
        return int(both[max(int(first) - 1, 0) : int(last) + 1].sum())


@dataclass(frozen=True, eq=False)
class Window:
    """An interval of scores `[low, high)`: the pairs above it, and each score inside.

    Attributes:
        low, high: its ends; equal where pairs are only counted.
        negatives_above, positives_above: pairs with score >= high.
        scores: `[K]`, distinct, falling.
        negatives, positives: `[K]`, how many pairs have each.
    """

    low: float
    high: float
    negatives_above: int
    positives_above: int
    scores: Scores
    negatives: Rows
    positives: Rows


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Pairs that reach each of T thresholds, by group.

    A pair of two groups counts for both.

    Attributes:
        thresholds: `[T]`.
        negatives: `[T, G]` pairs of each group with others.
        positives: `[T, G]` pairs within each group.
        squares: `[T]`, sum over pairs of groups of the squared number of pairs between them.
        products: `[T]`, the same of that number times the number of all pairs between them.
    """

    thresholds: Scores
    negatives: Rows
    positives: Rows
    squares: tuple[int, ...]
    products: tuple[int, ...]


@dataclass(frozen=True)
class _Unit:
    """Rows that stand together: whole groups, or a part of one that is too large."""

    start: int
    stop: int
    family: int


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
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self._units = list(_units(starts.tolist(), self.side))

    @property
    def margin(self) -> float:
        """Largest distance of a product from its pair's score."""
        # Twice: a score at the end of an interval is told from its neighbours.
        return 2 * float(margin(self.vectors.shape[1], self.largest, self.dtype))

    def histogram(
        self,
        bins: int = BINS,
        *,
        kind: Kind = "both",
        progress: Progress | None = None,
    ) -> Histogram:
        """Numbers of pairs by product, in `bins` of one width over all that products can be."""
        grid = _Grid.of(self, bins)
        counts, lock = np.zeros((2, bins), np.int64), Lock()

        def make() -> Callable[[_Tile], int]:
            def work(tile: _Tile) -> int:
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
        grid = _Grid.of(self, BINS)
        tables = [_Table(low, high, grid) for low, high in asked]
        lock = Lock()
        # Bins that may hold pairs of some window, or such as are above it for all that is known.
        looked = np.zeros(BINS, np.bool_)
        for table in tables:
            looked[table.first : table.last + 1] = True

        def make() -> Callable[[_Tile], int]:
            def work(tile: _Tile) -> int:
                for values, positive in tile.values(self):
                    places = grid.places(values)
                    found = np.flatnonzero(looked[places])
                    scores, near = tile.scores(self, found, positive), places[found]
                    reached = np.cumsum(np.bincount(places, minlength=BINS)[::-1])[::-1]
                    with lock:
                        for table in tables:
                            table.add(positive, reached, scores, near)
                return tile.pairs

            return work

        self._share(make, kind, progress)
        return [table.window() for table in tables]

    def by_group(
        self,
        thresholds: ArrayLike,
        *,
        kind: Kind = "both",
        progress: Progress | None = None,
    ) -> GroupCounts:
        """How many pairs of each group score at least each of `thresholds [T]`, exact."""
        cuts = np.asarray(thresholds, np.float64)
        if cuts.ndim != 1 or np.isnan(cuts).any():
            raise IndexesError(f"thresholds of shape {cuts.shape}; expected a list of numbers")
        found = _ByGroup(self, cuts)

        def make() -> Callable[[_Tile], int]:
            def work(tile: _Tile) -> int:
                found.add(tile, [tile.between(self, float(cut)) for cut in cuts])
                return tile.pairs

            return work

        self._share(make, kind, progress)
        return found.result()

    def _tiles(self, kind: Kind) -> Iterator[_Tile]:
        units = self._units
        for at, first in enumerate(units):
            for second in units[at:]:
                if kind == "positive" and second.family != first.family:
                    break
                yield _Tile(first, second, kind)

    def _share(
        self,
        make: Callable[[], Callable[[_Tile], int]],
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
        if self.how.is_plain(count, width) or (self.how.threads == 1 and self.dtype == np.float64):
            work = make()
            for tile in self._tiles(kind):
                tile.fill(self, _by_numpy)
                report(work(tile))
            return
        self._share_fast(make, kind, report)

    def _share_fast(
        self,
        make: Callable[[], Callable[[_Tile], int]],
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

            def by_kernel(left: _Values, right: _Values, out: _Values) -> None:
                if self.dtype == np.float32:
                    kernel.multiply(*map(torch.from_numpy, (left, right, out)))
                else:
                    _by_numpy(left, right, out)

            def worker() -> Callable[[_Tile], int]:
                work, buffer = make(), np.empty(self.side**2, self.dtype)

                def one(tile: _Tile) -> int:
                    tile.fill(self, by_kernel, buffer)
                    try:
                        return work(tile)
                    finally:
                        tile.empty()

                return one

            pool.share(self._tiles(kind), worker, report)


def _by_numpy(left: _Values, right: _Values, out: _Values) -> None:
    np.matmul(left, right.T, out=out)


def _at_least(value: float, dtype: np.dtype[np.floating]) -> np.floating:
    """The lowest number of the type that is not below `value`."""
    with np.errstate(over="ignore"):
        low = dtype.type(value)
    return low if float(low) >= value else np.nextafter(low, dtype.type(np.inf))


def _units(starts: Sequence[int], side: int) -> Iterator[_Unit]:
    """Runs of whole groups of at most `side` rows together; a larger group in parts."""
    family, first = 0, 0
    groups = list(zip(starts[:-1], starts[1:], strict=True))
    at = 0
    while at < len(groups):
        first, stop = groups[at]
        if stop - first > side:
            for start in range(first, stop, side):
                yield _Unit(start, min(start + side, stop), family)
            at += 1
        else:
            while at < len(groups) and groups[at][1] - first <= side:
                stop = groups[at][1]
                at += 1
            yield _Unit(first, stop, family)
        family += 1


@dataclass(eq=False)
class _Tile:
    """The pairs of two units, or within one."""

    first: _Unit
    second: _Unit
    kind: Kind
    product: _Values = field(default_factory=lambda: np.empty((0, 0), np.float32))

    @property
    def diagonal(self) -> bool:
        return self.first == self.second

    @property
    def pairs(self) -> int:
        height = self.first.stop - self.first.start
        if self.diagonal:
            return height * (height - 1) // 2
        return height * (self.second.stop - self.second.start)

    def fill(
        self,
        pairs: AllPairs,
        multiply: Callable[[_Values, _Values, _Values], None],
        buffer: _Values | None = None,
    ) -> None:
        """Multiply the rows of both units."""
        sides = [
            np.ascontiguousarray(pairs.vectors[pairs.order[unit.start : unit.stop]], pairs.dtype)
            for unit in (self.first, self.second)
        ]
        shape = len(sides[0]), len(sides[1])
        if buffer is None:
            self.product = np.empty(shape, pairs.dtype)
        else:
            self.product = buffer[: shape[0] * shape[1]].reshape(shape)
        with np.errstate(under="ignore"):
            multiply(sides[0], sides[1], self.product)

    def empty(self) -> None:
        """Let go of the product."""
        self.product = np.empty((0, 0), np.float32)

    def values(self, pairs: AllPairs) -> Iterator[tuple[_Values, int]]:
        """Products of the pairs of two groups, and of one, each with 0 or 1; nothing if none."""
        self._places: list[Rows | None] = [None, None]
        flat = self.product.ravel()
        if self.first.family != self.second.family:
            yield flat, 0
            return
        if not self.diagonal:
            yield flat, 1
            return
        codes = pairs.codes[pairs.order[self.first.start : self.first.stop]]
        above: Mask = np.triu(np.ones((len(codes), len(codes)), np.bool_), 1)
        same: Mask = codes[:, np.newaxis] == codes
        for positive, mask in ((0, above & ~same), (1, above & same)):
            if positive or self.kind == "both":
                places = np.flatnonzero(mask)
                self._places[positive] = places
                yield flat[places], positive

    def scores(self, pairs: AllPairs, found: Rows, positive: int) -> Scores:
        """Scores of some of those that `values` gave last, by number."""
        places = self._places[positive]
        return self._scores_at(pairs, found if places is None else places[found])

    def _scores_at(self, pairs: AllPairs, places: Rows) -> Scores:
        p, q = np.divmod(places, self.product.shape[1])
        i, j = pairs.order[self.first.start + p], pairs.order[self.second.start + q]
        return pair_scores(pairs.vectors, pairs.vectors, i, j)

    def between(self, pairs: AllPairs, cut: float) -> Rows:
        """Number `[A, B]` of pairs between groups A of the first and B of the second unit.

        Those that score at least `cut`; within one unit, of rows p < q.
        """
        sure = _at_least(cut + pairs.margin, pairs.dtype)
        near = _at_least(cut - pairs.margin, pairs.dtype)
        reached: Mask = self.product >= near
        doubt = np.flatnonzero(reached & (self.product < sure))
        if doubt.size:
            reached.ravel()[doubt] = self._scores_at(pairs, doubt) >= cut
        if self.diagonal:
            reached = np.triu(reached, 1)
        edges = [
            _edges(pairs.codes[pairs.order[unit.start : unit.stop]])
            for unit in (self.first, self.second)
        ]
        narrow = np.add.reduceat(reached.view(np.int8), edges[1], axis=1, dtype=np.int32)
        return np.add.reduceat(narrow, edges[0], axis=0, dtype=np.int64)


def _edges(codes: Rows) -> Rows:
    return np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])


@dataclass(frozen=True, eq=False)
class _Grid:
    """Bins of one width over all that products can be.

    Attributes:
        reach: no product's size is above it, but for rounding.
        slack: how far the score of a pair can lie outside the bin of its product.
    """

    bins: int
    reach: float
    slack: float

    @classmethod
    def of(cls, pairs: AllPairs, bins: int) -> _Grid:
        reach = max(pairs.largest * (1 + 2.0**-20), float(np.finfo(np.float32).tiny))
        # The place of a product is rounded a few times, in units of the whole range.
        rounding = 8 * reach * 2.0 ** (-24 if pairs.dtype == np.float32 else -53)
        return cls(bins, reach, pairs.margin + rounding)

    @property
    def edges(self) -> Scores:
        return np.linspace(-self.reach, self.reach, self.bins + 1)

    def places(self, values: _Values) -> NDArray[np.int32]:
        """The bin of each product."""
        near = values + values.dtype.type(self.reach)
        near *= values.dtype.type(self.bins / (2 * self.reach))
        # A product may lie beyond by its rounding.
        places = near.astype(np.int32)
        return np.clip(places, 0, self.bins - 1, out=places)

    def span(self, low: float, high: float) -> tuple[int, int]:
        """First and last bin of products whose scores may be from `low` to `high`."""
        ends = np.array([low - self.slack, high + self.slack])
        first, last = np.searchsorted(self.edges, ends, side="right") - 1
        return max(int(first), 0), min(max(int(last), -1), self.bins - 1)


class _Table:
    """What a window has found so far; equal scores are held once."""

    def __init__(self, low: float, high: float, grid: _Grid) -> None:
        self.low, self.high = low, high
        self.first, self.last = grid.span(low, high)
        self.above = [0, 0]
        self.parts: list[tuple[Scores, Rows]] = []
        self.held = self.scored = 0

    def add(self, positive: int, reached: Rows, scores: Scores, near: NDArray[np.int32]) -> None:
        """Count pairs above, and hold the scores inside.

        `reached` has the number of pairs from each bin on; `near` the bins of those scored.
        """
        if self.last + 1 < len(reached):
            self.above[positive] += int(reached[self.last + 1])
        scores = scores[(near >= self.first) & (near <= self.last)]
        self.above[positive] += int(np.count_nonzero(scores >= self.high))
        scores = scores[(scores >= self.low) & (scores < self.high)]
        if not scores.size:
            return
        self.scored += scores.size
        if self.scored > _MOST:
            raise IndexesError(
                f"more than {_MOST:,} pairs score between {self.low:.9g} and {self.high:.9g}; are "
                "the vectors nearly all alike?"
            )
        counts = np.zeros((2, scores.size), np.int64)
        counts[positive] = 1
        self.parts.append((scores, counts))
        self.held += scores.size
        if self.held > _HELD:
            self._merge()

    def _merge(self) -> None:
        scores = np.concatenate([part for part, _ in self.parts])
        counts = np.concatenate([part for _, part in self.parts], axis=1)
        distinct, place = np.unique(scores, return_inverse=True)
        summed = np.zeros((2, distinct.size), np.int64)
        for kind in (0, 1):
            np.add.at(summed[kind], place, counts[kind])
        self.parts, self.held = [(distinct, summed)], distinct.size // 2

    def window(self) -> Window:
        """The window as its users have it."""
        if not self.parts:
            none, nothing = np.empty(0), np.empty(0, np.int64)
            return Window(self.low, self.high, *self.above, none, nothing, nothing)
        self._merge()
        scores, counts = self.parts[0]
        return Window(
            self.low, self.high, *self.above, scores[::-1], counts[0, ::-1], counts[1, ::-1]
        )


class _ByGroup:
    """Sums by group, of tiles in any order."""

    def __init__(self, pairs: AllPairs, cuts: Scores) -> None:
        self.pairs, self.cuts, self.lock = pairs, cuts, Lock()
        shape = len(cuts), len(pairs.names)
        self.negatives, self.positives = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        self.squares, self.products = [0] * len(cuts), [0] * len(cuts)
        parts: dict[int, int] = {}
        for unit in pairs._units:
            parts[unit.family] = parts.get(unit.family, 0) + 1
        self.parts = parts
        # Between families of which one is in parts: the counts so far, and how many tiles follow.
        self.open: dict[tuple[int, int], tuple[Rows, int]] = {}

    def add(self, tile: _Tile, found: Sequence[Rows]) -> None:
        """Add the numbers of pairs between groups, of each threshold."""
        pairs = self.pairs
        first, second = (
            np.unique(pairs.codes[pairs.order[unit.start : unit.stop]])
            for unit in (tile.first, tile.second)
        )
        family = tile.first.family, tile.second.family
        tiles = self.parts[family[0]] * self.parts[family[1]]
        # Whole groups: what is between two of them is all in this tile.
        whole = tiles == 1
        with self.lock:
            for at, between in enumerate(found):
                if family[0] == family[1]:
                    self.positives[at, first] += np.diagonal(between)
                    between = between - np.diag(np.diagonal(between))
                if tile.kind == "positive":
                    continue
                self.negatives[at, first] += between.sum(axis=1)
                self.negatives[at, second] += between.sum(axis=0)
                if whole:
                    self._square(at, first, second, between)
            if not whole and family[0] != family[1]:
                before, left = self.open.pop(family, (np.zeros(1, np.int64), tiles))
                together = before + np.stack(found)
                if left > 1:
                    self.open[family] = together, left - 1
                else:
                    for at, between in enumerate(together):
                        self._square(at, first, second, between)

    def _square(self, at: int, first: Rows, second: Rows, between: Rows) -> None:
        row, column = np.nonzero(between)
        sizes = self.pairs.sizes
        counts = between[row, column]
        every = sizes[first[row]] * sizes[second[column]]
        if counts.size and int(every.max()) >= 2**20:
            # Whole numbers of any size.
            self.squares[at] += sum(int(one) ** 2 for one in counts)
            self.products[at] += sum(int(a) * int(b) for a, b in zip(counts, every, strict=True))
            return
        self.squares[at] += int((counts * counts).sum())
        self.products[at] += int((counts * every).sum())

    def result(self) -> GroupCounts:
        """The sums as their users have them."""
        squares, products = tuple(self.squares), tuple(self.products)
        return GroupCounts(self.cuts, self.negatives, self.positives, squares, products)
