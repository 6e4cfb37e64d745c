"""Assignment of pairs to people: an order of one's own, pairs for all, pairs shared out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock

import numpy as np

from pairsets.arrays import Mask, Rows
from pairsets.review.judgement.aims import Aim, AimState, AimWatch, rank_of, sample_of
from pairsets.review.judgement.repeats import Repeats
from pairsets.review.store.queries import PUT_OFF, Event, Kind
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError

# A pair that is on somebody's screen is kept from others for so long.
CLAIM_S = 600.0
# Places of an order looked at in one go.
_STRETCH = 1024


@dataclass(frozen=True)
class Progress:
    """Progress of one person: pairs judged, left and skipped.

    Attributes:
        done: pairs judged, of those that are to be.
        left: pairs still to judge, skipped ones too.
        skipped: of these, those put off.
        unsure: of those put off, the ones of which this person could not tell.
        seconds: that a pair takes, the median of the latest; None before the first.
    """

    done: int
    left: int
    skipped: int
    unsure: int
    seconds: float | None

    @property
    def total(self) -> int:
        """Number of all pairs of this person."""
        return self.done + self.left

    @property
    def time_left(self) -> float | None:
        """Seconds that the pairs left take at this pace."""
        return None if self.seconds is None else self.seconds * self.left


@dataclass(eq=False)
class _Desk:
    """Order of one person's pairs, and which of them are done."""

    order: Rows
    place: Rows
    swapped: Mask
    judged: Mask
    # Settled with what others said in sight: no longer to be judged blind.
    decided: Mask
    # By pair, whether this person was unsure of it. The pair put off first comes again first.
    skipped: dict[int, bool] = field(default_factory=dict)
    # All places before are done for good.
    start: int = 0
    # The pair to ask again, None for none, where that is known since the last event.
    again: tuple[int | None] | None = None


