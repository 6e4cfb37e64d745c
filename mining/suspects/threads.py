"""Work on many items in threads, a few at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


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
