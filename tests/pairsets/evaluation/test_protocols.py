"""Fold accuracy and TAR at fixed FAR, against plain counting over every threshold there is."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import ScoresError
from pairsets.evaluation.protocols import FARS, fold_accuracy, tar_at_far


def accuracy(labels, scores, threshold):
    return float(((scores >= threshold) == (labels == 1)).mean())


def most_accurate(labels, scores):
    """The middle one of the best thresholds, tried one by one."""
    distinct = sorted(set(scores.tolist()))
    tried = [distinct[0]]
    tried += [(low + high) / 2 for low, high in itertools.pairwise(distinct)]
    tried.append(math.nextafter(distinct[-1], math.inf))
    found = [accuracy(labels, scores, threshold) for threshold in tried]
    best = [t for t, share in zip(tried, found, strict=True) if share == pytest.approx(max(found))]
    return best[(len(best) - 1) // 2]


@st.composite
def in_folds(draw):
    """Scores that tie, labels and folds; every fold has both kinds."""
    count = draw(st.integers(2, 5))
    more = draw(st.lists(st.tuples(st.integers(0, 1), st.integers(1, count)), max_size=40))
    rows = [(label, fold) for fold in range(1, count + 1) for label in (0, 1)] + more
    scores = draw(st.lists(st.integers(-4, 4), min_size=len(rows), max_size=len(rows)))
    labels, folds = np.array(rows).T
    return labels, np.array(scores, float), folds


@given(in_folds())
def test_each_fold_is_judged_at_the_threshold_of_the_others(world):
    labels, scores, folds = world
    found = fold_accuracy(labels, scores, folds)
    expected = []
    for at, fold in enumerate(sorted(set(folds.tolist()))):
        mine = folds == fold
        threshold = most_accurate(labels[~mine], scores[~mine])
        assert (found.numbers[at], found.threshold[at]) == (fold, threshold)
        assert found.accuracy[at] == accuracy(labels[mine], scores[mine], threshold)
        assert found.pairs[at] == mine.sum()
        expected.append(float(found.accuracy[at]))
    mean = sum(expected) / len(expected)
    spread = sum((one - mean) ** 2 for one in expected) / (len(expected) - 1)
    assert found.mean == pytest.approx(mean)
    assert found.standard_error == pytest.approx((spread / len(expected)) ** 0.5)


@given(in_folds(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_pairs_does_not_matter(world, seed):
    order = np.random.default_rng(seed).permutation(len(world[0]))
    found, again = fold_accuracy(*world), fold_accuracy(*(one[order] for one in world))
    assert found.threshold.tolist() == again.threshold.tolist()
    assert found.accuracy.tolist() == again.accuracy.tolist()


def test_as_large_as_lfw():
    """6,000 pairs in ten folds, of scores whose best threshold is known: half-way."""
    generator = np.random.default_rng(0)
    labels = np.tile(np.repeat([1, 0], 300), 10)
    folds = np.repeat(np.arange(1, 11), 600)
    scores = generator.standard_normal(6000) + 3 * labels
    found = fold_accuracy(labels, scores, folds)
    assert found.mean == pytest.approx(0.9332, abs=0.01)  # of two normals, 3 apart
    assert 0.001 < found.standard_error < 0.006
    assert abs(found.threshold - 1.5).max() < 0.25


@pytest.mark.parametrize("low", [1.0, 1e308, -1e308, 5e-324])
def test_neighbouring_floats_are_parted(low):
    high = math.nextafter(low, math.inf)
    found = fold_accuracy([0, 1, 0, 1], [low, high, low, high], [1, 1, 2, 2])
    assert found.mean == 1.0


def test_far_apart_scores_do_not_overflow():
    found = fold_accuracy([0, 1, 0, 1], [-1.7e308, 1.7e308] * 2, [1, 1, 2, 2])
    assert found.threshold.tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("labels", "scores", "folds", "message"),
    [
        ([1, 0, 1, 0], [1, 2, 3, 4], [1, 1, 1, 1], "1 fold; "),
        ([1, 0, 1, 1], [1, 2, 3, 4], [1, 1, 7, 7], "fold 7 has no negative pair"),
        ([0, 0, 1, 0], [1, 2, 3, 4], [3, 3, 7, 7], "fold 3 has no positive pair"),
        ([1, 0, 1, 0], [1, 2, np.nan, 4], [1, 1, 2, 2], "1 scores are not finite.*pair 3"),
        ([1, 0, 1, 0], [1, 2, 3], [1, 1, 2, 2], "scores of shape"),
        ([1, 0, 1, 0], [1, 2, 3, 4], [1, 1, 2], "folds of shape"),
        ([], [], [], "0 folds; "),
    ],
)
def test_what_has_no_fold_accuracy(labels, scores, folds, message):
    with pytest.raises(ScoresError, match=message):
        fold_accuracy(labels, scores, folds)


@given(in_folds(), st.lists(st.floats(0, 1), min_size=1, max_size=4))
def test_tar_is_the_best_that_keeps_to_the_far(world, fars):
    labels, scores, _ = world
    positives, negatives = scores[labels == 1], scores[labels == 0]
    for far, found in zip(fars, tar_at_far(labels, scores, fars), strict=True):
        kept = [t for t in {math.inf, *scores.tolist()} if (negatives >= t).mean() <= far]
        assert found.threshold == min(kept)
        assert found.tar == pytest.approx(max((positives >= t).mean() for t in kept))
        assert found.achieved == (negatives >= found.threshold).mean() <= far
        wrong_at_least = min(1 / negatives.size, 1.0)
        assert found.resolvable == (wrong_at_least <= far)


def test_a_far_below_one_negative_is_said_to_be_out_of_reach():
    scores = np.arange(2000) / 2000
    labels = np.tile([0, 1], 1000)
    found = {one.far: one for one in tar_at_far(labels, scores)}
    assert [far for far in FARS if found[far].resolvable] == [1e-3, 1e-2, 1e-1]
    assert found[1e-4].achieved == 0.0
    assert found[1e-1].achieved == 0.1


def test_a_negative_on_top_leaves_nothing_to_accept():
    (found,) = tar_at_far([1, 0, 1, 0], [1, 9, 2, 3], [0.1])
    assert (found.tar, found.threshold, found.resolvable) == (0.0, math.inf, False)


@pytest.mark.parametrize("far", [-0.1, 1.5, math.nan])
def test_a_far_is_a_share(far):
    with pytest.raises(ScoresError, match="target FPR"):
        tar_at_far([1, 0], [1.0, 0.0], [far])
