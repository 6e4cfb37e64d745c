"""Best pairs between two sets of vectors: probe and gallery, an old release and a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes import join
from indexes.base import (
    IndexesError,
    Metric,
    PairsBetween,
    Rows,
    Scores,
    TopPairs,
    Vectors,
    as_groups,
    as_metric,
    as_vectors,
    at_least_one,
    group_pairs,
)
from indexes.join.stack import Stacked
from indexes.unit_rows import measured_rows


@runtime_checkable
class HasVectors(Protocol):
    """An index that holds its vectors `[N, D]`, as `FlatIndex` does."""

    vectors: Vectors


class StackedIndex:
    """`TwoSets` with one numbering: the rows of the second set follow those of the first.

    Args:
        left, right: `[A, D]` and `[B, D]`.

    Raises:
        IndexesError: vectors of another shape, not finite, or of different dimensions.

    >>> both = StackedIndex([[1, 0], [0, 1]], [[0.6, 0.8], [1, 0]])
    >>> best = both.top_pairs(2, groups=["a", "b", "b", "c"])
    >>> best.i.tolist(), best.j.tolist(), best.scores.round(6).tolist()
    ([0, 0], [3, 2], [1.0, 0.6])
    """

    exact = True

    def __init__(self, left: ArrayLike, right: ArrayLike) -> None:
        first, second = as_vectors(left), as_vectors(right, "vectors of the second set")
        if first.shape[1] != second.shape[1]:
            raise IndexesError(
                f"vectors of {first.shape[1]} dimensions in the first set and of {second.shape[1]} "
                "in the second; expected those of one model"
            )
        self.vectors = Stacked(first, second)

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def split(self) -> int:
        """Number of the second set's first row: how many the first set has."""
        return self.vectors.split

    def top_pairs(
        self,
        n: int,
        groups: ArrayLike,
        *,
        min_score: float | None = None,
        max_score: float | None = None,
        exclude: ArrayLike | None = None,
        ceilings: ArrayLike | None = None,
        active: ArrayLike | None = None,
        exclude_groups: ArrayLike | None = None,
        how: join.SearchOptions | None = None,
        progress: join.Progress | None = None,
        checkpoint: Path | None = None,
    ) -> TopPairs:
        """The n best pairs i < `split` <= j whose `groups [A + B]` differ, exact over all pairs.

        Args and errors are those of `FlatIndex.top_pairs`, over the rows of both sets.
        """
        return join.top_pairs(
            self.vectors,
            as_groups(groups, len(self)),
            at_least_one(n, "n"),
            min_score=min_score,
            max_score=max_score,
            exclude=exclude,
            ceilings=ceilings,
            active=active,
            exclude_groups=group_pairs(exclude_groups, groups, len(self)),
            how=how,
            progress=progress,
            checkpoint=checkpoint,
        )

    def best_of_group(self, groups: ArrayLike) -> Scores:
        """`[A + B]`: the highest score of each row with another of its group, of either set."""
        return join.best_of_group(self.vectors.rows, as_groups(groups, len(self)))


class TwoSets:
    """Exact search for pairs of a row of `left` with a row of `right`.

    As `FlatIndex.top_pairs` finds them among the rows of one set. Neither set is copied if it is
    C-ordered float32, so memory-mapped files stay on disk.

    Args:
        left, right: `[A, D]` and `[B, D]`, or indexes of them.
        metric: `cosine` brings both to unit norm, in memory.

    Raises:
        IndexesError: vectors of another shape, not finite, or of different dimensions; of
            `cosine`, rows of nothing but noughts; an index of cosines in a search by inner product.

    >>> both = TwoSets([[1, 0], [0, 1]], [[0.6, 0.8], [1, 0]])
    >>> found = both.top_pairs(2, (["a", "b"], ["b", "c"]))
    >>> found.i.tolist(), found.j.tolist(), found.scores.round(6).tolist()
    ([0, 0], [1, 0], [1.0, 0.6])
    """

    exact = True

    def __init__(
        self,
        left: ArrayLike | HasVectors,
        right: ArrayLike | HasVectors,
        metric: Metric = "inner_product",
    ) -> None:
        self.metric: Metric = as_metric(metric)
        self._both = StackedIndex(
            _vectors_of(left, self.metric, "vectors"),
            _vectors_of(right, self.metric, "vectors of the second set"),
        )

    def __repr__(self) -> str:
        both = self._both
        count, width = both.vectors.shape
        sizes = f"{both.split:,} and {count - both.split:,} vectors"
        return f"TwoSets({sizes} of {width:,} dimensions, metric={self.metric!r})"

    def top_pairs(
        self,
        n: int,
        groups: tuple[ArrayLike, ArrayLike],
        *,
        min_score: float | None = None,
        max_score: float | None = None,
        exclude: ArrayLike | None = None,
        ceilings: tuple[ArrayLike | None, ArrayLike | None] | None = None,
        active: tuple[ArrayLike | None, ArrayLike | None] | None = None,
        exclude_groups: ArrayLike | None = None,
        how: join.SearchOptions | None = None,
        progress: join.Progress | None = None,
        checkpoint: Path | None = None,
    ) -> PairsBetween:
        """The n best pairs of a row of `left` and one of `right` whose groups differ, exact.

        Args:
            n: how many; all if fewer exist.
            groups: `[A]` and `[B]` values of one kind. Those that are equal are one group, in
                either set.
            min_score, max_score: the scores that count, both included.
            exclude: `[K, 2]` pairs that do not count: a row of `left`, a row of `right`.
            ceilings: `[A]` and `[B]`; a pair counts only if it scores at most the lower of its
                two. None in place of either is no limit.
            active: `[A]` and `[B]` bool, the rows that may be used; None in place of either is all.
            exclude_groups: `[K, 2]` pairs of groups that do not count, either way round.
            how, progress, checkpoint: see `FlatIndex.top_pairs`.

        Raises:
            IndexesError: n below 1, groups of another length, limits that are no numbers.
        """
        both = self._both
        size = both.split, len(both)
        found = both.top_pairs(
            n,
            _joined_groups(groups, *size),
            min_score=min_score,
            max_score=max_score,
            exclude=_numbered_through(exclude, *size),
            ceilings=_joined_values(ceilings, *size, default=np.inf, what="ceilings"),
            active=_joined_values(active, *size, default=True, what="active"),
            exclude_groups=exclude_groups,
            how=how,
            progress=progress,
            checkpoint=checkpoint,
        )
        return PairsBetween(found.i, found.j - both.split, found.scores)


