"""A pair set under a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexes import pair_scores
from mining.embeddings.store import Embeddings
from pairsets.pairset import PairSet


def score_pairs(pairs: PairSet, embeddings: Embeddings) -> NDArray[np.float64]:
    """Score of each row, `[N]`: the inner product of the two faces' vectors.

    The same numbers as the miner ranks by, whatever the order of the two faces; nan where one of
    them is an image that was skipped while embedding, so that there is no score.

    Raises:
        pairsets.FacesError: a face of a pair was neither embedded nor skipped.
        EmbeddingError: the file of the vectors changed since it was opened.
    """
    vectors, there = embeddings.vectors, readable(pairs, [embeddings])
    # Each face is looked up once, however many pairs it stands in.
    codes = pairs.codes if there.all() else pairs.codes.take(there)
    rows = embeddings.faces.positions(codes.faces)
    i, j = rows[codes.a], rows[codes.b]
    with embeddings.watched():
        found = pair_scores(vectors, vectors, i, j)
    if there.all():
        return found
    scores = np.full(len(pairs), np.nan)
    scores[there] = found
    return scores


def readable(pairs: PairSet, embeddings: Sequence[Embeddings]) -> NDArray[np.bool_]:
    """`[N]`: pairs of which no image was skipped while embedding, by any of the models."""
    lost = {path for one in embeddings for path in one.skipped}
    if not lost:
        return np.ones(len(pairs), np.bool_)
    codes = pairs.codes
    kept = np.array([face not in lost for face in codes.faces], np.bool_)
    return np.asarray(kept[codes.a] & kept[codes.b])
