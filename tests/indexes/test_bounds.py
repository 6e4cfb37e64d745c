"""Attacks on the margins of the filters: vectors made so that every rounding errs the same way.

A bound is only as good as its worst case, and random vectors never come near to it.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes import join
from indexes.join import filters, narrow, quantisation
from indexes.join.bounds import LARGEST_NORM, norms32
from indexes.join.kernels import BF16, FP32, INT8
from indexes.join.scan import Scanner
from indexes.join.tiles import Tile

SEEDED = settings(derandomize=True, deadline=None, max_examples=8)
HALF = 2.0**-8  # of a unit in the last place of a bfloat16 number from 1 to 2


def each(work, slices):
    for part in slices:
        work(part)


def random_basis(vectors, depth):
    noise = np.random.default_rng(depth).standard_normal((vectors.shape[1], depth))
    return np.linalg.qr(noise)[0].astype(np.float32)


def stretched(vectors, depth):
    """No orthonormal one: 1.1 times as long."""
    return random_basis(vectors, depth) * np.float32(1.1)


def first_axes(vectors, depth):
    return np.eye(vectors.shape[1], depth, dtype=np.float32)


def narrow_filter(kernel, basis_of):
    def build(vectors):
        depth = 56 if basis_of is first_axes else 16
        basis = basis_of(vectors, max(1, min(depth, vectors.shape[1] * 7 // 8)))
        return narrow.narrow(vectors, *positions(vectors), basis, kernel, each)

    return build


def positions(vectors):
    """An order, and the lengths as the join has them."""
    return np.arange(len(vectors)), norms32(vectors)


def turned_always(vectors):
    """Rows in 8 bits, each turned whether that pays or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quantisation, "LESS", np.inf)
        return quantisation.quantised(vectors, *positions(vectors), each)


BUILDERS = {
    "Exact32": lambda x: filters.Exact32(x, *positions(x)),
    "Rounded": lambda x: filters.rounded16(x, *positions(x), "cpu", each),
    "Rounding": lambda x: filters.Rounding(x, *positions(x)),
    "Quantised": lambda x: quantisation.quantised(x, *positions(x), each),
    "Quantised, turned": turned_always,
} | {
    f"narrow {kernel.name} {basis.__name__}": narrow_filter(kernel, basis)
    for kernel in (BF16, FP32, INT8)
    for basis in (narrow.leading, random_basis, stretched, first_axes)
}


