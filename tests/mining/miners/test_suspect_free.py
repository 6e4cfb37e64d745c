"""Mining on without suspects, against a world from which they were taken beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.worlds import rule_sets, worlds

from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.miners.fused_negatives import mine_together
from mining.miners.negatives import mine_negatives
from mining.miners.positives import mine_positives
from mining.miners.suspect_free import mine_on, pairs_of
from mining.ranking.mined_pairs import refuse_nothing
from pairsets import Exclusions, Faces
from pairsets.files.suspects import Doubt
from pairsets.pairset import pair_key
from pairsets.storage.resume import Parts


class Suspicious:
    """Flags the pairs it was told, and remembers what it was asked."""

    def __init__(self, kind, pairs):
        self.kind = kind
        self.pairs = {pair_key(*pair) for pair in pairs}
        self.asked = []

    def __call__(self, pairs, progress=None):
        self.asked.append(pairs.keys)
        flags = [key in self.pairs for key in pairs.keys]
        score = [1.0 if flag else 0.25 for flag in flags]
        return Doubt(self.kind, score, flags, tuple("told" if flag else "" for flag in flags))


def rows_of(mined):
    return list(zip(mined.path_a, mined.path_b, strict=True))


def exclusions(pairs):
    return Exclusions(*(np.array([pair[end] for pair in pairs], object) for end in (0, 1)))


def miner(found, n, rules=None, label=0):
    def mine(exclude):
        mine_them = mine_positives if label else mine_negatives
        mined = mine_them(found, n, rules=rules, exclude=exclude)
        refuse_nothing(mined)
        return mined

    return mine


@given(st.data())
@settings(max_examples=40)
def test_the_pairs_are_those_of_a_world_without_the_suspects(data):
    found, rules = data.draw(worlds()), data.draw(rule_sets(margins=False))
    everything = mine_negatives(found, 200)
    if not len(everything):
        return
    pairs = rows_of(everything)
    kinds = ["duplicate", "veto"]
    told = {kind: data.draw(st.lists(st.sampled_from(pairs), unique=True)) for kind in kinds}
    bad = {*told["duplicate"], *told["veto"]}
    n = data.draw(st.integers(1, 12))
    truth = mine_negatives(found, n, rules=rules, exclude=[exclusions(sorted(bad))] if bad else [])
    checks = [Suspicious(kind, told[kind]) for kind in kinds]
    if not len(truth):
        with pytest.raises(RulesError):
            mine_on(miner(found, n, rules), checks)
        return
    kept = mine_on(miner(found, n, rules), checks)
    assert rows_of(kept) == rows_of(truth)
    assert kept.scores.tolist() == truth.scores.tolist()
    taken, looked = len(truth), kept.looked
    listed = list(zip(looked.path_a, looked.path_b, strict=True))
    assert listed[:taken] == rows_of(truth)
    assert looked.dropped.tolist() == [False] * taken + [True] * int(looked.dropped.sum())
    assert {*listed[taken:]} <= bad
    for check in checks:
        asked = [key for keys in check.asked for key in keys]
        assert len(asked) == len({*asked}), "a pair was looked at twice"


def lines(count=8):
    """Identities on a line: the nearer two stand, the higher their score."""
    vectors = np.array([[1.0, k / count] for k in range(2 * count)], np.float32)
    vectors.setflags(write=False)
    paths = [f"{chr(97 + k % count)}/{k:02}" for k in range(2 * count)]
    order = np.argsort(paths)
    return Embeddings(
        Faces.of_paths(Path("faces"), [paths[k] for k in order]), vectors[order], {}, Path()
    )


def test_each_suspect_is_a_row_of_the_funnel_under_its_first_kind():
    found = lines()
    best = rows_of(mine_negatives(found, 5))
    checks = [Suspicious("veto", best[:3]), Suspicious("duplicate", best[2:4])]
    kept = mine_on(miner(found, 5), checks)
    assert [row for row in kept.dropped if row[1]] == [
        ("suspect (duplicate picture), else among the best", 2),
        ("suspect (positive for another model), else among the best", 2),
    ]
    assert kept.looked.dropped.sum() == 4
    assert kept.looked.counts(kept.looked.dropped) == {"duplicate": 2, "veto": 3}
    assert rows_of(kept)[:1] == best[4:]


def test_an_interrupted_search_goes_on_with_the_suspects_it_found(tmp_path):
    found = lines()
    best = rows_of(mine_negatives(found, 9))
    told = best[:3] + best[5:7]
    whole = mine_on(miner(found, 4), [Suspicious("veto", told)])
    memory = Parts(tmp_path / "kept.sqlite", ["this work"])
    searches = []

    def interrupted(exclude):
        searches.append(len(exclude))
        if len(searches) == 2:
            raise KeyboardInterrupt
        return miner(found, 4)(exclude)

    with pytest.raises(KeyboardInterrupt):
        mine_on(interrupted, [Suspicious("veto", told)], memory=memory)
    assert Parts(tmp_path / "kept.sqlite", ["other work"]).read() is None
    kept = pairs_of(memory.read())
    assert list(zip(kept.path_a, kept.path_b, strict=True)) == best[:3]
    again = Suspicious("veto", told)
    resumed = mine_on(miner(found, 4), [again], memory=memory)
    assert again.asked[0] == kept.keys
    assert rows_of(resumed) == rows_of(whole)
    assert resumed.dropped == whole.dropped
    for name in ("path_a", "path_b", "label", "reasons", "dropped"):
        assert list(getattr(resumed.looked, name)) == list(getattr(whole.looked, name)), name
    assert not list(tmp_path.iterdir())


def test_what_was_excluded_stays_so_and_is_counted_apart():
    found = lines()
    best = rows_of(mine_negatives(found, 6))
    check = Suspicious("alias", best[1:2])
    worst = rows_of(mine_negatives(found, 10**6))[-2:]
    kept = mine_on(miner(found, 4), [check], exclude=[exclusions(best[:1] + worst)])
    assert rows_of(kept) == best[2:6]
    assert kept.dropped == (
        ("excluded, else among the best", 1),
        ("excluded, not among the best", 2),
        ("suspect (same identity, two names), else among the best", 1),
        ("suspect (same identity, two names), not among the best", 0),
    )


def test_hard_positives_mine_on_too():
    found = lines()
    least = rows_of(mine_positives(found, 3))
    kept = mine_on(miner(found, 2, label=1), [Suspicious("mislabel", least[:1])])
    assert rows_of(kept) == least[1:3]
    assert kept.looked.label.tolist() == [1, 1, 1]


def test_what_each_of_several_references_is_judged_on_has_no_suspects_either():
    faces = lines().faces
    sources = {
        name: Embeddings(faces, vectors.astype(np.float32), {}, Path())
        for name, vectors in zip(
            "AB", np.random.default_rng(0).normal(size=(2, 16, 4)), strict=True
        )
    }

    def mine(exclude):
        return mine_together(sources, 6, exclude=exclude)

    plain = mine([])
    bad = rows_of(plain.without["A"])[:2] + rows_of(plain.without["B"])[:2]
    bad = [pair for pair in bad if pair not in rows_of(plain)]
    assert bad, "the world should have pairs that only one model finds hard"
    kept = mine_on(mine, [Suspicious("crop", bad)])
    assert rows_of(kept) == rows_of(plain)
    for fused in kept.without.values():
        assert len(fused) == 6
        assert not {*rows_of(fused)} & {*bad}


def test_nothing_is_left():
    found = lines(3)
    everything = rows_of(mine_negatives(found, 10**6))
    with pytest.raises(RulesError, match=r"12 pairs were dropped as suspects \(crop\)"):
        mine_on(miner(found, 5), [Suspicious("crop", everything)])
    with pytest.raises(RulesError, match="no kind of suspect to drop"):
        mine_on(miner(found, 5), [])
