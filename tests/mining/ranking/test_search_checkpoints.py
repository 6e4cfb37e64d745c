"""Checkpoints: one for each search of a command, none left behind."""

from __future__ import annotations

import numpy as np
import pytest
from support.worlds import world

import mining.ranking.occurrence_caps
from indexes import FlatIndex
from indexes.join import checkpoint
from mining import Rules, mine_negatives
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.search_checkpoints import Checkpoints


@pytest.fixture
def found():
    """Face 0 is in the 29 best pairs."""
    vectors = np.r_[[[50, 0]], np.c_[np.ones(29), np.arange(29) / 100]]
    return world(vectors, [f"{row:02}" for row in range(30)])


@pytest.fixture
def searches(monkeypatch):
    """The name of the checkpoint that each search was given."""
    given, top_pairs = [], FlatIndex.top_pairs

    def noting(self, *args, checkpoint, **options):
        given.append(checkpoint and checkpoint.name)
        return top_pairs(self, *args, checkpoint=checkpoint, **options)

    monkeypatch.setattr(FlatIndex, "top_pairs", noting)
    return given


def test_each_search_has_its_own(found, searches, tmp_path, monkeypatch):
    """Two from the top, two on below, one that counts; the same names the next time."""
    monkeypatch.setattr(mining.ranking.occurrence_caps, "DEEPEST", 12)
    rules = Rules(max_per_image=1, max_score=1000)
    for _ in range(2):
        mine_negatives(found, 4, rules=rules, checkpoint=tmp_path / "a.partial.npz")
    ends = ["", "-2", "-3", "-4", "-5"]
    assert searches == [f"a.partial{end}.npz" for end in ends] * 2
    mine_negatives(found, 4)
    assert searches[-1] is None


def test_searches_that_were_done_are_not_done_again(found, tmp_path, monkeypatch):
    """Interrupted in the third, a command goes on there."""
    monkeypatch.setattr(mining.ranking.occurrence_caps, "DEEPEST", 12)
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(checkpoint, name, 0.0)
    rules, path = Rules(max_per_image=1), tmp_path / "a.partial.npz"
    whole = mine_negatives(found, 4, rules=rules)
    searched, commit, take_below = [], checkpoint.Ledger.commit, ModelRanking.below

    def noted(self, number, pairs):
        searched.append(self.path.name)
        commit(self, number, pairs)

    def killed(self, *args):
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.Ledger, "commit", noted)
    monkeypatch.setattr(ModelRanking, "below", killed)
    with pytest.raises(KeyboardInterrupt):
        mine_negatives(found, 4, rules=rules, checkpoint=path)
    before = {"a.partial.npz", "a.partial-2.npz"}
    assert set(searched) == {file.name for file in tmp_path.iterdir()} == before
    searched.clear()
    monkeypatch.setattr(ModelRanking, "below", take_below)
    again = mine_negatives(found, 4, rules=rules, checkpoint=path)
    assert searched
    assert not before & set(searched)
    assert again.pairs == whole.pairs
    assert again.scores.tobytes() == whole.scores.tobytes()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_behind(found, tmp_path):
    """What interrupted commands left in the place of this one goes too; other files do not."""
    ours = ["a.partial-2.npz", "a.partial-11.npz"]
    others = ["a.partial-b.npz", "a.npz", "b.partial.npz", "a.partial-2.csv"]
    for name in [*ours, *others]:
        (tmp_path / name).touch()
    mine_negatives(found, 4, checkpoint=tmp_path / "a.partial.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_names_that_are_patterns(tmp_path):
    (tmp_path / "a[1].partial-2.npz").touch()
    (tmp_path / "a1.partial-2.npz").touch()
    Checkpoints(tmp_path / "a[1].partial.npz").clear()
    assert [path.name for path in tmp_path.iterdir()] == ["a1.partial-2.npz"]
    Checkpoints(None).clear()
