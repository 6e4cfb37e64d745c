"""Clocks that are set back, and verdicts from several databases: the later one always stands."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.reviews import all_pairs

import pairsets.review.store.store as store_module
from pairsets.review.exchange.imports import import_judged
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import REASONS, ReviewError, Verdict, VerdictRecord

PAIRS = all_pairs(count=12, invalid=0)
SAME, DIFFERENT = Verdict.of("same"), Verdict.of("different")
WORDS = [SAME, DIFFERENT, *(Verdict.of("invalid", reason) for reason in ("", *REASONS))]
Clock = Callable[[str], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the clock."""

    def to(time: str) -> None:
        monkeypatch.setattr(store_module, "now", lambda: f"{time}.000+00:00")

    to("2026-05-01T09:00:00")
    return to


def begun(path: Path) -> Store:
    return Store.begin(path, PAIRS)


def words(store: Store) -> dict[int, str]:
    return {one.pair: one.verdict.word for one in store.said()}


def test_judged_anew_after_an_undo_though_the_clock_went_back(clock: Clock, tmp_path: Path) -> None:
    with begun(tmp_path / "here.sqlite") as store, begun(tmp_path / "there.sqlite") as other:
        ann = store.annotator("Ann")
        clock("2027-01-01T00:00:00")
        store.judge(ann, 5, SAME, key="key-1")
        import_judged(other, store.path)
        store.undo(ann, key="key-2")
        clock("2026-01-01T00:00:00")
        store.judge(ann, 5, DIFFERENT, key="key-3")
        assert store.said()[0].at == "2027-01-01T00:00:00.002+00:00"
        assert import_judged(store, other.path).older == 1
        assert words(store) == {5: "different"}
        assert import_judged(other, store.path).replaced == 1
        assert words(other) == {5: "different"}


def test_a_decision_stands_although_the_clock_went_back(clock: Clock, tmp_path: Path) -> None:
    with begun(tmp_path / "here.sqlite") as store:
        ann, bo = store.annotator("Ann"), store.annotator("Bo")
        store.judge(ann, 5, SAME, key="key-1")
        clock("2027-01-01T00:00:00")
        store.decide(ann, 5, SAME, key="key-2")
        before = store.decisions()[5]
        clock("2026-01-01T00:00:00")
        store.decide(bo, 5, DIFFERENT, key="key-3")
        assert store.decisions()[5].at == "2027-01-01T00:00:00.001+00:00"
        assert store.take_in([], [before])["older"] == 1
        assert store.decisions()[5].verdict == DIFFERENT
        # What is said of the pair itself goes by its own times.
        store.change(ann, 5, DIFFERENT, key="key-4")
        assert store.said()[0].at == "2026-05-01T09:00:00.001+00:00"


def test_what_happened_bears_the_time_of_what_stands(clock: Clock, tmp_path: Path) -> None:
    with begun(tmp_path / "here.sqlite") as store:
        ann = store.annotator("Ann")
        store.judge(ann, 5, SAME, key="key-1")
        clock("2026-01-01T00:00:00")
        store.change(ann, 5, DIFFERENT, key="key-2")
        store.decide(ann, 5, DIFFERENT, key="key-3")
        store.undo(ann, key="key-4")
        assert store.read("SELECT kind, at FROM events ORDER BY id") == [
            ("judge", "2026-05-01T09:00:00.000+00:00"),
            ("change", "2026-05-01T09:00:00.001+00:00"),
            ("decide", "2026-01-01T00:00:00.000+00:00"),
            ("undo", "2026-05-01T09:00:00.002+00:00"),
        ]


def test_the_end_of_time_is_an_error(clock: Clock, tmp_path: Path) -> None:
    with begun(tmp_path / "here.sqlite") as store:
        store.take_in([VerdictRecord("Ann", 5, SAME, None, "9999-12-31T23:59:59.999+00:00")])
        ann = store.annotator("Ann")
        with pytest.raises(ReviewError, match=r"is 9999-12-31T.*, and none comes after it"):
            store.change(ann, 5, DIFFERENT, key="key-1")
        assert words(store) == {5: "same"}
        assert store.last_event == 1


def test_times_of_before_they_only_went_forward(clock: Clock, tmp_path: Path) -> None:
    """A verdict after an undo once bore the clock's time alone; what happened tells the order."""
    with begun(tmp_path / "old.sqlite") as old, begun(tmp_path / "here.sqlite") as store:
        ann = old.annotator("Ann")
        old.judge(ann, 5, SAME, key="key-1")
        before = old.said()[0]
        old.undo(ann, key="key-2")
        old.judge(ann, 5, DIFFERENT, key="key-3")
        old.decide(ann, 5, SAME, key="key-4")
        settled = old.decisions()[5]
        old.decide(ann, 5, DIFFERENT, key="key-5")
        with closing(sqlite3.connect(old.path, isolation_level=None)) as connection:
            early = "2026-04-01T00:00:00.000+00:00"
            connection.execute("UPDATE verdicts SET at = ?", (early,))
            connection.execute("UPDATE events SET at = ? WHERE key = 'key-3'", (early,))
            connection.execute("UPDATE decisions SET at = ?", (early,))
            connection.execute("UPDATE events SET at = ? WHERE key = 'key-5'", (early,))
        store.take_in([before], [settled])
        assert import_judged(store, old.path).replaced == 2
        assert old.take_in([before], [settled]) == {
            "added": 0,
            "replaced": 0,
            "older": 2,
            "known": 0,
        }
        for one in (store, old):
            assert words(one) == {5: "different"}
            assert one.decisions()[5].verdict == DIFFERENT


