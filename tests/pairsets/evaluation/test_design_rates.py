"""Rates from a sample of known probabilities: the textbook's, and those of a census."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.design_rates import DesignCurve, design_rate
from pairsets.evaluation.intervals import deviate, student, wilson
from pairsets.evaluation.rates import equal_error, fnr_at_fpr, roc

GENERATOR = np.random.default_rng(5)


def test_a_simple_random_sample_has_the_variance_of_the_textbook():
    population, m, k = 5000, 400, 60
    wrong = np.arange(m) < k
    found = design_rate(wrong, np.full(m, m / population), np.zeros(m, int), [population])
    share = k / m
    assert found.value == pytest.approx(share)
    variance = (1 - m / population) * share * (1 - share) / (m - 1)
    variance *= (student(0.95, k) / deviate(0.95)) ** 2
    expected = wilson(share, share * (1 - share) / variance)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert (found.effective, found.errors, found.count) == (pytest.approx(k), k, m)
    assert found.heaviest == pytest.approx(1 / k)


def test_strata_add_up_by_their_sizes():
    sizes, sampled, errors = [100, 1000, 20000], [100, 200, 300], [80, 40, 30]
    stratum = np.repeat(np.arange(3), sampled)
    wrong = np.concatenate([np.arange(m) < k for m, k in zip(sampled, errors, strict=True)])
    chance = np.repeat(np.array(sampled) / sizes, sampled)
    found = design_rate(wrong, chance, stratum, sizes)
    shares = np.array(errors) / sampled
    assert found.value == pytest.approx((shares * sizes).sum() / sum(sizes))
    parts = [
        (size / sum(sizes)) ** 2 * (1 - m / size) * p * (1 - p) / (m - 1)
        for size, m, p in zip(sizes[1:], sampled[1:], shares[1:], strict=True)
    ]
    weights = np.array(sizes[1:]) / sampled[1:]
    # Residuals are taken of the rate of all, not of the stratum.
    each = np.repeat((1 - 1 / weights) * weights**2, errors[1:])
    variance = sum(parts) * (student(0.95, each.sum() ** 2 / (each**2).sum()) / deviate(0.95)) ** 2
    expected = wilson(found.value, found.value * (1 - found.value) / variance)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_census_is_certain():
    wrong = np.arange(40) < 12
    found = design_rate(wrong, np.ones(40), np.zeros(40, int), [40])
    assert found.value == 0.3
    # It is that of these pairs; of others it is not known so well.
    assert found.high - found.low <= wilson(0.3, 40).high - wilson(0.3, 40).low


def test_pairs_that_do_not_count_leave_with_their_weight():
    chance = np.array([1.0, 0.5, 0.1, 0.1])
    wrong, stratum = np.array([True, True, True, False]), np.array([0, 1, 2, 2])
    found = design_rate(wrong, chance, stratum, [1, 2, 20], counted=[True, False, True, True])
    assert found.value == pytest.approx(11 / 21)
    assert (found.errors, found.count) == (2, 3)


def test_one_pair_that_carries_an_estimate_is_told():
    found = design_rate([1, 1, 0], [1.0, 0.01, 0.01], [0, 1, 1], [1, 200])
    assert found.heaviest == pytest.approx(100 / 101)
    assert not found.resolvable


def test_no_error_is_not_certain():
    m = 300
    found = design_rate(np.zeros(m), np.full(m, 0.01), np.zeros(m, int), [30_000])
    assert found.value == found.low == 0
    assert found.high >= 3 / m
    assert (found.effective, found.heaviest, found.resolvable) == (0, 0, False)


def test_errors_among_whole_strata_alone_allow_for_unseen_ones():
    chance = np.r_[np.ones(50), np.full(100, 0.01)]
    found = design_rate(np.arange(150) < 50, chance, np.r_[np.zeros(50, int), np.ones(100, int)],
                        [50, 10_000])  # fmt: skip
    assert found.resolvable
    assert found.high >= (50 + 3 * 100) / 10_050


def test_shared_identities_widen_the_second_interval():
    m, ids = 400, 20
    a, b = GENERATOR.integers(0, ids, m), GENERATOR.integers(0, ids, m) + ids
    wrong = (a < 4) & (b < ids + 10)
    chance, stratum = np.full(m, 0.1), np.zeros(m, int)
    ends = Clusters(a, b, 2 * ids)
    found = design_rate(wrong, chance, stratum, [4000], ends)
    assert found.wider.low < found.low < found.high < found.wider.high
    alone = design_rate(wrong, chance, stratum, [4000])
    assert (alone.low, alone.high) == (found.low, found.high)
    assert np.isnan(alone.wider.low)


@pytest.mark.parametrize(
    ("chance", "stratum", "told"),
    [
        ([0.5, 0.0], [0, 0], "pair 2 has a probability of 0"),
        ([0.5, 1.5], [0, 0], "1.5"),
        ([np.nan, 0.5], [0, 0], "pair 1 has a probability of nan"),
        ([0.5, 0.5], [0, 1], "populations"),
        ([0.5, 0.5], [0, -1], "populations"),
        ([0.5], [0, 0], "shapes"),
    ],
)
def test_what_is_no_sample_is_refused(chance, stratum, told):
    with pytest.raises(ScoresError, match=told):
        design_rate([1, 0], chance, stratum, [4])


def test_clusters_of_other_pairs_are_refused():
    with pytest.raises(ScoresError, match="clusters of 1"):
        design_rate([1, 0], [0.5, 0.5], [0, 0], [4], Clusters(np.array([0]), np.array([1]), 2))


scores = st.lists(st.integers(0, 6), min_size=1, max_size=12)


@given(scores, scores, st.data())
def test_rates_are_those_of_a_census_in_which_each_pair_stands_for_itself(high, low, data):
    """Pairs of weight 2 and 4 are as good as so many pairs."""
    weights = np.array(data.draw(st.lists(st.sampled_from([1, 2, 4]), min_size=len(low),
                                          max_size=len(low))))  # fmt: skip
    values = np.array(low, np.float64)
    positives = np.array(high, np.float64)
    curve = DesignCurve(
        positives,
        values,
        1 / weights,
        np.zeros(len(low), np.int64),
        np.array([int(weights.sum())]),
        np.ones(len(low), bool),
    )
    whole = np.repeat(values, weights)
    labels = np.r_[np.ones(positives.size), np.zeros(whole.size)]
    plain = roc(labels, np.r_[positives, whole])
    assert curve.equal_error() == pytest.approx(equal_error(plain)[0])
    for target in (0.0, 0.1, 0.25, 0.5, 1.0):
        expected = fnr_at_fpr(plain, target)
        found = curve.fnr_at_fpr(target)
        assert found.fnr == pytest.approx(expected.fnr)
        assert found.interval.low <= found.fnr <= found.interval.high
        if np.isfinite(expected.threshold):
            assert found.threshold == expected.threshold
    for cut in (1, 3):
        assert curve.fpr(values >= cut).value == pytest.approx((whole >= cut).mean())
