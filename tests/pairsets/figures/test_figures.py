"""Figures: what is drawn where, on names and images as they come."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from itertools import combinations, pairwise
from pathlib import Path
from statistics import NormalDist
from typing import ClassVar

import matplotlib
import numpy as np
import pytest
from matplotlib.patches import StepPatch
from PIL import Image

from pairsets.errors import PairsetsError, ScoresError
from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.intervals import Rate
from pairsets.evaluation.rates import Point, area_under, equal_error, roc
from pairsets.figures import (
    COLUMNS,
    PALETTE,
    det_curves,
    encode,
    pair_columns,
    roc_curves,
    score_histograms,
)

HARD_NAMES = ["W" * 60, "綾波（改二）" * 8, "$x^2$ & <b>", "_under", "नमस्ते 𓀀 🙂", "", "a\nb\t\x07c"]


def solid(path: Path, color: object, size: tuple[int, int] = (40, 40), mode: str = "RGB") -> Path:
    Image.new(mode, size, color).save(path)  # type: ignore[arg-type]
    return path


def png_header(path: Path, width: int, height: int) -> Path:
    """A PNG that says how large it is and has no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    return path


def some_curve(seed: int = 0, positives: int = 30, negatives: int = 40):
    generator = np.random.default_rng(seed)
    labels = np.r_[np.ones(positives, int), np.zeros(negatives, int)]
    return roc(labels, np.r_[generator.normal(1, 1, positives), generator.normal(0, 1, negatives)])


def a_person(fpr: tuple[float, float, float], fnr: tuple[float, float, float]) -> HumanRates:
    """Rates with these values and ends of intervals."""
    rates = [Rate(*ends, 0, 100, 1.0, 100.0) for ends in (fpr, fnr)]
    return HumanRates(fpr[0], fnr[0], 100, 100, 0, *rates)


