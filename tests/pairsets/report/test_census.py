"""All pairs on the page: the rate that leads, what is bold, and beside it the mined set."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from support.elements import Page

from pairsets import PairSet
from pairsets.evaluation.census import Census, census_point, compare_census
from pairsets.evaluation.jackknife import Errors, Population
from pairsets.evaluation.rates import roc
from pairsets.figures import census_curves
from pairsets.report import Report, render
from pairsets.tables.census import census_markdown, census_notes, write_census
from pairsets.tables.leaderboard import make_leaderboard

SIZES = np.full(40, 3)
CODES = np.repeat(np.arange(40), 3)
FIRST, SECOND = np.triu_indices(120, 1)
SAME = CODES[FIRST] == CODES[SECOND]


def census(skill, seed, *, full=True):
    """Census of a model that is so good."""
    scores = np.random.default_rng(seed).standard_normal(len(FIRST)) + skill * SAME
    curve, population = roc(SAME, scores), Population(SIZES)
    points = []
    for fixed, target in (("fnr", 0.1), ("fpr", 0.01)):
        at = curve.first(lambda fpr, fnr, fixed=fixed: fnr <= 0.1 if fixed == "fnr" else fpr > 0.01)
        cut = float(curve.thresholds[at if fixed == "fnr" else at - 1])
        accepted = scores >= cut
        between = np.zeros((40, 40), np.int64)
        wrong = accepted & ~SAME
        np.add.at(between, (CODES[FIRST[wrong]], CODES[SECOND[wrong]]), 1)
        errors = Errors(
            cut,
            (between + between.T).sum(axis=1),
            np.bincount(CODES[FIRST[SAME & ~accepted]], minlength=40),
            int((between**2).sum()),
            9 * int(between.sum()),
        )
        points.append(census_point(population, curve, errors, fixed, target))
    kept = points if full else points[1:]
    return Census(population, tuple(kept), curve, 0.1, highest_far=1.0 if full else 0.01)


GOOD, BAD = census(3.0, 1), census(1.0, 2)


def page_of(found, boards=(), mined=0):
    return Page(
        render(Report("t", Path(), leaderboards=boards, ranked=["hard"], census=found, mined=mined))
    )


def test_the_best_leads_and_is_bold_where_it_is_told():
    found = compare_census({"bad": BAD, "good": GOOD})
    page = page_of(found)
    (lede,) = [text for _, text in page.of("p", "lede")]
    rate = 100 * GOOD.points[0].fpr
    assert lede.startswith(f"good takes {rate:#.3g} % of all 7,020 pairs of different identities")
    assert "That is the lowest rate of 2 models, by more than chance explains." in lede
    text = census_markdown(found)
    rows = [line for line in text.splitlines() if line.startswith("| good") or "| bad" in line]
    assert rows[0].startswith("| good | **")
    assert "**" not in rows[1]


def test_letters_of_models_stand_behind_the_rate_that_leads():
    page = page_of(compare_census({"bad": BAD, "good": GOOD}))
    head, *rows = page.rows("plain")[0]
    assert head[1:4] == ["FPR % at an FNR of 10.0 %", "Group", "FNR % at a FAR of 1 %"]
    assert [(row[0], row[2]) for row in rows] == [("good", "a"), ("bad", "b")]
    assert page_of(compare_census({"good": GOOD})).rows("plain")[0][0][2] != "Group"


def test_equal_models_are_not_told_apart():
    found = compare_census({"good": GOOD, "twin": GOOD})
    (lede,) = [text for _, text in page_of(found).of("p", "lede")]
    assert "these identities cannot tell it from twin" in lede
    assert "**" not in census_markdown(found)
    assert any("cannot tell good, the lowest, from twin" in text for text in census_notes(found))


def test_the_mined_set_stands_beside_it():
    draw = np.random.default_rng(0)
    paths = [f"{code:02}/{row:03}" for row, code in enumerate(CODES)]
    rows = np.r_[np.flatnonzero(SAME), np.flatnonzero(~SAME)[:200]]
    pairs = PairSet.of(
        [paths[i] for i in FIRST[rows]], [paths[j] for j in SECOND[rows]], SAME[rows]
    )
    scores = draw.standard_normal(len(rows)) + SAME[rows]
    board = make_leaderboard("hard", pairs, {"good": scores, "bad": -scores}, 0.1, draws=0)
    page = page_of(compare_census({"good": GOOD, "bad": BAD}), [board], 200)
    titles = [text for _, text in page.of("dt")]
    assert titles[:2] == ["Over all pairs", "Hard pairs"]
    intro = " ".join(text for _, text in page.of("p", "intro"))
    assert "How often models err." in intro
    assert "Where models fail." in intro
    captions = " ".join(text for _, text in page.of("figcaption"))
    assert "at most 200 pairs for one, as many as the mined set has" in captions


def test_what_was_not_counted_is_said():
    found = compare_census({"good": census(3.0, 1, full=False), "bad": census(1.0, 2, full=False)})
    assert found.lead == ("fpr", 0.01)
    (lede,) = [text for _, text in page_of(found).of("p", "lede")]
    assert "misses" in lede
    assert any("--census full" in text for text in census_notes(found))
    one = compare_census({"good": GOOD})
    (lede,) = [text for _, text in page_of(one).of("p", "lede")]
    assert "models" not in lede


def test_files_hold_what_is_known(tmp_path):
    files = write_census(tmp_path / "all-pairs", compare_census({"good": GOOD, "bad": BAD}))
    assert len(files) == 6
    header, first, *_ = files[1].read_text().splitlines()
    cells = dict(zip(header.split(","), first.split(","), strict=True))
    assert cells["model"] == "good"
    assert float(cells["fpr_at_fnr_0.1"]) == GOOD.points[0].fpr
    assert cells["auc"] == ""


def test_the_chart_draws_chance_and_what_was_mined():
    figure = census_curves({"good": GOOD.curve, "bad": BAD.curve}, mined=70)
    (axes,) = figure.axes
    (span,) = axes.patches
    assert np.isclose(span.get_x() + span.get_width(), 100 * 70 / 7020)
    chance = axes.lines[0]
    x, y = chance.get_xdata(), chance.get_ydata()
    assert np.allclose(y, 100 - x)
    seen = axes.lines[1]
    assert np.isclose(seen.get_xdata().min(), 100 / 7020)


@pytest.mark.parametrize("negatives", [7, 7020, 10**5, 10**6, 10**7, 10**8, 10**12])
def test_percents_of_the_axis_are_written_out_and_stand_apart(negatives):
    curve = roc(np.arange(8) > 6, np.arange(8.0))
    figure = census_curves({"m": replace(curve, rejected_negatives=negatives - 7)})
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_xlabel() == "false accept rate over all pairs (%)"
    low, high = axes.get_xlim()
    texts = [
        label
        for label, place in zip(axes.get_xticklabels(), axes.get_xticks(), strict=True)
        if low <= place <= high
    ]
    values = [float(text.get_text()) for text in texts]
    assert len(values) >= 2
    assert not any("e" in text.get_text() or "$" in text.get_text() for text in texts)
    assert max(values) == 100
    boxes = [text.get_window_extent() for text in texts]
    assert all(one.x1 + 4 < other.x0 for one, other in pairwise(boxes))
