"""Work on many items in threads, a few at a time; and what each of them does in itself alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

A = TypeVar("A")
B = TypeVar("B")
# Rows of a product that are taken at once: so few that the library for it starts no threads.
_LOT = 16


def in_threads(
    work: Callable[[A], B],
    items: Sequence[A],
    take: Callable[[Sequence[A], list[B]], None],
    *,
    threads: int,
    chunk: int,
) -> None:
    """Call `work` on each item in threads, and `take` in this one with so many items' results.

    Results come in the order of the items. Interrupted, or after an error, nothing new is begun.
    """
    chunks = [items[start : start + chunk] for start in range(0, len(items), chunk)]
    with ThreadPoolExecutor(threads) as pool:
        try:
            results = pool.map(lambda part: [work(item) for item in part], chunks)
            for part, found in zip(chunks, results, strict=True):
                take(part, found)
        except BaseException:
            # Else leaving would wait for all that was to be done.
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def opencv_alone() -> Iterator[None]:
    """OpenCV without threads of its own: ours keep all cores busy."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def product(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows [N, D] @ columns [D, M]`, in this thread alone.

    Threads that each start others for a small product take many times as long. Sums come out in
    another order than in one large product: give it what is exact in any, such as whole numbers.
    """
    lots = np.zeros((-(-len(rows) // _LOT), _LOT, rows.shape[1]), np.float32)
    lots.reshape(-1, rows.shape[1])[: len(rows)] = rows
    return np.asarray(np.matmul(lots, columns).reshape(-1, columns.shape[1])[: len(rows)])
