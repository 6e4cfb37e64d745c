"""Interval of a share in a finite set that holds at every moment of a random sample that grows."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import CONFIDENCE

# Below it factorials are added up; Stirling's series is exact to 1e-11 from there on.
_SUMMED = 64
_LOGS = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, _SUMMED)))])


def sequential_bounds(
    errors: ArrayLike, drawn: ArrayLike, population: ArrayLike, confidence: float = CONFIDENCE
) -> tuple[Rows, Rows]:
    """Lowest and highest number of errors in the whole set, whenever one chooses to look.

    Of a set of `population` items, `drawn` were taken at random, one after the other and none
    twice, and `errors` of them were wrong. Numbers K of errors in the set are kept where the chance
    of what was seen, which is hypergeometric, is at least (1 - confidence) / (drawn + 1).

    That chance, times drawn + 1, is the inverse of a martingale: the likelihood of the sequence,
    averaged over all K alike, over that at the true K. By Ville's inequality it falls below
    1 - confidence at any time with a chance of at most 1 - confidence. So all intervals of a
    sequence hold together, and who stops when one is narrow enough is as safe as who does not.
    Waudby-Smith and Ramdas, "Confidence sequences for sampling without replacement" (NeurIPS 2020,
    arXiv 2006.04347), with the uniform prior.

    Args:
        errors: `[...]`, of those drawn.
        drawn: the same.
        population: the same.
        confidence: of all intervals of a sequence together.

    Returns:
        Both `[...]` int64; divided by the population they are the bounds of the share.

    Raises:
        ScoresError: more errors than items drawn, or more drawn than there are.

    >>> low, high = sequential_bounds(5, 100, 1000)
    >>> int(low), int(high)
    (9, 154)
    """
    wrong, count, total = np.broadcast_arrays(
        *(np.asarray(one, np.int64) for one in (errors, drawn, population))
    )
    if ((wrong < 0) | (wrong > count) | (count > total)).any():
        raise ScoresError("expected 0 <= errors <= drawn <= population")
    least = math.log(1 - confidence) - np.log(count + 1.0)
    right = count - wrong

    def is_kept(errors_in_all: Rows) -> NDArray[np.bool_]:
        rest = total - errors_in_all
        seen = _choices(errors_in_all, wrong) + _choices(rest, right) - _choices(total, count)
        return np.asarray(seen >= least - 1e-9)

    # The likeliest number: on either side of it the chance only falls.
    best = np.where(count > 0, wrong * (total + 1) // np.maximum(count, 1), 0)
    best = np.clip(best, wrong, total - right)
    return _edge(is_kept, best, wrong), _edge(is_kept, best, total - right)


def _edge(is_kept: Callable[[Rows], NDArray[np.bool_]], inside: Rows, outside: Rows) -> Rows:
    """The farthest number that is kept, going from `inside`, which is, to `outside`."""
    kept, far = inside.copy(), outside.copy()
    kept = np.where(is_kept(far), far, kept)
    while True:
        middle = kept + np.trunc((far - kept) / 2).astype(np.int64)
        moving = middle != kept
        if not moving.any():
            return np.asarray(kept)
        good = is_kept(middle)
        kept = np.where(moving & good, middle, kept)
        far = np.where(moving & ~good, middle, far)


def _choices(items: Rows, taken: Rows) -> NDArray[np.float64]:
    """Logarithm of the number of ways to take some of the items."""
    return _log_factorial(items) - _log_factorial(taken) - _log_factorial(items - taken)


def _log_factorial(number: Rows) -> NDArray[np.float64]:
    n = np.maximum(number, _SUMMED).astype(np.float64)
    series = 1 / (12 * n) - 1 / (360 * n**3) + 1 / (1260 * n**5)
    large = n * np.log(n) - n + 0.5 * np.log(2 * np.pi * n) + series
    return np.where(number < _SUMMED, _LOGS[np.clip(number, 0, _SUMMED - 1)], large)
