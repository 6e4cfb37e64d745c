"""Pairs of names that may be one identity's, by a level that is measured on the set at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain

import numpy as np

from mining.suspects.aliases import SameIdentity, together
from mining.suspects.identity.identities import Identities
from mining.suspects.identity.measurement import MOST_UNFLAGGED, Measurement, measured
from mining.suspects.identity.names import Likeness
from mining.suspects.identity.nearest_pairs import nearest_pairs
from mining.suspects.identity.nearness import FACES, nearness
from mining.suspects.identity.own_identities import OwnIdentities, planted_worlds
from mining.suspects.identity.plants import split_identities
from mining.suspects.kept_measurements import kept_measurement
from pairsets.arrays import Floats
from pairsets.files.aliases import Aliases
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.expectations import Expectation

NEAREST = 3
"""Others of each identity that are looked at to see how near identities are to each other."""


class MeasuredAliases(SameIdentity):
    """Doubts a negative whose two identities may be one, by pictures where it can tell on this set.

    Names and a list of aliases are believed as `SameIdentity` does. How near two identities'
    pictures must be, in the set's own space, is measured: identities are split in two to see how
    near that makes them, and the tail of how near all are tells how many that are two come as
    near. Where too few flags would be right, pictures flag nothing.

    Args:
        models: of which none may object.
        aliases, cannot: see `SameIdentity`.
        trusted: where it would abstain, flag from the level that half of the split reach.

    Raises:
        ValueError: no models.
    """

    def __init__(
        self,
        models: Sequence[OwnIdentities],
        *,
        aliases: Aliases | None = None,
        cannot: CannotLinks | None = None,
        trusted: bool = False,
    ) -> None:
        if not models:
            raise ValueError("no embeddings; expected those of one model or more")
        super().__init__([each.as_they_are for each in models], aliases=aliases, cannot=cannot)
        self._own, self._trusted = [*models], trusted

    @property
    def expected(self) -> Expectation:
        """Precision and recall of its flags by pictures on this set, or why it abstains."""
        return self._measured.expected

    @cached_property
    def _measured(self) -> Measurement:
        models = [each.embeddings for each in self._own]
        return kept_measurement(self.kind, models, self._trusted, self._measure)

    def _measure(self) -> Measurement:
        planted = [
            strengths(models, split)
            for models, _, split in planted_worlds(self._own, split_identities)
            if split
        ]
        return measured(
            self.kind,
            strengths(self._models, sorted({*chain(*map(near_names, self._models))})),
            np.concatenate([np.empty(0), *planted]),
            what="pairs of identities",
            eer=min(each.separation for each in self._own),
            few_share=0.0,  # Of so few pairs of identities one may be all.
            trusted=self._trusted,
        )

    def _easier(self, kind: Likeness) -> float:
        """Nothing is taken off a measured level, which is that of pairs whatever their names."""
        return 0.0

    @property
    def _limit(self) -> float:
        return self._measured.level

    def _believed(self, by_image: float) -> float:
        return min(by_image, MOST_UNFLAGGED) if self._measured.expected.abstains else by_image


def near_names(identities: Identities) -> list[tuple[str, str]]:
    """Names of each identity and its `NEAREST` others by the mean score of their faces, sorted."""
    centres = identities.centres
    itself = np.column_stack([np.arange(len(centres))] * 2)
    if len(centres) < 2:
        return []
    near = nearest_pairs(centres, centres, itself, NEAREST)
    both = {(min(pair), max(pair)) for pair in near.tolist()}
    return [(identities.names[a], identities.names[b]) for a, b in sorted(both)]


def strengths(models: Sequence[Identities], names: Sequence[tuple[str, str]]) -> Floats:
    """`[M]`: how strongly each two identities look like one; nan where that cannot be told."""
    for model in models:
        known = [model.find(name) for both in names for name in both]
        faces = [model.members(code, FACES) for code in sorted({*known}) if code >= 0]
        model.rivals(np.concatenate([np.empty(0, np.int64), *faces]))
    found = np.full(len(names), np.nan)
    for row, (a, b) in enumerate(names):
        codes = [(model.find(a), model.find(b)) for model in models]
        if min(map(min, codes)) >= 0:
            near = [nearness(model, *both) for model, both in zip(models, codes, strict=True)]
            found[row] = together(near)
    return found
