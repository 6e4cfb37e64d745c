"""Agreement with oneself, beside a plain count of the same answers."""

from __future__ import annotations

import json
import random

import pytest
from support.reviews import all_pairs

from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import clustered_rate
from pairsets.review.exchange.export import export
from pairsets.review.store.self_agreement import self_agreement
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict

PAIRS = all_pairs(count=120)
WORDS = ("same", "different", "invalid")


@pytest.fixture
def store(tmp_path):
    with Store.begin(tmp_path / "review.sqlite", PAIRS, repeat=0.5) as found:
        yield found


def test_nobody_was_asked_again(store, tmp_path):
    store.judge(store.annotator("Rei"), 3, Verdict.of("same"), key="key-first")
    assert self_agreement(store) == {}
    content = export(store, tmp_path / "out.csv").content
    assert "again" not in content["people"][0]


@pytest.mark.parametrize("seed", range(5))
def test_counted_plainly(store, tmp_path, seed):
    dice = random.Random(seed)
    told: dict[str, dict[int, bool]] = {}
    unsure: dict[str, int] = {}
    for name in ("橘 雪", "Rei", "nobody twice"):
        who = store.annotator(name)
        for pair in dice.sample(range(120), 60):
            first = dice.choice(WORDS)
            key = f"{name}-{pair}-{seed}-key"
            store.judge(who, pair, Verdict.of(first), key=key)
            if name == "nobody twice" or dice.random() < 0.4:
                continue
            if dice.random() < 0.1:
                store.be_unsure(who, pair, key=key + "-unsure", again=True)
                unsure[name] = unsure.get(name, 0) + 1
                continue
            second = dice.choice((first, dice.choice(WORDS)))
            store.judge_again(who, pair, Verdict.of(second), key=key + "-2")
            told.setdefault(name, {})[pair] = first == second
            if dice.random() < 0.2:  # what is changed afterwards was not said then
                other = WORDS[WORDS.index(first) - 1]
                store.change(who, pair, Verdict.of(other), key=key + "-3")
    found = self_agreement(store)
    assert {*found} == {*told}
    ends = Clusters.of(PAIRS)
    people = {one["name"]: one for one in export(store, tmp_path / "out.csv").content["people"]}
    assert "again" not in people["nobody twice"]
    for name, answers in told.items():
        rows = sorted(answers)
        rate = found[name].alike
        assert (rate.errors, rate.count) == (sum(answers.values()), len(answers))
        expected = clustered_rate([answers[row] for row in rows], ends.take(rows))
        assert (rate.value, rate.low, rate.high) == (expected.value, expected.low, expected.high)
        assert found[name].unsure == unsure.get(name, 0)
        written = json.loads((tmp_path / "out.json").read_text("utf-8"))["people"]
        (again,) = [one["again"] for one in written if one["name"] == name]
        assert again["alike"]["errors"] == sum(answers.values())
        assert again["unsure"] == unsure.get(name, 0)


def test_only_unsure(store):
    who = store.annotator("Rei")
    store.judge(who, 3, Verdict.of("same"), key="key-first")
    store.be_unsure(who, 3, key="key-again", again=True)
    assert self_agreement(store)["Rei"].alike is None
    assert self_agreement(store)["Rei"].unsure == 1
