"""Figure of score histograms."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from pairsets.arrays import Floats
from pairsets.errors import ScoresError
from pairsets.figures.style import (
    BLUE,
    DASHES,
    GREEN,
    INK,
    TEXT,
    VERMILLION,
    drawable,
    format_score,
    legend,
    page_panel,
    style,
)


def score_bins(groups: Mapping[str, ArrayLike]) -> tuple[Floats, dict[str, Floats]]:
    """Edges `[61]` of the bins of `score_histograms`, and by group the shares `[60]` in them.

    Raises:
        ScoresError: no scores at all, or some that are not finite.
    """
    arrays = {name: np.asarray(values, np.float64).ravel() for name, values in groups.items()}
    arrays = {name: values for name, values in arrays.items() if values.size}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ScoresError(f"{name}: {(~np.isfinite(values)).sum()} scores are not finite")
    if not arrays:
        raise ScoresError("no scores to draw")
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins=60)
    return edges, {
        name: np.histogram(values, edges)[0] / values.size for name, values in arrays.items()
    }


def score_histograms(
    groups: Mapping[str, ArrayLike], *, threshold: float | None = None, xlabel: str = "score"
) -> Figure:
    """Figure of score histograms, each of a sum of 100 %, on the same 60 bins.

    Args:
        groups: scores by the name in the legend; a group without any is left out.
        threshold: drawn as a line where it is finite.
        xlabel: what the score is.

    Raises:
        ScoresError: no scores at all, or some that are not finite.
    """
    edges, found = score_bins(groups)
    with style(TEXT):
        figure, axes = page_panel(2.9, list(found))
        handles: list[Artist] = []
        for at, share in enumerate(found.values()):
            shares = 100 * share
            color, dash = (GREEN, BLUE, VERMILLION)[at % 3], DASHES[at % len(DASHES)]
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.16)
            handles.append(axes.stairs(shares, edges, color=color, linewidth=1.3, linestyle=dash))
        axes.margins(x=0.02, y=0.14)
        if threshold is not None and np.isfinite(threshold):
            axes.axvline(threshold, color=INK, linewidth=0.9)
            low, high = axes.get_xlim()
            # Right of its line, unless it would reach over the edge there.
            side = 1 if threshold - low < 0.6 * (high - low) else -1
            axes.annotate(
                f"threshold {format_score(threshold)}",
                (threshold, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4 * side, -2),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="top",
                color=INK,
            )
        axes.set(xlabel=drawable(xlabel), ylabel="share of pairs (%)", ylim=(0, None))
        axes.grid(axis="x", visible=False)
        legend(figure, handles, list(found))
    return figure
