"""Rates at further operating points, and how much the pairs tell of them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from pairsets.evaluation.evaluator import TARGETS
from pairsets.evaluation.intervals import Rate
from pairsets.evaluation.result import Evaluation, OperatingPoint
from pairsets.report.phrases import decimal_bounds, score, share
from pairsets.report.tables import Cell, Table
from pairsets.tables.leaderboard import ZACI, Leaderboard, interval_text


def operating_tables(board: Leaderboard) -> list[Table]:
    """Tables of a board's models at other targets, and of how much their pairs tell."""
    found = {
        entry.title: entry.evaluation for entry in board.entries if entry.evaluation is not None
    }
    if not found:
        return []
    tables = [
        Table(
            title,
            tuple(f"{fixed} {100 * target:g} %" for target in TARGETS),
            tuple(
                (model, tuple(_point(at) for at in one.points if at.fixed == fixed.lower()))
                for model, one in found.items()
            ),
            foot=foot,
        )
        for fixed, title, foot in (
            (
                "FNR",
                "FPR % where a threshold misses that share of the pairs of one identity (FNR)",
                "Each rate is that of a real threshold: the highest one whose FNR does not exceed "
                "the target. Below it stands its 95 % interval.",
            ),
            (
                "FPR",
                "FNR % where a threshold takes that share of the pairs of two for one (FPR)",
                "\u201cSet too small\u201d: at this target not one pair of the set may be wrong.",
            ),
        )
        if any(one.points for one in found.values())
    ]
    tables.append(_certainty(found))
    return [*tables, *_carried(found)]


def _point(point: OperatingPoint) -> Cell:
    if not point.resolvable:
        return Cell("", "set too small")
    if isnan(point.value):
        return Cell("N/A", "no threshold reaches it")
    return Cell(share(point.value), interval_text(point.interval))


def _threshold(one: Evaluation, threshold: float) -> Cell:
    if isnan(threshold):
        return Cell("N/A")
    return Cell(score(one.shown(threshold)), "of distances, or less" if one.distance else "")


def _certainty(found: Mapping[str, Evaluation]) -> Table:
    names = (
        "AUC",
        "d\u2032",
        "Threshold",
        f"{ZACI} %",
        "Negatives are worth",
        "Positives are worth",
    )
    rows = []
    for model, one in found.items():
        rows.append(
            (
                model,
                (
                    Cell(f"{one.auc:.4f}", decimal_bounds(one.intervals.get("auc"), 4)),
                    Cell("N/A")
                    if isnan(one.dprime)
                    else Cell(f"{one.dprime:.2f}", decimal_bounds(one.intervals.get("dprime"), 2)),
                    _threshold(one, one.threshold),
                    Cell(share(one.fpr_interpolated)),
                    _worth(one.fpr_rate),
                    _worth(one.fnr_rate),
                ),
            )
        )
    return Table(
        "How well scores separate, and how much the pairs tell",
        names,
        tuple(rows),
        foot="AUC: the chance that a pair of one identity scores above a pair of two. d\u2032: "
        "how many standard deviations the two kinds lie apart. FPR (ZACI-20): on the line between "
        "two thresholds, as its evaluator interpolates it, to stand beside published figures; on "
        "small or well separated sets it comes out too high. Pairs that share an identity repeat "
        "one another, so that many of them tell only as much as fewer independent ones: the number "
        "in large. The design effect is how many times fewer.",
    )


def _worth(rate: Rate) -> Cell:
    if not rate.count:
        return Cell("N/A")
    note = f"of {rate.count:,}, design effect {rate.design_effect:.1f}"
    return Cell(f"{rate.effective:,.0f}", note)


def _carried(found: Mapping[str, Evaluation]) -> list[Table]:
    """Tables of carried thresholds, one for each set that thresholds were fixed on."""
    sources = dict.fromkeys(one.carried.source for one in found.values() if one.carried)
    return [
        Table(
            f"At the threshold fixed on the {source} set",
            ("Threshold", "FPR %", "FNR %"),
            tuple(
                (
                    model,
                    (
                        _threshold(one, one.carried.threshold),
                        Cell(share(one.carried.fpr.value), interval_text(one.carried.fpr.interval)),
                        Cell(share(one.carried.fnr.value), interval_text(one.carried.fnr.interval)),
                    ),
                )
                for model, one in found.items()
                if one.carried and one.carried.source == source
            ),
            foot=f"Who chose the threshold on the {source} pairs and uses it on these meets these "
            "rates.",
        )
        for source in sources
    ]
