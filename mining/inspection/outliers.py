"""Faces that are near to nobody: neither to their own identity nor to any other.

A face that is mislabelled is at home with another identity; one that is no face, or drawn in
another manner than all else, is so with none. Of a face it is asked, in units of the spread of the
scores of all pairs of one identity,

- how much less near it is to its own identity, itself left out, than that one's other faces are.
  Both are drawn towards all identities where there are few pictures: of two, nobody can say which
  of them is the odd one;
- how much less near it is to the other identity that it is nearest to than the median face is to
  its own such.

The lesser of the two counts; of several models the mean of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mining.models.names import model_names
from mining.suspects.identity.identities import Identities
from pairsets.arrays import Floats, Rows
from pairsets.paths import strings
from pairsets.progress import Step, unheard

THRESHOLD = 0.5
"""Scores from here on are flagged: there `FAR` is reached."""
FAR = 2.5
"""Of 1,050 clean drawn faces one is above it under one of three models, none under the others."""
# How fast a score falls off below it.
_SLOPE = 1.5
# Scores by which what is near in an identity is drawn towards that of all.
_PRIOR = 2


def find_outliers(
    models: Sequence[Identities], paths: Sequence[str], progress: Step = unheard
) -> tuple[Floats, list[str], list[str]]:
    """Score, reason and nearest other identity of each face; the reason is empty below `FAR`.

    Args:
        models: identities as each model sees them; one or more.
        paths: `N`, of faces that each has a vector of.
        progress: called with the faces done, and all.
    """
    names = model_names([model.model for model in models])
    column = strings(paths)
    far = np.zeros(len(paths))
    said: list[Floats] = []
    nearest: list[str] = []
    for at, model in enumerate(models):
        rows = model.rows(column)
        own = model.near(rows, model.codes[rows])
        sizes, typical = model.sizes[model.codes[rows]], model.typical_without(rows, own)
        codes, best, _ = model.rivals(rows, progress)
        far += strengths(model, own, best, typical, sizes)
        said += [own, best]
        if not at:
            known = np.array([*model.names, ""], object)
            nearest = known[codes].tolist()
    far /= len(models)
    # Far below, the exponential would overflow.
    score = np.round(1 / (1 + np.exp(-np.maximum(_SLOPE * (far - FAR), -50.0))), 6)
    reasons = [""] * len(paths)
    for row in np.flatnonzero(far >= FAR).tolist():
        numbers = ", ".join(
            f"{said[2 * at][row]:.2f} to its own, {said[2 * at + 1][row]:.2f} to the nearest other"
            + (f" for {name}" if len(models) > 1 else "")
            for at, name in enumerate(names)
        )
        reasons[row] = f"near to nobody ({numbers})"
    return score, reasons, nearest


def strengths(model: Identities, own: Floats, best: Floats, typical: Floats, sizes: Rows) -> Floats:
    """`[N]`: distance of faces from all, in spreads of positives; -inf where it cannot be told."""
    spread = model.positives.spread
    told = np.isfinite(own) & np.isfinite(best) & (sizes > 2)
    if not spread > 0 or not told.any():
        return np.full(len(own), -np.inf)
    fellows = np.where(sizes > 1, sizes - 1, 0)
    drawn = (np.where(told, own, 0) * fellows + _PRIOR * model.positives.mean) / (fellows + _PRIOR)
    apart = typical - drawn
    alone = np.median(best[np.isfinite(best)]) - best
    return np.where(told, np.minimum(apart, alone) / spread, -np.inf)
