"""Rates by rank: the same as counting bin by bin, and hubs that were planted."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsets import PairSet, ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.hardness import hardness
from pairsets.evaluation.intervals import clustered_rate

IMAGES = [f"{identity}/{number}" for identity in "abcde" for number in range(2)]


@st.composite
def mined_pairs(draw):
    """Pairs in any order with ranks that have gaps; some have none, some do not count."""
    chosen = draw(st.lists(st.sampled_from(list(combinations(IMAGES, 2))), unique=True, min_size=1))
    count = len(chosen)
    columns = [
        draw(st.lists(st.sampled_from(values), min_size=count, max_size=count))
        for values in (
            [0, 0, 0, 1],
            [0, 0, 0, 1],
            [True, False],
            [True, False],
            [True, True, False],
        )
    ]
    label, invalid, first, second, mined = columns
    pairs = PairSet.of([a for a, _ in chosen], [b for _, b in chosen], label, -1, invalid)
    places = draw(st.permutations(range(1, 2 * count + 1)))[:count]
    rank = np.where(mined, places, 0)
    accepted = {"one": np.array(first), "$two$": np.array(second)}
    for array in (rank, *accepted.values()):
        array.setflags(write=False)
    return pairs, rank, accepted


def naive_hubs(pairs, rows, share):
    counts = Counter(path for row in rows for path in (pairs.path_a[row], pairs.path_b[row]))
    most = math.ceil(round(share * len(counts), 9))
    return {
        path: count
        for path, count in counts.items()
        if count >= 2 and sum(other >= count for other in counts.values()) <= most
    }


@given(mined_pairs(), st.integers(1, 7), st.sampled_from([0, 0.01, 0.07, 0.1, 0.5, 1]))
@settings(max_examples=300, deadline=None)
def test_equals_counting(mined, bins, share):
    pairs, rank, accepted = mined
    rows = [row for row in np.argsort(rank) if rank[row] and pairs.negatives[row]]
    if not rows:
        with pytest.raises(ScoresError, match="no valid negative with a rank"):
            hardness(pairs, rank, accepted, bins=bins, hub_share=share)
        return
    found = hardness(pairs, rank, accepted, bins=bins, hub_share=share)
    assert found.rank.tolist() == [rank[row] for row in rows]
    assert found.left_out == sum(1 for row in range(len(pairs)) if rank[row]) - len(rows)
    hubs = naive_hubs(pairs, rows, share)
    assert dict(zip(found.hubs, found.hub_counts, strict=True)) == hubs
    assert found.hubs.tolist() == sorted(hubs, key=lambda path: (-hubs[path], path))
    has_hub = {row: pairs.path_a[row] in hubs or pairs.path_b[row] in hubs for row in rows}
    assert found.hub_pairs == sum(has_hub.values())
    assert found.hub_share == sum(has_hub.values()) / len(rows)
    assert found.images == len({p for row in rows for p in (pairs.path_a[row], pairs.path_b[row])})
    sizes = [one.pairs for one in found.bins]
    assert len(sizes) == min(bins, len(rows))
    assert sum(sizes) == len(rows) == len(found)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] - sizes[-1] <= 1
    clusters, start = Clusters.of(pairs, "identity"), 0
    for one in found.bins:
        inside = rows[start : start + one.pairs]
        apart = [row for row in inside if not has_hub[row]]
        assert (one.first, one.last) == (rank[inside[0]], rank[inside[-1]])
        assert one.hub_pairs == len(inside) - len(apart)
        assert one.hub_share == pytest.approx(1 - len(apart) / len(inside))
        for model, taken in accepted.items():
            assert one.fpr[model].value == pytest.approx(np.mean([taken[row] for row in inside]))
            expected = clustered_rate(taken[inside], clusters.take(np.array(inside)))
            assert one.fpr[model] == expected
            assert one.fpr_without_hubs[model].count == len(apart)
            if apart:
                share_apart = np.mean([taken[row] for row in apart])
                assert one.fpr_without_hubs[model].value == pytest.approx(share_apart)
            else:
                assert np.isnan(one.fpr_without_hubs[model].value)
        start += one.pairs
    for model, taken in accepted.items():
        means = [np.mean([taken[row] for row in rows[: at + 1]]) for at in range(len(rows))]
        np.testing.assert_allclose(found.cumulative[model], means)
    assert found.models == ["one", "$two$"]


def star(hubs, leaves, size):
    """`hubs` images in `leaves` pairs each, then `size` pairs of images that occur once."""
    path_a = [f"hub {hub}/0" for hub in range(hubs) for _ in range(leaves)]
    path_b = [f"leaf {at}/0" for at in range(hubs * leaves)]
    path_a += [f"x{at}/0" for at in range(size)]
    path_b += [f"y{at}/0" for at in range(size)]
    return PairSet.of(path_a, path_b, 0)


def test_planted_hubs_are_found_whatever_the_size():
    for times in (1, 3):
        pairs = star(2 * times, 20, 60 * times)
        rank = np.arange(1, len(pairs) + 1)
        wrong = np.arange(len(pairs)) < 40 * times
        found = hardness(pairs, rank, {"m": wrong}, bins=4, hub_share=0.0125)
        assert found.hubs.tolist() == sorted(f"hub {at}/0" for at in range(2 * times))
        assert set(found.hub_counts) == {20}
        assert found.hub_share == 0.4
        assert [one.hub_share for one in found.bins] == [1.0, 0.6, 0.0, 0.0]
        assert [one.fpr["m"].value for one in found.bins] == [1.0, 0.6, 0.0, 0.0]
        assert [one.fpr_without_hubs["m"].value for one in found.bins[1:]] == [0.0] * 3
        # One hub fewer may be, and since the two are alike neither is.
        few = hardness(pairs, rank, {"m": wrong}, hub_share=0.005)
        assert few.hubs.size == few.hub_pairs == 0


def test_a_share_that_comes_out_even_is_not_rounded_up():
    """0.07 times 100 is a little more than 7 as floats go."""
    pairs = star(8, 2, 38)
    rank = np.arange(1, len(pairs) + 1)
    sizes = [hardness(pairs, rank, {}, hub_share=share) for share in (0.07, 0.071, 0.08)]
    assert [(found.images, found.hubs.size) for found in sizes] == [(100, 0), (100, 8), (100, 8)]


def test_images_that_are_all_alike_are_no_hubs():
    ring = PairSet.of(
        [f"{at}/0" for at in range(50)], [f"{(at + 1) % 50}/0" for at in range(50)], 0
    )
    found = hardness(ring, np.arange(1, 51), {}, hub_share=0.1)
    assert (found.hubs.size, found.hub_share, found.images) == (0, 0.0, 50)
    assert hardness(ring, np.arange(1, 51), {}, hub_share=1).hub_share == 1.0


def test_bad_input_is_refused():
    pairs = PairSet.of(["a/0", "a/1"], ["b/0", "b/1"], 0)
    good = np.array([True, False])
    for rank, message in (
        ([1], r"ranks of shape \(1,\) for 2 pairs"),
        ([1, -1], "negative or no whole numbers"),
        ([1.0, 2.0], "negative or no whole numbers"),
        ([3, 3], "rank 3 is there twice"),
        ([0, 0], "no valid negative with a rank among 2 pairs"),
    ):
        with pytest.raises(ScoresError, match=message):
            hardness(pairs, rank, {"m": good})
    for wrong in (np.array([True]), np.array([1, 0]), np.array([0.5, 0.1])):
        with pytest.raises(ScoresError, match=r"m: decisions of dtype .* expected a bool a pair"):
            hardness(pairs, [1, 2], {"m": wrong})
    with pytest.raises(ScoresError, match="0 bins"):
        hardness(pairs, [1, 2], {"m": good}, bins=0)
    for share in (-0.1, 1.5, np.nan):
        with pytest.raises(ScoresError, match="a hub share of"):
            hardness(pairs, [1, 2], {"m": good}, hub_share=share)


def test_the_published_adversarial_set(real_data):
    pairs = PairSet.read(real_data / "zaci20" / "zaci20_test_pairs_adversarial.csv")
    rank = np.zeros(len(pairs), int)
    rank[pairs.negatives] = np.arange(1, 2992)
    human = pairs.human_prediction == 1
    found = hardness(pairs, rank, {"person": human})
    assert (len(found), found.images, len(found.bins)) == (2991, 1076, 20)
    # The 11 images in most pairs, but for those that tie with the twelfth.
    assert 8 <= len(found.hubs) <= 11
    assert (found.hubs[0], found.hub_counts[0]) == ("juza/654390.jpg", 63)
    assert found.cumulative["person"][-1] == pytest.approx(0.1361, abs=1e-4)
    last = found.bins[-1].fpr["person"]
    assert last.low < last.value < last.high
