"""Identities of embeddings in the space learnt of them, as they are or under other names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.suspects.identity.identities import Identities, Relabelled
from mining.suspects.identity.own_space import OwnSpace
from mining.suspects.identity.plants import WANTED, WORLDS, Plant, Planted
from mining.suspects.identity.separation import separation


class OwnIdentities:
    """Identities of one model's embeddings, in a space of their own.

    Attributes:
        embeddings: of the model.
    """

    def __init__(self, embeddings: Embeddings) -> None:
        self.embeddings = embeddings

    @cached_property
    def _space(self) -> OwnSpace | None:
        return OwnSpace.of(self.embeddings)

    @cached_property
    def separation(self) -> float:
        """EER of the model on this set, 0 to 1."""
        return separation(self.embeddings)

    @cached_property
    def as_they_are(self) -> Identities:
        """Identities that the faces have."""
        return self.renamed({})

    def renamed(self, others: Mapping[str, str]) -> Identities:
        """Identities where some faces, by path, have another name.

        The space is learnt of the same names. Where it cannot be, it is the model's own.
        """
        faces = self.embeddings.faces
        names = faces.identities[:].copy()
        if others:
            paths = np.array([*others], object)
            names[faces.positions(paths)] = [*others.values()]
        number: dict[str, int] = {}
        numbered = (number.setdefault(name, len(number)) for name in names.tolist())
        codes = np.fromiter(numbered, np.int64, len(names))
        vectors = None if self._space is None else self._space.vectors(codes)
        if vectors is None:
            vectors = np.asarray(self.embeddings.vectors)
        return Identities(self.embeddings, Relabelled(vectors, codes, [*number]))


def common_faces(models: Sequence[OwnIdentities]) -> NDArray[np.object_]:
    """Paths of the first model's faces that all of them have."""
    paths = models[0].embeddings.faces.paths
    common = np.ones(len(paths), bool)
    for each in models[1:]:
        common &= each.embeddings.faces.paths.find(paths[:]) >= 0
    return np.asarray(paths[np.flatnonzero(common)])


def planted_worlds(
    models: Sequence[OwnIdentities], plant: Plant
) -> Iterator[tuple[list[Identities], list[str], list[tuple[str, str]]]]:
    """Worlds in which mistakes are planted, until there are enough of them.

    Yields:
        the models' identities, paths of faces that were moved, names of the halves of identities
        that were split.
    """
    paths = common_faces(models)
    first = models[0].embeddings.faces
    names = first.identities[first.positions(paths)]
    known = list(dict.fromkeys(names.tolist()))
    number = {name: code for code, name in enumerate(known)}
    codes = np.array([number[name] for name in names.tolist()], np.int64)
    found = 0
    for world in range(WORLDS):
        if found >= WANTED or not len(codes):
            return
        planted: Planted = plant(codes, world)
        if not len(planted.rows) and not len(planted.pairs):
            # Nor can anything in another world.
            return
        count = int(planted.codes.max()) + 1
        # No identity is called so: a path has no such name.
        halves = [f"\0{code}" for code in range(len(known), count)]
        all_names = [*known, *halves]
        changed = np.flatnonzero(planted.codes != codes)
        others = {str(paths[row]): all_names[planted.codes[row]] for row in changed.tolist()}
        moved = [str(paths[row]) for row in planted.rows.tolist()]
        split = [(all_names[a], all_names[b]) for a, b in planted.pairs.tolist()]
        found += len(moved) + len(split)
        yield [each.renamed(others) for each in models], moved, split
