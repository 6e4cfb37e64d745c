"""Error trade-offs: DET and ROC curves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf, isfinite
from statistics import NormalDist

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairsets.arrays import Floats, Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.rates import Curve, Point, checked_share, equal_error, fpr_at_fnr
from pairsets.figures.style import (
    DASHES,
    GRID,
    INK,
    MUTED,
    PALETTE,
    SMALL,
    TEXT,
    legend,
    page_panel,
    style,
)

_TICKS = (1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.995)
_NORMAL = NormalDist()
# Inches of the figure without its legend: the axes keep their height however many names it has.
_HIGH = 3.9
# Points of axes from side to side, nearly.
_BROAD = 265


def det_curves(
    curves: Mapping[str, Curve],
    *,
    human: Point | HumanRates | None = None,
    target_fnrs: Sequence[float] = (),
) -> Figure:
    """DET: FNR over FPR on normal-deviate axes, where equal Gaussian scores give a straight line.

    The line FPR = 1 - FNR, on which a coin lies, is labelled as chance; curves are better below it.
    A curve's rate of nought or one, which has no finite deviate, is drawn as half a pair; such a
    point or target stands on the frame. Of a long curve some hundred true vertices are drawn.

    Args:
        curves: by the name in the legend.
        human: a person's operating point, drawn as a star; of `HumanRates`, with a cross that
            reaches as far as the intervals do. One whose rates are not both known is not drawn.
        target_fnrs: drawn as level lines.

    Raises:
        ScoresError: no curves, or a target that is no share.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    human = _known(human)
    bounds = _bounds(human)
    points = [human] if human else []
    given = curves.values()
    low_fpr = _floor([*(1 / one.negatives for one in given), *(p.fpr for p in points)])
    low_fnr = _floor([*(1 / one.positives for one in given), *(p.fnr for p in points)])
    reached = [0.4, *target_fnrs, *(rate for p in points for rate in (p.fpr, p.fnr))]
    reached += [one.high for one in bounds or ()]
    for curve in curves.values():
        reached += [equal_error(curve)[0], *(fpr_at_fnr(curve, at).fpr for at in target_fnrs)]
    high = next((tick for tick in _TICKS if tick > max(reached)), _TICKS[-1])
    with style(TEXT):
        names = [*curves, *(["person"] if human else [])]
        figure, axes = page_panel(_HIGH, names)
        ends = [_deviate(max(low_fpr, low_fnr)), _deviate(high)]
        axes.plot(ends, ends, color=GRID, linewidth=0.9, zorder=1)
        # On these axes 1 - rate is the deviate of the other sign.
        _chance(axes, np.array([-ends[1], ends[1]]), np.array([ends[1], -ends[1]]), 0.5)
        for target in _deviates(np.array(target_fnrs), low_fnr):
            axes.axhline(target, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            handles += axes.plot(*_det_vertices(curve), linewidth=1.6, **_look(at))  # type: ignore[arg-type]
        if human is not None:
            places = partial(_deviates, least=low_fpr), partial(_deviates, least=low_fnr)
            handles += _person(axes, human, *places)
        axes.set(xlabel="false positive rate (%)", ylabel="false negative rate (%)")
        for axis, low in ((axes.xaxis, low_fpr), (axes.yaxis, low_fnr)):
            ticks = [tick for tick in _TICKS if low <= tick <= high]
            axis.set_ticks([_deviate(tick) for tick in ticks], [f"{100 * t:g}" for t in ticks])
        low_end, high_end = _deviate(low_fpr), _deviate(high)
        _thin_out(axes, high_end - low_end)
        axes.set_xlim(low_end, high_end)
        axes.set_ylim(_deviate(low_fnr), high_end)
        legend(figure, handles, names)
    return figure


def roc_curves(
    curves: Mapping[str, Curve],
    *,
    human: Point | HumanRates | None = None,
    target_fnrs: Sequence[float] = (),
) -> Figure:
    """ROC: TPR over FPR, both axes from 0 to 100 %, with the diagonal of equal errors.

    The axes are linear, since small rates are what DET shows: here the area under a curve is its
    AUC, chance is the one diagonal, and where a curve crosses the other, FPR = FNR, is its EER. Of
    a long curve some hundred true vertices are drawn.

    Args:
        curves, human: see `det_curves`.
        target_fnrs: drawn as level lines, at 1 - FNR.

    Raises:
        ScoresError: no curves, or a target that is no share.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    human = _known(human)
    with style(TEXT):
        names = [*curves, *(["person"] if human else [])]
        figure, axes = page_panel(_HIGH, names)
        _chance(axes, np.array([0.0, 100.0]), np.array([0.0, 100.0]), 0.7)
        axes.plot([0, 100], [100, 0], color=GRID, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)
        for target in target_fnrs:
            level = 100 * (1 - checked_share(target))
            axes.axhline(level, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            rows = roc_vertices(curve)
            x, y = 100 * curve.fpr[rows], 100 * (1 - curve.fnr[rows])
            handles += axes.plot(x, y, linewidth=1.6, **_look(at))  # type: ignore[arg-type]
        if human is not None:
            handles += _person(axes, human, lambda fpr: 100 * fpr, lambda fnr: 100 * (1 - fnr))
        axes.set(
            xlabel="false positive rate (%)",
            ylabel="true positive rate (%)",
            xlim=(0, 100),
            ylim=(0, 100),
        )
        legend(figure, handles, names)
    return figure


def det_vertices(curve: Curve) -> Rows:
    """Numbers of the vertices that `det_curves` draws, all of a short curve."""
    return _rows(curve, np.array([_NORMAL.cdf(at) for at in np.linspace(-4.3, 4.3, 260)]))


def roc_vertices(curve: Curve) -> Rows:
    """Numbers of the vertices that `roc_curves` draws, all of a short curve."""
    return _rows(curve, np.linspace(0, 1, 150))


def _thin_out(axes: Axes, reach: float) -> None:
    """Leave out numbers below axes, of so many deviates, that would meet the one to their left."""
    taken, kept = -inf, []
    for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True):
        middle, text = place / reach * _BROAD, label.get_text()
        half = TEXT * (0.64 * len(text) - 0.32 * text.count(".")) / 2
        fits = middle - half > taken + 1
        kept.append(text if fits else "")
        taken = middle + half if fits else taken
    axes.set_xticks(axes.get_xticks(), kept)


def _chance(axes: Axes, x: Floats, y: Floats, along: float) -> None:
    """Draw the line of a coin, FPR = 1 - FNR, its name below it at a part of its length."""
    axes.plot(x, y, color=GRID, linewidth=0.9, zorder=1)
    place = (x[0] + along * (x[1] - x[0]), y[0] + along * (y[1] - y[0]))
    axes.annotate(
        "chance",
        place,
        color=MUTED,
        size=SMALL,
        ha="center",
        va="top",
        rotation=float(np.degrees(np.arctan2(y[1] - y[0], x[1] - x[0]))),
        rotation_mode="anchor",
        transform_rotates_text=True,
    )


def _look(at: int) -> dict[str, object]:
    return {"color": PALETTE[at % len(PALETTE)], "linestyle": DASHES[at % len(DASHES)]}


def _known(human: Point | HumanRates | None) -> Point | HumanRates | None:
    """The person's rates, unless one of them does not exist."""
    return human if human and isfinite(human.fpr) and isfinite(human.fnr) else None


def _bounds(human: Point | HumanRates | None) -> tuple[Interval, Interval] | None:
    """The intervals of FPR and FNR, where they come with the point."""
    if not isinstance(human, HumanRates):
        return None
    return human.fpr_rate.interval, human.fnr_rate.interval


def _person(
    axes: Axes,
    human: Point | HumanRates,
    across: Callable[[Floats], Floats],
    up: Callable[[Floats], Floats],
) -> list[Artist]:
    """Draw the star of a person; `across` and `up` say where a rate lies on either axis."""
    x, y = across(np.array([human.fpr])), up(np.array([human.fnr]))
    bounds = _bounds(human)
    if bounds is not None:
        fpr, fnr = (np.array([one.low, one.high]) for one in bounds)
        whiskers = {"color": INK, "linewidth": 1.1, "solid_capstyle": "butt"}
        axes.plot(across(fpr), np.repeat(y, 2), **whiskers)  # type: ignore[arg-type]
        axes.plot(np.repeat(x, 2), up(fnr), **whiskers)  # type: ignore[arg-type]
    # Smaller where it has a cross, which it must not hide.
    size = 11 if bounds is None else 7
    star = {"color": INK, "markersize": size, "markeredgewidth": 0, "clip_on": False}
    return [*axes.plot(x, y, "*", **star)]  # type: ignore[arg-type]


def _deviate(share: float) -> float:
    return _NORMAL.inv_cdf(share)


def _deviates(shares: Floats, least: float) -> Floats:
    return np.array([_deviate(share) for share in np.clip(shares, least, 1 - least)])


def _floor(shares: Sequence[float]) -> float:
    """The tick at or below the least of `shares` that is not nought, 5 % at most."""
    least = min((share for share in shares if share > 0), default=1.0)
    return max((tick for tick in _TICKS if tick <= min(least, 0.05)), default=_TICKS[0])


def _rows(curve: Curve, grid: Floats) -> Rows:
    """Numbers of vertices to draw: all of a short curve, else those beside the rates of `grid`."""
    count = curve.thresholds.size
    if count <= 400:
        return np.arange(count)
    chosen = np.r_[0, curve.fpr.searchsorted(grid), (-curve.fnr).searchsorted(-grid), count - 1]
    return np.unique(np.minimum(chosen, count - 1))


def _det_vertices(curve: Curve) -> tuple[Floats, Floats]:
    """Vertices of the DET curve: deviates of FPR and FNR."""
    rows = det_vertices(curve)
    return (
        _deviates(curve.fpr[rows], 0.5 / curve.negatives),
        _deviates(curve.fnr[rows], 0.5 / curve.positives),
    )
