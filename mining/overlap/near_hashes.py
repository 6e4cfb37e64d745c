"""Perceptual hashes that differ by few bits: found by parts of them, not one by one."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mining.suspects.pictures.alignment import HASH_BITS
from pairsets.arrays import Rows

# Bits of a part. Of hashes that differ by `HASH_BITS` at most, one of four parts differs by a
# quarter of that at most, rounded down (Norouzi, Punjani and Fleet, 2012): none is missed.
_BITS = 16
_PARTS = 64 // _BITS
# So few are asked one by one sooner.
FEW = 1 << 15


class NearHashes:
    """Index of hashes, two a picture, of which near ones are asked for.

    Args:
        hashes: `[N, 2]` uint64: of a picture as it is, and mirrored.
    """

    def __init__(self, hashes: NDArray[np.uint64]) -> None:
        self._hashes = hashes.ravel()
        self._rows, self._starts = [], []
        for part in range(_PARTS):
            keys = self._part(self._hashes, part)
            self._rows.append(np.argsort(keys, kind="stable"))
            counts = np.bincount(keys, minlength=1 << _BITS)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))

    def near(self, wanted: int) -> Rows:
        """Pictures of which a hash differs from the wanted one by `HASH_BITS` bits at most.

        Rising; each once.
        """
        one, found = np.uint64(wanted), [np.zeros(0, np.int64)]
        if len(self._hashes) <= FEW:
            near = np.bitwise_count(self._hashes ^ one) <= HASH_BITS
            return np.unique(np.flatnonzero(near) // 2)
        for part in range(_PARTS):
            keys = self._part(np.array([one]), part) ^ _flips()
            starts, rows = self._starts[part], self._rows[part]
            first, counts = starts[keys], starts[keys + 1] - starts[keys]
            some = counts > 0
            first, counts = first[some], counts[some]
            ends = np.cumsum(counts)
            places = np.arange(ends[-1] if len(ends) else 0)
            found.append(rows[places + np.repeat(first - (ends - counts), counts)])
        likely = np.concatenate(found)
        near = np.bitwise_count(self._hashes[likely] ^ one) <= HASH_BITS
        return np.unique(likely[near] // 2)

    @staticmethod
    def _part(hashes: NDArray[np.uint64], part: int) -> Rows:
        shifted = hashes >> np.uint64(_BITS * part)
        return np.asarray(shifted & np.uint64((1 << _BITS) - 1), np.int64)


@cache
def _flips() -> Rows:
    """Every way in which a part may differ."""
    most = HASH_BITS // _PARTS
    ways = [c for bits in range(most + 1) for c in combinations(range(_BITS), bits)]
    return np.array([sum(1 << bit for bit in way) for way in ways], np.int64)
