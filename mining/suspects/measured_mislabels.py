"""Faces of another identity than their folder's, by a level that is measured on the set at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mining.suspects.identity.identities import Identities
from mining.suspects.identity.measurement import MOST_UNFLAGGED, Measurement, measured
from mining.suspects.identity.own_identities import OwnIdentities, common_faces, planted_worlds
from mining.suspects.identity.plants import moved_faces
from mining.suspects.kept_measurements import kept_measurement
from mining.suspects.mislabels import Mislabelled, Seen, SeenFaces
from mining.suspects.mislabels import agreed as agreed_score
from pairsets.arrays import Floats
from pairsets.files.expectations import Expectation
from pairsets.paths import strings

# What fit to another identity counts beside distance from a face's own.
_BELONGS = 2.0
# How fast a score rises with the strength.
_SLOPE = 0.5


class MeasuredMislabels(Mislabelled):
    """Doubts a pair of which a face is another identity's, where it can tell that on this set.

    A face stands apart from its own identity and fits to another, both in the set's own space
    (`mining.suspects.identity.own_space`). How much of both is enough is measured: faces are moved
    to other identities to see how strongly that shows, and the tail of what all faces show tells
    how many that were not moved show as much. It abstains where too few flags would be right.

    Args:
        models: of which all have to agree.
        trusted: where it would abstain, flag from the level that half of the planted reach.

    Raises:
        ValueError: no models.
    """

    def __init__(self, models: Sequence[OwnIdentities], *, trusted: bool = False) -> None:
        super().__init__([each.as_they_are for each in models])
        self._own, self._trusted = [*models], trusted

    @property
    def expected(self) -> Expectation:
        """Precision and recall of its flags on this set, or why it abstains."""
        return self._measured.expected

    @cached_property
    def _measured(self) -> Measurement:
        models = [each.embeddings for each in self._own]
        return kept_measurement(self.kind, models, self._trusted, self._measure)

    def _measure(self) -> Measurement:
        planted = [
            strengths(models, moved, agreed=True)
            for models, moved, _ in planted_worlds(self._own, moved_faces)
            if moved
        ]
        return measured(
            self.kind,
            strengths(self._models, common_faces(self._own).tolist()),
            np.concatenate([np.empty(0), *planted]),
            what="faces",
            eer=min(each.separation for each in self._own),
            trusted=self._trusted,
        )

    def _score(self, seen: Sequence[Seen]) -> Floats:
        found = self._measured
        score = agreed_score(_SLOPE * (_strength(seen) - found.level), seen)
        return np.minimum(score, MOST_UNFLAGGED) if found.expected.abstains else score


def strengths(
    models: Sequence[Identities], paths: Sequence[str], *, agreed: bool = False
) -> Floats:
    """`[M]`: how strongly faces look like another identity's; nan where that cannot be told.

    Args:
        models: that look.
        paths: of the faces.
        agreed: -inf where a model finds none nearer than their own, which is then not flagged.
    """
    seen = [SeenFaces(model, model.rows(strings(paths))) for model in models]
    found = []
    for one in seen:
        said = [each.strength(one.nearest) for each in seen]
        strength = _strength(said)
        nearer = np.logical_and.reduce([each for _, _, each in said])
        found.append(np.where(nearer, strength, -np.inf) if agreed else strength)
    return np.asarray(np.fmax.reduce(found))


def _strength(seen: Sequence[Seen]) -> Floats:
    apart = np.mean([each for each, _, _ in seen], axis=0)
    belongs = np.mean([each for _, each, _ in seen], axis=0)
    return np.asarray(apart + _BELONGS * belongs)
