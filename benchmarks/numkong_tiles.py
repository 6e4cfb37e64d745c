"""NumKong's kernels as a side: tiles of the triangle, compared with the n-th best score so far.

NumKong has no threads of its own, so that each of ours multiplies and reads tiles: `dots_packed`
of rows and packed columns, `dots_symmetric` on the diagonal, each into a buffer it uses again.
Conversion and packing are part of the time.

In float32 (which NumKong sums in float64) the best n are the answer. In bfloat16 and int8 (one
scale for all coordinates) there is no proof of what rounding loses: the best 2 n are kept, scored
again in float32, and the best n of those are the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.jobs import Answer, Job, Work
from benchmarks.products import Kept, at_once

_TILE = 2048
# What is multiplied, and what sums are kept in.
_SUMS = {"float32": "float64", "bfloat16": "float32", "int8": "int32"}


def numkong(dtype: str) -> Callable[[Job], Work]:
    """The triangle's products in `dtype` by NumKong, and the best pairs of them."""

    def start(job: Job) -> Work:
        if job.device != "cpu":
            raise RuntimeError("NumKong has no GPU part")

        def work() -> Answer:
            import torch

            threads = torch.get_num_threads()
            spare = 1 if dtype == "float32" else 2
            kept = Kept(torch.from_numpy(job.groups), spare * job.pairs)
            _multiply(_converted(job, dtype), dtype, kept, threads)
            torch.set_num_threads(threads)
            scores, i, j = (column.numpy() for column in kept.best())
            if dtype != "float32":
                scores = np.einsum("nd,nd->n", job.vectors[i], job.vectors[j])
                best = np.argsort(-scores, kind="stable")[: job.pairs]
                i, j, scores = i[best], j[best], scores[best]
            return Answer(i, j, scores)

        return work

    return start


def _converted(job: Job, dtype: str) -> Any:
    import numkong

    if dtype == "int8":
        return np.rint(job.vectors * (127 / np.abs(job.vectors).max())).astype(np.int8)
    return job.vectors if dtype == "float32" else numkong.Tensor(job.vectors).astype(dtype)


def _multiply(x: Any, dtype: str, kept: Kept, threads: int) -> None:
    """Give `kept` the pairs of all tiles, a tile a thread."""
    import numkong
    import torch

    starts = range(0, x.shape[0], _TILE)
    parts = [x[start : start + _TILE] for start in starts]
    packed = [numkong.dots_pack(part, dtype=dtype) for part in parts]
    count = len(parts)
    waiting = iter([(row, column) for row in range(count) for column in range(row, count)])
    lock, merging = threading.Lock(), threading.Lock()

    def work() -> None:
        torch.set_num_threads(1)
        buffer = numkong.zeros((min(_TILE, x.shape[0]) ** 2,), dtype=_SUMS[dtype])
        while True:
            with lock:
                tile = next(waiting, None)
            if tile is None:
                return
            row, column = tile
            shape = (parts[row].shape[0], parts[column].shape[0])
            block = buffer[: shape[0] * shape[1]].reshape(*shape)
            if row == column:
                numkong.dots_symmetric(parts[row], dtype=dtype, out=block)
            else:
                numkong.dots_packed(parts[row], packed[column], out=block)
            view = torch.from_numpy(np.asarray(block))
            found = kept.find(view, starts[row], starts[column])
            with merging:
                kept.add(*found)

    at_once(work, threads)
