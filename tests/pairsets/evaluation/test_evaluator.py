"""Evaluations by counting, in any order of rows; intervals against planted truths."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from support.rates import rates_at

from pairsets import PairSet, ScoresError, evaluate
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.evaluator import TARGETS, evaluate_all, evaluate_arrays
from pairsets.evaluation.intervals import clustered_rate, wilson
from pairsets.evaluation.missing_scores import REMEDIES
from pairsets.evaluation.rates import (
    area_under,
    equal_error,
    fnr_at_fpr_interpolated,
    fpr_at_fnr,
    fpr_at_fnr_interpolated,
    roc,
    sensitivity_index,
)

NORMAL = NormalDist()
INTERVALS = ("fpr_interpolated", "fpr_achieved", "eer", "auc", "dprime")


def set_of(seed, identities=40, positives=120, negatives=500, invalid=0.0):
    """Pairs of identities with ugly names, and scores with ties."""
    generator = np.random.default_rng(seed)
    names = [f"{'橘 ' * (k % 2)}b & {k}" for k in range(identities)]
    found = {}
    while len(found) < positives:
        k, one, other = *generator.integers(0, identities, 1), *generator.integers(0, 9, 2)
        if one != other:
            found.setdefault(frozenset([f"{names[k]}/{one}", f"{names[k]}/{other}"]), 1)
    while len(found) < positives + negatives:
        i, j = generator.choice(identities, 2, replace=False)
        one, other = generator.integers(0, 9, 2)
        found.setdefault(frozenset([f"{names[i]}/{one}", f"{names[j]}/{other}"]), 0)
    ends = [sorted(pair) for pair in found]
    label = np.array(list(found.values()))
    out = generator.random(label.size) < invalid
    pairs = PairSet.of([a for a, _ in ends], [b for _, b in ends], label, -1, out.astype(int))
    hard = generator.standard_normal(identities)
    place = {name: k for k, name in enumerate(names)}
    levels = [hard[place[a.split("/")[0]]] + hard[place[b.split("/")[0]]] for a, b in ends]
    scores = 2.5 * label + np.where(label == 0, levels, 0) + generator.standard_normal(label.size)
    # Eighths: ties, and sums that are exact.
    return pairs, np.round(scores * 8) / 8


def near(one, other, tolerance=1e-9):
    """Two records with the same numbers."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, float):
            value = pytest.approx(value, abs=tolerance, rel=tolerance)
        assert other[name] == value, name


@pytest.fixture(scope="module")
def world():
    return set_of(1, invalid=0.1)


def test_the_main_numbers_are_those_of_the_valid_rows(world):
    pairs, scores = world
    dirty = scores.copy()
    dirty[~pairs.valid] = np.nan
    dirty.setflags(write=False)
    found = evaluate(pairs, dirty, 0.2, draws=0)
    labels, values = pairs.label[pairs.valid], scores[pairs.valid]
    curve = roc(labels, values)
    point = fpr_at_fnr(curve, 0.2)
    assert (found.threshold, found.fpr_achieved, found.fnr_achieved) == (
        point.threshold,
        point.fpr,
        point.fnr,
    )
    assert found.fpr_interpolated == fpr_at_fnr_interpolated(curve, 0.2)
    assert (found.eer, found.eer_threshold) == equal_error(curve)
    assert (found.auc, found.dprime) == (area_under(curve), sensitivity_index(labels, values))
    assert (found.positives, found.negatives) == (labels.sum(), (labels == 0).sum())
    assert (found.invalid, found.target_fnr) == ((~pairs.valid).sum(), 0.2)
    ends = Clusters.of(pairs).take(pairs.valid)
    accepted = values >= point.threshold
    for rate, rows, wrong in (
        (found.fpr_rate, labels == 0, accepted),
        (found.fnr_rate, labels == 1, ~accepted),
    ):
        assert rate == clustered_rate(wrong[rows], ends.take(rows))
    names = {
        path.split("/")[0]
        for row in np.flatnonzero(pairs.valid)
        for path in (pairs.path_a[row], pairs.path_b[row])
    }
    assert found.clusters == len(names)


