"""Blocks of a copy that lies in a file: worked on one after the other, the next one read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from indexes.join.filters import Rounded
from indexes.join.quantisation import Quantised
from indexes.join.shares import Share
from indexes.memory import fetch_ahead

# Blocks of a copy that are worked on, or read ahead.
_BLOCKS = 3


def rows_held(copy: Rounded | Quantised, free: int, side: int) -> int:
    """Rows of a block, a multiple of a tile's `side`: `free` bytes hold all that are in use."""
    row = copy.values.element_size() * int(copy.values.shape[1])
    return max(side, free // (_BLOCKS * row) // side * side)


@contextmanager
def read_ahead(copy: Rounded | Quantised, shares: list[Share]) -> Iterator[Iterator[int]]:
    """Numbers of the shares' tiles; while one share is searched, the next one's rows are read."""

    def numbers() -> Iterator[int]:
        for share, following in zip(shares, [*shares[1:], None], strict=True):
            if following is not None:
                for part in (following.rows, following.columns):
                    reader.submit(_fetch, copy, part)
            yield from share.numbers.tolist()

    with ThreadPoolExecutor(1, "read ahead") as reader:
        yield numbers()


def _fetch(copy: Rounded | Quantised, rows: slice) -> None:
    part = copy.values[rows]
    fetch_ahead(part.data_ptr(), part.numel() * part.element_size())
