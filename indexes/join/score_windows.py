"""Intervals of scores and the pairs in them, by bins of products first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from indexes.base import IndexesError, Rows, Scores
from indexes.join.score_counts import Window
from indexes.join.unit_tiles import Values

# Scores of windows that are held before equal ones are counted as one.
HELD = 2**21
# Pairs that windows may have to score: more lie so close together only where vectors are alike.
MOST = 2**28


@dataclass(frozen=True, eq=False)
class Grid:
    """Bins of one width over all that products can be.

    Attributes:
        reach: no product's size is above it, but for rounding.
        slack: how far the score of a pair can lie outside the bin of its product.
    """

    bins: int
    reach: float
    slack: float

    @classmethod
    def of(cls, largest: float, margin: float, dtype: np.dtype[np.floating], bins: int) -> Grid:
        """The grid of products of which none is above `largest`, near scores by `margin`."""
        # Below that the width of a bin would be no float32 to divide by.
        reach = max(largest * (1 + 2.0**-20), 2.0**-90)
        # The place of a product is rounded a few times, in units of the whole range.
        rounding = 8 * reach * 2.0 ** (-24 if dtype == np.float32 else -53)
        return cls(bins, reach, margin + rounding)

    @property
    def edges(self) -> Scores:
        """`[B + 1]`, rising."""
        return np.linspace(-self.reach, self.reach, self.bins + 1)

    def places(self, values: Values) -> NDArray[np.int32]:
        """The bin of each product."""
        near = values + values.dtype.type(self.reach)
        near *= values.dtype.type(self.bins / (2 * self.reach))
        # A product may lie beyond by its rounding.
        places = near.astype(np.int32)
        return np.clip(places, 0, self.bins - 1, out=places)

    def span(self, low: float, high: float) -> tuple[int, int]:
        """First and last bin of products whose scores may be from `low` to `high`."""
        ends = np.array([low - self.slack, high + self.slack])
        first, last = np.searchsorted(self.edges, ends, side="right") - 1
        return max(int(first), 0), min(max(int(last), -1), self.bins - 1)


class ScoreTable:
    """Scores found in a window so far; equal ones are held once."""

    def __init__(self, low: float, high: float, grid: Grid) -> None:
        self.low, self.high = low, high
        self.first, self.last = grid.span(low, high)
        self.above = [0, 0]
        self.parts: list[tuple[Scores, Rows]] = []
        self.held = self.scored = 0

    def add(self, positive: int, scores: Scores, near: NDArray[np.int32]) -> None:
        """Count the pairs of the window's bins that are above it, and hold the scores inside.

        `near` has the bin of each score.
        """
        scores = scores[(near >= self.first) & (near <= self.last)]
        self.above[positive] += int(np.count_nonzero(scores >= self.high))
        scores = scores[(scores >= self.low) & (scores < self.high)]
        if not scores.size:
            return
        self.scored += scores.size
        if self.scored > MOST:
            raise IndexesError(
                f"more than {MOST:,} pairs score between {self.low:.9g} and {self.high:.9g}; are "
                "the vectors nearly all alike?"
            )
        counts = np.zeros((2, scores.size), np.int64)
        counts[positive] = 1
        self.parts.append((scores, counts))
        self.held += scores.size
        if self.held > HELD:
            self._merge()

    def _merge(self) -> None:
        scores = np.concatenate([part for part, _ in self.parts])
        counts = np.concatenate([part for _, part in self.parts], axis=1)
        distinct, place = np.unique(scores, return_inverse=True)
        summed = np.zeros((2, distinct.size), np.int64)
        for kind in (0, 1):
            np.add.at(summed[kind], place, counts[kind])
        self.parts, self.held = [(distinct, summed)], distinct.size // 2

    def window(self) -> Window:
        """The window as its users have it."""
        above, over = self.above
        if not self.parts:
            none, nothing = np.empty(0), np.empty(0, np.int64)
            return Window(self.low, self.high, above, over, none, nothing, nothing)
        self._merge()
        scores, counts = self.parts[0]
        falling = scores[::-1], counts[0, ::-1], counts[1, ::-1]
        return Window(self.low, self.high, above, over, *falling)


class WindowSums:
    """Windows filled from tiles in any order.

    Scores are held until they are many, and then given to all windows at once.

    Attributes:
        looked: `[B]`, bins of products whose pairs are scored: some window may hold them.
    """

    def __init__(self, asked: Sequence[tuple[float, float]], grid: Grid) -> None:
        self.tables = [ScoreTable(low, high, grid) for low, high in asked]
        self.looked = np.zeros(grid.bins, np.bool_)
        for table in self.tables:
            self.looked[table.first : table.last + 1] = True
        self.counts = np.zeros((2, grid.bins), np.int64)
        self.parts: list[list[tuple[Scores, NDArray[np.int32]]]] = [[], []]
        self.held, self.lock = 0, Lock()

    def add(self, positive: int, counts: Rows, scores: Scores, near: NDArray[np.int32]) -> None:
        """Add the pairs of a tile by bin, `[B]`, and the scores and bins of those looked at."""
        with self.lock:
            self.counts[positive] += counts
            self.parts[positive].append((scores, near))
            self.held += scores.size
            if self.held > HELD:
                self._settle()

    def _settle(self) -> None:
        for positive, parts in enumerate(self.parts):
            if parts:
                scores, near = (np.concatenate(column) for column in zip(*parts, strict=True))
                for table in self.tables:
                    table.add(positive, scores, near)
        self.parts, self.held = [[], []], 0

    def windows(self) -> list[Window]:
        """The windows as their users have them."""
        self._settle()
        beyond = np.concatenate([self.counts[:, ::-1].cumsum(axis=1)[:, ::-1], [[0], [0]]], axis=1)
        for table in self.tables:
            for kind in (0, 1):
                table.above[kind] += int(beyond[kind, table.last + 1])
        return [table.window() for table in self.tables]
