"""Classes of many equal rows: found, so that one of them can be searched for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.base import Mask, Rows, Vectors
from indexes.memory import gather, keep_to_cap

# Rows equal to fewer others than this are searched one by one: their ties cost less than grouping.
MANY = 16
# Values of a row that are looked at first: they lie in a line or two of the cache.
_FIRST = 8
# Values looked at together.
_CHUNK = 2**16
# Rows whose keys are equal by accident are told apart so often; then they stay alone.
_ROUNDS = 8
_Keys = NDArray[np.uint64]
KeysOf = Callable[[NDArray[np.uint32], Rows], _Keys]


@dataclass(frozen=True, eq=False)
class Classes:
    """Sets of `MANY` or more rows whose vectors are equal, bit for bit.

    Attributes:
        members: `[M]` the rows of one class after the other, rising within each.
        starts: `[C + 1]` where in `members` each begins, and the last one ends.
        standing: `[P]` the rows that stand for all: the first of each class, and every row that is
            in none; rising.
        of: `[N]` the class of each row; -1 for those in none.
    """

    members: Rows
    starts: Rows
    standing: Rows
    of: Rows

    @classmethod
    def among(cls, rows: Rows, count: int, members: Sequence[Rows]) -> Classes:
        """Make the classes with these `members` among some `rows` of `count`."""
        joined = np.concatenate(members)
        sizes = [len(part) for part in members]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        of = np.full(count, -1)
        of[joined] = np.repeat(np.arange(len(sizes)), sizes)
        alone = rows[of[rows] < 0]
        return cls(joined, starts, np.sort(np.concatenate([alone, joined[starts[:-1]]])), of)

    @property
    def first(self) -> Rows:
        """`[C]`: the first row of each class."""
        return self.members[self.starts[:-1]]

    def with_row(self, row: int) -> Rows:
        """The rows that are equal to `row`, itself among them."""
        at = int(self.of[row])
        return np.array([row]) if at < 0 else self.members[self.starts[at] : self.starts[at + 1]]

    def spelled(self, rows: Rows, most: int) -> tuple[Rows, Rows]:
        """The rows equal to each of `rows`, at most the first `most`: `[M]` which, and the row."""
        at = self.of[rows]
        counts = self.sizes(rows, most)
        which = np.repeat(np.arange(len(rows)), counts)
        place = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        # Beyond the last start for those in no class: what is found there is not taken.
        inside = np.minimum(self.starts[at[which]] + place, len(self.members) - 1)
        return which, np.where(at[which] < 0, rows[which], self.members[inside])

    def sizes(self, rows: Rows, most: int) -> Rows:
        """Number of rows that are equal to each of `rows`, itself among them, `most` at most."""
        sizes = np.minimum(np.append(np.diff(self.starts), 1), most)
        return np.asarray(sizes[self.of[rows]])


def equal_rows(
    vectors: Vectors, rows: Rows, groups: Rows | None = None, *, keys_of: KeysOf | None = None
) -> Classes | None:
    """Classes of many equal rows among `rows`; None where there are none.

    Where nothing is equal it takes a look at the first few values of each row. Which rows are
    found decides on the time of a search alone, so none has to be.

    Args:
        vectors: `[N, D]`.
        rows: `[P]`, rising.
        groups: `[N]`; if given, those of the rows of a class are equal too.
        keys_of: makes a number of each row, equal where its bits are; `row_keys` if None.
    """
    if len(rows) < MANY:
        return None
    keys_of = keys_of or row_keys
    # As bits: a zero of either sign makes the same scores, but is not taken for the other.
    words = vectors.view(np.uint32)
    rows = np.asarray(rows, np.int64)
    crowded = _crowded(keys_of(words[:, :_FIRST], rows))
    if crowded is None:
        return None
    some = rows[crowded]
    keys = keys_of(words, some)
    if groups is not None:
        keys += groups[some].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    order = np.argsort(keys, kind="stable")
    some, keys = some[order], keys[order]
    edges = np.flatnonzero(keys[1:] != keys[:-1]) + 1
    starts = np.concatenate([[0], edges, [some.size]])
    members: list[Rows] = []
    for at in np.flatnonzero(np.diff(starts) >= MANY):
        left = some[starts[at] : starts[at + 1]]
        for _ in range(_ROUNDS):
            same = _equal_to(words, left, int(left[0]))
            if groups is not None:
                same &= groups[left] == groups[left[0]]
            if np.count_nonzero(same) >= MANY:
                members.append(left[same])
            left = left[~same]
            if left.size < MANY:
                break
    return Classes.among(rows, len(vectors), members) if members else None


def _crowded(keys: _Keys) -> Mask | None:
    """`[P]`, true where `MANY` or more keys are equal; None where that is nowhere."""
    ordered = np.sort(keys)
    last = ordered[MANY - 1 :]
    often = last[last == ordered[: last.size]]
    if not often.size:
        return None
    often = np.unique(often)
    at = np.minimum(np.searchsorted(often, keys), often.size - 1)
    return np.asarray(often[at] == keys)


def row_keys(words: NDArray[np.uint32], rows: Rows) -> _Keys:
    """`[P]`: a number of each row that is equal where all its bits are."""
    width = words.shape[1]
    factors = np.random.default_rng(0).integers(0, 2**64, width, np.uint64, endpoint=False) | 1
    keys = np.empty(len(rows), np.uint64)
    # Rows that stand together need no copy.
    together = len(rows) == len(words)
    step = max(1, _CHUNK // width)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        some = np.ascontiguousarray(words[part]) if together else gather(words, rows[part])
        bits = some.view(np.uint64) if width % 2 == 0 else some.astype(np.uint64)
        # Few values have other than zeros at the end, and a product loses what stands at the top.
        bits = bits ^ (bits >> np.uint64(29))
        np.einsum("nd,d->n", bits, factors[: bits.shape[1]], out=keys[part])
        keep_to_cap()
    return keys


def _equal_to(words: NDArray[np.uint32], rows: Rows, row: int) -> Mask:
    """`[M]`: which of `rows` are equal to `row` in every bit."""
    equal = np.empty(len(rows), np.bool_)
    step = max(1, _CHUNK // words.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        equal[part] = (gather(words, rows[part]) == words[row]).all(axis=1)
    return equal
