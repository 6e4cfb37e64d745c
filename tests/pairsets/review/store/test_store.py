from __future__ import annotations

import multiprocessing
import random
import resource
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from support.reviews import all_pairs, together

from pairsets.review.exchange.imports import import_judged
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.schema import APPLICATION, tables
from pairsets.review.store.store import AlreadyJudgedError, KeyReusedError, Store
from pairsets.review.store.verdicts import REASONS, ReviewError, Verdict, VerdictRecord, plain_name

PAIRS = all_pairs(count=24, invalid=2)
SAME, DIFFERENT, INVALID = (Verdict.of(word) for word in ("same", "different", "invalid"))
PEOPLE = ("Rei", "Bo", "橘 雪")
# Tables that version 1 had, and that this test fills.
FORMER = ("about", "pairs", "annotators", "events", "verdicts", "skips")
VERDICTS = st.sampled_from(
    [SAME, DIFFERENT, INVALID, *(Verdict.of("invalid", reason) for reason in REASONS)]
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.sqlite"


class Reviewing(RuleBasedStateMachine):
    """Several people at several connections, beside a model of dictionaries."""

    @initialize(overlap=st.sampled_from([0.0, 0.3, 1.0]))
    def begin(self, overlap: float) -> None:
        self.folder = TemporaryDirectory()
        self.overlap = overlap
        path = Path(self.folder.name) / "review.sqlite"
        self.stores = [Store.begin(path, PAIRS, overlap=overlap), Store.open(path)]
        self.boards = [Assignment(store) for store in self.stores]
        self.who = {name: self.stores[0].annotator(name) for name in PEOPLE}
        self.said: dict[str, dict[int, Verdict]] = defaultdict(dict)
        self.skipped: dict[str, dict[int, bool]] = defaultdict(dict)
        self.done: dict[str, list[tuple[str, int]]] = defaultdict(list)
        self.decided: dict[int, Verdict] = {}
        self.settled: dict[str, set[int]] = {name: set() for name in PEOPLE}
        self.keys = 0

    def key(self) -> str:
        self.keys += 1
        return f"key-{self.keys:06}"

    people = st.sampled_from(PEOPLE)
    desks = st.integers(0, 1)

    @rule(name=people, desk=desks, verdict=VERDICTS, again=st.booleans())
    def judge_the_next(self, name: str, desk: int, verdict: Verdict, again: bool) -> None:
        found = self.boards[desk].next(self.who[name], 3)
        assert len(set(found)) == len(found)
        assert not set(found) & set(self.said[name])
        if not found:
            return
        # A pair put off comes after all others.
        fresh = [pair not in self.skipped[name] for pair in found]
        assert fresh == sorted(fresh, reverse=True)
        # Of those, what nobody could tell comes last.
        unsure = [self.skipped[name].get(pair, False) for pair in found]
        assert unsure == sorted(unsure)
        key = self.key()
        for _ in range(2 if again else 1):
            self.stores[desk].judge(self.who[name], found[0], verdict, key=key, seconds=1.5)
        self.said[name][found[0]] = verdict
        self.skipped[name].pop(found[0], None)
        self.done[name].append(("judge", found[0]))

    @rule(name=people, desk=desks, unsure=st.booleans())
    def put_the_next_off(self, name: str, desk: int, unsure: bool) -> None:
        for pair in self.boards[desk].next(self.who[name], 1):
            store = self.stores[desk]
            (store.be_unsure if unsure else store.skip)(self.who[name], pair, key=self.key())
            self.skipped[name].pop(pair, None)
            self.skipped[name][pair] = unsure
            self.done[name] = [one for one in self.done[name] if one != ("skip", pair)]
            self.done[name].append(("skip", pair))

    @rule(name=people, desk=desks, again=st.booleans())
    def undo(self, name: str, desk: int, again: bool) -> None:
        key = self.key()
        # A skip whose pair was judged since is no more; the verdict is.
        stands = [
            (kind, pair)
            for kind, pair in self.done[name]
            if pair in (self.said[name] if kind == "judge" else self.skipped[name])
        ]
        expected = stands[-1][1] if stands else None
        assert self.stores[desk].can_undo(self.who[name]) == bool(stands)
        assert self.stores[desk].undo(self.who[name], key=key) == expected
        if expected is None:
            return
        if again:
            assert self.stores[desk].undo(self.who[name], key=key) == expected
        self.said[name].pop(expected, None)
        self.skipped[name].pop(expected, None)
        self.done[name] = [one for one in stands if one[1] != expected]

    @precondition(lambda self: any(self.said.values()))
    @rule(name=people, desk=desks, verdict=VERDICTS, data=st.data())
    def change(self, name: str, desk: int, verdict: Verdict, data: st.DataObject) -> None:
        if not self.said[name]:
            with pytest.raises(ReviewError, match="nothing to change"):
                self.stores[desk].change(self.who[name], 0, verdict, key=self.key())
            return
        pair = data.draw(st.sampled_from(sorted(self.said[name])))
        self.stores[desk].change(self.who[name], pair, verdict, key=self.key())
        self.said[name][pair] = verdict
        with pytest.raises(AlreadyJudgedError):
            self.stores[1 - desk].judge(self.who[name], pair, verdict, key=self.key())

    @precondition(lambda self: any(self.said.values()))
    @rule(name=people, desk=desks, verdict=VERDICTS, data=st.data())
    def decide(self, name: str, desk: int, verdict: Verdict, data: st.DataObject) -> None:
        pair = data.draw(st.sampled_from(sorted({p for said in self.said.values() for p in said})))
        self.stores[desk].decide(self.who[name], pair, verdict, key=self.key())
        self.decided[pair] = verdict
        self.settled[name].add(pair)

    @rule(desk=desks)
    def restart(self, desk: int) -> None:
        path = self.stores[desk].path
        self.stores[desk].close()
        self.stores[desk] = Store.begin(path, PAIRS)
        self.boards[desk] = Assignment(self.stores[desk])

    @invariant()
    def every_connection_says_what_the_model_says(self) -> None:
        if not hasattr(self, "stores"):
            return
        expected = {
            (name, pair): verdict
            for name, said in self.said.items()
            for pair, verdict in said.items()
        }
        for store, board in zip(self.stores, self.boards, strict=True):
            assert {(one.annotator, one.pair): one.verdict for one in store.said()} == expected
            assert {pair: one.verdict for pair, one in store.decisions().items()} == self.decided
            judged = [pair for _, pair in expected]
            for name, number in self.who.items():
                mine = self.said[name]
                now = board.progress(number)
                shared = set(np.flatnonzero(board._shared))
                left = [
                    pair
                    for pair in np.flatnonzero(PAIRS.valid).tolist()
                    if pair not in mine
                    and pair not in self.settled[name]
                    and (pair in shared or pair not in judged)
                ]
                skips = [pair for pair in self.skipped[name] if pair in left]
                assert (now.done, now.left, now.skipped) == (len(mine), len(left), len(skips))
                assert now.unsure == sum(self.skipped[name][pair] for pair in skips)
                unsure = [pair for pair, one in self.skipped[name].items() if one]
                assert store.unsure().get(number, 0) == len(unsure)
                assert len(shared) == round(self.overlap * len(PAIRS))

    def teardown(self) -> None:
        if not hasattr(self, "stores"):
            return
        # Everybody judges on to the end: every pair at least once, the shared ones by all.
        for turn in range(20 * len(PAIRS)):
            name = PEOPLE[turn % 3]
            for pair in self.boards[turn % 2].next(self.who[name], 1):
                store = self.stores[turn % 2]
                store.judge(self.who[name], pair, SAME, key=self.key())
        by = defaultdict(set)
        for one in self.stores[0].said():
            by[one.pair].add(one.annotator)
        shared = set(np.flatnonzero(self.boards[0]._shared))
        # Who decided a pair has seen what others said of it: it does not come any more.
        valid = set(np.flatnonzero(PAIRS.valid))
        assert valid - set(self.decided) <= set(by) <= valid
        for pair in valid & shared:
            decided = {name for name, pairs in self.settled.items() if pair in pairs}
            assert set(PEOPLE) - decided <= by[pair]
        for store in self.stores:
            store.close()
        self.folder.cleanup()


TestReviewing = Reviewing.TestCase
TestReviewing.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, derandomize=True
)


