"""Pairs of different identities that another model calls one, more surely than most positives."""

from __future__ import annotations

import numpy as np

from indexes import pair_scores
from mining.embeddings.store import Embeddings
from mining.errors import EmbeddingError
from mining.models.names import short_name
from mining.suspects.identity.positive_scores import Positives
from pairsets.arrays import Mask, Scores
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

QUANTILE = 0.95
"""A pair is called a positive if at least this share of positives is no more alike."""
_BLOCK = 16384


class SecondModel:
    """Doubts a negative that a second model finds more alike than nearly all positives.

    After NV-Retriever (arXiv 2407.15831), which leaves out what scores nearly as high as the
    positive. The limit here is a quantile of all positives' scores of that model, so that it means
    the same for every model. Pairs of one identity that are the very same picture (to the model:
    the same vector) are no positives here: see `Positives`.

    Args:
        embeddings: of the second model; not the one that mined the pairs, whose hardest negatives
            score high because they were chosen so.
        quantile: pairs that score as high as this share of positives, or higher, are flagged.

    Raises:
        EmbeddingError: no identity has two pictures.
        ValueError: a quantile that is not above 0 and at most 1.
    """

    kind = "veto"

    def __init__(self, embeddings: Embeddings, *, quantile: float = QUANTILE) -> None:
        if not 0 < quantile <= 1:
            raise ValueError(f"a quantile of {quantile}; expected above 0 and at most 1")
        self._embeddings = embeddings
        self._quantile = quantile
        self._name = short_name(embeddings.called)
        self._positives = Positives.of(embeddings)
        if not len(self._positives):
            raise EmbeddingError(
                f"{self._name}: no identity has two different pictures, so that this model cannot "
                "say how alike pictures of one identity are; were the faces sorted into one "
                "folder per identity?"
            )

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair by the score of the second model; none of positives.

        Raises:
            pairsets.FacesError: a face of a negative was not embedded.
        """
        score = np.full(len(pairs), np.nan)
        values = np.full(len(pairs), np.nan)
        rows = np.flatnonzero(pairs.label == 0)
        faces, vectors = self._embeddings.faces, self._embeddings.vectors
        a, b = faces.positions(pairs.path_a[rows]), faces.positions(pairs.path_b[rows])
        for start in range(0, len(rows), _BLOCK):
            part = slice(start, start + _BLOCK)
            values[rows[part]] = pair_scores(vectors, vectors, a[part], b[part])
            progress(min(start + _BLOCK, len(rows)), len(rows))
        score[rows] = self._positives.quantile(values[rows])
        flagged = self._flagged(values, score)
        reasons = [""] * len(pairs)
        for row in np.flatnonzero(flagged).tolist():
            reasons[row] = (
                f"{self._name} scores it {values[row]:.3f}, as high as or higher than "
                f"{_share(score[row])} of pairs of one identity"
            )
        return Doubt(self.kind, score, flagged, tuple(reasons))

    def _flagged(self, values: Scores, quantiles: Scores) -> Mask:
        """Whether scores, which so large a share of positives do not exceed, are flagged."""
        return np.asarray(quantiles >= self._quantile)


def _share(share: float) -> str:
    """Share in percent, never rounded up to all."""
    return "all" if share == 1 else f"{np.floor(share * 1000) / 10:.1f} %"
