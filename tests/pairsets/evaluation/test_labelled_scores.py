"""Evaluation of plain arrays equals that of the pair set that they are of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pairsets import PairSet, evaluate
from pairsets.errors import ScoresError


@pytest.fixture
def world() -> tuple[PairSet, np.ndarray]:
    rng = np.random.default_rng(0)
    count, people = 300, 25
    label = rng.random(count) < 0.4
    a = rng.integers(0, people, count)
    b = np.where(label, a, (a + rng.integers(1, people, count)) % people)
    pairs = PairSet.of(
        [f"p{one}/{at}a" for at, one in enumerate(a)],
        [f"p{one}/{at}b" for at, one in enumerate(b)],
        label.astype(int),
    )
    return pairs, rng.normal(size=count) + label


@pytest.mark.parametrize("distance", [False, True])
def test_arrays_equal_the_pair_set(world: tuple[PairSet, np.ndarray], distance: bool) -> None:
    pairs, scores = world
    given = -scores if distance else scores
    whole = evaluate(pairs, given, 0.2, distance=distance, draws=100)
    plain = evaluate(
        pairs.label.tolist(),
        given.tolist(),
        pairs.identity_a,
        pairs.identity_b,
        target_fnr=0.2,
        distance=distance,
        draws=100,
    )
    assert plain.record() == pytest.approx(whole.record(), nan_ok=True)
    assert evaluate(pairs, given, target_fnr=0.2, distance=distance, draws=0).fpr_achieved == (
        plain.fpr_achieved
    )


def test_columns_of_one_table(world: tuple[PairSet, np.ndarray]) -> None:
    pairs, scores = world
    frame = pairs.to_frame().assign(score=scores)
    found = evaluate(
        frame["label"], frame["score"], frame["identityA"], frame["identityB"], draws=0
    )
    assert found.fpr_achieved == evaluate(pairs, scores, draws=0).fpr_achieved
    with pytest.raises(ScoresError, match="Series of different indexes"):
        evaluate(
            frame["label"],
            frame["score"].sort_values(),
            frame["identityA"],
            frame["identityB"],
            draws=0,
        )
    assert pd.Series(scores).equals(frame["score"])


def test_independent_pairs_are_said_to_be(world: tuple[PairSet, np.ndarray]) -> None:
    pairs, scores = world
    with pytest.raises(ScoresError, match="independent=True"):
        evaluate(pairs.label, scores)
    found = evaluate(pairs.label, scores, independent=True, draws=0)
    assert found.fpr_rate.design_effect == pytest.approx(1.0)
    assert found.fpr_achieved == evaluate(pairs, scores, draws=0).fpr_achieved
    with pytest.raises(ScoresError, match="the one or the other"):
        evaluate(pairs.label, scores, pairs.identity_a, pairs.identity_b, independent=True)


def test_what_does_not_belong_together_is_refused(world: tuple[PairSet, np.ndarray]) -> None:
    pairs, scores = world
    a, b = pairs.identity_a, pairs.identity_b
    odd = pairs.label.copy()
    odd[3] = 2
    nan = scores.copy()
    nan[5] = np.nan
    lost = a.copy()
    lost[7] = None
    cases = [
        ((odd, scores, a, b), "first of pair 4: 2"),
        ((["1", "0"], [1, 2], ["a", "a"], ["a", "b"]), "neither 1"),
        ((pairs.label, scores[:5], a, b), "for 300 labels"),
        ((pairs.label, ["x"] * 300, a, b), "one number a pair"),
        ((pairs.label, nan, a, b), "not finite"),
        ((pairs.label, np.zeros(300), a, b), "all 300 scores are 0"),
        ((pairs.label, scores, lost, b), "pair 8 has no identity"),
        ((pairs.label, scores, a[:9], b), "for 300 pairs"),
        ((pairs.label, scores, b, np.roll(b, 1)), "contradict the identities"),
        ((np.ones((2, 2)), scores, a, b), "labels of shape"),
    ]
    for arguments, match in cases:
        with pytest.raises(ScoresError, match=match):
            evaluate(*arguments, draws=0)
    with pytest.raises(ScoresError, match="pair set, which has its own"):
        evaluate(pairs, scores, None, b)
    with pytest.raises(ScoresError, match="two targets"):
        evaluate(pairs, scores, 0.1, target_fnr=0.2)
