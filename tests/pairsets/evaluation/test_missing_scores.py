"""Pairs without a score: against scikit-learn with a very low score, and by counting."""

from __future__ import annotations

import csv
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve
from support.rates import rates_at

from pairsets import PairSet, ScoresError, evaluate
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.evaluator import evaluate_all, evaluate_arrays
from pairsets.evaluation.missing_scores import settle
from pairsets.evaluation.protocols import fold_accuracy, tar_at_far
from pairsets.evaluation.rates import (
    area_under,
    equal_error,
    fnr_at_fpr,
    fnr_at_fpr_interpolated,
    fpr_at_fnr,
    fpr_at_fnr_interpolated,
    roc,
    sensitivity_index,
)
from pairsets.evaluation.resamples import RankedScores, Targets
from pairsets.files.folds import Folds
from pairsets.tables.curves import write_curves
from pairsets.tables.differences import write_verdicts
from pairsets.tables.leaderboard import make_leaderboard, write_leaderboards
from pairsets.tables.protocols import follow_protocols, write_protocols

# What scikit-learn is told in place of minus infinity: all real scores lie above.
FAR_BELOW = -1e6
SHARES = (0.0, 0.1, 0.25, 1 / 3, 0.5, 0.8, 1.0)


@st.composite
def worlds(draw):
    """Labels of both kinds, scores that tie, some of them -inf, and not all of them."""
    labels = draw(st.lists(st.integers(0, 1), max_size=30).map(lambda one: [0, 1, *one]))
    score = st.one_of(st.just(-math.inf), st.integers(-3, 3).map(float))
    scores = draw(st.lists(score, min_size=len(labels), max_size=len(labels)))
    scores[draw(st.integers(0, len(scores) - 1))] = 2.0
    return np.array(labels), np.array(scores)


def points_of(labels, scores):
    """Every threshold's rates, counted one by one: the highest first."""
    tried = [math.inf, *sorted({one for one in scores.tolist() if one > -math.inf}, reverse=True)]
    positive = labels == 1
    return [
        (cut, float((scores[~positive] >= cut).mean()), float((scores[positive] < cut).mean()))
        for cut in tried
    ]


def same(found, expected):
    """Equal numbers, nan beside nan."""
    np.testing.assert_array_equal(np.array(found), np.array(expected))


@settings(deadline=None)
@given(worlds())
def test_the_curve_is_that_of_a_very_low_score_without_its_end(world):
    labels, scores = world
    curve = roc(labels, scores)
    low = np.where(scores > -np.inf, scores, FAR_BELOW)
    fpr, tpr, cuts = roc_curve(labels, low, drop_intermediate=False)
    real = cuts > FAR_BELOW
    same(curve.thresholds, cuts[real])
    np.testing.assert_allclose(curve.fpr, fpr[real], rtol=0, atol=1e-15)
    np.testing.assert_allclose(curve.fnr, 1 - tpr[real], rtol=0, atol=1e-15)
    assert area_under(curve) == pytest.approx(roc_auc_score(labels, low), abs=1e-12)
    assert curve.positives == (labels == 1).sum()
    assert curve.negatives == (labels == 0).sum()
    for cut, *rates in points_of(labels, scores):
        same([rates_at(labels, scores, cut).fpr, rates_at(labels, scores, cut).fnr], rates)
    # Accepting everything that has a score accepts no pair without one.
    assert rates_at(labels, scores, -math.inf).fnr == curve.fnr[-1]


@settings(deadline=None)
@given(worlds(), st.sampled_from(SHARES))
def test_rates_at_a_target_are_those_of_some_threshold_or_of_none(world, target):
    labels, scores = world
    curve, points = roc(labels, scores), points_of(labels, scores)
    reach = [point for point in points if point[2] <= target]
    found = fpr_at_fnr(curve, target)
    same([found.threshold, found.fpr, found.fnr], reach[0] if reach else [math.nan] * 3)
    between = fpr_at_fnr_interpolated(curve, target)
    assert math.isnan(between) == (not reach)
    found = fnr_at_fpr(curve, target)
    same([found.threshold, found.fpr, found.fnr], [p for p in points if p[1] <= target][-1])
    assert fnr_at_fpr_interpolated(curve, target) >= curve.fnr[-1]
    (tar,) = tar_at_far(labels, scores, [target])
    assert tar.tar == 1 - found.fnr


