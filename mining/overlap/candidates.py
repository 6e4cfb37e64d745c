"""Candidates of pictures that show the same in a collection: few of all pairs, by votes.

Words of pictures (`features`) that look alike fall under one key in some of several tables, so that
a picture's words vote for the pictures that have many of them, as they are or mirrored: whatever
was cut off, turned, squeezed or compressed, some words are left. A word that many have says less.
Perceptual hashes add pictures without spots. Who is named here is only likely: `duplicates` judges.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.overlap.near_hashes import NearHashes
from mining.suspects.pictures.features import Bytes, Picture, mirrored_words
from mining.suspects.pictures.single_thread import product
from pairsets.arrays import Rows

# Keys of a word, and bits of each.
TABLES, BITS = 4, 22
# Votes that a picture needs at most, and pictures that are named at most: those with most votes. So
# all 150 planted copies of drawn faces are named, and all 595 of real ones (benchmarks/overlap.py).
MOST_NEEDED, MOST = 6.5, 6
# In a large collection words are rarer and votes fewer: then it needs so many times what the best
# other picture usually has, and this at least.
_ABOVE_USUAL, LEAST_NEEDED = 1.6, 1.5
# Pictures that tell what is usual.
_ASKED = 256
# Pictures that are named by their hash, the nearest ones: in a large collection many are alike by
# chance.
MOST_BY_HASH = 3
# A key of more pictures than that says less of each, in proportion, and one of many, a plain edge,
# nothing: all words of a picture would not make up the votes that it needs.
_TELLING, _COMMON = 4, 128
# Votes are counted in whole numbers: exact, whatever their order.
_WHOLE, _WEIGHT_BITS = 840, 10
# Keys from which on each is looked up by itself: that takes 64 MB.
FEW_KEYS = 1 << 20
# Pictures whose words tell where bits are as often set as not.
_SAMPLED = 1024

Signs = NDArray[np.float32]
Keys = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Entry:
    """Entry of a picture in the index: some 4 kB for what is a picture of 17.

    Attributes:
        hashes: the perceptual hash, as it is and mirrored.
        digest: of all pixels.
        keys: `[2, K, TABLES]`, of its words, as they are and mirrored; `[1, K, TABLES]` of one that
            is asked for alone.
    """

    hashes: tuple[int, int]
    digest: bytes
    keys: Keys


class Twins:
    """Index of pictures that others may show.

    Args:
        entries: of the pictures, by `entry_of` with `levels`.
        levels: `[TABLES * BITS]`, what each projection of a word is compared with.
    """

    def __init__(self, entries: Iterable[Entry], levels: Signs) -> None:
        entries = list(entries)
        self.levels, self._count = levels, len(entries)
        self._digests: dict[bytes, list[int]] = defaultdict(list)
        for row, entry in enumerate(entries):
            self._digests[entry.digest].append(row)
        hashes = np.array([entry.hashes for entry in entries], np.uint64).reshape(-1, 2)
        self._hashes = NearHashes(hashes)
        # Mirrored pictures have rows of their own behind the others.
        words = [entry.keys.shape[1] for entry in entries]
        owners = np.repeat(np.arange(2 * len(entries), dtype=np.int32), [*words, *words])
        self._postings = Postings(
            (
                np.concatenate(
                    [*(entry.keys[way, :, table] for way in (0, 1) for entry in entries), _NO_KEYS]
                )
                for table in range(TABLES)
            ),
            owners,
        )
        self._needed = self._usually_enough(entries)

    @classmethod
    def of(cls, pictures: Iterable[Picture]) -> Twins:
        """Index `pictures`; some 10 kB of memory each."""
        pictures = list(pictures)
        levels = levels_of(pictures)
        return cls([entry_of(picture, levels) for picture in pictures], levels)

    def __len__(self) -> int:
        return self._count

    def likely(self, picture: Picture | Entry, *, most: int | None = None) -> list[int]:
        """Rows of the pictures that this one may show, rising; none for most.

        Args:
            picture: that is looked for.
            most: of pictures with the very same pixels, so many are named at most, the first ones;
                all where it is None. Within one folder these join all of them.
        """
        if isinstance(picture, Picture):
            picture = entry_of(picture, self.levels, both=False)
        found = {*self._digests.get(picture.digest, [])[:most]}
        # Itself, and files that are equal, take no place of the others.
        near = self._hashes.near(picture.hashes[0], MOST_BY_HASH + len(found)).tolist()
        found.update([row for row in near if row not in found][:MOST_BY_HASH])
        found.update(self._elected(picture.keys[0], self._needed)[0][:MOST].tolist())
        return sorted(found)

    def _usually_enough(self, entries: Sequence[Entry]) -> int:
        """Votes that a picture needs, in parts of a whole one: more than others usually have."""
        rows = np.arange(0, len(entries), max(1, -(-len(entries) // _ASKED)))
        best = []
        for row in rows.tolist():
            others, votes = self._elected(entries[row].keys[0], 0)
            votes = votes[others != row]
            best.append(votes[0] if len(votes) else 0)
        usual = float(np.median(best)) if best else 0.0
        return int(np.clip(_ABOVE_USUAL * usual, _WHOLE * LEAST_NEEDED, _WHOLE * MOST_NEEDED))

    def _elected(self, keys: Keys, needed: int) -> tuple[Rows, Rows]:
        """Pictures that words vote for, as they are or mirrored, and their votes: most first.

        Args:
            keys: `[K, TABLES]`, of the words.
            needed: votes, of `_WHOLE` parts each.
        """
        nobody = np.zeros(0, np.int64), np.zeros(0, np.int64)
        word, first, many = self._postings.of(keys)
        few = many <= _COMMON
        word, first, many = word[few], first[few], many[few]
        if not len(many):
            return nobody
        # Places of owners: of each key, from its first one on.
        ends = np.cumsum(many)
        places = np.arange(ends[-1]) + np.repeat(first - (ends - many), many)
        weights = np.repeat(_WHOLE * _TELLING // np.maximum(many, _TELLING), many)
        # One number for whom a word votes, which word, and how much it says.
        bits = len(keys).bit_length()
        said = (self._postings.owners[places].astype(np.int64) << bits) + np.repeat(word, many)
        ranked = np.sort((said << _WEIGHT_BITS) + weights)
        said = ranked >> _WEIGHT_BITS
        # A word votes once for a picture, whatever keys they share: by the one that says most.
        last = np.append(said[1:] != said[:-1], True)
        owners, weights = said[last] >> bits, ranked[last] & ((1 << _WEIGHT_BITS) - 1)
        starts = np.flatnonzero(np.append(True, owners[1:] != owners[:-1]))
        votes = np.add.reduceat(weights, starts)
        enough = votes >= needed
        rows, votes = owners[starts[enough]] % self._count, votes[enough]
        # Of a picture and its mirror image the one that has more.
        order = np.lexsort([rows, -votes])
        _, first = np.unique(rows[order], return_index=True)
        order = order[np.sort(first)]
        return rows[order], votes[order]


class Postings:
    """Owners of each key of several tables, behind each other.

    Where there are many keys, where each begins is looked up by the key itself: searched for, each
    would be far away in memory many times.

    Args:
        tables: keys `[N]` of each table.
        owners: `[N]` of the keys, alike in all tables.

    Attributes:
        owners: of all tables, by key.
    """

    def __init__(self, tables: Iterable[Keys], owners: Keys) -> None:
        known, counts, owned = [], [], []
        for table, keys in enumerate(tables):
            # Of a key its owners rise, as they do in `owners`.
            ranked = np.sort((keys.astype(np.int64) << 32) + owners)
            owned.append((ranked & 0xFFFFFFFF).astype(np.int32))
            rising = (ranked >> 32).astype(np.int32)
            first = np.flatnonzero(np.append(True, rising[1:] != rising[:-1])[: len(rising)])
            # Keys of each table are numbers of their own.
            known.append(rising[first] + (table << BITS))
            counts.append(np.diff(first, append=len(rising)))
        self.owners = np.concatenate(owned)
        starts = np.concatenate([[0], np.cumsum(np.concatenate(counts))])
        narrow: type[np.signedinteger[Any]] = np.int32 if len(self.owners) < 2**31 else np.int64
        self._starts: NDArray[np.signedinteger[Any]] = starts.astype(narrow)
        self._keys = np.concatenate(known)
        self._places: NDArray[np.signedinteger[Any]] | None = None
        if len(self._keys) > FEW_KEYS:
            # Of a key that nobody has it is where the next one is.
            places = np.zeros((len(known) << BITS) + 1, np.int32)
            places[self._keys + 1] = 1
            self._places = np.cumsum(places, dtype=np.int32)
            self._keys = _NO_KEYS

    def of(self, keys: Keys) -> tuple[Rows, Rows, Rows]:
        """Number of a word, where its owners begin, and how many: of each key that anybody has.

        Args:
            keys: `[K, TABLES]`, of each word in each table.
        """
        sought = (keys + _TABLE).ravel()
        # Sorted, they are found in one way through memory.
        word = np.argsort(sought)
        sought = sought[word]
        if self._places is None:
            place = np.searchsorted(self._keys, sought)
            same = place < len(self._keys)
            same[same] = self._keys[place[same]] == sought[same]
        else:
            place = self._places[sought]
            same = self._places[sought + 1] > place
        place, word = place[same], word[same] // TABLES
        first = self._starts[place].astype(np.int64)
        return word, first, self._starts[place + 1] - first


def levels_of(pictures: Iterable[Picture]) -> Signs:
    """`[TABLES * BITS]`: what projections of words are compared with, so that bits tell most.

    A sample of the pictures says it.
    """
    words = [picture.words for _, picture in zip(range(_SAMPLED), pictures, strict=False)]
    everything = np.concatenate([*words, np.zeros((0, 128), np.uint8)])
    if not len(everything):
        return np.zeros(TABLES * BITS, np.float32)
    sample = _projected(everything[:: max(1, len(everything) // 20_000)])
    return np.median(sample, axis=0).astype(np.float32)


def entry_of(picture: Picture, levels: Signs, *, both: bool = True) -> Entry:
    """Entry of a picture; as it is alone, it can be asked for, but not be in the index."""
    ways = [picture.words, *([mirrored_words(picture.words)] if both else [])]
    keys = np.stack([_keys(words, levels) for words in ways])
    return Entry(picture.hashes, picture.digest, keys)


def _projected(words: Bytes) -> Signs:
    """`[N, TABLES * BITS]`: sums of whole numbers below 2^24, exact whatever their order."""
    return product(words.astype(np.float32), _signs())


@cache
def _signs() -> Signs:
    """`[128, TABLES * BITS]`: what a word is projected by."""
    signs = np.random.default_rng(0).integers(0, 2, (128, TABLES * BITS)) * 2 - 1
    return signs.astype(np.float32)


def _keys(words: Bytes, levels: Signs) -> Keys:
    """`[N, TABLES]`: the keys of each word."""
    bits = (_projected(words) > levels).reshape(len(words), TABLES, BITS)
    return np.asarray(bits @ (1 << np.arange(BITS, dtype=np.int32)), np.int32)


_NO_KEYS = np.zeros(0, np.int32)
# Keys of each table are numbers of their own.
_TABLE = np.arange(TABLES, dtype=np.int32) << BITS