def test_without_draws_there_is_what_has_a_closed_form(world):
    pairs, scores = world
    none, some = evaluate(pairs, scores, 0.2, draws=0), evaluate(pairs, scores, 0.2, draws=100)
    assert none.intervals == {}
    assert all(point.interval is None for point in none.points)
    assert set(some.intervals) == set(INTERVALS)
    assert none == replace(
        some, intervals={}, points=[replace(point, interval=None) for point in some.points]
    )
    assert none.fpr_rate.low < none.fpr_rate.value < none.fpr_rate.high
    assert evaluate_all(pairs, {"m": scores}, 0.2, draws=0)["m"].resampled == {}
    assert evaluate_all(pairs, {}, 0.2) == {}
    with pytest.raises(ScoresError, match="50 bootstrap draws; expected 100 or more"):
        evaluate(pairs, scores, draws=50)


@pytest.mark.parametrize("clusters", ["identity", "image"])
def test_the_order_of_rows_and_of_ends_changes_nothing(world, clusters):
    pairs, scores = world
    order = np.random.default_rng(5).permutation(len(pairs))
    turned = PairSet.of(
        *(pairs.path_b, pairs.path_a), pairs.label, pairs.human_prediction, pairs.invalid
    )
    found = evaluate(pairs, scores, 0.2, clusters=clusters, draws=120, seed=4).record()
    for other, values in ((pairs.take(order), scores[order]), (turned, scores)):
        again = evaluate(other, values, 0.2, clusters=clusters, draws=120, seed=4)
        near(again.record(), found)
    other = evaluate(pairs, scores, 0.2, clusters=clusters, draws=120, seed=5).record()
    assert other["eer_low"] != found["eer_low"]


def test_invalid_rows_do_not_change_a_digit(world):
    """Not even their identities: those that stand in no valid row are not drawn."""
    pairs, scores = world
    strangers = PairSet.of(
        [*pairs.path_a, "a stranger/1"],
        [*pairs.path_b, "another/1"],
        [*pairs.label, 0],
        -1,
        [*pairs.invalid, 1],
    )
    found = evaluate(strangers, [*scores, math.inf], 0.2, draws=100)
    alone = evaluate(pairs.take(pairs.valid), scores[pairs.valid], 0.2, draws=100)
    assert found == replace(alone, invalid=found.invalid)
    assert found.invalid == (~pairs.valid).sum() + 1


def test_images_are_other_clusters_than_identities(world):
    pairs, scores = world
    by_identity = evaluate(pairs, scores, 0.2, draws=100)
    by_image = evaluate(pairs, scores, 0.2, clusters="image", draws=100)
    assert by_image.clusters == len(pairs.take(pairs.valid).paths) > by_identity.clusters
    assert by_image.eer == by_identity.eer
    widths = [
        found.intervals["fpr_achieved"].high - found.intervals["fpr_achieved"].low
        for found in (by_image, by_identity)
    ]
    assert widths[0] < widths[1]
    with pytest.raises(ScoresError, match="clusters by 'folder'"):
        evaluate(pairs, scores, clusters="folder")


@pytest.mark.parametrize(("factor", "shift"), [(2.0, 0.0), (1.0, 4.0), (0.5, -3.0)])
def test_other_units_of_the_score_leave_rates_and_intervals(world, factor, shift):
    pairs, scores = world
    found = evaluate(pairs, scores, 0.2, draws=100).record()
    other = evaluate(pairs, factor * scores + shift, 0.2, draws=100).record()
    for name in ("threshold", "eer_threshold"):
        assert other.pop(name) == factor * found.pop(name) + shift
    near(other, found)