@settings(deadline=None)
@given(worlds())
def test_the_eer_lies_on_the_real_curve_or_nowhere(world):
    labels, scores = world
    rate, threshold = equal_error(roc(labels, scores))
    points = points_of(labels, scores)
    if points[-1][1] < points[-1][2]:
        assert math.isnan(rate)
        assert math.isnan(threshold)
        return
    # That of a very low score, whose curve is the same up to there.
    low = np.where(scores > -np.inf, scores, FAR_BELOW)
    assert rate == pytest.approx(equal_error(roc(labels, low))[0], abs=1e-12)
    assert threshold in [cut for cut, *_ in points]


@settings(deadline=None)
@given(worlds(), st.integers(0, 2**32 - 1))
def test_draws_count_as_the_curve_does(world, seed):
    """Each statistic of the bootstrap on a part of the pairs is that of the part alone."""
    labels, scores = world
    targets = Targets(SHARES, SHARES)
    ranked = RankedScores(labels == 1, scores, targets)
    for kept in (np.ones(labels.size, bool), np.random.default_rng(seed).random(labels.size) < 0.6):
        part, values = labels[kept], scores[kept]
        if len({*part.tolist()}) < 2 or not (values > -np.inf).any():
            continue
        curve = roc(part, values)
        expected = [fpr_at_fnr(curve, target).fpr for target in SHARES]
        expected += [fnr_at_fpr(curve, target).fnr for target in SHARES]
        expected += [equal_error(curve)[0], area_under(curve), sensitivity_index(part, values)]
        found = ranked.statistics(kept)[: len(expected)]
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, equal_nan=True)


@settings(deadline=None)
@given(worlds(), st.integers(0, 2**32 - 1))
def test_folds_choose_by_pairs_with_a_score_and_count_all(world, seed):
    labels, scores = world
    labels = np.r_[labels, 0, 1, 0, 1]
    scores = np.r_[scores, 1.0, 1.0, -math.inf, -math.inf]
    folds = np.random.default_rng(seed).integers(1, 3, labels.size)
    folds[-4:] = [1, 1, 2, 2]
    # A fold of each kind, and a score beside each fold.
    labels, scores, folds = np.r_[labels, 0, 1], np.r_[scores, 0.5, 0.5], np.r_[folds, 2, 2]
    found = fold_accuracy(labels, scores, folds)
    for at, fold in enumerate((1, 2)):
        mine, others = folds == fold, (folds != fold) & (scores > -np.inf)
        cut = found.threshold[at]
        assert math.isfinite(cut)
        right = (scores[mine] >= cut) == (labels[mine] == 1)
        assert found.accuracy[at] == right.mean()
        best = max(
            ((scores[others] >= tried) == (labels[others] == 1)).sum()
            for tried in [-9.0, *(scores[others] + 0.25)]
        )
        assert ((scores[others] >= cut) == (labels[others] == 1)).sum() == best


def test_a_fold_beside_which_nothing_is_scored():
    labels, folds = [1, 0, 1, 0], [1, 1, 2, 2]
    with pytest.raises(ScoresError, match="no pair outside fold 1 has a score to choose by"):
        fold_accuracy(labels, [0.9, 0.1, -math.inf, -math.inf], folds)


# --- sets

LABELS = np.r_[np.ones(40, int), np.zeros(80, int)]
PAIRS = PairSet.of(
    [f"{k % 30}/{k}" for k in range(120)],
    [f"{k % 30 if k < 40 else (k + 1 + k // 30) % 30}/{k}b" for k in range(120)],
    LABELS,
    invalid=np.arange(120) == 100,
)
LOST = np.isin(np.arange(120), [0, 1, 2, 3, 50, 60, 70, 100])