def _judge_all(path: Path, name: str, seed: int) -> None:
    """For a process of its own: judges, and changes its mind, until nothing is left."""
    dice = random.Random(seed)
    with Store.open(path) as store:
        board, me = Assignment(store), store.annotator(name)
        number = 0
        while found := board.next(me, 2):
            number += 1
            key = f"{name}-{number:05}"
            store.judge(me, found[0], Verdict.of(dice.choice(("same", "different"))), key=key)
            if dice.random() < 0.2:
                store.undo(me, key=f"{key}-undo")


@pytest.mark.parametrize("overlap", [0, 0.3, 1])
def test_several_processes_at_once(path: Path, overlap: float) -> None:
    pairs = all_pairs(count=60)
    with Store.begin(path, pairs, overlap=overlap) as store:
        spawn = multiprocessing.get_context("spawn")
        workers = [spawn.Process(target=_judge_all, args=(path, name, 1)) for name in PEOPLE]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
        assert [worker.exitcode for worker in workers] == [0, 0, 0]
        by = defaultdict(set)
        for one in store.said():
            by[one.pair].add(one.annotator)
        shared = set(np.flatnonzero(Assignment(store)._shared).tolist())
    assert len(shared) == round(overlap * 60)
    assert set(by) == set(range(60))
    assert all(by[pair] == set(PEOPLE) for pair in shared)


