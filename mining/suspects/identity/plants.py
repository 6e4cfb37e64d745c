"""Planted mistakes: faces moved to other identities, identities split in two; by seeds alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pairsets.arrays import Rows

# Planted in one world: few enough that the others stay what they are, and enough to count.
SHARE, MOST = 0.02, 200
_LEAST = 2
# Worlds that are made until so many are planted.
WORLDS, WANTED = 8, 100
# Faces that an identity keeps when one of its faces is moved, and that each half of one must have.
_KEPT, _HALF = 2, 2


@dataclass(frozen=True, eq=False)
class Planted:
    """A world in which some identities of faces are wrong.

    Attributes:
        codes: `[N]` number of each face's identity, dense.
        rows: the faces that were moved; empty where identities were split.
        pairs: `[P, 2]` numbers of the two halves of each identity that was split.
    """

    codes: Rows
    rows: Rows
    pairs: Rows


def moved_faces(codes: Rows, world: int) -> Planted:
    """Some faces moved to an identity drawn at random, from identities that keep two or more."""
    generator = np.random.default_rng([world, 1])
    counts = np.bincount(codes)
    few = int(np.clip(SHARE * len(codes), _LEAST, MOST))
    found, left = codes.copy(), counts.copy()
    rows: list[int] = []
    for row in generator.permutation(len(codes)).tolist():
        code = codes[row]
        if len(rows) == few:
            break
        if left[code] <= _KEPT or len(counts) < 2:
            continue
        other = int(generator.integers(len(counts) - 1))
        found[row] = other + (other >= code)
        left[code] -= 1
        rows.append(row)
    return Planted(found, np.array(sorted(rows), np.int64), np.empty((0, 2), np.int64))


def split_identities(codes: Rows, world: int) -> Planted:
    """Some identities split in two halves of their faces, each of two faces or more."""
    generator = np.random.default_rng([world, 2])
    counts = np.bincount(codes)
    large = generator.permutation(np.flatnonzero(counts >= 2 * _HALF))
    chosen = large[: int(np.clip(SHARE * len(counts), _LEAST, MOST))]
    found, pairs = codes.copy(), []
    for number, code in enumerate(chosen.tolist(), len(counts)):
        rows = generator.permutation(np.flatnonzero(codes == code))
        found[rows[: len(rows) // 2]] = number
        pairs.append((code, number))
    return Planted(found, np.empty(0, np.int64), np.array(pairs, np.int64).reshape(-1, 2))


Plant = Callable[[Rows, int], Planted]
"""A way to plant, of the identities' numbers and the number of the world."""
