"""Rates against the original evaluator (scikit-learn and SciPy) and against plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_auc_score, roc_curve
from support.rates import rates_at

from pairsets import PairSet, PairSetError, ScoresError, evaluate, human_rates
from pairsets.evaluation import rates
from pairsets.evaluation.rates import (
    NOWHERE,
    area_under,
    equal_error,
    fnr_at_fpr,
    fnr_at_fpr_interpolated,
    fpr_at_fnr,
    fpr_at_fnr_interpolated,
    is_resolvable,
    roc,
    sensitivity_index,
)


def original(labels, scores, target):
    """ZACI-20's evaluator, written afresh; the root found to the end of float64."""
    fpr, tpr, _ = roc_curve(labels, scores)
    eer = 1.0 - brentq(lambda x: 1.0 - x - interp1d(tpr, fpr)(x), 0.0, 1.0, xtol=1e-15)
    return float(interp1d(1.0 - tpr, fpr)(target)), eer


@st.composite
def tieless(draw):
    positives, negatives = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = generator.permutation(positives + negatives) / 7 - 3
    labels = generator.permutation(np.r_[np.ones(positives, int), np.zeros(negatives, int)])
    # Targets that the curve meets at a vertex are the hard case, and the human FNR is one.
    target = draw(
        st.one_of(st.floats(0, 1), st.integers(0, positives).map(lambda k: k / positives))
    )
    return labels, scores, target


@given(tieless())
def test_parity_with_the_original(world):
    labels, scores, target = world
    fpr, eer = original(labels, scores, target)
    curve = roc(labels, scores)
    assert fpr_at_fnr_interpolated(curve, target) == pytest.approx(fpr, abs=1e-12)
    assert equal_error(curve)[0] == pytest.approx(eer, abs=1e-12)


def interpolated_of_all(curve, target):
    """The same rate, of all points of the curve at once: those where it turns, sorted by FNR."""
    if curve.fnr[-1] > target:
        return float("nan")
    false_positives, true_positives = curve.false_positives[1:], curve.true_positives[1:]
    turns = (np.diff(false_positives, 2) != 0) | (np.diff(true_positives, 2) != 0)
    kept = np.flatnonzero(np.r_[True, turns, True]) if false_positives.size > 2 else slice(None)
    fpr = np.r_[0, false_positives[kept]] / curve.negatives
    fnr = 1.0 - np.r_[0, true_positives[kept]] / curve.positives
    order = np.argsort(fnr, kind="stable")
    return float(np.interp(target, fnr[order], fpr[order]))


