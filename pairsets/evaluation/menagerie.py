"""Identities that err more than others at one threshold, and thresholds of their own.

Doddington et al. (1998) call identities that others are easily taken for *lambs*, those that are
taken for others *wolves*, and those that are often not known again *goats*. Scores here are
symmetric, so that nobody claims and nobody is claimed: lambs are wolves, and are called lambs.
Yager and Dunstone (2010) tell identities by their mean scores: of those in the quartile of the
lowest or highest means with their own and with others, *doves* have high own and low others',
*worms* the reverse, *chameleons* both high, *phantoms* both low.

How many times more errors than the average an identity has is estimated with shrinkage, as
disease rates of small districts are (Clayton and Kaldor 1987): with O_i errors where mu_i were to
be expected, theta_i ~ Gamma of mean 1 and variance A,

    theta_i = (1 / A + O_i) / (1 / A + mu_i),     A = max(0, s^2 - 1 / mean(mu)),

s^2 the mean of (O_i / mu_i - 1)^2 weighed by mu_i (Marshall 1991). Errors come in clumps: where two
identities are confused at all, many of their pairs are. So false accepts count in units of
phi = sum e_ij^2 / sum e_ij, e_ij those between i and j; and misses of n faces as n - 1 independent
pairs tell them, of n (n - 1) / 2. The 95 % interval of theta_i is that of its gamma distribution
given O_i, by Wilson and Hilferty's cube root (1931).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairsets.arrays import Counts, Floats, Mask
from pairsets.evaluation.intervals import CONFIDENCE, deviate
from pairsets.evaluation.jackknife import Errors
from pairsets.evaluation.rates import most_within
from pairsets.evaluation.trials import Names, Trials

# Times as many errors as the average that make an identity a lamb, or a goat.
MANY = 2.0
# Of the logarithm of theta, where thresholds are taken for it.
_STEP = 0.05


@dataclass(frozen=True, eq=False)
class RelativeRate:
    """Times as many errors as the average that each identity has, shrunk to 1.

    Attributes:
        value: `[G]`; 1 where nothing is known of an identity.
        low, high: `[G]`, the 95 % interval; nan where the data show no differences.
        spread: variance of the true values, A; 0 where the data show none.
    """

    value: Floats
    low: Floats
    high: Floats
    spread: float

    @property
    def differs(self) -> Mask:
        """`[G]`: whether the average is outside the interval."""
        return np.asarray((self.low > 1) | (self.high < 1))

    @property
    def many(self) -> Mask:
        """`[G]`: whether it is surely above the average, and `MANY` times it or more."""
        return np.asarray((self.low > 1) & (self.value >= MANY))


def relative_rate(found: Floats, expected: Floats) -> RelativeRate:
    """Errors of each identity as times those expected, shrunk by how much identities differ.

    Args:
        found: `[G]`, errors, in independent ones.
        expected: `[G]`, those of the average identity with as many pairs.
    """
    known = expected > 0
    ones = np.ones(len(expected))
    unknown = RelativeRate(ones, ones * np.nan, ones * np.nan, 0.0)
    if not known.any() or not found.any():
        return unknown
    mine, mean = found[known], expected[known]
    squares = float((mean * (mine / mean - 1) ** 2).sum() / mean.sum())
    spread = max(squares - 1 / float(mean.mean()), 0.0)
    if not spread:
        return unknown
    shape, rate = 1 / spread + found, 1 / spread + expected
    ninth, z = 1 / (9 * shape), deviate(CONFIDENCE)
    low, high = (
        shape / rate * np.maximum(1 - ninth + side * z * ninth**0.5, 0) ** 3 for side in (-1, 1)
    )
    return RelativeRate(shape / rate, low, high, spread)


@dataclass(frozen=True, eq=False)
class Menagerie:
    """The identities at one threshold.

    Attributes:
        names: `[G]`.
        negatives, accepted: `[G]`, pairs of each with others, and those falsely accepted.
        positives, missed: `[G]`, pairs of its own, and those rejected.
        others, own: false accepts, and misses, as times the average.
        own_mean, others_mean: `[G]`, mean scores with its own and with others; nan without pairs.
        thresholds: `[G]`, at which its FPR is about the target; nan where it needs none of its own,
            inf where no threshold would do.
    """

    names: Names
    negatives: Counts
    accepted: Counts
    positives: Counts
    missed: Counts
    others: RelativeRate
    own: RelativeRate
    own_mean: Floats
    others_mean: Floats
    thresholds: Floats

    @property
    def lambs(self) -> Mask:
        """`[G]`: identities that others are taken for, surely and often."""
        return self.others.many

    @property
    def goats(self) -> Mask:
        """`[G]`: identities that are not known again, surely and often."""
        return self.own.many

    @property
    def needy(self) -> Mask:
        """`[G]`: identities that need a threshold of their own."""
        return np.asarray(~np.isnan(self.thresholds))

    @property
    def animals(self) -> Names:
        """`[G]`: dove, worm, chameleon, phantom, or nothing, by quartiles of the mean scores."""
        kinds = np.full(len(self.names), "", object)
        known = np.isfinite(self.own_mean) & np.isfinite(self.others_mean)
        if known.sum() < 4:
            return kinds
        ends = [
            np.quantile(means[known], [0.25, 0.75]) for means in (self.own_mean, self.others_mean)
        ]
        with np.errstate(invalid="ignore"):
            poor, good = self.own_mean <= ends[0][0], self.own_mean >= ends[0][1]
            far, near = self.others_mean <= ends[1][0], self.others_mean >= ends[1][1]
        for rows, kind in (
            (good & far, "dove"),
            (poor & near, "worm"),
            (good & near, "chameleon"),
            (poor & far, "phantom"),
        ):
            kinds[rows & known] = kind
        return kinds


def take_menagerie(trials: Trials, errors: Errors, target: float) -> Menagerie:
    """The identities of some pairs at the threshold of `errors`, and thresholds of their own.

    An identity whose false accepts surely differ from the average gets the threshold at which the
    FPR of all is the target divided by its theta, within 2.5 %: there its own is about the target.
    """
    accepted, negatives = int(errors.accepted.sum()) // 2, trials.negatives
    clump = errors.squares / accepted if accepted else 1.0
    rate = accepted / negatives / clump
    others = relative_rate(
        np.asarray(errors.accepted / clump, np.float64), np.asarray(trials.apart * rate, np.float64)
    )
    # n faces are n - 1 independent pairs, of n (n - 1) / 2: of P pairs about 2 P / n.
    faces = (1 + np.sqrt(1 + 8 * trials.within.astype(np.float64))) / 2
    missed = int(errors.missed.sum())
    share = missed / max(trials.positives, 1)
    own = relative_rate(
        np.asarray(2 * errors.missed / faces, np.float64),
        np.asarray(2 * trials.within / faces * share, np.float64),
    )
    wanted = np.flatnonzero(others.differs & (trials.apart > 0))
    thresholds = np.full(len(trials.names), np.nan)
    # In steps of 5 %, so that few thresholds serve many identities.
    steps = np.exp(_STEP * np.rint(np.log(others.value[wanted]) / _STEP))
    most = [most_within(min(target / times, 1.0), negatives) for times in steps.tolist()]
    ranks = sorted(set(most))
    cuts = dict(zip(ranks, trials.cuts(ranks), strict=True)) if ranks else {}
    thresholds[wanted] = [cuts[number].threshold for number in most]
    means = trials.means()
    return Menagerie(
        trials.names,
        trials.apart,
        errors.accepted,
        trials.within,
        errors.missed,
        others,
        own,
        # Digits that hang on how sums were rounded are not told.
        np.round(means[0], 9),
        np.round(means[1], 9),
        thresholds,
    )
