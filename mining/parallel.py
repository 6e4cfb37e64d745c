"""Work on many small pieces in threads: results in order, and no further ahead than needed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# Pieces waiting a thread, so that none is ever idle.
_AHEAD = 3
A = TypeVar("A")
B = TypeVar("B")


def in_order(work: Callable[[A], B], items: Iterable[A], workers: int | None) -> Iterator[B]:
    """Results of `work` on each item, in their order, by threads a few items ahead.

    Interrupted, or after an error, nothing new is begun, and what was begun is waited for.

    Args:
        work: called in threads.
        items: taken as they are needed, in this thread.
        workers: threads; as many as there are cores where it is None.
    """
    count = workers or os.cpu_count() or 1
    waiting: deque[Future[B]] = deque()
    source = iter(items)
    pool = ThreadPoolExecutor(count, "pieces")
    try:
        while True:
            for item in islice(source, _AHEAD * count - len(waiting)):
                waiting.append(pool.submit(work, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def in_chunks(
    work: Callable[[A], B], items: Sequence[A], workers: int | None, *, chunk: int
) -> Iterator[tuple[Sequence[A], list[B]]]:
    """`chunk` items and their results at a time, as `in_order`: for items that are soon done."""
    parts = (items[start : start + chunk] for start in range(0, len(items), chunk))
    return in_order(lambda part: (part, [work(item) for item in part]), parts, workers)
