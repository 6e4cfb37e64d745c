"""The two sides that are mere products: a plain tile loop, and the bare tiles."""

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


def torch_fp32(job: Job) -> Work:
    """A plain loop over tiles in fp32."""

    def work() -> Answer:
        import torch

        x = torch.from_numpy(job.vectors).to(job.device)
        groups = torch.from_numpy(job.groups).to(job.device)
        tile = 2048 if job.device == "cpu" else 8192
        buffer = torch.empty(min(tile, len(x)) ** 2, device=x.device)
        scores = torch.empty(0, device=x.device)
        i = j = torch.empty(0, dtype=torch.int64, device=x.device)
        threshold, fresh = -np.inf, 0
        for top, side, left, right in triangle(x, tile):
            block = buffer[: len(left) * len(right)].view(len(left), len(right))
            torch.mm(left, right.T, out=block)
            row, column = (block >= threshold).nonzero(as_tuple=True)
            kept = (groups[row + top] != groups[column + side]) & (row + top < column + side)
            row, column = row[kept], column[kept]
            scores = torch.cat([scores, block[row, column]])
            i, j = torch.cat([i, row + top]), torch.cat([j, column + side])
            fresh += len(row)
            if len(scores) > job.pairs and (threshold == -np.inf or fresh > job.pairs // 2):
                scores, best = scores.topk(job.pairs)
                i, j, threshold, fresh = i[best], j[best], float(scores[-1]), 0
        scores, best = scores.topk(min(job.pairs, len(scores)))
        return Answer(i[best].cpu().numpy(), j[best].cpu().numpy(), scores.cpu().numpy())

    return work


def bare(dtype: str) -> Callable[[Job], Work]:
    """The products of the triangle in `dtype`, unread."""

    def start(job: Job) -> Work:
        import torch

        x = torch.from_numpy(job.vectors).to(job.device, getattr(torch, dtype))
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
    """The triangle's products by `workers` at a time, each with its share of the threads."""
    import torch

    waiting, lock = triangle(x, tile), threading.Lock()

    def work() -> None:
        torch.set_num_threads(threads // workers)
        buffer = torch.empty(min(tile, len(x)) ** 2, dtype=x.dtype, device=x.device)
        while True:
            with lock:
                part = next(waiting, None)
            if part is None:
                return
            _, _, left, right = part
            out = buffer[: len(left) * len(right)].view(len(left), len(right))
            torch.mm(left, right.T, out=out)

    if workers == 1:
        work()
    else:
        with ThreadPoolExecutor(workers) as pool:
            for done in [pool.submit(work) for _ in range(workers)]:
                done.result()
    if x.is_cuda:
        torch.cuda.synchronize()


def triangle(x: Any, tile: int) -> Iterator[tuple[int, int, Any, Any]]:
    """First row and first column of the tiles on and above the diagonal, and their vectors."""
    for top in range(0, len(x), tile):
        for side in range(top, len(x), tile):
            yield top, side, x[top : top + tile], x[side : side + tile]
