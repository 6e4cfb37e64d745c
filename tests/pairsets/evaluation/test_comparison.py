"""Models side by side on one set."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pairsets import PairSet, PairSetError, ScoresError, evaluate, human_rates
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.comparison import Comparison, compare
from pairsets.evaluation.differences import Difference, differences


@pytest.fixture(scope="module")
def pairs():
    generator = np.random.default_rng(0)
    rows = []
    for k in range(60):
        rows += [(f"c{k} & 橘/{n}", f"c{k} & 橘/{n + 1}", 1) for n in range(3)]
        rows += [(f"c{k} & 橘/0", f"c{(k + step) % 60} & 橘/1", 0) for step in range(1, 9)]
    first, second, label = zip(*rows, strict=True)
    said = np.where(generator.random(len(rows)) < 0.15, 1 - np.array(label), label)
    return PairSet.of(first, second, label, said, (generator.random(len(rows)) < 0.1).astype(int))


@pytest.fixture(scope="module")
def scores(pairs):
    generator = np.random.default_rng(1)
    noise = generator.standard_normal(len(pairs))
    found = {
        name: gap * pairs.label + noise + generator.standard_normal(len(pairs)) / 3
        for name, gap in {"weak": 1.0, "miner": 3.0, "good | 1": 4.0, "good | 2": 4.0}.items()
    }
    found["weak"][~pairs.valid] = np.nan
    for values in found.values():
        values.setflags(write=False)
    return found


@pytest.fixture(scope="module")
def found(pairs, scores):
    return compare("adversarial", pairs, scores, 0.1, apart=["miner", "absent"], draws=200, seed=3)


def test_each_model_is_evaluated_as_alone(found, pairs, scores):
    assert (found.name, found.target_fnr, found.pairs) == ("adversarial", 0.1, pairs)
    assert list(found.evaluations) == list(scores)
    for model, values in scores.items():
        alone = evaluate(pairs, values, 0.1, draws=200, seed=3)
        assert found.evaluations[model] == alone
        assert found.thresholds[model] == alone.threshold
        assert np.array_equal(found.scores[model], values, equal_nan=True)
    assert found.human == human_rates(pairs)


def test_models_apart_are_evaluated_and_not_compared(found, pairs):
    assert found.apart == {"miner"}
    ends = Clusters.of(pairs).take(pairs.valid)
    rest = {model: one for model, one in found.judged.items() if model != "miner"}
    assert found.differences == {key: differences(rest, ends, key) for key in ("fpr", "eer")}
    for groups in found.groups.values():
        assert groups.keys() == {"weak", "good | 1", "good | 2"}
        assert groups["good | 1"] == groups["good | 2"] == "a"
        assert groups["weak"] == "b"


def test_rows_on_which_two_models_disagree(found, pairs, scores):
    for right, wrong in (("good | 1", "weak"), ("weak", "good | 1"), ("miner", "good | 2")):
        expected = []
        for row in range(len(pairs)):
            if pairs.invalid[row]:
                continue
            verdicts = [
                (scores[model][row] >= found.thresholds[model]) == (pairs.label[row] == 1)
                for model in (right, wrong)
            ]
            if verdicts == [True, False]:
                expected.append(row)
        rows = found.disagreements(right, wrong)
        assert rows.tolist() == expected
        assert len(expected) > 2
    (row,) = (one for one in found.differences["fpr"] if one.second == "good | 1")
    assert row.only_second == len(found.disagreements("good | 1", "weak"))
    assert found.disagreements("weak", "weak").size == 0
    known = r"stranger is not among the models compared: weak, miner, good \| 1, good \| 2"
    for names in (("stranger", "weak"), ("weak", "stranger")):
        with pytest.raises(ScoresError, match=known):
            found.disagreements(*names)


def test_ties_are_of_the_best_that_tables_show(found, pairs, scores):
    assert found.tied("fpr")
    assert found.tied("eer")
    two = {model: scores[model] for model in ("weak", "good | 1")}
    apart = compare("x", pairs, two, 0.1, draws=200)
    assert not apart.tied("fpr")
    assert not apart.tied("eer")
    # A tie below the best one does not matter.
    below = {**two, "weak, too": scores["weak"] * 2}
    three = compare("x", pairs, below, 0.1, draws=200)
    assert not three.tied("eer")
    assert three.groups["eer"] == {"good | 1": "a", "weak": "b", "weak, too": "b"}


def test_the_line_between_thresholds_decides_nothing(pairs, scores):
    """Differences, groups and the best are of the rate that a threshold achieves."""
    two = {model: scores[model] for model in ("weak", "good | 1")}
    found = compare("x", pairs, two, 0.1, draws=200)
    weak = found.judged["weak"]
    lower = replace(weak, evaluation=replace(weak.evaluation, fpr_interpolated=0.0))
    other = Comparison(**{**vars(found), "judged": {**found.judged, "weak": lower}})
    assert not found.tied("fpr")
    assert not other.tied("fpr")
    better = replace(weak, evaluation=replace(weak.evaluation, fpr_achieved=0.0))
    other = Comparison(**{**vars(found), "judged": {**found.judged, "weak": better}})
    assert other.tied("fpr")
    assert not other.tied("eer")


def test_groups_follow_the_rate_that_tables_show(found, pairs, scores):
    order = {"fpr": "fpr_achieved", "eer": "eer"}
    four = compare("x", pairs, scores, 0.1, draws=200)
    for statistic, column in order.items():
        values = {model: getattr(one, column) for model, one in four.evaluations.items()}
        assert list(four.groups[statistic]) == sorted(values, key=values.__getitem__)
        assert len(four.differences[statistic]) == 6


def test_where_nothing_is_compared(pairs, scores):
    for made in (
        compare("x", pairs, scores, 0.1, draws=0),
        compare("x", pairs, {"weak": scores["weak"]}, 0.1, draws=100),
        compare("x", pairs, scores, 0.1, apart=["weak", "good | 1", "good | 2"], draws=100),
    ):
        assert (made.differences, made.groups) == ({}, {})
        assert not made.tied("fpr")
        assert made.evaluations
    nothing = compare("x", pairs, {}, None)
    assert (nothing.evaluations, nothing.thresholds) == ({}, {})
    assert nothing.target_fnr == nothing.human.fnr
    with pytest.raises(ScoresError, match="not among the models compared: none"):
        nothing.disagreements("a", "b")


def test_the_person_and_the_target(pairs, scores):
    waiting = PairSet.of(pairs.path_a, pairs.path_b, pairs.label)
    full = {model: np.nan_to_num(values) for model, values in scores.items()}
    assert compare("x", waiting, full, draws=0).human is None
    assert compare("x", waiting, full, draws=0).target_fnr == 0.139
    judged = compare("x", pairs, full, "human", clusters="image", draws=0)
    assert judged.target_fnr == human_rates(pairs).fnr
    assert judged.human == human_rates(pairs, "image")
    with pytest.raises(PairSetError, match="the human FNR was asked for"):
        compare("x", waiting, full, "human", draws=0)
    with pytest.raises(ScoresError, match=r"^bad: scores of shape \(1,\)"):
        compare("x", pairs, {**full, "bad": [1.0]}, draws=0)
    with pytest.raises(ScoresError, match=r"^bad: scores that are not one number a pair"):
        compare("x", pairs, {**full, "bad": ["?"] * len(pairs)}, draws=0)


def test_thresholds_from_another_set(pairs, scores):
    made = compare("x", pairs, scores, 0.1, draws=0, carried={"weak": (0.5, "random")})
    assert made.evaluations["weak"].carried.source == "random"
    assert made.evaluations["miner"].carried is None


def test_a_difference_that_nobody_can_tell_ties(found):
    """By the correction for all comparisons, not by the single one."""
    row = found.differences["eer"][0]
    assert isinstance(row, Difference)
    unsure = [replace(one, p_holm=0.06, p=0.01) for one in found.differences["eer"]]
    doubtful = Comparison(**{**vars(found), "differences": {"eer": tuple(unsure)}})
    assert doubtful.tied("eer")
    sure = [replace(one, p_holm=0.01, value=math.copysign(0.1, one.value)) for one in unsure]
    assert not Comparison(**{**vars(found), "differences": {"eer": tuple(sure)}}).tied("eer")


def test_what_a_set_cannot_tell_is_said():
    """Ten positives know no FNR between 0 and 10 %; ten identities tell little."""
    ends = [f"{c}/{k}" for c in "abcdefghij" for k in (1, 2)]
    same = list(zip(ends[::2], ends[1::2], strict=True))
    other = list(zip(ends[::2], ends[3::2], strict=False))
    pairs = PairSet.of(*zip(*same, *other, strict=True), [1] * len(same) + [0] * len(other))
    scores = {"m": np.arange(len(pairs), dtype=float)}
    rough = "a set: 10 identities or images in all; so few give rough intervals, or none."
    assert compare("a set", pairs, scores, 0.1).warnings == [rough]
    assert compare("a set", pairs, scores, 0.0).warnings == [rough]
    said = compare("a set", pairs, scores, 0.05).warnings
    assert said[0].startswith("a set: no threshold has an FNR of 5 %: of 10 positives one is 10 %")
    assert said[1:] == [rough]
