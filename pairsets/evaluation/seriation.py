"""An order in which things that are alike stand side by side: average linkage, in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import PairsetsError

Rows = NDArray[np.int64]
Scores = NDArray[np.float64]
_Run = tuple[list[int], list[float]]


def seriate(distances: ArrayLike) -> tuple[Rows, Scores]:
    """Average linkage: an order `[K]` of rows in which clusters are runs, and their tightness.

    The two nearest clusters are joined until one is left; their distance is the mean over all
    pairs of members (UPGMA). When two are joined, they are laid, turned round or not, so that the
    two ends that meet are nearest. Equals go by the lowest row.

    Args:
        distances: `[K, K]`, symmetric; the diagonal is not looked at.

    Returns:
        The order, and the heights `[max(K - 1, 0)]` at which its neighbours were joined. Rows of a
        run whose heights are all at most h are one cluster at h.

    >>> order, heights = seriate([[0, 9, 1], [9, 0, 8], [1, 8, 0]])
    >>> order.tolist(), heights.tolist()
    ([0, 2, 1], [1.0, 8.5])
    """
    given = np.array(distances, np.float64)
    count = len(given)
    if given.shape != (count, count):
        raise PairsetsError(f"distances of shape {given.shape}; expected [K, K]")
    between = given.copy()
    np.fill_diagonal(between, np.inf)
    runs = [[row] for row in range(count)]
    joints: list[list[float]] = [[] for _ in range(count)]
    for _ in range(count - 1):
        # `argmin` takes the first: the lowest row, and of its equals the lowest partner.
        i, j = divmod(int(np.argmin(between)), count)
        height = float(between[i, j])
        left, right = (runs[i], joints[i]), (runs[j], joints[j])
        (runs[i], before), (other, after) = _facing(left, right, given)
        runs[i] = runs[i] + other
        joints[i] = [*before, height, *after]
        mine, theirs = len(runs[i]) - len(right[0]), len(right[0])
        mean = (mine * between[i] + theirs * between[j]) / (mine + theirs)
        between[i], between[:, i] = mean, mean
        between[j], between[:, j], between[i, i] = np.inf, np.inf, np.inf
    if not count:
        return np.empty(0, np.int64), np.empty(0)
    return np.array(runs[0], np.int64), np.array(joints[0], np.float64)


def _facing(left: _Run, right: _Run, distances: Scores) -> tuple[_Run, _Run]:
    """Two runs, each turned round or not, so that the ends that meet are nearest."""
    ways = [
        (first, second) for first in (left, _turned(left)) for second in (right, _turned(right))
    ]
    return min(ways, key=lambda way: float(distances[way[0][0][-1], way[1][0][0]]))


def _turned(run: _Run) -> _Run:
    return run[0][::-1], run[1][::-1]