def scores_of(seed, lost=None, as_=math.nan):
    values = 1.5 * LABELS + np.random.default_rng(seed).standard_normal(120)
    return values if lost is None else np.where(lost, as_, values)


@pytest.mark.parametrize("none", [math.nan, -math.inf, math.inf], ids=["nan", "-inf", "inf"])
def test_whatever_says_that_there_is_no_score(none):
    scores = scores_of(0, LOST, none)
    with pytest.raises(ScoresError, match=r"7 scores .* pair 1 .*--missing reject.*--missing drop"):
        evaluate(PAIRS, scores, 0.2)
    rejected = evaluate(PAIRS, scores, 0.2, missing="reject", draws=0)
    assert (rejected.rejected_positives, rejected.rejected_negatives) == (4, 3)
    assert (rejected.positives, rejected.negatives, rejected.dropped) == (40, 79, 0)
    low = evaluate(PAIRS, np.where(LOST, -9.0, scores), 0.2, draws=0)
    for name in ("fpr_achieved", "fnr_achieved", "threshold", "eer", "auc"):
        assert getattr(rejected, name) == getattr(low, name)
    dropped = evaluate(PAIRS, scores, 0.2, missing="drop", draws=0)
    # The invalid pair without a score is no loss.
    alone = evaluate(PAIRS.take(~LOST | ~PAIRS.valid), scores_of(0)[~LOST | ~PAIRS.valid], 0.2)
    for name in ("fpr_achieved", "fnr_achieved", "threshold", "eer", "auc", "invalid"):
        assert getattr(dropped, name) == getattr(alone, name)
    assert (dropped.dropped, dropped.rejected, dropped.invalid) == (7, 0, 1)
    # The sensitivity index has no place for a pair without a score.
    assert rejected.dprime == pytest.approx(dropped.dprime)


@pytest.mark.parametrize("none", [math.nan, -math.inf, math.inf], ids=["nan", "-inf", "inf"])
@pytest.mark.parametrize("missing", ["reject", "drop"])
def test_an_invalid_pair_is_not_rejected(none, missing):
    (settled,) = settle(PAIRS, {"A": scores_of(0, ~PAIRS.valid, none)}, missing)[1].values()
    assert (~PAIRS.valid).sum() == 1
    assert np.isnan(settled[~PAIRS.valid]).all()
    assert np.isfinite(settled[PAIRS.valid]).all()


def test_only_words_that_are_known():
    with pytest.raises(ScoresError, match="missing='rejected'; expected one of fail, reject, drop"):
        settle(PAIRS, {}, "rejected")  # type: ignore[arg-type]


def test_intervals_hold_rejected_pairs():
    """They are those of a very low score, whose curve has one vertex more, beyond all of them."""
    first = evaluate(PAIRS, scores_of(0, LOST), 0.4, missing="reject", seed=3)
    second = evaluate(PAIRS, np.where(LOST, -9.0, scores_of(0)), 0.4, seed=3)
    for name in ("fpr_achieved", "eer", "auc"):
        one, other = first.intervals[name], second.intervals[name]
        np.testing.assert_allclose([one.low, one.high], [other.low, other.high], rtol=1e-9)
    assert "dprime" in first.intervals
    # Where many draws have no threshold with such an FNR, nothing is said.
    near = evaluate(PAIRS, scores_of(0, LOST), 0.1, missing="reject", seed=3)
    assert near.reaches_target
    assert "fpr_achieved" not in near.intervals


def test_differences_count_a_rejected_positive_as_wrong_and_a_rejected_negative_as_right():
    scores = {"A": scores_of(0, LOST), "B": scores_of(1)}
    found = compare("s", PAIRS, scores, 0.2, missing="reject")
    (one,) = found.differences["fpr"]
    right = {}
    for model, values in scores.items():
        accepted = np.nan_to_num(values, nan=-np.inf) >= found.thresholds[model]
        right[model] = (accepted == (LABELS == 1))[PAIRS.valid]
    assert one.only_first == (right["A"] & ~right["B"]).sum()
    assert one.only_second == (right["B"] & ~right["A"]).sum()
    assert found.judged["A"].right.tolist() == right["A"].tolist()
    assert not right["A"][:4].any()
    assert right["A"][[50, 60, 70]].all()


