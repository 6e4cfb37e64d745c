"""Agreement beyond chance: Cohen's kappa of two people, Fleiss' kappa of several.

Either is `(P - E) / (1 - E)`: P is the mean over pairs of the share of agreeing verdicts, E what it
would be if everybody had drawn verdicts blindly, each as often as was seen. The mean of a number
`chance` over pairs is 2 E, so that what one pair adds to the error of kappa is

    ((agreed - P) - (1 - kappa) (chance - 2 E)) / (1 - E) / number of pairs

(the delta method). With independent pairs the squares of that sum to the variance of Fleiss, Cohen
and Everitt, "Large sample standard errors of kappa and weighted kappa" (1969); here pairs that
share an identity covary, as everywhere in this package.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import Interval, wilson

# A standard error below is rounding, not a finding.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Kappa:
    """Kappa, an agreement beyond chance, with its interval.

    Attributes:
        value: 1 where all agree, 0 where they agree as blind verdicts would; None where everybody
            said the same of every pair, or no pair was judged: there it is not defined.
        error: standard error; None with `value`.
        interval: None where there is no telling, as where one of two people said the same always:
            kappa is then 0 whatever the other said.
        agreed, expected: P and E; nan without pairs.
        count: pairs.
    """

    value: float | None
    error: float | None
    interval: Interval | None
    agreed: float
    expected: float
    count: int


def cohen(first: ArrayLike, second: ArrayLike, clusters: Clusters | None = None) -> Kappa:
    """Cohen's kappa (1960) of two people's verdicts `[N]`, whole numbers from 0 up.

    The interval is Wilson's for P, on as many independent pairs as give kappa's variance, with E
    taken as known: it stays within what kappa can be and has a length where nobody disagrees.

    Args:
        first, second: verdicts, such as 0 and 1.
        clusters: of the pairs; None takes them as independent.

    Raises:
        ScoresError: other lengths, or numbers below 0.

    >>> round(cohen([1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 0, 0]).value, 3)
    0.667
    """
    one, two = (np.asarray(given).astype(np.int64) for given in (first, second))
    if one.shape != two.shape or one.ndim != 1:
        raise ScoresError(f"verdicts of shapes {one.shape} and {two.shape}; expected one a pair")
    if one.size and min(one.min(), two.min()) < 0:
        raise ScoresError("verdicts below 0; leave out the pairs that were not judged by both")
    kinds = int(max(one.max(), two.max())) + 1 if one.size else 1
    shares = [np.bincount(given, minlength=kinds) / max(one.size, 1) for given in (one, two)]
    chance = shares[1][one] + shares[0][two]
    return _kappa((one == two).astype(np.float64), chance, clusters)


def fleiss(counts: ArrayLike, clusters: Clusters | None = None) -> Kappa:
    """Fleiss' kappa (1971) of `counts [N, K]`: how many people gave pair n the verdict k.

    As he has it, equally many people judged each pair; the interval is that of `cohen`.

    Raises:
        ScoresError: another shape, negative counts, fewer than two verdicts, or not equally many.

    >>> round(fleiss([[3, 0], [3, 0], [0, 3], [1, 2]]).value, 3)
    0.657
    """
    table = np.asarray(counts, np.float64)
    if table.ndim != 2 or (table < 0).any():
        raise ScoresError(
            f"counts of shape {table.shape}; expected [pairs, verdicts], none below 0"
        )
    sums = table.sum(axis=1)
    if sums.size and (sums.min() != sums.max() or sums[0] < 2):
        raise ScoresError(
            f"from {sums.min():g} to {sums.max():g} verdicts a pair; expected as many of every "
            "pair, two or more"
        )
    people = float(sums[0]) if sums.size else 2.0
    agreed = (table**2).sum(axis=1) - people
    said = table / people
    chance = 2 * said @ said.sum(axis=0) / max(len(table), 1)
    return _kappa(agreed / (people * (people - 1)), chance, clusters)


def _kappa(agreed: Floats, chance: Floats, clusters: Clusters | None) -> Kappa:
    count = agreed.size
    if not count:
        return Kappa(None, None, None, float("nan"), float("nan"), 0)
    share, expected = float(agreed.mean()), float(chance.mean()) / 2
    rest = 1 - expected
    if rest < _NOTHING:
        return Kappa(None, None, None, share, 1.0, count)
    value = 1 - (1 - share) / rest
    influence = ((agreed - share) - (1 - value) * (chance - 2 * expected)) / (rest * count)
    if clusters is None:
        clusters = Clusters(2 * np.arange(count), 2 * np.arange(count) + 1, 2 * count)
    error = clusters.spread(influence).variance ** 0.5
    effective = float(count)
    if 0 < share < 1:
        if error < _NOTHING:
            return Kappa(value, 0.0, None, share, expected, count)
        effective = share * (1 - share) / (rest * error) ** 2
    ends = wilson(share, effective)
    low, high = (1 - (1 - end) / rest for end in (ends.low, ends.high))
    return Kappa(value, error, Interval(low, high), share, expected, count)
