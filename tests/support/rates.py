"""Error rates counted pair by pair, for tests to hold others against."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pairsets.evaluation.rates import Point


def rates_at(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Point:
    """FPR and FNR of accepting `score >= threshold`; a score of -inf is never accepted."""
    positive, values = np.asarray(labels) == 1, np.asarray(scores)
    accepted = (values >= threshold) & (values > -np.inf)
    return Point(threshold, float(accepted[~positive].mean()), float((~accepted)[positive].mean()))