def test_points_by_counting():
    pairs, scores = set_of(2, positives=40, negatives=1000)
    found = evaluate(pairs, scores, 0.2, draws=200)
    positives, negatives = scores[pairs.label == 1], scores[pairs.label == 0]
    curve = roc(pairs.label, scores)
    assert [(point.fixed, point.target) for point in found.points] == [
        (fixed, target) for fixed in ("fnr", "fpr") for target in TARGETS
    ]
    candidates = sorted({math.inf, *scores.tolist()}, reverse=True)
    for point in found.points:
        if point.fixed == "fnr":
            threshold = next(t for t in candidates if (positives < t).mean() <= point.target)
            assert point.value == point.fpr
            assert point.interpolated == fpr_at_fnr_interpolated(curve, point.target)
        else:
            threshold = [t for t in candidates if (negatives >= t).mean() <= point.target][-1]
            assert point.value == point.fnr
            assert point.interpolated == fnr_at_fpr_interpolated(curve, point.target)
        assert point.threshold == threshold
        assert point.fpr == (negatives >= threshold).mean()
        assert point.fnr == (positives < threshold).mean()
    # 1/40 is more than a hundredth and 1/1000 just a thousandth; draws see a quarter of that.
    assert [point.resolvable for point in found.points] == [
        *(True, False, False, False),
        *(True, True, True, False),
    ]
    assert [point.interval is not None for point in found.points] == [
        *(True, False, False, False),
        *(True, True, False, False),
    ]
    for point in found.points:
        assert point.interval is None or 0 <= point.interval.low <= point.interval.high <= 1


def test_targets_that_nothing_reaches():
    """Positives and negatives at the same two scores: no threshold has an FPR between."""
    pairs, _ = set_of(3, positives=60, negatives=60)
    scores = np.where(np.arange(120) % 60 < 30, 1.0, 2.0)
    found = evaluate(pairs, scores, 0.4, draws=100)
    assert (found.fpr_achieved, found.fnr_achieved, found.threshold) == (1.0, 0.0, 1.0)
    points = {(point.fixed, point.target): point for point in found.points}
    low = points["fpr", 0.1]
    assert (low.threshold, low.fpr, low.fnr) == (math.inf, 0.0, 1.0)
    assert low.interpolated == pytest.approx(0.9)
    high = points["fnr", 0.1]
    assert (high.threshold, high.fpr, high.fnr) == (1.0, 1.0, 0.0)


def test_the_extreme_targets(world):
    pairs, scores = world
    labels, values = pairs.label[pairs.valid], scores[pairs.valid]
    none = evaluate(pairs, scores, 1.0, draws=100)
    assert (none.threshold, none.fpr_achieved, none.fnr_achieved) == (math.inf, 0.0, 1.0)
    assert none.fpr_rate.errors == 0
    assert none.fnr_rate.errors == none.positives
    assert none.record()["threshold"] is None
    every = evaluate(pairs, scores, 0, draws=100)
    assert every.threshold == values[labels == 1].min()
    assert (every.target_fnr, every.fnr_achieved) == (0.0, 0.0)
    assert every.fpr_achieved == (values[labels == 0] >= every.threshold).mean()
    assert json.loads(json.dumps(every.record(), allow_nan=False))["target_fnr"] == 0.0


def test_a_model_without_errors_is_not_certain():
    """All draws agree that it makes none; so few pairs cannot promise that."""
    pairs, _ = set_of(4, positives=60, negatives=200)
    found = evaluate(pairs, pairs.label + 0.0 + np.arange(260) / 1e4, 0.1, draws=200)
    assert (found.fpr_achieved, found.eer, found.auc) == (0.0, 0.0, 1.0)
    assert found.intervals["fpr_achieved"] == found.fpr_rate.interval == wilson(0, 200)
    assert found.intervals["eer"] == wilson(0, 60)
    assert found.intervals["auc"] == wilson(1, 60)
    backwards = evaluate(pairs, -pairs.label + np.arange(260) / 1e4, 0.1, draws=200)
    assert backwards.intervals["fpr_achieved"] == wilson(1, 200)
    assert backwards.intervals["eer"] == wilson(1, 60)
    low = {(p.fixed, p.target): p for p in backwards.points}["fpr", 0.1]
    assert (low.fnr, low.interval) == (1.0, wilson(1, 60))


