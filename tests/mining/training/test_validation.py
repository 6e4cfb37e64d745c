"""Validation of a network: double loops, and pytorch-metric-learning, say the same."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import oracle
from support.rates import rates_at

from indexes import FlatIndex
from mining.errors import TrainingError
from mining.training.configuration import ValidationSettings
from mining.training.validation import (
    EpochScores,
    FoldScores,
    HeldOut,
    better,
    mean_average_precision_at_r,
)

SCORES = FoldScores(map_at_r=0.5, fpr_random=0.1, fpr_adversarial=0.4)
JUDGED = """
import numpy as np
from mining.training.configuration import ValidationSettings
from mining.training.validation import HeldOut

generator = np.random.default_rng(7)
groups = generator.integers(0, 60, 900)
centres = generator.standard_normal((60, 33))
vectors = centres[groups] + 2 * generator.standard_normal((900, 33))
held_out = HeldOut.of(groups.astype(str), ValidationSettings(pairs=500), seed=3)
scores = held_out.judge(vectors.astype(np.float32))
print([getattr(scores, name).hex() for name in ("map_at_r", "fpr_random", "fpr_adversarial")])
"""


def drawn(seed, count, identities, *, grid=None):
    """Vectors and identities; on a grid of few values scores are equal often."""
    generator = np.random.default_rng(seed)
    groups = generator.integers(0, identities, count)
    vectors = generator.standard_normal((count, 3))
    if grid:
        vectors = generator.integers(-grid, grid + 1, (count, 3)).astype(float)
        vectors[~vectors.any(axis=1)] = 1
    return vectors.astype(np.float32), groups


def naive_map_at_r(vectors, groups):
    """MAP@R row by row and rank by rank; None where every row is alone."""
    averages = []
    for row, group in enumerate(groups):
        others = [other for other in range(len(groups)) if other != row]
        wanted = sum(groups[other] == group for other in others)
        others.sort(key=lambda other: (-oracle.score(vectors[row], vectors[other]), other))
        hits, total = 0, 0.0
        for rank, other in enumerate(others[:wanted], start=1):
            if groups[other] == group:
                hits += 1
                total += hits / rank
        if wanted:
            averages.append(total / wanted)
    return sum(averages) / len(averages) if averages else None


def library_map_at_r(vectors, groups):
    """MAP@R by pytorch-metric-learning, of the neighbours that the exact index finds."""
    calculators = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
    torch = pytest.importorskip("torch")

    def neighbours(query, k, reference, ref_includes_query):
        assert ref_includes_query
        found = FlatIndex(reference.numpy()).search(query.numpy(), k + 1).rows
        own = found == np.arange(len(found))[:, None]
        own[~own.any(axis=1), -1] = True
        return None, torch.from_numpy(found[~own].reshape(len(found), k))

    calculator = calculators.AccuracyCalculator(
        include=("mean_average_precision_at_r",),
        k="max_bin_count",
        device=torch.device("cpu"),
        knn_func=neighbours,
    )
    return calculator.get_accuracy(vectors, groups)["mean_average_precision_at_r"]


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(2, 40),
    identities=st.integers(1, 12),
    grid=st.sampled_from([None, 1, 2]),
)
def test_map_at_r_as_counted_rank_by_rank(seed, count, identities, grid):
    vectors, groups = drawn(seed, count, identities, grid=grid)
    expected = naive_map_at_r(vectors, groups)
    if expected is None:
        with pytest.raises(TrainingError, match="each alone"):
            mean_average_precision_at_r(FlatIndex(vectors), groups)
    else:
        found = mean_average_precision_at_r(FlatIndex(vectors), groups)
        assert found == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("grid", [None, 1])
def test_map_at_r_as_the_library_has_it(grid):
    """With lone identities, and one that is far larger than the others."""
    vectors, groups = drawn(5, 300, 40, grid=grid)
    groups[:100], groups[100:103] = 99, (100, 101, 102)
    expected = library_map_at_r(vectors, groups)
    assert 0 < expected < 1
    assert mean_average_precision_at_r(FlatIndex(vectors), groups) == pytest.approx(
        expected, abs=1e-12
    )


def test_a_row_is_no_neighbour_of_its_own_among_many_equal_ones():
    """The last of 50 equal rows is not among its own three nearest: they are rows 0, 1 and 2."""
    groups = np.repeat([0, 1], [25, 25])
    vectors = np.ones((50, 2), np.float32)
    expected = naive_map_at_r(vectors, groups)
    assert 0 < expected < 1
    assert mean_average_precision_at_r(FlatIndex(vectors), groups) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("grid", [None, 2])
def test_rates_as_counted_pair_by_pair(seed, grid):
    vectors, groups = drawn(seed, 60, 8, grid=grid)
    settings = ValidationSettings(pairs=80, target_fnr=0.3)
    held_out = HeldOut.of(np.array([f"i{group}" for group in groups], object), settings, seed)
    scores = held_out.judge(vectors)

    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    unit = (vectors / lengths[:, None]).astype(np.float32)
    positives = [oracle.score(unit[i], unit[j]) for i, j in held_out.positives]
    random = [oracle.score(unit[i], unit[j]) for i, j in held_out.negatives]
    hardest = [score for _, _, score in oracle.top_pairs(unit, groups, 80)]
    for negatives, found in ((random, scores.fpr_random), (hardest, scores.fpr_adversarial)):
        labels, values = np.repeat([1, 0], 80), np.r_[positives, negatives]
        points = [rates_at(labels, values, threshold) for threshold in [np.inf, *values]]
        assert found == min(point.fpr for point in points if point.fnr <= 0.3)
    assert scores.map_at_r == pytest.approx(naive_map_at_r(unit, groups), abs=1e-12)
    assert scores.fpr_random <= scores.fpr_adversarial


def test_the_pairs_are_drawn_by_the_seed_without_repeats():
    _, groups = drawn(1, 200, 10)
    settings = ValidationSettings(pairs=300)
    one, again, other = (HeldOut.of(groups.astype(str), settings, seed) for seed in (3, 3, 4))
    for pairs, alike in ((one.positives, True), (one.negatives, False)):
        assert len({tuple(sorted(pair)) for pair in pairs.tolist()}) == 300
        assert ((groups[pairs[:, 0]] == groups[pairs[:, 1]]) == alike).all()
    for name in ("positives", "negatives"):
        assert np.array_equal(getattr(one, name), getattr(again, name))
        assert not np.array_equal(getattr(one, name), getattr(other, name))


def test_a_small_fold_gives_all_pairs_that_it_has():
    held_out = HeldOut.of(np.array(["a", "b", "a", "b", "c"], object), ValidationSettings(), 0)
    assert sorted(map(sorted, held_out.positives.tolist())) == [[0, 2], [1, 3]]
    assert len({frozenset(pair) for pair in held_out.negatives.tolist()}) == 8


def test_length_of_the_vectors_does_not_matter():
    vectors, groups = drawn(2, 120, 10)
    held_out = HeldOut.of(groups.astype(str), ValidationSettings(pairs=200), 0)
    # Powers of two: nothing is rounded.
    scaled = vectors * np.float32(2) ** np.arange(-60, 60)[:, None]
    assert held_out.judge(scaled) == held_out.judge(vectors)


def test_the_same_to_the_last_digit_with_any_number_of_threads():
    answers = {
        subprocess.run(
            [sys.executable, "-c", JUDGED],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2", "3")
    }
    assert len(answers) == 1
    assert "0x1." in answers.pop()


@pytest.mark.parametrize(
    ("identities", "missing"), [(["a", "b", "c"], "positives"), (["a", "a", "a"], "negatives")]
)
def test_a_fold_without_pairs_of_a_kind_is_refused(identities, missing):
    counted = len(set(identities))
    with pytest.raises(TrainingError) as caught:
        HeldOut.of(np.array(identities, object), ValidationSettings(folds=20, fold=4), 0)
    assert (
        f"fold 4 of 20: a fold without {missing}: 3 pictures of {counted} identities, of which "
        f"{int(counted == 1)} have two pictures" in str(caught.value)
    )
    assert "Fewer validation.folds" in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0])
def test_vectors_that_cannot_be_compared_are_refused(value):
    vectors, groups = drawn(0, 30, 4)
    held_out = HeldOut.of(groups.astype(str), ValidationSettings(), 0)
    vectors[[4, 9]] = value
    with pytest.raises(TrainingError, match=r"2 of 30 vectors .* picture 5: .* diverged"):
        held_out.judge(vectors)


@pytest.mark.parametrize("shape", [(29, 3), (30,)])
def test_vectors_of_another_number_are_refused(shape):
    held_out = HeldOut.of(drawn(0, 30, 4)[1].astype(str), ValidationSettings(), 0)
    with pytest.raises(TrainingError, match="for a fold of 30 pictures"):
        held_out.judge(np.ones(shape, np.float32))


@pytest.mark.parametrize(
    ("select", "name", "step"),
    [
        ("map@r", "map_at_r", 0.01),
        ("fpr-random", "fpr_random", -0.01),
        ("fpr-adversarial", "fpr_adversarial", -0.01),
    ],
)
def test_better_looks_at_what_is_selected_by_alone(select, name, step):
    worst = {"map_at_r": 0.0, "fpr_random": 1.0, "fpr_adversarial": 1.0}
    best = FoldScores(**{**worst, name: getattr(SCORES, name) + step})
    assert better(best, SCORES, select)
    assert not better(SCORES, best, select)
    assert not better(SCORES, SCORES, select)
    epoch = EpochScores(epoch=3, step=90, loss=0.2, **vars(best))
    assert better(epoch, SCORES, select)


@pytest.mark.parametrize("name", ["map_at_r", "fpr_random", "fpr_adversarial"])
@pytest.mark.parametrize("value", [np.nan, -0.1, 1.1])
def test_a_score_that_is_no_share_is_refused(name, value):
    with pytest.raises(TrainingError, match=f"{name} of .* share"):
        replace(SCORES, **{name: value})
    with pytest.raises(TrainingError, match=f"{name} of .* share"):
        EpochScores(**{"epoch": 1, "step": 1, "loss": 0.0, **vars(SCORES), name: value})
