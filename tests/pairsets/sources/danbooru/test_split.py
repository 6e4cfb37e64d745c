"""The draw of the test characters, and the two sets."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from pairsets.errors import SourceError
from pairsets.paths import strings
from pairsets.sources.danbooru.selection import SelectedPictures
from pairsets.sources.danbooru.split import dataset_of, draw_test, statistics, two_spellings
from pairsets.sources.dataset import Dataset

COUNTS = {f"c{at}": 2 + at % 3 for at in range(300)}


def test_drawn_of_those_with_so_many_pictures():
    drawn = draw_test(COUNTS, characters=40, images=3)
    assert len(drawn) == 40
    assert {COUNTS[name] for name in drawn} == {3}
    assert draw_test(COUNTS, characters=0) == frozenset()
    assert draw_test(COUNTS, characters=100) == {n for n, count in COUNTS.items() if count == 2}


def test_the_seed_alone_decides():
    drawn = draw_test(COUNTS, characters=30, seed=5)
    assert draw_test(dict(reversed(COUNTS.items())), characters=30, seed=5) == drawn
    assert draw_test(COUNTS, characters=29, seed=5) < drawn
    assert draw_test(COUNTS, characters=30, seed=6) != drawn


def test_everyone_is_drawn_equally_often():
    often = Counter(
        name for seed in range(2000) for name in draw_test(COUNTS, characters=25, seed=seed)
    )
    # 500 of 2,000 each, with a standard deviation of 19.4.
    assert len(often) == 100
    assert all(400 < count < 600 for count in often.values())


def test_too_few():
    told = r"101 test characters asked for, but 100 of 300 characters have exactly 2 images"
    with pytest.raises(SourceError, match=told):
        draw_test(COUNTS, characters=101)


@pytest.mark.parametrize("kind", [int, str])
def test_sets_are_in_order(kind):
    ids = strings(kind(one) for one in (12, 9, 100, 7))
    if kind is int:
        ids = ids.astype(np.int64)
    boxes = np.array([[0, 0, at, at] for at in (1, 2, 3, 4)], np.int32)
    pictures = SelectedPictures(ids, np.array([1, 0, 1, 2], np.int32), ("é", "B", "a"), boxes)
    made = dataset_of(pictures, np.array([True, True, False]))
    assert made.characters == ("B", "é")
    first = [12, 100] if kind is int else ["100", "12"]
    assert made.ids.tolist() == [*first, kind(9)]
    where = {kind(one): box for one, box in zip((12, 9, 100, 7), boxes.tolist(), strict=True)}
    assert made.boxes.tolist() == [where[one] for one in made.ids]
    assert all(type(one) is kind for one in made.ids)


def test_numbers_before_paths():
    ids = strings(["a/1.jpg", 5, "10", 3])  # type: ignore[list-item]
    pictures = SelectedPictures(
        ids, np.zeros(4, np.int32), ("a",), np.ones((4, 4), np.int32) * [0, 0, 1, 1]
    )
    assert dataset_of(pictures, np.array([True])).ids.tolist() == [3, 5, "10", "a/1.jpg"]


def test_statistics():
    sizes = [2] * 5 + [3] * 3 + [7, 40]
    made = Dataset.of(
        {f"c{at}": [(one, (0, 0, 9, 9)) for one in range(n)] for at, n in enumerate(sizes)}
    )
    assert statistics(made) == {
        "characters": 10,
        "images": 66,
        "images_per_character": {
            "min": 2,
            "q25": 2,
            "median": 2,
            "q75": 3,
            "q95": 40,
            "max": 40,
        },
        "histogram": {"2": 5, "3": 3, "7": 1, "40": 1},
    }


def test_spellings_of_one_name():
    names = ["rei", "Rei", "fate/zero", "fate__zero", "zoe\u0308", "zo\xeb", "weiss", "weiß", "zoe"]
    assert two_spellings(names) == [
        ("Rei", "rei"),
        ("fate/zero", "fate__zero"),
        ("zoe\u0308", "zo\xeb"),
    ]
