"""Large arrays in rising order, sorted by as many threads as the process may use."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

# Values that a thread is worth starting for.
EACH = 1 << 19
# Bits of a whole number without a sign.
_WIDEST = 63
# Numbers that are made at a time, in memory that stays near.
_BLOCK = 1 << 16


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
    count = min(_cores() if threads is None else threads, values.size // EACH)
    if count < 2:
        values.sort()
        return
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(part.sort) for part in np.array_split(values, count)]:
            done.result()
    # A merging sort: it finds the sorted parts, and joins them in one pass or a few.
    values.sort(kind="stable")


def in_order(keys: NDArray[np.int64], most: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Rows of keys in rising order, those of equal keys in their own order; and the keys in it.

    Args:
        keys: `[N]`, from 0 up; they are used up, and mean nothing after that.
        most: no key is greater.

    >>> [one.tolist() for one in in_order(np.array([7, 3, 7]), 9)]
    [[1, 0, 2], [3, 7, 7]]
    """
    bits = keys.size.bit_length()
    if bits > 31 or most >= 1 << (_WIDEST - bits):
        rows: NDArray[Any] = np.argsort(keys, kind="stable")
        return rows, keys[rows]
    # Key and row as one number: those are sorted far faster than rows by their keys.
    keys <<= bits
    for first in range(0, keys.size, _BLOCK):
        part = keys[first : first + _BLOCK]
        part |= np.arange(first, first + part.size)
    sort_in_place(keys)
    rows = np.empty(keys.size, np.int32)
    np.bitwise_and(keys, (1 << bits) - 1, out=rows, casting="same_kind")
    keys >>= bits
    return rows, keys


def _cores() -> int:
    """Number of cores that the process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
