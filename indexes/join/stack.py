"""Two arrays of rows seen as one, without a copy of either: memory-mapped files stay on disk."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from indexes.base import Rows, Vectors
from indexes.memory import gather


class Stacked:
    """Rows of `left`, and behind them those of `right`, under one numbering.

    It has of an array what a search needs: a shape, rows by number, by slice or by array, and the
    first columns of all rows. What is taken of one part by slice is a view; all else is a copy.

    Args:
        left, right: `[A, D]` and `[B, D]` of one dtype.

    >>> both = Stacked(np.zeros((2, 3), np.float32), np.ones((4, 3), np.float32))
    >>> both.shape, both.split, both[1:3].tolist()
    ((6, 3), 2, [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])
    """

    def __init__(self, left: NDArray[Any], right: NDArray[Any]) -> None:
        if left.shape[1] != right.shape[1] or left.dtype != right.dtype:
            raise ValueError(
                f"{left.dtype} rows of {left.shape[1]} with {right.dtype} rows of {right.shape[1]}"
            )
        self.left, self.right = left, right
        # Number of the first row of `right`.
        self.split = len(left)
        self.shape = len(left) + len(right), int(left.shape[1])
        self.dtype = left.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, tuple):
            every, columns = rows
            if every != slice(None):
                raise IndexError(f"{rows}: columns are taken of all rows alone")
            return Stacked(self.left[:, columns], self.right[:, columns])
        if isinstance(rows, slice):
            return self._between(*rows.indices(len(self)))
        if isinstance(rows, int | np.integer):
            return self.left[rows] if rows < self.split else self.right[rows - self.split]
        rows = np.asarray(rows)
        if rows.dtype == np.bool_:
            rows = np.flatnonzero(rows)
        first = rows < self.split
        if first.all():
            return gather(self.left, rows)
        if not first.any():
            return gather(self.right, rows - self.split)
        found = np.empty((len(rows), self.shape[1]), self.dtype)
        found[first] = gather(self.left, rows[first])
        found[~first] = gather(self.right, rows[~first] - self.split)
        return found

    def _between(self, start: int, stop: int, step: int) -> NDArray[Any]:
        if step != 1:
            raise IndexError(f"slices by {step}; expected ones of rows that follow one another")
        left = self.left[start:stop]
        right = self.right[max(start - self.split, 0) : max(stop - self.split, 0)]
        if not len(right):
            return left
        return right if not len(left) else np.concatenate([left, right])

    def view(self, dtype: Any) -> Stacked:
        """Bits of both parts as another type of the same size."""
        return Stacked(self.left.view(dtype), self.right.view(dtype))

    @property
    def rows(self) -> Vectors:
        """All rows for code that is typed for an array, and takes rows of it alone."""
        return cast(Vectors, self)


def rows_of(vectors: Vectors | Stacked) -> Vectors:
    """Rows of one array or two, for code that is typed for one."""
    return vectors.rows if isinstance(vectors, Stacked) else vectors


def parts_of(vectors: object) -> tuple[object, ...]:
    """The arrays that these rows are of, one or two."""
    return (vectors.left, vectors.right) if isinstance(vectors, Stacked) else (vectors,)


def split_of(vectors: object) -> int | None:
    """The number of the second part's first row, where there are two parts."""
    return vectors.split if isinstance(vectors, Stacked) else None


class Chosen:
    """Some rows of an array, taken when they are asked for: a mapped file is not copied for them.

    Args:
        vectors: `[N, D]`.
        rows: `[P]` of it that count.

    >>> some = Chosen(np.arange(8.0).reshape(4, 2), np.array([3, 1]))
    >>> some.shape, some[:1].tolist(), some[np.array([1, 0])].tolist()
    ((2, 2), [[6.0, 7.0]], [[2.0, 3.0], [6.0, 7.0]])
    """

    def __init__(self, vectors: NDArray[Any], rows: Rows) -> None:
        self.vectors, self.rows = vectors, rows
        self.shape, self.dtype = (len(rows), int(vectors.shape[1])), vectors.dtype

    @classmethod
    def of(cls, vectors: Vectors, rows: Rows | None) -> Vectors:
        """The rows, for code that is typed for an array and takes rows of it alone; all if None."""
        return vectors if rows is None else cast(Vectors, cls(vectors, rows))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        chosen = self.rows[rows]
        one = isinstance(chosen, np.integer)
        return np.asarray(self.vectors[chosen]) if one else gather(self.vectors, chosen)


def last_part(vectors: Vectors, rows: Rows) -> tuple[Vectors, Rows]:
    """An array that holds all these rows, of the second part where there are two, and where."""
    part: object = vectors
    if isinstance(part, Stacked):
        return last_part(part.right, rows - part.split)
    if isinstance(part, Chosen):
        return part.vectors, part.rows[rows]
    return vectors, rows
