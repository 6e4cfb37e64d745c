"""Groups in a network, where there are any: greatest modularity, and what chance gives."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Rows
from pairsets.errors import PairsetsError

# As good as the best of so many networks of chance is one in twenty: a test at 5 %.
REDRAWS = 19


@dataclass(frozen=True, eq=False)
class Communities:
    """Groups of the nodes of a network, or none.

    Attributes:
        labels: `[K]` the group of each node, counted from 0 by its lowest node; all 0 where the
            network has no groups.
        modularity: Q of the division that has most, 0 where that is all in one.
        chance: the highest Q of `REDRAWS` networks of chance; 0 where none has any.
    """

    labels: Rows
    modularity: float
    chance: float

    @property
    def count(self) -> int:
        """Number of groups; 0 where the network has none."""
        groups = len(np.unique(self.labels))
        return groups if groups > 1 else 0

    @classmethod
    def of(cls, low: ArrayLike, high: ArrayLike, weights: ArrayLike, nodes: int) -> Communities:
        """Groups of a network of `nodes`, whose edges go from `low` to `high`.

        Modularity is the share of the weight inside the groups, less what it would be if the ends
        of all edges met by chance (Newman and Girvan 2004, Physical Review E 69, 026113):
        Q = sum over groups of inside / W - (ends / 2W)^2. How many groups there are is where no
        node that moves, and no groups that unite, gain any (Blondel et al. 2008, J. Stat. Mech.
        P10008: nodes one by one in their order, then those beside
        one that moved; then groups as nodes; then each group taken apart once more).

        Networks without groups have some, too, the more the sparser (Guimera, Sales-Pardo and
        Amaral 2004, Physical Review E 70, 025101). So the ends are shuffled `REDRAWS` times, those
        that meet themselves dropped, and divided likewise: unless the modularity is above all of
        these, there are no groups.

        Args:
            low, high: `[E]` nodes, each two once; no node with itself.
            weights: `[E]` whole numbers above 0.
            nodes: how many there are.

        Raises:
            PairsetsError: edges of other lengths or beyond the nodes, loops, weights below 1.

        >>> found = Communities.of([0, 0, 1, 3, 3, 4], [1, 2, 2, 4, 5, 5], [9] * 6, 6)
        >>> found.labels.tolist(), found.count, found.modularity
        ([0, 0, 0, 1, 1, 1], 2, 0.5)
        """
        first, second = np.asarray(low, np.int64), np.asarray(high, np.int64)
        heavy = np.asarray(weights, np.int64)
        _refuse(first, second, heavy, nodes)
        labels = divide(first, second, heavy, nodes)
        quality = modularity(first, second, heavy, labels)
        if labels.max(initial=0) == 0 or quality <= 0:
            return cls(np.zeros(nodes, np.int64), max(quality, 0.0), 0.0)
        ends = np.repeat(np.concatenate([first, second]), np.tile(heavy, 2))
        draw = np.random.default_rng(0)
        chance = max(_by_chance(draw.permutation(ends), nodes) for _ in range(REDRAWS))
        kept = labels if quality > chance else np.zeros(nodes, np.int64)
        return cls(kept, quality, chance)


def modularity(low: Rows, high: Rows, weights: Counts, labels: Rows) -> float:
    """Modularity Q of a division of a network; see `Communities.of`. 0 without an edge."""
    whole = int(weights.sum())
    if not whole:
        return 0.0
    inside = weights[labels[low] == labels[high]].sum() / whole
    ends = np.bincount(labels[low], weights, labels.max() + 1)
    ends += np.bincount(labels[high], weights, labels.max() + 1)
    return float(inside - ((ends / (2 * whole)) ** 2).sum())


def divide(low: Rows, high: Rows, weights: Counts, nodes: int) -> Rows:
    """Labels `[nodes]` of groups, no two of which gain modularity by a union; by first node."""
    beside: list[dict[int, int]] = [{} for _ in range(nodes)]
    for i, j, weight in zip(low.tolist(), high.tolist(), weights.tolist(), strict=True):
        beside[i][j] = beside[j][i] = weight
    ends = [sum(others.values()) for others in beside]
    labels = _joined(beside, ends, np.arange(nodes))
    while True:
        # Who came together too early: each group by itself, from its last node on, for the first
        # ones may have led the others astray; and from its parts again.
        mine = labels.tolist()
        within = [
            {other: weight for other, weight in others.items() if mine[other] == mine[node]}
            for node, others in enumerate(beside)
        ]
        finer = _counted(_moved(within, ends, backwards=True))
        again = _joined(beside, ends, finer)
        gained = modularity(low, high, weights, again) - modularity(low, high, weights, labels)
        if gained < 1e-9:
            return labels
        labels = again


def _joined(beside: list[dict[int, int]], ends: list[int], labels: Rows) -> Rows:
    """Groups, moved and united from those of `labels` until nothing gains."""
    beside, ends = _united(beside, ends, labels.tolist())
    while True:
        group = _moved(beside, ends)
        counted = _counted(group)
        labels = counted[labels]
        if len(set(group)) == len(group):
            return _counted(labels.tolist())
        beside, ends = _united(beside, ends, counted.tolist())


def _moved(
    beside: Sequence[Mapping[int, int]], ends: Sequence[int], *, backwards: bool = False
) -> list[int]:
    """Group of each node, moved to the one it gains most with, until none moves."""
    group, filled, double = list(range(len(ends))), list(ends), sum(ends)
    waiting = deque(reversed(group) if backwards else group)
    asked = [True] * len(group)
    while waiting:
        node = waiting.popleft()
        asked[node] = False
        own = group[node]
        links: dict[int, int] = {own: 0}
        for other, weight in beside[node].items():
            links[group[other]] = links.get(group[other], 0) + weight
        filled[own] -= ends[node]
        # A gain times 2 W^2 is a whole number: equal gains are equal, and who gains none stays.
        most, best = double * links[own] - ends[node] * filled[own], own
        for there, weight in links.items():
            gain = double * weight - ends[node] * filled[there]
            if gain > most or (gain == most and best != own and there < best):
                most, best = gain, there
        filled[best] += ends[node]
        if best != own:
            group[node] = best
            for other in beside[node]:
                if group[other] != best and not asked[other]:
                    asked[other] = True
                    waiting.append(other)
    return group


def _united(
    beside: Sequence[Mapping[int, int]], ends: Sequence[int], group: Sequence[int]
) -> tuple[list[dict[int, int]], list[int]]:
    """The network of the groups: the weights between them, and how many ends each has."""
    count = max(group, default=-1) + 1
    between: list[dict[int, int]] = [{} for _ in range(count)]
    filled = [0] * count
    for node, mine in enumerate(group):
        filled[mine] += ends[node]
        for other, weight in beside[node].items():
            if (theirs := group[other]) != mine:
                between[mine][theirs] = between[mine].get(theirs, 0) + weight
    return between, filled


def _counted(group: Sequence[int]) -> Rows:
    """Groups by numbers from 0, in the order of their first nodes."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(one, len(numbers)) for one in group], np.int64)


