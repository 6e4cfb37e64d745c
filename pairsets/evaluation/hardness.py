"""Hardness of a mined set over its ranks: error rates, and the part that hubs have in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Floats, Mask, Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import Rate, clustered_rate
from pairsets.pairset import PairSet
from pairsets.paths import strings

BINS = 20
HUB_SHARE = 0.01


@dataclass(frozen=True)
class HardnessBin:
    """Bin of pairs of neighbouring ranks, with the error rates among them.

    Attributes:
        first, last: their lowest and highest rank.
        pairs: how many they are.
        hub_pairs: how many of them have a hub image.
        fpr: by model, the share that is accepted, with its interval clustered by identity.
        fpr_without_hubs: the same of the pairs without a hub image; nan where there are none.
    """

    first: int
    last: int
    pairs: int
    hub_pairs: int
    fpr: Mapping[str, Rate]
    fpr_without_hubs: Mapping[str, Rate]

    @property
    def hub_share(self) -> float:
        """Share of the pairs that have a hub image."""
        return self.hub_pairs / self.pairs


@dataclass(frozen=True, eq=False)
class Hardness:
    """Error rates over the ranks of mined negatives.

    Attributes:
        bins: equally many pairs each (the first ones get one more where it does not come out even),
            the hardest first.
        rank: `[M]` ranks of the mined negatives, rising.
        cumulative: by model `[M]`, the FPR of all pairs up to each rank.
        hubs: `[H]` paths of the hub images, the most frequent first.
        hub_counts: `[H]` how many of the pairs each is in.
        hub_pairs: how many of the pairs have a hub image.
        images: how many images the pairs use.
        left_out: rows with a rank that do not count: invalid, or of one identity.
    """

    bins: tuple[HardnessBin, ...]
    rank: Rows
    cumulative: Mapping[str, Floats]
    hubs: NDArray[np.object_]
    hub_counts: Rows
    hub_pairs: int
    images: int
    left_out: int

    def __len__(self) -> int:
        return len(self.rank)

    @property
    def models(self) -> list[str]:
        """Models whose rates these are."""
        return list(self.cumulative)

    @property
    def hub_share(self) -> float:
        """Share of all pairs that have a hub image."""
        return self.hub_pairs / len(self)


def hardness(
    pairs: PairSet,
    rank: ArrayLike,
    accepted: Mapping[str, Mask],
    *,
    bins: int = BINS,
    hub_share: float = HUB_SHARE,
) -> Hardness:
    """Cut mined negatives by rank into bins of equally many pairs, and count in each.

    Hub images are those that only `hub_share` of the images in the set (rounded up to a whole
    image) match: a hub is in two pairs or more, and at most so many images are in as many pairs as
    it is, itself among them. That is a share of *images*, so that what they hold, a share of the
    pairs, is a finding and can be compared between sets of any size; the fewest images that fill
    half of the places (`Hubness.half`) hold half by their definition. And no tie is cut: which
    images are hubs hangs on no order of paths, and where all are in equally many pairs none is.

    Args:
        pairs: a pair set.
        rank: `[N]`, 1 for the hardest pair; 0 for rows that were not mined.
        accepted: by model `[N]` bool, which rows it takes for one identity at its threshold.
        bins: how many; fewer where there are fewer pairs.
        hub_share: share of the images that may be hubs, 0 to 1.

    Raises:
        ScoresError: another number of ranks or decisions; ranks that are negative, no whole
            numbers, or there twice; no mined negative; bins below 1.

    >>> pairs = PairSet.of(["a/1", "a/1", "a/1", "b/1"], ["b/1", "c/1", "d/1", "c/2"], 0)
    >>> found = hardness(pairs, [1, 2, 3, 4], {"m": np.array([True, True, False, False])}, bins=2)
    >>> [(one.first, one.last, one.fpr["m"].value, one.hub_share) for one in found.bins]
    [(1, 2, 1.0, 1.0), (3, 4, 0.0, 0.5)]
    >>> found.hubs.tolist(), found.cumulative["m"].round(2).tolist()
    (['a/1'], [1.0, 1.0, 0.67, 0.5])
    """
    if bins < 1:
        raise ScoresError(f"{bins} bins; expected 1 or more")
    if not 0 <= hub_share <= 1:
        raise ScoresError(f"a hub share of {hub_share}; expected a share from 0 to 1, such as 0.01")
    ranks = _ranks(rank, len(pairs))
    for model, decisions in accepted.items():
        if decisions.shape != ranks.shape or decisions.dtype != np.bool_:
            raise ScoresError(
                f"{model}: decisions of dtype {decisions.dtype} and shape {decisions.shape} for "
                f"{len(pairs)} pairs; expected a bool a pair, such as scores >= threshold"
            )
    mined = (ranks > 0) & pairs.negatives
    rows = np.flatnonzero(mined)
    rows = rows[np.argsort(ranks[rows], kind="stable")]
    if not rows.size:
        raise ScoresError(f"no valid negative with a rank among {len(pairs)} pairs; is it mined?")
    hubs, counts, images, has_hub = _hubs(pairs, rows, hub_share)
    clusters = Clusters.of(pairs, "identity")

    def rates(chosen: Rows) -> dict[str, Rate]:
        near = clusters.take(chosen)
        return {name: clustered_rate(taken[chosen], near) for name, taken in accepted.items()}

    found = []
    for part in np.array_split(np.arange(rows.size), min(bins, rows.size)):
        one = rows[part]
        found.append(
            HardnessBin(
                first=int(ranks[one[0]]),
                last=int(ranks[one[-1]]),
                pairs=one.size,
                hub_pairs=int(has_hub[part].sum()),
                fpr=rates(one),
                fpr_without_hubs=rates(one[~has_hub[part]]),
            )
        )
    upto = np.arange(1, rows.size + 1)
    return Hardness(
        bins=tuple(found),
        rank=ranks[rows],
        cumulative={name: np.cumsum(taken[rows]) / upto for name, taken in accepted.items()},
        hubs=hubs,
        hub_counts=counts,
        hub_pairs=int(has_hub.sum()),
        images=images,
        left_out=int(((ranks > 0) & ~mined).sum()),
    )


def _ranks(rank: ArrayLike, count: int) -> Rows:
    """Ranks as whole numbers, each above 0 once."""
    given = np.asarray(rank)
    if given.shape != (count,):
        raise ScoresError(f"ranks of shape {given.shape} for {count} pairs; expected one a pair")
    if given.dtype.kind not in "iu" or (given < 0).any():
        raise ScoresError(
            "ranks that are negative or no whole numbers; expected 1 for the hardest pair, and 0 "
            "for rows that were not mined"
        )
    ranks = given.astype(np.int64)
    values, times = np.unique(ranks[ranks > 0], return_counts=True)
    if (times > 1).any():
        raise ScoresError(f"rank {values[times > 1][0]} is there twice; expected each once")
    return ranks


def _hubs(pairs: PairSet, rows: Rows, share: float) -> tuple[NDArray[np.object_], Rows, int, Mask]:
    """Hub images and their counts, the number of all images, and which rows have a hub."""
    both = np.concatenate([pairs.path_a[rows], pairs.path_b[rows]])
    codes, names = pd.factorize(both, sort=True)
    counts = np.bincount(codes, minlength=len(names))
    ranked = np.sort(counts)[::-1]
    # The share of 0.07 of 100 images is 7 images, whatever float makes of it.
    most = min(math.ceil(share * len(names) - 1e-9), len(names))
    # One more often than the first image that may be none.
    least = max(2, int(ranked[most]) + 1 if most < len(names) else 2)
    chosen = np.flatnonzero(counts >= least)
    chosen = chosen[np.argsort(-counts[chosen], kind="stable")]
    is_hub = counts >= least
    has_hub = is_hub[codes[: rows.size]] | is_hub[codes[rows.size :]]
    return strings(names[chosen]), counts[chosen], len(names), has_hub
