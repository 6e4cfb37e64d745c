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
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, cast, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
Mask = NDArray[np.bool_]
# Measure of two rows: their inner product, or that of the rows brought to unit norm.
Metric = Literal["inner_product", "cosine"]


# The bounds on rounding hold for sums of no more terms.
_WIDEST = 2**20


class IndexesError(ValueError):
    """Vectors, groups or an index file that cannot be used; the message says what to mend."""


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours:
    """Rows that `search` found, each with its score.

    Attributes:
        rows: `[Q, k]`, best first; -1 where an approximate index found fewer than k.
        scores: `[Q, k]`, falling along a row; -inf where `rows` is -1.
        exact: whether no better row can exist.
    """

    rows: Rows
    scores: Scores
    exact: bool

    def __repr__(self) -> str:
        sure = "exact" if self.exact else "approximate"
        queries, k = self.rows.shape
        return f"Neighbours({queries:,} queries, {k:,} rows each, {sure})"

    def to_frame(self) -> pd.DataFrame:
        """Table of what was found, query by query: `query`, `rank` from 1, `row`, `score`.

        Places that an approximate index left empty are not in it.
        """
        import pandas as pd

        query, place = np.nonzero(self.rows >= 0)
        found = {"row": self.rows[query, place], "score": self.scores[query, place]}
        return pd.DataFrame({"query": query, "rank": place + 1, **found})


@dataclass(frozen=True, eq=False, repr=False)
class _RankedPairs:
    """Pairs of rows in order of score; the arrays are read-only views."""

    _falling: ClassVar[bool] = True
    # Whether i and j number the rows of one set, of which each pair is listed once.
    _of_one: ClassVar[bool] = True
    i: Rows
    j: Rows
    scores: Scores

    def __post_init__(self) -> None:
        _check_ranked(self.i, self.j, self.scores, self._falling, self._of_one)
        for name in ("i", "j", "scores"):
            view = getattr(self, name).view()
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.i)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_pairs_said(self.scores)})"

    def to_frame(self) -> pd.DataFrame:
        """Table of the pairs in their order: `row_a`, `row_b`, `score`."""
        import pandas as pd

        return pd.DataFrame({"row_a": self.i, "row_b": self.j, "score": self.scores})


@dataclass(frozen=True, eq=False, repr=False)
class TopPairs(_RankedPairs):
    """Best pairs that `top_pairs` found, each with its score.

    Attributes:
        i, j: `[M]`, i < j, M the number asked for or, if fewer exist, all.
        scores: `[M]`, falling; equal scores stand by (i, j).
        exact: whether these are the best pairs of all.
        recall: share of the exact answer that was found; None where it was not measured.

    Raises:
        IndexesError: ragged arrays, i >= j, another order, or a pair listed twice.
    """

    exact: bool = True
    recall: float | None = None

    def __repr__(self) -> str:
        sure = "exact" if self.exact else "approximate"
        if self.recall is not None:
            sure += f", recall {self.recall:.4g}"
        return f"{type(self).__name__}({_pairs_said(self.scores)}, {sure})"


@dataclass(frozen=True, eq=False, repr=False)
class BottomPairs(_RankedPairs):
    """Answer of `bottom_pairs`: the lowest-scoring pairs within groups, exact.

    Attributes:
        i, j: `[M]`, i < j, M the number asked for or, if fewer exist, all.
        scores: `[M]`, rising; equal scores stand by (i, j).

    Raises:
        IndexesError: as `TopPairs`.
    """

    _falling = False


@dataclass(frozen=True, eq=False, repr=False)
class PairsBetween(_RankedPairs):
    """Best pairs between two sets that `TwoSets.top_pairs` found, exact.

    Attributes:
        i: `[M]` rows of the first set, M the number asked for or, if fewer exist, all.
        j: `[M]` rows of the second set.
        scores: `[M]`, falling; equal scores stand by (i, j).

    Raises:
        IndexesError: ragged arrays, another order, or a pair listed twice.
    """

    exact: ClassVar[bool] = True
    _of_one = False


def _pairs_said(scores: Scores) -> str:
    """Number of pairs and the scores they span, in words."""
    count = f"{len(scores):,} pair{'s' * (len(scores) != 1)}"
    return f"{count}, scores {scores[0]:.4g} to {scores[-1]:.4g}" if len(scores) else count


def _check_ranked(i: Rows, j: Rows, scores: Scores, falling: bool, of_one: bool) -> None:
    if not i.shape == j.shape == scores.shape or i.ndim != 1:
        raise IndexesError(f"pairs of shapes {i.shape}, {j.shape} with scores {scores.shape}")
    if of_one and (i >= j).any():
        raise IndexesError("a pair with i >= j; expected i < j")
    if len(i) > 1:
        rise = np.diff(-scores if falling else scores)
        later = (np.diff(i) > 0) | ((np.diff(i) == 0) & (np.diff(j) > 0))
        if not ((rise > 0) | ((rise == 0) & later)).all():
            order = "falling" if falling else "rising"
            raise IndexesError(f"pairs out of order; expected score {order}, ties by (i, j)")


