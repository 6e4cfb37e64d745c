"""Hardness of a mined set, drawn: error rates by rank."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.evaluation.hardness import Hardness
from pairsets.figures.style import (
    DASHES,
    INK,
    MUTED,
    PALETTE,
    SMALL,
    TEXT,
    WIDE,
    legend,
    legend_height,
    set_ticks,
    style,
)

_DOTTED, _DASHED = (0, (1, 1.6)), (0, (4, 2))


def hardness_curves(hardness: Hardness, *, chance: float | None = None) -> Figure:
    """FPR by rank, a line a model with the band of its intervals; below, the share of hub pairs.

    A thin dotted line of the same colour is the FPR of the pairs without a hub image, broken where
    there are none: it lies on the other one where hubs make no difference. The first axes hold the
    rates, the second ones the hubs.

    Args:
        hardness: of the set.
        chance: the FPR in percent of a coin that misses as many pairs as the models; a dashed line
            where the axis of rates reaches it.

    Raises:
        ScoresError: no model to draw.
    """
    if not hardness.models:
        raise ScoresError("no decisions of a model to draw; expected at least one")
    bins = hardness.bins
    middle = np.array([(one.first + one.last) / 2 for one in bins])
    edges = np.array([bins[0].first - 0.5, *(one.last + 0.5 for one in bins)])
    with style(TEXT):
        figure = Figure(dpi=200, layout="constrained")
        rates, hubs = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        handles: list[Artist] = []
        for at, model in enumerate(hardness.models):
            color, dash = PALETTE[at % len(PALETTE)], DASHES[at % len(DASHES)]
            values, low, high = (
                np.array([100 * getattr(one.fpr[model], end) for one in bins])
                for end in ("value", "low", "high")
            )
            # As steps: they are of whole bins.
            rates.stairs(high, edges, baseline=low, fill=True, color=color, alpha=0.15, linewidth=0)
            handles += rates.plot(
                middle,
                values,
                color=color,
                linestyle=dash,
                linewidth=1.6,
                marker="o",
                markersize=2.6,
            )
            apart = np.array([100 * one.fpr_without_hubs[model].value for one in bins])
            rates.plot(middle, apart, color=color, linewidth=0.9, linestyle=_DOTTED)
        names = list(hardness.models)
        if hardness.hub_pairs:
            handles += rates.plot([], [], color=MUTED, linewidth=0.9, linestyle=_DOTTED)
            names.append("without hub images")
        rates.set(ylabel="false positive rate (%)")
        low_end, high_end = _limits(rates)
        rates.set_ylim(low_end, high_end)
        if chance is not None and low_end <= chance <= high_end:
            handles.append(
                rates.axhline(chance, color=MUTED, linewidth=0.9, linestyle=_DASHED, zorder=1)
            )
            names.append("chance")
        _draw_hubs(hubs, hardness, edges)
        for axes in (rates, hubs):
            set_ticks(axes)
        figure.align_ylabels()
        figure.set_size_inches(WIDE, 4.5 + legend_height(names))
        legend(figure, handles, names)
    return figure


def _draw_hubs(hubs: Axes, hardness: Hardness, edges: Floats) -> None:
    """Draw the share of the pairs that have a hub image, with how many images are hubs above."""
    shares = np.array([100 * one.hub_share for one in hardness.bins])
    hubs.stairs(shares, edges, fill=True, color=MUTED, alpha=0.3)
    hubs.stairs(shares, edges, color=MUTED, linewidth=1.1, baseline=None)
    hubs.set(
        ylim=(0, 100),
        yticks=[0, 50, 100],
        xlim=(edges[0], edges[-1]),
        xlabel="rank of the pair, hardest first",
    )
    hubs.set_ylabel("pairs with\na hub (%)")
    hubs.xaxis.set_major_locator(MaxNLocator(6, integer=True, prune=None))
    hubs.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    hubs.set_title(_hub_words(hardness), loc="right", size=SMALL, color=INK)


def _limits(axes: Axes) -> tuple[float, float]:
    """Limits of the axis of rates: from nought where that wastes little, to 102 % at most."""
    low, high = axes.get_ylim()
    return (max(0.0, low) if low > 40 else 0.0), min(high, 102.0)


def _hub_words(hardness: Hardness) -> str:
    count = len(hardness.hubs)
    if not count:
        return "no image is a hub"
    hubs = f"{count:,} hub image{'s' * (count > 1)} of {hardness.images:,}"
    return f"{hubs}: in {100 * hardness.hub_share:.3g} % of pairs"
