"""Intervals of shares of dependent pairs: SciPy's, plain loops, and the published sets."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm
from scipy.stats import t as student_t

from pairsets import PairSet, ScoresError, human_rates
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import Interval, clustered_rate, deviate, student, wilson


@given(st.integers(1, 400), st.data(), st.sampled_from([0.8, 0.95, 0.999]))
def test_wilson_equals_scipy(count, data, confidence):
    errors = data.draw(st.integers(0, count))
    expected = binomtest(errors, count).proportion_ci(confidence, method="wilson")
    found = wilson(errors / count, count, confidence)
    assert found.low == pytest.approx(expected.low, abs=1e-12)
    assert found.high == pytest.approx(expected.high, abs=1e-12)
    assert errors / count in found


@given(st.floats(0.5, 500), st.one_of(st.floats(1e-6, 1 - 1e-6), st.sampled_from([0.0, 1.0])))
def test_wilson_of_a_number_of_pairs_that_is_not_whole(count, share):
    """Its ends are the shares from which `share` is just one deviate away."""
    found = wilson(share, count)
    for end in (found.low, found.high):
        away = abs(share - end)
        assert away == pytest.approx(norm.ppf(0.975) * math.sqrt(end * (1 - end) / count), abs=1e-7)
    assert 0 <= found.low <= share <= found.high <= 1


def test_deviates():
    for confidence in (0.5, 0.9, 0.95, 0.99):
        assert deviate(confidence) == pytest.approx(norm.ppf((1 + confidence) / 2), abs=1e-12)


@pytest.mark.parametrize("confidence", [0, 1, -0.5, 95, float("nan")])
def test_bad_confidence(confidence):
    with pytest.raises(ScoresError, match=r"a confidence of .*; expected a share such as 0\.95"):
        wilson(0.5, 10, confidence)


@pytest.mark.parametrize(("share", "count"), [(1.5, 3), (-0.1, 3), (0.5, 0), (math.nan, 3)])
def test_shares_without_an_interval(share, count):
    with pytest.raises(ScoresError, match=f"a share of {share} of {count} trials has no interval"):
        wilson(share, count)


def test_what_an_interval_holds():
    assert [value in Interval(0.25, 0.5) for value in (0.2, 0.25, 0.3, 0.5, 0.6)] == [
        False,
        True,
        True,
        True,
        False,
    ]


@st.composite
def decisions(draw):
    ends = st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans())
    rows = draw(st.lists(ends, min_size=1, max_size=30))
    return tuple(np.array([row[k] for row in rows]) for k in range(3))


@given(decisions())
def test_clustered_rate_by_loops(world):
    a, b, wrong = world
    found = clustered_rate(wrong, Clusters(a, b, 6))
    count, errors = len(wrong), sum(map(int, wrong))
    share = errors / count
    effective = float(count)
    if 0 < errors < count:
        same, shared = 0.0, 0.0
        for p in range(count):
            for q in range(count):
                product = (wrong[p] - share) * (wrong[q] - share)
                if {a[p], b[p]} == {a[q], b[q]}:
                    same += product
                elif {a[p], b[p]} & {a[q], b[q]}:
                    shared += product
        variance = (same + max(shared, 0.0)) / count**2
        if variance > 1e-9:
            effective = min(share * (1 - share) / variance, effective)
    assert (found.value, found.errors, found.count) == (share, errors, count)
    assert found.effective == pytest.approx(effective, rel=1e-6)
    assert found.design_effect == pytest.approx(count / effective, rel=1e-6)
    expected = wilson(share, effective)
    assert found.low == pytest.approx(expected.low, abs=1e-7)
    assert found.high == pytest.approx(expected.high, abs=1e-7)
    assert found.interval == Interval(found.low, found.high)


def test_pairs_of_their_own_identities_are_worth_what_they_are():
    wrong = np.arange(50) % 5 == 0
    alone = Clusters(np.arange(50), np.arange(50, 100), 100)
    found = clustered_rate(wrong, alone)
    expected = binomtest(10, 50).proportion_ci(method="wilson")
    assert (found.effective, found.design_effect) == (50, 1)
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))
    # The same decisions, five pairs an identity that is always right or always wrong.
    together = Clusters(np.repeat(np.arange(10), 5), np.repeat(np.arange(10), 5), 10)
    fewer = clustered_rate(np.repeat(np.arange(10) < 2, 5), together)
    assert (fewer.value, fewer.effective) == (0.2, pytest.approx(10))
    assert fewer.design_effect == pytest.approx(5)
    assert fewer.interval == wilson(0.2, fewer.effective)
    assert clustered_rate(wrong, alone, 0.5).high < found.high


def test_no_errors_and_nothing_but_errors():
    clusters = Clusters(np.zeros(30, int), np.arange(30), 30)
    none, every = clustered_rate(np.zeros(30), clusters), clustered_rate(np.ones(30), clusters)
    assert (none.value, none.low, none.effective) == (0, 0, 30)
    assert (every.value, every.high, every.effective) == (1, 1, 30)
    assert none.high == pytest.approx(1.96**2 / (30 + 1.96**2), abs=1e-4)
    assert every.low == pytest.approx(1 - none.high)


def test_no_pairs_have_no_rate():
    found = clustered_rate([], Clusters(np.array([], int), np.array([], int), 3))
    assert (found.errors, found.count, found.effective) == (0, 0, 0.0)
    assert all(map(math.isnan, (found.value, found.low, found.high, found.design_effect)))
    with pytest.raises(ScoresError, match=r"\(2,\) decisions for 0 pairs"):
        clustered_rate([True, False], Clusters(np.array([], int), np.array([], int), 3))


def test_the_person_on_the_published_sets(real_data):
    """The values of Fogliato et al.'s formulas on ZACI-20's human judgements."""
    hard = human_rates(PairSet.read(real_data / "zaci20" / "zaci20_test_pairs_adversarial.csv"))
    easy = human_rates(PairSet.read(real_data / "zaci20" / "zaci20_test_pairs.csv"))

    def rounded(rate):
        return tuple(round(value, 4) for value in (rate.value, rate.low, rate.high))

    assert rounded(hard.fpr_rate) == (0.1361, 0.0990, 0.1841)
    assert rounded(hard.fnr_rate) == (0.1690, 0.1453, 0.1957)
    assert rounded(easy.fpr_rate) == (0.0159, 0.0097, 0.0261)
    assert round(hard.fpr_rate.design_effect, 2) == 11.96
    assert round(easy.fpr_rate.design_effect, 2) == 1.00
    assert (hard.negatives, hard.positives, hard.unjudged) == (2991, 852, 0)


@pytest.mark.parametrize("degrees", [3, 4, 7.5, 20, 300])
@pytest.mark.parametrize(("confidence", "error"), [(0.9, 1e-3), (0.95, 2e-3), (0.99, 1e-2)])
def test_students_deviate(confidence, error, degrees):
    truth = student_t.isf((1 - confidence) / 2, degrees)
    assert student(confidence, degrees) == pytest.approx(truth, rel=error)
    assert student(confidence, degrees) > deviate(confidence) == student(confidence, math.inf)
    assert student(confidence, 0.5) == student(confidence, 3)
