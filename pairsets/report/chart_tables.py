"""Data of the charts, as tables: what one needs to draw them again, in a paper's own style.

Rates are shares from 0 to 1, and numbers read back as the same float64, as in all tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Rows
from pairsets.evaluation.confusion import Confusion
from pairsets.evaluation.hardness import Hardness
from pairsets.evaluation.rates import Curve
from pairsets.figures import det_vertices, roc_vertices, score_bins
from pairsets.report.content import DetSet
from pairsets.tables.entries import Entry


@dataclass(frozen=True)
class ChartTable:
    """A chart's data: names of columns, and rows of as many cells."""

    header: Sequence[str]
    rows: Sequence[Sequence[object]]


def interval_table(entries: Sequence[Entry], column: str = "fpr") -> ChartTable:
    """A rate of each row of a leaderboard, with its interval; see `pairsets.figures`."""
    rows = []
    for entry in entries:
        value, bounds = getattr(entry, column), getattr(entry, f"{column}_interval", None)
        if value is not None and np.isfinite(value):
            ends = ("", "") if bounds is None else (bounds.low, bounds.high)
            rows.append((entry.title, value, *ends, entry.note))
    return ChartTable(("model", column, f"{column}_low", f"{column}_high", "note"), rows)


def det_table(group: DetSet) -> ChartTable:
    """The vertices that are drawn of each DET curve, and the person's point, without threshold."""
    rows: list[Sequence[object]] = []
    for model, curve in group.curves.items():
        rows += _vertices(model, curve, det_vertices(curve), found=True)
    if group.human is not None:
        rows.append(("person", "", group.human.fpr, group.human.fnr))
    return ChartTable(("model", "threshold", "fpr", "fnr"), rows)


def roc_table(group: DetSet) -> ChartTable:
    """The vertices that are drawn of each ROC curve, and the person's point, without threshold."""
    rows: list[Sequence[object]] = []
    for model, curve in group.curves.items():
        rows += _vertices(model, curve, roc_vertices(curve), found=False)
    if group.human is not None:
        rows.append(("person", "", group.human.fpr, 1 - group.human.fnr))
    return ChartTable(("model", "threshold", "fpr", "tpr"), rows)


def _vertices(model: str, curve: Curve, rows: Rows, *, found: bool) -> list[tuple[object, ...]]:
    """Rows of a table: thresholds, FPR, and FNR, or where not `found` TPR."""
    across = curve.fnr[rows] if found else 1 - curve.fnr[rows]
    cells = (curve.thresholds[rows], curve.fpr[rows], across)
    return [(model, *one) for one in zip(*(each.tolist() for each in cells), strict=True)]


def census_table(curves: Mapping[str, Curve]) -> ChartTable:
    """The curves over all pairs, each vertex that has a place on the logarithmic axis."""
    rows: list[Sequence[object]] = []
    for model, curve in curves.items():
        seen = np.flatnonzero(curve.false_positives > 0)
        rows += _vertices(model, curve, seen, found=True)
    return ChartTable(("model", "threshold", "fpr", "fnr"), rows)


def histogram_table(groups: Mapping[str, ArrayLike]) -> ChartTable:
    """The share of each group's pairs in each bin, the bins those of the chart."""
    edges, shares = score_bins(groups)
    bins = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    rows = [
        (name, *ends, share)
        for name, found in shares.items()
        for ends, share in zip(bins, found.tolist(), strict=True)
    ]
    return ChartTable(("group", "score_from", "score_to", "share"), rows)


def hardness_table(hardness: Hardness) -> ChartTable:
    """The rates of each model by rank, in bins, with and without hub images."""
    header = ("model", "rank_from", "rank_to", "fpr", "fpr_low", "fpr_high")
    rows = [
        (
            model,
            one.first,
            one.last,
            one.fpr[model].value,
            one.fpr[model].low,
            one.fpr[model].high,
            one.fpr_without_hubs[model].value,
            one.hub_share,
        )
        for model in hardness.models
        for one in hardness.bins
    ]
    return ChartTable((*header, "fpr_without_hubs", "hub_share"), rows)


def confusion_table(confusion: Confusion) -> ChartTable:
    """Every two identities of a map that have a pair: pairs, those accepted, the highest score."""
    first, second = np.nonzero(np.triu(confusion.counts, 1))
    rows = [
        (confusion.identities[a], confusion.identities[b], *cells)
        for a, b, *cells in zip(
            first.tolist(),
            second.tolist(),
            confusion.counts[first, second].tolist(),
            confusion.accepted[first, second].tolist(),
            confusion.best[first, second].tolist(),
            strict=True,
        )
    ]
    return ChartTable(("identityA", "identityB", "pairs", "false_accepts", "best_score"), rows)