def test_what_is_dropped_is_dropped_for_all_models():
    scores = {"A": scores_of(0, LOST), "B": scores_of(1)}
    found = compare("s", PAIRS, scores, 0.2, missing="drop", draws=0)
    assert len(found.pairs) == 120 - 7
    alone = evaluate(found.pairs, found.scores["B"], 0.2, draws=0)
    assert found.evaluations["B"].auc == alone.auc
    assert {one.dropped for one in found.evaluations.values()} == {7}
    (judged,) = evaluate_all(PAIRS, {"A": scores["A"]}, 0.2, missing="drop", draws=0).values()
    assert judged.evaluation == found.evaluations["A"]


def no_constant(name):
    raise ValueError(name)


def test_a_target_below_the_floor_has_no_rate_anywhere(tmp_path):
    """4 of 40 positives are rejected: an FNR of 5 % is out of reach, one of 10 % is not."""
    scores = {"A": scores_of(0, LOST), "B": scores_of(1) + 5 * LABELS, "C": scores_of(2)}
    board = make_leaderboard("s", PAIRS, scores, 0.05, missing="reject")
    found = board.comparison
    one = found.evaluations["A"]
    assert not one.reaches_target
    assert one.floor == 0.1
    for name in ("threshold", "fpr_achieved", "fnr_achieved", "fpr_interpolated"):
        assert math.isnan(getattr(one, name))
    assert {"fpr_achieved", "fpr_interpolated"}.isdisjoint(one.intervals)
    assert math.isnan(one.fpr_rate.value)
    record = one.record()
    assert record["fpr_achieved"] is record["threshold"] is record["fpr_at_fnr_0.01"] is None
    assert record["fpr_at_fnr_0.1"] is not None
    assert [*found.thresholds] == ["B", "C"]
    (warning,) = [text for text in found.warnings if "A has" in text]
    assert warning == (
        "s: A has no FPR at an FNR of 5 %: 4 of 40 positives have no score and are rejected, so "
        "that its FNR is 10 % or more at every threshold. --target-fnr takes a higher one, "
        "--missing drop leaves such pairs out."
    )
    assert [(d.first, d.second) for d in found.differences["fpr"]] == [("B", "C")]
    assert len(found.differences["eer"]) == 3
    # Nobody is the best in a rate that a rival lacks, told from the others or not.
    assert [one.better for one in found.differences["fpr"]] == ["B"]
    assert found.tied("fpr")
    assert board.entries[0].model == "B"
    assert "**" not in board.cells(board.entries[0])[0]
    assert "| A | N/A |" in board.to_markdown()
    assert "7 pairs without a score, counted as rejected" in board.to_markdown()
    with pytest.raises(ScoresError, match=r"A has no threshold with an FNR of 0\.05"):
        found.disagreements("B", "A")
    rows = write_verdicts(tmp_path / "v.csv", found).read_text().splitlines()
    assert all(row.split(",")[4] == "" and row.split(",")[5] in "01" for row in rows[1:])
    files = [*write_leaderboards(tmp_path / "t", [board]), write_curves(tmp_path / "c.csv", found)]
    for file in files:
        assert "nan" not in file.read_text().lower()
        assert "-inf" not in file.read_text()
    json.loads((tmp_path / "t.json").read_text(), parse_constant=no_constant)
    reached = compare("s", PAIRS, scores, 0.1, missing="reject", draws=0)
    assert reached.evaluations["A"].fnr_achieved == 0.1


