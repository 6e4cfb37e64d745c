"""A threshold for a target FPR: the number, how well it is known, and what it costs.

The threshold is the lowest score at which the FPR does not exceed the target
(`pairsets.evaluation.rates.fnr_at_fpr`). Nothing is extrapolated: of N pairs of two identities no
FPR below 1 / N can be told, and a target below it is refused. Below 30 / N it rests on fewer errors
than the rule of 30 asks for (Doddington et al. 2000), and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import CONFIDENCE, Interval, Rate, clustered_rate
from pairsets.evaluation.jackknife import Jackknife
from pairsets.evaluation.menagerie import Menagerie, take_menagerie
from pairsets.evaluation.rates import most_within
from pairsets.evaluation.result import shown_threshold
from pairsets.evaluation.threshold_interval import fpr_interval, threshold_interval
from pairsets.evaluation.trials import Trials

TARGET_FPR = 1e-3
# Parts that identities are dealt into, and how often.
FOLDS, REPEATS = 5, 4
# Pairs of two identities beyond which once is enough.
_MANY = 20_000_000
# Errors that a rate should rest on (the rule of 30), and identities that intervals should.
_FEW, _FEW_IDENTITIES = 30, 20


@dataclass(frozen=True)
class CrossValidation:
    """Rates of thresholds on identities that had no part in setting them.

    Attributes:
        negatives, accepted: pairs of two such identities, over all parts and repeats, and those
            falsely accepted.
        positives, missed: pairs of one of them, and those rejected.
        thresholds: from the lowest to the highest that was set.
    """

    negatives: int
    accepted: int
    positives: int
    missed: int
    thresholds: Interval

    @property
    def fpr(self) -> float:
        """Share of pairs of two identities that are accepted; nan without any."""
        return self.accepted / self.negatives if self.negatives else math.nan

    @property
    def fnr(self) -> float:
        """Share of pairs of one identity that are rejected; nan without any."""
        return self.missed / self.positives if self.positives else math.nan


@dataclass(frozen=True)
class SetRates:
    """Rates of a threshold on pairs that did not set it.

    Attributes:
        fpr, fnr: each with its interval at this threshold; without pairs of a kind, nan.
        accepts: what of a set that is no list of pairs is accepted, in words.
    """

    fpr: Rate
    fnr: Rate
    accepts: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class Threshold:
    """A threshold for a target FPR.

    Attributes:
        value: pairs are accepted if they score as much or more.
        target_fpr: what it was set for.
        interval: of the threshold, for other identities like these.
        negatives, positives: pairs of two identities, and of one, that set it.
        identities: how many these pairs have.
        accepted, missed: pairs of either kind that are wrong at it.
        fpr, fnr: the rates at it; fpr is at most the target.
        fpr_interval, fnr_interval: at this threshold, taken as given.
        menagerie: the identities at it.
        cross: rates on identities that did not set the threshold; None where they cannot be told.
        judged: rates on other sets of pairs, by name.
        distance: whether scores are distances turned round; `shown` turns the threshold back.
    """

    value: float
    target_fpr: float
    interval: Interval
    negatives: int
    positives: int
    identities: int
    accepted: int
    missed: int
    fpr: float
    fnr: float
    fpr_interval: Interval
    fnr_interval: Interval
    menagerie: Menagerie
    cross: CrossValidation | None = None
    judged: Mapping[str, SetRates] = field(default_factory=dict)
    distance: bool = False

    def __repr__(self) -> str:
        low, high = self.shown_interval.low, self.shown_interval.high
        return (
            f"Threshold({self.shown(self.value):.6g} [{low:.6g}, {high:.6g}] for an FPR of "
            f"{self.target_fpr:g}; FPR {self.fpr:.3g}, FNR {self.fnr:.3g} of {self.identities:,} "
            "identities)"
        )

    def shown(self, score: float) -> float:
        """A score in the units that were given."""
        return shown_threshold(score, distance=self.distance)

    @property
    def shown_interval(self) -> Interval:
        """The interval in the units that were given, its lower number first."""
        ends = sorted(self.shown(end) for end in (self.interval.low, self.interval.high))
        return Interval(*ends)

    @property
    def smallest(self) -> float:
        """The smallest FPR but 0 that these pairs can tell."""
        return 1 / self.negatives

    def notes(self) -> list[str]:
        """Sentences on what the numbers cannot bear."""
        found = []
        if (expected := self.target_fpr * self.negatives) < _FEW:
            found.append(
                f"an FPR of {self.target_fpr:g} is {expected:.3g} of {self.negatives:,} pairs of "
                f"different identities: below {_FEW} errors (the rule of 30) go by the interval, "
                "not by the number alone"
            )
        if self.identities < _FEW_IDENTITIES:
            found.append(
                f"{self.identities:,} identities in all; so few give rough intervals: more "
                "identities help, more pictures of these hardly"
            )
        if math.isinf(self.interval.low) or math.isinf(self.interval.high):
            side = "below" if math.isinf(self.interval.low) else "above"
            found.append(f"the data do not bound the threshold {side}")
        if self.cross is None:
            found.append(
                "not cross-validated: without a fifth of the identities, the pairs that are left "
                f"cannot tell an FPR of {self.target_fpr:g}"
            )
        elif self.cross.negatives * self.target_fpr < _FEW:
            found.append(
                f"cross-validated on {self.cross.negatives:,} pairs of different identities, too "
                f"few to see an FPR of {self.target_fpr:g} well"
            )
        return found


def set_threshold(
    trials: Trials,
    target_fpr: float = TARGET_FPR,
    *,
    seed: int = 0,
    distance: bool = False,
) -> Threshold:
    """Set the threshold for a target FPR on scored pairs; see the module.

    Args:
        trials: the pairs.
        target_fpr: share of pairs of two identities that may be accepted.
        seed: of how identities are dealt into the parts of the cross-validation.
        distance: the scores are distances turned round.

    Raises:
        ScoresError: a target that is no share, or that the pairs cannot tell; no pair of one kind.
    """
    most = _most(trials, target_fpr)
    [cut] = trials.cuts([most])
    if math.isinf(cut.threshold):
        raise ScoresError(
            f"no threshold has an FPR of {target_fpr:g} or less and accepts a pair: more pairs of "
            "different identities than that share the highest score of all; are pictures of one "
            "identity there under two names? `lookalikes suspects` finds them"
        )
    [errors] = trials.errors([cut.threshold])
    found = Jackknife.of(trials, errors)
    interval = threshold_interval(trials, cut.threshold, target_fpr, CONFIDENCE)
    animals = take_menagerie(trials, errors, target_fpr)
    fnr, _ = found.interval((0.0, 1.0), found.fnr, trials.positives, CONFIDENCE)
    used = int(((trials.apart > 0) | (trials.within > 0)).sum())
    return Threshold(
        cut.threshold,
        target_fpr,
        interval,
        trials.negatives,
        trials.positives,
        used,
        found.accepted,
        found.missed,
        found.fpr,
        found.fnr,
        fpr_interval(found, trials.negatives),
        fnr,
        animals,
        cross_validate(trials, target_fpr, seed),
        distance=distance,
    )


def _most(trials: Trials, target: float) -> int:
    """Number of pairs of two identities that may be accepted; ScoresError where that is none."""
    if not 0 < target < 1:
        raise ScoresError(f"a target FPR of {target}; expected a share such as 0.001")
    for count, kind in ((trials.negatives, "different identities"), (trials.positives, "one")):
        if not count:
            raise ScoresError(f"no pair of {kind}; a threshold needs pairs of both kinds")
    most = most_within(target, trials.negatives)
    if not most:
        raise ScoresError(
            f"a target FPR of {target:g} cannot be told from {trials.negatives:,} pairs of "
            f"different identities: one of them is {1 / trials.negatives:.2g}, the smallest FPR "
            "there is. Ask for more, or take the threshold from all pairs of a folder of faces"
        )
    return most


def cross_validate(trials: Trials, target: float, seed: int = 0) -> CrossValidation | None:
    """Rates of thresholds on identities that had no part in setting them.

    The identities are dealt into `FOLDS` parts, `REPEATS` times; of very many pairs once. Of each
    part the pairs of which both ends are in it are judged by the threshold that the pairs with no
    end in it set.

    Returns:
        None where such pairs cannot tell the target.
    """
    rng, count = np.random.default_rng(seed), len(trials.names)
    if count < 2 * FOLDS:
        return None
    totals, cuts = np.zeros(4, np.int64), []
    for _ in range(repeats_for(trials.negatives)):
        parts = rng.permutation(count) % FOLDS
        for part in range(FOLDS):
            rest = trials.take(parts != part)
            most = most_within(target, rest.negatives)
            if not most or not rest.positives:
                return None
            [cut] = rest.cuts([most])
            judged = trials.take(parts == part)
            at = judged.count(cut.threshold)
            cuts.append(cut.threshold)
            totals += (judged.negatives, at.accepted, judged.positives, judged.positives - at.hits)
    if not totals[0]:
        return None
    negatives, accepted, positives, missed = totals.tolist()
    return CrossValidation(negatives, accepted, positives, missed, Interval(min(cuts), max(cuts)))


def repeats_for(negatives: int) -> int:
    """Number of times that the identities of so many pairs are dealt into parts."""
    return REPEATS if negatives <= _MANY else 1


def judge(labels: ArrayLike, scores: ArrayLike, ends: Clusters, threshold: float) -> SetRates:
    """Rates of a threshold on scored pairs that did not set it.

    Args:
        labels: `[N]`, 1 for pairs of one identity.
        scores: `[N]`.
        ends: identities at their ends.
        threshold: pairs are accepted if they score as much or more.
    """
    positive = np.asarray(labels) == 1
    accepted = np.asarray(scores, np.float64) >= threshold
    wrong = accepted != positive
    fpr, fnr = (clustered_rate(wrong[rows], ends.take(rows)) for rows in (~positive, positive))
    return SetRates(fpr, fnr)
