"""Differences of models on the same pairs: by counting, and how often they are false."""

from __future__ import annotations

from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, norm

from pairsets import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.differences import Difference, differences, holm, letters
from pairsets.evaluation.evaluator import evaluate_arrays

NORMAL = NormalDist()


def world(seed, models, identities=40, negatives=600, own=0.5):
    """Models that find the same pairs hard, by gaps of the two kinds, and each some of its own."""
    generator = np.random.default_rng(seed)
    inside = np.repeat(np.arange(identities), 4)
    first = generator.integers(0, identities, negatives)
    second = (first + generator.integers(1, identities, negatives)) % identities
    a, b = np.r_[inside, first], np.r_[inside, second]
    labels = np.r_[np.ones(inside.size, int), np.zeros(negatives, int)]

    def difficulty(size):
        like = size * generator.standard_normal(identities)
        hard = size * generator.standard_normal(identities)
        return np.where(labels == 1, hard[a], like[a] + like[b])

    shared = difficulty(0.5) + generator.standard_normal(labels.size) / 2
    scores = {
        model: gap * labels + shared + difficulty(own) + generator.standard_normal(labels.size) / 2
        for model, gap in models.items()
    }
    return labels, scores, Clusters(a, b, identities)


def judged(labels, scores, clusters, draws=200, seed=0, target=0.2, **options):
    return evaluate_arrays(labels, scores, clusters, target, draws=draws, seed=seed, **options)


@pytest.fixture(scope="module")
def three():
    labels, scores, clusters = world(1, {"A": 4.0, "B": 2.5, "C": 2.4})
    return labels, scores, clusters, judged(labels, scores, clusters)


@pytest.mark.parametrize("statistic", ["fpr", "eer"])
def test_values_and_counts_by_loops(three, statistic):
    labels, scores, clusters, found = three
    rows = differences(found, clusters, statistic)
    assert [(row.first, row.second) for row in rows] == [("A", "B"), ("A", "C"), ("B", "C")]
    for row in rows:
        rates, right = [], []
        for model in (row.first, row.second):
            evaluation = found[model].evaluation
            rates.append(evaluation.eer if statistic == "eer" else evaluation.fpr_achieved)
            right.append(
                [
                    (score >= evaluation.threshold) == (label == 1)
                    for score, label in zip(scores[model], labels, strict=True)
                ]
            )
        assert row.statistic == statistic
        assert row.value == pytest.approx(rates[0] - rates[1], abs=1e-12)
        verdicts = list(zip(*right, strict=True))
        assert row.only_first == sum(one and not other for one, other in verdicts)
        assert row.only_second == sum(other and not one for one, other in verdicts)
    assert [row.better for row in rows] == ["A", "A", None]
    assert [row.significant for row in rows] == [True, True, False]


@pytest.mark.parametrize("statistic", ["fpr", "eer"])
def test_the_other_way_round_is_the_same_with_the_other_sign(three, statistic):
    _, _, clusters, found = three
    turned = differences(dict(reversed(found.items())), clusters, statistic)
    forth = {(row.first, row.second): row for row in differences(found, clusters, statistic)}
    assert len(turned) == len(forth) == 3
    for row in turned:
        other = forth[row.second, row.first]
        assert row.value == -other.value
        assert (row.low, row.high) == (-other.high, -other.low)
        assert (row.p, row.p_holm, row.better) == (other.p, other.p_holm, other.better)
        assert (row.only_first, row.only_second) == (other.only_second, other.only_first)


@pytest.mark.parametrize("statistic", ["fpr", "eer"])
def test_interval_and_p_value_say_the_same(statistic):
    labels, scores, clusters = world(2, {f"m{k}": 2 + k / 4 for k in range(7)})
    found = judged(labels, scores, clusters)
    rows = differences(found, clusters, statistic)
    assert len(rows) == 21
    told = [row.p < 0.05 for row in rows]
    assert 3 < sum(told) < 18
    assert told == [not row.low <= 0 <= row.high for row in rows]
    for row, narrow in zip(rows, differences(found, clusters, statistic, 0.5), strict=True):
        error = (row.high - row.low) / 2 / norm.ppf(0.975)
        assert row.p == pytest.approx(2 * norm.sf(abs(row.value) / error), abs=1e-9)
        assert narrow.high - narrow.low == pytest.approx(2 * norm.ppf(0.75) * error)
    assert [row.p_holm for row in rows] == pytest.approx(naive_holm([row.p for row in rows]))


