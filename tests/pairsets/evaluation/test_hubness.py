"""Who fills a pair set: counted as on paper, and on the published adversarial set."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import Hubness, PairSet
from pairsets.evaluation.hubness import hub_faces
from pairsets.faces import identity_of

IMAGES = [f"{identity}/{number}" for identity in "abc" for number in range(3)]


@given(st.lists(st.tuples(st.sampled_from(IMAGES), st.sampled_from(IMAGES)), max_size=20))
def test_equals_counting(pairs):
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    found = Hubness.of([a for a, _ in pairs], [b for _, b in pairs])
    images = Counter(path for pair in pairs for path in pair)
    identities = Counter(name for pair in pairs for name in {*map(identity_of, pair)})
    both = Counter(tuple(sorted(map(identity_of, pair))) for pair in pairs)
    assert (found.pairs, found.images) == (len(pairs), len(images))
    assert (found.identities, found.identity_pairs) == (len(identities), len(both))
    for hub, counts in (
        (found.image, Counter({(name,): n for name, n in images.items()})),
        (found.identity, Counter({(name,): n for name, n in identities.items()})),
        (found.identity_pair, both),
    ):
        if not pairs:
            assert hub is None
            continue
        most = max(counts.values())
        assert (hub.count, hub.share) == (most, most / len(pairs))
        assert hub.names == min(name for name, count in counts.items() if count == most)
    filled = np.cumsum(sorted(images.values(), reverse=True))
    assert found.half == next((n for n, sum_ in enumerate(filled, 1) if sum_ >= len(pairs)), 0)


def test_what_is_printed_and_written():
    pairs = PairSet.of(
        ["a/0", "a/0", "a/0", "b/0"], ["b/0", "c/0", "a/1", "c/9"], [0, 0, 1, 0], -1, [0, 0, 0, 1]
    )
    found = Hubness.of_negatives(pairs)
    assert found.rows() == [
        ("images", "3"),
        ("identities", "3"),
        ("identity pairs", "2"),
        ("images that fill half of the places", "1"),
        ("most pairs with one image", "2 (100.0 %)"),
        ("most pairs with one identity", "2 (100.0 %)"),
        ("most pairs with one identity pair", "1 (50.0 %)"),
    ]
    assert found.sentence().startswith("images 3, identities 3, identity pairs 2, images that")
    content = found.content()
    assert (content["pairs"], content["half"]) == (2, 1)
    assert content["identity_pair"] == {"names": ("a", "b"), "count": 1, "share": 0.5}
    assert Hubness.of([], []).content()["image"] is None
    assert len(Hubness.of([], []).rows()) == 4


def test_the_published_adversarial_negatives(real_data):
    pairs = PairSet.read(real_data / "zaci20" / "zaci20_test_pairs_adversarial.csv")
    found = Hubness.of_negatives(pairs)
    assert (found.pairs, found.images, found.identities) == (2991, 1076, 699)
    assert (found.identity_pairs, found.half) == (1819, 92)
    assert (found.image.names, found.image.count) == (("juza/654390.jpg",), 63)
    assert (found.identity.names, found.identity.count) == (("clint_barton",), 119)
    assert found.image.share == pytest.approx(0.02106, abs=1e-5)
    random = Hubness.of_negatives(PairSet.read(real_data / "zaci20" / "zaci20_test_pairs.csv"))
    assert random.image.count == 6


def test_hub_faces_are_those_in_most_valid_negatives_as_counted():
    draw = np.random.default_rng(0)
    images = [f"{name}/{at}" for name in "abcdef" for at in range(3)]
    chosen = {tuple(sorted(draw.choice(images, 2, replace=False))) for _ in range(60)}
    path_a, path_b = zip(*sorted(chosen), strict=True)
    label = [int(a[0] == b[0]) for a, b in zip(path_a, path_b, strict=True)]
    pairs = PairSet.of(path_a, path_b, label, -1, [at % 7 == 0 for at in range(len(label))])
    counted = Counter(
        path
        for row in np.flatnonzero(pairs.negatives)
        for path in (pairs.path_a[row], pairs.path_b[row])
    )
    expected = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    found = hub_faces(pairs, most=5, fewest=4)
    assert [(hub.names[0], hub.count) for hub in found] == [
        one for one in expected[:5] if one[1] >= 4
    ]
    assert found[0].share == found[0].count / pairs.negatives.sum()
    assert hub_faces(PairSet.of(["a/1"], ["a/2"], 1)) == []
