"""Separation of a set's identities by a model: its equal error rate on pairs drawn from the set."""

from __future__ import annotations

import numpy as np

from indexes import pair_scores
from mining.embeddings.store import Embeddings
from mining.suspects.identity.positive_scores import Positives
from pairsets.evaluation.rates import equal_error, roc

# Pairs of each label that are looked at.
_PAIRS = 20_000
_SEED = 0


def separation(embeddings: Embeddings) -> float:
    """EER of a model on pairs of a set, 0 to 1; nan where there are none of one label.

    Positives are those of `Positives`, negatives are drawn at random.
    """
    positives = Positives.of(embeddings, _PAIRS).scores
    codes = embeddings.faces.groups
    generator = np.random.default_rng(_SEED)
    i, j = generator.integers(0, len(codes), (2, _PAIRS))
    apart = codes[i] != codes[j]
    if not len(positives) or not apart.any():
        return float("nan")
    negatives = pair_scores(embeddings.vectors, embeddings.vectors, i[apart], j[apart])
    labels = np.repeat([1, 0], [len(positives), len(negatives)])
    return equal_error(roc(labels, np.concatenate([positives, negatives])))[0]
