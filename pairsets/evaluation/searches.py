"""Searches of a gallery, one a probe: ranks of mates, CMC and average precision.

A probe is *mated* where its identity is in the gallery, else non-mated. Its **rank** is that of the
right identity among the N of the gallery, each by its best entry (ISO/IEC 19795-1:2021, 3.3 and
annex; NIST IR 8271, section 3). With s the score of the right identity and s_i those of the others,

    rank = 1 + #(i: s_i >= s),

so that an identity that scores exactly as much stands before the right one: a model that gives all
one score has found nobody. (Tools that sort leave that to the order of the rows.) Of M mated and L
non-mated probes,

    CMC(R)        = #(mated with rank <= R) / M                      closed set
    FNIR(N, R, T) = #(mated with rank > R or s < T) / M              open set
    FPIR(N, T)    = #(non-mated with any s_i >= T) / L.

CMC(R) is 1 - FNIR(N, R, -inf). Average precision is over the entries of the gallery, those of other
identities first among equal scores: with t_1 >= ... >= t_m the scores of the probe's m mates,

    AP = 1/m sum_k k / (k + #(entries of others with a score >= t_k)).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Floats, Mask, Rows, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters


@dataclass(frozen=True, eq=False)
class Searches:
    """Outcome of a search for each of P probes, of one model.

    Attributes:
        identities: `[P]` numbers of the probes' identities.
        others: `[P]` number of the other identity in the gallery that each is most like; -1 where
            there is no other.
        mated: `[P]` whether the identity is in the gallery.
        above, tied: `[P]` other identities that score higher than the right one, or exactly as
            much; of no meaning where none is mated.
        own_scores: `[P]` score of the right identity; -inf where it is not in the gallery.
        other_scores: `[P]` score of the other identity.
        precisions: `[P]` average precision; nan where none is mated.
        size: N, the identities of the gallery.
        numbered: how many identities are numbered, those of the gallery among them.

    Raises:
        ScoresError: columns of other lengths, or no mated probe.
    """

    identities: Rows
    others: Rows
    mated: Mask
    above: Counts
    tied: Counts
    own_scores: Scores
    other_scores: Scores
    precisions: Floats
    size: int
    numbered: int

    def __post_init__(self) -> None:
        shapes = {np.shape(value) for value in vars(self).values() if np.ndim(value)}
        if len(shapes) != 1:
            raise ScoresError(f"searches with columns of shapes {sorted(shapes)}; expected one")
        if not np.any(self.mated):
            raise ScoresError(
                f"none of {len(self.mated):,} probes has its identity in the gallery of "
                f"{self.size:,}; rates of identification need some"
            )

    def __len__(self) -> int:
        return len(self.mated)

    @cached_property
    def ranks(self) -> Counts:
        """Rank `[P]` of the right identity, behind those that score the same; 0 without one."""
        return np.where(self.mated, 1 + self.above + self.tied, 0)

    @property
    def ties(self) -> int:
        """Number of mated probes at whose best an identity ties with the right one."""
        return int((self.mated & (self.tied > 0)).sum())

    @property
    def non_mated(self) -> int:
        """Number of probes whose identity is not in the gallery."""
        return int((~self.mated).sum())

    def clusters(self, rows: Mask, *, own: bool = False) -> Clusters:
        """Identity and nearest other one of the probes `rows [P]`; if `own`, the identity twice."""
        ends = np.where((self.others < 0) | own, self.identities, self.others)
        return Clusters(self.identities[rows], ends[rows], self.numbered)

    def open_clusters(self, rank_limit: int | None) -> Clusters:
        """Clusters of all probes in the open set: mated ones of their own, unless ranks count."""
        both, own = (self.clusters(np.ones(len(self), bool), own=one) for one in (False, True))
        if rank_limit is not None and rank_limit < self.size:
            return both
        return Clusters(both.a, np.where(self.mated, own.b, both.b), both.count)

    def open_set(self, rank_limit: int | None) -> tuple[Mask, Scores]:
        """Labels and scores `[P]` whose FPR and FNR are FPIR and FNIR."""
        lost = self.ranks > (rank_limit or self.size)
        own = np.where(lost, -np.inf, self.own_scores)
        return self.mated, np.where(self.mated, own, self.other_scores)


def cumulative_matches(ranks: ArrayLike, size: int) -> Floats:
    """CMC, `[size]`: the share of `ranks [M]` that are 1, 2, ... `size` at most.

    Raises:
        ScoresError: no ranks, or one that is not among 1 to `size`.

    >>> cumulative_matches([1, 3, 1, 2], 3).tolist()
    [0.5, 0.75, 1.0]
    """
    values = np.asarray(ranks, np.int64)
    if values.ndim != 1 or not values.size or values.min() < 1 or values.max() > size:
        raise ScoresError(f"ranks of shape {values.shape}; expected some from 1 to {size}")
    return np.cumsum(np.bincount(values, minlength=size + 1)[1:]) / values.size


def average_precisions(
    probes: ArrayLike, scores: ArrayLike, outscored: ArrayLike, count: int
) -> Floats:
    """Average precision of each of `count` probes; nan of one without a mate.

    Args:
        probes: `[M]` the probe of each pair with a mate.
        scores: `[M]` the pairs' scores.
        outscored: `[M]` entries of other identities that score as much, or more.
        count: of the probes.

    >>> average_precisions([0, 0, 2], [0.9, 0.4, 0.5], [0, 2, 1], 3).tolist()
    [0.75, nan, 0.5]
    """
    probe, before = np.asarray(probes, np.int64), np.asarray(outscored, np.int64)
    order = np.lexsort((-np.asarray(scores, np.float64), probe))
    probe, before = probe[order], before[order]
    sizes = np.bincount(probe, minlength=count)
    place = np.arange(probe.size) - np.repeat(np.cumsum(sizes) - sizes, sizes) + 1
    sums = np.bincount(probe, place / (place + before), count)
    return np.where(sizes > 0, sums / np.maximum(sizes, 1), np.nan)
