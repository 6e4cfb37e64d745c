"""Folds of identities: those that are trained on, and those that are held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mining.errors import TrainingError
from mining.training.configuration import ValidationSettings

Rows = NDArray[np.int64]
# Below so many identities a held-out fold tells little.
_FEW = 20


@dataclass(frozen=True, eq=False)
class Split:
    """Faces that are trained on, and faces of other identities that are held out.

    Attributes:
        training, held_out: rows of the faces, rising.
        notes: sentences for the user on what the split lacks.
    """

    training: Rows
    held_out: Rows
    notes: tuple[str, ...] = ()


def split_identities(
    identities: NDArray[np.object_], settings: ValidationSettings, seed: int
) -> Split:
    """Hold out one of `settings.folds` folds of the identities.

    The identities are sorted by code point, shuffled by the seed, and dealt out one after another:
    no two folds differ by more than one.

    Args:
        identities: `[N]` str, of each face.
        settings: how many folds, and which is held out.
        seed: of the shuffle.

    Raises:
        TrainingError: fewer identities than folds.
    """
    names, codes = np.unique(identities.astype(str), return_inverse=True)
    if len(names) < settings.folds:
        raise TrainingError(
            f"{len(names)} identities for {settings.folds} folds; at least one identity a fold is "
            f"needed: ask for fewer folds, as --validation-folds {max(2, min(10, len(names) // 2))}"
        )
    shuffled = np.random.default_rng([seed, 0x666F6C64]).permutation(len(names))
    fold = np.empty(len(names), np.int64)
    fold[shuffled] = np.arange(len(names)) % settings.folds
    held = (fold == settings.fold)[codes]
    notes = []
    count = int((fold == settings.fold).sum())
    if count < _FEW:
        notes.append(
            f"Only {count} of {len(names)} identities are held out: which epoch is best is told by "
            f"few. Fewer folds hold out more, as --validation-folds {max(2, len(names) // _FEW)}."
        )
    return Split(np.flatnonzero(~held), np.flatnonzero(held), tuple(notes))
