"""The join against the double loop, on grids made to break it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import oracle
from threadpoolctl import threadpool_limits

from indexes import FlatIndex, IndexesError, join


def answer(vectors, groups, n, tile):
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].astype(np.int64)
    found = join.top_pairs(
        np.asarray(vectors, np.float32), codes, n, how=join.SearchOptions(tile=tile)
    )
    return list(zip(found.i.tolist(), found.j.tolist(), found.scores.tolist(), strict=True))


@st.composite
def worlds(draw):
    count = draw(st.integers(0, 24))
    size = draw(st.integers(1, 6))
    # Few values make ties and exact duplicates common.
    values = draw(st.sampled_from([[-1.0, 0.0, 1.0], [0.1, 0.2, 0.3], [-1e4, 3.7, 1e-3, 7e7]]))
    cells = draw(st.lists(st.sampled_from(values), min_size=count * size, max_size=count * size))
    groups = draw(st.lists(st.integers(0, draw(st.integers(0, 5))), min_size=count, max_size=count))
    vectors = np.array(cells, np.float32).reshape(count, size)
    vectors.setflags(write=False)
    return vectors, groups, draw(st.integers(1, 40)), draw(st.integers(1, 9))


@given(worlds())
def test_equals_the_double_loop(world):
    vectors, groups, n, tile = world
    assert answer(vectors, groups, n, tile) == oracle.top_pairs(vectors, groups, n)


@pytest.mark.parametrize("scale", [1e-30, 1e-20, 1.0, 1e12, 1e25])
def test_any_magnitude(scale):
    generator = np.random.default_rng(3)
    vectors = (generator.standard_normal((40, 9)) * scale).astype(np.float32)
    groups = generator.integers(0, 8, 40)
    assert answer(vectors, groups, 50, 7) == oracle.top_pairs(vectors, groups, 50)


def cancelling():
    """Two products of 1e8 cancel in every pair: float32 loses the terms that decide."""
    vectors = np.random.default_rng(4).integers(-3, 4, (60, 12)).astype(np.float32)
    vectors[:, 0] = vectors[:, -1] = 1e4
    vectors[::2, -1] *= -1
    return vectors


def of_mixed_norms():
    vectors = cancelling()
    vectors[40:] *= 1e-3
    return vectors


def underflowing():
    """Products below float32's smallest number, 2^-149, whose sums lie above it."""
    return (np.random.default_rng(4).uniform(0.3, 1.2, (60, 16)) * 2.0**-75).astype(np.float32)


@pytest.mark.parametrize("world", [cancelling, of_mixed_norms, underflowing])
@pytest.mark.parametrize("tile", [4, 16, 64])
@pytest.mark.parametrize("n", [1, 5, 30, 200])
def test_filter_scores_far_from_exact_ones(world, tile, n):
    vectors, groups = world(), np.arange(60) % 2
    truth = oracle.top_pairs(vectors, groups, 900)
    filtered = (vectors @ vectors.T)[[pair[0] for pair in truth], [pair[1] for pair in truth]]
    assert (np.diff(filtered) > 0).any()  # float32 alone would rank otherwise
    assert answer(vectors, groups, n, tile) == truth[:n]


def test_filter_scores_off_by_nearly_the_margin():
    """Each product added to 1 is rounded up in one pair, and away in the better one."""
    vectors = np.full((3, 12), 2.0**-12, np.float32)
    vectors[:, 0] = 1.0
    vectors[1, 1:-1] *= 1.001
    vectors[1, -1] = 0.0
    vectors[2, 1:] *= 0.999
    filtered = vectors @ vectors.T
    assert filtered[0, 1] - filtered[0, 2] > join.margin(12, 1.0)
    truth = oracle.top_pairs(vectors, [0, 1, 1], 1)
    assert truth[0][:2] == (0, 2)
    assert answer(vectors, [0, 1, 1], 1, 64) == truth


def test_one_face_holds_all_the_best_pairs():
    generator = np.random.default_rng(5)
    vectors = np.eye(150, dtype=np.float32)
    vectors[70] = 1.0 + generator.random(150)
    groups = np.arange(150)
    found = answer(vectors, groups, 149, 32)
    assert all(70 in pair[:2] for pair in found)
    assert found == oracle.top_pairs(vectors, groups, 149)