class Index(Protocol):
    """Contract of every index; `tests/indexes/test_contract.py` runs on each kind."""

    @property
    def exact(self) -> bool:
        """Whether its answers can not be bettered."""

    def __len__(self) -> int:
        """Number of vectors that the index holds."""

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
    array = numbers_by_row(vectors, what)
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(array, np.float32)
    # A chunk at a time, so that a memory-mapped array does not get a mask of its own size.
    step = max(1, 2**20 // array.shape[1])
    for start in range(0, len(array), step):
        bad = _not_finite(array[start : start + step]) + start
        if bad.size:
            raise IndexesError(f"{what} not finite (nan or infinity) in row {rows_said(bad)}")
    return array


def numbers_by_row(vectors: ArrayLike, what: str = "vectors") -> NDArray[Any]:
    """`vectors` as an array `[N, D]` of numbers, of whatever dtype it has.

    Raises:
        IndexesError: another number of dimensions, D of 0 or too many, or no numbers.
    """
    try:
        array = np.asarray(vectors)
    except ValueError:
        raise IndexesError(f"{what} of rows of several lengths; expected [N, D]") from None
    if array.ndim != 2 or array.shape[1] == 0:
        raise IndexesError(f"{what} of shape {array.shape}; expected [N, D] with D of 1 or more")
    if array.shape[1] > _WIDEST:
        raise IndexesError(f"{what} of {array.shape[1]:,} dimensions; expected {_WIDEST:,} or less")
    if array.dtype.kind not in "fiu":
        raise IndexesError(f"{what} of dtype {array.dtype}; expected float32")
    return array


def rows_said(rows: Rows) -> str:
    """Numbers of the first few rows, as an error lists them."""
    return ", ".join(map(str, rows[:5])) + (", ..." if len(rows) > 5 else "")


def as_metric(metric: str) -> Metric:
    """`metric`, if it is one.

    Raises:
        IndexesError: another name.
    """
    for known in get_args(Metric):
        if metric == known:
            return cast(Metric, known)
    raise IndexesError(f"metric {metric!r:.40}; expected {' or '.join(get_args(Metric))}")


def as_queries(queries: ArrayLike, vectors: Vectors) -> Vectors:
    """`queries` as of `as_vectors`, of the dimensions of the vectors.

    Raises:
        IndexesError: other dimensions, or as `as_vectors`.
    """
    wanted, width = as_vectors(queries, "queries"), vectors.shape[1]
    if wanted.shape[1] != width:
        raise IndexesError(f"queries of {wanted.shape[1]} dimensions for vectors of {width}")
    return wanted


def _not_finite(vectors: Vectors) -> Rows:
    """Rows with a value that is not finite."""
    # Finite squares are quicker to see than a mask of the values; large ones may overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        doubtful = np.flatnonzero(~np.isfinite(np.einsum("nd,nd->n", vectors, vectors)))
    return doubtful[~np.isfinite(vectors[doubtful]).all(axis=1)]


def as_groups(groups: ArrayLike, count: int) -> Rows:
    """`groups` as int64 codes `[N]` below N, equal where the given values are equal.

    Codes that are given are taken as they are.

    Raises:
        IndexesError: another length, or values that cannot be compared (None, nan among them).
    """
    return _codes(groups, count)[1]


def group_pairs(pairs: ArrayLike | None, groups: ArrayLike, count: int) -> Rows | None:
    """`[K, 2]` codes, as of `as_groups`, of `pairs [K, 2]` of values; those of no row left out."""
    if pairs is None:
        return None
    try:
        array = np.asarray(pairs)
    except ValueError:
        raise IndexesError("exclude_groups of rows of several lengths; expected [K, 2]") from None
    if array.size == 0:
        return None
    if array.ndim != 2 or array.shape[1] != 2:
        raise IndexesError(f"pairs of groups of shape {array.shape}; expected [K, 2]")
    values, _ = _codes(groups, count)
    if not values.size:
        return None
    try:
        codes = np.minimum(np.searchsorted(values, array), values.size - 1)
    except TypeError:
        raise IndexesError("exclude_groups of another kind than the groups") from None
    return np.asarray(codes[(values[codes] == array).all(axis=1)], np.int64)


def _codes(groups: ArrayLike, count: int) -> tuple[NDArray[np.generic], Rows]:
    array = np.asarray(groups)
    if array.shape != (count,):
        raise IndexesError(f"groups of shape {array.shape} for {count} vectors; expected one each")
    if array.dtype == np.int64 and count and array.min() >= 0 and array.max() < count:
        # Codes already: of a million rows they need not be sorted, nor held twice.
        return np.arange(int(array.max()) + 1), array
    try:
        values, codes = np.unique(array, return_inverse=True)
    except TypeError:
        raise IndexesError("groups of several kinds; expected all numbers or all text") from None
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise IndexesError("groups with nan in them; expected a group for each vector")
    return values, codes.astype(np.int64)


def at_least_one(value: int, what: str) -> int:
    """`value`, if it is a whole number of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise IndexesError(f"{what} of {value}; expected a whole number of 1 or more")
    return int(value)
