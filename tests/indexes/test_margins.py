"""Searches in which a pair stands on the threshold and every filter sees it below."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import oracle

from indexes import join
from indexes.join import engine

HALF = 2.0**-8  # of a unit in the last place of a bfloat16 number from 1 to 2


def found_on_the_threshold(vectors, how):
    """Whether rows 0 and 1 are found when they score just what is asked for."""
    vectors = np.asarray(vectors, np.float32)
    codes = np.arange(len(vectors))
    limit = oracle.score(vectors[0], vectors[1])
    found = join.top_pairs(vectors, codes, 9, min_score=limit, how=how)
    assert oracle.listed(found) == oracle.top_pairs(vectors, codes, 9, min_score=limit)
    return (0, 1, limit) in oracle.listed(found)


def as_bfloat16(vectors):
    return (
        torch.tensor(np.asarray(vectors, np.float32)).to(torch.bfloat16).to(torch.float64).numpy()
    )


def halfway():
    """Rounded down in every coordinate; their product needs no rounding."""
    return np.full((2, 64), 1 + HALF)


def halfway_and_an_odd_product():
    """As before, and the product of 257 is rounded down to 256."""
    return np.full((2, 257), 1 + HALF)


def halfway_beside_a_long_row():
    """The margin of the tile is that of the third row; the first two need their own."""
    return np.r_[np.full((2, 64), 1 + HALF), np.full((1, 64), -1e6)]


def halfway_and_long():
    """One row of the pair is long: the margin has to be that of both."""
    return np.full((3, 64), 1 + HALF) * [[1.0], [1024.0], [-1e-3]]


def lost_beside_ones():
    """Nothing is rounded; the sum in float32 loses what is small beside the ones."""
    vectors = np.full((2, 320), 2.0**-15)
    vectors[:, :128] = vectors[:, -128:] = 1
    vectors[1, -128:] = -1
    return vectors


def one_product_rounded_down():
    """Float32 itself has to round the one product, by nearly half a unit."""
    values = np.random.default_rng(3).uniform(1, 1.01, 400).astype(np.float32)
    short = np.outer(values.astype(float), values) - np.outer(values, values).astype(float)
    i, j = np.unravel_index(short.argmax(), short.shape)
    return values[[i, j]][:, None]


def small_products():
    """Each product is below float32's smallest number, their sum is not."""
    return np.random.default_rng(4).uniform(0.3, 1.2, (2, 16)) * 2.0**-75


WORLDS = (
    halfway,
    halfway_and_an_odd_product,
    halfway_beside_a_long_row,
    halfway_and_long,
    lost_beside_ones,
    one_product_rounded_down,
    small_products,
)


@pytest.mark.parametrize("world", WORLDS)
def test_a_pair_on_the_threshold_is_found(way, world):
    assert found_on_the_threshold(world(), way(threads=1))


@pytest.mark.parametrize("world", WORLDS[:4])
def test_these_pairs_look_as_if_they_were_below(world):
    """Or the test above would say nothing."""
    assert oracle.score(*as_bfloat16(world())[:2]) < oracle.score(*world()[:2]) * (1 - HALF)


@pytest.mark.parametrize("world", WORLDS[4:])
def test_float32_sees_these_pairs_below(world):
    left, right = np.asarray(world(), np.float32)
    product = np.float32(0)
    for a, b in zip(left, right, strict=True):
        product += a * b
    assert float(product) < oracle.score(left, right)


@pytest.mark.parametrize("precision", ["bf16", "fp32", "int8"])
def test_the_rest_of_a_narrow_bound_is_rounded_up(narrow, precision):
    """The basis holds nothing of these rows; the rest's norm lies just below halfway."""
    narrow(basis=np.eye(8, 3, dtype=np.float32))
    vectors = np.zeros((2, 8))
    vectors[:, 5] = 1 + 0.9995 * HALF
    assert as_bfloat16(vectors).max() == 1
    assert found_on_the_threshold(vectors, join.SearchOptions(precision=precision))


@pytest.mark.parametrize("precision", ["bf16", "fp32", "int8"])
@pytest.mark.parametrize("length", [0.7, 1.2])
def test_a_basis_that_is_not_orthonormal(narrow, precision, length):
    """One that is too long makes negative products too low."""
    narrow(basis=np.float32(length) * np.eye(8, 3, dtype=np.float32))
    vectors = np.zeros((3, 8))
    vectors[:, 0] = 1, -1, -0.5
    assert found_on_the_threshold(vectors, join.SearchOptions(precision=precision))


@pytest.mark.parametrize("precision", ["bf16", "fp32", "int8"])
def test_halfway_inside_the_basis(narrow, precision):
    narrow(basis=np.eye(64, 60, dtype=np.float32))
    vectors = halfway()
    vectors[:, 60:] = 2.0**-30
    assert found_on_the_threshold(vectors, join.SearchOptions(precision=precision))


@pytest.mark.parametrize("precision", ["bf16", "fp32", "int8"])
def test_what_the_basis_leaves_over_may_be_all(narrow, precision):
    """Duplicates outside the basis: the bound is their score itself."""
    narrow(basis=np.eye(24, 4, dtype=np.float32))
    generator = np.random.default_rng(5)
    row = np.r_[np.zeros(4), generator.standard_normal(20)]
    assert found_on_the_threshold(
        [row, row, -row, 0.5 * row], join.SearchOptions(precision=precision)
    )


@pytest.mark.parametrize("precision", ["bf16", "fp32", "int8"])
def test_few_and_many_candidates_are_scored_again_alike(precision, monkeypatch):
    """By the pair, or by torch's sampled products: float32 rounds in both."""
    vectors = one_product_rounded_down()
    for few in (0, 10**9):
        monkeypatch.setattr(engine.Worker, "gathered", few)
        assert found_on_the_threshold(
            vectors, join.SearchOptions(precision=precision, spectrum="off")
        )
