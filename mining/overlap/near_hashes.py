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
# Bits of a row, below those by which it is ranked.
_ROW_BITS = 40


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

    def near(self, wanted: int, most: int) -> Rows:
        """Pictures of which a hash differs from the wanted one by `HASH_BITS` bits at most.

        The nearest first, of equal ones the first row; each once, and no more than `most`.
        """
        one, few = np.uint64(wanted), len(self._hashes) <= FEW
        places = np.arange(len(self._hashes)) if few else self._with_a_part_alike(one)
        bits = np.bitwise_count(self._hashes[places] ^ one)
        places, bits = places[bits <= HASH_BITS], bits[bits <= HASH_BITS]
        # The bits in front of the row: sorted, the nearest come first.
        ranked = np.sort((bits.astype(np.int64) << _ROW_BITS) + places // 2)
        rows = ranked & ((1 << _ROW_BITS) - 1)
        # Of one that is named again, mirrored or by another part, the first time counts.
        _, first = np.unique(rows, return_index=True)
        return np.asarray(rows[np.sort(first)][:most])

    def _with_a_part_alike(self, one: np.uint64) -> Rows:
        """Places of hashes of which a part differs by few bits, some of them several times."""
        found = [np.zeros(0, np.int64)]
        for part in range(_PARTS):
            keys = self._part(np.array([one]), part) ^ _flips()
            starts, rows = self._starts[part], self._rows[part]
            first, counts = starts[keys], starts[keys + 1] - starts[keys]
            some = counts > 0
            first, counts = first[some], counts[some]
            ends = np.cumsum(counts)
            places = np.arange(ends[-1] if len(ends) else 0)
            found.append(rows[places + np.repeat(first - (ends - counts), counts)])
        return np.concatenate(found)

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