def test_the_same_said_again_is_as_late_as_it_was_said(clock: Clock, tmp_path: Path) -> None:
    """Whatever the order in which three databases come together."""
    times = ("09", "10", "11")
    said = [
        VerdictRecord("Ann", 5, verdict, None, f"2026-05-01T{time}:00:00.000+00:00")
        for time, verdict in zip(times, (SAME, DIFFERENT, SAME), strict=True)
    ]
    found = set()
    for number, order in enumerate([(0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 0, 1), (2, 1, 0)]):
        with begun(tmp_path / f"{number}.sqlite") as store:
            for one in order:
                store.take_in([said[one]], [said[one]])
            found |= {*store.said(), *store.decisions().values()}
            board, ann = Assignment(store), store.annotator("Ann")
            assert board.progress(ann).done == 1
            events = store.last_event
            assert store.take_in(said, said)["known"] >= 2
            assert store.last_event == events
    assert found == {said[2]}


def test_a_pair_put_off_no_more_is_no_verdict_taken_back(clock: Clock, tmp_path: Path) -> None:
    with begun(tmp_path / "here.sqlite") as store:
        ann = store.annotator("Ann")
        earlier = VerdictRecord("Ann", 5, SAME, None, "2026-04-01T00:00:00.000+00:00")
        store.skip(ann, 5, key="key-1")
        store.undo(ann, key="key-2")
        assert store.take_in([earlier])["added"] == 1
        store.judge(ann, 6, SAME, key="key-3")
        store.undo(ann, key="key-4")
        store.skip(ann, 6, key="key-5")
        store.undo(ann, key="key-6")
        earlier = VerdictRecord("Ann", 6, SAME, None, "2026-04-01T00:00:00.000+00:00")
        assert store.take_in([earlier])["older"] == 1


Version = tuple[str, Verdict]


@dataclass
class Model:
    """What one database has of one pair, and all that was known there."""

    store: Store
    stands: Version | None = None
    known: set[Version] = field(default_factory=set)

    def look(self) -> Version | None:
        said = self.store.said(0)
        return (said[0].at, said[0].verdict) if said else None


@pytest.mark.parametrize("seed", range(6))
def test_who_knew_of_a_verdict_gave_the_later_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Three databases of one person, each with a clock that jumps, taken in by one another."""
    dice = random.Random(seed)

    def jumping() -> str:
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=dice.randrange(10**10))
        return moment.isoformat(timespec="milliseconds")

    monkeypatch.setattr(store_module, "now", jumping)
    desks = [Model(begun(tmp_path / f"{number}.sqlite")) for number in range(3)]
    who = [desk.store.annotator("Ann") for desk in desks]
    # What was known when a version was made: it comes after all of that.
    after: dict[Version, set[Version]] = {}
    merged = kept = 0
    for turn in range(60):
        at = dice.randrange(3)
        desk, ann, key = desks[at], who[at], f"key-{turn:04}"
        if dice.random() < 0.5:
            verdict = dice.choice([one for one in WORDS if one != (desk.stands or (0, 0))[1]])
            if desk.stands is None:
                desk.store.judge(ann, 0, verdict, key=key)
            elif dice.random() < 0.3 and desk.store.undo(ann, key=f"{key}-u") is not None:
                desk.stands = None
                assert desk.look() is None
                continue
            else:
                desk.store.change(ann, 0, verdict, key=key)
            desk.stands = desk.look()
            assert desk.stands is not None
            assert desk.stands[1] == verdict
            after[desk.stands] = set(desk.known)
            desk.known.add(desk.stands)
            continue
        theirs = desks[(at + dice.choice((1, 2))) % 3]
        if theirs.stands is None:
            continue
        import_judged(desk.store, theirs.store.path)
        found = desk.look()
        if desk.stands in after[theirs.stands]:
            # Theirs was given by somebody who knew of ours.
            assert found == theirs.stands
            merged += 1
        elif theirs.stands in desk.known:
            # Ours came after theirs, or theirs was taken back here.
            assert found == desk.stands
            kept += 1
        desk.known |= theirs.known
        desk.stands = found
        if found is not None and found not in after:
            pytest.fail(f"a version that nobody gave: {found}")
    assert merged >= 2
    assert kept >= 2
    for desk in desks:
        desk.store.close()
