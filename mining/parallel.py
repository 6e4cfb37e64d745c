"""Work on many small pieces at once: results in order, and no further ahead than needed.

In threads where libraries do the work, which let each other run; in processes where Python itself
has a part in it, and the pieces are worth the start of these.
"""

from __future__ import annotations

import atexit
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from functools import cache, partial
from itertools import chain, islice
from multiprocessing import resource_tracker
from pathlib import Path
from threading import Thread
from typing import TypeVar

# Pieces waiting a thread, so that none is ever idle.
_AHEAD = 3
# Seconds after which idle processes end, and how many there are at most unless one asks for more:
# each needs some 0.1 GB.
_IDLE, _MOST = 30, 16
# Seconds between two looks at whether the one that started a process is still there.
_WATCHED = 1.0
A = TypeVar("A")
B = TypeVar("B")


def in_order(
    work: Callable[[A], B], items: Iterable[A], workers: int | None, *, processes: bool = False
) -> Iterator[B]:
    """Results of `work` on each item, in their order, by threads or processes a few items ahead.

    Interrupted, or after an error, nothing new is begun, and what was begun is waited for.

    Args:
        work: called in threads.
        items: taken as they are needed, in this thread.
        workers: how many; as many as there are cores where it is None.
        processes: take these; work, items and results are pickled. Where none can be started, or
            one is ended from outside, threads do what is left.
    """
    waiting: deque[tuple[A, Future[B]]] = deque()
    source = iter(items)
    with _pool(workers, processes) as (pool, count):
        try:
            while True:
                for item in islice(source, _AHEAD * count - len(waiting)):
                    waiting.append((item, Future()))
                    waiting[-1] = item, _begun(pool, work, item)
                if not waiting:
                    return
                result = waiting[0][1].result()
                waiting.popleft()
                yield result
        except BrokenExecutor:
            _processes.cache_clear()
        finally:
            wait([begun for _, begun in waiting if not begun.cancel()])
    yield from in_order(work, chain([item for item, _ in waiting], source), workers)


def in_chunks(
    work: Callable[[A], B],
    items: Sequence[A],
    workers: int | None,
    *,
    chunk: int,
    processes: bool = False,
) -> Iterator[tuple[Sequence[A], list[B]]]:
    """`chunk` items and their results at a time, as `in_order`: for items that are soon done."""
    parts = (items[start : start + chunk] for start in range(0, len(items), chunk))
    return in_order(partial(_with_results, work), parts, workers, processes=processes)


def _with_results(work: Callable[[A], B], part: Sequence[A]) -> tuple[Sequence[A], list[B]]:
    return part, [work(item) for item in part]


@contextmanager
def threads_alone() -> Iterator[None]:
    """A block in which no processes are taken: whoever runs it is one of many already."""
    global _taken
    before, _taken = _taken, False
    try:
        yield
    finally:
        _taken = before


_taken = True


@contextmanager
def _pool(workers: int | None, processes: bool) -> Iterator[tuple[Executor, int]]:
    """Pool that does the work, and how many things it does at once."""
    if processes and _taken:
        count = workers or min(_cores(), _MOST)
        # Processes stay in the folder that they began in, and are of the process that began them.
        kept = _processes(count, os.getpid(), Path.cwd()) if count > 1 else None
        if kept is not None:
            yield kept, count
            return
    count = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(count, "pieces") as pool:
        yield pool, count


def _begun(pool: Executor, work: Callable[[A], B], item: A) -> Future[B]:
    """Result of a piece that is begun, or waits; BrokenExecutor where no process can be started."""
    try:
        with nullcontext() if isinstance(pool, ThreadPoolExecutor) else _uninterrupted():
            return pool.submit(work, item)
    # Too many processes, too little memory; a process that may have none of its own.
    except (OSError, AssertionError, RuntimeError) as error:
        if isinstance(pool, ThreadPoolExecutor):
            raise
        raise BrokenExecutor(str(error)) from error


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A block after which an interruption is told: processes begun in it never hear of one.

    `_prepared` comes too late for that: Ctrl-C, which a terminal sends to all, may find a process
    while it still imports what it needs. What a thread blocks, the processes that it begins block.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cores() -> int:
    """Cores that this process may use, as containers and affinities allow."""
    try:
        from loky import cpu_count
    except ImportError:
        return 1
    return int(cpu_count())


@cache
def _processes(count: int, process: int, folder: Path) -> Executor | None:
    """Processes that are kept for what comes next, until they are idle; None where none start."""
    try:
        from loky import ProcessPoolExecutor

        if hasattr(signal, "pthread_sigmask"):
            # Begun along with the first process, it would end what `_uninterrupted` blocks.
            resource_tracker.ensure_running()
        made: Executor = ProcessPoolExecutor(
            count, timeout=_IDLE, initializer=_prepared, initargs=(os.getpid(),)
        )
        # Later, while modules are taken apart, its end would be told as an error.
        atexit.register(_ended, made)
    # Not installed; a system without shared semaphores; processes within processes.
    except (ImportError, OSError, RuntimeError):
        return None
    return made


def _ended(kept: Executor) -> None:
    _processes.cache_clear()
    kept.shutdown(wait=True)


def _prepared(parent: int) -> None:
    """In a process: an interruption is for the one that started it, and its end is this one's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    # Killed, it tells nobody: its processes would wait for work for ever. Where the system does not
    # show it (Windows), they do.
    while os.getppid() == parent:
        time.sleep(_WATCHED)
    os._exit(1)
