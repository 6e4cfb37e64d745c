"""Verdicts that stand now, of everybody."""

from __future__ import annotations

from threading import RLock

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Mask, Rows
from pairsets.review.store.queries import INVALID
from pairsets.review.store.store import Store

# What `Standing.words` holds; 0 and 1 are as in `human_prediction`.
NOTHING = -1
NUMBERS = {"different": 0, "same": 1, "invalid": INVALID}


class Standing:
    """Verdicts that stand now, kept in memory and in step with the store.

    To ask the database for all disagreements takes as long as many verdicts, which would wait.

    Attributes:
        words: `[N]` int8 by person: 0 different, 1 same, 2 invalid, -1 nothing.
        events: `[N]` int64 by person: the event that a verdict began with, which gives the order.
        decided: `[N]`: whether a decision stands.
        deciders: `[N]` by person: the pairs that this person ever decided.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = RLock()
        # Of the events up to here all is known.
        self._last = -1
        self.words: dict[int, NDArray[np.int8]] = {}
        self.events: dict[int, Rows] = {}
        self.decided: Mask = np.zeros(len(store.pairs), bool)
        self.deciders: dict[int, Mask] = {}

    def sync(self) -> None:
        """Learn what happened since, in this process or another."""
        with self._lock:
            last = self._store.last_event
            if last == self._last:
                return
            # What comes between the two questions is read now and once more the next time.
            store, before = self._store, self._last
            for annotator, pair, said, event in (
                store.words() if before < 0 else store.words_after(before)
            ):
                words, events = self.of(annotator)
                words[pair] = NOTHING if said is None else said
                events[pair] = 0 if event is None else event
            for annotator, pair in store.decided(before):
                self.decided[pair] = self.decided_by(annotator)[pair] = True
            self._last = last

    def of(self, annotator: int) -> tuple[NDArray[np.int8], Rows]:
        """Verdicts and events of one person, `[N]` each."""
        with self._lock:
            if annotator not in self.words:
                self.words[annotator] = np.full(len(self.decided), NOTHING, np.int8)
                self.events[annotator] = np.zeros(len(self.decided), np.int64)
            return self.words[annotator], self.events[annotator]

    def decided_by(self, annotator: int) -> Mask:
        """The pairs that one person ever decided."""
        with self._lock:
            return self.deciders.setdefault(annotator, np.zeros(len(self.decided), bool))

    def known_to(self, annotator: int) -> Mask:
        """`[N]`: pairs that a person has judged or decided, and so may see all of."""
        return np.asarray((self.of(annotator)[0] != NOTHING) | self.decided_by(annotator))

    @property
    def apart(self) -> Mask:
        """`[N]`: whether two people say different things of a pair that counts."""
        lowest = np.full(len(self.decided), np.iinfo(np.int8).max, np.int8)
        highest = np.full(len(self.decided), NOTHING, np.int8)
        with self._lock:
            everybody = list(self.words.values())
        for words in everybody:
            highest = np.maximum(highest, words)
            lowest = np.where(words == NOTHING, lowest, np.minimum(lowest, words))
        return np.asarray((lowest < highest) & self._store.pairs.valid)

    @property
    def disputed(self) -> Mask:
        """`[N]`: `apart`, or settled when it was: a decision stands though people agree now."""
        return self.apart | (self.decided & self._store.pairs.valid)
