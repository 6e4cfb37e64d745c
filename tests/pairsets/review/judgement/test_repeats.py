"""Pairs asked again: beside a naive account of the same events, and what they never touch."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from support.reviews import all_pairs

from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.judgement.repeats import APART, choice
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import AlreadyJudgedError, KeyReusedError, Store
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord

PAIRS = all_pairs(count=200, invalid=5)
SAME, DIFFERENT = Verdict.of("same"), Verdict.of("different")


@dataclass
class Judge:
    """Somebody who judges what comes, and knows what was said before."""

    store: Store
    board: Assignment
    who: int
    said: dict[int, Verdict] = field(default_factory=dict)
    # Pairs in the order of their verdicts that stand, then what was asked again.
    turns: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    number: Callable[[], int] = field(default_factory=lambda: count().__next__)

    @classmethod
    def of(cls, store: Store, name: str = "Rei") -> Judge:
        """Judge of a store, at a board of its own."""
        return cls(store, Assignment(store), store.annotator(name))

    def key(self) -> str:
        return f"key-{self.who}-{self.number():06}"

    def go_on(self, verdict: Verdict = SAME) -> int | None:
        """Answer the next pair, and return it."""
        for pair in self.board.next(self.who, 1):
            again = pair in self.said
            assert self.board.is_repeat(self.who, pair) == again
            if again:
                self.store.judge_again(self.who, pair, verdict, key=self.key(), seconds=2.0)
                self.asked.append(pair)
            else:
                self.store.judge(self.who, pair, verdict, key=self.key(), seconds=1.0)
                self.said[pair] = verdict
                self.turns.append(pair)
            return pair
        return None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.sqlite"


def test_the_choice_is_of_what_was_judged_long_before() -> None:
    dice = random.Random(3)
    for _ in range(300):
        turns = [(pair, dice.random() < 0.6) for pair in range(dice.randrange(3 * APART))]
        may = [pair for at, (pair, fresh) in enumerate(turns) if fresh and at + APART < len(turns)]
        place = dice.random()
        found = choice(turns, place)
        assert found == (may[int(place * len(may))] if may else None)
    turns = [(pair, True) for pair in range(APART + 4)]
    assert {choice(turns, place) for place in np.linspace(0, 0.999, 50)} == {0, 1, 2, 3}


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_pairs_come_again_beside_a_plain_account(path: Path, rate: float) -> None:
    dice = random.Random(5)
    with Store.begin(path, PAIRS, repeat=rate) as store:
        judge = Judge.of(store)
        while (pair := judge.go_on(dice.choice((SAME, DIFFERENT)))) is not None:
            if judge.asked and judge.asked[-1] == pair:
                # So many others were judged since, and none came twice in a row.
                assert len(judge.turns) - judge.turns.index(pair) > APART
                assert judge.board.next(judge.who, 1)[0] not in judge.said
        assert len(set(judge.asked)) == len(judge.asked)
        # All pairs once, and so many of them again: within four standard errors of the rate.
        assert sorted(judge.said) == np.flatnonzero(PAIRS.valid).tolist()
        slots = len(judge.turns) - APART - 1
        assert abs(len(judge.asked) - rate * slots) < 4 * (slots * rate * (1 - rate)) ** 0.5
        assert {one.pair: one.verdict for one in store.said()} == judge.said
        found = store.repeats()
        assert [one.pair for one in found] == sorted(judge.asked)
        assert all(one.first == judge.said[one.pair] for one in found)
        assert {one.seconds for one in found} == {2.0}
        assert judge.board.progress(judge.who).done == len(judge.said)
        assert judge.board.progress(judge.who).seconds == 1.0


def test_who_is_killed_goes_on_with_the_same_pair(path: Path) -> None:
    seen: list[list[int | None]] = []
    for name, step in (("whole", 1000), ("torn", 1)):
        file = path.with_name(f"{name}.sqlite")
        with Store.begin(file, PAIRS, seed=4, repeat=0.3) as store:
            judge = Judge.of(store)
        seen.append([])
        for _ in range(0, 120, min(step, 120)):
            # Without the option it goes on as it was.
            with Store.begin(file, PAIRS) as store:
                judge.store, judge.board = store, Assignment(store)
                seen[-1] += [judge.go_on() for _ in range(min(step, 120))]
    assert seen[0] == seen[1]
    assert len(set(seen[0])) < 120


def test_nobody_is_asked_again_without_the_option(path: Path) -> None:
    with Store.begin(path, PAIRS) as store:
        judge = Judge.of(store)
        while judge.go_on() is not None:
            pass
        assert (store.repeat, judge.asked, store.repeats()) == (0, [], [])
    with Store.begin(path, PAIRS, repeat=0.5) as store:
        assert Assignment(store).next(store.annotator("Rei"), 3) == []
    with Store.begin(path, PAIRS) as store:
        assert store.repeat == 0.5
    with Store.begin(path, PAIRS, repeat=0) as store:
        assert store.repeat == 0
    for wrong in (-0.1, 0.6, float("nan")):
        with pytest.raises(ReviewError, match=r"expected a share from 0 to 0\.5"):
            Store.begin(path, PAIRS, repeat=wrong)


def until_asked(judge: Judge) -> int:
    """Judge on until a pair is asked again, and return it, unanswered."""
    while (pair := judge.board.next(judge.who, 1)[0]) not in judge.said:
        judge.go_on()
    return pair


def test_undo_takes_the_second_answer_back_alone(path: Path) -> None:
    with Store.begin(path, PAIRS, repeat=0.4) as store:
        judge = Judge.of(store)
        pair, before = until_asked(judge), store.said()
        last = judge.turns[-1]
        store.judge_again(judge.who, pair, DIFFERENT, key="again-01")
        assert store.said() == before
        assert [(one.first, one.second) for one in store.repeats()] == [(SAME, DIFFERENT)]
        assert not judge.board.is_repeat(judge.who, pair)
        with pytest.raises(AlreadyJudgedError):
            store.judge_again(judge.who, pair, SAME, key="again-02")
        # Sent once more because the answer was lost.
        store.judge_again(judge.who, pair, DIFFERENT, key="again-01")
        with pytest.raises(KeyReusedError):
            store.judge_again(judge.who, pair, SAME, key="again-01")
        assert store.can_undo(judge.who)
        assert store.undo(judge.who, key="undo-001") == pair
        assert store.before(judge.who, pair, "undo-001") == ("repeat", DIFFERENT)
        assert (store.said(), store.repeats()) == (before, [])
        assert judge.board.has_judged(judge.who, pair)
        # It comes again, as it would to who opens the page anew.
        for board in (judge.board, Assignment(store)):
            assert board.next(judge.who, 1) == [pair]
            assert board.is_repeat(judge.who, pair)
        # One further back is the last verdict itself.
        assert store.undo(judge.who, key="undo-002") == last
        assert not judge.board.has_judged(judge.who, last)
        assert judge.board.next(judge.who, 1) == [last]
        # Told once more, it is followed by the same question.
        store.judge(judge.who, last, SAME, key="judge-01")
        assert judge.board.next(judge.who, 1) == [pair]


@pytest.mark.parametrize("unsure", [False, True])
def test_what_is_put_off_the_second_time_is_not_asked_a_third(path: Path, unsure: bool) -> None:
    with Store.begin(path, PAIRS, repeat=0.4) as store:
        judge = Judge.of(store)
        pair, before = until_asked(judge), store.said()
        put_off = store.be_unsure if unsure else store.skip
        with pytest.raises(AlreadyJudgedError):
            put_off(judge.who, pair, key="off-0001")
        put_off(judge.who, pair, key="off-0001", again=True)
        put_off(judge.who, pair, key="off-0001", again=True)
        with pytest.raises(AlreadyJudgedError):
            store.judge_again(judge.who, pair, SAME, key="again-01")
        assert (store.said(), store.repeats(), store.unsure()) == (before, [], {})
        assert store.unsure_again() == ({judge.who: 1} if unsure else {})
        for board in (judge.board, Assignment(store)):
            assert board.next(judge.who, 1)[0] not in judge.said
            now = board.progress(judge.who)
            assert (now.done, now.skipped, now.unsure) == (len(before), 0, 0)
        assert store.undo(judge.who, key="undo-001") == pair
        for board in (judge.board, Assignment(store)):
            assert board.has_judged(judge.who, pair)
            assert board.next(judge.who, 1) == [pair]
        put_off(judge.who, pair, key="off-0002", again=True)
        while (found := judge.go_on()) is not None:
            assert found != pair


def test_who_came_back_to_a_pair_is_not_asked_it_again(path: Path) -> None:
    with Store.begin(path, PAIRS, repeat=0.5) as store:
        judge, other = Judge.of(store), store.annotator("Bo")
        touched = set()
        for turn in range(APART):
            pair = judge.go_on()
            assert pair is not None
            if turn % 4 == 0:
                store.change(judge.who, pair, DIFFERENT, key=judge.key())
                touched.add(pair)
            elif turn % 4 == 1:
                assert store.undo(judge.who, key=judge.key()) == pair
                store.judge(judge.who, pair, SAME, key=judge.key())
                touched.add(pair)
            elif turn % 4 == 2:
                store.decide(judge.who, pair, SAME, key=judge.key())
                touched.add(pair)
            else:
                # What somebody else does of it tells this person nothing.
                store.judge(other, pair, DIFFERENT, key=f"other-{turn:03}")
        while judge.go_on() is not None:
            pass
        assert judge.asked
        assert not touched & set(judge.asked)
        assert any(pair in judge.asked for pair in judge.turns[:APART])


def test_imported_verdicts_are_not_asked_again(path: Path) -> None:
    at = "2026-05-01T09:00:00.000+00:00"
    with Store.begin(path, PAIRS, repeat=0.5) as store:
        store.take_in(VerdictRecord("Rei", pair, SAME, None, at) for pair in range(100))
        judge = Judge.of(store)
        judge.said = dict.fromkeys(range(100), SAME)
        while judge.go_on() is not None:
            pass
        assert judge.asked
        assert min(judge.asked) >= 100
        with pytest.raises(ReviewError, match="nothing to ask again"):
            store.judge_again(judge.who, 3, SAME, key="again-01")
        with pytest.raises(ReviewError, match="no pair 999"):
            store.judge_again(judge.who, 999, SAME, key="again-02")


def test_a_verdict_from_another_window_comes_between(path: Path) -> None:
    with Store.begin(path, PAIRS, repeat=0.4) as store:
        judge = Judge.of(store)
        pair = until_asked(judge)
        # The other window shows a pair from before, which is judged now.
        fresh = next(one for one in range(190) if one not in judge.said)
        store.judge(judge.who, fresh, SAME, key="window-1")
        assert judge.board.is_repeat(judge.who, pair)
        store.judge_again(judge.who, pair, SAME, key="window-2")
        assert not judge.board.is_repeat(judge.who, pair)


def test_a_later_verdict_comes_in_whatever_was_asked_again(path: Path) -> None:
    """To be asked again makes no verdict later: what was said after it elsewhere stands."""
    with Store.begin(path, PAIRS, repeat=0.4) as store:
        judge = Judge.of(store)
        pair = until_asked(judge)
        (mine,) = (one for one in store.said() if one.pair == pair)
        merged = store.to_merge()
        for number in range(3):
            store.judge_again(judge.who, pair, DIFFERENT, key=f"again-{number:02}")
            assert store.to_merge() == merged
            if number < 2:
                store.undo(judge.who, key=f"undo-{number:03}")
                store.skip(judge.who, pair, key=f"skip-{number:03}", again=True)
                assert store.to_merge() == merged
                store.undo(judge.who, key=f"undo-{number:03}-skip")
        later = mine.at.replace("+00:00", "")[:-1] + "9+00:00"
        theirs = VerdictRecord("Rei", pair, DIFFERENT, None, max(later, mine.at))
        assert store.take_in([theirs])["replaced"] == 1
        # What was compared is what was said then.
        assert [(one.first, one.second) for one in store.repeats()] == [(SAME, DIFFERENT)]
        assert store.undo(judge.who, key="undo-last") == pair
        assert {one.pair: one.verdict for one in store.said()}[pair] == DIFFERENT


def test_a_sample_asks_its_own_pairs_again(path: Path) -> None:
    with Store.begin(path, PAIRS, repeat=0.5, sample=60) as store:
        judge = Judge.of(store)
        while judge.go_on() is not None:
            pass
        assert len(judge.said) == 60
        assert judge.asked
        assert judge.board.next(judge.who, 6) == []


def broken(path: Path, *statements: str) -> None:
    """Change what a review keeps, past it."""
    with Store.begin(path, PAIRS, repeat=0.5) as store:
        judge = Judge.of(store)
        while not judge.asked:
            judge.go_on()
        for statement in ("PRAGMA foreign_keys = OFF", *statements):
            store._db.execute(statement)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE repeats SET invalid = 7",
        "UPDATE repeats SET event = 1",
        "UPDATE repeats SET at = 'yesterday'",
        "DELETE FROM verdicts WHERE pair IN (SELECT pair FROM repeats)",
        "UPDATE events SET kind = 'change' WHERE kind = 'judge' AND pair IN (SELECT pair"
        " FROM repeats)",
        "UPDATE about SET value = '0.9' WHERE key = 'repeat'",
        "UPDATE about SET value = 'often' WHERE key = 'repeat'",
        "UPDATE repeats SET reason = 'bored'",
    ],
)
def test_a_spoilt_second_answer_is_damage(path: Path, change: str) -> None:
    broken(path, change)
    with pytest.raises(DatabaseError, match="damaged"):
        Store.open(path)


def test_two_people_are_asked_each_their_own(path: Path) -> None:
    pairs = PairSet.of([f"a/{n}" for n in range(150)], [f"b/{n}" for n in range(150)], [0] * 150)
    with Store.begin(path, pairs, repeat=0.3, overlap=0.5) as store:
        judges = [Judge.of(store, name) for name in ("Rei", "橘 雪")]
        while [one for one in judges if one.go_on() is not None]:
            pass
        assert all(judge.asked for judge in judges)
        assert not any(set(judge.asked) - set(judge.turns) for judge in judges)
        assert {one.annotator for one in store.repeats()} == {"Rei", "橘 雪"}
