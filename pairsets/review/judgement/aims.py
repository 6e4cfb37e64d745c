"""Aim of a review: how well a share has to be known before nobody has to judge any more."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Mask, Rows
from pairsets.evaluation.intervals import CONFIDENCE
from pairsets.evaluation.sequential_interval import sequential_bounds
from pairsets.review.judgement.current_verdicts import NOTHING, Standing
from pairsets.review.store.queries import INVALID
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError

EXAMPLES = '"FPR within 2 points", "FNR within 3 points", "mistakes within 1.5 points"'
# By share, the labels of the pairs that it is of.
LABELS = {"FPR": (0,), "FNR": (1,), "mistakes": (0, 1)}
_FORM = re.compile(r"\s*(\w+)\s+within\s+(\d+\.?\d*|\.\d+)\s*(points?|%)\s*", re.IGNORECASE)
# Of a pair: nobody came to it yet is `NOTHING`, a word is 0, 1 or `INVALID`, and this is that
# somebody was there, but there is no word on it.
_OPEN = 3


@dataclass(frozen=True)
class Aim:
    """Aim of a review.

    Attributes:
        share: FPR, of the pairs whose label says different those that are called the same; FNR the
            other way round; mistakes, of all pairs those whose verdict contradicts the label.
            Pairs that are called invalid count in none.
        within: how far the bounds of its interval may be from it, as a share.
    """

    share: str
    within: float

    @classmethod
    def of(cls, text: str) -> Aim:
        """From words such as `FPR within 2 points`.

        Raises:
            ReviewError: other words, no such share, or no such number of points.

        >>> Aim.of("fpr within 2 points")
        Aim(share='FPR', within=0.02)
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise ReviewError(f"{text!r} is no aim; expected one such as {EXAMPLES}")
        share = next((one for one in LABELS if one.lower() == found[1].lower()), None)
        if share is None:
            raise ReviewError(
                f"{text!r}: no share called {found[1]}; expected {', '.join(LABELS)}, as in "
                f"{EXAMPLES}"
            )
        points = float(found[2])
        if not 0.1 <= points < 50:
            meant = f"; did you mean {100 * points:g} points?" if 0.001 <= points < 0.1 else ""
            raise ReviewError(
                f"{text!r}: {points:g} points; expected 0.1 to 50 percentage points{meant}"
            )
        return cls(share, points / 100)

    @property
    def words(self) -> str:
        """The aim as `of` reads it.

        >>> Aim("FPR", 0.015).words
        'FPR within 1.5 points'
        """
        points = round(100 * self.within, 6)
        return f"{self.share} within {points:g} point{'' if points == 1 else 's'}"


@dataclass(frozen=True)
class AimState:
    """State of an aim: what is known of its share now.

    Attributes:
        aim: which.
        value: the share among the pairs that were judged; None before the first.
        low, high: its interval in the whole set, at 95 % whenever one looks.
        errors, count: pairs with a verdict that it comes from, and those of them that are wrong.
        open: pairs among them that have no verdict yet: skipped, unsure, disagreed on.
        population: pairs of the whole set that it is of.
    """

    aim: Aim
    value: float | None
    low: float
    high: float
    errors: int
    count: int
    open: int
    population: int

    @property
    def is_met(self) -> bool:
        """Whether both bounds are as near as the aim asks for."""
        if self.value is None:
            return False
        # Shares are of whole pairs: what is equal but for rounding is near enough.
        return max(self.high - self.value, self.value - self.low) <= self.aim.within + 1e-12

    @property
    def words(self) -> str:
        """Sentence of the share, its interval and the pairs it comes from.

        >>> AimState(Aim("FPR", 0.02), 0.05, 0.03, 0.07, 5, 100, 0, 900).words
        'FPR 5.0 % (3.0 to 7.0 %) from 100 of 900 pairs'
        """
        if self.value is None:
            return f"{self.aim.share} not known yet: none of {self.population:,} pairs judged"
        low, high = (100 * one for one in (self.low, self.high))
        return (
            f"{self.aim.share} {100 * self.value:.1f} % ({low:.1f} to {high:.1f} %) from "
            f"{self.count:,} of {self.population:,} pairs"
        )


def rank_of(count: int, seed: int) -> Rows:
    """`[count]` place of each pair in the one random order of samples."""
    # Another stream than that of the pairs that everybody judges.
    return np.random.default_rng([seed, count, 1]).permutation(count)


def sample_of(valid: Mask, rank: Rows, size: int | None) -> Mask:
    """The pairs to judge: the first `size` of the random order among those that count."""
    if size is None:
        return valid
    chosen = np.flatnonzero(valid)
    chosen = chosen[np.argsort(rank[chosen])][:size]
    found = np.zeros(len(valid), bool)
    found[chosen] = True
    return found


class AimWatch:
    """Watch of an aim, in step with the store.

    The interval is of pairs in the one random order, as far as somebody came to each of them: which
    pairs those are depends on nothing that was said. Of pairs without a verdict the lower bound
    takes that they are right, the upper one that they are wrong.
    """

    def __init__(self, store: Store, aim: Aim) -> None:
        self._store, self.aim = store, aim
        self._standing = Standing(store)
        rank, rows = rank_of(len(store.pairs), store.seed), np.flatnonzero(store.pairs.valid)
        self._order = rows[np.argsort(rank[rows])]
        self._counts = np.isin(store.pairs.label[self._order], LABELS[aim.share])

    def state(self) -> AimState:
        """The aim's state by what stands now."""
        self._standing.sync()
        words = self._words()[self._order]
        label = self._store.pairs.label[self._order]
        missing = np.flatnonzero(words == NOTHING)
        end = int(missing[0]) if missing.size else len(words)
        words, label = words[:end][self._counts[:end]], label[:end][self._counts[:end]]
        told = (words == 0) | (words == 1)
        errors, count = int((words[told] != label[told]).sum()), int(told.sum())
        open_ = int((words == _OPEN).sum())
        # As many as there can be: what is invalid among the rest is not known.
        population = int(self._counts.sum()) - int((words == INVALID).sum())
        drawn = count + open_
        low, high = sequential_bounds(
            [errors, errors + open_], [drawn, drawn], [population, population], CONFIDENCE
        )
        whole = max(population, 1)
        return AimState(
            self.aim,
            errors / count if count else None,
            int(low[0]) / whole,
            int(high[1]) / whole,
            errors,
            count,
            open_,
            population,
        )

    def _words(self) -> NDArray[np.int8]:
        """`[N]`: the word on each pair, as exports have it: the decision, or that of most."""
        count = len(self._store.pairs)
        votes = np.zeros((3, count), np.int32)
        for words in list(self._standing.words.values()):
            for word in range(3):
                votes[word] += words == word
        total = votes.sum(axis=0)
        most = np.argmax(votes, axis=0)
        clear = 2 * votes.max(axis=0) > total
        found = np.where(total == 0, NOTHING, np.where(clear, most, _OPEN)).astype(np.int8)
        put_off = np.array([pair for _, pair, _ in self._store.put_off()], np.int64)
        found[put_off[found[put_off] == NOTHING]] = _OPEN
        for pair, word in self._store.decided_words():
            found[pair] = word
        return found
