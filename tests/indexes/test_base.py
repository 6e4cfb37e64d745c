"""What the contract's own checks take and refuse."""

from __future__ import annotations

import numpy as np
import pytest

from indexes import ApproximateIndex, FlatIndex, IndexesError, TopPairs, join


def test_the_callers_arrays_stay_writable():
    i, j, scores = np.array([0]), np.array([1]), np.array([0.5])
    found = TopPairs(i, j, scores)
    i[0] = j[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        found.scores[0] = 1.0


@pytest.mark.parametrize("n", [0, -1, 1.0, float("nan"), float("inf"), None, True, "3"])
def test_numbers_that_are_no_count(n):
    with pytest.raises(IndexesError, match="expected a whole number of 1 or more"):
        FlatIndex(np.eye(3)).top_pairs(n, [0, 1, 2])


@pytest.mark.parametrize("groups", [[None, "a", "b"], [0.0, float("nan"), 1.0]])
def test_groups_that_cannot_be_compared(groups):
    with pytest.raises(IndexesError, match="groups"):
        FlatIndex(np.eye(3)).top_pairs(1, np.array(groups, object if None in groups else float))


def test_the_index_is_not_its_own_sidecar(tmp_path):
    with pytest.raises(IndexesError, match="the sidecar's name"):
        FlatIndex(np.eye(3)).save(tmp_path / "index.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("factory", ["PQ4", "LSH", "IDMap,Flat", "nonsense"])
def test_refusals_of_faiss_without_its_source_code(factory):
    with pytest.raises(IndexesError, match=factory) as caught:
        ApproximateIndex(np.eye(6, dtype=np.float32), factory).search(np.eye(6), 1)
    assert "/" not in str(caught.value).replace(factory, "")
    assert "::" not in str(caught.value)


def test_few_vectors_a_cluster_are_no_noise(capfd):
    vectors = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
    ApproximateIndex(vectors, "IVF8,Flat").search(vectors, 1)
    assert capfd.readouterr() == ("", "")


def test_many_ties_in_bounded_memory(monkeypatch):
    """All rows are equal: every query needs every row, a few queries at a time."""
    asked = []
    scores = join.pair_scores
    monkeypatch.setattr(
        join, "pair_scores", lambda *four: asked.append(len(four[2])) or scores(*four)
    )
    vectors = np.ones((300, 3), np.float32)
    index = FlatIndex(vectors)
    index.fetched = 1000
    found = index.search(vectors, 5)
    assert (found.rows == np.arange(5)).all()
    assert max(asked) <= 1000


def test_more_pairs_than_one_settling(monkeypatch):
    """n far above what is held between two settlings, against sorting all."""
    generator = np.random.default_rng(11)
    vectors = generator.integers(-2, 3, (200, 4)).astype(np.float32)
    groups = np.arange(200) // 2
    found = join.top_pairs(vectors, groups, 9000, how=join.SearchOptions(tile=16))
    i, j = np.triu_indices(200, 1)
    kept = groups[i] != groups[j]
    i, j = i[kept], j[kept]
    scores = (vectors[i] * vectors[j]).sum(1)
    order = np.lexsort((j, i, -scores))[:9000]
    np.testing.assert_array_equal(found.i, i[order])
    np.testing.assert_array_equal(found.j, j[order])
