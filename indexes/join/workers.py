"""Threads that share a list of tiles."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from queue import SimpleQueue
from typing import TypeVar

import torch

from indexes.memory import keep_to_cap

Item = TypeVar("Item")


class Meanwhile:
    """A setting of the whole process, made while at least one search needs it.

    Searches in several threads would else undo it for one another: the first to enter makes it,
    the last to leave takes it back.
    """

    def __init__(self, setting: Callable[[], AbstractContextManager[None]]) -> None:
        self._setting, self._lock = setting, threading.Lock()
        self._inside, self._made = 0, ExitStack()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Make the setting, for as long as the context lasts."""
        with self._lock:
            if not self._inside:
                self._made.enter_context(self._setting())
            self._inside += 1
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._made.close()


class Pool:
    """`size` threads in each of which torch computes alone."""

    def __init__(self, executor: ThreadPoolExecutor, size: int) -> None:
        self.executor, self.size = executor, size

    def share(
        self,
        items: Iterable[Item],
        worker: Callable[[], Callable[[Item], int]],
        report: Callable[[int], None] | None = None,
        workers: int | None = None,
    ) -> None:
        """Work off `items`, and report from this thread what was done.

        An error in a worker, or in `report` (an interrupt too), stops all of them after the item
        in hand and is raised here.

        Args:
            items: taken one by one, in order.
            worker: called once in each thread; returns what works an item off and counts its work.
            report: called with the work of each item.
            workers: how many threads share the work; all of them if None.
        """
        count = min(workers or self.size, self.size)
        waiting, lock, stop = iter(items), threading.Lock(), threading.Event()
        done: SimpleQueue[int | None] = SimpleQueue()

        def run() -> None:
            try:
                work = worker()
                while not stop.is_set():
                    with lock:
                        item = next(waiting, None)
                    if item is None:
                        break
                    done.put(work(item))
                    keep_to_cap()
            except BaseException:
                stop.set()
                raise
            finally:
                done.put(None)

        futures: list[Future[None]] = []
        try:
            for _ in range(count):
                futures.append(self.executor.submit(run))
            left = count
            while left:
                amount = done.get()
                if amount is None:
                    left -= 1
                elif report is not None:
                    report(amount)
        finally:
            stop.set()
            for future in futures:
                future.exception()
        for future in futures:
            future.result()

    def each(self, work: Callable[[slice], None], slices: Sequence[slice]) -> None:
        """Call `work` with each of the slices."""

        def worker() -> Callable[[slice], int]:
            def one(rows: slice) -> int:
                work(rows)
                return 1

            return one

        self.share(slices, worker)


@contextmanager
def pool_of(size: int) -> Iterator[Pool]:
    """A pool of `size` threads; afterwards torch has as many threads as before."""
    with _threads_as_before():
        executor = ThreadPoolExecutor(size, initializer=torch.set_num_threads, initargs=(1,))
        try:
            yield Pool(executor, size)
        finally:
            executor.shutdown(cancel_futures=True)


@contextmanager
def _keeping_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)


# What a pool's threads set for themselves, torch takes for its default too.
_threads_as_before = Meanwhile(_keeping_threads)
