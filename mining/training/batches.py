"""Batches of m pictures an identity, each a function of the seed and the number of its step.

No state is kept between steps: a training that goes on draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mining.errors import TrainingError
from mining.training.configuration import TrainingConfig

Rows = NDArray[np.int64]
# Streams of random numbers, so that what one draws does not move another.
_ORDER, _PICTURES, _NEIGHBOURS, _PAIRS = 1, 2, 3, 4


@dataclass(frozen=True, eq=False)
class Hardness:
    """Hard part of the batches, as a mining left it.

    Attributes:
        neighbours: `[U, K]` for each unit with several pictures the units it is confused with,
            worst first; -1 where there are fewer. Empty where pairs were mined.
        pairs: `[M, 2]` mined rows of faces of different identities, hardest first. Empty where
            identities were.
    """

    neighbours: Rows
    pairs: Rows

    @classmethod
    def nothing(cls) -> Hardness:
        """The hardness of what has not been mined."""
        return cls(np.empty((0, 0), np.int64), np.empty((0, 2), np.int64))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing hard to draw from."""
        return not (self.neighbours >= 0).any() and not len(self.pairs)


class BatchPlan:
    """Plan of which faces stand in the batch of each step.

    Identities are gone through in shuffled passes, so that none is left out for long. Identities of
    a single picture have no positive: they come m at a time, in the place of one identity, and
    serve as negatives. Of identities with fewer than m pictures some come twice, as differently
    changed pictures.

    Attributes:
        units: rows of the faces of each unit: an identity of several pictures, or m lone faces.
        count_identities: how many of the units are identities; they come first.
        count_lone: number of identities of a single picture.
        unit_of: `[N]` the unit of each face; -1 of the few lone faces that fill none.
    """

    def __init__(self, groups: Rows, config: TrainingConfig, seed: int) -> None:
        """Plan batches of the faces whose identities `groups [N]` numbers.

        Raises:
            TrainingError: fewer identities than a batch needs.
        """
        self._config, self._seed = config, seed
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])
        members = np.split(order, starts[1:])
        several = [rows for rows in members if len(rows) > 1]
        lone = np.concatenate([rows for rows in members if len(rows) == 1] or [order[:0]])
        self.count_identities, self.count_lone = len(several), len(lone)
        whole = len(lone) // config.m * config.m
        self.units = several + list(lone[:whole].reshape(-1, config.m))
        wanted = config.identities_per_batch
        if len(self.units) < wanted or len(several) < 2:
            raise TrainingError(
                f"{len(several)} identities with two pictures or more, and {len(lone)} with one; a "
                f"batch of {config.batch_size} pictures with m = {config.m} needs {wanted}: ask "
                f"for smaller batches, as --batch-size {config.m * max(2, len(several) // 2)}, or "
                "give more identities"
            )
        self.unit_of = np.full(len(groups), -1)
        for unit, rows in enumerate(self.units):
            self.unit_of[rows] = unit
        # Threads ask for batches of one pass and the next, of two or three kinds of passes.
        self._pass: Callable[[int, int, int], Rows] = lru_cache(maxsize=8)(self._shuffled)

    def rows(self, step: int, hardness: Hardness | None = None) -> Rows:
        """The faces of the batch of `step`, `[batch_size]`, those of one unit together."""
        rng = np.random.default_rng([self._seed, _PICTURES, step])
        if hardness is None or hardness.is_empty:
            units = self._next(step, self._config.identities_per_batch)
            return np.concatenate([self._pictures(int(unit), rng) for unit in units])
        if len(hardness.pairs):
            return self._around_pairs(step, hardness.pairs, rng)
        units = self._neighbourhoods(step, hardness.neighbours)
        return np.concatenate([self._pictures(int(unit), rng) for unit in units])

    @property
    def hard_units(self) -> int:
        """Number of a batch's units that are hard."""
        wanted = self._config.identities_per_batch
        return min(wanted, max(2, round(self._config.hard_negatives.share * wanted)))

    def _next(self, step: int, count: int, among: int | None = None) -> Rows:
        """The units whose turn it is, `[count]`, all different: those of one pass over them."""
        units = len(self.units) if among is None else among
        a_pass = units // count
        turn = step % a_pass * count
        return np.asarray(self._pass(_ORDER, step // a_pass, units)[turn : turn + count], np.int64)

    def _shuffled(self, stream: int, number: int, count: int) -> Rows:
        """The order of the pass of that number over `count` things."""
        rng = np.random.default_rng([self._seed, stream, number, count])
        return np.asarray(rng.permutation(count), np.int64)

    def _pictures(self, unit: int, rng: np.random.Generator, first: int | None = None) -> Rows:
        """m faces of a unit, `[m]`: all different where it has as many; `first` among them."""
        rows, m = self.units[unit], self._config.m
        if first is not None:
            rows = rows[rows != first]
            rest = _drawn(rows, m - 1, rng) if len(rows) else np.full(m - 1, first)
            return np.concatenate([[first], rest]).astype(np.int64)
        return _drawn(rows, m, rng)

    def _neighbourhoods(self, step: int, neighbours: Rows) -> Rows:
        """Identities whose turn it is, each with some it is confused with, and random units."""
        wanted, group = self._config.identities_per_batch, self._config.hard_negatives.group
        rng = np.random.default_rng([self._seed, _NEIGHBOURS, step])
        most = max(1, min(self.hard_units // group, self.count_identities))
        chosen: list[int] = []
        for anchor in self._next(step, most, self.count_identities).tolist():
            if anchor in chosen:
                continue  # a neighbour of an earlier one already
            near = [unit for unit in neighbours[anchor].tolist() if unit >= 0]
            near = [unit for unit in rng.permutation(near).tolist() if unit not in chosen]
            chosen += [anchor, *near[: min(group, self.hard_units) - 1]]
        told = np.array(chosen, np.int64)
        return np.concatenate([told, self._others(step, wanted - len(chosen), told)])

    def _around_pairs(self, step: int, pairs: Rows, rng: np.random.Generator) -> Rows:
        """Mined pairs whose turn it is, each face among others of its own, and random units."""
        wanted = self._config.identities_per_batch
        number, start = divmod(step * (self.hard_units // 2), len(pairs))
        order = self._pass(_PAIRS, number, len(pairs))
        parts: list[Rows] = []
        chosen: list[int] = []
        # On through the list, as far as identities are still new.
        for place in range(start, start + len(pairs)):
            if len(chosen) + 2 > self.hard_units:
                break
            i, j = pairs[order[place % len(pairs)]].tolist()
            units = [int(self.unit_of[i]), int(self.unit_of[j])]
            if not {*units} & {*chosen}:
                parts += [self._pictures(units[0], rng, i), self._pictures(units[1], rng, j)]
                chosen += units
        rest = self._others(step, wanted - len(chosen), np.array(chosen, np.int64))
        return np.concatenate([*parts, *(self._pictures(int(unit), rng) for unit in rest)])

    def _others(self, step: int, count: int, chosen: Rows) -> Rows:
        """Units whose turn it is that are not among `chosen`, `[count]`."""
        if not count:
            return chosen[:0]
        turn = self._next(step, min(count + len(chosen), len(self.units)))
        return np.asarray(turn[~np.isin(turn, chosen)][:count], np.int64)


def _drawn(rows: Rows, count: int, rng: np.random.Generator) -> Rows:
    """`count` of `rows`, all of them before any comes again."""
    rounds = -(-count // len(rows))
    return np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:count]