def test_threads_share_one_store(path: Path) -> None:
    with Store.begin(path, PAIRS) as store:
        who = [store.annotator(name) for name in PEOPLE]

        def work(me: int) -> Callable[[], None]:
            def run() -> None:
                for pair in range(22):
                    store.judge(me, pair, SAME, key=f"{me}-{pair:06}")
                    store.change(me, pair, DIFFERENT, key=f"{me}-{pair:06}-c")

            return run

        assert together(*map(work, who)) == []
        assert {one.verdict for one in store.said()} == {DIFFERENT}
        assert len(store.said()) == 3 * 22
        # Two threads, one pair, two keys: one of them has judged it already.
        me = store.annotator("Mio")
        raised = together(
            *(lambda n=n: store.judge(me, 0, SAME, key=f"twice-{n}") for n in range(2))
        )
        assert [type(error) for error in raised] == [AlreadyJudgedError]


def test_goes_on_with_the_same_pairs_alone(path: Path) -> None:
    with Store.begin(path, PAIRS, seed=3, overlap=0.5) as store:
        store.judge(store.annotator("Rei"), 1, SAME, key="aaaaaaaa")
    judged = PAIRS.take(np.arange(24))
    with Store.begin(path, judged) as store:
        assert (store.seed, store.overlap) == (3, 0.5)
        assert [one.pair for one in store.said()] == [1]
    with pytest.raises(ReviewError, match="other pairs"):
        Store.begin(path, PAIRS.take(np.arange(23)))
    with pytest.raises(ReviewError, match="seed 3, not 4"):
        Store.begin(path, PAIRS, seed=4)
    with pytest.raises(ReviewError, match=r"overlap of 1\.5"):
        Store.begin(path, PAIRS, overlap=1.5)


def test_refuses_what_is_no_review(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database, but more than a hundred bytes" * 20)
    with pytest.raises(ReviewError, match="text: cannot be used"):
        Store.open(tmp_path / "text")
    with pytest.raises(ReviewError, match="no such"):
        Store.open(tmp_path / "nothing")
    with pytest.raises(ReviewError, match="a folder"):
        Store.open(tmp_path)
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE other (x)")
    other.close()
    with pytest.raises(ReviewError, match="not of a review"):
        Store.begin(tmp_path / "other", PAIRS)
    with pytest.raises(ReviewError, match="cannot be opened"):
        Store.begin(tmp_path / "no folder" / "review.sqlite", PAIRS)


def test_a_commit_that_fails_is_over(path: Path) -> None:
    """A file that may not grow stands for a full disk: what was not written is not there."""
    with Store.begin(path, PAIRS) as store:
        me = store.annotator("Rei")
        store.judge(me, 0, SAME, key="before-it")
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = Path(f"{path}-wal").stat().st_size
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
            with pytest.raises(DatabaseError, match="Nothing of this was written"):
                store.judge(me, 1, SAME, key="while-full")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)
        assert [one.pair for one in store.said()] == [0]
        store.judge(me, 1, DIFFERENT, key="while-full")
        assert [(one.pair, one.verdict) for one in store.said()] == [(0, SAME), (1, DIFFERENT)]


def test_to_go_on_is_fast_however_much_was_judged(path: Path) -> None:
    """Each row of the pairs was once replaced, for which all events were looked through."""
    pairs = all_pairs(faces=14, count=3000)
    with Store.begin(path, pairs) as store:
        store.take_in(
            VerdictRecord(name, pair, SAME, None, "2026-01-01T00:00:00.000+00:00")
            for name in PEOPLE
            for pair in range(3000)
        )
    with Store.begin(path, pairs) as store:
        assert store._db.total_changes < 100  # rows