class TestPairColumns:
    @pytest.fixture
    def pairs(self, tmp_path):
        shades = np.linspace(0, 255, 2 * (COLUMNS + 1)).astype(int)
        paths = [solid(tmp_path / f"{at}.png", (int(v),) * 3) for at, v in enumerate(shades)]
        return list(zip(paths[::2], paths[1::2], strict=True))

    def test_faces_stand_a_above_b_in_columns(self, pairs):
        axes = pair_columns(pairs[:3]).axes
        assert len(axes) == 6
        drawn = [int(panel.images[0].get_array()[0, 0, 0]) for panel in axes]
        paths = [path for pair in pairs[:3] for path in pair]
        assert drawn == [Image.open(path).getpixel((0, 0))[0] for path in paths]
        boxes = [panel.get_position() for panel in axes]
        assert all(
            a.y0 > b.y1 and a.x0 == b.x0 for a, b in zip(boxes[::2], boxes[1::2], strict=True)
        )
        assert boxes[0].x1 < boxes[2].x0 < boxes[2].x1 < boxes[4].x0
        assert not any(panel.axison for panel in axes)

    def test_many_pairs_go_on_below(self, pairs):
        boxes = [panel.get_position() for panel in pair_columns(pairs).axes]
        assert len(boxes) == 2 * (COLUMNS + 1)
        assert boxes[-2].x0 == pytest.approx(boxes[0].x0)
        assert boxes[-2].y1 < boxes[1].y0

    def test_scores_and_names_are_written_in_their_column(self, pairs):
        figure = pair_columns(
            pairs[:2], scores=[0.91251, -0.5], names=[("rei", "asuka"), ("c", "d")], title="hard"
        )
        where = {text.get_text(): text.get_position() for text in figure.texts}
        assert set(where) == {"hard", "rei", "asuka", "0.913", "c", "d", "-0.500"}
        first, second = figure.axes[0].get_position(), figure.axes[3].get_position()
        assert where["rei"][1] > first.y1
        assert where["d"][1] < second.y0
        assert where["-0.500"][1] < where["d"][1]
        assert second.x0 < where["d"][0] == where["-0.500"][0] < second.x1

    @pytest.mark.parametrize("name", ["b", "a long name that takes two lines of them"])
    def test_a_score_stands_under_its_pair(self, pairs, name):
        count = COLUMNS + 1
        figure = pair_columns(pairs[:count], scores=range(count), names=[("a", name)] * count)
        figure.draw_without_rendering()
        boxes = {text.get_text(): text.get_window_extent() for text in figure.texts}
        below, above = figure.axes[1].get_window_extent(), figure.axes[-2].get_window_extent()
        to_its_own = below.y0 - boxes["0.000"].y1
        to_the_next = boxes["0.000"].y0 - above.y1
        line = boxes["0.000"].height
        # Between the face and the score stands the name, and nothing else.
        assert 0 < to_its_own < (2 + 1.6 * (len(name) > 9)) * line
        assert to_the_next > line

    def test_hard_names_neither_warn_nor_overlap(self, pairs):
        names = [(name, name) for name in HARD_NAMES]
        count = len(names)
        figure = pair_columns(pairs[:count], names=names, scores=[0.5] * count, title="W" * 900)
        encode(figure, "png")
        boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
        boxes += [panel.get_window_extent() for panel in figure.axes]
        for a, b in combinations(boxes, 2):
            width = min(a.x1, b.x1) - max(a.x0, b.x0)
            height = min(a.y1, b.y1) - max(a.y0, b.y0)
            assert width <= 1 or height <= 1
        assert min(box.x0 for box in boxes) >= 0
        assert max(box.x1 for box in boxes) <= figure.bbox.width

    def test_a_short_name_is_whole_and_a_long_one_says_it_is_cut(self, pairs):
        figure = pair_columns(pairs[:1], names=[("ayanami_rei", "long " * 40)])
        texts = [text.get_text() for text in figure.texts]
        assert texts[0] == "ayanami_rei"
        assert texts[1].endswith("…")
        assert texts[1].count("\n") == 1

    def test_a_dollar_is_a_dollar(self, pairs):
        figure = pair_columns(pairs[:1], names=[("$x^2$", "b")])
        assert b">$x^2$</text>" in encode(figure, "svg")

    def test_what_does_not_fit_is_refused(self, pairs):
        with pytest.raises(PairsetsError, match="no pairs"):
            pair_columns([])
        with pytest.raises(PairsetsError, match="3 scores for 2 pairs"):
            pair_columns(pairs[:2], scores=[1, 2, 3])
        with pytest.raises(PairsetsError, match="1 names for 2 pairs"):
            pair_columns(pairs[:2], names=[("a", "b")])


class TestScoreHistograms:
    GROUPS: ClassVar = {"positives": [0.9, 0.8, 0.8, 0.1], "random": [0.0, 0.1], "mined": [0.7] * 9}

    @staticmethod
    def outlines(figure):
        steps = [patch for patch in figure.axes[0].patches if isinstance(patch, StepPatch)]
        return [step.get_data() for step in steps if not step.get_fill()]

    def test_groups_share_bins_and_sum_to_all(self):
        data = self.outlines(score_histograms(self.GROUPS))
        assert len(data) == 3
        for shares, scores in zip(data, self.GROUPS.values(), strict=True):
            assert shares.values.sum() == pytest.approx(100)
            assert (shares.edges == data[0].edges).all()
            expected = np.histogram(scores, data[0].edges)[0] / len(scores) * 100
            assert shares.values == pytest.approx(expected)
        assert (data[0].edges[0], data[0].edges[-1]) == (0.0, 0.9)

    def test_legend_names_the_groups_that_have_scores(self):
        names = {"_a": [0.1, 0.2], "none": [], "$b$": [0.3]}
        figure = score_histograms(names)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["_a", "$b$"]
        assert len(self.outlines(figure)) == 2
        assert b">$b$</text>" in encode(figure, "svg")

    @pytest.mark.parametrize(("threshold", "lines"), [(0.42, [0.42]), (None, []), (np.inf, [])])
    def test_threshold_is_a_line(self, threshold, lines):
        axes = score_histograms(self.GROUPS, threshold=threshold).axes[0]
        assert [line.get_xdata()[0] for line in axes.lines] == lines

    @pytest.mark.parametrize("threshold", [-5.0, 0.0, 0.3, 0.5, 0.6, 0.8, 0.95, 5.0])
    def test_the_label_of_a_threshold_stays_between_the_edges(self, threshold):
        figure = score_histograms(self.GROUPS, threshold=threshold)
        figure.draw_without_rendering()
        (label,), inside = figure.axes[0].texts, figure.axes[0].get_window_extent()
        box = label.get_window_extent()
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1 + 1

    def test_equal_scores_can_be_drawn(self):
        (shares,) = self.outlines(score_histograms({"a": [0.5, 0.5]}))
        assert shares.values.max() == 100

    def test_bad_scores_are_refused(self):
        with pytest.raises(ScoresError, match="mined: 1 scores are not finite"):
            score_histograms({"mined": [0.1, np.nan]})
        with pytest.raises(ScoresError, match="no scores"):
            score_histograms({"mined": []})


