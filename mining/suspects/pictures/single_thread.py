"""Work that a thread does by itself alone, where libraries would start more threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

# Rows of a product that are taken at once: so few that the library for it starts no threads.
_LOT = 16


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
