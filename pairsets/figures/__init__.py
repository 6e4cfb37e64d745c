"""Figures of pairs, scores and error rates: each function returns a Figure and saves nothing.

Colours come from `PALETTE` and the four greys, so that whoever shows a figure can re-theme it by
replacing those values. The same input gives the same bytes in `encode`.
"""

from matplotlib.figure import Figure

from pairsets.figures.bars import interval_bars
from pairsets.figures.census import census_curves
from pairsets.figures.columns import COLUMNS, pair_columns
from pairsets.figures.confusion import confusion_map
from pairsets.figures.curves import det_curves, det_vertices, roc_curves, roc_vertices
from pairsets.figures.epochs import training_curves
from pairsets.figures.hardness import hardness_curves
from pairsets.figures.histograms import score_bins, score_histograms
from pairsets.figures.identification import cmc_curves, open_set_curves
from pairsets.figures.impostors import impostor_sheet
from pairsets.figures.menagerie import menagerie
from pairsets.figures.saliency import saliency
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
from pairsets.figures.suspects import Doubted, suspect_sheet

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
    "Doubted",
    "Figure",
    "census_curves",
    "cmc_curves",
    "confusion_map",
    "det_curves",
    "det_vertices",
    "encode",
    "format_score",
    "hardness_curves",
    "impostor_sheet",
    "interval_bars",
    "menagerie",
    "open_set_curves",
    "pair_columns",
    "roc_curves",
    "roc_vertices",
    "saliency",
    "score_bins",
    "score_histograms",
    "suspect_sheet",
    "training_curves",
]
