"""The double-or-nothing bootstrap over clusters: intervals of what has no closed form.

Each draw keeps every cluster (an identity, or an image) with probability 1/2, and the pairs whose
two ends are kept (Fogliato, Patil and Perona, arXiv 2306.01198, section 3). Models that are to be
compared share their draws (Wu, Martin and Kacker 2011), so that what makes a draw hard for all of
them cancels in their differences.

The bootstrap gives single pairs three times their variance (`Spread.resampled`). Where clusters are
large that is nothing beside what they share; where few pairs share an identity, as in a random
set, intervals would be 1.7 times too wide. Each statistic is therefore also written as a sum over
pairs (its influence function), whose variance is known in closed form with and without the excess,
and deviations under the bootstrap are shrunk by the ratio.

Where few clusters carry what pairs share, that variance is itself uncertain: deviations are then
widened as Student's t is beside the normal, by the degrees of freedom of `Spread.degrees`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Mask
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.resamples import RankedScores, Resampled, Targets

DRAWS = 1000


def draw_clusters(clusters: Clusters, count: int = DRAWS, seed: int = 0) -> Mask:
    """Clusters that each of `count` draws keeps, `[B, K]`; the same for as many and one `seed`.

    Raises:
        ScoresError: less than 100 draws, too few for the ends of an interval.
    """
    refuse_few(count)
    bits = np.random.default_rng(seed).integers(0, 2, (count, clusters.count), np.uint8)
    return bits.view(np.bool_)


def refuse_few(count: int) -> None:
    """Raise ScoresError for less than 100 draws, too few for the ends of an interval."""
    if count < 100:
        raise ScoresError(f"{count} bootstrap draws; expected 100 or more, or 0 for none")


def resample(
    labels: ArrayLike,
    scores: Mapping[str, ArrayLike],
    clusters: Clusters,
    draws: Mask,
    targets: Targets,
) -> dict[str, dict[str, Resampled]]:
    """Resample the statistics of several models on the same pairs: model -> name -> `Resampled`.

    The names are `eer`, `auc`, `dprime`, and `fpr@T` and `fnr@T` of the targets, `T` written by
    `repr`. Rates at targets are those that `pairsets.evaluation.rates` calls achieved.

    Args:
        labels: `[N]`, 1 positive, 0 negative, of both kinds.
        scores: by model, `[N]`, finite.
        clusters: of the `N` pairs.
        draws: of these clusters, `[B, K]`, as of `draw_clusters`.
        targets: see there.

    Raises:
        ScoresError: clusters of another number of pairs, or draws of other clusters.
    """
    positive = np.asarray(labels) == 1
    if positive.shape != clusters.a.shape:
        raise ScoresError(f"clusters of {len(clusters)} pairs for labels of {positive.shape}")
    if draws.shape[1] != clusters.count:
        raise ScoresError(f"draws of {draws.shape[1]} clusters for {clusters.count}")
    weights = _weights(positive, clusters)
    ranked = {
        model: RankedScores(positive, np.asarray(values, np.float64), targets)
        for model, values in scores.items()
    }
    found = {model: np.empty((len(draws), one.width)) for model, one in ranked.items()}
    for draw, kept in enumerate(draws):
        pairs = kept[clusters.a] & kept[clusters.b]
        if weights is not None:
            pairs = pairs * weights
        for model, one in ranked.items():
            found[model][draw] = one.statistics(pairs)
    return {model: one.resampled(found[model], clusters) for model, one in ranked.items()}


def _weights(positive: Mask, clusters: Clusters) -> NDArray[np.int8] | None:
    """Weight of each kept pair, where one kind has pairs inside a cluster and across two.

    The first are kept half of the time, the others a quarter: they would crowd out the others.
    None where all pairs of a kind have the same chance.
    """
    inside = clusters.a == clusters.b
    kinds = inside[positive], inside[~positive]
    if all(kind.all() or not kind.any() for kind in kinds):
        return None
    return np.where(inside, 1, 2).astype(np.int8)
