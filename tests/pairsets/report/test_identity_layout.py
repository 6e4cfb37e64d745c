"""The map of identities as the page draws it: where circles and lines are, and what they say."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.errors import PairsetsError
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.report.content import ConfusionMap, GalleryPair
from pairsets.report.identity_layout import (
    BLANK,
    HIGHEST,
    LOWEST,
    MARGIN,
    WIDTH,
    IdentityLayout,
    drawn_layout,
)

NAMES = ("a", "b", "c", "d")
PLACES = np.array([[0, 0], [4, 0.5], [8, 0], [12, 0.5]])


def network():
    """a and b are taken for one twice, b and c once; e is not on the map."""
    pairs = PairSet.of(["a/1", "a/2", "b/1", "c/1", "d/1"], ["b/1", "b/2", "c/1", "d/1", "e/1"], 0)
    return ConfusionNetwork.of(pairs, np.array([5.0, 5, 5, 1, 5]), 5)


def pair(first, second, label=0, wrong=True, of_set="hard"):
    return GalleryPair(
        rank=0,
        path_a=f"{first}/1",
        path_b=f"{second}/2",
        name_a=first,
        name_b=second,
        scores={"m": 1.0},
        verdicts={"m": wrong},
        label=label,
        set=of_set,
    )


LAYOUT = IdentityLayout("m", NAMES, PLACES)
MAPS = [ConfusionMap("other", "hard", network()), ConfusionMap("m", "hard", network())]


def test_lines_are_false_accepts_the_wider_the_more_and_drawn_last():
    drawn = drawn_layout(LAYOUT, MAPS, [])
    assert [line.title for line in drawn.lines] == [
        "b and c: 1 taken for one",
        "a and b: 2 taken for one",
    ]
    assert drawn.lines[0].width < drawn.lines[1].width
    at = {dot.name: (dot.x, dot.y) for dot in drawn.dots}
    last = drawn.lines[1]
    assert [(last.x1, last.y1), (last.x2, last.y2)] == [at["a"], at["b"]]
    assert drawn.set == "hard"


def test_circles_are_as_large_as_their_false_accepts_are_many():
    drawn = drawn_layout(LAYOUT, MAPS, [])
    assert [dot.told for dot in drawn.dots] == [
        "a, 2 false accepts", "b, 3 false accepts", "c, 1 false accept", "d, 0 false accepts",
    ]  # fmt: skip
    radii = [dot.radius for dot in drawn.dots]
    assert sorted(radii) == [radii[3], radii[2], radii[0], radii[1]]
    without = drawn_layout(LAYOUT, MAPS[:1], [])
    assert (without.lines, without.set) == ((), "")
    assert {dot.radius for dot in without.dots} == {radii[3]}


def test_circles_lead_to_false_accepts_or_else_to_pairs_with_others():
    gallery = [
        pair("a", "b", wrong=False),
        pair("a", "b"),
        pair("a", "c", wrong=False),
        pair("c", "c", label=1),
        pair("c", "a", of_set="random"),
        pair("d", "d", label=1),
    ]
    found = {
        dot.name: dict(parse_qsl(dot.address.removeprefix("#pairs?")))
        for dot in drawn_layout(LAYOUT, MAPS, gallery).dots
    }
    wrong = {"set": "hard", "show": "fa:m"}
    assert found == {
        "a": {"name": "a", **wrong},
        "b": {"name": "b", **wrong},
        "c": {"name": "c", "label": "different"},
        "d": {},
    }


@pytest.mark.parametrize("turn", [0.0, 1.0, 2.5])
def test_the_drawing_is_filled_widest_from_left_to_right(turn):
    random = np.random.default_rng(0)
    places = random.normal(size=(200, 2)) * [3, 1]
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = places @ np.array([[cosine, sine], [-sine, cosine]])
    names = [str(at) for at in range(200)]
    drawn = drawn_layout(IdentityLayout("m", names, turned), [], [])
    x, y = (np.array([getattr(dot, axis) for dot in drawn.dots]) for axis in "xy")
    assert (x.min(), x.max()) == (MARGIN, WIDTH - MARGIN)
    assert y.min() >= MARGIN
    assert y.max() <= drawn.height - MARGIN
    assert LOWEST <= drawn.height <= HIGHEST
    assert abs(np.corrcoef(x, places[:, 0])[0, 1]) > 0.95


def test_blank_strips_between_islands_are_narrowed_in_order():
    places = np.array([[at % 10 + 1000 * (at // 10), at % 3] for at in range(20)], float)
    drawn = drawn_layout(IdentityLayout("m", [*map(str, range(20))], places), [], [])
    x = np.array([dot.x for dot in drawn.dots])
    x = x if x[0] < x[-1] else WIDTH - x
    assert (np.diff(x) > 0).all()
    gap = x[10] - x[9]
    assert gap / (x[-1] - x[0]) == pytest.approx(80.7 / (80.7 + 18), abs=0.03)
    assert BLANK == 0.08


def test_all_in_one_place_is_drawn_in_the_middle():
    drawn = drawn_layout(IdentityLayout("m", NAMES, np.ones((4, 2))), MAPS, [])
    assert {(dot.x, dot.y) for dot in drawn.dots} == {(WIDTH / 2, LOWEST / 2)}


def test_a_note_stands_for_a_map():
    drawn = drawn_layout(IdentityLayout(note="none"), MAPS, [pair("a", "b")])
    assert (drawn.note, drawn.dots, drawn.lines) == ("none", (), ())


@pytest.mark.parametrize(
    "wrong",
    [{"places": None}, {"note": "none"}, {"places": PLACES[:3]}, {"places": PLACES[:, :1]}],
)
def test_places_and_names_that_do_not_fit_are_refused(wrong):
    with pytest.raises(PairsetsError, match="expected two numbers each, or a note alone"):
        replace(LAYOUT, **wrong)
