"""Fill a `Best` from all tiles by torch, on all cores or on a CUDA device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import cycle

import numpy as np
import torch

from indexes.base import Rows, Scores
from indexes.join.best import Best, Found
from indexes.join.bounds import FLOAT32, filter_dtype
from indexes.join.checkpoint import Ledger
from indexes.join.device_rows import THREADS, Residence, explained_memory, residence, rows_on
from indexes.join.engine import CROWD, Engine, Worker, arranged, lengths_of, nearness, own_settings
from indexes.join.filters import Exact32, Filter, Rounding, rounded16
from indexes.join.kernels import BF16, INT8, Choice, choose, one_blas_thread
from indexes.join.narrow import narrow
from indexes.join.options import SearchOptions
from indexes.join.plain import Report, search_plain
from indexes.join.plan import Plan
from indexes.join.quantisation import quantised
from indexes.join.scan import Scanner
from indexes.join.spaces import space_of
from indexes.join.tiles import BLOCK, Tile, Tiles
from indexes.join.workers import Pool, pool_of

_LOG = logging.getLogger(__name__)
_SIDE = 2048
# Bytes of all threads' tiles: up to six a pair.
_BUFFERS = 2**29


def search_fast(
    best: Best, order: Rows, how: SearchOptions, report: Report, ledger: Ledger
) -> None:
    """Fill `best` by torch, on all cores or on a CUDA device."""
    width = best.vectors.shape[1]
    devices = how.devices_for(space_of(order, best.rules.split).size, width)
    threads = how.threads or torch.get_num_threads()
    with own_settings(), pool_of(max(threads, THREADS * len(devices))) as pool:
        lengths = lengths_of(best.vectors, pool)
        if filter_dtype(lengths[order]) != FLOAT32:
            search_plain(best, order, how.tile, report, ledger)
            return
        kernels = _kernels(width, how, devices, pool)
        _LOG.info("%s vectors of %d by %s: %s", f"{len(order):,}", width, *kernels.told)
        with one_blas_thread(kernels), explained_memory(devices, len(order), width):
            search = _Search(best, order, lengths, pool, kernels, devices, how, ledger)
            search.run(report)
        best.finish(pool.each)


def _kernels(width: int, how: SearchOptions, devices: Sequence[str], pool: Pool) -> Choice:
    """Kernels to search by: the clock is read in a thread that works as the search's own do."""
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
        self.fresh = ledger.order is None
        if ledger.order is not None:
            self.order, self.side = ledger.order, ledger.side
        else:
            near = nearness(best.vectors, order, pool, best.rules.split)
            sides = space_of(order, best.rules.split).sides
            groups = best.rules.groups
            self.order = np.concatenate([arranged(groups, order[s], lengths, near) for s in sides])
            self.side = how.tile or _side(len(order), pool.size, devices)
        self.space = space_of(self.order, best.rules.split)
        self.kept = self._residence() if devices else None

    def run(self, report: Report) -> None:
        tiles = self.space.tiles(self.side)
        waiting, before = self.ledger.plan(self.order, self.side, tiles)
        report(before)
        if not waiting.size:
            return
        with _exact_sums(self.devices):
            if self.fresh:
                self._seed()
            engine = Engine(self.best, self.order, self.lengths, self._filters())

            def done(pairs: int) -> None:
                # First, as it may refuse what was searched: that is not to be kept.
                report(pairs)
                self.ledger.keep()

            with self.ledger.kept():
                self._work(engine, tiles, waiting, self.ledger.commit, done)

    def _work(
        self,
        engine: Engine,
        tiles: Tiles,
        numbers: Rows,
        commit: Callable[[int, Iterable[Found]], None],
        report: Report | None = None,
    ) -> None:
        area = max((tiles[number].area for number in numbers), default=0)
        turns = cycle(self.devices or [None])

        def worker() -> Callable[[int], int]:
            buffers = self._worker(area, next(turns))

            def work(number: int) -> int:
                tile = tiles[number]
                commit(number, engine.search(tile, buffers))
                return tile.pairs

            return work

        workers = THREADS * len(self.devices) or None
        self.pool.share(map(int, numbers), worker, report, workers=workers)

    def _worker(self, area: int, device: str | None = None) -> Worker:
        if device is None:
            return Worker(Scanner(area))
        from indexes.join.cuda import DeviceScanner

        return Worker(DeviceScanner(area, device, self.kept))

    def _residence(self) -> Residence:
        from indexes.join.cuda import scratch

        needed = scratch(self.devices, self.side**2)
        count, width = len(self.order), self.best.vectors.shape[1]
        return residence(self.devices, count, width, self.side, needed)

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
        if self.how.spectrum == "off" or self.devices:
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
            return quantised(vectors, order, lengths, self.pool.each)
        if self.kept is not None:
            groups, each = self.best.rules.groups, self.pool.each
            return rows_on(vectors, order, lengths, groups, self.devices, self.kept, each)
        if kernel is BF16:
            return rounded16(vectors, order, lengths, "cpu", self.pool.each)
        return Exact32(vectors, order, lengths, kernel)

    def _filters(self) -> list[tuple[Filter, float]]:
        plan = self._plan()
        if plan is None or plan.basis is None:
            _LOG.info("no narrow bound%s", f": {plan.reason}" if plan else "")
            return [(self._whole(self.order), CROWD)]
        _LOG.info("narrow bound first: %s", plan.reason)
        vectors, order, lengths = self.best.vectors, self.order, self.lengths
        kernels = self.kernels
        bound = narrow(vectors, order, lengths, plan.basis, kernels.first, self.pool.each)
        if kernels.second is BF16:
            return [(bound, plan.crowd), (Rounding(vectors, order, lengths), CROWD)]
        return [(bound, plan.crowd), (Exact32(vectors, order, lengths, kernels.second), CROWD)]


def _side(count: int, threads: int, devices: Sequence[str]) -> int:
    """Rows of a tile: large ones waste less, small ones leave more for all threads to share."""
    if devices:
        from indexes.join.cuda import side

        return min(side(devices), max(BLOCK, -(-count // (4 * len(devices)))))
    return _SIDE if count >= 8 * _SIDE and threads * 6 * _SIDE**2 <= _BUFFERS else BLOCK


@contextmanager
def _exact_sums(devices: Sequence[str]) -> Iterator[None]:
    if not devices:
        yield
        return
    from indexes.join.cuda import sums_in_full

    with sums_in_full():
        yield