def uncovered(name, vectors):
    """Pairs (p, q) that the filter would lose, by their own margin or by their tile's."""
    bound = BUILDERS[name](vectors)
    count = len(vectors)
    lost = []
    for tile in (
        Tile(slice(0, count), slice(0, count)),
        Tile(slice(0, count // 2), slice(count // 2, count)),
        Tile(slice(1, 2), slice(2, 3)),
    ):
        scanner = Scanner(tile.area)
        shape = scanner.multiply(bound, tile)
        p, q = (axis.ravel() for axis in np.mgrid[tile.rows, tile.columns])
        scores = join.pair_scores(vectors, vectors, p, q)
        most = scanner.most_at(bound, tile, p, q) + bound.margins(p, q)
        for at, score in enumerate(scores):
            scanner.share = at % 2  # by rows, and all at once
            if most[at] < score or at not in scanner.compact(shape, bound.least(tile, score)):
                lost.append((p[at], q[at]))
    return lost


def halfway(generator, width):
    """Between two bfloat16 numbers or just off it, all rounded the same way; aligned signs."""
    down = generator.choice([1 + HALF, 1 + HALF * 0.999, 1 + HALF * 0.5], (8, width))
    up = generator.choice([1 + 3 * HALF, 1 + HALF * 1.001], (8, width))
    rows = np.where(generator.random((8, 1)) < 0.7, down, up)
    return rows * generator.choice([-1, 1], width) * 2.0 ** generator.integers(-3, 3, (8, 1))


def mixed(generator, width):
    """Coordinates and rows of all magnitudes."""
    rows = generator.standard_normal((8, width)) * 10.0 ** generator.integers(-30, 12, width)
    return rows * 10.0 ** generator.integers(-8, 4, (8, 1))


def subnormal(generator, width):
    """Values that float32 and bfloat16 hold with few places, and some that are large."""
    rows = generator.integers(-(2**10), 2**10, (8, width)) * 2.0**-149
    rows[:, 0] = 2.0 ** generator.integers(-149, 50, 8)
    return rows


def huge(generator, width):
    """Norms just below the largest allowed: their products are near float32's largest number."""
    rows = generator.choice([-1.0, 1.0], width) * generator.uniform(0.9, 1.0, (8, width))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True) * LARGEST_NORM * 0.999


def cancelling(generator, width):
    """Large products that cancel but for what was lost beside them."""
    rows = generator.choice([1 + HALF, 2.0**-13, 2.0**-7], (8, width))
    rows[:, : width // 2] = 1.0
    rows[::2, width // 3 : width // 2] *= -1
    return rows


def parallel(generator, width):
    """One direction, in lengths of all sizes: Cauchy and Schwarz leave nothing over."""
    return generator.standard_normal(width) * 2.0 ** generator.integers(-20, 20, (8, 1))


def between_levels(generator, width):
    """Halfway between two of 127 levels or just off it, all rounded the same way."""
    rows = generator.integers(0, 126, (8, width)) + generator.choice([0.5, 0.4999, 0.5001], (8, 1))
    rows[:, 0] = 127
    return rows * generator.choice([-1, 1], width) * 10.0 ** generator.integers(-12, 12)


def outlying(generator, width):
    """One coordinate beside which 8 bits see none of the others."""
    rows = generator.standard_normal((8, width))
    rows[generator.random(8) < 0.7, generator.integers(width)] = generator.choice([1e3, -1e6, 1e12])
    return rows


def constant(generator, width):
    """Rows of one number each, some of them of zeros."""
    return np.repeat(generator.choice([0.0, -1.0, 0.3, 1e-40, 7e9], (8, 1)), width, axis=1)


ATTACKS = (
    halfway, mixed, subnormal, huge, cancelling, parallel, between_levels, outlying, constant,
)  # fmt: skip


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("attack", ATTACKS)
@given(seed=st.integers(0, 2**32 - 1), width=st.sampled_from([1, 2, 7, 64, 300]))
@SEEDED
def test_no_pair_is_lost(name, attack, seed, width):
    vectors = np.array(attack(np.random.default_rng(seed), width), np.float32)
    assert not uncovered(name, vectors)


@pytest.mark.parametrize("kernel", [BF16, FP32], ids=lambda kernel: kernel.name)
def test_a_basis_that_holds_the_rows_leaves_nothing_over(kernel):
    """Any bound is valid; one that is far too large would be of no use."""
    basis = random_basis(np.empty((0, 600)), 9)
    vectors = np.random.default_rng(6).standard_normal((20, 9)).astype(np.float32) @ basis.T
    bound = narrow.narrow(vectors, *positions(vectors), basis, kernel, each)
    lengths = np.linalg.norm(vectors, axis=1)
    assert (bound.values[:, -1].to(torch.float64).numpy() < 0.02 * lengths).all()
    exact = vectors.astype(float) @ basis
    assert np.abs(bound.values[:, :-1].to(torch.float64).numpy() - exact).max() < 0.02


def share_used(name, vectors):
    """The largest part of its margin that any pair needs."""
    bound = BUILDERS[name](vectors)
    tile = Tile(slice(0, len(vectors)), slice(0, len(vectors)))
    scanner = Scanner(tile.area)
    shape = scanner.multiply(bound, tile)
    p, q = (axis.ravel() for axis in np.indices(shape))
    products = bound.most(scanner.products[: tile.area].to(torch.float64).numpy(), p, q)
    short = join.pair_scores(vectors, vectors, p, q) - products
    return float((short / bound.margins(p, q)).max())


@pytest.mark.parametrize("name", ["Rounded", "Rounding", "narrow bfloat16 first_axes"])
def test_the_attack_uses_the_margin_up(name):
    """Were the margin half as large, pairs would be lost. The products need no rounding here."""
    vectors = np.full((2, 64), 1 + HALF, np.float32)
    vectors[:, 56:] = 0  # the narrow bound's rest: none
    vectors[1] *= 4
    assert 0.8 < share_used(name, vectors) <= 1


def test_the_attack_uses_the_margin_of_8_bits_up(monkeypatch):
    """All coordinates lie halfway between two levels, and go down; a third row sets those."""
    monkeypatch.setattr(quantisation, "LESS", 0.0)  # turned, they would need no rounding
    vectors = np.full((3, 64), 4.5, np.float32)
    vectors[2] = 127
    assert 0.8 < share_used("Quantised", vectors) <= 1


@pytest.mark.parametrize("width", [1, 2])
def test_the_attack_uses_the_margin_of_float32_up(width):
    """So few terms that any unit has to round them in about the same places."""
    vectors = np.random.default_rng(2).uniform(1, 1.01, (300, width)).astype(np.float32)
    vectors[:, 1:] *= 0.01
    assert 0.5 < share_used("Exact32", vectors) <= 1


def test_sums_in_float32_lose_what_the_margin_says():
    """Nothing is lost in rounding, only beside the 128 ones of each sign."""
    vectors = np.full((4, 1024), 2.0**-15, np.float32)
    vectors[:, :128] = vectors[:, -128:] = 1
    vectors[::2, -128:] = -1
    bound = BUILDERS["Rounded"](vectors)
    assert bound.norms[3].max() < 2.0**-55
    scanner = Scanner(16)
    scanner.multiply(bound, Tile(slice(0, 4), slice(0, 4)))
    assert float(scanner.products[1]) < join.pair_scores(vectors, vectors, *np.array([[0], [1]]))
    assert not uncovered("Rounded", vectors)


def test_units_that_truncate_are_covered():
    """Each addition to 1 drops what is below the last of 24 places, as a matrix unit may."""
    width = 512
    vectors = np.full((1, width), 2.0**-12, np.float32)
    vectors[0, 0] = 1
    pair = np.ones((1, width), np.float32) * 2.0**-11
    pair[0, 0], pair[0, 1:] = 1, 2.0**-11 * (1 - HALF)
    both = np.r_[vectors, pair]
    total = 0.0
    for product in (both[0].astype(float) * both[1]).tolist():
        total = np.floor((total + product) * 2.0**23) / 2.0**23
    score = float(join.pair_scores(vectors, pair, *np.zeros((2, 1), int))[0])
    bound = BUILDERS["Rounded"](both)
    share = (score - total) / float(bound.margins(np.array([0]), np.array([1]))[0])
    assert 0.2 < share <= 1  # an eighth of it would be enough for units that round