def test_so_many_rejected_that_there_is_no_eer():
    lost = np.isin(np.arange(120), [*range(30), *range(40, 119)])
    found = compare("s", PAIRS, {"A": scores_of(0, lost)}, 0.9, missing="reject", draws=0)
    assert math.isnan(found.evaluations["A"].eer)
    assert "A has no EER: 30 of 40 positives" in found.warnings[0]


def test_nothing_scored_is_refused():
    with pytest.raises(ScoresError, match="not one of 119 pairs has a score"):
        evaluate(PAIRS, np.full(120, np.nan), 0.2, missing="reject", draws=0)


def test_the_scores_of_some_kind_may_all_be_missing():
    """AUC exists: all rejected positives lie below every negative that has a score."""
    found = evaluate(PAIRS, scores_of(0, LABELS == 1), 0.2, missing="reject")
    assert (found.auc, found.floor, found.reaches_target) == (0.0, 1.0, False)
    assert math.isnan(found.dprime)
    clusters = Clusters.of(PAIRS, "identity")
    evaluate_arrays(
        LABELS, {"m": np.where(LABELS == 0, -np.inf, scores_of(0))}, clusters, 0.2, draws=100
    )


# --- distances


def test_distances_are_turned_and_thresholds_shown_as_distances():
    scores = scores_of(0)
    one, other = evaluate(PAIRS, scores, 0.2), evaluate(PAIRS, 3 - scores, 0.2, distance=True)
    assert other.auc == one.auc
    assert other.fpr_achieved == one.fpr_achieved
    record = other.record()
    assert record["threshold"] == other.shown(other.threshold) == -other.threshold
    assert record["accepts"] == "distance <= threshold"
    assert one.record()["accepts"] == "score >= threshold"
    accepted = 3 - scores <= record["threshold"]
    valid = PAIRS.valid
    assert accepted[valid & (LABELS == 0)].mean() == other.fpr_achieved
    # An infinite distance is none, and nobody's neighbour.
    far = np.where(LOST, np.inf, 3 - scores)
    turned = evaluate(PAIRS, far, 0.2, distance=True, missing="reject", draws=0)
    assert turned.rejected == 7
    assert turned.auc == evaluate(PAIRS, scores_of(0, LOST), 0.2, missing="reject", draws=0).auc


def test_curves_of_distances_rise_with_them(tmp_path):
    found = compare("s", PAIRS, {"A": -scores_of(0)}, 0.2, turned=["A"], draws=0)
    lines = write_curves(tmp_path / "c.csv", found).read_text().splitlines()[1:]
    cuts = [float(line.split(",")[1]) for line in lines]
    assert cuts[0] == -math.inf
    assert cuts == sorted(cuts)


def test_every_threshold_in_a_file_is_that_of_distances(tmp_path):
    scores, folds = scores_of(0), Folds(np.arange(120) % 4 + 1)
    carried = {"A": (1.0, "random")}
    plain = evaluate_all(PAIRS, {"A": scores}, 0.2, draws=0, carried=carried)["A"]
    turned = evaluate_all(PAIRS, {"A": scores}, 0.2, draws=0, carried=carried, turned=["A"])["A"]
    one, other = plain.evaluation.record(), turned.evaluation.record()
    cuts = ["threshold", "eer_threshold", "carried_threshold"]
    assert [other[name] for name in cuts] == [-one[name] for name in cuts]
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == [
        "threshold",
        "eer_threshold",
        "accepts",
        "carried_threshold",
    ]
    read = []
    for names in ((), ("A",)):
        found = follow_protocols(PAIRS, {"A": scores}, folds, [0.1, 0.0], turned=names)
        lines, content = write_protocols(tmp_path / "p", "s", found)[1:]
        rows = [*csv.DictReader(lines.read_text().splitlines())]
        whole = json.loads(content.read_text())["models"]["A"]
        parts = [*whole["fold_accuracy"]["folds"], *whole["tar_at_far"]]
        cuts = [part["threshold"] for part in parts]
        assert [row["threshold"] for row in rows if row["threshold"]] == [*map(repr, cuts)]
        read.append(cuts)
    assert read[1] == [-cut for cut in read[0]]
