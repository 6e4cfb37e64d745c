"""Average linkage: the clusters of scipy, laid so that neighbours are near."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from pairsets.errors import PairsetsError
from pairsets.evaluation.seriation import seriate


def distances(count, seed):
    """Symmetric, without ties: where two are equal, scipy may join others first."""
    values = np.random.default_rng(seed).permutation(count * (count - 1) // 2) + 1.0
    found = squareform(np.sqrt(values), checks=False)
    found.setflags(write=False)
    return found


def parts(order, heights, most):
    """The clusters at a height, as sets of rows."""
    cut = np.split(order, np.flatnonzero(heights > most) + 1)
    return {frozenset(part.tolist()) for part in cut}


@given(st.integers(2, 24), st.integers(0, 2**32 - 1))
def test_clusters_are_those_of_scipy_at_every_height(count, seed):
    given_ = distances(count, seed)
    order, heights = seriate(given_)
    tree = linkage(squareform(given_), "average")
    assert sorted(order.tolist()) == list(range(count))
    np.testing.assert_allclose(np.sort(heights), tree[:, 2])
    for height in tree[:, 2] + 1e-9:
        numbers = fcluster(tree, height, "distance")
        expected = {frozenset(np.flatnonzero(numbers == one).tolist()) for one in set(numbers)}
        assert parts(order, heights, height) == expected


@given(st.integers(3, 12), st.integers(0, 2**32 - 1))
def test_runs_meet_with_their_nearest_ends(count, seed):
    """No two runs that are joined can be laid better by turning either of them round."""
    given_ = distances(count, seed)
    order, heights = (part.tolist() for part in seriate(given_))
    for at, height in enumerate(heights):
        left = at
        while left > 0 and heights[left - 1] < height:
            left -= 1
        right = at + 1
        while right < len(heights) and heights[right] < height:
            right += 1
        ends = (order[left], order[at]), (order[at + 1], order[right])
        met = given_[order[at], order[at + 1]]
        assert met == min(given_[a, b] for a in ends[0] for b in ends[1])


def test_blocks_that_were_shuffled_stand_together_again():
    generator = np.random.default_rng(5)
    block = generator.permutation(np.repeat(np.arange(6), 4))
    found = np.where(block[:, None] == block, 0.2, 1.0)
    order, heights = seriate(found)
    changes = sum(block[a] != block[b] for a, b in pairwise(order))
    assert changes == 5
    assert (np.round(heights, 9) == 1.0).sum() == 5


def test_ties_go_by_the_lowest_row_and_arguments_stay():
    same = np.ones((5, 5))
    same.setflags(write=False)
    first = seriate(same)
    assert first[0].tolist() == [0, 1, 2, 3, 4]
    assert first[1].tolist() == [1.0] * 4
    paired = np.array([[0, 5, 1, 5], [5, 0, 5, 1], [1, 5, 0, 5], [5, 1, 5, 0]])
    assert parts(*seriate(paired), 1) == {frozenset({0, 2}), frozenset({1, 3})}
    assert [part.tolist() for part in seriate(np.empty((0, 0)))] == [[], []]
    assert [part.tolist() for part in seriate([[7]])] == [[0], []]


def test_what_is_no_matrix_is_refused():
    with pytest.raises(PairsetsError, match=r"shape \(2, 3\); expected \[K, K\]"):
        seriate(np.ones((2, 3)))
    with pytest.raises(PairsetsError, match=r"expected \[K, K\]"):
        seriate([1.0, 2.0])
