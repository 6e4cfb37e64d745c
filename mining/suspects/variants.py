"""Positives that are one drawing twice, with another mouth, eyes or a scar.

Most of the drawing agrees place by place when the two are laid over each other, and a spot does
not, which is why they are no copies. A redraw agrees nowhere as a whole.
"""

from __future__ import annotations

import numpy as np

from mining.suspects.pictures.comparison import PictureCheck
from mining.suspects.pictures.judge import SURE
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

# Share of textured places that agree from which two faces are one drawing. We looked at 48 pairs of
# one identity over all shares from 0.37 on: from 0.54 on all were (one half of the real faces and
# one of the drawn ones).
THRESHOLD = 0.6
# Of the picture that shows less, what the other must show too.
_LEAST_SHOWN = 0.5


class DrawingVariants(PictureCheck):
    """Flags positives that are one drawing in two expressions; a copy is none.

    See `PictureCheck` for what it is made of.
    """

    kind = "variant"

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Score of each positive: the share of its drawing that agrees, 0 of a copy.

        nan of a negative, and where a face cannot be read.
        """
        rows = np.flatnonzero(pairs.label == 1)
        keys = pairs.keys
        found = self.comparisons.of([keys[row] for row in rows.tolist()], progress)
        score, reasons = np.full(len(keys), np.nan), [""] * len(keys)
        for row, one in zip(rows.tolist(), found, strict=True):
            if np.isnan(one.score):
                continue
            is_copy = one.score >= SURE or one.shared < _LEAST_SHOWN
            score[row] = 0.0 if is_copy else one.agreement
            if score[row] >= THRESHOLD:
                reasons[row] = (
                    f"one drawing, {one.agreement:.0%} of which agrees, with another spot in it"
                )
        return Doubt(self.kind, score, score >= THRESHOLD, tuple(reasons))
