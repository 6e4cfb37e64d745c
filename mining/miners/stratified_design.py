"""Sample of the pairs of different identities in which each pair's probability is known exactly.

A set that was mined holds the hardest pairs alone, so its error rates say nothing of all pairs; a
random set says it, and hardly ever meets an error. Here every pair has a chance, and hard pairs
have a better one. By each reference's rank the pairs stand in strata, each twice or four times as
large as the one before, down to the last rank that is listed; a pair's probability of being chosen
by a stratum falls as rank^-3/4, and beside the strata there is a uniform part over all pairs:

    pi = 1 - (1 - pi_uniform) * product over references of (1 - rate of the pair's stratum)

The uniform part is half of the set, so that no rate is known worse than from a random set of half
the size, whatever the model. Pairs of one cell, that is, of the same strata by all references, have
the same pi. The cells stand in falling order of pi, the pairs of each in random order, and every
pair is taken in which the running sum of pi passes a number of the form u, u + 1, u + 2, ... with
one u uniform in [0, 1): randomised systematic sampling (Madow 1949; Sarndal, Swensson and Wretman
1992, sect. 3.4), which takes each pair with exactly its pi, takes exactly as many pairs as asked
for, and of each cell the whole number above or below N_c pi, drawn without replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes import FlatIndex
from indexes.join import Progress, SearchOptions
from mining.errors import RulesError
from pairsets.random_set import PairSpace

Rows = NDArray[np.int64]
Numbers = NDArray[np.float64]

# Pairs of each reference that are listed at most.
LISTED = 2**20
# Share of the set that is spread evenly over all pairs.
UNIFORM = 0.5
# How fast the chance of a stratum falls with its last rank. 1 is best for the references alone and
# 0.5 for models unlike them; between the two little is lost for either.
FALL = 0.75
# The first stratum has one in so many of the set, split among the references: nearly all are taken.
_FIRST = 32


@dataclass(frozen=True, eq=False)
class SampledPairs:
    """Pairs of different identities that were sampled, and what they stand for.

    Attributes:
        i, j: `[m]` rows of the faces, i < j, cell by cell.
        stratum: `[m]` number of the cell of each.
        probability: `[m]` with which each came into the sample.
        labels: `[K]` of the cells, in falling order of probability: each reference's stratum,
            counted from 1 and joined by `+`; the last number is what was not listed.
        populations: `[K]` pairs in each cell.
        probabilities: `[K]` of the pairs in each cell.
        boundaries: last rank of each stratum, the same for every reference.
        references: how many there are.
        seed: of the draw.
    """

    i: Rows
    j: Rows
    stratum: Rows
    probability: Numbers
    labels: tuple[str, ...]
    populations: Rows
    probabilities: Numbers
    boundaries: tuple[int, ...]
    references: int
    seed: int

    def __len__(self) -> int:
        return len(self.i)

    @property
    def population(self) -> int:
        """Number of all pairs of different identities."""
        return int(self.populations.sum())

    @property
    def sampled(self) -> Rows:
        """`[K]`: pairs that were taken from each cell."""
        return np.bincount(self.stratum, minlength=len(self.labels)).astype(np.int64)


def stratified_design(
    references: Sequence[ArrayLike],
    groups: ArrayLike,
    n: int,
    seed: int = 0,
    *,
    how: SearchOptions | None = None,
    progress: Progress | None = None,
) -> SampledPairs:
    """Sample n pairs of different identities by the ranks that references give them.

    The same vectors, groups, n and seed give the same pairs, whatever device and threads.

    Args:
        references: vectors `[N, D]` of each, of the same faces.
        groups: `[N]` identities.
        n: how many pairs.
        seed: of the draw.
        how, progress: see `indexes.FlatIndex.top_pairs`.

    Raises:
        RulesError: no reference, or n is below 1, or not below the number of pairs that exist.
        indexes.IndexesError: vectors or groups that are of no use.
    """
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].ravel().astype(np.int64)
    space = PairSpace.of_groups(codes)
    depth = listed_depth(space, n)
    ranked = []
    for vectors in references:
        found = FlatIndex(vectors).top_pairs(depth, codes, how=how, progress=progress)
        ranked.append((found.i, found.j))
    return PairStrata.of(ranked, space, n).sample(seed)


def listed_depth(space: PairSpace, n: int) -> int:
    """Pairs of each reference that are listed for a sample of n.

    Raises:
        RulesError: n is below 1, or not below the number of pairs that exist.
    """
    every = space.count_negatives
    if n < 1:
        raise RulesError(f"{n} pairs asked for; expected 1 or more")
    if n >= every:
        raise RulesError(
            f"{n:,} pairs asked for, and there are {every:,} of different identities: all of them "
            "would be a census, which needs no probabilities; ask for fewer"
        )
    return min(LISTED, every)


@dataclass(frozen=True, eq=False)
class PairStrata:
    """All pairs of different identities by cells, from which any number of samples can be drawn.

    Attributes:
        space: all pairs.
        n: pairs of a sample.
        listed: `[L]` numbers of the pairs that some reference lists, rising.
        order: `[L]` places in `listed`, cell by cell.
        starts: `[K + 1]` where in `order` each cell begins; of that which is not listed, nowhere.
        labels, populations, probabilities, boundaries, references: see `SampledPairs`.
    """

    space: PairSpace
    n: int
    listed: Rows
    order: Rows
    starts: Rows
    labels: tuple[str, ...]
    populations: Rows
    probabilities: Numbers
    boundaries: tuple[int, ...]
    references: int

    @classmethod
    def of(cls, ranked: Sequence[tuple[Rows, Rows]], space: PairSpace, n: int) -> PairStrata:
        """The cells of all pairs of `space`, of which references list the hardest.

        Args:
            ranked: of each reference `listed_depth` pairs `(i, j)`, the hardest first.
            space: all pairs.
            n: pairs of a sample.

        Raises:
            RulesError: see `stratified_design`.
        """
        if not ranked:
            raise RulesError("no reference to rank the pairs by; expected one or more")
        depth, every = listed_depth(space, n), space.count_negatives
        bounds = _boundaries(n, depth, len(ranked))
        listed, codes = _cells_of([space.negative_numbers(i, j) for i, j in ranked], bounds)
        known, cell, counts = np.unique(codes, return_inverse=True, return_counts=True)
        if every > listed.size:
            # What nobody lists has the last code of all.
            known = np.r_[known, (bounds.size + 1) ** len(ranked) - 1]
            counts = np.r_[counts, every - listed.size]
        strata = np.array(np.unravel_index(known, (bounds.size + 1,) * len(ranked)))
        probabilities = _probabilities(strata, counts, bounds, n)
        cells = np.lexsort((known, -probabilities))
        place = np.empty(cells.size, np.int64)
        place[cells] = np.arange(cells.size)
        order = np.argsort(place[cell], kind="stable")
        return cls(
            space=space,
            n=n,
            listed=listed,
            order=order,
            starts=np.searchsorted(place[cell][order], np.arange(cells.size + 1)),
            labels=tuple("+".join(map(str, one)) for one in (strata.T[cells] + 1).tolist()),
            populations=counts[cells],
            probabilities=probabilities[cells],
            boundaries=tuple(bounds.tolist()),
            references=len(ranked),
        )

    def sample(self, seed: int) -> SampledPairs:
        """The n pairs that `seed` draws."""
        generator = np.random.default_rng(seed)
        expected = self.populations * self.probabilities
        taken = _systematic(expected, self.populations, self.n, generator.random())
        chosen = []
        for at in np.flatnonzero(taken).tolist():
            drawn = generator.choice(int(self.populations[at]), int(taken[at]), replace=False)
            drawn.sort()
            begin, end = self.starts[at], self.starts[at + 1]
            if begin < end:
                chosen.append(self.listed[self.order[begin + drawn]])
            else:
                chosen.append(_unlisted(drawn, self.listed))
        first, second = self.space.negatives(np.concatenate(chosen).astype(np.int64))
        stratum = np.repeat(np.arange(taken.size), taken)
        return SampledPairs(
            i=np.minimum(first, second),
            j=np.maximum(first, second),
            stratum=stratum,
            probability=self.probabilities[stratum],
            labels=self.labels,
            populations=self.populations,
            probabilities=self.probabilities,
            boundaries=self.boundaries,
            references=self.references,
            seed=seed,
        )


def _boundaries(n: int, depth: int, references: int) -> Rows:
    """Last rank of each stratum; of several references fewer, as their cells are products."""
    bounds, times = [min(depth, max(1, n // (_FIRST * references)))], 2 if references == 1 else 4
    while bounds[-1] < depth:
        bounds.append(min(depth, bounds[-1] * times))
    return np.array(bounds, np.int64)


def _cells_of(numbers: Sequence[Rows], bounds: Rows) -> tuple[Rows, Rows]:
    """Numbers of the pairs that some reference lists, rising, and the cell of each."""
    listed = np.unique(np.concatenate(numbers))
    codes = np.zeros(listed.size, np.int64)
    for ranked in numbers:
        stratum = np.full(listed.size, bounds.size)
        ranks = np.arange(1, ranked.size + 1)
        stratum[np.searchsorted(listed, ranked)] = np.searchsorted(bounds, ranks)
        codes = codes * (bounds.size + 1) + stratum
    return listed, codes


def _probabilities(strata: Rows, counts: Rows, bounds: Rows, n: int) -> Numbers:
    """The pi of each cell, `[K]`, such that the sum over all pairs is n.

    Args:
        strata: `[R, K]` stratum of each cell by each reference, from 0 on.
        counts: `[K]` pairs.
        bounds: last ranks of the strata.
        n: pairs of the sample.
    """
    uniform = UNIFORM * n / int(counts.sum())
    shape = np.r_[(bounds[0] / bounds) ** FALL, 0.0]

    def at(scale: float) -> Numbers:
        rates = np.minimum(1.0, scale * shape)
        rates[-1] = 0.0
        missed = np.full(counts.size, 1.0 - uniform)
        for row in strata:
            missed *= 1.0 - rates[row]
        return 1.0 - missed

    # The sum rises with the scale; where all that is listed is whole, the rest is spread evenly.
    low, high = 0.0, 1.0 / float(shape[:-1].min())
    whole = at(high)
    if (counts * whole).sum() <= n:
        free = whole < 1.0
        whole[free] = (n - counts[~free].sum()) / counts[free].sum()
        return whole
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if (counts * at(middle)).sum() > n else (middle, high)
    return at(low)


def _systematic(expected: Numbers, counts: Rows, n: int, start: float) -> Rows:
    """Pairs that each cell gives, of as many as are expected: the whole number above or below."""
    passed = np.r_[0.0, np.cumsum(expected)]
    # Without what rounding did to the sum: exactly n are taken.
    passed *= n / passed[-1]
    marks = np.floor(passed + start)
    marks[-1] = marks[0] + n
    # Of a cell that is whole, rounding must not ask for one more.
    return np.asarray(np.minimum(np.diff(marks).astype(np.int64), counts), np.int64)


def _unlisted(places: Rows, listed: Rows) -> Rows:
    """Numbers of the pairs at these places among those that are not in `listed`, rising."""
    gaps = listed - np.arange(listed.size)
    return np.asarray(places + np.searchsorted(gaps, places, side="right"), np.int64)