class TestDetCurves:
    @pytest.mark.parametrize("pairs", [40, 2_000, 20_000, 400_000])
    @pytest.mark.parametrize("skill", [-2, 0, 2])
    def test_numbers_below_do_not_meet(self, pairs, skill):
        labels = np.arange(pairs) % 2
        curve = roc(labels, np.random.default_rng(0).standard_normal(pairs) + skill * labels)
        figure = det_curves({"m": curve})
        figure.draw_without_rendering()
        shown = [label for label in figure.axes[0].get_xticklabels() if label.get_text()]
        boxes = [label.get_window_extent() for label in shown]
        assert len(boxes) >= 4
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))

    def test_short_curves_are_drawn_whole_on_normal_deviates(self):
        curve = some_curve()
        axes = det_curves({"m": curve}).axes[0]
        line = next(line for line in axes.lines if line.get_color() == PALETTE[0])
        deviate = NormalDist().inv_cdf
        for drawn, rates, pairs in (
            (line.get_xdata(), curve.fpr, curve.negatives),
            (line.get_ydata(), curve.fnr, curve.positives),
        ):
            least = 0.5 / pairs
            expected = [deviate(min(max(rate, least), 1 - least)) for rate in rates]
            assert list(drawn) == pytest.approx(expected)

    def test_a_coin_lies_on_the_line_that_is_called_chance(self):
        axes = det_curves({"m": roc([1, 0] * 50, [0.5] * 100)}).axes[0]
        coin = next(line for line in axes.lines if line.get_color() == PALETTE[0])
        chance = next(line for line in axes.lines if line.get_ydata()[0] > line.get_ydata()[-1])
        assert list(chance.get_xdata()) == pytest.approx(list(-np.array(chance.get_ydata())))
        assert list(coin.get_xdata()) == pytest.approx(list(-np.array(coin.get_ydata())))
        assert chance.get_xdata()[-1] == pytest.approx(axes.get_xlim()[1])
        for figure in (det_curves({"m": some_curve()}), roc_curves({"m": some_curve()})):
            assert [one.get_text() for one in figure.axes[0].texts] == ["chance"]

    def test_long_curves_are_thinned_to_true_vertices(self):
        curve = some_curve(positives=20_000, negatives=30_000)
        axes = det_curves({"m": curve}).axes[0]
        line = next(line for line in axes.lines if line.get_color() == PALETTE[0])
        x, y = line.get_xdata(), line.get_ydata()
        assert 300 < len(x) < 600
        fpr = np.clip(curve.fpr, 0.5 / 30_000, 1 - 0.5 / 30_000)
        fnr = np.clip(curve.fnr, 0.5 / 20_000, 1 - 0.5 / 20_000)
        for a, b in zip(x, y, strict=True):
            away = np.abs(fpr - NormalDist().cdf(a)) + np.abs(fnr - NormalDist().cdf(b))
            assert away.min() < 1e-9
        visible = (np.abs(x) < 3) & (np.abs(y) < 3)
        assert np.abs(np.diff(x[visible])).max() < 0.1

    def test_axes_read_in_percent_and_reach_every_point(self):
        hard = roc([1, 1, 0, 0, 0], [0.1, 0.9, 0.95, 0.5, 0.4])
        figure = det_curves({"m": hard}, human=Point(0.5, 0.02, 0.9), target_fnrs=[0.4])
        axes = figure.axes[0]
        deviate = NormalDist().inv_cdf
        for axis in (axes.xaxis, axes.yaxis):
            for place, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True):
                assert place == pytest.approx(deviate(float(text.get_text()) / 100))
        assert axes.get_xlim()[0] <= deviate(0.02)
        assert min(axes.get_xlim()[1], axes.get_ylim()[1]) > deviate(0.9)
        star = next(line for line in axes.lines if line.get_marker() == "*")
        assert (star.get_xdata()[0], star.get_ydata()[0]) == (
            pytest.approx(deviate(0.02)),
            pytest.approx(deviate(0.9)),
        )
        levels = [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]
        assert deviate(0.4) in levels

    def test_every_model_is_in_the_legend_and_told_apart(self):
        names = [f"model {at}" for at in range(8)]
        figure = det_curves({name: some_curve(at) for at, name in enumerate(names)})
        assert [text.get_text() for text in figure.legends[0].get_texts()] == names
        looks = {(line.get_color(), str(line._dash_pattern)) for line in figure.axes[0].lines[-8:]}
        assert len(looks) == 8

    def test_a_perfect_model_can_be_drawn(self):
        axes = det_curves({"m": roc([1, 0], [1.0, 0.0])}).axes[0]
        line = next(line for line in axes.lines if line.get_color() == PALETTE[0])
        assert np.isfinite(line.get_xydata()).all()

    def test_a_faultless_person_stands_on_the_frame(self):
        axes = det_curves({"m": some_curve()}, human=Point(0, 0.0, 0.0), target_fnrs=[0.0]).axes[0]
        star = next(line for line in axes.lines if line.get_marker() == "*")
        assert star.get_xdata()[0] == axes.get_xlim()[0]
        assert star.get_ydata()[0] == axes.get_ylim()[0]

    def test_a_person_has_a_cross_as_wide_as_the_intervals(self):
        person = a_person((0.1, 0.05, 0.2), (0.15, 0.12, 0.19))
        axes = det_curves({"m": some_curve()}, human=person).axes[0]
        deviate = NormalDist().inv_cdf
        lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        for x, y in (((0.05, 0.2), (0.15, 0.15)), ((0.1, 0.1), (0.12, 0.19))):
            expected = [deviate(at) for at in x], [deviate(at) for at in y]
            assert any(
                line == (pytest.approx(expected[0]), pytest.approx(expected[1])) for line in lines
            )
        assert [line.get_marker() for line in axes.lines].count("*") == 1

    def test_the_axes_reach_the_end_of_the_cross(self):
        person = a_person((0.7, 0.4, 0.93), (0.1, 0.05, 0.2))
        axes = det_curves({"m": some_curve()}, human=person).axes[0]
        assert axes.get_xlim()[1] > NormalDist().inv_cdf(0.93)

    def test_a_person_who_judged_one_kind_alone_is_not_drawn(self):
        person = a_person((0.1, 0.05, 0.2), (np.nan, np.nan, np.nan))
        for draw in (det_curves, roc_curves):
            figure = draw({"m": some_curve()}, human=person)
            assert not [line for line in figure.axes[0].lines if line.get_marker() == "*"]
            assert len(figure.legends[0].get_texts()) == 1

    def test_many_models_take_no_room_from_the_axes(self):
        def height(models: int) -> float:
            figure = det_curves({str(at): some_curve() for at in range(models)})
            encode(figure, "svg")
            return figure.axes[0].get_window_extent().height

        assert height(20) > 0.9 * height(1)

    def test_nothing_and_impossible_targets_are_refused(self):
        with pytest.raises(ScoresError, match="no curves"):
            det_curves({})
        for target in (-0.1, 1.1):
            with pytest.raises(ScoresError, match="target FNR"):
                det_curves({"m": some_curve()}, target_fnrs=[target])


