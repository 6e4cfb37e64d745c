"""Curves of identification against the numbers that they show."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.rates import roc
from pairsets.figures import cmc_curves, encode, open_set_curves


def test_a_cmc_has_every_rank_and_its_intervals() -> None:
    curves = {"a": np.array([0.5, 0.75, 1.0]), "b": np.array([0.25, 0.5, 1.0])}
    figure = cmc_curves(curves, {"a": {1: Interval(0.4, 0.6), 3: Interval(0.9, 1.0)}})
    chance, first, whisker, second, *_ = figure.axes[0].lines
    assert chance.get_ydata().tolist() == pytest.approx([100 / 3, 200 / 3, 100])
    np.testing.assert_array_equal(first.get_xydata(), [[1, 50], [2, 75], [3, 100]])
    assert list(whisker.get_ydata()) == [40, 60]
    assert second.get_ydata().tolist() == [25, 50, 100]
    assert encode(figure, "png") == encode(
        cmc_curves(curves, {"a": {1: Interval(0.4, 0.6), 3: Interval(0.9, 1.0)}}), "png"
    )


def test_the_open_set_reaches_down_to_half_a_stranger() -> None:
    curve = roc([1, 1, 0, 0], [0.9, 0.2, 0.5, 0.1])
    (line,) = open_set_curves({"a": curve}).axes[0].lines
    np.testing.assert_array_equal(
        line.get_xydata(), [[25, 100], [25, 50], [50, 50], [50, 0], [100, 0]]
    )


def test_nothing_is_not_drawn() -> None:
    for draw in (cmc_curves, open_set_curves):
        with pytest.raises(ScoresError, match="no curves"):
            draw({})