class Assignment:
    """Assignment of the next pairs, kept in memory and in step with the store.

    Other processes may write to the same store: every question first reads what happened since.
    The file's own invalid rows are nobody's to judge.

    Args:
        store: of the review.
        suspects_first: pairs that `store.suspects` names come first, with as many others, among
            them pairs of one identity, so that coming early tells nothing.
        clock: seconds that only go on.

    Attributes:
        suspects_first: whether suspects come first.
    """

    def __init__(
        self,
        store: Store,
        *,
        suspects_first: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.suspects_first = suspects_first
        self._clock = clock
        self._lock = RLock()
        count = len(store.pairs)
        self._rank = rank_of(count, store.seed)
        self._to_judge = sample_of(store.pairs.valid, self._rank, store.sample)
        self._aim = AimWatch(store, Aim.of(store.until)) if store.until else None
        if suspects_first and (store.until or store.sample is not None):
            raise ReviewError(
                "a random sample cannot begin with the suspects, which are no random pairs: review "
                "them with another --store, or leave out --suspects-first"
            )
        self._shared = _shared(count, store.overlap, store.seed)
        self._front = np.zeros(count, bool)
        if suspects_first:
            self._front[list(store.suspects())] = True
        self._judges = np.zeros(count, np.int32)
        self._desks: dict[int, _Desk] = {}
        self._claims: dict[int, tuple[int, float]] = {}
        self._repeats = Repeats(store, self._to_judge)
        # Events that a snapshot has already are harmless to apply once more: flags are set again.
        self._last = store.last_event
        for annotator, pair in store.judged():
            self._set_judged(annotator, pair, True)
        for annotator, pair, kind in store.put_off():
            self._put_off(annotator, pair, kind)
        for annotator, pair in store.decided():
            self._desk(annotator).decided[pair] = True

    def next(self, annotator: int, count: int) -> list[int]:
        """Up to `count` pairs for this person, the first one to be judged first.

        They are kept from others for a while, unless they are everybody's. Now and then the first
        one was judged before, and is asked again: never where no other is left.
        """
        with self._lock:
            self._sync()
            if self._aim is not None and self._aim.state().is_met:
                return []
            desk, now = self._desk(annotator), self._clock()
            found = self._unjudged(annotator, desk, count, now)
            # First what was skipped, then what nobody could tell: there may be no telling.
            put_off = sorted(desk.skipped, key=desk.skipped.__getitem__)
            for pair in put_off if len(found) < count else ():
                if len(found) == count:
                    break
                if self._open(desk, np.array([pair]))[0] and not self._held(annotator, pair, now):
                    found.append(pair)
            for pair in found:
                if not self._shared[pair]:
                    self._claims[pair] = (annotator, now + CLAIM_S)
            again = self._again(annotator) if found else None
            if again is None:
                return found
            self._repeats.ask(annotator, again)
            return [again, *found][:count]

    def progress(self, annotator: int) -> Progress:
        """Progress of this person."""
        with self._lock:
            self._sync()
            desk = self._desk(annotator)
            left = int(self._open(desk, slice(None)).sum())
            open_skips = self._open(desk, np.array(list(desk.skipped), np.int64))
            unsure = open_skips & np.array(list(desk.skipped.values()), bool)
            pace = self.store.pace(annotator)
            return Progress(
                # Verdicts on invalid rows may have been imported.
                done=int((desk.judged & self._to_judge).sum()),
                left=left,
                skipped=int(open_skips.sum()),
                unsure=int(unsure.sum()),
                seconds=float(np.median(pace)) if pace else None,
            )

    @property
    def to_judge(self) -> int:
        """Number of the pairs that are to be judged."""
        return int(self._to_judge.sum())

    def judged_by_anybody(self) -> int:
        """Number of these that somebody judged."""
        with self._lock:
            self._sync()
            return int(((self._judges > 0) & self._to_judge).sum())

    def aim(self) -> AimState | None:
        """State of the aim; None where the review has none."""
        return None if self._aim is None else self._aim.state()

    def is_swapped(self, annotator: int, pair: int) -> bool:
        """Whether this person sees the second face on the left, the first time."""
        with self._lock:
            return bool(self._desk(annotator).swapped[pair])

    def is_repeat(self, annotator: int, pair: int) -> bool:
        """Whether a pair that this person judged is asked again now."""
        with self._lock:
            self._sync()
            if not self._desk(annotator).judged[pair]:
                return False
            return pair == self._again(annotator) or self._repeats.is_asked(annotator, pair)

    def has_judged(self, annotator: int, pair: int) -> bool:
        """Whether this person has judged a pair, and may so see what hides before."""
        with self._lock:
            self._sync()
            return bool(self._desk(annotator).judged[pair])

    def _again(self, annotator: int) -> int | None:
        """The pair to ask this person again now; None for none."""
        desk = self._desk(annotator)
        if desk.again is None:
            numbers = _numbers(self.store.annotators[annotator])
            desk.again = (self._repeats.due(annotator, numbers),)
        return desk.again[0]

    def _unjudged(self, annotator: int, desk: _Desk, count: int, now: float) -> list[int]:
        found: list[int] = []
        moving = True
        at = desk.start
        while at < len(desk.order) and len(found) < count:
            stretch = desk.order[at : at + _STRETCH]
            open_ = self._open(desk, stretch)
            if moving:
                # Pairs put off are found by their own list.
                waiting = np.flatnonzero(open_ & ~np.isin(stretch, list(desk.skipped)))
                moving = waiting.size == 0
                desk.start = at + (len(stretch) if moving else int(waiting[0]))
            for pair in stretch[open_].tolist():
                if pair not in desk.skipped and not self._held(annotator, pair, now):
                    found.append(pair)
                    if len(found) == count:
                        break
            at += _STRETCH
        return found

    def _open(self, desk: _Desk, pairs: Rows | slice) -> Mask:
        """Whether a person still has to judge each pair."""
        others = self._judges[pairs] - desk.judged[pairs]
        mine = self._to_judge[pairs] & ~desk.judged[pairs] & ~desk.decided[pairs]
        return np.asarray(mine & (self._shared[pairs] | (others == 0)))

    def _held(self, annotator: int, pair: int, now: float) -> bool:
        """Whether a pair is on the screen of another person."""
        holder, until = self._claims.get(pair, (annotator, 0.0))
        return holder != annotator and until > now

    def _desk(self, annotator: int) -> _Desk:
        if annotator not in self._desks:
            name = self.store.annotators[annotator]
            generator = np.random.default_rng([self.store.seed, *_numbers(name)])
            count = len(self.store.pairs)
            order = _order(generator, self._front, self._to_judge, self.store.pairs.label == 1)
            if self._aim is not None:
                # One order for all: what is judged so far is a random sample at every moment.
                order = np.argsort(self._rank)
            elif not self.suspects_first:
                # What everybody judges comes early, so that it soon shows how far people agree.
                order = order[np.argsort(~self._shared[order], kind="stable")]
            place = np.empty(count, np.int64)
            place[order] = np.arange(count)
            swapped = generator.random(count) < 0.5
            judged, decided = np.zeros((2, count), bool)
            self._desks[annotator] = _Desk(order, place, swapped, judged, decided)
        return self._desks[annotator]

    def _sync(self) -> None:
        """Apply what happened since, in this process or another."""
        for event in self.store.events_after(self._last):
            self._apply(event)
            self._last = event.id

    def _apply(self, event: Event) -> None:
        desk, pair = self._desk(event.annotator), event.pair
        desk.again = None
        if pair is None:
            return
        if event.kind == "decide":
            desk.decided[pair] = True
        elif event.kind in ("judge", "import"):
            self._set_judged(event.annotator, pair, True)
            desk.skipped.pop(pair, None)
        elif event.kind in PUT_OFF:
            self._put_off(event.annotator, pair, event.kind)
            if event.kind == "unsure" and self._claims.get(pair, (None,))[0] == event.annotator:
                # Somebody else may know.
                del self._claims[pair]
        elif event.kind == "undo":
            # What was taken back may be a second answer, and the verdict stand.
            self._set_judged(event.annotator, pair, self.store.has_said(event.annotator, pair))
            desk.skipped.pop(pair, None)
            # Open again, for this person and perhaps for others.
            for other in self._desks.values():
                other.start = min(other.start, int(other.place[pair]))

    def _put_off(self, annotator: int, pair: int, kind: Kind) -> None:
        desk = self._desk(annotator)
        desk.skipped.pop(pair, None)
        # Else it was judged, and asked again in vain.
        if not desk.judged[pair]:
            desk.skipped[pair] = kind == "unsure"

    def _set_judged(self, annotator: int, pair: int, judged: bool) -> None:
        mask = self._desk(annotator).judged
        self._judges[pair] += int(judged) - int(mask[pair])
        mask[pair] = judged


def _shared(count: int, overlap: float, seed: int) -> Mask:
    """The pairs that everybody judges; those of a smaller overlap are among those of a larger."""
    rank = np.random.default_rng([seed, count]).permutation(count)
    return np.asarray(rank < round(overlap * count))


def _order(generator: np.random.Generator, front: Mask, counts: Mask, positive: Mask) -> Rows:
    """All pairs at random; those in `front` before, among as many others, half of one identity.

    The others are of the pairs that `counts`, since the rest are never shown.
    """
    order = generator.permutation(front.size)
    if not front.any():
        return order
    rest = order[~front[order] & counts[order]]
    half = -(-int(front.sum()) // 2)
    joined = np.concatenate([rest[positive[rest]][:half], rest[~positive[rest]][:half]])
    first = front.copy()
    first[joined] = True
    # Shuffled once more: the others were taken from the beginning of the order.
    block = generator.permutation(np.flatnonzero(first))
    return np.concatenate([block, order[~first[order]]])


def _numbers(name: str) -> list[int]:
    digest = hashlib.sha256(name.encode()).digest()
    return [int.from_bytes(digest[at : at + 4], "big") for at in range(0, 16, 4)]
