"""Negatives that another model takes for positives, by a level measured on the set at hand."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from indexes.memory import gather
from mining.embeddings.store import Embeddings
from mining.suspects.identity.measurement import Measurement, measured
from mining.suspects.identity.separation import separation
from mining.suspects.kept_measurements import kept_measurement
from mining.suspects.vetoes import SecondModel
from pairsets.arrays import Floats, Mask, Scores
from pairsets.files.expectations import Expectation

# Faces whose nearest face of another identity is looked at, and how many at a time.
_FACES, _BLOCK = 2000, 256
# Scores are rounded so that it does not show in which block a face was looked at.
_DIGITS = 6


class MeasuredVeto(SecondModel):
    """Doubts a negative that scores as positives do with a second model, where that can be told.

    How high a score must be is measured: the scores of pairs of one identity are the planted
    mistakes, and the tail of the scores of faces and their nearest face of another identity tells
    how many pairs of two identities score as high.

    Args:
        embeddings: of the second model.
        trusted: where it would abstain, flag from the level that half of all positives reach.

    Raises:
        EmbeddingError: no identity has two pictures.
    """

    def __init__(self, embeddings: Embeddings, *, trusted: bool = False) -> None:
        super().__init__(embeddings)
        self._trusted = trusted

    @property
    def expected(self) -> Expectation:
        """Precision and recall of its flags on this set, or why it abstains."""
        return self._measured.expected

    @cached_property
    def _measured(self) -> Measurement:
        return kept_measurement(self.kind, [self._embeddings], self._trusted, self._measure)

    def _measure(self) -> Measurement:
        return measured(
            self.kind,
            nearest_strangers(self._embeddings),
            self._positives.scores,
            what="faces with their nearest face of another identity",
            eer=separation(self._embeddings),
            trusted=self._trusted,
        )

    def _flagged(self, values: Scores, quantiles: Scores) -> Mask:
        found = self._measured
        if found.expected.abstains:
            return np.zeros(len(values), bool)
        return np.asarray(np.round(values, _DIGITS) >= found.level)


def nearest_strangers(embeddings: Embeddings) -> Floats:
    """`[M]`: score of faces, all or some spread evenly, with their nearest of another identity."""
    vectors, codes = embeddings.vectors, embeddings.faces.groups
    count = len(codes)
    chosen = np.arange(0, count, max(1, -(-count // _FACES)))
    best = np.full(len(chosen), -np.inf)
    ours = gather(vectors, chosen)
    for start in range(0, count, _BLOCK * 16):
        rows = np.arange(start, min(start + _BLOCK * 16, count))
        theirs = gather(vectors, rows)
        for first in range(0, len(chosen), _BLOCK):
            part = slice(first, first + _BLOCK)
            scores = ours[part] @ theirs.T
            scores[codes[chosen[part]][:, None] == codes[rows]] = -np.inf
            best[part] = np.maximum(best[part], scores.max(axis=1))
    return np.asarray(np.round(best[np.isfinite(best)], _DIGITS))
