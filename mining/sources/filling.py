"""Work of many small pieces that fills a folder: by threads, in order, and by one process alone."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from mining.journal import exclusive
from mining.models.base import ModelError
from pairsets.errors import OutputError

# Pieces waiting a thread, so that none is ever idle.
_AHEAD = 3
A = TypeVar("A")
B = TypeVar("B")


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Hold the folder `work` alone.

    Raises:
        OutputError: another process holds it.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(work))
        except ModelError:
            raise OutputError(f"{work.parent}: another process is writing into it") from None
        yield


def in_order(work: Callable[[A], B], items: Iterable[A], workers: int | None) -> Iterator[B]:
    """Results of `work` on each item, in their order, by threads a few items ahead.

    Interrupted, or after an error, nothing new is begun, and what was begun is waited for.
    """
    count = workers or os.cpu_count() or 1
    waiting: deque[Future[B]] = deque()
    source = iter(items)
    pool = ThreadPoolExecutor(count, "faces")
    try:
        while True:
            for item in islice(source, _AHEAD * count - len(waiting)):
                waiting.append(pool.submit(work, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
