from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.reviews import all_pairs, planted

from pairsets.evaluation.sequential_interval import sequential_bounds
from pairsets.review.judgement.aims import Aim, AimWatch, rank_of
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError, Verdict

PAIRS = all_pairs(count=200, invalid=5)
SAME, DIFFERENT, INVALID = (Verdict.of(word) for word in ("same", "different", "invalid"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "review.sqlite"


@pytest.mark.parametrize(
    ("text", "aim"),
    [
        ("FPR within 2 points", Aim("FPR", 0.02)),
        ("  fnr  WITHIN 0.5 Points ", Aim("FNR", 0.005)),
        ("Mistakes within 1 point", Aim("mistakes", 0.01)),
        ("fpr within 3%", Aim("FPR", 0.03)),
    ],
)
def test_aims_are_read(text: str, aim: Aim) -> None:
    assert Aim.of(text) == aim
    assert Aim.of(aim.words) == aim


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("FPR", 'expected one such as "FPR within 2 points"'),
        ("FPR within two points", "is no aim"),
        ("EER within 2 points", "no share called EER; expected FPR, FNR, mistakes"),
        ("FPR within 0.02 points", "did you mean 2 points"),
        ("FPR within 0 points", "0.1 to 50"),
        ("FPR within 80 points", "0.1 to 50"),
        ("FPR within -2 points", "is no aim"),
    ],
)
def test_other_words_are_refused(text: str, told: str) -> None:
    with pytest.raises(ReviewError, match=told):
        Aim.of(text)


def test_a_sample_stays_and_grows(path: Path) -> None:
    with Store.begin(path, PAIRS, sample=40) as store:
        board = Assignment(store)
        first = set(board.next(store.annotator("Rei"), 999))
        assert len(first) == board.to_judge == board.progress(store.annotator("Rei")).total == 40
        assert set(board.next(store.annotator("Bo"), 999)) == first
    for sample, size in ((None, 40), (90, 90), (195, 195)):
        with Store.begin(path, PAIRS, sample=sample) as store:
            now = set(Assignment(store).next(store.annotator("Rei"), 999))
            assert len(now) == size
            assert first <= now
            assert PAIRS.valid[list(now)].all()
            first = now
    with pytest.raises(ReviewError, match="begun with a sample of 195 pairs, not 40"):
        Store.begin(path, PAIRS, sample=40)
    with pytest.raises(ReviewError, match="expected 1 to 195"):
        Store.begin(path, PAIRS, sample=196)


def test_every_pair_is_as_likely_in_a_sample() -> None:
    ranks = np.array([rank_of(20, seed) for seed in range(3000)])
    chosen = (ranks < 5).mean(axis=0)
    assert np.all(np.abs(chosen - 0.25) < 5 * np.sqrt(0.25 * 0.75 / 3000))


def test_a_sample_begins_with_no_suspects(path: Path) -> None:
    with Store.begin(path, PAIRS, sample=40) as store, pytest.raises(ReviewError, match="suspects"):
        Assignment(store, suspects_first=True)


