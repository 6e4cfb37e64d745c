"""Pairs of faces by number: each path once, however many pairs it stands in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Mask, Rows
from pairsets.paths import strings, why_unsafe
from pairsets.sorted_arrays import sort_in_place

Codes = NDArray[np.int32]
# Pairs that are worked on at a time.
BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class FaceCodes:
    """Faces, and which two of them each pair has.

    Attributes:
        faces: `[K]` str, each once, and each in some pair.
        a, b: `[N]`, the faces of each pair.
    """

    faces: NDArray[np.object_]
    a: Codes
    b: Codes

    @classmethod
    def of(cls, path_a: NDArray[np.object_], path_b: NDArray[np.object_]) -> FaceCodes:
        """Pairs of the paths `[N]` each; faces are numbered as they come, those of A first.

        >>> FaceCodes.of(strings(["a/1", "b/2"]), strings(["b/2", "c/3"])).b.tolist()
        [1, 2]
        """
        both = np.concatenate([path_a, path_b])
        # What is no text is a face too, to be told of.
        numbers, faces = pd.factorize(both, use_na_sentinel=False)
        codes: Codes = numbers.astype(np.int32)
        return cls(strings(faces), codes[: len(path_a)], codes[len(path_a) :])

    @classmethod
    def used(cls, faces: Iterable[str], a: ArrayLike, b: ArrayLike) -> FaceCodes:
        """Pairs `a [N]` and `b [N]` of some of `faces`; the others get no number.

        >>> found = FaceCodes.used(["a/1", "b/2", "c/3"], [0], [2])
        >>> found.faces.tolist(), found.b.tolist()
        (['a/1', 'c/3'], [1])
        """
        known = strings(faces)
        first, second = (np.asarray(side, np.int32) for side in (a, b))
        there = np.zeros(len(known), np.bool_)
        there[first] = there[second] = True
        if there.all():
            return cls(known, first, second)
        number = np.cumsum(there, dtype=np.int32) - np.int32(1)
        return cls(strings(known[there]), number[first], number[second])

    def __len__(self) -> int:
        return len(self.a)

    @property
    def path_a(self) -> NDArray[np.object_]:
        """`[N]`, read-only: path of the first face of each pair."""
        return of_each(self.faces, self.a)

    @property
    def path_b(self) -> NDArray[np.object_]:
        """`[N]`, read-only: path of the second face of each pair."""
        return of_each(self.faces, self.b)

    @property
    def alone(self) -> Mask:
        """`[N]`: pairs of a face with itself."""
        return np.asarray(self.a == self.b)

    def take(self, rows: Mask | Rows) -> FaceCodes:
        """Some of the pairs, by mask or by number."""
        return FaceCodes.used(self.faces, self.a[rows], self.b[rows])

    def keys(self) -> Rows:
        """`[N]`: a number of the two faces of each pair, equal for both orders of the two."""
        found = np.empty(len(self), np.int64)
        for rows in blocks(len(self)):
            a, b = (side[rows].astype(np.int64) for side in (self.a, self.b))
            found[rows] = np.minimum(a, b) * len(self.faces) + np.maximum(a, b)
        return found

    def repeated(self) -> tuple[Rows, Rows]:
        """Rows of pairs that are listed already, in either order, and where each was first.

        >>> pairs = FaceCodes.used(["a", "b", "c"], [0, 1, 0, 1], [1, 2, 2, 0])
        >>> [rows.tolist() for rows in pairs.repeated()]
        [[3], [0]]
        """
        keys = self.keys()
        ranked = keys.copy()
        sort_in_place(ranked)
        twice = np.unique(ranked[1:][ranked[1:] == ranked[:-1]])
        del ranked
        if not twice.size:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        found = []
        for rows in blocks(len(self)):
            place = np.minimum(np.searchsorted(twice, keys[rows]), twice.size - 1)
            found.append(np.flatnonzero(twice[place] == keys[rows]) + rows.start)
        among = np.concatenate(found)
        _, first, inverse = np.unique(keys[among], return_index=True, return_inverse=True)
        earlier = among[first[inverse]]
        again = earlier != among
        return among[again], earlier[again]

    def sound(self) -> bool:
        """Whether all paths are safe, and no pair is one of a face with itself or listed twice."""
        if any(not isinstance(face, str) or why_unsafe(face) for face in self.faces):
            return False
        return not self.alone.any() and not self.repeated()[0].size


def of_each(values: NDArray[np.object_], codes: Codes) -> NDArray[np.object_]:
    """The value of each code, `[N]`, read-only."""
    found = values[codes]
    found.setflags(write=False)
    return found


def blocks(count: int) -> Iterator[slice]:
    """The rows 0 to `count` - 1, some at a time."""
    for first in range(0, count, BLOCK):
        yield slice(first, min(first + BLOCK, count))