@st.composite
def rejecting(draw):
    """Scores with ties, with long runs of one kind, and with some that are missing."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 300))
    labels = (generator.random(count) < draw(st.sampled_from([0.1, 0.5, 0.9]))).astype(int)
    labels[:2] = 0, 1
    width = draw(st.sampled_from([1, 5, 1000]))
    scores = (
        generator.integers(0, width, count) / 7 + draw(st.sampled_from([-9, 0, 0.5, 9])) * labels
    )
    lost = generator.random(count) < draw(st.sampled_from([0, 0.3]))
    lost[:2] = False
    positives = int(labels.sum())
    target = draw(
        st.one_of(
            st.floats(0, 1),
            st.integers(0, positives).map(lambda k: k / positives),
            st.integers(0, positives).map(lambda k: 1 - k / positives),
        )
    )
    return labels, np.where(lost, -np.inf, scores), target


@pytest.mark.parametrize("few", [1, 2, 64])
@given(world=rejecting())
def test_interpolated_fpr_is_that_of_the_whole_curve(few, world):
    labels, scores, target = world
    curve = roc(labels, scores)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rates, "FEW", few)
        found = fpr_at_fnr_interpolated(curve, target)
    assert repr(found) == repr(interpolated_of_all(curve, target))


def test_an_fnr_that_two_ways_to_count_round_apart():
    """Two of three positives have scores: 1 / 3 is below 1 - 2 / 3, and yet it is reached."""
    labels, scores = [1, 1, 1, 0, 0, 0, 0], [5.0, 5.0, -np.inf, 9.0, 4.0, 3.0, 3.0]
    curve = roc(labels, scores)
    assert 1 / 3 < 1 - 2 / 3
    assert fpr_at_fnr_interpolated(curve, 1 / 3) == interpolated_of_all(curve, 1 / 3) == 0.25


@given(rejecting())
def test_single_vertices_have_the_rates_of_the_whole_curve(world):
    labels, scores, target = world
    curve = roc(labels, scores)
    found = [curve.rates(at) for at in range(len(curve.thresholds))]
    assert found == list(zip(curve.fpr.tolist(), curve.fnr.tolist(), strict=True))
    assert curve.thresholds[0] == np.inf
    for threshold, fpr, fnr in zip(curve.thresholds, curve.fpr, curve.fnr, strict=True):
        assert fpr == (scores[labels == 0] >= threshold).mean()
        assert fnr == (scores[labels == 1] < threshold).mean()
    reached = np.flatnonzero(curve.fnr <= target)
    point = fpr_at_fnr(curve, target)
    assert point == curve.point(int(reached[0])) if reached.size else point is NOWHERE
    above = np.flatnonzero(curve.fpr >= curve.fnr)
    assert np.isnan(equal_error(curve)[0]) == (not above.size)


def test_nought_has_one_sign_in_any_order():
    for zeros in ([0.0, -0.0], [-0.0, 0.0], [-0.0, -0.0]):
        curve = roc([1, 0, 1], [*zeros, 2.0])
        assert [repr(float(one)) for one in curve.thresholds] == ["inf", "2.0", "0.0"]


def test_the_area_is_summed_in_blocks(monkeypatch):
    generator = np.random.default_rng(4)
    labels, scores = generator.integers(0, 2, 1000), generator.integers(0, 200, 1000) / 8
    whole = area_under(roc(labels, scores))
    assert whole == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    for block in (1, 7, 199, 200, 201):
        monkeypatch.setattr(rates, "BLOCK", block)
        assert area_under(roc(labels, scores)) == whole


def test_the_original_misjudges_a_perfect_model():
    """Its line runs from a vertex's highest FPR: why the achieved rate stands beside it."""
    labels, scores = [1, 1, 1, 1, 0, 0, 0, 0], [9, 8, 7, 6, 4, 3, 2, 1]
    curve = roc(labels, scores)
    assert fpr_at_fnr_interpolated(curve, 0.25) == pytest.approx(2 / 3, abs=1e-12)
    assert original(labels, scores, 0.25)[0] == pytest.approx(2 / 3, abs=1e-12)
    assert fpr_at_fnr(curve, 0.25).fpr == 0.0


@pytest.mark.parametrize("target", [0.139, 119 / 855, 0.169, 144 / 852])
def test_parity_at_the_published_size(target):
    generator = np.random.default_rng(1)
    labels = np.r_[np.ones(855, int), np.zeros(944, int)]
    scores = generator.standard_normal(1799) + 2.3 * labels
    fpr, eer = original(labels, scores, target)
    curve = roc(labels, scores)
    assert fpr_at_fnr_interpolated(curve, target) == pytest.approx(fpr, abs=1e-12)
    assert equal_error(curve)[0] == pytest.approx(eer, abs=1e-12)


@st.composite
def tied(draw):
    count = draw(st.integers(2, 30))
    scores = draw(st.lists(st.integers(-3, 3), min_size=count, max_size=count))
    labels = draw(
        st.lists(st.integers(0, 1), min_size=count, max_size=count).filter(
            lambda found: 0 < sum(found) < len(found)
        )
    )
    return np.array(labels), np.array(scores, float), draw(st.floats(0, 1))


