"""Large arrays in rising order, sorted by as many threads as the process may use."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

# Values that a thread is worth starting for.
_EACH = 1 << 19


def rising(values: NDArray[Number], *, threads: int | None = None) -> NDArray[Number]:
    """Values `[N]` in rising order, in a new array.

    However many threads sort, the result is that of `np.sort`; which nought of two signs comes
    first is left open, as it is there.

    Args:
        values: in any order; nan is not among them.
        threads: at most; by default as many as the process has cores.

    >>> rising(np.array([3, 1, 2])).tolist()
    [1, 2, 3]
    """
    found = np.array(values)
    sort_in_place(found, threads=threads)
    return found


def sort_in_place(values: NDArray[Any], *, threads: int | None = None) -> None:
    """Sort an array of one's own as `rising` does."""
    count = min(_cores() if threads is None else threads, values.size // _EACH)
    if count < 2:
        values.sort()
        return
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(part.sort) for part in np.array_split(values, count)]:
            done.result()
    # A merging sort: it finds the sorted parts, and joins them in one pass or a few.
    values.sort(kind="stable")


def _cores() -> int:
    """Number of cores that the process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
