"""Figures of pairs, scores and error rates: each function returns a Figure and saves nothing.

Colours come from `PALETTE` and the four greys, so that whoever shows a figure can re-theme it by
replacing those values. The same input gives the same bytes in `encode`.
"""

from matplotlib.figure import Figure

from pairsets.figures.columns import COLUMNS, pair_columns
from pairsets.figures.curves import det_curves
from pairsets.figures.histograms import score_histograms
from pairsets.figures.style import (
    BLUE,
    GREEN,
    GRID,
    INK,
    MUTED,
    PALETTE,
    PAPER,
    VERMILLION,
    encode,
    format_score,
)

__all__ = [
    "BLUE",
    "COLUMNS",
    "GREEN",
    "GRID",
    "INK",
    "MUTED",
    "PALETTE",
    "PAPER",
    "VERMILLION",
    "Figure",
    "det_curves",
    "encode",
    "format_score",
    "pair_columns",
    "score_histograms",
]
