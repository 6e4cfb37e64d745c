"""The points of ROC and DET curves as a file, for whoever draws them elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pairsets.evaluation.comparison import Comparison
from pairsets.storage.csv_tables import write_csv

_HEADER = ("model", "threshold", "fpr", "fnr")


def write_curves(path: Path, comparison: Comparison) -> Path:
    """Write every vertex of every model's curve: `model,threshold,fpr,fnr`, rates as shares.

    A model's first line is the threshold that accepts nothing, `inf`; then one line a distinct
    score, falling. Numbers read back as the same float64. Of distances the thresholds are those of
    the distances, from `-inf` up. Where pairs have no score the curve ends before all is accepted.
    """
    return write_csv(path, _HEADER, _rows(comparison))


def _rows(comparison: Comparison) -> Iterator[tuple[str, ...]]:
    for model, one in comparison.judged.items():
        curve = one.curve
        thresholds = [one.evaluation.shown(cut) for cut in curve.thresholds.tolist()]
        for point in zip(thresholds, curve.fpr.tolist(), curve.fnr.tolist(), strict=True):
            yield (model, *map(repr, point))
