"""Pairs within groups: the lowest-scoring ones, and each row's best."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle
from support.oracle import listed

from indexes import BottomPairs, FlatIndex, IndexesError, join
from indexes.join import pairs

SEEDED = settings(derandomize=True, deadline=None, max_examples=60)


def test_the_lowest_pairs_of_all_worlds(world):
    vectors, codes = world
    truth = oracle.bottom_pairs(vectors, codes, 5000)
    for n in (1, 30, 5000):
        assert listed(join.bottom_pairs(vectors, codes, n)) == truth[:n]


def test_the_best_of_each_row_in_all_worlds(world):
    vectors, codes = world
    assert join.best_of_group(vectors, codes).tolist() == oracle.best_of_group(vectors, codes)


@pytest.mark.parametrize("block", [1, 3, 16])
def test_strips_of_any_width(world, block, monkeypatch):
    """Groups that end within a strip, at its end, and wider than many strips."""
    monkeypatch.setattr(pairs, "BLOCK", block)
    vectors, codes = world
    truth = oracle.bottom_pairs(vectors, codes, 25)
    assert listed(join.bottom_pairs(vectors, codes, 25)) == truth


@pytest.mark.parametrize("strip", [1, 50, 300])
def test_groups_wider_than_the_memory_of_a_block(world, strip):
    vectors, codes = world
    assert join.best_of_group(vectors, codes, strip).tolist() == oracle.best_of_group(
        vectors, codes
    )


def test_blocks_take_no_more_memory_than_they_may(monkeypatch):
    """One group of 60 among 40 of 2, by blocks of 300 products at most."""
    vectors = np.random.default_rng(1).standard_normal((140, 4)).astype(np.float32)
    codes = np.r_[np.arange(40) % 20, np.full(60, 20), np.arange(40) % 20 + 21]
    made = []
    nonzero = np.nonzero
    monkeypatch.setattr(pairs.np, "nonzero", lambda mask: made.append(mask.size) or nonzero(mask))
    assert join.best_of_group(vectors, codes, 300).tolist() == oracle.best_of_group(vectors, codes)
    assert 60 <= max(made) <= 300


@st.composite
def questions(draw):
    count = draw(st.integers(0, 16))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = generator.integers(-2, 3, (count, 3)).astype(np.float32)
    vectors *= draw(st.sampled_from([1.0, 1e-25, 1e25]))  # 1e25: products that overflow float32
    names = generator.choice(["a", "b", "cc", "d"], count)
    limits = sorted(generator.integers(-6, 9, 2).tolist())
    everything = {
        "min_score": limits[0],
        "max_score": limits[1],
        "exclude": generator.integers(0, max(1, count), (6 if count else 0, 2)),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(everything))))
    return vectors, names, draw(st.integers(1, 40)), {name: everything[name] for name in chosen}


@given(question=questions())
@SEEDED
def test_any_options_together(question):
    vectors, names, n, options = question
    vectors.setflags(write=False)
    found = FlatIndex(vectors).bottom_pairs(n, names, **options)
    assert listed(found) == oracle.bottom_pairs(vectors, names, n, **options)


def test_rows_that_stand_alone():
    vectors = np.eye(4, dtype=np.float32)
    index = FlatIndex(vectors)
    assert len(index.bottom_pairs(3, ["a", "b", "c", "d"])) == 0
    assert np.isneginf(index.best_of_group(["a", "b", "c", "d"])).all()
    assert index.best_of_group(["a", "b", "a", "d"]).tolist() == [0.0, -np.inf, 0.0, -np.inf]


def test_nearly_equal_scores_that_float32_confuses():
    """Two products of 1e8 cancel: what decides is lost in float32."""
    vectors = np.random.default_rng(4).integers(-3, 4, (60, 12)).astype(np.float32)
    vectors[:, 0] = vectors[:, -1] = 1e4
    vectors[::2, -1] *= -1
    codes = np.arange(60) // 2 % 2
    filtered = vectors @ vectors.T
    truth = oracle.bottom_pairs(vectors, codes, 900)
    seen = filtered[[pair[0] for pair in truth], [pair[1] for pair in truth]]
    assert (np.diff(seen) < 0).any()  # float32 alone would rank otherwise
    assert listed(join.bottom_pairs(vectors, codes, 40)) == truth[:40]
    assert join.best_of_group(vectors, codes).tolist() == oracle.best_of_group(vectors, codes)


def test_the_bottom_pairs_refuse_what_is_not_ranked():
    def made(i, j, scores):
        return BottomPairs(np.array(i), np.array(j), np.array(scores, float))

    assert len(made([0, 0, 1], [1, 2, 2], [2, 2, 3])) == 3
    for wrong, message in (
        (([1], [1], [0]), "i >= j"),
        (([0, 0], [1, 2], [2, 1]), "expected score rising"),
        (([0, 0], [2, 1], [1, 1]), r"ties by \(i, j\)"),
        (([0, 0], [1, 1], [1, 1]), "out of order"),
        (([0], [1], [1, 2]), "shapes"),
    ):
        with pytest.raises(IndexesError, match=message):
            made(*wrong)
    i = np.array([0])
    frozen = BottomPairs(i, i + 1, np.array([0.5]))
    i[0] = 0  # the caller's arrays stay writable
    with pytest.raises(ValueError, match="read-only"):
        frozen.scores[0] = 1.0
