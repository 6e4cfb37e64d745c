"""Counts over all pairs by score, against a double loop."""

from __future__ import annotations

import numpy as np
import pytest
from support import oracle

from indexes import AllPairs, IndexesError
from indexes.join import score_windows
from indexes.join.options import SearchOptions

# By NumPy in one thread, and by the kernels of the fast search, in tiles of several sizes.
WAYS = [
    SearchOptions(),
    SearchOptions(tile=17),
    SearchOptions(precision="fp32", threads=2, tile=23),
    SearchOptions(precision="fp32", threads=1),
]


def scored(vectors, groups):
    """Every pair's score and whether it is of one group, and the numbers of both groups."""
    names, codes = np.unique(groups, return_inverse=True)
    rows = [(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors))]
    scores = np.array([oracle.score(vectors[i], vectors[j]) for i, j in rows])
    ends = np.array([(codes[i], codes[j]) for i, j in rows]).reshape(-1, 2)
    return scores, ends[:, 0] == ends[:, 1], ends, len(names)


def cuts_of(scores):
    """Thresholds at scores, between them, and beyond all."""
    some = np.sort(scores)[:: max(1, len(scores) // 5)]
    return [*some.tolist(), *(some[:-1] + np.diff(some) / 2).tolist(), -1e9, 1e9]


@pytest.mark.parametrize("how", WAYS, ids=repr)
def test_windows_and_groups_in_all_worlds(world, how):
    vectors, groups = world
    if len(vectors) < 2:
        pytest.skip("no pair")
    scores, positive, ends, count = scored(vectors, groups)
    pairs = AllPairs(vectors, groups, how)
    assert (pairs.negatives, pairs.positives) == ((~positive).sum(), positive.sum())
    cuts = cuts_of(scores)
    asked = [(low, high) for low in cuts for high in cuts if low <= high][::3]
    for (low, high), found in zip(asked, pairs.windows(asked), strict=True):
        above, inside = scores >= high, (scores >= low) & (scores < high)
        assert found.negatives_above == (above & ~positive).sum()
        assert found.positives_above == (above & positive).sum()
        distinct = np.unique(scores[inside])[::-1]
        assert found.scores.tolist() == distinct.tolist()
        for kind, mask in ((found.negatives, ~positive), (found.positives, positive)):
            assert kind.tolist() == [(scores[inside & mask] == one).sum() for one in distinct]
    told = pairs.by_group(cuts)
    sizes = pairs.sizes
    for at, cut in enumerate(cuts):
        between = np.zeros((count, count), np.int64)
        reached = (scores >= cut) & ~positive
        np.add.at(between, (ends[reached].min(axis=1), ends[reached].max(axis=1)), 1)
        assert told.negatives[at].tolist() == (between + between.T).sum(axis=1).tolist()
        own = ends[(scores >= cut) & positive, 0]
        assert told.positives[at].tolist() == np.bincount(own, minlength=count).tolist()
        assert told.squares[at] == (between**2).sum()
        assert told.products[at] == (between * np.outer(sizes, sizes)).sum()
    alone = pairs.by_group(cuts, kind="positive")
    assert np.array_equal(alone.positives, told.positives)
    assert not alone.negatives.any()


@pytest.mark.parametrize("how", WAYS, ids=repr)
def test_brackets_hold_their_ranks(world, how):
    vectors, groups = world
    if len(vectors) < 2:
        pytest.skip("no pair")
    scores, positive, _, _ = scored(vectors, groups)
    pairs = AllPairs(vectors, groups, how)
    hist = pairs.histogram()
    for kind, mask in (("negative", ~positive), ("positive", positive)):
        ranked = np.sort(scores[mask])[::-1]
        counts = hist.negatives if kind == "negative" else hist.positives
        assert counts.sum() == len(ranked)
        for rank in {1, len(ranked) // 2, len(ranked)} & {*range(1, len(ranked) + 1)}:
            low, high = hist.bracket(rank, kind)
            assert low <= ranked[rank - 1] < high
        with pytest.raises(IndexesError, match="rank"):
            hist.bracket(len(ranked) + 1, kind)


def test_scores_a_rounding_apart_are_told_apart():
    """Rows whose products in float32 are equal, and whose scores are not."""
    draw = np.random.default_rng(0)
    row = draw.standard_normal(300).astype(np.float32)
    vectors = np.tile(row, (40, 1))
    vectors[:, 0] += np.arange(40, dtype=np.float32) * 2.0**-20
    groups = np.arange(40) % 7
    scores, positive, _, _ = scored(vectors, groups)
    assert len(np.unique(scores)) > 10 * len(np.unique(scores.astype(np.float32)))
    cut = float(np.median(scores))
    for how in WAYS:
        pairs = AllPairs(vectors, groups, how)
        [found] = pairs.windows([(cut, cut)])
        assert found.negatives_above == ((scores >= cut) & ~positive).sum()
        assert pairs.by_group([cut]).positives.sum() == ((scores >= cut) & positive).sum()


def test_a_group_in_parts_among_small_ones():
    """Groups larger than a tile: what is between two of them is summed over their tiles."""
    draw = np.random.default_rng(3)
    vectors = draw.standard_normal((90, 6)).astype(np.float32)
    groups = np.r_[np.zeros(30, int), np.ones(25, int), draw.integers(2, 9, 35)]
    whole = AllPairs(vectors, groups).by_group([0.0, 1.0])
    for tile in (1, 4, 7, 28):
        parts = AllPairs(vectors, groups, SearchOptions(tile=tile)).by_group([0.0, 1.0])
        assert parts.squares == whole.squares
        assert parts.products == whole.products
        assert np.array_equal(parts.negatives, whole.negatives)


def test_norms_beyond_float32():
    vectors = np.array([[2e25, 1], [1e25, 2], [-1e25, 3], [5, 6]], np.float32)
    scores, positive, _, _ = scored(vectors, [0, 1, 0, 1])
    [found] = AllPairs(vectors, [0, 1, 0, 1]).windows([(-np.inf, np.inf)])
    assert found.scores.tolist() == np.unique(scores)[::-1].tolist()
    assert found.positives.sum() == positive.sum()


def test_equal_scores_are_held_once(monkeypatch):
    monkeypatch.setattr(score_windows, "HELD", 8)
    vectors = np.ones((30, 2), np.float32)
    [found] = AllPairs(vectors, np.arange(30) // 3).windows([(0, 3)])
    assert (found.scores.tolist(), found.negatives.tolist()) == ([2.0], [30 * 29 // 2 - 30])
    monkeypatch.setattr(score_windows, "MOST", 100)
    with pytest.raises(IndexesError, match="nearly all alike"):
        AllPairs(vectors, np.arange(30) // 3).windows([(0, 3)])


def test_progress_counts_all_pairs_once(world):
    vectors, groups = world
    told = []
    AllPairs(vectors, groups).histogram(progress=lambda done, total: told.append((done, total)))
    count = len(vectors)
    assert told[-1] == (count * (count - 1) // 2,) * 2
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_refusals():
    pairs = AllPairs([[1, 0], [0, 1]], [0, 1])
    with pytest.raises(IndexesError, match="low <= high"):
        pairs.windows([(1, 0)])
    with pytest.raises(IndexesError, match="thresholds"):
        pairs.by_group([float("nan")])
    with pytest.raises(IndexesError, match="groups"):
        AllPairs([[1, 0], [0, 1]], [0, 1, 2])
