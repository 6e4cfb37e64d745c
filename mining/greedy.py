"""The greedy choice: from pairs in rank order, those that exceed no occurrence cap.

A pair is taken if, with the pairs taken before it, none of its images and characters, nor the two
characters together, are in more pairs than their cap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mining.ranking import Ranked, Spent
from mining.rules import Rules
from pairsets.faces import Faces

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
REASONS = ("image", "character", "character pair")
# Pairs looked at between two sweeps that drop those with something used up.
_CHUNK = 2**13
_NEVER = np.iinfo(np.int64).max


class Greedy:
    """What has been taken so far, and what each image, character and pair of them has left.

    Attributes:
        wanted: how many pairs are still to be taken.
        depth: the rank of the last pair taken among those offered, from 1.
        passed_over: pairs left out, by cap.
    """

    def __init__(self, faces: Faces, n: int, rules: Rules) -> None:
        self.wanted, self.depth, self._offered = n, 0, 0
        self._groups = faces.groups
        self._size = int(self._groups.max(initial=-1)) + 1
        self._cap_of_two = rules.max_per_character_pair
        self._images = _Supply.of(len(faces), rules.max_per_image)
        self._characters = _Supply.of(self._size, rules.max_per_character)
        self._two: dict[int, int] = {}
        caps = (rules.max_per_image, rules.max_per_character, rules.max_per_character_pair)
        self.passed_over = {
            reason: 0 for reason, cap in zip(REASONS, caps, strict=True) if cap is not None
        }

    def offer(self, i: Rows, j: Rows) -> Mask:
        """Take from the next pairs of the ranking; `[M]`, true for those taken."""
        images, characters = self._images, self._characters
        a, b = self._groups[i], self._groups[j]
        keys, two, pairs = self._pairs_of(a, b)
        taken = np.zeros(len(i), np.bool_)
        looked = len(i)
        for start in range(0, len(i), _CHUNK):
            part = slice(start, start + _CHUNK)
            usable = (images.left[i[part]] > 0) & (images.left[j[part]] > 0)
            usable &= (characters.left[a[part]] > 0) & (characters.left[b[part]] > 0)
            usable &= pairs.left[two[part]] > 0
            rows = np.flatnonzero(usable) + start
            columns = [column[rows].tolist() for column in (i, j, a, b, two)]
            for row, x, y, c, d, p in zip(rows.tolist(), *columns, strict=True):
                used = [(images, x), (images, y), (characters, c), (pairs, p)]
                if c != d:
                    used.append((characters, d))
                if any(supply.left[at] == 0 for supply, at in used):
                    continue
                for supply, at in used:
                    supply.use(at, self._offered + row)
                taken[row] = True
                self.wanted -= 1
                self.depth = self._offered + row + 1
                if self.wanted == 0:
                    break
            if self.wanted == 0:
                looked = int(np.flatnonzero(taken)[-1]) + 1
                break
        self._count(i[:looked], j[:looked], a[:looked], b[:looked], two[:looked], pairs, taken)
        self._offered += looked
        if self._cap_of_two is not None:
            some = np.flatnonzero(pairs.left < self._cap_of_two)
            self._two |= dict(zip(keys[some].tolist(), pairs.left[some].tolist(), strict=True))
        return taken

    def spent(self, parts: list[Ranked], score: float) -> Spent:
        """What is used up, once `parts` were taken and a pair of `score` was the last offered."""
        done = np.array([key for key, left in self._two.items() if left == 0], np.int64)
        return Spent(
            score=score,
            pairs=np.concatenate([np.column_stack([part.i, part.j]) for part in parts]),
            active=(self._images.left > 0) & (self._characters.left[self._groups] > 0),
            characters=np.column_stack(np.divmod(done, max(1, self._size))),
        )

    def _pairs_of(self, a: Rows, b: Rows) -> tuple[Rows, Rows, _Supply]:
        """Keys of the distinct pairs of characters, which one each is, and what they have left."""
        if self._cap_of_two is None:
            return np.zeros(1, np.int64), np.zeros_like(a), _Supply.of(1, None)
        keys, two = np.unique(np.minimum(a, b) * self._size + np.maximum(a, b), return_inverse=True)
        pairs = _Supply.of(len(keys), self._cap_of_two)
        if self._two:
            known = np.array(sorted(self._two), np.int64)
            at = np.minimum(np.searchsorted(known, keys), known.size - 1)
            for place in np.flatnonzero(known[at] == keys):
                pairs.left[place] = self._two[int(keys[place])]
                if pairs.left[place] == 0:
                    pairs.ended[place] = -1
        return keys, two, pairs

    def _count(
        self, i: Rows, j: Rows, a: Rows, b: Rows, two: Rows, pairs: _Supply, taken: Mask
    ) -> None:
        """Count what was passed over, under the first cap that had been reached by then."""
        now = self._offered + np.arange(len(i))
        open_ = ~taken[: len(i)]
        ended = {
            "image": np.minimum(self._images.ended[i], self._images.ended[j]),
            "character": np.minimum(self._characters.ended[a], self._characters.ended[b]),
            "character pair": pairs.ended[two],
        }
        for reason in self.passed_over:
            hit = open_ & (ended[reason] < now)
            self.passed_over[reason] += int(hit.sum())
            open_ &= ~hit


@dataclass(frozen=True, eq=False)
class _Supply:
    """How often each of some things may still be used, and when the last use was."""

    left: Rows
    ended: Rows

    @classmethod
    def of(cls, count: int, cap: int | None) -> _Supply:
        left = np.full(count, _NEVER if cap is None else cap, np.int64)
        return cls(left, np.full(count, _NEVER, np.int64))

    def use(self, at: int, now: int) -> None:
        self.left[at] -= 1
        if self.left[at] == 0:
            self.ended[at] = now