def test_each_interval_stands_about_its_own_value():
    """The interpolated rate has the deviations of the achieved one, about itself."""
    pairs, scores = set_of(9, positives=60)
    one = evaluate_all(pairs, {"m": scores}, 0.25 - 1e-3, draws=200)["m"]
    found, drawn = one.evaluation, one.resampled[f"fpr@{0.25 - 1e-3!r}"].interval()
    assert abs(found.fpr_interpolated - found.fpr_achieved) > 1e-3
    for value, name in (
        (found.fpr_achieved, "fpr_achieved"),
        (found.fpr_interpolated, "fpr_interpolated"),
    ):
        interval = found.intervals[name]
        assert interval.low - value == pytest.approx(drawn.low - found.fpr_achieved)
        assert interval.high - value == pytest.approx(drawn.high - found.fpr_achieved)


def test_intervals_of_shares_end_where_shares_do():
    """The line between two thresholds lies below the rate achieved, which may halve in a draw."""
    pairs, _ = set_of(4, positives=60, negatives=200)
    scores = np.r_[np.full(50, 2.0), np.ones(9), np.full(197, -1.0), np.ones(4)]
    one = evaluate_all(pairs, {"m": scores}, 0.1, clusters="image", draws=200)["m"]
    found, drawn = one.evaluation, one.resampled["fpr@0.1"]
    assert (found.fpr_achieved, found.fpr_interpolated) == (0.02, pytest.approx(0.02 * 4 / 9))
    assert drawn.around(found.fpr_interpolated).low < 0
    assert found.intervals["fpr_interpolated"].low == 0
    # Or far above it, where several thresholds have one FNR.
    scores = np.r_[np.full(50, 2.0), np.ones(110), np.full(100, -1.0)]
    one = evaluate_all(pairs, {"m": scores}, 0.01, clusters="image", draws=200)["m"]
    found, drawn = one.evaluation, one.resampled["fpr@0.01"]
    assert (found.fpr_achieved, found.fpr_interpolated) == (0.5, pytest.approx(0.94))
    assert drawn.around(found.fpr_interpolated).high > 1
    assert found.intervals["fpr_interpolated"].high == 1


def test_a_threshold_is_carried_to_another_set():
    easy, easy_scores = set_of(5)
    hard, hard_scores = set_of(6, invalid=0.2)
    threshold = evaluate(easy, easy_scores, 0.2, draws=0).threshold
    other = hard_scores + 0.25
    judged = evaluate_all(
        hard,
        {"one": hard_scores, "two": other, "three": other},
        0.1,
        draws=0,
        carried={"one": (threshold, "random"), "two": (math.inf, "none pass")},
    )
    found = judged["one"].evaluation.carried
    labels, values = hard.label[hard.valid], hard_scores[hard.valid]
    point = rates_at(labels, values, threshold)
    assert (found.threshold, found.source) == (threshold, "random")
    assert (found.fpr.value, found.fnr.value) == (point.fpr, point.fnr)
    ends = Clusters.of(hard).take(hard.valid)
    assert found.fpr == clustered_rate((values >= threshold)[labels == 0], ends.take(labels == 0))
    assert found.fnr == clustered_rate((values < threshold)[labels == 1], ends.take(labels == 1))
    two = judged["two"].evaluation
    assert (two.carried.fpr.value, two.carried.fnr.value) == (0.0, 1.0)
    assert two.record()["carried_threshold"] is None
    assert judged["one"].evaluation.record()["carried_fpr_low"] == found.fpr.low
    assert judged["three"].evaluation.carried is None
    assert "carried_fpr" not in judged["three"].evaluation.record()


