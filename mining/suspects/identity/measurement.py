"""Measurement of a check on the set at hand: its level, and how often it is right from there on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mining.suspects.identity.tails import Fit, Level, level_of
from pairsets.arrays import Floats
from pairsets.evaluation.intervals import deviate, wilson
from pairsets.files.expectations import Expectation, Share

WRONG = 0.05
"""Share of flags that may be wrong where the level is chosen: half of the tenth that is wanted at
most, since the tail beyond what was seen is told from what was seen."""
LEAST_RECALL = 0.05
"""Share of planted mistakes that must reach the level; less, and it finds nothing worth it."""
LEAST_PLANTED = 10
MOST_UNFLAGGED = 0.499999
"""Score of what would be flagged, and is not, because the check abstains."""
# Parts of the scores that tails are told from, by how many are mistakes: hardly any, few, many. All
# parts of one row have to agree. What the first row spares may be too little; then the second
# speaks, if what it flags is of the size that it is for, and where more still seem to be mistakes
# than it spares, the third.
RARE = (Fit(0.02, 0.15, -0.1), Fit(0.15, 0.6, -0.1))
FEW = (Fit(0.05, 0.3, -0.1), Fit(0.15, 0.6, -0.1))
MANY = (Fit(0.15, 0.6, 0.0),)
FEW_SHARE, MANY_SHARE = 0.015, 0.08
# The tail is a guess: what is expected to be wrong may be so many times more, or fewer.
_UNSURE = 3.0
# From this mean on Poisson numbers are taken for normal ones.
_LARGE = 500.0


@dataclass(frozen=True)
class Measurement:
    """Measured level of a check, and what it expects of itself there.

    Attributes:
        level: strength from which on something is flagged; inf where nothing tells it.
        expected: precision and recall at the level, or why it abstains.
    """

    level: float
    expected: Expectation


def measured(
    kind: str,
    seen: Floats,
    planted: Floats,
    *,
    what: str,
    eer: float,
    few_share: float = FEW_SHARE,
    trusted: bool = False,
) -> Measurement:
    """Choose the level of a check, from what it sees of the set and of planted mistakes.

    Args:
        kind: of suspects.
        seen: `[N]` strengths of all that it looks at, as the set is; nan where it cannot tell.
        planted: `[P]` strengths of mistakes that were planted among them.
        what: plural noun of what it looks at.
        eer: equal error rate of the reference on this set, 0 to 1; nan where it is not known.
        few_share: share of all that the second row of tails must flag to be believed.
        trusted: where it would abstain, speak from the level on that half of the planted reach.
    """
    seen = seen[np.isfinite(seen)]
    # What is planted and cannot be told is not found either.
    planted = np.where(np.isnan(planted), -np.inf, planted)
    if len(planted) < LEAST_PLANTED:
        why = (
            f"only {len(planted):,} mistakes could be planted to measure it by (identities with "
            f"pictures enough are needed for {LEAST_PLANTED})"
        )
        # Nothing tells from where on to flag, though it be trusted.
        return Measurement(np.inf, Expectation(kind, None, None, len(planted), why))
    middle = float(np.sort(planted)[len(planted) // 2])
    if middle == -np.inf:
        why = "half of the mistakes that were planted do not show at all"
        return Measurement(np.inf, Expectation(kind, None, None, len(planted), why))
    found = _level(seen, middle, few_share)
    if found is None:
        why = f"{len(seen):,} {what} are too few to tell how high those score that are no mistake"
        return Measurement(middle, Expectation(kind, None, None, len(planted), why, trusted))
    recall = _recall(planted, found.value)
    if found.flagged or recall.value >= LEAST_RECALL:
        # Of nothing that is flagged nothing can be wrong: what is told is what was asked for.
        precision = _precision(found) if found.flagged else Share(1 - WRONG, 0, 1)
        said = Expectation(kind, precision, recall, len(planted), flagged=found.flagged)
        return Measurement(found.value, said)
    why = (
        "what is no mistake scores as high here: where "
        f"{1 - WRONG:.0%} of its flags would be right it finds "
        f"{recall.value:.0%} of planted mistakes"
    ).replace("%", " %")
    if not np.isnan(eer):
        why += f"; the reference separates these faces at an EER of {100 * eer:.0f} %"
    if trusted:
        at = Expectation(kind, None, _recall(planted, middle), len(planted), why, trusted)
        return Measurement(middle, at)
    return Measurement(middle, Expectation(kind, None, recall, len(planted), why))


def _level(seen: Floats, middle: float, few_share: float) -> Level | None:
    """Level by the tail that fits how many of what is seen are mistakes.

    Args:
        seen: `[N]` strengths.
        middle: strength that half of what was planted reaches.
        few_share: see `measured`.
    """
    if 2 * (seen >= middle).mean() > MANY_SHARE:
        return level_of(seen, MANY, WRONG)
    rare = level_of(seen, RARE, WRONG)
    if rare is None or rare.flagged:
        return rare
    few = level_of(seen, FEW, WRONG)
    return few if few is not None and few.flagged > few_share * len(seen) else rare


def _recall(planted: Floats, level: float) -> Share:
    """Share of the planted that reach a level, with the interval of Wilson."""
    value = float((planted >= level).mean())
    interval = wilson(value, len(planted))
    return Share(value, min(interval.low, value), max(interval.high, value))


def _precision(found: Level) -> Share:
    """Precision that is expected of what is flagged at a level, and its interval.

    Of the interval are the numbers of wrong ones that 95 % of draws would have, if the expected
    number may be off by a factor of `_UNSURE` either way.
    """
    # No tail is told so well that not one could be wrong.
    most = _poisson_quantile(max(found.wrong, WRONG) * _UNSURE, 0.975)
    least = _poisson_quantile(found.wrong / _UNSURE, 0.025)
    value, low, high = (1 - min(1.0, count / found.flagged) for count in (found.wrong, most, least))
    return Share(value, min(low, value), max(high, value))


def _poisson_quantile(mean: float, share: float) -> int:
    """Smallest number that so large a share of Poisson numbers of this mean do not exceed."""
    if mean > _LARGE:
        # Normal then, within a share of it that does not show.
        sign = 1 if share > 0.5 else -1
        return max(0, round(mean + sign * deviate(abs(2 * share - 1)) * math.sqrt(mean)))
    count, chance = 0, math.exp(-mean)
    total = chance
    while total < share and count < mean + 40 * math.sqrt(mean + 1):
        count += 1
        chance *= mean / count
        total += chance
    return count
