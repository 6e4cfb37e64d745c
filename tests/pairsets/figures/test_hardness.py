"""The hardness curves: what is drawn where."""

from __future__ import annotations

import re

import numpy as np
import pytest
from matplotlib.patches import StepPatch

from pairsets import PairSet, ScoresError
from pairsets.evaluation.hardness import hardness
from pairsets.figures.hardness import hardness_curves
from pairsets.figures.style import GRID, INK, MUTED, PALETTE, PAPER, encode
from pairsets.report import to_svg


def some(models=("timm:net", "pixels"), hubs=True):
    """200 mined pairs that get easier; the first image is in a quarter of them."""
    generator = np.random.default_rng(2)
    path_a = [f"a{at % 40}/{at}" for at in range(200)]
    if hubs:
        path_a[:100:2] = ["hub/0"] * 50
    pairs = PairSet.of(path_a, [f"b{at % 50}/{at}" for at in range(200)], 0)
    accepted = {
        model: generator.random(200) < np.linspace(0.9 - 0.2 * at, 0.1, 200)
        for at, model in enumerate(models)
    }
    return hardness(pairs, np.arange(1, 201), accepted, bins=10)


def test_rates_stand_at_the_middle_of_their_ranks():
    found = some()
    rates, _ = hardness_curves(found).axes
    lines = [line for line in rates.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in lines] == list(PALETTE[:2])
    for line, model in zip(lines, found.models, strict=True):
        assert line.get_xdata().tolist() == [10.5 + 20 * at for at in range(10)]
        expected = [100 * one.fpr[model].value for one in found.bins]
        assert line.get_ydata().tolist() == pytest.approx(expected)
    apart = [line for line in rates.lines if line.get_marker() == "None" and len(line.get_xdata())]
    for line, model in zip(apart, found.models, strict=True):
        expected = [100 * one.fpr_without_hubs[model].value for one in found.bins]
        assert line.get_ydata().tolist() == pytest.approx(expected)
    assert apart[0].get_ydata().tolist() != lines[0].get_ydata().tolist()


def test_bands_are_the_intervals_of_whole_bins():
    found = some()
    rates, _ = hardness_curves(found).axes
    bands = [patch.get_data() for patch in rates.patches if isinstance(patch, StepPatch)]
    for band, model in zip(bands, found.models, strict=True):
        assert band.edges.tolist() == [0.5 + 20 * at for at in range(11)]
        assert band.values == pytest.approx([100 * one.fpr[model].high for one in found.bins])
        assert band.baseline == pytest.approx([100 * one.fpr[model].low for one in found.bins])
        low, high = rates.get_ylim()
        assert low <= band.baseline.min()
        assert high >= band.values.max()


def test_below_stands_the_share_of_pairs_with_a_hub():
    found = some()
    _, hubs = hardness_curves(found).axes
    (area,) = [patch for patch in hubs.patches if patch.get_fill()]
    shares = [50.0] * 5 + [0.0] * 5
    assert area.get_data().values.tolist() == shares
    assert hubs.get_ylim() == (0, 100)
    words = hubs.get_title("right")
    assert words == f"1 hub image of {found.images}: in 25 % of pairs"


def test_without_hubs_none_is_named():
    figure = hardness_curves(some(["_m$x$", "綾波" * 40], hubs=False))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names[0] == "_m$x$"
    assert names[1].endswith("…")
    assert len(names) == 2
    assert figure.axes[1].get_title("right") == "no image is a hub"


@pytest.mark.parametrize(
    ("chance", "models", "drawn"),
    [(86.1, ["m"], True), (86.1, [f"m{at}" for at in range(5)], True), (None, ["m"], False)],
)
def test_chance_is_a_line(chance, models, drawn):
    figure = hardness_curves(some(models), chance=chance)
    assert levels_of(figure) == ([[chance, chance]] if drawn else [])
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == [*models, "without hub images", *(["chance"] if drawn else [])]


def test_chance_that_the_axis_does_not_reach_is_left_out():
    pairs = PairSet.of([f"a{at}/0" for at in range(90)], [f"b{at}/0" for at in range(90)], 0)
    found = hardness(pairs, np.arange(1, 91), {"m": np.zeros(90, bool)}, bins=3)
    figure = hardness_curves(found, chance=86.1)
    assert levels_of(figure) == []
    assert figure.axes[0].get_ylim()[1] < 50
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["m"]


def levels_of(figure):
    """Ends of the lines across the axes of rates."""
    lines = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [0, 1]]
    return [list(line.get_ydata()) for line in lines]


def test_models_are_told_apart():
    found = some([f"model {at}" for at in range(8)])
    lines = [line for line in hardness_curves(found).axes[0].lines if line.get_marker() == "o"]
    assert len({(line.get_color(), str(line._dash_pattern)) for line in lines}) == 8


def test_one_bin_and_one_pair_can_be_drawn():
    pairs = PairSet.of(["a/0"], ["b/0"], 0)
    found = hardness(pairs, [1], {"m": np.array([True])})
    rates, hubs = hardness_curves(found).axes
    assert rates.get_xlim() == hubs.get_xlim() == (0.5, 1.5)
    assert rates.get_ylim()[1] > 100


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_input_gives_the_same_bytes(file_format):
    first, second = (encode(hardness_curves(some()), file_format) for _ in range(2))
    assert first == second


def test_all_its_colours_can_be_themed():
    svg = to_svg(hardness_curves(some()), name="h", description="hardness")
    plain = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", svg)))
    assert plain <= {"#000000"}
    themed = set(re.findall(r"var\(--[\w-]+, (#[0-9a-f]{6})\)", svg))
    assert {*PALETTE[:2], MUTED} <= themed <= {*PALETTE, INK, MUTED, GRID, PAPER}


def test_no_model_is_refused():
    with pytest.raises(ScoresError, match="no decisions of a model"):
        hardness_curves(some([]))