def test_verdicts_are_those_at_the_threshold(world):
    pairs, scores = world
    judged = evaluate_all(pairs, {"m": scores, "less": -scores}, 0.2, draws=0)
    for model, values in (("m", scores), ("less", -scores)):
        threshold = judged[model].evaluation.threshold
        rows = np.flatnonzero(pairs.valid)
        expected = [(values[row] >= threshold) == (pairs.label[row] == 1) for row in rows]
        assert judged[model].right.tolist() == expected


def test_a_record_is_flat_and_says_only_what_is_known():
    pairs, scores = set_of(7, positives=60, negatives=1000)
    found = evaluate(pairs, scores, 0.2, draws=100)
    record = found.record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    interval = found.intervals["fpr_interpolated"]
    assert (record["fpr_interpolated_low"], record["fpr_interpolated_high"]) == (
        interval.low,
        interval.high,
    )
    assert record["fpr_design_effect"] == found.fpr_rate.design_effect
    assert record["fnr_effective_pairs"] == found.fnr_rate.effective
    assert record["fpr_at_threshold_high"] == found.fpr_rate.high
    points = {(point.fixed, point.target): point for point in found.points}
    assert record["fpr_at_fnr_0.1"] == points["fnr", 0.1].fpr
    assert record["fnr_at_fpr_0.01_interpolated"] == points["fpr", 0.01].interpolated
    assert record["fnr_at_fpr_0.01_low"] == points["fpr", 0.01].interval.low
    assert record["fnr_at_fpr_0.001"] == points["fpr", 0.001].fnr
    assert record["fnr_at_fpr_0.001_high"] is None
    assert record["fpr_at_fnr_0.01"] is None
    assert record["fnr_at_fpr_0.0001_interpolated"] is None


PAIRS = PairSet.of(
    ["a/0", "b & c/1", "a/2", "d/0"], ["a/1", "b & c/2", "b & c/3", "a/3"], [1, 1, 0, 0]
)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0, 2.0], "m: scores of shape (2,) for 4 pairs"),
        (np.ones((4, 2)), "m: scores of shape (4, 2) for 4 pairs"),
        (
            [1, math.nan, 2, -math.inf],
            "m: 2 scores are not finite, the first of pair 2 (b & c/1, b & c/2): nan. " + REMEDIES,
        ),
        (
            [0.25] * 4,
            "m: all 4 scores are 0.25, so that no threshold tells any two pairs apart; is it the "
            "right column, or a model that maps all faces to one point?",
        ),
        (
            ["high", 1, 2, 3],
            "m: scores that are not one number a pair: could not convert string to float: 'high'",
        ),
    ],
)
def test_bad_scores(scores, message):
    with pytest.raises(ScoresError) as caught:
        evaluate_all(PAIRS, {"good": [4, 3, 2, 1], "m": scores}, 0.1)
    assert str(caught.value) == message
    with pytest.raises(ScoresError) as caught:
        evaluate(PAIRS, scores, 0.1)
    assert str(caught.value) == message.removeprefix("m: ")


def test_one_kind_of_pairs():
    marked = PairSet.of(PAIRS.path_a, PAIRS.path_b, PAIRS.label, -1, [0, 0, 1, 1])
    with pytest.raises(ScoresError) as caught:
        evaluate_all(marked, {"m": [4, 3, 2, 1]}, 0.1)
    assert str(caught.value) == (
        "m: 2 pairs and no negative one; rates need both classes (after 2 invalid pairs were left "
        "out)"
    )
    with pytest.raises(ScoresError, match=r"^m: 2 pairs and no positive one; rates need both"):
        evaluate_all(PAIRS.take(PAIRS.negatives), {"m": [1, 2]}, 0.1)
    nothing = PairSet.of(PAIRS.path_a, PAIRS.path_b, PAIRS.label, -1, 1)
    with pytest.raises(ScoresError, match=r"^0 pairs and no .* 4 invalid pairs were left out"):
        evaluate(nothing, [1, 2, 3, 4], 0.1)


