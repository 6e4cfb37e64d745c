"""A leaderboard as points and intervals on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import Interval
from pairsets.figures.style import BLUE, INK, MUTED, PAPER, fitted, style
from pairsets.tables.entries import Entry
from pairsets.tables.leaderboard import percent

COLUMNS = ("fpr", "fnr", "eer", "fpr_interpolated")
_NAMES = {
    "fpr": "false positive rate (%)",
    "fnr": "false negative rate (%)",
    "eer": "equal error rate (%)",
    "fpr_interpolated": "false positive rate, interpolated as by ZACI-20 (%)",
}
# The EER of a coin, in percent.
_CHANCE = 50.0
# Inches: a row, what stands above and below them, the room for a name and for the number.
_ROW, _ABOVE, _BELOW, _NAME, _CHART, _NUMBER = 0.27, 0.3, 0.8, 2.15, 3.2, 1.4


def interval_bars(
    entries: Sequence[Entry], *, column: str = "fpr", title: str | None = None
) -> Figure:
    """The rows of a leaderboard as a forest plot, in their order: a point and its interval each.

    A person is a star, a published row a hollow point without interval, a model that mined the set
    is grey, and so is its kin. Where the axis of the EER reaches 50 %, chance is marked. Rows that
    have no such rate are left out. The number at the right is the rate and its 95 % interval.

    Args:
        entries: see `pairsets.Leaderboard.entries`.
        column: `fpr`, `fnr`, `eer`, or `fpr_interpolated`, which is the FPR of published rows.
        title: above the axes.

    Raises:
        ScoresError: another column, or no row that has it.
    """
    if column not in COLUMNS:
        raise ScoresError(f"no intervals of {column!r}; there are {', '.join(COLUMNS)}")
    rows = [one for one in entries if _rate(one, column) is not None]
    if not rows:
        raise ScoresError(f"no row has a value in {column}; there is nothing to draw")
    high = _ABOVE + len(rows) * _ROW + _BELOW
    wide = _NAME + _CHART + _NUMBER
    with style():
        figure = Figure(figsize=(wide, high), dpi=200)
        axes = figure.add_axes(
            (_NAME / wide, _BELOW / high, _CHART / wide, len(rows) * _ROW / high)
        )
        handles: dict[str, Artist] = {}
        for at, entry in enumerate(rows):
            kind, mark = _mark(axes, entry, at, column)
            handles.setdefault(kind, mark)
            _words(axes, entry, at, column)
        axes.set(ylim=(len(rows) - 0.5, -0.5), yticks=[], xlabel=_NAMES[column])
        most = axes.get_xlim()[1]
        axes.set_xlim(0, most if most < 80 else 100)
        if column == "eer" and axes.get_xlim()[1] >= _CHANCE:
            axes.axvline(_CHANCE, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
            how = {"textcoords": "offset points", "ha": "center", "va": "bottom"}
            axes.annotate("chance", (_CHANCE, -0.5), (0, 2), size=7.5, color=MUTED, **how)  # type: ignore[arg-type]
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0, pad=5)
        if title:
            shown = fitted(title, 72 * (wide - 0.3), 10, lines=1)
            figure.text(0.12 / wide, 1 - 0.08 / high, shown, size=10, va="top", parse_math=False)
        if len(handles) > 1:
            figure.legend(
                list(handles.values()), list(handles), loc="lower left", ncols=5, frameon=False,
                fontsize=8, handletextpad=0.3, columnspacing=1.4,
            )  # fmt: skip
    return figure


def _rate(entry: Entry, column: str) -> float | None:
    value: float | None = getattr(entry, column)
    return value if value is not None and isfinite(value) else None


def _interval(entry: Entry, column: str) -> Interval | None:
    """The interval of a rate; None of an interpolated one: published ones beside it have none."""
    found: Interval | None = getattr(entry, f"{column}_interval", None)
    return found


def _mark(axes: Axes, entry: Entry, row: int, column: str) -> tuple[str, Artist]:
    """Draw the point and the interval; what kind it is, and the point."""
    value = 100 * float(getattr(entry, column))
    color = INK if entry.human else BLUE if entry.comparable else MUTED
    bounds = _interval(entry, column)
    if bounds is not None and isfinite(bounds.low) and isfinite(bounds.high):
        ends = [100 * bounds.low, 100 * bounds.high]
        axes.plot(ends, [row, row], color=color, linewidth=1.8, solid_capstyle="butt", zorder=2)
    kind = "published" if entry.published else "run here"
    if not entry.comparable:
        kind = "mined this set" if entry.mined else "kin of what mined it"
    if entry.human:
        kind = "person, published" if entry.published else "person"
    (mark,) = axes.plot(
        [value],
        [row],
        "*" if entry.human else "o",
        color=color,
        markersize=10 if entry.human else 6,
        markerfacecolor=PAPER if entry.published else color,
        markeredgewidth=1.2 if entry.published else 0,
        linestyle="none",
        clip_on=False,
        zorder=3,
    )
    return kind, mark


def _words(axes: Axes, entry: Entry, row: int, column: str) -> None:
    """Write the name at the left and the number at the right."""
    how = {"xycoords": axes.get_yaxis_transform(), "textcoords": "offset points", "va": "center"}
    name = fitted(entry.title, 72 * (_NAME - 0.25), 9, lines=1)
    axes.annotate(name, (0, row), (-8, 0), ha="right", parse_math=False, **how)  # type: ignore[arg-type]
    text = percent(_rate(entry, column))
    bounds = _interval(entry, column)
    if bounds is not None and isfinite(bounds.low) and isfinite(bounds.high):
        text += f"  [{percent(bounds.low)}, {percent(bounds.high)}]"
    axes.annotate(text, (1, row), (8, 0), size=8, color=MUTED, **how)  # type: ignore[arg-type]
