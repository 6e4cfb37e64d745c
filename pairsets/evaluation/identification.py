"""Rates of 1:N identification: who is found in a gallery, and who is found that is not there.

What is counted `pairsets.evaluation.searches` defines, after ISO/IEC 19795-1 and NIST's FRTE 1:N.

**Intervals.** Probes are not independent: those of one identity share it, and so do those that are
most like the same identity of the gallery. Each probe therefore counts as a pair of these two, and
the variance is that of sums over such pairs (`pairsets.evaluation.clusters`). Rates at a target of
the other are resampled as those of pairs are (`pairsets.evaluation.bootstrap`): FPIR and FNIR are
FPR and FNR of a non-mated probe's best score and of a mated one's s, -inf beyond rank R.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.bootstrap import draw_clusters, resample
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.intervals import CONFIDENCE, Interval, clustered_rate, student, wilson
from pairsets.evaluation.rates import (
    Curve,
    checked_share,
    fnr_at_fpr,
    fpr_at_fnr,
    is_resolvable,
    roc,
)
from pairsets.evaluation.resamples import Resampled, Targets
from pairsets.evaluation.searches import Searches, cumulative_matches

# Ranks whose share is reported, and rates at targets.
RANKS = (1, 5)
FPIRS, FNIRS = (1e-2, 1e-3), (0.1, 0.05)


@dataclass(frozen=True)
class IdentificationTargets:
    """Operating points that are reported.

    Attributes:
        fpirs: FPIRs at which FNIR is; None for those of 1e-2 and 1e-3 that the probes can tell.
        fnirs: FNIRs at which FPIR is.
        rank_limit: R of the open set: how many identities a search returns; None for all.

    Raises:
        ScoresError: a target that is no share, or a limit below 1.
    """

    fpirs: Sequence[float] | None = None
    fnirs: Sequence[float] = FNIRS
    rank_limit: int | None = None

    def __post_init__(self) -> None:
        for values, what in ((self.fpirs or (), "FPIR"), (self.fnirs, "FNIR")):
            for value in values:
                checked_share(value, what)
        if self.rank_limit is not None and self.rank_limit < 1:
            raise ScoresError(f"a rank limit of {self.rank_limit}; expected 1 or more, or none")

    def resolved(self, non_mated: int) -> tuple[float, ...]:
        """FPIRs that so many non-mated probes can tell.

        Raises:
            ScoresError: one that was asked for is not among them.
        """
        if self.fpirs is None:
            return tuple(one for one in FPIRS if is_resolvable(one, non_mated))
        for one in self.fpirs:
            if not is_resolvable(one, non_mated):
                raise ScoresError(
                    f"an FPIR of {one:g} cannot be told by {non_mated:,} non-mated probes: the "
                    f"smallest is {_least(non_mated)}; more identities outside the gallery are "
                    "needed, nothing is extrapolated"
                )
        return tuple(dict.fromkeys(self.fpirs))


def _least(count: int) -> str:
    return f"{1 / count:.3g}, one of them" if count else "unknown without any"


@dataclass(frozen=True)
class IdentificationRate:
    """One number of identification, and how well it is known.

    Attributes:
        name: `rank-R`, `map`, `fnir@FPIR` or `fpir@FNIR`, the target as `repr` writes it.
        value: a share; nan where no threshold reaches the target.
        interval: None where it is not known.
        probes: of how many probes the share is.
        threshold: score that is accepted from; None in the closed set.
        fixed: the rate that the threshold has of the other kind; None in the closed set.
    """

    name: str
    value: float
    interval: Interval | None
    probes: int
    threshold: float | None = None
    fixed: float | None = None

    @property
    def falls(self) -> bool:
        """Whether lower is better."""
        return self.threshold is not None


@dataclass(frozen=True, eq=False)
class Identification:
    """Rates of a model that searches a gallery for probes.

    Attributes:
        searches: of each probe.
        targets: operating points of the open set.
        cmc: `[N]` share of the mated probes with a rank of 1, 2, ... N at most.
        rates: those reported, closed set first.
        cmc_intervals: of the CMC at some ranks.
        curve: of FPIR (as FPR) and FNIR (as FNR); None without non-mated probes.
        resampled: the rates at targets, resampled; none without draws.
    """

    searches: Searches
    targets: IdentificationTargets
    cmc: Floats
    rates: tuple[IdentificationRate, ...]
    cmc_intervals: Mapping[int, Interval]
    curve: Curve | None
    resampled: Mapping[str, Resampled] = field(default_factory=dict)

    def rate(self, name: str) -> IdentificationRate:
        """The rate of that name; ScoresError where there is none."""
        for one in self.rates:
            if one.name == name:
                return one
        raise ScoresError(f"no rate {name!r}; there are {', '.join(o.name for o in self.rates)}")

    def __repr__(self) -> str:
        told = ", ".join(f"{one.name} {100 * one.value:.3g} %" for one in self.rates)
        found = self.searches
        return (
            f"<Identification: {int(found.mated.sum()):,} mated and {found.non_mated:,} non-mated "
            f"probes, {found.size:,} identities; {told}>"
        )

    def notes(self) -> list[str]:
        """Sentences on ties, and on targets that cannot be told."""
        found, notes = self.searches, []
        if found.ties:
            notes.append(
                f"{found.ties:,} of {int(found.mated.sum()):,} mated probes tie with another "
                "identity, which counts as ranked before the right one"
            )
        if self.resampled and any(
            one.interval is None and not math.isnan(one.value) for one in self.rates
        ):
            notes.append(
                f"some rates of the open set have no interval: {found.non_mated:,} non-mated "
                "probes, of few identities, tell too little"
            )
        if not found.non_mated:
            notes.append("every probe's identity is in the gallery: there are no open-set rates")
        elif self.targets.fpirs is None:
            lost = [one for one in FPIRS if not is_resolvable(one, found.non_mated)]
            if lost:
                notes.append(
                    f"FNIR at an FPIR of {', '.join(f'{one:g}' for one in lost)} cannot be told by "
                    f"{found.non_mated:,} non-mated probes: the smallest FPIR is "
                    f"{_least(found.non_mated)}"
                )
        return notes


def rate_identification(
    searches: Searches,
    targets: IdentificationTargets = IdentificationTargets(),
    intervals: IntervalOptions = IntervalOptions(),
    confidence: float = CONFIDENCE,
) -> Identification:
    """Rates of identification of some searches, with intervals by identity.

    Args:
        searches: one a probe.
        targets: operating points of the open set.
        intervals: draws and seed; clusters are identities.
        confidence: of the intervals.

    Raises:
        ScoresError: an FPIR that was asked for and that so few non-mated probes cannot tell.
    """
    fpirs = targets.resolved(searches.non_mated)
    mated = searches.mated
    ranks, clusters = searches.ranks[mated], searches.clusters(mated)
    cmc = cumulative_matches(ranks, searches.size)
    told = {rank: _hits(ranks, rank, clusters, confidence) for rank in _told_ranks(searches.size)}
    rates = [
        IdentificationRate(f"rank-{rank}", float(cmc[rank - 1]), told[rank], ranks.size)
        for rank in RANKS
        if rank <= searches.size
    ]
    precisions = searches.precisions[mated]
    mean, interval = clustered_mean(precisions, clusters, confidence)
    rates.append(IdentificationRate("map", mean, interval, ranks.size))
    if not searches.non_mated:
        return Identification(searches, targets, cmc, tuple(rates), told, None)
    labels, scores = searches.open_set(targets.rank_limit)
    curve = roc(labels, scores)
    table: Mapping[str, Resampled] = {}
    if intervals.draws:
        ends = searches.open_clusters(targets.rank_limit)
        draws = draw_clusters(ends, intervals.draws, intervals.seed)
        at = Targets(tuple(targets.fnirs), fpirs)
        table = resample(labels, {"": scores}, ends, draws, at)[""]
    rates += _open_rates(curve, fpirs, targets.fnirs, table, confidence)
    return Identification(searches, targets, cmc, tuple(rates), told, curve, table)


def _told_ranks(size: int) -> list[int]:
    """Ranks at which a CMC has an interval: the first ten, then some a power of ten."""
    steps = [step * 10**power for power in range(8) for step in (1, 2, 5)]
    return sorted({rank for rank in (*range(1, 11), *steps, size) if rank <= size})


def _hits(ranks: Counts, rank: int, clusters: Clusters, confidence: float) -> Interval:
    """Interval of the share of probes whose rank is that or a better one."""
    missed = clustered_rate(ranks > rank, clusters, confidence)
    return Interval(1 - missed.high, 1 - missed.low)


def clustered_mean(
    values: ArrayLike, clusters: Clusters, confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """The mean of shares `[N]`, and its interval, clustered; Student's by `Spread.degrees`.

    Where all are nought, or all one, it is Wilson's, as there is no variance to see.

    >>> clustered_mean([0.5, 0.5, 1.0], Clusters(np.arange(3), np.arange(3), 3))[0]
    0.6666666666666666
    """
    shares = np.asarray(values, np.float64)
    mean = float(shares.mean())
    if mean in (0.0, 1.0):
        return mean, wilson(mean, shares.size, confidence)
    spread = clusters.spread((shares - mean) / shares.size)
    half = student(confidence, spread.degrees) * math.sqrt(spread.variance)
    return mean, Interval(max(mean - half, 0.0), min(mean + half, 1.0))


def _open_rates(
    curve: Curve,
    fpirs: Sequence[float],
    fnirs: Sequence[float],
    table: Mapping[str, Resampled],
    confidence: float,
) -> list[IdentificationRate]:
    """FNIR at each FPIR, and FPIR at each FNIR, at thresholds that reach them."""
    found = []
    for target in fpirs:
        at, name = fnr_at_fpr(curve, target), f"fnr@{target!r}"
        interval = _share(table, name, at.fnr, curve.positives, confidence)
        named = f"fnir@{target!r}"
        found.append(
            IdentificationRate(named, at.fnr, interval, curve.positives, at.threshold, at.fpr)
        )
    for target in fnirs:
        at, name = fpr_at_fnr(curve, target), f"fpr@{target!r}"
        interval = _share(table, name, at.fpr, curve.negatives, confidence)
        named = f"fpir@{target!r}"
        found.append(
            IdentificationRate(named, at.fpr, interval, curve.negatives, at.threshold, at.fnr)
        )
    return found


def _share(
    table: Mapping[str, Resampled], name: str, value: float, count: int, confidence: float
) -> Interval | None:
    """Interval of a share of `count` probes; None where it was not resampled."""
    return table[name].share(value, count, confidence) if name in table else None
