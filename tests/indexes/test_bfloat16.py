"""The small things that the margins rest on: norms from above, thresholds from below."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes import join
from indexes.join.bfloat16 import at_least, floor_bits, unrounded
from indexes.join.bounds import FLOAT32, FLOAT64, LARGEST_NORM, norms, norms32, rounded

SEEDED = settings(derandomize=True, deadline=None, max_examples=60)
# Bits of every finite bfloat16 number, and the numbers.
PATTERNS = np.arange(2**16, dtype=np.uint32)
PATTERNS = PATTERNS[PATTERNS & 0x7F80 != 0x7F80]
BITS = PATTERNS.astype(np.uint16).view(np.int16)
NUMBERS = (PATTERNS << 16).view(np.float32).astype(np.float64)
LARGEST = float(NUMBERS.max())


def squared(row):
    """|row|^2 without any rounding."""
    return sum(Fraction(float(value)) ** 2 for value in row)


@st.composite
def rows(draw):
    """`[4, D]`: sums that lose terms, squares that underflow, subnormal values."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    width = draw(st.integers(1, 80))
    least, most = draw(st.sampled_from([(0, 1), (-13, 0), (-80, -70), (-149, -120), (-149, 60)]))
    exponents = generator.integers(least, most, (4, width)).astype(float)
    values = generator.standard_normal((4, width)) * np.exp2(exponents)
    return values.astype(np.float32)


@given(rows())
@SEEDED
def test_norms_are_never_too_small(vectors):
    for bound in (norms(vectors), norms32(vectors)):
        for row, length in zip(vectors, bound.tolist(), strict=True):
            assert Fraction(length) ** 2 >= squared(row)


@pytest.mark.parametrize("width", [1, 2, 64, 4096])
def test_norms_are_hardly_too_large(width):
    vectors = np.random.default_rng(width).standard_normal((5, width)).astype(np.float32)
    exact = np.array([float(squared(row)) for row in vectors]) ** 0.5
    assert (norms(vectors) <= exact * (1 + (2 * width + 4) * 2.0**-52)).all()
    assert (norms32(vectors) <= exact * (1 + (width + 4) * 2.0**-23)).all()


def test_terms_that_a_sum_in_float32_loses():
    """4,095 squares of 2^-25 next to 1, each below half a unit in its last place."""
    vectors = np.full((2, 4096), 2.0**-12.5, np.float32)
    vectors[:, 0] = 1
    assert (norms32(vectors) ** 2 >= float(squared(vectors[0]))).all()


def test_squares_beyond_float32_make_an_infinite_norm():
    vectors = np.full((2, 3), 1e30, np.float32)
    vectors[1] = 1
    lengths = norms32(vectors)
    assert np.isposinf(lengths[0])
    assert lengths[1] == pytest.approx(3**0.5)
    assert join.filter_dtype(lengths) == FLOAT64
    assert join.filter_dtype(lengths[1:]) == FLOAT32


@pytest.mark.parametrize("size", [LARGEST_NORM, LARGEST_NORM * (1 - 2.0**-20)])
def test_float64_where_products_could_overflow(size):
    fits = size < LARGEST_NORM
    assert join.filter_dtype(np.array([1.0, size])) == (FLOAT32 if fits else FLOAT64)


def around(*values):
    """The values of both signs, and the float64 numbers next to them."""
    near = [np.nextafter(value, towards) for value in values for towards in (0, value, np.inf)]
    return sorted({float(value) for value in [*near, *np.negative(near)]})


WITHIN = around(0.0, 1.0, 2.0, 3.0, 257.0, 1e-3, LARGEST, 3.4e38, 1 + 2.0**-7, 1 + 2.0**-8)
TINY = around(2.0**-126, 2.0**-133, 2.0**-134, 2.0**-149, 2.0**-150, 1e-40, 5e-324, 1e-300)
BETWEEN = around(1.5 + 2.0**-24, 1.5 + 2.0**-40, *np.random.default_rng(0).choice(NUMBERS, 30))
BEYOND = [*around(3.5e38, 1e300), np.inf, -np.inf]