class TestRocCurves:
    @staticmethod
    def drawn(figure, at=0):
        return next(line for line in figure.axes[0].lines if line.get_color() == PALETTE[at])

    def test_short_curves_are_drawn_whole_in_percent(self):
        curve = some_curve()
        line = self.drawn(roc_curves({"m": curve}))
        assert list(line.get_xdata()) == pytest.approx(100 * curve.fpr)
        assert list(line.get_ydata()) == pytest.approx(100 * (1 - curve.fnr))

    def test_long_curves_keep_their_area(self):
        curve = some_curve(positives=20_000, negatives=30_000)
        line = self.drawn(roc_curves({"m": curve}))
        x, y = line.get_xdata(), line.get_ydata()
        assert 200 < len(x) < 500
        assert np.trapezoid(y, x) / 1e4 == pytest.approx(area_under(curve), abs=1e-4)

    def test_the_dashed_diagonal_crosses_a_curve_at_its_eer(self):
        curve = some_curve(positives=2000, negatives=2000)
        figure = roc_curves({"m": curve})
        ends = [(list(line.get_xdata()), list(line.get_ydata())) for line in figure.axes[0].lines]
        assert ([0, 100], [100, 0]) in ends  # where FPR = FNR
        assert ([0, 100], [0, 100]) in ends  # chance
        line = self.drawn(figure)
        rate = 100 * equal_error(curve)[0]
        assert np.interp(rate, line.get_xdata(), line.get_ydata()) == pytest.approx(
            100 - rate, abs=0.3
        )

    def test_axes_are_all_shares(self):
        axes = roc_curves({"m": some_curve()}).axes[0]
        assert axes.get_xlim() == axes.get_ylim() == (0, 100)

    def test_a_person_is_a_star_with_a_cross_and_targets_are_levels(self):
        person = a_person((0.1, 0.05, 0.2), (0.15, 0.12, 0.19))
        axes = roc_curves({"m": some_curve()}, human=person, target_fnrs=[0.15]).axes[0]
        star = next(line for line in axes.lines if line.get_marker() == "*")
        assert (star.get_xdata()[0], star.get_ydata()[0]) == (
            pytest.approx(10),
            pytest.approx(85),
        )
        lines = [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines]
        assert (pytest.approx([5, 20]), pytest.approx([85, 85])) in lines
        assert (pytest.approx([10, 10]), pytest.approx([88, 81])) in lines
        assert (pytest.approx([0, 1]), pytest.approx([85, 85])) in lines  # over the whole width

    def test_nothing_and_impossible_targets_are_refused(self):
        with pytest.raises(ScoresError, match="no curves"):
            roc_curves({})
        with pytest.raises(ScoresError, match="target FNR"):
            roc_curves({"m": some_curve()}, target_fnrs=[1.1])


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_input_gives_the_same_bytes(tmp_path, file_format):
    face = solid(tmp_path / "a.png", "red")

    def draw() -> list[bytes]:
        figures = [
            pair_columns([(face, face)], names=[("綾波", "b")], scores=[0.1], title="t"),
            score_histograms({"a": [0.1, 0.2]}, threshold=0.15),
            det_curves({"a": some_curve()}, human=Point(0, 0.1, 0.1)),
            roc_curves({"a": some_curve()}, human=a_person((0.1, 0, 0.2), (0.1, 0, 0.2))),
        ]
        return [encode(figure, file_format) for figure in figures]

    before = dict(matplotlib.rcParams)
    first = draw()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 22, "axes.edgecolor": "lime", "svg.hashsalt": "x"}):
        assert draw() == first


def test_no_global_plotting_state_is_loaded():
    code = (
        "import sys, pairsets.report; assert 'matplotlib' not in sys.modules;"
        "import pairsets.figures; assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