def _by_chance(ends: Rows, nodes: int) -> float:
    """Modularity of the network in which every two neighbours of `ends` meet."""
    half = len(ends) // 2
    low, high = np.minimum(ends[:half], ends[half:]), np.maximum(ends[:half], ends[half:])
    keys, weights = np.unique((low * nodes + high)[low != high], return_counts=True)
    low, high = np.divmod(keys, nodes)
    return modularity(low, high, weights, divide(low, high, weights, nodes))


def _refuse(low: Rows, high: Rows, weights: Counts, nodes: int) -> None:
    if not low.shape == high.shape == weights.shape or low.ndim != 1:
        raise PairsetsError(
            f"edges of {low.shape}, {high.shape} and weights of {weights.shape}; expected one "
            "length for all"
        )
    ends = np.concatenate([low, high])
    if ends.size and (ends.min() < 0 or ends.max() >= nodes):
        raise PairsetsError(f"an edge of node {ends.max()}; expected 0 to {nodes - 1}")
    if (low == high).any() or (weights < 1).any():
        raise PairsetsError("an edge of a node with itself, or of no weight; expected neither")
    keys = np.minimum(low, high) * max(nodes, 1) + np.maximum(low, high)
    if len(np.unique(keys)) != len(keys):
        raise PairsetsError("two nodes have two edges; expected each two once")
