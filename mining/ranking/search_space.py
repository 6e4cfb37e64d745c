"""Search space: the faces searched, and the pairs of them that are excluded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex
from indexes.join.stack import Stacked
from indexes.memory import rows_taken
from indexes.two_sets import StackedIndex
from pairsets.faces import Faces, some_of
from pairsets.files.exclusions import EXCLUDED, PathPairs
from pairsets.paths import strings

Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The faces that are searched, and the pairs among them that are not to be taken.

    Attributes:
        faces: those that are searched.
        kept: `[all faces]`: true for the searched ones.
        exclude: `[K, 2]` rows i < j of `faces`, each pair once.
        why: `[K]` str, what each excluded pair is counted as; where several say so, the first.
        unknown: base names on the ignore list that no face has.
        strangers: paths in the excluded pairs that no face has.
    """

    faces: Faces
    kept: Mask
    exclude: Rows
    why: NDArray[np.object_]
    unknown: int = 0
    strangers: int = 0

    @classmethod
    def of(
        cls, faces: Faces, ignore: Iterable[str] = (), exclude: Iterable[PathPairs] = ()
    ) -> SearchSpace:
        """All `faces` but those whose base name is in `ignore`; no pair that is in `exclude`."""
        names = frozenset(ignore)
        kept = faces.without(names)
        searched = faces
        if not kept.all():
            searched = some_of(faces, kept)
        path_a, path_b, why = list[str](), list[str](), list[str]()
        for pairs in exclude:
            path_a += pairs.path_a.tolist()
            path_b += pairs.path_b.tolist()
            why += [getattr(pairs, "why", EXCLUDED)] * len(pairs.path_a)
        rows, first = _pairs_of(searched, path_a, path_b)
        return cls(
            faces=searched,
            kept=kept,
            exclude=rows,
            why=strings(why[at] for at in first),
            unknown=len(names - faces.known_names(names)),
            strangers=_strangers(faces, [*path_a, *path_b]),
        )

    @property
    def ignored(self) -> int:
        """Number of faces that the ignore list leaves out."""
        return int((~self.kept).sum())

    def take(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Vectors of the searched faces, out of those of all faces `[all faces, D]`."""
        # What is taken is a copy: only where faces are ignored.
        return vectors if self.kept.all() else rows_taken(vectors, self.kept)

    def index(self, vectors: NDArray[np.float32]) -> FlatIndex | StackedIndex:
        """Index of the searched faces, out of the vectors of all; of two sets, between them."""
        both: object = vectors
        if not isinstance(both, Stacked):
            return FlatIndex(self.take(vectors))
        whole, kept = bool(self.kept.all()), np.split(self.kept, [both.split])
        parts = zip((both.left, both.right), kept, strict=True)
        return StackedIndex(*(part if whole else rows_taken(part, mask) for part, mask in parts))

    def excluded(self, *, same: bool) -> Excluded:
        """The excluded pairs of one identity (`same`), or of different ones."""
        identities = self.faces.identities[self.exclude]
        chosen = (identities[:, 0] == identities[:, 1]) == same
        return Excluded(self.exclude[chosen], self.why[chosen])


@dataclass(frozen=True, eq=False)
class Excluded:
    """Pairs that are not taken.

    Attributes:
        rows: `[K, 2]` rows i < j of the searched faces.
        why: `[K]` str, what each is counted as.
    """

    rows: Rows
    why: NDArray[np.object_]

    def counts(self, alike: Mask) -> list[tuple[str, int]]:
        """Name and number of each kind of excluded pairs: those among the best, the others.

        Args:
            alike: `[K]`: whether a pair would have been among the pairs taken.
        """
        found = []
        for why in sorted({*self.why}):
            mine = self.why == why
            found += [
                (f"{why}, else among the best", int((mine & alike).sum())),
                (f"{why}, not among the best", int((mine & ~alike).sum())),
            ]
        return found


def _strangers(faces: Faces, paths: list[str]) -> int:
    """Number of the paths that no face has."""
    asked = list(dict.fromkeys(paths))
    return int((faces.paths.find(asked) < 0).sum())


def _pairs_of(faces: Faces, path_a: list[str], path_b: list[str]) -> tuple[Rows, Rows]:
    """Rows i < j of the pairs whose two paths are among `faces`, each once; where it first is."""
    ends = faces.paths.find([*path_a, *path_b]).reshape(2, -1)
    low, high = ends.min(axis=0), ends.max(axis=0)
    both = (low >= 0) & (low < high)
    if faces.split is not None:
        both &= (low < faces.split) & (high >= faces.split)
    known = np.flatnonzero(both)
    keys, first = np.unique(low[known] * len(faces) + high[known], return_index=True)
    return np.column_stack(np.divmod(keys, max(1, len(faces)))), known[first]
