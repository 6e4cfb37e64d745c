"""A person's errors, and the FNR that they set."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pairsets import PairSet, PairSetError, ScoresError, human_rates
from pairsets.evaluation.human import is_judged, resolve_target
from pairsets.evaluation.intervals import wilson


def pairs_of(label, prediction, invalid=0):
    rows = range(len(label))
    return PairSet.of(
        [f"a {k // 2} & b/{k}" for k in rows],
        [f"c {k}/x" for k in rows],
        label,
        prediction,
        invalid,
    )


def test_rates_are_of_judged_valid_rows_only():
    generator = np.random.default_rng(0)
    label = generator.integers(0, 2, 300)
    prediction = generator.integers(-1, 2, 300)
    invalid = generator.integers(0, 2, 300)
    pairs = pairs_of(label, prediction, invalid)
    wrong, seen, unjudged = {0: 0, 1: 0}, {0: 0, 1: 0}, 0
    for truth, said, out in zip(label, prediction, invalid, strict=True):
        if out:
            continue
        if said == -1:
            unjudged += 1
            continue
        seen[truth] += 1
        wrong[truth] += said != truth
    found = human_rates(pairs)
    assert (found.fpr, found.fnr) == (wrong[0] / seen[0], wrong[1] / seen[1])
    assert (found.negatives, found.positives, found.unjudged) == (seen[0], seen[1], unjudged)
    assert (found.fpr_rate.errors, found.fnr_rate.errors) == (wrong[0], wrong[1])


def test_intervals_follow_what_pairs_share():
    """Twenty pairs of each of ten identities, all right or all wrong: ten pairs' worth."""
    identities = np.repeat(np.arange(10), 20)
    faces = np.arange(200)
    said = np.where(identities < 3, 0, 1)
    pairs = PairSet.of(
        [f"{c}/{k}" for c, k in zip(identities, faces, strict=True)],
        [f"{c}/{k}'" for c, k in zip(identities, faces, strict=True)],
        1,
        said,
    )
    found = human_rates(pairs)
    assert found.fnr_rate.effective == pytest.approx(10)
    assert found.fnr_rate.interval == wilson(0.3, found.fnr_rate.effective)
    alone = human_rates(pairs, "image")
    # A sum of 200 squares may end in another last bit.
    assert alone.fnr_rate.effective == pytest.approx(200)
    found = human_rates(pairs, "image", 0.5).fnr_rate.interval
    expected = wilson(0.3, 200, 0.5)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_kind_that_was_not_judged_has_no_rate():
    found = human_rates(pairs_of([1, 1, 0], [1, 0, -1]))
    assert math.isnan(found.fpr)
    assert math.isnan(found.fpr_rate.low)
    assert (found.fnr, found.negatives, found.unjudged) == (0.5, 0, 1)
    with pytest.raises(PairSetError, match="no valid pair was judged: human_prediction is -1"):
        human_rates(pairs_of([1, 0], [1, -1], [1, 0]))


@pytest.mark.parametrize(
    ("label", "prediction", "invalid", "judged"),
    [
        ([1, 0], [1, 0], [0, 0], True),
        ([1, 0], [1, -1], [0, 0], False),
        ([1, 0], [1, -1], [0, 1], True),
        ([1, 0], [1, 0], [1, 0], False),
        ([0, 0], [1, 0], [0, 0], False),
    ],
)
def test_when_a_set_counts_as_judged(label, prediction, invalid, judged):
    assert is_judged(pairs_of(label, prediction, invalid)) is judged


def test_targets():
    judged = pairs_of([1, 1, 1, 1, 0], [1, 0, 1, 1, 1])
    waiting = pairs_of([1, 1, 1, 0], [1, 0, -1, -1])
    assert resolve_target(judged, None) == resolve_target(judged, "human") == 0.25
    assert resolve_target(waiting, None) == 0.139
    assert [resolve_target(judged, value) for value in (0, 0.2, 1, np.float32(0.5))] == [
        0.0,
        0.2,
        1.0,
        0.5,
    ]
    with pytest.raises(PairSetError, match="2 valid pairs are not judged; give a number such as 0"):
        resolve_target(waiting, "human")
    with pytest.raises(ScoresError, match="a target FNR of 'mine'; expected a number or 'human'"):
        resolve_target(judged, "mine")
    for wrong in (-0.1, 13.9, float("nan")):
        with pytest.raises(ScoresError, match="expected a share from 0 to 1"):
            resolve_target(judged, wrong)
