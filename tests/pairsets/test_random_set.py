"""Random pairs: uniform, without repeats, never an ignored image."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import Faces, PairSetError, random_pairs
from pairsets.random_set import PairSpace


def world(sizes):
    paths = [f"{chr(97 + g)}/{g}_{k}.jpg" for g, size in enumerate(sizes) for k in range(size)]
    return Faces.of_paths(Path("faces"), paths)


def rows_of(pairs):
    return list(zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=7), st.integers(0, 3))
def test_numbers_stand_for_each_pair_once(sizes, ignored):
    faces = world(sizes)
    names = {path.rpartition("/")[2] for path in faces.paths[:ignored]}
    space = PairSpace.of(faces, names)
    kept = range(min(ignored, len(faces)), len(faces))
    same = {pair for pair in combinations(kept, 2) if len(set(faces.identities[list(pair)])) == 1}
    different = set(combinations(kept, 2)) - same
    for count, unrank, truth in (
        (space.count_positives, space.positives, same),
        (space.count_negatives, space.negatives, different),
    ):
        i, j = unrank(np.arange(count))
        listed = list(zip(i.tolist(), j.tolist(), strict=True))
        assert len(listed) == len(set(listed))
        assert set(listed) == truth


def test_draw_is_seeded_shuffled_and_without_repeats():
    faces = world([3, 4, 2, 5])
    drawn = random_pairs(faces, positives=10, negatives=40, seed=5)
    assert rows_of(drawn) == rows_of(random_pairs(faces, positives=10, negatives=40, seed=5))
    assert rows_of(drawn) != rows_of(random_pairs(faces, positives=10, negatives=40, seed=6))
    assert len(set(rows_of(drawn))) == 50
    assert drawn.label.sum() == 10
    assert drawn.label.tolist() != sorted(drawn.label.tolist(), reverse=True)
    assert (drawn.human_prediction == -1).all()
    assert drawn.valid.all()
    for a, b, label in rows_of(drawn):
        assert (a[0] == b[0]) == bool(label)
        assert a < b


def test_every_pair_is_equally_likely():
    faces = world([2, 6, 1, 3])
    counts: Counter[tuple] = Counter()
    draws = 4000
    for seed in range(draws):
        drawn = random_pairs(faces, positives=2, negatives=5, seed=seed)
        counts.update(rows_of(drawn))
    space = PairSpace.of(faces)
    for label, wanted, available in (
        (1, 2, space.count_positives),
        (0, 5, space.count_negatives),
    ):
        seen = np.array([n for row, n in counts.items() if row[2] == label])
        assert seen.size == available
        expected = draws * wanted / available
        # Five standard deviations of a binomial count.
        assert np.abs(seen - expected).max() < 5 * np.sqrt(expected)


def test_defaults_are_what_exists():
    drawn = random_pairs(world([2, 2, 2]))
    assert (drawn.label == 1).sum() == 3
    assert (drawn.label == 0).sum() == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positives": 4}, "4 positive pairs asked for, but only 3 exist"),
        ({"negatives": 13}, "13 negative pairs asked for, but only 12 exist"),
        ({"negatives": -1}, "expected 0 or more"),
    ],
)
def test_more_than_exist(options, message):
    with pytest.raises(PairSetError, match=message):
        random_pairs(world([2, 2, 2]), **options)


def test_ignored_images_are_never_drawn():
    drawn = random_pairs(world([3, 3, 3]), ignore={"0_0.jpg", "1_2.jpg"})
    assert "a/0_0.jpg" not in drawn.paths
    assert "b/1_2.jpg" not in drawn.paths
    assert len(drawn.paths) == 7


def test_a_million_faces_do_not_need_a_list_of_their_pairs():
    faces = world([2] * 26)
    large = Faces(
        Path("faces"),
        np.array([f"c{k // 2}/{k}.jpg" for k in range(200_000)], object),
        np.array([f"c{k // 2}" for k in range(200_000)], object),
    )
    assert PairSpace.of(large).count_negatives == 200_000 * 199_999 // 2 - 100_000
    assert len(random_pairs(large, positives=50, negatives=50)) == 100
    assert len(faces) == 52
