"""Data of charts: what a figure draws, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.hardness import hardness
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.rates import Point, roc
from pairsets.figures import hardness_curves, roc_curves, score_histograms
from pairsets.report.chart_tables import (
    census_table,
    confusion_table,
    det_table,
    hardness_table,
    histogram_table,
    interval_table,
    roc_table,
)
from pairsets.report.content import DetSet
from pairsets.tables.entries import Entry

LABELS = np.repeat([1, 0], 900)
SCORES = LABELS * 0.5 + np.random.default_rng(0).normal(0, 0.3, LABELS.size)


def test_rows_of_a_leaderboard() -> None:
    entries = [
        Entry("a", 0.1, 0.2, 0.15, fpr_interval=Interval(0.05, 0.2)),
        Entry("none", None, 0.2, 0.1),
        Entry("published", 0.3, 0.1, None, published=True),
    ]
    table = interval_table(entries)
    assert table.header == ("model", "fpr", "fpr_low", "fpr_high", "note")
    assert [row[1:4] for row in table.rows] == [(0.1, 0.05, 0.2), (0.3, "", "")]


@pytest.mark.parametrize("count", [40, LABELS.size])
def test_curves_have_the_vertices_drawn(count: int) -> None:
    rows = np.r_[: count // 2, LABELS.size - count // 2 : LABELS.size]
    curve = roc(LABELS[rows], SCORES[rows])
    group = DetSet("random", {"m": curve}, Point(0, 0.1, 0.2))
    [line] = [
        one.get_xydata()
        for one in roc_curves(group.curves).axes[0].lines
        if one.get_linewidth() == 1.6
    ]
    told = roc_table(group).rows
    drawn = np.array([row[2:] for row in told if row[0] == "m"], float)
    np.testing.assert_array_equal(np.asarray(line), 100 * drawn)
    assert told[-1] == ("person", "", 0.1, 0.8)
    # Each is a vertex of the whole curve.
    of = {
        cut: (fpr, fnr)
        for cut, fpr, fnr in zip(curve.thresholds, curve.fpr, curve.fnr, strict=True)
    }
    for model, cut, fpr, fnr in det_table(group).rows[:-1]:
        assert model == "m"
        assert of[cut] == (fpr, fnr)
    assert all(row[2] > 0 for row in census_table({"m": curve}).rows)
    assert len(census_table({"m": curve}).rows) == (curve.false_positives > 0).sum()


def test_bins_of_a_histogram() -> None:
    groups = {
        "positives": SCORES[LABELS == 1],
        "empty": np.empty(0),
        "negatives": SCORES[LABELS == 0],
    }
    table = histogram_table(groups)
    assert len(table.rows) == 2 * 60
    drawn = [one.get_data() for one in score_histograms(groups).axes[0].patches[1::2]]
    for group, (values, edges, _) in zip(("positives", "negatives"), drawn, strict=True):
        rows = [row[1:] for row in table.rows if row[0] == group]
        np.testing.assert_array_equal([100 * share for _, _, share in rows], values)
        np.testing.assert_array_equal([low for low, _, _ in rows], edges[:-1])
        assert sum(share for *_, share in rows) == pytest.approx(1)
        for low, high, share in rows[:-1]:
            inside = (groups[group] >= low) & (groups[group] < high)
            assert share == inside.mean()


def test_bins_of_hardness_and_pairs_of_a_map() -> None:
    count = 60
    names = [f"i{at % 7}" for at in range(count)], [f"i{(at * 3 + 1) % 7}" for at in range(count)]
    kept = [at for at in range(count) if names[0][at] != names[1][at]]
    paths = [
        [f"{side[at]}/{at}{end}" for at in kept] for side, end in zip(names, "ab", strict=True)
    ]
    pairs = PairSet.of(*paths, np.zeros(len(kept), int))
    accepted = np.arange(len(kept)) % 3 == 0
    found = hardness(pairs, np.arange(1, len(kept) + 1), {"m": accepted})
    table = hardness_table(found)
    assert [row[1:3] for row in table.rows] == [(one.first, one.last) for one in found.bins]
    for _, first, last, fpr, *_ in table.rows:
        assert fpr == accepted[first - 1 : last].mean()
    middle = [line for line in hardness_curves(found).axes[0].lines if line.get_marker() == "o"]
    np.testing.assert_allclose(middle[0].get_ydata(), [100 * row[3] for row in table.rows])

    scores = np.where(accepted, 1.0, 0.0) + np.arange(len(kept)) / 1000
    told = confusion_table(Confusion.of(pairs, scores, 0.9)).rows
    for one, other, count_of, errors, best in told:
        rows = [
            at
            for at, (a, b) in enumerate(zip(pairs.path_a, pairs.path_b, strict=True))
            if {a.split("/")[0], b.split("/")[0]} == {one, other}
        ]
        assert (count_of, errors) == (len(rows), accepted[rows].sum())
        assert best == scores[rows].max()
    assert sum(row[3] for row in told) == accepted.sum()
