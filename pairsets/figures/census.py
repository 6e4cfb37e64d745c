"""Error trade-off over all pairs: FNR over FAR, down to one pair in all."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from pairsets.errors import ScoresError
from pairsets.evaluation.rates import Curve
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
    set_log_percents,
    style,
)


def census_curves(curves: Mapping[str, Curve], *, mined: int = 0) -> Figure:
    """FNR over FAR of models over all pairs, FAR on a logarithmic axis down to one pair in all.

    Args:
        curves: by the name in the legend, all of the same pairs.
        mined: how many of the hardest pairs make a mined set: the FARs that they can tell of are
            shaded; 0 shades nothing.

    Raises:
        ScoresError: no curves.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    negatives = max(curve.negatives for curve in curves.values())
    with style(TEXT):
        names = [*curves, "chance"]
        figure, axes = page_panel(3.9, names)
        left = 50 / negatives
        if mined:
            share = 100 * mined / negatives
            axes.axvspan(left, share, color=GRID, alpha=0.55, linewidth=0, zorder=0)
            axes.annotate(
                f"hardest {mined:,}",
                (left, 0),
                xytext=(4, 4),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="left",
                va="bottom",
                color=MUTED,
                fontsize=SMALL,
            )
        chance = np.geomspace(left, 100, 200)
        axes.plot(chance, 100 - chance, color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            # The first vertex accepts nothing, which has no place on the axis.
            seen = curve.false_positives > 0
            handles += axes.plot(
                100 * curve.fpr[seen],
                100 * curve.fnr[seen],
                color=PALETTE[at % len(PALETTE)],
                linestyle=DASHES[at % len(DASHES)],
                linewidth=1.6,
            )
        handles += axes.plot([], [], color=MUTED, linewidth=0.9, linestyle=(0, (4, 2)))
        set_log_percents(axes, left)
        axes.set(
            xlabel="false accept rate over all pairs (%)",
            ylabel="false negative rate (%)",
            ylim=(0, 102),
        )
        axes.spines["left"].set_color(INK)
        legend(figure, handles, names)
    return figure