def test_the_standard_error_is_that_of_the_difference_of_the_draws(three):
    """On the same draws; brought to size by the influences of the difference."""
    _, _, clusters, found = three
    row = differences(found, clusters, "fpr")[0]
    first, second = (found[model].resampled["fpr@0.2"] for model in "AB")
    drawn = [(x - y - row.value) ** 2 for x, y in zip(first.draws, second.draws, strict=True)]
    influence = first.influence - second.influence
    spread = clusters.spread(influence)
    expected = (sum(drawn) / len(drawn)) ** 0.5 * (spread.variance / spread.resampled) ** 0.5
    assert row.high - row.value == pytest.approx(norm.ppf(0.975) * expected)
    # What is hard for both cancels: the two apart are less certain than their difference.
    apart = [np.mean((one.draws - one.value) ** 2) for one in (first, second)]
    assert np.mean(drawn) < sum(apart)


def test_a_model_does_not_differ_from_itself(three):
    labels, scores, clusters, _ = three
    found = judged(labels, {"one": scores["A"], "again": 2 * scores["A"] + 8}, clusters)
    for statistic in ("fpr", "eer"):
        (row,) = differences(found, clusters, statistic)
        assert (row.value, row.low, row.high) == (0, 0, 0)
        assert (row.p, row.p_holm, row.better) == (1, 1, None)
        assert (row.only_first, row.only_second) == (0, 0)


def test_models_that_always_differ_alike():
    """One without an error, one with nothing else: no draw says otherwise."""
    labels, _, clusters = world(3, {})
    steps = np.arange(labels.size) / 1e4
    found = judged(labels, {"good": labels + steps, "bad": -labels + steps}, clusters)
    (row,) = differences(found, clusters, "fpr")
    assert (row.value, row.p, row.better) == (-1, 0, "good")
    # Of positives both accept the same four fifths.
    assert (row.only_first, row.only_second) == ((labels == 0).sum(), 0)


def test_too_few_draws_with_both_kinds_tell_nothing():
    """All negatives hang on one identity."""
    labels = np.r_[np.ones(60, int), np.zeros(60, int)]
    others = np.arange(1, 61)
    hub = Clusters(np.r_[others, np.zeros(60, int)], np.r_[others, others], 61)
    steps = np.random.default_rng(0).random(120) / 2
    found = judged(labels, {"good": labels + steps, "bad": -labels + steps}, hub)
    (row,) = differences(found, hub, "eer")
    assert row.value == -1
    assert np.isnan([row.low, row.high]).all()
    assert (row.p, row.p_holm, row.better) == (1, 1, None)


def test_what_has_no_differences(three):
    labels, scores, clusters, found = three
    with pytest.raises(ScoresError, match="no differences of 'auc'; there are fpr, eer"):
        differences(found, clusters, "auc")
    bare = evaluate_arrays(labels, scores, clusters, 0.2, draws=0)
    with pytest.raises(ScoresError, match="A: not resampled, so that its differences have no"):
        differences(bare, clusters, "eer")
    assert differences({"A": found["A"]}, clusters, "eer") == ()


def naive_holm(p_values):
    """From the smallest: times those left, never below the one before, never above one."""
    adjusted = [0.0] * len(p_values)
    floor, left = 0.0, len(p_values)
    for at in sorted(range(len(p_values)), key=lambda at: p_values[at]):
        floor = max(floor, min(1.0, p_values[at] * left))
        adjusted[at] = floor
        left -= 1
    return adjusted


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_step_by_step(p_values):
    given_values = np.array(p_values)
    given_values.setflags(write=False)
    assert holm(given_values).tolist() == naive_holm(p_values)


def test_holm_of_a_textbook():
    found = holm([0.01, 0.02, 0.03, 0.005])
    assert found == pytest.approx([0.03, 0.04, 0.04, 0.02])


def told(first, second, p_holm, value=-0.1):
    return Difference("fpr", first, second, value, -0.2, 0.2, p_holm, p_holm, 0, 0)


@st.composite
def findings(draw):
    models = [f"m{k}" for k in range(draw(st.integers(0, 7)))]
    every = list(combinations(models, 2))
    apart = draw(st.lists(st.booleans(), min_size=len(every), max_size=len(every)))
    rows = [told(a, b, 0.001 if one else 0.2) for (a, b), one in zip(every, apart, strict=True)]
    return draw(st.permutations(models)), draw(st.permutations(rows))