@given(tied())
def test_achieved_point_by_counting(world):
    labels, scores, target = world
    point = fpr_at_fnr(roc(labels, scores), target)
    positives, negatives = scores[labels == 1], scores[labels == 0]
    candidates = sorted({np.inf, *scores.tolist()}, reverse=True)
    threshold = next(t for t in candidates if (positives < t).mean() <= target)
    assert point.threshold == threshold
    assert point.fnr == (positives < threshold).mean()
    assert point.fpr == (negatives >= threshold).mean()
    again = rates_at(labels, scores, threshold)
    assert (again.fpr, again.fnr) == (point.fpr, point.fnr)


@given(tied())
def test_achieved_point_at_an_fpr_by_counting(world):
    labels, scores, target = world
    point = fnr_at_fpr(roc(labels, scores), target)
    positives, negatives = scores[labels == 1], scores[labels == 0]
    candidates = sorted({np.inf, *scores.tolist()})
    threshold = next(t for t in candidates if (negatives >= t).mean() <= target)
    assert point.threshold == threshold
    assert point.fpr == (negatives >= threshold).mean()
    assert point.fnr == (positives < threshold).mean()


@given(tied())
def test_interpolated_fnr_lies_on_the_lines_between_points(world):
    labels, scores, target = world
    curve = roc(labels, scores)
    # At each FPR there are several points; a line leaves the lowest of them, and ends in the first.
    lowest = {}
    first = {}
    for fpr, fnr in zip(curve.fpr.tolist(), curve.fnr.tolist(), strict=True):
        lowest[fpr] = fnr
        first.setdefault(fpr, fnr)
    found = fnr_at_fpr_interpolated(curve, target)
    below = max(fpr for fpr in lowest if fpr <= target)
    above = min((fpr for fpr in lowest if fpr > target), default=None)
    if above is None or below == target:
        assert found == lowest[below]
    else:
        expected = interp1d([below, above], [lowest[below], first[above]])(target)
        assert found == pytest.approx(float(expected), abs=1e-12)
    assert found <= fnr_at_fpr(curve, target).fnr


@given(tied())
def test_dprime_by_hand(world):
    labels, scores, _ = world
    moments = []
    for kind in (1, 0):
        values = scores[labels == kind].tolist()
        mean = sum(values) / len(values)
        moments.append((mean, sum((value - mean) ** 2 for value in values) / len(values)))
    (above, one), (below, other) = moments
    found = sensitivity_index(labels, scores)
    if one + other == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx((above - below) / ((one + other) / 2) ** 0.5)
        assert sensitivity_index(labels, -scores) == pytest.approx(-found)


@pytest.mark.parametrize("value", [0.1, 0.7, 1e6 + 0.1, 1 / 3])
def test_scores_that_do_not_vary_have_no_dprime(value):
    """However the mean of so many equal numbers is rounded."""
    for count in (3, 7, 11, 1000):
        labels = np.r_[np.ones(count, int), np.zeros(count, int)]
        assert np.isnan(sensitivity_index(labels, np.where(labels == 1, value, -value)))


def test_the_smallest_step_of_a_rate_can_be_resolved():
    for count in range(1, 3000):
        assert is_resolvable(1 / count, count)
        assert not is_resolvable(1 / count, count - 1)
    assert not is_resolvable(0.0, 10**9)


@given(tied())
def test_auc_and_curve_by_counting(world):
    labels, scores, _ = world
    curve = roc(labels, scores)
    assert area_under(curve) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert curve.thresholds[0] == np.inf
    for threshold, fpr, fnr in zip(curve.thresholds, curve.fpr, curve.fnr, strict=True):
        assert fpr == (scores[labels == 0] >= threshold).mean()
        assert fnr == (scores[labels == 1] < threshold).mean()


@given(tied())
def test_equal_error_lies_between_the_rates_at_its_threshold(world):
    labels, scores, _ = world
    rate, threshold = equal_error(roc(labels, scores))
    point = rates_at(labels, scores, threshold)
    assert min(point.fpr, point.fnr) - 1e-12 <= rate <= max(point.fpr, point.fnr) + 1e-12
    # No other score brings the two rates nearer to each other.
    others = [rates_at(labels, scores, other) for other in scores]
    nearest = min(abs(other.fpr - other.fnr) for other in others)
    assert abs(point.fpr - point.fnr) <= nearest + 1e-12