def _vectors_of(rows: ArrayLike | HasVectors, metric: Metric, what: str) -> Vectors:
    """Vectors to search by the metric; those of an index of cosines are of unit norm already."""
    if not isinstance(rows, HasVectors):
        return measured_rows(rows, metric, what)
    own = getattr(rows, "metric", "inner_product")
    if own == metric:
        return rows.vectors
    if own != "inner_product":
        raise IndexesError(
            f"an index of metric {own!r} in a search by {metric!r}, for which its rows are of unit "
            f"norm; expected metric={own!r}"
        )
    return measured_rows(rows.vectors, metric, what)


def _joined_groups(
    groups: tuple[ArrayLike, ArrayLike], split: int, count: int
) -> NDArray[np.generic]:
    """Groups of both sets as one array: what is equal in both is one group.

    Args:
        groups: `[A]` and `[B]` values of one kind.
        split, count: A, and A + B.

    Raises:
        IndexesError: another length, or values of several kinds.
    """
    try:
        left, right = groups
    except (TypeError, ValueError):
        raise IndexesError("groups of no two sets; expected those of either") from None
    both = []
    for values, expected, which in ((left, split, "first"), (right, count - split, "second")):
        array = np.asarray(values)
        if array.shape != (expected,):
            raise IndexesError(
                f"groups of shape {array.shape} for {expected} vectors of the {which} set; "
                "expected one each"
            )
        both.append(array)
    if both[0].dtype.kind != both[1].dtype.kind:
        # As one array, 1 would become "1", and large numbers lose their last digits.
        both = [array.astype(object) for array in both]
    return np.concatenate(both)


def _numbered_through(exclude: ArrayLike | None, split: int, count: int) -> Rows | None:
    """Pairs `[K, 2]` of a row of the first set and one of the second, numbered through.

    Raises:
        IndexesError: another shape, or a number that is no row of its set.
    """
    if exclude is None:
        return None
    try:
        array = np.asarray(exclude)
    except ValueError:
        raise IndexesError("exclude of rows of several lengths; expected [K, 2]") from None
    if array.size == 0:
        return None
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise IndexesError(f"exclude of shape {array.shape}; expected whole numbers [K, 2]")
    wrong = np.flatnonzero(((array < 0) | (array >= [split, count - split])).any(axis=1))
    if wrong.size:
        row = int(wrong[0])
        raise IndexesError(
            f"exclude: row {row} is {array[row].tolist()}; expected a row of the first set, "
            f"0 to {split - 1}, and one of the second, 0 to {count - split - 1}"
        )
    return np.asarray(array + np.array([0, split]), np.int64)


def _joined_values(
    values: tuple[ArrayLike | None, ArrayLike | None] | None,
    split: int,
    count: int,
    *,
    default: float | bool,
    what: str,
) -> NDArray[np.generic] | None:
    """A value of each row, `[A + B]`; `default` where one set has none, None where both have.

    Raises:
        IndexesError: another length, or not two.
    """
    if values is None:
        return None
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise IndexesError(f"{what} of {type(values).__name__}; expected a pair: of either set")
    parts = []
    for part, expected, which in zip(
        values, (split, count - split), ("first", "second"), strict=True
    ):
        try:
            array = np.full(expected, default) if part is None else np.asarray(part)
        except ValueError:
            raise IndexesError(f"{what} of several lengths; expected a value each") from None
        if array.shape != (expected,):
            raise IndexesError(
                f"{what} of shape {array.shape} for {expected} vectors of the {which} set; "
                "expected a value each"
            )
        parts.append(array)
    if default is True and any(part.dtype != np.bool_ for part in parts):
        raise IndexesError(f"{what} of no truth values; expected one for each vector")
    return np.concatenate(parts)
