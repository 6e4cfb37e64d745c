"""Curves of identification: CMC, and the error trade-off of the open set."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.rates import Curve
from pairsets.figures.style import (
    DASHES,
    MUTED,
    PALETTE,
    TEXT,
    legend,
    page_panel,
    set_log_percents,
    style,
)


def cmc_curves(
    curves: Mapping[str, Floats], intervals: Mapping[str, Mapping[int, Interval]] | None = None
) -> Figure:
    """CMC: the share of mated probes that are found among the first ranks, on a logarithmic axis.

    Args:
        curves: by the name in the legend, `[N]` as `Identification.cmc`.
        intervals: by name, those at some ranks, drawn as whiskers.

    Raises:
        ScoresError: no curves.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    size = max(len(curve) for curve in curves.values())
    with style(TEXT):
        names = [*curves, "chance"]
        figure, axes = page_panel(3.9, names)
        ranks = np.arange(1, size + 1)
        axes.plot(ranks, 100 * ranks / size, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        handles: list[Artist] = []
        for at, (name, curve) in enumerate(curves.items()):
            colour = PALETTE[at % len(PALETTE)]
            handles += axes.plot(
                np.arange(1, len(curve) + 1),
                100 * curve,
                color=colour,
                linestyle=DASHES[at % len(DASHES)],
                linewidth=1.6,
                drawstyle="steps-post",
            )
            for rank, one in (intervals or {}).get(name, {}).items():
                if rank in (1, 5, 10, 20, 50, 100, 200, 500, 1000):
                    # Beside one another, so that models do not hide each other's.
                    place = rank * 1.03 ** (at - (len(curves) - 1) / 2)
                    axes.plot([place] * 2, [100 * one.low, 100 * one.high], color=colour, lw=1.0)
        handles += axes.plot([], [], color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(which="minor", bottom=False)
        axes.set(
            xlabel="rank, at most",
            ylabel="mated probes found (%)",
            xlim=(0.93, size * 1.05),
            ylim=(0, 102),
        )
        legend(figure, handles, names)
    return figure


def open_set_curves(curves: Mapping[str, Curve]) -> Figure:
    """Open set: FNIR over FPIR, FPIR on a logarithmic axis down to half a probe.

    Args:
        curves: by the name in the legend, FPIR as FPR and FNIR as FNR.

    Raises:
        ScoresError: no curves.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    left = 0.5 / max(one.negatives for one in curves.values())
    with style(TEXT):
        figure, axes = page_panel(4.1, list(curves))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            handles += axes.plot(
                100 * np.maximum(curve.fpr, left),
                100 * curve.fnr,
                color=PALETTE[at % len(PALETTE)],
                linestyle=DASHES[at % len(DASHES)],
                linewidth=1.6,
                drawstyle="steps-post",
            )
        set_log_percents(axes, 100 * left)
        axes.set(
            xlabel="FPIR (%): non-mated probes\ntaken for somebody",
            ylabel="FNIR (%): mated probes not found",
            ylim=(0, 102),
        )
        legend(figure, handles, [*curves])
    return figure
