"""The best pairs, kept from near scores: parts may come in any order, each score off by its margin.

What a filter says of a pair is drawn here, from anywhere within the margin.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle

from indexes.join import best
from indexes.join.constraints import PairConstraints

SEEDED = settings(derandomize=True, deadline=None, max_examples=120)


@st.composite
def searches(draw):
    """Few different scores, so that near ones overlap; margins of none to more than all."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 16))
    vectors = generator.integers(-2, 3, (count, 3)).astype(np.float32)
    codes = np.unique(generator.integers(0, 6, count), return_inverse=True)[1].astype(np.int64)
    i, j = np.triu_indices(count, 1)
    exact = np.array([oracle.score(vectors[a], vectors[b]) for a, b in zip(i, j, strict=True)])
    # The ends of the margin are the hardest. In whole 64ths none of these sums is rounded: a near
    # score that is rounded away from the exact one would not lie within its margin.
    widest = draw(st.sampled_from([0, 19, 128, 3200]))
    margins = np.rint(widest * generator.random(i.size)) / 64
    near = exact + margins * generator.choice([-1, -0.5, 0, 0.5, 1], i.size)
    order = generator.permutation(i.size)
    cuts = np.sort(generator.integers(0, i.size + 1, draw(st.integers(0, 6))))
    limits = draw(st.none() | st.integers(-4, 4)), draw(st.none() | st.integers(-4, 8))
    if None not in limits and limits[0] > limits[1]:
        limits = limits[::-1]
    ceilings = generator.integers(-3, 9, count).astype(float) if draw(st.booleans()) else None
    parts = [(i[some], j[some], near[some], margins[some]) for some in np.split(order, cuts)]
    return vectors, codes, draw(st.integers(1, 30)), parts, limits, ceilings


@pytest.mark.parametrize("spare", [0, 2**18])
@pytest.mark.parametrize("patience", [1, 1024])
@given(search=searches())
@SEEDED
def test_the_answer_is_that_of_exact_scores(spare, patience, search):
    vectors, codes, n, parts, (lowest, highest), ceilings = search
    rules = PairConstraints(
        codes,
        lowest=-np.inf if lowest is None else float(lowest),
        highest=np.inf if highest is None else float(highest),
        ceilings=ceilings,
    )
    kept = best.Best(vectors, n, rules)
    kept.patience, kept.spare, kept.portion = patience, spare, 5
    thresholds = []
    for part in parts:
        kept.take(kept.sift(*part))
        thresholds.append(kept.threshold)
    found = list(zip(*(column.tolist() for column in kept.result()), strict=True))
    options = {"min_score": lowest, "max_score": highest, "ceilings": ceilings}
    assert found == oracle.top_pairs(vectors, codes, n, **options)
    assert thresholds == sorted(thresholds)
    # n pairs are known to reach it.
    assert len(found) < n or found[-1][2] >= thresholds[-1]


@given(search=searches())
@SEEDED
def test_the_lowest_are_held_negated(search):
    vectors, codes, n, parts, (lowest, highest), _ = search
    rules = PairConstraints(
        codes,
        same=True,
        lowest=-np.inf if highest is None else -float(highest),
        highest=np.inf if lowest is None else -float(lowest),
    )
    kept = best.Best(vectors, n, rules, sign=-1)
    for i, j, near, margins in parts:
        kept.take(kept.sift(i, j, -near, margins))
    i, j, scores = kept.result()
    found = list(zip(i.tolist(), j.tolist(), (-scores).tolist(), strict=True))
    assert found == oracle.bottom_pairs(vectors, codes, n, min_score=lowest, max_score=highest)


def test_the_bar_rises_as_soon_as_n_pairs_are_known():
    """By the n-th best of what their scores are at least."""
    vectors = np.array([[1.0], [2.0], [3.0], [4.0]], np.float32)
    kept = best.Best(vectors, 2, PairConstraints(np.arange(4)))
    i, j = np.array([0, 0, 1]), np.array([1, 2, 3])
    kept.take(kept.sift(i, j, np.array([2.0, 3.0, 8.0]), np.array([0.5, 0.5, 0.5])))
    assert kept.threshold == 2.5
    assert kept.is_full()
    # Of newcomers, those that cannot reach it are dropped unscored.
    later = kept.sift(np.array([0, 1, 2]), np.array([3, 2, 3]), np.array([4.0, 2.0, 2.1]), 0.3)
    assert later.i.tolist() == [0]


def test_many_equal_scores_take_bounded_memory():
    vectors = np.ones((80, 2), np.float32)
    kept = best.Best(vectors, 7, PairConstraints(np.arange(80)))
    kept.patience, kept.spare = 50, 10
    i, j = np.triu_indices(80, 1)
    for start in range(0, i.size, 40):
        some = slice(start, start + 40)
        found = kept.sift(i[some], j[some], np.full(i[some].size, 2.0), 1e-6)
        assert found.scores.size <= 2 * 7 + 10
        kept.take(found)
        assert sum(part.scores.size for part in kept.parts) <= 2 * 7 + 10 + 50 + 40
    assert kept.result()[1].tolist() == [1, 2, 3, 4, 5, 6, 7]
