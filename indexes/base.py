"""The contract of an index, in words and types.

An index holds float32 vectors `[N, D]`, numbered by row, and knows nothing of what they depict.
A *score* is an inner product: higher is more alike, and for vectors of unit norm it is their
cosine. Two questions can be asked of it:

`search(queries, k)`
    The k best-scoring rows for each query, score falling, ties by row.
`top_pairs(n, groups)`
    The n best-scoring pairs of rows i < j whose groups differ, score falling, ties by (i, j).

Every reported score is the inner product of the float32 vectors summed in float64, coordinate by
coordinate in order, rounded once an addition: a number that does not depend on threads, tile
sizes, batches or the machine. Ranks are made on that number. An index that may miss rows says so
(`exact` is false); the scores it reports are the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]


class IndexesError(ValueError):
    """Vectors, groups or an index file that cannot be used; the message says what to mend."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Answer of `search`.

    Attributes:
        rows: `[Q, k]`, best first; -1 where an approximate index found fewer than k.
        scores: `[Q, k]`, falling along a row; -inf where `rows` is -1.
        exact: whether no better row can exist.
    """

    rows: Rows
    scores: Scores
    exact: bool


@dataclass(frozen=True, eq=False)
class TopPairs:
    """Answer of `top_pairs`.

    Attributes:
        i, j: `[M]`, i < j, M the number asked for or, if fewer exist, all.
        scores: `[M]`, falling; equal scores stand by (i, j).
        exact: whether these are the best pairs of all.
        recall: share of the exact answer that was found; None where it was not measured.

    Raises:
        IndexesError: ragged arrays, i >= j, another order, or a pair listed twice.
    """

    i: Rows
    j: Rows
    scores: Scores
    exact: bool = True
    recall: float | None = None

    def __post_init__(self) -> None:
        if not self.i.shape == self.j.shape == self.scores.shape or self.i.ndim != 1:
            raise IndexesError(
                f"pairs of shapes {self.i.shape}, {self.j.shape} with scores {self.scores.shape}"
            )
        if (self.i >= self.j).any():
            raise IndexesError("a pair with i >= j; expected i < j")
        if len(self) > 1:
            drop = np.diff(self.scores)
            same_i = np.diff(self.i) == 0
            later = (np.diff(self.i) > 0) | (same_i & (np.diff(self.j) > 0))
            if not ((drop < 0) | ((drop == 0) & later)).all():
                raise IndexesError("pairs out of order; expected score falling, ties by (i, j)")
        for name in ("i", "j", "scores"):
            view = getattr(self, name).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.i)


class Index(Protocol):
    """What every index answers; `tests/indexes/test_contract.py` runs on each kind."""

    @property
    def exact(self) -> bool:
        """Whether its answers can not be bettered."""

    def __len__(self) -> int:
        """How many vectors it holds."""

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """The k best rows for each of `queries [Q, D]`."""

    def top_pairs(self, n: int, groups: ArrayLike) -> TopPairs:
        """The n best pairs of rows whose `groups [N]` differ."""


def as_vectors(vectors: ArrayLike, what: str = "vectors") -> Vectors:
    """`vectors` as a C-ordered float32 `[N, D]`, memory-mapped ones untouched.

    Raises:
        IndexesError: another number of dimensions, D of 0, a dtype that float32 cannot hold, or
            values that are not finite (the message lists the rows).
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or array.shape[1] == 0:
        raise IndexesError(f"{what} of shape {array.shape}; expected [N, D] with D of 1 or more")
    if array.dtype.kind not in "fiu":
        raise IndexesError(f"{what} of dtype {array.dtype}; expected float32")
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    # A chunk at a time, so that a memory-mapped array does not get a mask of its own size.
    step = max(1, 2**22 // array.shape[1])
    for start in range(0, len(array), step):
        bad = np.flatnonzero(~np.isfinite(array[start : start + step]).all(axis=1)) + start
        if bad.size:
            shown = ", ".join(map(str, bad[:5])) + (", ..." if bad.size > 5 else "")
            raise IndexesError(f"{what} not finite (nan or infinity) in row {shown}")
    return array


def as_groups(groups: ArrayLike, count: int) -> Rows:
    """`groups` as int64 codes `[N]`, equal where the given values are equal.

    Raises:
        IndexesError: another length, or values that cannot be compared (None, nan among them).
    """
    array = np.asarray(groups)
    if array.shape != (count,):
        raise IndexesError(f"groups of shape {array.shape} for {count} vectors; expected one each")
    try:
        values, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise IndexesError("groups of several kinds; expected all numbers or all text") from None
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise IndexesError("groups with nan in them; expected a group for each vector")
    return codes.astype(np.int64)


def at_least_one(value: int, what: str) -> int:
    """`value`, if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise IndexesError(f"{what} of {value}; expected a whole number of 1 or more")
    return int(value)