@given(findings())
def test_models_share_a_letter_only_if_nothing_tells_them_apart(world):
    models, rows = world
    groups = letters(models, rows)
    assert list(groups) == list(models)
    for row in rows:
        assert bool(set(groups[row.first]) & set(groups[row.second])) is not row.significant
    members = {}
    for model, mine in groups.items():
        assert mine
        assert sorted(mine) == list(mine)
        for letter in mine:
            members.setdefault(letter, set()).add(model)
    # No group within another, and letters in the order of the models.
    assert not any(one < other for one in members.values() for other in members.values())
    assert len({frozenset(one) for one in members.values()}) == len(members)
    assert sorted(members) == [chr(ord("a") + k) for k in range(len(members))]
    places = [
        sorted(models.index(model) for model in members[letter]) for letter in sorted(members)
    ]
    assert places == sorted(places)


def test_more_groups_than_letters():
    models = [f"m{k}" for k in range(54)]
    rows = [told(a, b, 0.001) for a, b in combinations(models, 2)]
    found = letters(models, rows)
    assert [found[f"m{k}"] for k in (0, 25, 26, 51, 52, 53)] == ["a", "z", "A", "Z", "(53)", "(54)"]


def test_the_corrected_p_value_decides():
    assert told("A", "B", 0.049).better == "A"
    assert told("A", "B", 0.049, value=0.1).better == "B"
    assert told("A", "B", 0.05).better is None
    raw = Difference("fpr", "A", "B", -0.1, -0.2, -0.01, 0.01, 0.2, 0, 0)
    assert (raw.significant, raw.better) == (False, None)
    assert letters(["A", "B"], [raw]) == {"A": "a", "B": "a"}


def test_equal_models_are_told_apart_as_seldom_as_promised():
    """Two models as good as each other, on 200 sets of few identities.

    Tests that take pairs for independent find a better one far too often.
    """
    found = {"fpr": 0, "eer": 0}
    mcnemar = z_test = 0
    for replicate in range(200):
        labels, scores, clusters = world([9, replicate], {"A": 2.5, "B": 2.5}, negatives=400, own=1)
        # Other targets would only take time.
        both = judged(labels, scores, clusters, seed=replicate, targets=())
        for statistic in found:
            (row,) = differences(both, clusters, statistic)
            found[statistic] += row.p < 0.05
        negative = labels == 0
        right = [both[model].right[negative] for model in "AB"]
        only = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
        mcnemar += sum(only) > 0 and binomtest(only[0], sum(only)).pvalue < 0.05
        rates = [1 - float(one.mean()) for one in right]
        error = sum(rate * (1 - rate) / negative.sum() for rate in rates) ** 0.5
        z_test += abs(rates[0] - rates[1]) > 1.96 * error
    low, high = binom.ppf([0.005, 0.995], 200, 0.05)
    for statistic, count in found.items():
        assert low <= count <= high, (statistic, count)
    assert mcnemar > 50
    assert z_test > 50


def test_a_better_model_is_found():
    """Where one is better, the data say so, and by about how much."""
    labels, scores, clusters = world(31, {"A": 3.0, "B": 2.0}, identities=150, negatives=3000)
    found = judged(labels, scores, clusters)
    for statistic in ("fpr", "eer"):
        (row,) = differences(found, clusters, statistic)
        assert row.better == "A"
        assert row.low < row.value < row.high < 0
    narrow, wide = (0.5**2 * 2 + 0.5) ** 0.5, (0.5**2 * 4 + 0.5) ** 0.5
    truth = [NORMAL.cdf(-gap / (narrow + wide)) for gap in (3.0, 2.0)]
    assert row.low < truth[0] - truth[1] < row.high


@pytest.mark.parametrize("statistic", ["fpr", "eer"])
def test_models_without_an_error_are_no_surer_than_wilson_says(statistic):
    """Fourteen negatives that one model gets right and the other wrong: all draws agree."""
    size = 14
    labels = np.repeat([1, 0], size)
    clusters = Clusters(np.arange(2 * size), np.r_[:size, 2 * size : 3 * size], 3 * size)
    own = np.arange(size) / 100
    good, bad = (np.r_[own + 5, own + far] for far in (0, 9))
    found = judged(labels, {"good": good, "bad": bad, "same": good}, clusters)
    rows = {(row.first, row.second): row for row in differences(found, clusters, statistic)}
    equal, far = rows["good", "same"], rows["good", "bad"]
    # Wilson's interval of 0 of 14 reaches to 0.215; two of them, in quadrature.
    assert (equal.value, equal.p) == (0, 1)
    assert equal.high == -equal.low == pytest.approx(0.215 / 2**0.5, abs=1e-3)
    assert (far.value, far.low) == (-1, -1)
    assert far.high == pytest.approx(0.215 / 2**0.5 - 1, abs=1e-3)