@pytest.mark.parametrize(
    "thresholds", [WITHIN, TINY, BETWEEN, BEYOND], ids=["within", "tiny", "between", "beyond"]
)
def test_every_bfloat16_number_against_thresholds(thresholds):
    """Those that are at least the largest number that is at most the threshold."""
    numbers, out = NUMBERS, np.empty(BITS.shape, np.bool_)
    for threshold in thresholds:
        below = numbers[numbers <= threshold]
        expected = numbers >= (below.max() if below.size else -np.inf)
        if threshold == np.inf:
            expected[:] = False
        at_least(BITS, floor_bits(threshold), out)
        np.testing.assert_array_equal(out, expected, err_msg=repr(threshold))


def test_both_zeros_reach_zero():
    for zero in (0.0, -0.0):
        assert at_least(BITS, floor_bits(zero), np.empty(BITS.shape, np.bool_))[NUMBERS == 0].all()


def roundings(exact):
    """What a unit may make of float32 numbers: to the nearest, towards 0, subnormal ones to 0."""
    nearest = torch.from_numpy(exact).to(torch.bfloat16).to(torch.float64).numpy()
    cut = (exact.view(np.uint32) & 0xFFFF0000).view(np.float32).astype(np.float64)
    return nearest, cut, np.where(np.abs(cut) < 2.0**-126, 0.0, cut)


def test_numbers_before_they_were_rounded():
    generator = np.random.default_rng(1)
    bits = generator.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32)
    # The hardest are those halfway, those just below a number and those near 0.
    bits = np.r_[bits, bits & 0xFFFF0000 | 0x8000, bits | 0xFFFF, bits & 0x807FFFFF]
    exact = bits.view(np.float32)
    exact = exact[np.isfinite(exact) & (np.abs(exact) < LARGEST)]
    for low in roundings(exact):
        most = unrounded(low)
        assert (most >= exact).all()
    nearest = roundings(exact)[0]
    normal = np.abs(nearest) > 1e-30
    used = (exact - nearest)[normal] / (unrounded(nearest) - nearest)[normal]
    assert 0.49 < used.max() <= 0.5  # units that truncate need the other half
    truncated = roundings(exact)[1]
    used = (exact - truncated)[normal] / (unrounded(truncated) - truncated)[normal]
    assert 0.99 < used.max() <= 1


@pytest.mark.parametrize("dtype", [FLOAT32, FLOAT64])
def test_rounding_a_threshold_keeps_order(dtype):
    generator = np.random.default_rng(2)
    values = generator.standard_normal(500) * 10.0 ** generator.integers(-50, 50, 500)
    for value in [*values.tolist(), 0.0, -0.0, 1e300, -1e300, np.inf, -np.inf]:
        least = rounded(value, dtype)
        assert least.dtype == dtype
        # The next lower number is below the value: it is right to leave it out.
        assert float(np.nextafter(least, dtype.type(-np.inf))) < value or np.isneginf(least)


@given(rows(), st.integers(0, 2**32 - 1))
@SEEDED
def test_the_margin_covers_products_in_float64(vectors, seed):
    """For vectors so long that float32 could not hold their products."""
    long = vectors.astype(np.float64) * 2.0**40
    order = np.random.default_rng(seed).permutation(vectors.shape[1])
    products = long[:, order] @ long[:, order].T
    i, j = (axis.ravel() for axis in np.indices(products.shape))
    float32 = (long).astype(np.float32)
    scores = join.pair_scores(float32, float32, i, j)
    lengths = norms(float32)
    margins = join.margin(vectors.shape[1], lengths[i] * lengths[j], FLOAT64)
    assert (np.abs(products.ravel() - scores) <= margins).all()


@given(rows() | st.just(np.array([[-0.0], [0.0], [1.0], [-1.0]], np.float32)))
@SEEDED
def test_a_score_does_not_depend_on_the_batch(vectors):
    """Byte for byte, however many pairs are scored with it; summed coordinate by coordinate."""
    i, j = (axis.ravel() for axis in np.indices((4, 4)))
    together = join.pair_scores(vectors, vectors, i, j)
    alone = [join.pair_scores(vectors, vectors, i[k : k + 1], j[k : k + 1]) for k in range(16)]
    assert together.tobytes() == np.concatenate(alone).tobytes()
    for a, b, score in zip(i, j, together.tolist(), strict=True):
        total = 0.0
        for x, y in zip(vectors[a].tolist(), vectors[b].tolist(), strict=True):
            total += x * y
        assert score == total
