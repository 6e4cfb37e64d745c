"""Warnings: pairs that are lacking, and hubs that fill the set far beyond chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.worlds import all_pairs, world

import mining.ranking.warnings
from mining import Rules, mine_negatives, mine_positives
from mining.ranking.warnings import chance_of, warnings_of
from pairsets import PairSet


@pytest.fixture
def hub():
    """One face, near to each of 60 others of as many identities."""
    vectors = np.r_[[[50, 0]], np.c_[np.ones(60), np.arange(60) / 100]]
    return world(vectors, [f"{row:02}" for row in range(61)])


def test_a_hub_is_named_with_the_flag_that_spreads_it(hub):
    assert warnings_of(mine_negatives(hub, 40)) == [
        "Hubs fill the set: one image is in 40 of the 40 pairs (100.0 %), one identity is in 40 "
        "of the 40 pairs (100.0 %). To spread it: --max-per-image N, --max-per-identity N."
    ]
    capped = Rules(max_per_image=40)
    assert warnings_of(mine_negatives(hub, 40, rules=capped)) == [
        "Hubs fill the set: one identity is in 40 of the 40 pairs (100.0 %). "
        "To spread it: --max-per-identity N."
    ]
    assert warnings_of(mine_negatives(hub, 40, rules=Rules(max_per_identity=40)))
    both = Rules(max_per_image=40, max_per_identity=40)
    assert warnings_of(mine_negatives(hub, 40, rules=both)) == []


def test_a_small_share_is_no_hub(hub, monkeypatch):
    mined = mine_negatives(hub, 80)
    assert mined.hubness.image.share == 60 / 80
    assert "one image is in 60 of the 80 pairs (75.0 %)" in warnings_of(mined)[0]
    monkeypatch.setattr(mining.ranking.warnings, "HUB_SHARE", 0.75)
    assert warnings_of(mined) == []


def test_few_pairs_or_what_chance_would_give_are_no_hub(hub):
    assert warnings_of(mine_negatives(hub, 9)) == []
    assert len(warnings_of(mine_negatives(hub, 10))) == 1
    # In all pairs, each of 61 faces is in 60 of 1,830: more than 1 in 100, but nothing unusual.
    assert warnings_of(mine_negatives(hub, 1830)) == []


def test_two_identities_that_fill_a_set():
    """Twins of 12 faces each: no face is in many pairs, the two identities are in all."""
    generator = np.random.default_rng(0)
    vectors = np.r_[
        np.c_[np.full(24, 5.0), generator.standard_normal(24) / 10],
        generator.standard_normal((60, 2)),
    ]
    found = world(vectors, ["a"] * 12 + ["b"] * 12 + [f"{row:02}" for row in range(60)])
    (warning,) = warnings_of(mine_negatives(found, 144))
    assert "one identity pair is in 144 of the 144 pairs (100.0 %)" in warning
    assert "one image" not in warning
    assert warning.endswith("To spread it: --max-per-identity-pair N.")


@pytest.mark.parametrize("same", [False, True])
def test_what_chance_gives_is_the_share_of_all_pairs(same):
    found = world(np.arange(9)[:, None], "aaaabbbcc")
    mined = (mine_positives if same else mine_negatives)(found, 2)
    pairs = all_pairs(found, same=same)
    names, paths = found.faces.identities, found.faces.paths

    def share(condition):
        return sum(condition(i, j) for i, j, _ in pairs) / len(pairs)

    assert chance_of("image", (paths[0],), mined) == share(lambda i, j: 0 in (i, j))
    assert chance_of("identity", ("b",), mined) == share(lambda i, j: "b" in (names[i], names[j]))
    two = ("b", "b") if same else ("a", "c")
    together = share(lambda i, j: (names[i], names[j]) == two)
    assert chance_of("identity pair", two, mined) == together > 0


def test_pairs_that_are_lacking(hub):
    everything = mine_negatives(hub, 2000)
    assert warnings_of(everything) == ["2,000 pairs were asked for, but only 1,830 exist."]
    few = mine_negatives(hub, 99, rules=Rules(min_score=50))
    assert warnings_of(few)[0] == (
        "99 pairs were asked for, but only 60 exist that keep to the rules."
    )
    cut = replace(everything, exact=False, rules=Rules(max_per_image=9, max_per_identity=9))
    (first, *_) = warnings_of(cut)
    assert first == (
        "2,000 pairs were asked for, but only 1,830 were found that keep to the rules; further "
        "down there may be more."
    )
    unsure = replace(mine_negatives(hub, 9), exact=False)
    assert warnings_of(unsure) == ["Better pairs than some of these may have been missed."]


def test_excluded_pairs_of_other_faces(hub):
    """Of which one face is among these, but no pair."""
    elsewhere = PairSet.of(["00/000", "x/1"], ["x/1", "x/2"], 0)
    mined = mine_negatives(hub, 9, exclude=[elsewhere])
    assert warnings_of(mined) == [
        "None of the excluded pairs is of these faces: 2 of their paths no face has; were they "
        "made from another folder?"
    ]
    some = PairSet.of(["00/000"], ["01/001"], 0)
    assert warnings_of(mine_negatives(hub, 9, exclude=[elsewhere, some])) == []
    assert warnings_of(mine_negatives(hub, 9, exclude=[some])) == []


def test_a_hub_of_hard_positives():
    """One of 13 faces of an identity is far from the others; those of 11 identities are near."""
    vectors = np.r_[[[-5.0]], np.ones((12, 1)), np.full((220, 1), 2.0)]
    found = world(vectors, ["00"] * 13 + [f"{row:02}" for row in range(1, 12) for _ in range(20)])
    assert warnings_of(mine_positives(found, 12)) == [
        "Hubs fill the set: one image is in 12 of the 12 pairs (100.0 %), one identity is in 12 "
        "of the 12 pairs (100.0 %). To spread it: --max-per-image N, --max-per-identity N."
    ]
