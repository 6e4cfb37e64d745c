"""The curves of a training: what is drawn where, and what cannot be drawn."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import pytest

from pairsets.errors import ScoresError
from pairsets.figures import GRID, INK, MUTED, PALETTE, PAPER, encode, training_curves
from pairsets.report import to_svg


@dataclass(frozen=True)
class Trained:
    epoch: int
    loss: float
    map_at_r: float
    fpr_random: float
    fpr_adversarial: float


HISTORY = [Trained(at, 1 / at, 0.1 * at, 0.3 / at, 1 - 0.05 * at) for at in range(1, 7)]
FIELDS = {"map@r": "map_at_r", "fpr-random": "fpr_random", "fpr-adversarial": "fpr_adversarial"}


def curves(axes):
    return [line for line in axes.lines if len(line.get_xdata()) == len(HISTORY)]


def test_every_epoch_stands_on_its_curve():
    rates, losses = training_curves(HISTORY, 4, "map@r").axes
    for line, field in zip(curves(rates), FIELDS.values(), strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3, 4, 5, 6]
        assert line.get_ydata().tolist() == [100 * getattr(one, field) for one in HISTORY]
    (loss,) = curves(losses)
    assert loss.get_ydata().tolist() == [one.loss for one in HISTORY]


@pytest.mark.parametrize(
    ("select", "words"),
    [
        ("map@r", "best: epoch 4, MAP@R 40.0 %"),
        ("fpr-random", "best: epoch 4, random FPR 7.5 %"),
        ("fpr-adversarial", "best: epoch 4, adversarial FPR 80.0 %"),
    ],
)
def test_the_best_epoch_is_marked_in_both_and_its_score_is_ringed(select, words):
    rates, losses = training_curves(HISTORY, 4, select).axes
    (ring,) = [line for line in rates.lines if line.get_markerfacecolor() == "none"]
    assert ring.get_xdata().tolist() == [4]
    assert ring.get_ydata().tolist() == [100 * getattr(HISTORY[3], FIELDS[select])]
    for axes in (rates, losses):
        (line,) = [line for line in axes.lines if line.get_color() == MUTED]
        assert list(line.get_xdata()) == [4, 4]
    assert rates.get_title(loc="right") == words


def test_the_scores_are_told_apart_without_colour_and_their_better_end_is_told():
    figure = training_curves(HISTORY, 6, "map@r")
    lines = curves(figure.axes[0])
    assert [line.get_color() for line in lines] == list(PALETTE[:3])
    assert len({str(line._dash_pattern) for line in lines}) == 3
    assert len({line.get_marker() for line in lines}) == 3
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["MAP@R ↑", "random FPR ↓", "adversarial FPR ↓"]


def test_one_epoch_can_be_drawn():
    figure = training_curves(HISTORY[:1], 1, "fpr-random")
    encode(figure, "png")
    low, high = figure.axes[1].get_xlim()
    ticks = [tick for tick in figure.axes[1].get_xticks() if low <= tick <= high]
    assert ticks == [1]


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_input_gives_the_same_bytes(file_format):
    first, second = (encode(training_curves(HISTORY, 4, "map@r"), file_format) for _ in range(2))
    assert first == second


def test_all_its_colours_can_be_themed():
    svg = to_svg(training_curves(HISTORY, 4, "map@r"), name="t", description="training")
    plain = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", svg)))
    assert plain <= {"#000000"}
    themed = set(re.findall(r"var\(--[\w-]+, (#[0-9a-f]{6})\)", svg))
    assert {*PALETTE[:3], INK, MUTED} <= themed <= {*PALETTE, INK, MUTED, GRID, PAPER}


@pytest.mark.parametrize(
    ("history", "best", "select", "message"),
    [
        pytest.param([], 1, "map@r", "no epochs", id="none"),
        pytest.param(HISTORY, 7, "map@r", "best epoch 7 of epochs 1 to 6", id="best"),
        pytest.param(HISTORY, 4, "loss", "'loss'; expected one of map@r, ", id="select"),
        pytest.param(HISTORY[::-1], 4, "map@r", "6, 5, 4.*rising", id="falling"),
        pytest.param([*HISTORY, HISTORY[-1]], 4, "map@r", "each once", id="twice"),
    ],
)
def test_what_cannot_be_drawn_is_refused(history, best, select, message):
    with pytest.raises(ScoresError, match=message):
        training_curves(history, best, select)


@pytest.mark.parametrize("field", ["loss", *FIELDS.values()])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(field, value):
    wrong = [HISTORY[0], replace(HISTORY[1], **{field: value})]
    with pytest.raises(ScoresError, match=f"epoch 2: {field} "):
        training_curves(wrong, 1, "map@r")
