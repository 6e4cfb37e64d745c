"""Kin of a reference on the page, chance on its axes, and no best model of mined pairs alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.elements import Page

from pairsets import PairSet
from pairsets.evaluation.kinship import Correlation, Kinship, Overlap
from pairsets.figures import interval_bars
from pairsets.report import Report, render
from pairsets.report.headline import headline_of
from pairsets.report.leaderboards import board_of
from pairsets.tables.entries import NOT_COMPARABLE, Entry
from pairsets.tables.leaderboard import Leaderboard, make_leaderboard

NEAR = Kinship("miner", Correlation(0.66, 0.62, 0.7, 20000), Overlap(0.41, 500, 1_666_667))
MARK = "kin of miner: not comparable on its pairs"
SAID = (
    "kin of miner, rank correlation 0.66 [0.62, 0.70], 41 % of the hardest 500 in common "
    "(chance 0.03 %)"
)
MINED = Leaderboard(
    "hard",
    (
        Entry("coin", 0.3, 0.1, 0.3),
        Entry("near", 0.9, 0.1, 0.55, MARK, comparable=False, kinships=(NEAR,)),
        Entry("miner", 1.0, 0.1, 0.8, NOT_COMPARABLE, comparable=False),
    ),
    mined_by=("miner",),
)
FREE = Leaderboard("random", (Entry("near", 0.02, 0.1, 0.05), Entry("coin", 0.5, 0.1, 0.45)))


def text_of(*boards: Leaderboard) -> str:
    return render(Report("t", Path(), leaderboards=boards))


def test_the_mark_stands_below_the_models_name():
    page = Page(text_of(FREE, MINED))
    assert [text for _, text in page.of("span", "kinship")] == [SAID]
    assert [text for _, text in page.of("span", "badge")] == [MARK, NOT_COMPARABLE]
    (intro,) = [text for _, text in page.of("p", "intro") if "Lower is better" in text]
    assert "Grey, too, is its kin" in intro
    assert "kin: a model" not in text_of(FREE)


def test_the_headline_says_that_its_model_is_kin():
    found = headline_of([FREE, MINED])
    assert (found.best.model, found.punished) == ("near", True)
    (lede,) = [text for _, text in Page(text_of(FREE, MINED)).of("p", "lede")]
    assert "Of the hard pairs, which miner mined, it takes 90.0 %, being kin of miner." in lede
    assert "which it mined itself" not in lede


@pytest.mark.parametrize("boards", [(MINED,), (MINED, MINED)], ids=["one", "two"])
def test_no_model_is_the_best_of_mined_pairs_alone(boards):
    assert headline_of(boards) is None
    (lede,) = [text for _, text in Page(text_of(*boards)).of("p", "lede")]
    assert lede.endswith("none says which model is the best.")
    assert not any(model in lede for model in ("coin", "near"))


def test_chance_is_marked_where_the_axis_of_the_eer_reaches_it():
    assert board_of(MINED).chance
    hard = text_of(MINED)
    assert hard.count('class="chance" x1="62.5%"') == 3
    assert "an EER of 50.0 %" in board_of(MINED).chance
    assert board_of(MINED).chance in hard
    low = Leaderboard("random", (Entry("near", 0.02, 0.1, 0.05),))
    assert not board_of(low).chance
    assert 'class="chance"' not in text_of(low)
    assert "Dashed is chance" not in text_of(low)


def test_a_sentence_names_the_models_that_are_no_better_than_chance():
    (foot,) = [text for _, text in Page(text_of(MINED)).of("p", "foot")]
    assert foot.startswith(
        "No better than chance on these pairs, with an EER of 50 % or more: near."
    )


def test_below_the_differences_kin_are_named_apart_from_what_mined():
    generator = np.random.default_rng(1)
    label = np.repeat([1, 0], 200)
    ends = [[f"c{(k + step) % 60}/{k}" for k in range(400)] for step in (0, 1)]
    scores = {
        model: gap * label + generator.standard_normal(400)
        for model, gap in {"near": 3.0, "one": 2.0, "two": 1.0, "miner": 1.5}.items()
    }
    board = make_leaderboard(
        "hard", PairSet.of(*ends, label), scores, 0.1, mined_by="miner",
        kinships={"near": [NEAR]}, draws=200,
    )  # fmt: skip
    said = [text for _, text in Page(text_of(board)).of("p", "foot") if "Not compared" in text]
    assert said == [
        "Not compared: miner, which mined this set.",
        "Not compared: near, kin of what mined this set.",
    ]


def texts(figure):
    return [one.get_text() for one in figure.axes[0].texts]


def test_bars_mark_chance_on_the_axis_of_the_eer_alone():
    assert "chance" in texts(interval_bars(MINED.entries, column="eer"))
    assert "chance" not in texts(interval_bars(MINED.entries, column="fpr"))
    assert "chance" not in texts(interval_bars(FREE.entries[:1], column="eer"))
    kinds = [one.get_text() for one in interval_bars(MINED.entries).legends[0].get_texts()]
    assert kinds == ["run here", "kin of what mined it", "mined this set"]