def test_arrays_in():
    pairs, scores = set_of(8)
    ends = Clusters.of(pairs)
    found = evaluate_arrays(pairs.label, {"m": scores}, ends, np.float64(0.1), draws=100)["m"]
    assert found.evaluation == evaluate(pairs, scores, 0.1, draws=100)
    narrow = evaluate_arrays(pairs.label, {"m": scores}, ends, 0.1, draws=100, confidence=0.5)[
        "m"
    ].evaluation
    for name in INTERVALS:
        inner, outer = narrow.intervals[name], found.evaluation.intervals[name]
        assert outer.low < inner.low < inner.high < outer.high
    assert narrow.fpr_rate.high < found.evaluation.fpr_rate.high
    with pytest.raises(ScoresError, match=r"clusters of 620 pairs for labels of shape \(619,\)"):
        evaluate_arrays(pairs.label[1:], {"m": scores[1:]}, ends, 0.1)
    with pytest.raises(ScoresError, match=r"a target FNR of 13\.9"):
        evaluate_arrays(pairs.label, {"m": scores}, ends, 13.9, draws=0)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Planted characters that are like many, or hard to recognise: normal, so all is known.

    Intervals of pairs taken as independent do not.
    """
    like, hard, apart, target, threshold = 0.8, 1.0, 2.5, 0.2, 1.5
    wide, narrow = (2 * like**2 + 1) ** 0.5, (hard**2 + 1) ** 0.5
    truth = {
        "fpr_at": 1 - NORMAL.cdf(threshold / wide),
        "fpr_achieved": 1 - NORMAL.cdf((apart + narrow * NORMAL.inv_cdf(target)) / wide),
        "eer": NORMAL.cdf(-apart / (wide + narrow)),
        "auc": NORMAL.cdf(apart / (wide**2 + narrow**2) ** 0.5),
    }
    held = {name: [] for name in truth}
    naive = {name: [] for name in truth}
    identities, inside = 80, np.repeat(np.arange(80), 5)
    labels = np.r_[np.ones(inside.size, int), np.zeros(800, int)]
    for replicate in range(160):
        generator = np.random.default_rng([5, replicate])
        first = generator.integers(0, identities, 800)
        second = (first + generator.integers(1, identities, 800)) % identities
        u = like * generator.standard_normal(identities)
        v = hard * generator.standard_normal(identities)
        scores = np.r_[apart + v[inside], u[first] + u[second]]
        scores = scores + generator.standard_normal(scores.size)
        clusters = Clusters(np.r_[inside, first], np.r_[inside, second], identities)
        judged = evaluate_arrays(
            labels,
            {"m": scores},
            clusters,
            target,
            draws=200,
            seed=replicate,
            carried={"m": (threshold, "elsewhere")},
            targets=(),  # others would only take time
        )["m"]
        found = judged.evaluation
        held["fpr_at"].append(truth["fpr_at"] in found.carried.fpr.interval)
        rate = found.carried.fpr
        naive["fpr_at"].append(truth["fpr_at"] in wilson(rate.value, rate.count))
        for name, key in (("fpr_achieved", "fpr@0.2"), ("eer", "eer"), ("auc", "auc")):
            held[name].append(truth[name] in found.intervals[name])
            one = judged.resampled[key]
            independent = float((one.influence**2).sum()) ** 0.5
            naive[name].append(abs(one.value - truth[name]) <= 1.96 * independent)
    for name in truth:
        assert 0.90 <= np.mean(held[name]) <= 0.985, (name, np.mean(held[name]))
        assert np.mean(naive[name]) < 0.85, (name, np.mean(naive[name]))
