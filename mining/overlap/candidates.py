"""Candidates of pictures that show the same in two collections: few of all pairs, by votes.

Every picture has its strongest spots described (`features`). Words that look alike fall under one
key in some of several tables, so that a picture's words vote for the pictures that have many of
them, as they are or mirrored: whatever was cut off, squeezed or compressed, some words are left.
Perceptual hashes add pictures without spots. Who is named here is only likely: `duplicates` judges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from mining.suspects.pictures.alignment import HASH_BITS
from mining.suspects.pictures.features import Bytes, Picture, mirrored_words
from mining.suspects.pictures.single_thread import product
from pairsets.arrays import Rows

# Keys of a word, and bits of each: a stranger's word shares one of the keys in 175,000 cases.
TABLES, BITS = 6, 20
# Words that must vote for a picture, and pictures that are named at most: those with most votes. So
# 149 of 150 planted copies of drawn faces are named, of real ones all 595 (benchmarks/overlap.py).
LEAST_VOTES, MOST = 12, 6
# A key of more pictures than that share of all, and of that number, says nothing: a plain edge.
_COMMON_SHARE, _COMMON = 0.02, 64

# Up to so many bytes a table of who votes for whom is faster than to sort the votes.
TABLE_BYTES = 2**20

Signs = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Twins:
    """Index of pictures that others may show.

    Attributes:
        hashes: `[P, 2]` uint64, the perceptual hash of each, as it is and mirrored.
        digests: rows by the digest of all pixels.
        levels: `[TABLES * BITS]`, what each projection of a word is compared with.
        keys: `[E]` int64, of all words, rising.
        owners: `[E]` int64, the row of the picture of each word.
    """

    hashes: NDArray[np.uint64]
    digests: dict[bytes, list[int]]
    levels: Signs
    keys: Rows
    owners: Rows

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Twins:
        """Index `pictures` by their words, hashes and digests; some 25 kB of memory each."""
        words = [picture.words for picture in pictures]
        everything = np.concatenate([*words, np.zeros((0, 128), np.uint8)])
        # Bits that are as often set as not tell most. A sample of words says where that is.
        step = max(1, len(everything) // 100_000)
        sample = _projected(everything[::step])
        levels = np.median(sample, axis=0) if len(sample) else np.zeros(TABLES * BITS)
        levels = levels.astype(np.float32)
        both = [_keys(way(own), levels) for way in (np.asarray, mirrored_words) for own in words]
        keys = np.concatenate([*both, np.zeros(0, np.int64)])
        owners = np.repeat(
            np.tile(np.arange(len(words)), 2), [own.size for own in both] if both else []
        )
        order = np.argsort(keys, kind="stable")
        digests: dict[bytes, list[int]] = defaultdict(list)
        for row, picture in enumerate(pictures):
            digests[picture.digest].append(row)
        return cls(
            np.array([picture.hashes for picture in pictures], np.uint64).reshape(-1, 2),
            dict(digests),
            levels,
            keys[order],
            owners[order].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.hashes)

    def likely(self, picture: Picture) -> list[int]:
        """Rows of the pictures that this one may show, rising; none for most."""
        found = {*self.digests.get(picture.digest, ())}
        near = np.bitwise_count(self.hashes ^ np.uint64(picture.hashes[0])) <= HASH_BITS
        found.update(np.flatnonzero(near.any(axis=1))[:MOST].tolist())
        votes = self._votes(picture.words)
        rows = np.flatnonzero(votes >= LEAST_VOTES)
        found.update(rows[np.argsort(-votes[rows], kind="stable")[:MOST]].tolist())
        return sorted(found)

    def _votes(self, words: Bytes) -> Rows:
        """`[P]`: how many of the words each picture has."""
        keys = _keys(words, self.levels)
        # Sorted, they are found in one way through memory.
        order = np.argsort(keys)
        keys = keys[order]
        first = np.searchsorted(self.keys, keys)
        counts = np.searchsorted(self.keys, keys, side="right") - first
        counts[counts > max(_COMMON, _COMMON_SHARE * len(self))] = 0
        word = np.repeat(order // TABLES, counts)
        # Places in `owners`: of each key, from its first one on.
        ends = np.cumsum(counts)
        places = np.arange(word.size) + np.repeat(first - (ends - counts), counts)
        owners = self.owners[places]
        # A word votes once for a picture, whatever keys they share.
        if len(words) * len(self) <= TABLE_BYTES:
            voted = np.zeros((len(words), len(self)), bool)
            voted[word, owners] = True
            return np.asarray(voted.sum(axis=0), np.int64)
        voters = np.unique(word * len(self) + owners)
        return np.bincount(voters % len(self), minlength=len(self))


def _projected(words: Bytes) -> Signs:
    """`[N, TABLES * BITS]`: sums of whole numbers below 2^24, exact whatever their order."""
    return product(words.astype(np.float32), _signs())


@cache
def _signs() -> Signs:
    """`[128, TABLES * BITS]`: what a word is projected by."""
    signs = np.random.default_rng(0).integers(0, 2, (128, TABLES * BITS)) * 2 - 1
    return signs.astype(np.float32)


def _keys(words: Bytes, levels: Signs) -> Rows:
    """`[N * TABLES]`: the keys of each word, one in each table."""
    bits = (_projected(words) > levels).reshape(len(words), TABLES, BITS)
    codes = bits @ (1 << np.arange(BITS, dtype=np.int64))
    return np.asarray(codes + (np.arange(TABLES) << BITS)).ravel()
