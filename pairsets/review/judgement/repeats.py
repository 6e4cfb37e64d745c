"""Pairs that are asked again: whether somebody says the same of a pair a second time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairsets.arrays import Mask
from pairsets.review.store.store import Store

# Pairs that a person judges between a pair and the same one asked again, at the least.
APART = 20


def choice(turns: Sequence[tuple[int, bool]], place: float) -> int | None:
    """The pair to ask again of those that were judged `APART` pairs ago or earlier; None of none.

    Args:
        turns: the pairs that a person judged, in order, and whether each may be asked again.
        place: from 0 to below 1, where in the list of those that may.

    >>> choice([(pair, pair != 7) for pair in range(APART + 10)], 0.8)
    8
    >>> choice([(pair, True) for pair in range(APART)], 0.75)
    """
    may = [pair for pair, fresh in turns[:-APART] if fresh]
    return may[int(place * len(may))] if may else None


class Repeats:
    """Pairs asked again: which one, and when, of each person.

    After each verdict a coin is thrown, and where it says so the next pair is one judged before.
    Coin and pair follow from the seed, the person, the pair that was judged last and what stands in
    the store, and from nothing else: after a restart the same pair is asked.

    Args:
        store: of the review.
        to_judge: the pairs that are to be judged.
    """

    def __init__(self, store: Store, to_judge: Mask) -> None:
        self._store, self._to_judge = store, to_judge
        # What somebody may have on the screen, though a verdict from another window came between.
        self._asked: dict[int, set[int]] = {}

    def due(self, annotator: int, numbers: Sequence[int]) -> int | None:
        """The pair to ask this person again now, of whom `numbers` are the person's own."""
        store = self._store
        last = store.asks_again_after(annotator) if store.repeat else None
        if last is None:
            return None
        # Another stream than those of the order and of the samples.
        coin, place = np.random.default_rng([store.seed, *numbers, last, 2]).random(2)
        return choice(self._turns(annotator), place) if coin < store.repeat else None

    def ask(self, annotator: int, pair: int) -> None:
        """Note that a pair is asked again."""
        self._asked.setdefault(annotator, set()).add(pair)

    def is_asked(self, annotator: int, pair: int) -> bool:
        """Whether this person may have a pair on the screen that is asked again."""
        return pair in self._asked.get(annotator, ()) and (pair, True) in self._turns(annotator)

    def _turns(self, annotator: int) -> list[tuple[int, bool]]:
        return [
            (pair, fresh and bool(self._to_judge[pair]))
            for pair, fresh in self._store.turns(annotator)
        ]
