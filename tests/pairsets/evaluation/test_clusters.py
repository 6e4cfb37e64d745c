"""Sums over pairs that share ends: the double loop, and every draw of the bootstrap."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet, ScoresError
from pairsets.evaluation.clusters import Clusters, Spread


@st.composite
def dyads(draw, count=6):
    ends = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.integers(-8, 8))
    found = draw(st.lists(ends, max_size=25))
    a, b, eighths = (np.array([row[k] for row in found], np.int64) for k in range(3))
    return a, b, eighths / 8


def by_double_loop(a, b, residuals):
    """Products of all pairs of pairs, by what the two share."""
    inside = across = shared = 0.0
    ends = [{i, j} for i, j in zip(a.tolist(), b.tolist(), strict=True)]
    for one, first in zip(ends, residuals, strict=True):
        for other, second in zip(ends, residuals, strict=True):
            if one == other and len(one) == 1:
                inside += first * second
            elif one == other:
                across += first * second
            elif one & other:
                shared += first * second
    return inside, across, shared


@given(dyads())
def test_spread_equals_the_double_loop(world):
    a, b, residuals = world
    expected = by_double_loop(a, b, residuals)
    found = Clusters(a, b, 6).spread(residuals)
    assert (found.inside, found.across, found.shared) == expected
    assert found.variance == expected[0] + expected[1] + max(expected[2], 0)
    turned = Clusters(b, a, 6).spread(residuals)
    assert turned == found
    # So many clusters that the dyads are numbered, and not counted in a table of all of them.
    assert Clusters(a * 400 + 3, b * 400 + 3, 2_500).spread(residuals) == found


def test_spread_of_many_clusters():
    """Of 300 clusters in a table, of 3,000 numbered: the same pairs."""
    generator = np.random.default_rng(3)
    a, b = generator.integers(0, 60, (2, 400))
    residuals = generator.integers(-8, 9, 400) / 8
    expected = by_double_loop(a, b, residuals)
    for step in (5, 50):
        found = Clusters(a * step, b * step, 60 * step).spread(residuals)
        assert (found.inside, found.across, found.shared) == expected


@given(dyads(count=4))
def test_what_the_bootstrap_gives_by_all_its_draws(world):
    a, b, residuals = world
    sums = []
    for kept in product((False, True), repeat=4):
        # A kept pair weighs one over its chance: 1/2 inside a cluster, 1/4 across two.
        weights = [
            (kept[i] and kept[j]) * (2 if i == j else 4)
            for i, j in zip(a.tolist(), b.tolist(), strict=True)
        ]
        sums.append(float(np.dot(weights, residuals)))
    variance = np.mean(np.square(sums)) - np.mean(sums) ** 2
    found = Clusters(a, b, 4).spread(residuals)
    assert found.resampled == pytest.approx(variance, abs=1e-9)


def test_shrinkage_brings_the_bootstrap_to_the_right_variance():
    alone = Clusters(np.array([0, 2]), np.array([1, 3]), 4).spread([1.0, -1.0])
    assert (alone.variance, alone.resampled) == (2.0, 6.0)
    assert alone.shrinkage**2 * 6.0 == pytest.approx(2.0)
    within = Clusters(np.array([0, 1]), np.array([0, 1]), 2).spread([1.0, -1.0])
    assert (within.variance, within.shrinkage) == (2.0, 1.0)
    # Both at one hub, pulling against each other: a covariance below nought counts as none.
    hub = Clusters(np.array([0, 0]), np.array([1, 2]), 3).spread([1.0, -1.0])
    assert (hub.across, hub.shared, hub.variance, hub.resampled) == (2.0, -2.0, 2.0, 4.0)
    assert Spread(0.0, 0.0, 0.0).shrinkage == 1.0


# Sorted by path, "a b/2" stands before "a/1", and the identities are a b, a, 橘_雪.
PAIRS = PairSet.of(
    ["a/1", "橘_雪/1", "a b/2", "a/2"],
    ["a b/1", "a/1", "a b/1", "橘_雪/2"],
    [0, 0, 1, 0],
    -1,
    [0, 0, 0, 1],
)


def test_characters_and_images_of_pairs():
    identities = Clusters.of(PAIRS)
    assert (identities.count, identities.used, len(identities)) == (3, 3, 4)
    ends = [
        (p.split("/")[0], q.split("/")[0]) for p, q in zip(PAIRS.path_a, PAIRS.path_b, strict=True)
    ]
    names = {}
    for (first, second), i, j in zip(ends, identities.a, identities.b, strict=True):
        assert names.setdefault(first, i) == i
        assert names.setdefault(second, j) == j
    assert len(set(names.values())) == 3
    images = Clusters.of(PAIRS, "image")
    assert (images.by, images.count) == ("image", 6)
    assert images.a.tolist() == [PAIRS.paths.index(path) for path in PAIRS.path_a]
    assert images.b.tolist() == [PAIRS.paths.index(path) for path in PAIRS.path_b]
    with pytest.raises(ScoresError, match="clusters by 'face'; expected identity or image"):
        Clusters.of(PAIRS, "face")


@pytest.mark.parametrize("by", ["identity", "image"])
def test_numbers_belong_to_names_in_any_order_of_rows(by):
    order = np.array([2, 0, 3, 1])
    found, other = Clusters.of(PAIRS, by), Clusters.of(PAIRS.take(order), by)
    assert found.a[order].tolist() == other.a.tolist()
    assert found.b[order].tolist() == other.b.tolist()
    turned = Clusters.of(PairSet.of(PAIRS.path_b, PAIRS.path_a, PAIRS.label), by)
    assert (turned.a.tolist(), turned.b.tolist()) == (found.b.tolist(), found.a.tolist())


def test_a_part_keeps_its_numbers_until_it_is_packed():
    whole = Clusters(np.array([0, 5, 2]), np.array([5, 5, 7]), 9, "image")
    part = whole.take(np.array([False, True, True]))
    assert (part.a.tolist(), part.b.tolist(), part.count, part.used) == ([5, 2], [5, 7], 9, 3)
    packed = part.packed()
    assert (packed.a.tolist(), packed.b.tolist()) == ([1, 0], [1, 2])
    assert (packed.count, packed.used, packed.by) == (3, 3, "image")
    assert packed.spread([1.0, 2.0]) == part.spread([1.0, 2.0])
    assert whole.take(np.array([2, 0])).a.tolist() == [2, 0]
    none = whole.take(np.zeros(3, bool)).packed()
    assert (len(none), none.count, none.spread([]).variance) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("a", "b", "count", "message"),
    [
        ([0, 1], [0], 2, r"clusters of shapes \(2,\) and \(1,\); expected one number an end"),
        ([[0]], [[0]], 1, r"clusters of shapes \(1, 1\) and \(1, 1\)"),
        ([0, 2], [0, 1], 2, "cluster numbers outside 0 to 1"),
        ([0, 1], [0, -1], 2, "cluster numbers outside 0 to 1"),
    ],
)
def test_bad_clusters(a, b, count, message):
    with pytest.raises(ScoresError, match=message):
        Clusters(np.array(a), np.array(b), count)


def test_residuals_of_other_pairs_are_refused_and_none_are_changed():
    ends = np.array([0, 1, 1])
    ends.setflags(write=False)
    residuals = np.array([0.5, -0.5, 0.25])
    residuals.setflags(write=False)
    clusters = Clusters(ends, ends, 2)
    assert clusters.spread(residuals).inside == 0.25 + 0.0625
    with pytest.raises(ScoresError, match=r"residuals of shape \(2,\) for 3 pairs"):
        clusters.spread(residuals[:2])


@given(dyads())
def test_degrees_of_freedom_by_loops(world):
    """Of few clusters that carry what is shared, few; of nothing shared, no limit."""
    a, b, residuals = world
    found = Clusters(a, b, 6).spread(residuals)
    sums = [0.0] * 6
    for i, j, one in zip(a.tolist(), b.tolist(), residuals.tolist(), strict=True):
        for end in {i, j}:
            sums[end] += one
    if found.shared <= 0:
        assert found.degrees == np.inf
        return
    even = sum(s**2 for s in sums) ** 2 / sum(s**4 for s in sums)
    assert 1 <= even <= 6 + 1e-9
    assert found.degrees == pytest.approx(even * (found.variance / found.shared) ** 2)


def test_clusters_that_share_evenly_count_in_full():
    """Ten hubs of many pairs each, alike: about ten degrees; one hub above all: about one."""
    hubs, leaves = np.repeat(np.arange(10), 50), np.arange(10, 510)
    alike = Clusters(hubs, leaves, 510).spread(np.where(hubs % 2, 1.0, -1.0))
    assert 10 < alike.degrees < 11.5
    single = Clusters(hubs, leaves, 510).spread(np.where(hubs == 0, 9.0, 0.1))
    assert 1 < single.degrees < 1.2


_MANY = """
import numpy as np
from pairsets.evaluation.clusters import Clusters
generator = np.random.default_rng(1)
a, b = generator.integers(0, 30_000, (2, 60_000))
print(repr(Clusters(a, b, 30_000).spread(generator.normal(size=60_000))))
"""


def test_the_same_to_the_last_digit_with_any_number_of_threads_on_any_processor():
    """As the sums of a linear algebra library are not, which shares them among threads."""
    found = set()
    for threads, processor in ((1, ""), (2, ""), (1, "Haswell"), (1, "Nehalem")):
        told = {"OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
        told |= {"OPENBLAS_CORETYPE": processor} if processor else {}
        done = subprocess.run(
            [sys.executable, "-c", _MANY],
            env={**os.environ, **told},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        found.add(done.stdout)
    assert len(found) == 1
