"""Service behind the pages of a review, for people known by the header of their requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from urllib.parse import unquote_to_bytes

from pairsets.review.judgement.agreement import live
from pairsets.review.judgement.session import Review
from pairsets.review.store.store import AlreadyJudgedError
from pairsets.review.store.verdicts import Verdict, plain_name
from pairsets.review.web import messages
from pairsets.review.web.history import History
from pairsets.review.web.pictures import ServedPictures


class ApiError(Exception):
    """Answer that says what went wrong."""

    def __init__(
        self,
        status: int,
        error: str,
        code: str,
        *,
        work: messages.Work | None = None,
        pair: messages.Pair | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.problem = messages.Problem(error=error, code=code, work=work, pair=pair)


class Desk:
    """Service of one review: who asks, what comes next, and what was done."""

    def __init__(self, review: Review) -> None:
        self.review = review
        self.store, self.board = review.store, review.board
        self.pictures = ServedPictures(self.store.pairs, review.faces, review.max_pixels)
        self.history = History(review, self.pictures)
        self.digest = self.store.digest[:16]
        # The terminal is told once that the aim is met.
        self._told = False
        self._agreement: tuple[int, messages.Agreements] | None = None
        self._lock, self._deciding = Lock(), Lock()
        if review.annotator is not None:
            self.store.annotator(review.annotator)

    def person(self, header: str | None) -> int:
        """Number of the person who asks."""
        if header is None and self.review.annotator is None:
            raise ApiError(422, "who judges? X-Annotator is missing", "no_annotator")
        try:
            given = unquote_to_bytes(header or "").decode()
        except UnicodeError:
            raise ApiError(
                422, "X-Annotator is not percent-encoded UTF-8", "bad_annotator"
            ) from None
        name = self.review.annotator if header is None else plain_name(given)
        found = None if name is None else self.store.number_of(name)
        if found is None:
            raise ApiError(403, "nobody of this name judges here yet", "unknown_annotator")
        return found

    def refuse_stranger(self, pair: int) -> None:
        """Refuse a pair that does not exist."""
        count = len(self.store.pairs)
        if pair >= count:
            raise ApiError(404, f"no pair {pair}; there are {count}, from 0", "no_pair")

    def refuse_uncounted(self, pair: int) -> None:
        """Refuse a pair that its file marks invalid: nobody is to judge it."""
        self.refuse_stranger(pair)
        if not self.store.pairs.valid[pair]:
            error = f"pair {pair} is marked invalid in the pair file: it is not judged"
            raise ApiError(409, error, "not_judged_here")

    def work(self, annotator: int, count: int) -> messages.Work:
        """Pairs that come next for a person, and the person's progress."""
        pairs = self.board.next(annotator, count)
        progress = messages.Pace.of(self.board.progress(annotator))
        aim = self.board.aim()
        met = aim if aim is not None and aim.is_met else None
        if met is not None and not self._told:
            self._told = True
            self.review.tell(f"The aim is met, {met.aim.words}: {met.words}")
        return messages.Work(
            pairs=self.tasks(annotator, pairs),
            progress=progress,
            can_undo=self.store.can_undo(annotator),
            aim=None if met is None else messages.AimMet(aim=met.aim.words, known=met.words),
        )

    def tasks(self, annotator: int, pairs: Sequence[int]) -> list[messages.Task]:
        """Pairs as they are shown before they are judged."""
        put_off = self.store.put_off_among(annotator, pairs)
        found = []
        for pair in pairs:
            faces = [self.store.pairs.path_a[pair], self.store.pairs.path_b[pair]]
            # The other way round the second time.
            if self.board.is_swapped(annotator, pair) != self.board.is_repeat(annotator, pair):
                faces.reverse()
            left, right = map(self.pictures.address, faces)
            kind = put_off.get(pair)
            found.append(
                messages.Task(
                    pair=pair,
                    left=left,
                    right=right,
                    skipped=kind == "skip",
                    unsure=kind == "unsure",
                )
            )
        return found

    def refuse_agreed(self, pair: int) -> None:
        """Refuse a decision where nothing is to decide: it would show what hides in a pair."""
        if not self.history.is_disputed(pair):
            raise ApiError(409, f"nobody disagrees on pair {pair} now", "no_disagreement")

    def refuse_unknown(self, annotator: int, pair: int) -> None:
        """Refuse to show what hides in a pair to who has neither judged nor decided it."""
        if not self.history.is_known(annotator, pair):
            raise ApiError(403, f"pair {pair} is not judged by you yet", "not_judged")

    def decide(self, annotator: int, body: messages.Decision) -> messages.Pair:
        """Store a decision, unless another one stands that its maker has not seen."""
        verdict = Verdict.of(body.verdict, body.reason)
        # One after the other: of two that are sent at once, the second has not seen the first.
        with self._deciding:
            stands = self.store.decision(body.pair)
            # What is sent again has been written down: by now it may stand itself.
            sent = self.store.is_known(body.key)
            if not sent and stands and stands[0] != body.seen:
                error = f"{stands[1]} has decided pair {body.pair} already"
                pair = self.history.pair(annotator, body.pair)
                raise ApiError(409, error, "already_decided", pair=pair)
            self.store.decide(annotator, body.pair, verdict, key=body.key)
        return self.history.pair(annotator, body.pair)

    def judge(self, annotator: int, body: messages.Judgement) -> messages.Work:
        """Write a verdict down: the pairs that come next."""
        verdict = Verdict.of(body.verdict, body.reason)
        seconds = None if body.seconds is None else min(body.seconds, messages.MOST_SECONDS)
        # What is sent again may have been written down as a second answer.
        again = self.store.is_known(body.key, "repeat") or self._is_repeat(annotator, body.pair)
        write = self.store.judge_again if again else self.store.judge
        return self._written(partial(write, verdict=verdict, seconds=seconds), annotator, body)

    def skip(self, annotator: int, body: messages.Skip) -> messages.Work:
        """Put a pair off: the pairs that come next."""
        again = self._is_repeat(annotator, body.pair)
        return self._written(partial(self.store.skip, again=again), annotator, body)

    def be_unsure(self, annotator: int, body: messages.Skip) -> messages.Work:
        """Put a pair off of which a person cannot tell: the pairs that come next."""
        again = self._is_repeat(annotator, body.pair)
        return self._written(partial(self.store.be_unsure, again=again), annotator, body)

    def _is_repeat(self, annotator: int, pair: int) -> bool:
        self.refuse_stranger(pair)
        return self.board.is_repeat(annotator, pair)

    def _written(
        self,
        write: Callable[..., None],
        annotator: int,
        body: messages.Judgement | messages.Skip,
    ) -> messages.Work:
        self.refuse_uncounted(body.pair)
        try:
            write(annotator, body.pair, key=body.key)
        except AlreadyJudgedError as error:
            work = self.work(annotator, body.count)
            raise ApiError(409, str(error), "already_judged", work=work) from None
        return self.work(annotator, body.count)

    def undo(self, annotator: int, body: messages.Undo) -> messages.Undone:
        """Take back what a person said last, and say what that was."""
        pair = self.store.undo(annotator, key=body.key)
        work = self.work(annotator, body.count)
        was = None if pair is None else self.store.before(annotator, pair, body.key)
        verdict = None if was is None else was[1]
        return messages.Undone(
            pair=None if pair is None else self.tasks(annotator, [pair])[0],
            was=None
            if verdict is None
            else messages.Was(verdict=verdict.word, reason=verdict.reason),
            unsure=was is not None and was[0] == "unsure",
            pairs=work.pairs,
            progress=work.progress,
            can_undo=work.can_undo,
            aim=work.aim,
        )

    def people(self) -> messages.People:
        """All who judge, with what is left for each, and their pace."""
        last = self.store.last_deeds()
        return messages.People(
            people=[
                messages.Worker(
                    name=name,
                    progress=messages.Pace.of(self.board.progress(number)),
                    last=last.get(number),
                )
                for number, name in self.store.annotators.items()
            ],
            judged=self.board.judged_by_anybody(),
            to_judge=self.board.to_judge,
        )

    def agreement(self) -> messages.Agreements:
        """Agreement of all people; worked out anew where something happened."""
        with self._lock:
            last = self.store.last_event
            if self._agreement is None or self._agreement[0] != last:
                self._agreement = (last, messages.Agreements.of(live(self.store)))
            return self._agreement[1]
