"""Fill a `Best` from all tiles by torch, on all cores or on a CUDA device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle

import numpy as np
import torch

from indexes.base import IndexesError, Rows, Scores
from indexes.join.best import Best, Found
from indexes.join.bounds import FLOAT32, filter_dtype
from indexes.join.checkpoint import Ledger
from indexes.join.device_rows import THREADS, Residence, explained_memory, residence, rows_on
from indexes.join.engine import CROWD, Engine, Worker, arranged, lengths_of, nearness, own_settings
from indexes.join.file_blocks import read_ahead, rows_held
from indexes.join.filters import Exact32, Filter, Rounded, Rounding, rounded16
from indexes.join.job import JoinJob, bounds_of
from indexes.join.kernels import BF16, INT8, Choice, choose, one_blas_thread
from indexes.join.narrow import narrow
from indexes.join.options import SearchOptions
from indexes.join.plain import Report, search_plain
from indexes.join.plan import Plan
from indexes.join.quantisation import Quantised, quantised, turn_pays
from indexes.join.scan import Scanner
from indexes.join.search_sizes import room_for, tile_side
from indexes.join.shares import in_order, shares_of
from indexes.join.spaces import space_of
from indexes.join.tiles import BLOCK, Tile, Tiles
from indexes.join.workers import Pool, pool_of
from indexes.memory import cap_now

_LOG = logging.getLogger(__name__)


def search_fast(
    best: Best, order: Rows, how: SearchOptions, report: Report, ledger: Ledger
) -> None:
    """Fill `best` by torch, on all cores or on a CUDA device."""
    width = best.vectors.shape[1]
    # What is done here for a crew is little.
    size = space_of(order, best.rules.split).size
    devices = () if how.crew is not None else how.devices_for(size, width)
    threads = how.threads or torch.get_num_threads()
    with own_settings(), pool_of(max(threads, THREADS * len(devices))) as pool:
        lengths = lengths_of(best.vectors, pool)
        if filter_dtype(lengths[order]) != FLOAT32:
            search_plain(best, order, how.tile, report, ledger)
            return
        kernels = kernels_for(width, how, devices, pool)
        _LOG.info("%s vectors of %d by %s: %s", f"{len(order):,}", width, *kernels.told)
        with one_blas_thread(kernels), explained_memory(devices, len(order), width):
            search = _Search(best, order, lengths, pool, kernels, devices, how, ledger)
            search.run(report)
        best.finish(pool.each)


def kernels_for(width: int, how: SearchOptions, devices: Sequence[str], pool: Pool) -> Choice:
    """Kernels to search by: the clock is read in a thread that works as the search's own do.

    Args:
        width: of the vectors.
        how: precision that is asked for.
        devices: CUDA devices to search on; none is the processor.
        pool: of the search's threads.

    Raises:
        IndexesError: what is asked for is not sound here.
    """
    if not devices:
        return pool.executor.submit(choose, how.precision, width).result()
    from indexes.join.cuda import refuse_inexact

    with _exact_sums(devices):
        told = ", ".join(f"{device} ({refuse_inexact(device)})" for device in devices)
    return Choice(BF16, BF16, f"on {told}")


class _Search:
    def __init__(
        self,
        best: Best,
        order: Rows,
        lengths: Scores,
        pool: Pool,
        kernels: Choice,
        devices: Sequence[str],
        how: SearchOptions,
        ledger: Ledger,
    ) -> None:
        self.best, self.lengths, self.pool, self.ledger = best, lengths, pool, ledger
        self.devices, self.how = devices, how
        self.kernels = kernels
        # What `how` asks for holds already.
        memory = cap_now()
        self.fresh = ledger.order is None
        # Rows of the tiles that are multiplied here; those that a checkpoint counts may be larger.
        self.own = how.tile or tile_side(len(order), pool.size, devices, how.crew, memory)
        self.room = room_for(best, order, how, memory, pool.size * self.own**2, ledger)
        self.side = ledger.side or self.own
        if ledger.order is not None:
            self.order = ledger.order
        else:
            near = nearness(best.vectors, order, pool, best.rules.split)
            sides = space_of(order, best.rules.split).sides
            groups = best.rules.groups
            self.order = np.concatenate([arranged(groups, order[s], lengths, near) for s in sides])
        self.space = space_of(self.order, best.rules.split)
        self.kept = self._residence() if devices else None

    def run(self, report: Report) -> None:
        tiles = self.space.tiles(self.side)
        waiting, before = self.ledger.plan(self.order, self.side, tiles)
        report(before)
        if not waiting.size:
            return

        def done(pairs: int) -> None:
            # First, as it may refuse what was searched: that is not to be kept.
            report(pairs)
            self.ledger.keep()

        with _exact_sums(self.devices):
            if self.fresh:
                self._seed()
            if self.how.crew is not None:
                with self.ledger.kept():
                    self._work_elsewhere(tiles, waiting, done)
                return
            filters = self._filters()
            engine = Engine(self.best, self.order, self.lengths, filters)
            with self.ledger.kept(), self._numbered(tiles, waiting, filters) as numbers:
                self._work(engine, tiles, waiting, self.ledger.commit, done, numbers)

    def _work(
        self,
        engine: Engine,
        tiles: Tiles,
        waiting: Rows,
        commit: Callable[[int, Iterable[Found]], None],
        report: Report | None = None,
        numbers: Iterable[int] | None = None,
    ) -> None:
        """Search the tiles that wait, in the order of `numbers`, or else in their own."""
        largest = max((tiles[number].area for number in waiting), default=0)
        area = min(largest, self.own**2)
        turns = cycle(self.devices or [None])

        def worker() -> Callable[[int], int]:
            buffers = self._worker(area, next(turns))

            def work(number: int) -> int:
                tile = tiles[number]
                parts = tile.blocks(self.own)
                commit(number, [found for part in parts for found in engine.search(part, buffers)])
                return tile.pairs

            return work

        workers = THREADS * len(self.devices) or None
        self.pool.share(numbers or map(int, waiting), worker, report, workers=workers)

    def _work_elsewhere(self, tiles: Tiles, waiting: Rows, done: Report) -> None:
        """Let a crew search the tiles that wait, share by share."""
        crew = self.how.crew
        assert crew is not None
        plan = self._plan()
        basis = None if plan is None else plan.basis
        _LOG.info("by others, %s", "whole vectors" if basis is None else "narrow bound first")
        turning = basis is None and turn_pays(self.best.vectors, self.order, self.lengths)
        job = JoinJob(
            self.best.n, self.best.rules, self.order, self.lengths, basis,
            CROWD if plan is None else plan.crowd, turning, self.how.precision, crew.device,
            self.best.threshold, self.own,
        )  # fmt: skip
        block = crew.block(len(self.order), self.best.vectors.shape[1], self.side)
        shares = shares_of(tiles, waiting, self.space, block)
        left = [True] * len(shares)

        def commit(number: int, found: Found) -> float:
            if left[number]:
                left[number] = False
                self.ledger.commit(shares[number].numbers, [found])
                done(shares[number].pairs)
            return self.best.threshold

        crew.search(job, self.best.vectors, bounds_of(shares, tiles.bounds), commit)
        if any(left):
            raise IndexesError(f"{sum(left)} of {len(shares)} shares of the search were not done")

    @contextmanager
    def _numbered(
        self, tiles: Tiles, waiting: Rows, filters: list[tuple[Filter, float]]
    ) -> Iterator[Iterable[int] | None]:
        """The tiles' numbers block by block, the next blocks read ahead, if a copy is in a file."""
        copy = filters[0][0]
        if self.kept is not None and not self.kept.resident:
            # Of the blocks that a device keeps, half are rows and half are columns.
            block = max(1, self.kept.slots // 2) * self.side
            yield [*in_order(shares_of(tiles, waiting, self.space, block))]
            return
        if not isinstance(copy, Rounded | Quantised) or not self.room.used:
            yield None
            return
        block = rows_held(copy, self.room.free or 0, self.side)
        _LOG.info("blocks of %s rows, of a copy in a file", f"{block:,}")
        with read_ahead(copy, shares_of(tiles, waiting, self.space, block)) as numbers:
            yield numbers

    def _worker(self, area: int, device: str | None = None) -> Worker:
        if device is None:
            return Worker(Scanner(area))
        from indexes.join.cuda import DeviceScanner

        return Worker(DeviceScanner(area, device, self.kept))

    def _residence(self) -> Residence:
        from indexes.join.cuda import scratch

        needed = scratch(self.devices, self.own**2)
        count, width = len(self.order), self.best.vectors.shape[1]
        return residence(self.devices, count, width, self.own, needed)

    def _seed(self) -> None:
        """Raise the threshold by the rows nearest to the mean: they hold many of the best pairs."""
        best, n = self.best, self.best.n
        # Of a first block that holds four times n pairs, and a seeding with a hundred times n.
        first = int(np.clip((8 * n) ** 0.5, 256, BLOCK))
        count = int(np.clip(16 * n**0.5, BLOCK, 8 * BLOCK))
        near = nearness(best.vectors, self.order, self.pool, best.rules.split)[self.order]
        chosen, space = self.space.nearest(near, count)
        seeds, tiles = self.order[chosen], space.blocks(first)
        trial = Best(best.vectors, n, best.rules)
        engine = Engine(trial, seeds, self.lengths, [(self._whole(seeds), CROWD)])
        for found in engine.plain.search(tiles[0]):
            trial.take(found)

        def commit(_: int, found: Iterable[Found]) -> None:
            for part in found:
                trial.take(part)

        self._work(engine, tiles, np.arange(1, len(tiles)), commit)
        if trial.is_full():
            # The search proper finds them once more: here they only tell how high the bar is.
            best.raise_to(trial.threshold)

    def _plan(self) -> Plan | None:
        """Whether a narrow bound pays; its product is not what a CUDA device is slow at."""
        crew = self.how.crew
        if self.how.spectrum == "off" or self.devices or (crew and crew.device):
            return None
        some = self.order[:BLOCK]
        tile = Tile(slice(0, len(some)), slice(0, len(some)))
        full = self._whole(some)
        worker = self._worker(tile.area)
        kernel = self.kernels.first
        make = partial(Plan, self.best, self.order, self.lengths, full, tile, worker, kernel)
        return self.pool.executor.submit(make).result()

    def _whole(self, order: Rows) -> Filter:
        vectors, lengths, kernel = self.best.vectors, self.lengths, self.kernels.first
        if kernel is INT8:
            return quantised(vectors, order, lengths, self.pool.each, self.room)
        if self.kept is not None:
            groups, each = self.best.rules.groups, self.pool.each
            return rows_on(vectors, order, lengths, groups, self.devices, self.kept, each)
        if kernel is BF16:
            return rounded16(vectors, order, lengths, "cpu", self.pool.each, self.room)
        return Exact32(vectors, order, lengths, kernel)

    def _filters(self) -> list[tuple[Filter, float]]:
        plan = self._plan()
        if plan is None or plan.basis is None:
            _LOG.info("no narrow bound%s", f": {plan.reason}" if plan else "")
            return [(self._whole(self.order), CROWD)]
        _LOG.info("narrow bound first: %s", plan.reason)
        vectors, order, lengths = self.best.vectors, self.order, self.lengths
        kernels = self.kernels
        bound = narrow(
            vectors, order, lengths, plan.basis, kernels.first, self.pool.each, self.room
        )
        if kernels.second is BF16:
            return [(bound, plan.crowd), (Rounding(vectors, order, lengths), CROWD)]
        return [(bound, plan.crowd), (Exact32(vectors, order, lengths, kernels.second), CROWD)]


@contextmanager
def _exact_sums(devices: Sequence[str]) -> Iterator[None]:
    if not devices:
        yield
        return
    from indexes.join.cuda import sums_in_full

    with sums_in_full():
        yield
