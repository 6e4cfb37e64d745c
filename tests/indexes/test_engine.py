"""The fast search against the double loop: by every filter and every way out of one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import oracle
from support.oracle import as_bytes, listed

from indexes import join
from indexes.join import plan, search
from indexes.join.best import Best
from indexes.join.constraints import PairConstraints
from indexes.join.engine import Engine
from indexes.join.kernels import BF16
from indexes.join.tiles import Tile

# `way` is bent once a test, before the first example: no example sees another's state.
SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_equals_the_double_loop(way, world):
    vectors, codes = world
    truth = oracle.top_pairs(vectors, codes, 5000)
    for n, tile, threads in ((1, 64, 1), (30, 7, 3), (5000, 20, 2)):
        found = join.top_pairs(vectors, codes, n, how=way(tile=tile, threads=threads))
        assert listed(found) == truth[:n]


def test_the_threshold_rises_as_pairs_come(way, world, monkeypatch):
    """Without the block that seeds it: the first tiles let everything through."""
    monkeypatch.setattr(search._Search, "_seed", lambda self: None)
    vectors, codes = world
    truth = oracle.top_pairs(vectors, codes, 60)
    for n in (1, 60):
        found = join.top_pairs(vectors, codes, n, how=way(tile=9, threads=2))
        assert listed(found) == truth[:n]


@st.composite
def small_worlds(draw):
    count, size = draw(st.integers(0, 20)), draw(st.integers(1, 6))
    # Few values make ties and exact duplicates common, and zeros of both signs.
    values = draw(
        st.sampled_from([[-1.0, -0.0, 0.0, 1.0], [0.1, 0.2, 0.3], [-1e4, 3.7, 1e-3, 7e7]])
    )
    cells = draw(st.lists(st.sampled_from(values), min_size=count * size, max_size=count * size))
    groups = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    vectors = np.array(cells, np.float32).reshape(count, size)
    codes = np.unique(np.array(groups, int), return_inverse=True)[1].astype(np.int64)
    limit = draw(st.none() | st.sampled_from([-1.0, -0.0, 0.0, 1.0]))
    return vectors, codes, draw(st.integers(1, 40)), draw(st.integers(1, 9)), limit


@given(small=small_worlds())
@SETTINGS
def test_small_worlds_full_of_ties(way, small):
    vectors, codes, n, tile, limit = small
    found = join.top_pairs(vectors, codes, n, min_score=limit, how=way(tile=tile, threads=2))
    assert listed(found) == oracle.top_pairs(vectors, codes, n, min_score=limit)


@given(
    codes=st.lists(st.integers(0, 2), min_size=1, max_size=12).map(np.array),
    times=st.integers(1, 12),
    ends=st.lists(st.integers(0, 144), min_size=4, max_size=4, unique=True).map(sorted),
)
@SETTINGS
def test_only_pairs_of_one_group_are_closed(codes, times, ends):
    """Groups may come in several runs: long rows stand before all."""
    codes = np.repeat(codes, times)
    engine = Engine(
        Best(np.ones((len(codes), 1), np.float32), 1, PairConstraints(codes)),
        np.arange(len(codes)),
        np.ones(len(codes)),
        [],
    )
    first, last, side, stop = (min(end, len(codes)) for end in ends)
    for tile in (Tile(slice(first, last), slice(side, stop)), Tile(*[slice(first, last)] * 2)):
        alike = codes[tile.rows][:, None] == codes[tile.columns]
        if not alike.size:
            continue
        closed = engine._closed(tile)
        assert (closed is None) == alike.all()
        for top, bottom, left, right in closed or ():
            assert alike[top:bottom, left:right].all()


@pytest.mark.parametrize("world", ["orthogonal", "opposed", "ties"], indirect=True)
def test_a_threshold_that_scores_stand_on(way, world):
    vectors, codes = world
    for limit in (-2.0, -1.0, -1e-30, -0.0, 0.0, 1e-30, 1.0):
        truth = oracle.top_pairs(vectors, codes, 5000, min_score=limit)
        found = join.top_pairs(vectors, codes, 5000, min_score=limit, how=way(tile=16))
        assert listed(found) == truth


def test_a_threshold_that_no_float32_holds(way):
    vectors, codes = np.eye(30, dtype=np.float32), np.arange(30)
    for limit in (-1e300, -4e38, 4e38, 1e300):
        found = join.top_pairs(vectors, codes, 9, min_score=limit, how=way(tile=16))
        assert listed(found) == oracle.top_pairs(vectors, codes, 9, min_score=limit)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_rows(way, count):
    for size in (1, 9):
        vectors = np.full((count, size), 0.7, np.float32)
        for codes in (np.arange(count), np.zeros(count, np.int64)):
            found = join.top_pairs(vectors, codes, 3, how=way(threads=2))
            assert listed(found) == oracle.top_pairs(vectors, codes, 3)


def test_same_bytes_for_any_threads_and_tile(way):
    """Ties across tiles and threads, more of them than are asked for."""
    generator = np.random.default_rng(7)
    vectors = generator.standard_normal((300, 65)).astype(np.float32)
    vectors[150:] = vectors[:150]
    codes = np.arange(300) % 90
    reference = as_bytes(join.top_pairs(vectors, codes, 500, how=join.SearchOptions(tile=64)))
    for tile, threads in ((17, 2), (100, 1), (100, 5), (1024, 3), (None, 2)):
        found = join.top_pairs(vectors, codes, 500, how=way(tile=tile, threads=threads))
        assert as_bytes(found) == reference


def test_a_zero_has_one_sign_in_all_tiles(way):
    """-0.0 times 1 is -0.0: scored alone or as one of many, its sum is the same number."""
    for vectors in ([[-0.0], [1.0]], [[-0.0], [1.0], [1.0], [-0.0]]):
        array, codes = np.array(vectors, np.float32), np.arange(len(vectors)) % 3
        for limit in (None, 0.0):
            truth = as_bytes(oracle.top_pairs(array, codes, 4, min_score=limit))
            for tile in (1, 2, 4):
                found = join.top_pairs(array, codes, 4, min_score=limit, how=way(tile=tile))
                assert as_bytes(found) == truth


@pytest.mark.parametrize("spread", [1.0, 0.05])
def test_as_many_rows_as_seed_and_measure(spread, monkeypatch):
    """Enough for seeds beyond one block and for a plan, of which nothing may be seen."""
    generator = np.random.default_rng(8)
    vectors = generator.standard_normal((1500, 256)) * np.r_[np.ones(40), np.full(216, spread)]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    codes = generator.integers(0, 400, 1500)
    reference = as_bytes(join.top_pairs(vectors, codes, 2000, how=join.SearchOptions(tile=512)))
    planned, original = [], plan.Plan.__init__

    def noted(self, *given):
        original(self, *given)
        planned.append(self)

    monkeypatch.setattr(plan.Plan, "__init__", noted)
    for precision in ("bf16", "fp32"):
        found = join.top_pairs(
            vectors, codes, 2000, how=join.SearchOptions(precision=precision, tile=300)
        )
        assert as_bytes(found) == reference
    # The narrower the spectrum, the less a narrow bound lets through.
    assert len(planned) == 2
    least = [min(made.shares.values()) for made in planned]
    assert all((share < 0.01) == (spread < 1) for share in least)


def test_what_passes_a_narrow_bound_is_measured_on_rows_beside_its_basis(monkeypatch):
    """A basis fits the rows that it was made of better than all others."""
    vectors = np.random.default_rng(9).standard_normal((6000, 256))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    bases, planned = [], []
    leading, original = plan.leading, plan.Plan.__init__
    monkeypatch.setattr(plan, "leading", lambda *given: bases.append(leading(*given)) or bases[-1])

    def noted(self, *given):
        original(self, *given)
        planned.append(self)

    monkeypatch.setattr(plan.Plan, "__init__", noted)
    how = join.SearchOptions(precision="bf16", tile=512)
    join.top_pairs(vectors, np.arange(6000), 50, min_score=0.66, how=how)
    (made,), (basis,) = planned, bases
    width = max(made.shares)
    inside = vectors @ basis[:, : width - 1]
    rest = np.sqrt(1 - (inside**2).sum(axis=1))
    bounds = inside[:1000] @ inside[3000:].T + np.outer(rest[:1000], rest[3000:])
    share = (bounds >= 0.66 - BF16.slack).mean()
    assert share > 0.05
    assert made.shares[width] == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize("world", ["cone"], indirect=True)
def test_files_and_read_only_arrays(way, world, tmp_path):
    """They are read without a word, and left as they were."""
    vectors, codes = world
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)  # else only the first one of a process would be heard
    try:
        found = join.top_pairs(mapped, codes, 25, how=way(tile=16))
    finally:
        torch.set_warn_always(before)
    assert listed(found) == oracle.top_pairs(vectors, codes, 25)
    assert np.load(tmp_path / "vectors.npy").tobytes() == vectors.tobytes()
