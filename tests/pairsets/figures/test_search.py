"""Figures of a search against the numbers that they show."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets.figures import encode
from pairsets.figures.search import search_course, search_importances, search_slices

HISTORY = ((0, 0.5), (2, 0.75), (3, 0.25), (7, 0.8))
PARAMS = [
    {"lr": 10.0**-power, "dropout": power / 10, "flip": power % 2 == 0, "m": 2, "n": 0}
    for power in range(1, 6)
]


@pytest.mark.parametrize(
    ("maximizes", "best"), [(True, [0.5, 0.75, 0.75, 0.8]), (False, [0.5, 0.5, 0.25, 0.25])]
)
def test_a_course_has_every_trial_and_the_best_so_far(maximizes: bool, best: list[float]) -> None:
    axes = search_course(HISTORY, maximizes=maximizes, score="map@r").axes[0]
    every, so_far = axes.lines
    np.testing.assert_array_equal(every.get_xydata(), HISTORY)
    assert so_far.get_ydata().tolist() == best
    assert axes.get_ylabel() == "map@r"


def test_importances_have_the_largest_on_top() -> None:
    axes = search_importances({"a": 0.2, "b": 0.7, "c": 0.1}).axes[0]
    assert [one.get_width() for one in axes.patches] == [0.1, 0.2, 0.7]
    assert [one.get_text() for one in axes.get_yticklabels()] == ["c", "a", "b"]


def test_slices_have_a_panel_a_parameter() -> None:
    figure = search_slices(PARAMS, [0.1, 0.4, 0.3, 0.2, 0.5], score="map@r")
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in shown] == [*PARAMS[0]]
    assert [axes.get_xscale() for axes in shown] == ["log", *["linear"] * 4]
    points = shown[1].collections[0].get_offsets()
    np.testing.assert_allclose(points, [[0.1, 0.1], [0.2, 0.4], [0.3, 0.3], [0.4, 0.2], [0.5, 0.5]])
    again = search_slices(PARAMS, [0.1, 0.4, 0.3, 0.2, 0.5], score="map@r")
    assert encode(figure, "png") == encode(again, "png")


def test_nothing_is_not_drawn() -> None:
    for draw in (
        lambda: search_course(()),
        lambda: search_importances({}),
        lambda: search_slices([], []),
        lambda: search_slices(PARAMS, [1.0]),
    ):
        with pytest.raises(ValueError, match=r"draw|as many"):
            draw()