def naive(store: Store, aim: Aim, labels: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Errors, verdicts, open pairs and the population, pair by pair."""
    said = {}
    for one in store.said():
        said.setdefault(one.pair, []).append(one.verdict.word)
    found: dict[int, str] = {pair: "open" for _, pair, _ in store.put_off()}
    for pair, words in said.items():
        most = [word for word in words if 2 * words.count(word) > len(words)]
        found[pair] = most[0] if most else "open"
    found |= {pair: one.verdict.word for pair, one in store.decisions().items()}
    order = np.argsort(rank_of(len(store.pairs), store.seed))
    order = [pair for pair in order.tolist() if store.pairs.valid[pair]]
    total = sum(store.pairs.label[pair] in labels for pair in order)
    errors = count = open_ = 0
    for pair in order:
        if pair not in found:
            break
        label = int(store.pairs.label[pair])
        if label not in labels:
            continue
        word = found[pair]
        total -= word == "invalid"
        open_ += word == "open"
        count += word in ("same", "different")
        errors += word == ("different" if label else "same")
    return errors, count, open_, total


@pytest.mark.parametrize(("text", "labels"), [("FPR", (0,)), ("FNR", (1,)), ("mistakes", (0, 1))])
def test_what_is_known_is_what_a_plain_count_finds(
    path: Path, text: str, labels: tuple[int, ...]
) -> None:
    dice = np.random.default_rng(3)
    with Store.begin(path, PAIRS) as store:
        people = [store.annotator(name) for name in ("Rei", "Bo", "Mio")]
        aim = Aim.of(f"{text} within 5 points")
        watch = AimWatch(store, aim)
        order = np.argsort(rank_of(200, 0))[:150].tolist()
        for turn, pair in enumerate(order):
            if not PAIRS.valid[pair]:
                continue
            for who in people[: 1 + turn % 3]:
                key = f"key-{turn:04}-{who}"
                kind = dice.integers(6)
                if kind == 5:
                    store.be_unsure(who, pair, key=key)
                else:
                    verdict = (SAME, DIFFERENT, DIFFERENT, DIFFERENT, INVALID)[kind]
                    store.judge(who, pair, verdict, key=key)
            if turn % 40 == 39 and store.said(pair):
                store.decide(people[0], pair, SAME, key=f"decide-{turn:04}")
            if turn % 30 == 29:
                store.undo(people[0], key=f"undo-{turn:06}")
            state = watch.state()
            errors, count, open_, total = naive(store, aim, labels)
            assert (state.errors, state.count, state.open, state.population) == (
                errors,
                count,
                open_,
                total,
            )
            low, high = sequential_bounds(
                [errors, errors + open_], [count + open_] * 2, [total, total]
            )
            assert (state.low, state.high) == (low[0] / total, high[1] / total)
            assert AimWatch(store, aim).state() == state


@pytest.mark.parametrize("overlap", [0.0, 1.0])
def test_judging_ends_when_the_aim_is_met(path: Path, overlap: float) -> None:
    with Store.begin(path, PAIRS, overlap=overlap, until="FPR within 9 points") as store:
        board = Assignment(store)
        people = [store.annotator(name) for name in ("Rei", "Bo")]
        turn = 0
        while any(found := [board.next(who, 1) for who in people]):
            for who, pairs in zip(people, found, strict=True):
                for pair in pairs:
                    turn += 1
                    verdict = SAME if PAIRS.label[pair] else DIFFERENT
                    store.judge(who, pair, verdict, key=f"judge-{turn:05}")
        state = board.aim()
        assert state is not None
        assert state.is_met
        assert 0 < state.count < (PAIRS.label == 0).sum() / 2
        assert state.errors == 0
        # Taken back, it is not met any more.
        store.undo(people[0], key="undo-the-last")
        store.undo(people[1], key="undo-the-last-2")
        assert board.next(people[0], 1)
    with Store.begin(path, PAIRS, until="") as store:
        assert Assignment(store).aim() is None


def test_the_page_tells_when_the_aim_is_met_and_not_before(tmp_path: Path) -> None:
    told: list[str] = []
    with planted(tmp_path, pairs=PAIRS, until="FPR within 20 points", tell=told.append) as world:
        rei = world.person("Rei")
        work = rei.get("/api/next", count=1)
        while work["pairs"]:
            assert work["aim"] is None
            pair = work["pairs"][0]["pair"]
            work = rei.judge(pair, "same" if PAIRS.label[pair] else "different")
        assert work["aim"]["aim"] == "FPR within 20 points"
        assert work["aim"]["known"].startswith("FPR 0.0 % (0.0 to ")
        rei.get("/api/next")
    assert told == [f"The aim is met, FPR within 20 points: {work['aim']['known']}"]