def test_one_giant_identity():
    generator = np.random.default_rng(6)
    vectors = generator.standard_normal((120, 4)).astype(np.float32)
    groups = np.zeros(120, int)
    groups[[5, 64, 119]] = 1, 2, 3
    assert answer(vectors, groups, 60, 50) == oracle.top_pairs(vectors, groups, 60)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("tile", [17, 100, 1024])
def test_same_bytes_for_any_threads_and_tile(threads, tile):
    generator = np.random.default_rng(7)
    vectors = generator.standard_normal((300, 65)).astype(np.float32)
    vectors[150:] = vectors[:150]
    groups = np.arange(300) % 90
    reference = join.top_pairs(vectors, groups, 500, how=join.SearchOptions(tile=64))
    with threadpool_limits(threads):
        found = join.top_pairs(vectors, groups, 500, how=join.SearchOptions(tile=tile))
    for name in ("i", "j", "scores"):
        assert getattr(found, name).tobytes() == getattr(reference, name).tobytes()


def test_memory_mapped_and_read_only(tmp_path):
    vectors = np.random.default_rng(8).standard_normal((90, 5)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    groups = np.arange(90) // 3
    found = FlatIndex(mapped).top_pairs(25, groups)
    assert found.scores.tolist() == [pair[2] for pair in oracle.top_pairs(vectors, groups, 25)]
    assert isinstance(FlatIndex(mapped).vectors.base, np.memmap) or isinstance(
        FlatIndex(mapped).vectors, np.memmap
    )


def test_progress_ends_at_all_pairs():
    seen = []
    vectors = np.ones((10, 2), np.float32)
    join.top_pairs(
        vectors,
        np.arange(10),
        3,
        how=join.SearchOptions(tile=4),
        progress=lambda *at: seen.append(at),
    )
    assert seen[-1] == (45, 45)
    assert seen == sorted(seen)


def test_scores_are_summed_in_order():
    left = np.array([[1e8, 1.0, -1e8, 1.0]], np.float32)
    right = np.array([[1e8, 1.0, 1e8, 1.0]], np.float32)
    zero = np.zeros(1, np.int64)
    assert join.pair_scores(left, right, zero, zero)[0] == ((1e16 + 1.0) - 1e16) + 1.0


@given(st.integers(0, 2**32 - 1), st.integers(1, 200))
def test_the_margin_covers_float32(seed, terms):
    generator = np.random.default_rng(seed)
    scale = 10.0 ** generator.integers(-8, 8, terms)
    x, y = ((generator.standard_normal(terms) * scale).astype(np.float32) for _ in range(2))
    exact = oracle.score(x, y)
    product = float(np.linalg.norm(x.astype(float)) * np.linalg.norm(y.astype(float)))
    for order in (np.arange(terms), generator.permutation(terms)):
        total = np.float32(0)
        for a, b in zip(x[order], y[order], strict=True):
            total += a * b
        assert abs(float(total) - exact) <= join.margin(terms, product)


@pytest.mark.parametrize(
    ("vectors", "groups", "n", "message"),
    [
        (np.ones((3, 2)), [1, 2, 3], 0, "n of 0"),
        (np.ones((3, 2)), [1, 2, 3], 1.5, "n of 1.5"),
        (np.ones((3, 2)), [1, 2], 1, "one each"),
        (np.ones((3, 0)), [1, 2, 3], 1, "D of 1 or more"),
        (np.ones(3), [1, 2, 3], 1, r"expected \[N, D\]"),
        ([[1, np.nan], [1, 1], [np.inf, 1]], [1, 2, 3], 1, "row 0, 2"),
        ([["a"]], [1], 1, "expected float32"),
        ([[1e300]], [1], 1, "row 0"),
    ],
)
def test_bad_input(vectors, groups, n, message):
    with pytest.raises(IndexesError, match=message):
        FlatIndex(vectors).top_pairs(n, groups)
