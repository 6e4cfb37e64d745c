"""Every two models of a set: the difference, whether the data tell it, and who is right alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from markupsafe import Markup

from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.differences import Difference
from pairsets.evaluation.intervals import Interval
from pairsets.report.content import Report
from pairsets.report.forest_plot import Scale
from pairsets.report.gallery_links import GalleryLink, GalleryViews
from pairsets.report.phrases import p_value, points

# Rows that stand open; what is beyond is folded away.
OPEN_ROWS = 12


@dataclass(frozen=True)
class ContrastRow:
    """Row of a contrast: two models, the one with the lower rate first."""

    lower: str
    higher: str
    difference: str
    bounds: str
    drawing: Markup
    p: str
    tells: bool
    only_lower: GalleryLink
    only_higher: GalleryLink


@dataclass(frozen=True)
class Contrast:
    """Differences of every two models in one statistic.

    Attributes:
        statistic: "FPR" or "EER".
        target: the FNR that the FPR is at, as a share.
        rows: those that stand open: what the data tell first, then by size.
        more: those folded away.
        more_tell: how many of these the data tell.
        axis: the numbers below the drawings.
    """

    statistic: str
    target: float
    rows: tuple[ContrastRow, ...]
    more: tuple[ContrastRow, ...]
    more_tell: int
    axis: Markup


@dataclass(frozen=True)
class Contrasts:
    """Tables of a set's differences, and which models are not in them.

    Attributes:
        name: of the set.
        tables: one a statistic.
        apart: models that mined the set.
        kin: their kin.
    """

    name: str
    tables: tuple[Contrast, ...]
    apart: tuple[str, ...]
    kin: tuple[str, ...]


def contrasts_of(report: Report) -> list[Contrasts]:
    """Contrasts of each set with two models to compare."""
    found = []
    views = GalleryViews(report.gallery, report.gallery_scattered)
    for board in report.leaderboards:
        one = board.comparison
        if one is None or not any(one.differences.values()):
            continue
        tables = tuple(_contrast(one, key, views) for key in one.differences)
        kin = {entry.model for entry in board.entries if entry.kin_of and not entry.comparable}
        mined = tuple(sorted(one.apart - kin))
        found.append(Contrasts(board.name, tables, mined, tuple(sorted(one.apart & kin))))
    return found


def _contrast(comparison: Comparison, statistic: str, views: GalleryViews) -> Contrast:
    found = [_oriented(one) for one in comparison.differences[statistic]]
    found.sort(key=lambda one: (not one.significant, one.value, one.first, one.second))
    scale = Scale.of([100 * end for one in found for end in (one.low, one.high)])
    rows = [_row(one, comparison.name, scale, views) for one in found]
    return Contrast(
        statistic.upper(),
        comparison.target_fnr,
        tuple(rows[:OPEN_ROWS]),
        tuple(rows[OPEN_ROWS:]),
        sum(one.significant for one in found[OPEN_ROWS:]),
        scale.axis(),
    )


def _oriented(one: Difference) -> Difference:
    """Difference turned round, if need be, to begin with the model of the lower rate."""
    if one.value <= 0:
        return one
    return replace(
        one,
        first=one.second,
        second=one.first,
        value=-one.value,
        low=-one.high,
        high=-one.low,
        only_first=one.only_second,
        only_second=one.only_first,
    )


def _row(one: Difference, name: str, scale: Scale, views: GalleryViews) -> ContrastRow:
    def alone(right: str, wrong: str, count: int) -> GalleryLink:
        return views.link(count, set=name, wrong=wrong, right=right)

    known = one.low == one.low
    return ContrastRow(
        lower=one.first,
        higher=one.second,
        difference=points(one.value),
        bounds=f"[{points(one.low)}, {points(one.high)}]" if known else "",
        drawing=scale.row(
            100 * one.value, Interval(one.low, one.high), "" if one.significant else "faded"
        ),
        p=p_value(one.p_holm),
        tells=one.significant,
        only_lower=alone(one.first, one.second, one.only_first),
        only_higher=alone(one.second, one.first, one.only_second),
    )
