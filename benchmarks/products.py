"""Sides that multiply tile by tile: a plain loop, and the bare tiles that nobody reads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from benchmarks.jobs import Answer, Job, Work

# What the bare product is tried with: rows of a tile.
_TILES = {"cpu": (512, 1024, 2048), "cuda": (4096, 8192, 16384)}
_TRIAL = 4096


class Kept:
    """The best pairs so far, by the scores of one tile after another.

    Attributes:
        count: how many are kept.
        threshold: the last of them scored so, when they were last sorted out.
    """

    def __init__(self, groups: Any, count: int) -> None:
        self.count = count
        self.threshold = -np.inf
        self._groups = groups
        self._scores: Any = None
        self._fresh = 0

    def find(self, block: Any, top: int, side: int) -> tuple[Any, Any, Any]:
        """Pairs of a tile that reach the threshold, and their scores; threads may do so at once."""
        row, column = (block >= self.threshold).nonzero(as_tuple=True)
        i, j = row + top, column + side
        kept = (self._groups[i] != self._groups[j]) & (i < j)
        return block[row[kept], column[kept]], i[kept], j[kept]

    def add(self, scores: Any, i: Any, j: Any) -> None:
        """Take in what was found; one thread at a time."""
        import torch

        if self._scores is None:
            self._scores, self._i, self._j = scores, i, j
        else:
            self._scores = torch.cat([self._scores, scores])
            self._i, self._j = torch.cat([self._i, i]), torch.cat([self._j, j])
        self._fresh += len(i)
        full = len(self._scores) > self.count
        if full and (self.threshold == -np.inf or self._fresh > self.count // 2):
            self.best()
            self.threshold, self._fresh = self._scores[-1].item(), 0

    def best(self) -> tuple[Any, Any, Any]:
        """Scores and rows of what is kept, best first."""
        self._scores, best = self._scores.topk(min(self.count, len(self._scores)))
        self._i, self._j = self._i[best], self._j[best]
        return self._scores, self._i, self._j


def torch_fp32(job: Job) -> Work:
    """A plain loop over tiles in fp32."""

    def work() -> Answer:
        import torch

        x = torch.from_numpy(job.vectors).to(job.device)
        kept = Kept(torch.from_numpy(job.groups).to(job.device), job.pairs)
        tile = 2048 if job.device == "cpu" else 8192
        buffer = torch.empty(min(tile, len(x)) ** 2, device=x.device)
        for top, side, left, right in triangle(x, tile):
            block = buffer[: len(left) * len(right)].view(len(left), len(right))
            torch.mm(left, right.T, out=block)
            kept.add(*kept.find(block, top, side))
        scores, i, j = (column.cpu().numpy() for column in kept.best())
        return Answer(i, j, scores)

    return work


def bare(dtype: str) -> Callable[[Job], Work]:
    """The products of the triangle in `dtype`, unread."""

    def start(job: Job) -> Work:
        import torch

        x = torch.from_numpy(job.vectors).to(job.device)
        if dtype == "int8":
            x = (x * (127 / x.abs().max())).round()
        x = x.to(getattr(torch, dtype))
        threads = torch.get_num_threads()
        # All threads in one product, or one product a thread: neither is always the faster.
        workers = {1, threads} if job.device == "cpu" else {1}
        ways = [(tile, count) for tile in _TILES[job.device] for count in sorted(workers)]
        trial = x[: _TRIAL if job.device == "cpu" else 8 * _TRIAL]

        def seconds(way: tuple[int, int]) -> float:
            times = []
            for _ in range(3):
                start = time.perf_counter()
                multiply(trial, *way, threads)
                times.append(time.perf_counter() - start)
            return min(times)

        fastest = min(ways, key=seconds)
        return lambda: multiply(x, *fastest, threads)

    return start


def multiply(x: Any, tile: int, workers: int, threads: int) -> None:
    """The triangle's products by `workers` at a time, each with its share of the threads.

    Products of int8 are int32, as `torch._int_mm` gives them.
    """
    import torch

    waiting, lock = triangle(x, tile), threading.Lock()
    whole = x.dtype == torch.int8
    product = torch._int_mm if whole else torch.mm

    def work() -> None:
        torch.set_num_threads(threads // workers)
        dtype = torch.int32 if whole else x.dtype
        buffer = torch.empty(min(tile, len(x)) ** 2, dtype=dtype, device=x.device)
        while True:
            with lock:
                part = next(waiting, None)
            if part is None:
                return
            _, _, left, right = part
            out = buffer[: len(left) * len(right)].view(len(left), len(right))
            product(left, right.T, out=out)

    at_once(work, workers)
    if x.is_cuda:
        torch.cuda.synchronize()


def at_once(work: Callable[[], None], workers: int) -> None:
    """Call `work` in so many threads, in this one if one is enough."""
    if workers == 1:
        work()
        return
    with ThreadPoolExecutor(workers) as pool:
        for done in [pool.submit(work) for _ in range(workers)]:
            done.result()


def triangle(x: Any, tile: int) -> Iterator[tuple[int, int, Any, Any]]:
    """First row and first column of the tiles on and above the diagonal, and their vectors."""
    for top in range(0, len(x), tile):
        for side in range(top, len(x), tile):
            yield top, side, x[top : top + tile], x[side : side + tile]