@pytest.mark.parametrize(
    ("scores", "eer", "auc"),
    [([4, 3, 2, 1], 0.0, 1.0), ([1, 2, 3, 4], 1.0, 0.0), ([5] * 4, 0.5, 0.5)],
)
def test_extremes(scores, eer, auc):
    curve = roc([1, 1, 0, 0], scores)
    assert equal_error(curve)[0] == eer
    assert area_under(curve) == auc


@pytest.mark.parametrize(
    ("labels", "scores", "message"),
    [
        ([1, 0], [1.0], "one score a pair"),
        ([1, 0], [1.0, np.nan], "1 scores are not finite, the first of pair 2"),
        ([1, 1], [1.0, 2.0], "2 pairs and no negative one"),
        ([0, 0], [1.0, 2.0], "2 pairs and no positive one"),
        ([], [], "0 pairs and no"),
    ],
)
def test_bad_scores(labels, scores, message):
    with pytest.raises(ScoresError, match=message):
        roc(np.array(labels), np.array(scores))


@pytest.mark.parametrize("target", [-0.1, 1.1, float("nan")])
def test_bad_targets(target):
    curve = roc([1, 0], [1, 0])
    for function, what in (
        (fpr_at_fnr, "FNR"),
        (fpr_at_fnr_interpolated, "FNR"),
        (fnr_at_fpr, "FPR"),
        (fnr_at_fpr_interpolated, "FPR"),
    ):
        with pytest.raises(
            ScoresError, match=f"a target {what} of {target}; expected a share from 0 to 1"
        ):
            function(curve, target)


def judged(label, prediction, invalid=0):
    count = len(label)
    return PairSet.of(
        [f"a/{k}" for k in range(count)],
        [f"b/{k}" for k in range(count)],
        label,
        prediction,
        np.broadcast_to(invalid, count),
    )


def test_human_rates_by_hand():
    pairs = judged([1, 1, 1, 0, 0, 0, 0], [1, 0, -1, 1, 0, 0, 1], [0, 0, 0, 0, 0, 0, 1])
    rates = human_rates(pairs)
    assert (rates.fnr, rates.fpr) == (1 / 2, 1 / 3)
    assert (rates.positives, rates.negatives, rates.unjudged) == (2, 3, 1)
    assert np.isnan(human_rates(judged([1], [1])).fpr)
    with pytest.raises(PairSetError, match="no valid pair was judged"):
        human_rates(judged([1, 0], [-1, -1]))


def test_invalid_rows_and_targets():
    pairs = judged([1, 1, 0, 0, 0], [1, 0, 0, 1, 0], [0, 0, 0, 0, 1])
    found = evaluate(pairs, [0.9, 0.4, 0.5, 0.1, np.nan])
    assert found.target_fnr == 0.5
    assert (found.positives, found.negatives, found.invalid) == (2, 2, 1)
    assert (found.threshold, found.fpr_achieved, found.fnr_achieved) == (0.9, 0.0, 0.5)
    assert evaluate(pairs, [0.9, 0.4, 0.5, 0.1, 0], 0.0).fpr_achieved == 0.5
    unjudged = judged([1, 0], [-1, -1])
    assert evaluate(unjudged, [1, 0]).target_fnr == 0.139
    with pytest.raises(PairSetError, match="2 valid pairs are not judged"):
        evaluate(unjudged, [1, 0], "human")
    with pytest.raises(ScoresError, match="'humane'; expected a number or 'human'"):
        evaluate(unjudged, [1, 0], "humane")
    with pytest.raises(ScoresError, match="for 2 pairs"):
        evaluate(unjudged, [1.0])
    with pytest.raises(ScoresError, match=r"pair 1 \(a/0, b/0\): inf"):
        evaluate(unjudged, [np.inf, 0])
    with pytest.raises(ScoresError, match=r"no negative one.*after 1 invalid pairs were left out"):
        evaluate(judged([1, 0], [-1, -1], [0, 1]), [1, 0])
