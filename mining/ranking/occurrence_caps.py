"""Occurrence caps: the best pairs in which no image, identity or two identities come too often.

They are defined over the whole ranking (see `Greedy`), which is too long to list, so as
much of it is looked through as is needed: twice the pairs wanted, then four times as deep each
time. Below `DEEPEST` pairs, or at once where faces are so many that each search takes minutes, the
search goes on under the last one without the faces and identities that are used up. Nothing is
lost by that: a pair looked at is either taken or has something that is used up, and what is used
up stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexes.base import at_least_one
from mining.ranking.ranked_pairs import DeepRanking, RankedPairs, Ranking, Spent
from mining.ranking.rules import Rules
from pairsets.faces import Faces
from pairsets.progress import Step

Mask = NDArray[np.bool_]
# Pairs that are listed at once, whatever the caps.
DEEPEST = 2**22
# Faces beyond which the ranking is listed from its top once only: a search is of 3e10 pairs.
MANY = 2**18


@dataclass(frozen=True, eq=False)
class Taken:
    """The pairs of a ranking that the caps let through, best first.

    Attributes:
        pairs: those taken; `exact` is false too where there are too few because the ranking could
            not be followed to its end.
        first: as many of the best pairs, caps aside.
        depth: the rank, caps aside, of the last pair taken; 0 if none was.
        passed_over: how many pairs each cap left out, by `REASONS`; a pair counts under the first
            of them that was used up.
        listed: false where the ranking was too long to be listed so far; `depth` and
            `passed_over` are then lower bounds.
    """

    pairs: RankedPairs
    first: RankedPairs
    depth: int
    passed_over: dict[str, int] = field(default_factory=dict)
    listed: bool = True


def take(
    ranking: Ranking,
    n: int,
    rules: Rules,
    progress: Step | None = None,
    *,
    deepest: int | None = None,
) -> Taken:
    """The n best pairs within the occurrence caps of `rules`; all that they allow if fewer.

    Args:
        ranking: what to take from; every other rule is its own. One that is no `DeepRanking` is
            followed down to `deepest`.
        n: how many.
        rules: with the caps.
        progress: of each search, one after the other.
        deepest: pairs to list at once; `DEEPEST` by default, and never less than twice n.

    Raises:
        indexes.IndexesError: n below 1.
    """
    n = at_least_one(n, "n")
    if not rules.capped:
        best = ranking.top(n, progress)
        return Taken(best, best, len(best))
    deepest = max(DEEPEST if deepest is None else deepest, 2 * n)
    depth = 2 * n
    once = isinstance(ranking, DeepRanking) and len(ranking.faces) > MANY
    lowest = depth if once else deepest
    while True:
        ranked = ranking.top(depth, progress)
        greedy = Greedy(ranking.faces, n, rules)
        parts = [_of(ranked, greedy.offer(ranked.i, ranked.j))]
        if greedy.wanted == 0 or len(ranked) < depth or depth == lowest:
            break
        depth = min(4 * depth, lowest)
    last, more = ranked, len(ranked) == depth
    while greedy.wanted and more and isinstance(ranking, DeepRanking):
        # Twice as many as it takes if those below are taken as often as those just listed.
        ask = min(2 * -(-greedy.wanted * len(last) // len(parts[-1])), deepest)
        last = ranking.below(ask, greedy.spent(parts, float(last.scores[-1])), progress)
        parts.append(_of(last, greedy.offer(last.i, last.j)))
        if len(last) and not len(parts[-1]):
            # The first of what is left can always be taken; else this would never end.
            raise RuntimeError(f"{type(ranking).__name__}.below returned what is used up")
        more = len(last) == ask
    taken = _joined(parts)
    if greedy.wanted and more:
        taken = replace(taken, exact=False)
    return Taken(
        pairs=taken,
        first=_of(ranked, np.arange(len(ranked)) < n),
        depth=greedy.depth,
        passed_over=greedy.passed_over,
        listed=len(parts) == 1 and not (greedy.wanted and more),
    )


def _of(ranked: RankedPairs, kept: Mask) -> RankedPairs:
    quantiles = None if ranked.quantiles is None else ranked.quantiles[kept]
    return RankedPairs(ranked.i[kept], ranked.j[kept], ranked.scores[kept], quantiles, ranked.exact)


def _joined(parts: list[RankedPairs]) -> RankedPairs:
    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    return RankedPairs(
        i=np.concatenate([part.i for part in parts]),
        j=np.concatenate([part.j for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        quantiles=np.concatenate(quantiles) if len(quantiles) == len(parts) else None,
        exact=all(part.exact for part in parts),
    )


Rows = NDArray[np.int64]
REASONS = ("image", "identity", "identity pair")
# Pairs looked at between two sweeps that drop those with something used up.
_CHUNK = 2**13
_NEVER = np.iinfo(np.int64).max


class Greedy:
    """Greedy choice: what was taken, and what each image, identity and pair of them has left.

    Attributes:
        wanted: how many pairs are still to be taken.
        depth: the rank of the last pair taken among those offered, from 1.
        passed_over: pairs left out, by cap.
    """

    def __init__(self, faces: Faces, n: int, rules: Rules) -> None:
        self.wanted, self.depth, self._offered = n, 0, 0
        self._groups = faces.groups
        self._size = int(self._groups.max(initial=-1)) + 1
        self._cap_of_two = rules.max_per_identity_pair
        self._images = _Supply.of(len(faces), rules.max_per_image)
        self._identities = _Supply.of(self._size, rules.max_per_identity)
        self._two: dict[int, int] = {}
        caps = (rules.max_per_image, rules.max_per_identity, rules.max_per_identity_pair)
        self.passed_over = {
            reason: 0 for reason, cap in zip(REASONS, caps, strict=True) if cap is not None
        }

    def offer(self, i: Rows, j: Rows) -> Mask:
        """Take from the next pairs of the ranking; `[M]`, true for those taken."""
        images, identities = self._images, self._identities
        a, b = self._groups[i], self._groups[j]
        keys, two, pairs = self._pairs_of(a, b)
        taken = np.zeros(len(i), np.bool_)
        looked = len(i)
        for start in range(0, len(i), _CHUNK):
            part = slice(start, start + _CHUNK)
            usable = (images.left[i[part]] > 0) & (images.left[j[part]] > 0)
            usable &= (identities.left[a[part]] > 0) & (identities.left[b[part]] > 0)
            usable &= pairs.left[two[part]] > 0
            rows = np.flatnonzero(usable) + start
            columns = [column[rows].tolist() for column in (i, j, a, b, two)]
            for row, x, y, c, d, p in zip(rows.tolist(), *columns, strict=True):
                used = [(images, x), (images, y), (identities, c), (pairs, p)]
                if c != d:
                    used.append((identities, d))
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

    def spent(self, parts: list[RankedPairs], score: float) -> Spent:
        """Used-up faces and identities, once `parts` were taken, `score` being the last offered."""
        done = np.array([key for key, left in self._two.items() if left == 0], np.int64)
        return Spent(
            score=score,
            pairs=np.concatenate([np.column_stack([part.i, part.j]) for part in parts]),
            active=(self._images.left > 0) & (self._identities.left[self._groups] > 0),
            identities=np.column_stack(np.divmod(done, max(1, self._size))),
        )

    def _pairs_of(self, a: Rows, b: Rows) -> tuple[Rows, Rows, _Supply]:
        """Keys of the distinct pairs of identities, which one each is, and what they have left."""
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
            "identity": np.minimum(self._identities.ended[a], self._identities.ended[b]),
            "identity pair": pairs.ended[two],
        }
        for reason in self.passed_over:
            hit = open_ & (ended[reason] < now)
            self.passed_over[reason] += int(hit.sum())
            open_ &= ~hit


@dataclass(frozen=True, eq=False)
class _Supply:
    """Supply of uses: how often each thing may still be used, and when the last use was."""

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
