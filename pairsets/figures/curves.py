"""Error trade-offs: DET curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import NormalDist

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pairsets.errors import ScoresError
from pairsets.figures.style import DASHES, GRID, INK, MUTED, PALETTE, legend, panel, style
from pairsets.rates import Curve, Point, equal_error, fpr_at_fnr

_TICKS = (1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.995)
_NORMAL = NormalDist()


def det_curves(
    curves: Mapping[str, Curve],
    *,
    human: Point | None = None,
    target_fnrs: Sequence[float] = (),
) -> Figure:
    """DET: FNR over FPR on normal-deviate axes, where equal Gaussian scores give a straight line.

    A curve's rate of nought or one, which has no finite deviate, is drawn as half a pair; such a
    point or target stands on the frame. Of a long curve some hundred true vertices are drawn.

    Args:
        curves: by the name in the legend.
        human: a person's operating point, drawn as a star.
        target_fnrs: drawn as level lines.

    Raises:
        ScoresError: no curves, or a target that is no share.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    points = [human] if human else []
    low_fpr = _floor(
        [*(1 / curve.negatives for curve in curves.values()), *(p.fpr for p in points)]
    )
    low_fnr = _floor(
        [*(1 / curve.positives for curve in curves.values()), *(p.fnr for p in points)]
    )
    reached = [0.4, *target_fnrs, *(rate for p in points for rate in (p.fpr, p.fnr))]
    for curve in curves.values():
        reached += [equal_error(curve)[0], *(fpr_at_fnr(curve, at).fpr for at in target_fnrs)]
    high = next((tick for tick in _TICKS if tick > max(reached)), _TICKS[-1])
    with style():
        figure, axes = panel((4.6, 4.0))
        ends = [_deviate(max(low_fpr, low_fnr)), _deviate(high)]
        axes.plot(ends, ends, color=GRID, linewidth=0.9, zorder=1)
        for target in _deviates(np.array(target_fnrs), low_fnr):
            axes.axhline(target, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            x, y = _det_vertices(curve)
            handles += axes.plot(
                x,
                y,
                color=PALETTE[at % len(PALETTE)],
                linestyle=DASHES[at % len(DASHES)],
                linewidth=1.6,
            )
        if human is not None:
            x, y = (
                _deviates(np.array([human.fpr]), low_fpr),
                _deviates(np.array([human.fnr]), low_fnr),
            )
            star = {"color": INK, "markersize": 11, "markeredgewidth": 0, "clip_on": False}
            handles += axes.plot(x, y, "*", **star)  # type: ignore[arg-type]
        axes.set(xlabel="false positive rate (%)", ylabel="false negative rate (%)")
        for axis, low in ((axes.xaxis, low_fpr), (axes.yaxis, low_fnr)):
            ticks = [tick for tick in _TICKS if low <= tick <= high]
            axis.set_ticks([_deviate(tick) for tick in ticks], [f"{100 * t:g}" for t in ticks])
        axes.set_xlim(_deviate(low_fpr), _deviate(high))
        axes.set_ylim(_deviate(low_fnr), _deviate(high))
        legend(figure, handles, [*curves, *(["person"] if human else [])])
    return figure


def _deviate(share: float) -> float:
    return _NORMAL.inv_cdf(share)


def _deviates(shares: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    return np.array([_deviate(share) for share in np.clip(shares, least, 1 - least)])


def _floor(shares: Sequence[float]) -> float:
    """The tick at or below the least of `shares` that is not nought, 5 % at most."""
    least = min((share for share in shares if share > 0), default=1.0)
    return max((tick for tick in _TICKS if tick <= min(least, 0.05)), default=_TICKS[0])


def _det_vertices(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deviates of FPR and FNR: all vertices of a short curve, of a long one evenly spread ones."""
    fpr, fnr = curve.fpr, curve.fnr
    rows = np.arange(fpr.size)
    if rows.size > 400:
        grid = np.array([_NORMAL.cdf(at) for at in np.linspace(-4.3, 4.3, 260)])
        chosen = np.r_[0, fpr.searchsorted(grid), (-fnr).searchsorted(-grid), rows[-1]]
        rows = np.unique(np.minimum(chosen, rows[-1]))
    return _deviates(fpr[rows], 0.5 / curve.negatives), _deviates(fnr[rows], 0.5 / curve.positives)
