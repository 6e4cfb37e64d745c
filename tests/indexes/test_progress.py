"""What is reported of a search: pairs done, rising to all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from indexes import FlatIndex, join


def reports(how, vectors, codes, n=20, **options):
    seen = []
    join.top_pairs(vectors, codes, n, how=how, progress=lambda *at: seen.append(at), **options)
    return seen


@pytest.mark.parametrize("world", ["ties", "giant group", "one group"], indirect=True)
def test_it_rises_to_all_pairs(way, world):
    vectors, codes = (array[:40] for array in world)
    for tile in (2, 7, 64, None):
        seen = reports(way(tile=tile, threads=2), vectors, codes)
        assert {total for _, total in seen} == {40 * 39 // 2}
        done = [pairs for pairs, _ in seen]
        assert done[0] == 0
        assert done[-1] == 40 * 39 // 2
        assert done == sorted(done)


def test_it_is_told_tile_by_tile(way):
    """No tile is larger than what was asked for, so neither is a step; others tell of shares."""
    how = way(tile=8)
    seen = reports(how, np.eye(64, dtype=np.float32), np.arange(64))
    steps = np.diff([pairs for pairs, _ in seen])
    side, count = (8, 36) if how.crew is None else (how.crew.block(64, 64, 8), 10)
    assert steps.max() == side**2
    assert (steps > 0).sum() >= count


def test_of_active_rows_alone(way):
    active = np.arange(64) % 4 == 0
    seen = reports(way(tile=5), np.eye(64, dtype=np.float32), np.arange(64), active=active)
    assert seen[-1] == (16 * 15 // 2, 16 * 15 // 2)


@pytest.mark.parametrize("count", [0, 1])
def test_of_no_pairs(way, count):
    seen = reports(way(), np.ones((count, 3), np.float32), np.arange(count))
    assert set(seen) == {(0, 0)}


def test_where_only_float64_will_do(way):
    """The fast search hands over to the plain one, and nothing is counted twice."""
    vectors = np.full((50, 3), 1e30, np.float32)
    seen = reports(way(tile=8), vectors, np.arange(50))
    done = [pairs for pairs, _ in seen]
    assert done == sorted(done)
    assert done[0] == 0
    assert seen[-1] == (50 * 49 // 2, 50 * 49 // 2)


def test_of_the_lowest_pairs():
    seen = []
    index = FlatIndex(np.eye(2500, 3, dtype=np.float32))
    index.bottom_pairs(3, np.arange(2500) // 2, progress=lambda *at: seen.append(at))
    assert seen == sorted(seen)
    assert len(seen) == 3
    assert seen[-1][0] == seen[-1][1]
