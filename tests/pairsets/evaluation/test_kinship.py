"""Kinship with a reference: SciPy's rank correlation, the jackknife, planted truths, sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from pairsets import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.kinship import (
    KIN,
    Correlation,
    Kinship,
    Overlap,
    hardest_overlap,
    rank_correlation,
)


def apart(count):
    """Clusters of pairs that share nothing."""
    return Clusters(np.arange(count), np.arange(count, 2 * count), 2 * count)


def test_it_is_scipys_with_any_ties():
    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(-3, 3)), min_size=10, max_size=40))
    def check(rows):
        first, second = np.array(rows, np.float64).T
        assume(len(set(first)) > 1 and len(set(second)) > 1)
        found = rank_correlation(first, second, apart(len(rows)))
        assert found.value == pytest.approx(spearmanr(first, second).statistic, abs=1e-12)
        assert found.low <= found.value <= found.high
        assert found.pairs == len(rows)

    check()


@pytest.mark.parametrize("steps", [None, 2], ids=["no ties", "many ties"])
def test_the_interval_of_pairs_that_share_nothing_is_the_jackknifes(steps):
    generator = np.random.default_rng(5)
    first = generator.standard_normal(400)
    second = first + 1.5 * generator.standard_normal(400)
    if steps is not None:
        first, second = np.round(steps * first), np.round(steps * second)
    found = rank_correlation(first, second, apart(400))
    without = [
        math.atanh(spearmanr(np.delete(first, k), np.delete(second, k)).statistic)
        for k in range(400)
    ]
    error = math.sqrt(399**2 / 400 * np.var(without))
    half = math.atanh(found.high) - math.atanh(found.value)
    assert half == pytest.approx(1.96 * error, rel=0.02)
    assert math.atanh(found.value) - math.atanh(found.low) == pytest.approx(half)


def planted(generator, identities=40, count=400):
    """Scores of two models that err on the same identities, and on the same pairs."""
    own = np.linalg.cholesky([[1.0, 0.5], [0.5, 1.0]]).T
    difficulty = generator.standard_normal((identities, 2)) @ own
    i = generator.integers(0, identities, count)
    j = (i + generator.integers(1, identities, count)) % identities
    scores = difficulty[i] + difficulty[j] + generator.standard_normal((count, 2)) @ own
    return scores.T, Clusters(i, j, identities)


def test_intervals_hold_the_truth_where_pairs_share_identities():
    """All parts are normal with a correlation of 1/2, of which the rank correlation is known."""
    truth = 6 / math.pi * math.asin(0.5 / 2)
    generator = np.random.default_rng(11)
    right = naive = 0
    for _ in range(200):
        (first, second), clusters = planted(generator)
        right += truth in rank_correlation(first, second, clusters).interval
        naive += truth in rank_correlation(first, second, apart(len(first))).interval
    assert 0.9 <= right / 200 <= 0.99
    # Pairs taken for independent are far too sure.
    assert naive / 200 < 0.75


def test_one_order_leaves_no_error_to_see():
    scores = np.arange(12.0)
    assert rank_correlation(scores, 2 * scores, apart(12)).interval.low == 1
    found = rank_correlation(scores, -scores, apart(12))
    assert (found.value, found.low, found.high) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (np.arange(12.0), np.arange(11.0), "expected one a pair"),
        (np.arange(9.0), np.arange(9.0), "expected 10 or more"),
        (np.arange(12.0), np.full(12, -np.inf), "not finite"),
        (np.full(12, 0.5), np.arange(12.0), "all 12 scores are 0.5"),
    ],
    ids=["lengths", "few", "rejected", "constant"],
)
def test_scores_without_ranks_are_refused(first, second, said):
    with pytest.raises(ScoresError, match=said):
        rank_correlation(first, second, apart(len(first)))


def test_the_overlap_is_that_of_sets_whichever_way_round_pairs_stand():
    generator = np.random.default_rng(2)
    every = np.array([(i, j) for i in range(9) for j in range(i)])
    for n in (1, 5, 20, len(every)):
        first, second = (generator.permutation(every)[:n] for _ in range(2))
        found = hardest_overlap(first, second[:, ::-1], 9, len(every))
        common = {tuple(row) for row in first.tolist()} & {tuple(row) for row in second.tolist()}
        assert found.share == len(common) / n
        assert found.chance == n / len(every)


def test_chance_is_what_unrelated_models_have_in_common():
    generator = np.random.default_rng(3)
    every = np.array([(i, j) for i in range(40) for j in range(i)])
    shares = [
        hardest_overlap(*(generator.permutation(every)[:60] for _ in range(2)), 40, 780).share
        for _ in range(300)
    ]
    assert np.mean(shares) == pytest.approx(60 / 780, rel=0.1)


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ([(0, 1)], [(0, 1), (0, 2)], "as many of both"),
        ([], [], "at least one"),
        ([(0, 1), (1, 0)], [(0, 1), (0, 2)], "twice among the hardest"),
        ([(0, 7)], [(0, 1)], "outside 0 to 3"),
    ],
    ids=["numbers", "none", "twice", "range"],
)
def test_hardest_pairs_that_cannot_be_are_refused(first, second, said):
    with pytest.raises(ScoresError, match=said):
        hardest_overlap(first, second, 4, 6)


def test_kin_is_a_correlation_at_the_limit_or_one_network():
    at = Correlation(KIN, KIN - 0.1, KIN + 0.1, 100)
    below = Correlation(KIN - 0.001, KIN - 0.1, KIN + 0.1, 100)
    assert Kinship("A", at).kin
    assert not Kinship("A", below, Overlap(1.0, 5, 10)).kin
    assert Kinship("A", below, same_weights=True).kin
    assert Kinship("A", same_weights=True).kin
    with pytest.raises(ScoresError, match="nothing is known"):
        Kinship("A")
