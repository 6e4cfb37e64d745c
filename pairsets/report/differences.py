"""Every two models of a set: the difference, whether the data tell it, and who is right alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from markupsafe import Markup

from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.differences import Difference
from pairsets.evaluation.intervals import Interval
from pairsets.report.content import Report
from pairsets.report.forest_plot import Scale
from pairsets.report.phrases import p_value, points

# Rows that stand open; what is beyond is folded away.
OPEN_ROWS = 12


@dataclass(frozen=True)
class Alone:
    """Number of pairs that one model alone gets right, and where the gallery shows them.

    A large set does not fit the gallery: then `shown`, which is what the address opens, is less
    than `count`.
    """

    count: int
    link: str = ""
    shown: int = 0


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
    only_lower: Alone
    only_higher: Alone


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
    for board in report.leaderboards:
        one = board.comparison
        if one is None or not any(one.differences.values()):
            continue
        linked = _Gallery.of(report, board.name)
        tables = tuple(_contrast(one, key, linked) for key in one.differences)
        kin = {entry.model for entry in board.entries if entry.kin_of and not entry.comparable}
        mined = tuple(sorted(one.apart - kin))
        found.append(Contrasts(board.name, tables, mined, tuple(sorted(one.apart & kin))))
    return found


@dataclass(frozen=True, eq=False)
class _Gallery:
    """Verdicts in the gallery on the pairs of a set: by model, whether each is wrong."""

    mistaken: Mapping[str, Sequence[bool | None]]

    @classmethod
    def of(cls, report: Report, name: str) -> _Gallery:
        """Verdicts in the gallery on the set `name`; none where it has no pair of it."""
        pairs = [pair for pair in report.gallery if name in pair.sets]
        models = dict.fromkeys(model for pair in pairs for model in pair.verdicts)
        return cls({model: [pair.mistaken(model) for pair in pairs] for model in models})

    def count(self, right: str, wrong: str) -> int:
        """Number of pairs that the view of one model right and the other wrong opens."""
        nothing: Sequence[bool | None] = ()
        both = zip(
            self.mistaken.get(right, nothing), self.mistaken.get(wrong, nothing), strict=False
        )
        return sum(one is False and other is True for one, other in both)


def _contrast(comparison: Comparison, statistic: str, linked: _Gallery) -> Contrast:
    found = [_oriented(one) for one in comparison.differences[statistic]]
    found.sort(key=lambda one: (not one.significant, one.value, one.first, one.second))
    scale = Scale.of([100 * end for one in found for end in (one.low, one.high)])
    rows = [_row(one, comparison.name, scale, linked) for one in found]
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


def _row(one: Difference, name: str, scale: Scale, linked: _Gallery) -> ContrastRow:
    def alone(right: str, wrong: str, count: int) -> Alone:
        shown = linked.count(right, wrong)
        if not shown:
            return Alone(count)
        view = urlencode({"set": name, "wrong": wrong, "right": right}, errors="replace")
        return Alone(count, f"#pairs?{view}", shown)

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