def test_imports_are_all_or_nothing(path: Path) -> None:
    at = "2026-01-01T00:00:00.000+00:00"
    with Store.begin(path, PAIRS) as store:
        with pytest.raises(ReviewError, match="no pair 99"):
            store.take_in(
                [VerdictRecord("Rei", 1, SAME, None, at), VerdictRecord("Rei", 99, SAME, None, at)]
            )
        assert store.said() == []
        counts = store.take_in([VerdictRecord("Rei", 1, SAME, None, at)])
        assert counts == {"added": 1, "replaced": 0, "older": 0, "known": 0}
        assert store.undo(store.annotator("Rei"), key="undo-none") is None


@pytest.mark.parametrize(("given", "plain"), [(" Rei ", "Rei"), ("E\u0301lise", "Élise")])
def test_one_spelling_of_a_name(given: str, plain: str) -> None:
    assert plain_name(given) == plain


def test_who_is_unsure_says_nothing_and_is_asked_again(path: Path) -> None:
    with Store.begin(path, PAIRS, overlap=0.0) as store:
        board = Assignment(store)
        rei, bo = store.annotator("Rei"), store.annotator("Bo")
        first, second = board.next(rei, 2)
        store.be_unsure(rei, first, key="unsure-1")
        store.be_unsure(rei, first, key="unsure-1")
        with pytest.raises(KeyReusedError):
            store.skip(rei, first, key="unsure-1")
        store.skip(rei, second, key="skip-two")
        assert store.said() == []
        assert store.account() == []
        # It is on nobody's screen any more; what was skipped may be asked for soon again.
        assert first in board.next(bo, 30)
        assert second not in board.next(bo, 30)
        assert store.undo(rei, key="undo-one") == second
        assert store.undo(rei, key="undo-two") == first
        assert store.before(rei, first, "undo-two") == ("unsure", None)
        assert store.before(rei, second, "undo-one") == ("skip", None)
        assert store.unsure() == {}
        store.be_unsure(rei, first, key="unsure-2")
        store.judge(bo, first, SAME, key="judge-1")
        # Another one has told: it is not asked for again, but was not told by this one.
        assert first not in board.next(rei, 30)
        assert (board.progress(rei).unsure, store.unsure()) == (0, {rei: 1})
        with pytest.raises(AlreadyJudgedError):
            store.be_unsure(bo, first, key="unsure-3")


def test_verdicts_of_others_on_what_one_is_unsure_of_come_in(path: Path, tmp_path: Path) -> None:
    with Store.begin(path, PAIRS) as store, Store.begin(tmp_path / "b.sqlite", PAIRS) as other:
        rei = store.annotator("Rei")
        store.be_unsure(rei, 3, key="unsure-1")
        # Whoever is unsure has said nothing.
        with pytest.raises(ReviewError, match="no verdict in it"):
            import_judged(other, store.path)
        store.take_in([VerdictRecord("Rei", 3, SAME, None, "2026-05-01T09:30:00.500+00:00")])
        assert store.unsure() == {}
        assert [one.pair for one in store.said()] == [3]


def test_a_database_of_version_1_is_brought_up(path: Path) -> None:
    with Store.begin(path, PAIRS) as store:
        rei = store.annotator("Rei")
        for pair in range(9):
            store.judge(rei, pair, SAME, key=f"judge-{pair}")
        store.skip(rei, 12, key="skip-one")
        store.undo(rei, key="undo-one")
        store.skip(rei, 13, key="skip-two")
        before = store.to_merge(), store.events_after(0)
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        rows = {table: old.execute(f"SELECT * FROM {table}").fetchall() for table in FORMER}
    former = path.with_name("old.sqlite")
    with closing(sqlite3.connect(former, isolation_level=None)) as old:
        old.executescript(tables(1))
        for table, found in rows.items():
            marks = ",".join("?" * len(found[0]))
            old.executemany(f"INSERT INTO {table} VALUES ({marks})", found)
        old.execute(f"PRAGMA application_id = {APPLICATION}")
        old.execute("PRAGMA user_version = 1")
    unchanged = former.read_bytes()
    # Who only reads it leaves it as it is.
    with Store.begin(path.with_name("new.sqlite"), PAIRS) as fresh:
        assert import_judged(fresh, former).added == 9
    assert former.read_bytes() == unchanged
    for _ in range(2):
        with Store.open(former) as store:
            assert (store.to_merge(), store.events_after(0)) == before
    with Store.open(former) as store:
        rei = store.annotator("Rei")
        store.be_unsure(rei, 14, key="unsure-1")
        assert store.undo(rei, key="undo-two") == 14
        assert store.undo(rei, key="undo-3") == 13
        assert store.undo(rei, key="undo-4") == 8
    with closing(sqlite3.connect(former)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (2,)
        assert old.execute("PRAGMA foreign_key_check").fetchall() == []
