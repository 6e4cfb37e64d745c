from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from support.reviews import all_pairs

from pairsets.pairset import PairSet
from pairsets.review.judgement.assignment import CLAIM_S, Assignment
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict

PAIRS = all_pairs(count=200, invalid=5)
SAME = Verdict.of("same")


class Clock:
    """Seconds that go on by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.begin(path, PAIRS) as found:
        yield found


def order(board: Assignment, who: int) -> list[int]:
    """All pairs of a person, in turn; nothing is judged."""
    return board.next(who, 10_000)


def test_everybody_has_an_order_of_their_own_that_stays(store: Store) -> None:
    rei, bo = store.annotator("Rei"), store.annotator("Bo")
    first, other = order(Assignment(store), rei), order(Assignment(store), bo)
    assert sorted(first) == sorted(other) == np.flatnonzero(PAIRS.valid).tolist()
    assert first != other
    assert order(Assignment(store), rei) == first
    for pair in first[:7]:
        store.judge(rei, pair, SAME, key=f"judged-{pair}")
    assert order(Assignment(store), rei) == first[7:]


def test_sides_are_swapped_for_half_and_stay(store: Store) -> None:
    rei, bo = store.annotator("Rei"), store.annotator("Bo")
    sides = {
        who: [Assignment(store).is_swapped(who, pair) for pair in range(200)] for who in (rei, bo)
    }
    for mine in sides.values():
        assert 60 < sum(mine) < 140
    assert sides[rei] != sides[bo]
    again = Assignment(store)
    assert [again.is_swapped(rei, pair) for pair in range(200)] == sides[rei]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 1.0])
def test_claims_share_the_pairs_out(path: Path, overlap: float) -> None:
    with Store.begin(path, PAIRS, overlap=overlap) as store:
        board = Assignment(store, clock=Clock())
        people = [store.annotator(name) for name in ("Rei", "Bo", "Mio")]
        seen: list[list[int]] = [[], [], []]
        for turn in range(3 * 200):
            for pair in board.next(people[turn % 3], 4)[:1]:
                store.judge(people[turn % 3], pair, SAME, key=f"turn-{turn:05}")
                seen[turn % 3].append(pair)
        everybody = set(seen[0]) & set(seen[1]) & set(seen[2])
        counts = np.bincount([*seen[0], *seen[1], *seen[2]], minlength=200)
        valid = PAIRS.valid
        assert set(counts[valid].tolist()) == {0.0: {1}, 0.25: {1, 3}, 1.0: {3}}[overlap]
        assert not counts[~valid].any()
        expected = overlap * 200
        assert expected - 5 <= len(everybody) <= expected
        if overlap < 1:
            assert max(map(len, seen)) - min(map(len, seen)) <= 12


def test_a_claim_ends(path: Path) -> None:
    clock = Clock()
    with Store.begin(path, PAIRS, overlap=0) as store:
        board = Assignment(store, clock=clock)
        rei, bo = store.annotator("Rei"), store.annotator("Bo")
        held = set(board.next(rei, 10_000))
        assert len(held) == 195
        assert board.next(bo, 1) == []
        clock.now = CLAIM_S - 1
        assert board.next(bo, 1) == []
        clock.now = CLAIM_S + 1
        assert len(board.next(bo, 10_000)) == 195
        assert board.next(rei, 1) == []


def test_a_larger_overlap_keeps_the_shared_pairs(path: Path) -> None:
    shared = []
    for overlap in (0.1, 0.4, 0.8):
        with Store.begin(path, PAIRS, overlap=overlap) as store:
            board = Assignment(store, clock=Clock())
            rei, bo = store.annotator("Rei"), store.annotator("Bo")
            board.next(rei, 10_000)
            shared.append(set(board.next(bo, 10_000)))
    assert shared[0] < shared[1] < shared[2]
    assert [len(one) for one in shared] == pytest.approx([20, 80, 160], abs=5)


def test_suspects_come_first_among_others(path: Path) -> None:
    pairs = all_pairs(count=200)
    negatives = np.flatnonzero(pairs.negatives)[:12].tolist()
    with Store.begin(path, pairs) as store:
        store.mark(dict.fromkeys(negatives, ("duplicate", "why")))
        board = Assignment(store, suspects_first=True)
        first = order(board, store.annotator("Rei"))[:24]
    assert set(negatives) < set(first)
    # As many others, half of them of one identity.
    assert int(pairs.label[first].sum()) == 6
    places = [place for place, pair in enumerate(first) if pair in negatives]
    assert places != list(range(12))


def test_many_skips_do_not_hide_a_pair(store: Store) -> None:
    rei = store.annotator("Rei")
    board = Assignment(store)
    for number, pair in enumerate(order(board, rei)):
        store.skip(rei, pair, key=f"skip-{number:05}")
    skipped = order(board, rei)
    assert len(skipped) == 195
    assert board.progress(rei).skipped == 195
    store.judge(rei, skipped[0], SAME, key="judge-one")
    assert order(board, rei) == skipped[1:]
    store.undo(rei, key="undo-one1")
    assert skipped[0] in order(board, rei)[:1]


def test_the_pace_is_the_median_of_the_latest(store: Store) -> None:
    rei = store.annotator("Rei")
    board = Assignment(store)
    assert (board.progress(rei).seconds, board.progress(rei).time_left) == (None, None)
    for pair in range(60):
        seconds = 100.0 if pair < 10 else 2.0 if pair % 2 else 4.0
        store.judge(rei, pair, SAME, key=f"judge-{pair:03}", seconds=seconds)
    now = board.progress(rei)
    assert now.seconds == 3.0
    assert now.time_left == 3.0 * (195 - 60)
    assert now.total == 195


def test_suspects_are_shuffled_among_the_others(tmp_path: Path) -> None:
    count = 2000
    pairs = PairSet.of(
        [f"a/{row}" for row in range(count)],
        [f"{'ab'[row % 3 > 0]}/x{row}" for row in range(count)],
        np.arange(count) % 3 == 0,
    )
    with Store.begin(tmp_path / "r.sqlite", pairs) as store:
        marked = dict.fromkeys(range(7, count, 20), ("crop", "bad crop: blank"))
        store.mark(marked)
        board = Assignment(store, suspects_first=True)
        for name in ("Rei", "Asuka", "Bo"):
            first = board.next(store.annotator(name), 2 * len(marked))
            places = [place for place, pair in enumerate(first) if pair in marked]
            assert len(places) == len(marked)
            # 100 of 200 at random: about half of them in each half.
            assert 30 <= sum(place < len(marked) for place in places) <= 70
            others = [pair for pair in first if pair not in marked]
            assert sum(pairs.label[pair] for pair in others) == len(marked) // 2


def test_what_everybody_judges_comes_early(tmp_path: Path) -> None:
    with Store.begin(tmp_path / "r.sqlite", PAIRS, overlap=0.25) as store:
        board = Assignment(store)
        shared = round(0.25 * len(PAIRS))
        seen = []
        for name in ("Rei", "Asuka"):
            me, mine = store.annotator(name), []
            while (found := board.next(me, 1)) and len(mine) < shared:
                store.judge(me, found[0], SAME, key=f"{name}-{len(mine)}")
                mine += found
            seen.append({pair for pair in mine if board._shared[pair]})
        assert seen[0] == seen[1]
        assert len(seen[0]) > shared / 2
