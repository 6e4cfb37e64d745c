"""Identities of two sets that may be one under two names, by the vectors of their faces.

Each identity's nearest ones of the other set are looked at, by the mean score of their faces, as
`mining.suspects.aliases` looks at two identities: are their pictures as near to each other as each
is to its own, and nearer than to all others?
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from mining.embeddings.store import Embeddings
from mining.suspects.aliases import SameIdentity
from mining.suspects.identity.nearest_pairs import nearest_pairs
from pairsets.faces import Faces
from pairsets.files.cannot_links import CannotLinks
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard
from pairsets.sources.overlap import ALIAS, Shared

# Identities of the other set that are looked at for each: those on which `SameIdentity` is measured
# (`benchmarks/suspect_identities.py`) are the three nearest.
NEAREST = 3
# Faces summed at a time.
_FACES = 8192
Vectors = np.ndarray[tuple[int, int], np.dtype[np.float32]]


def alike_identities(
    both: Embeddings,
    known: Collection[tuple[str, str]] = (),
    cannot: CannotLinks | None = None,
    progress: Step = unheard,
) -> list[Shared]:
    """Identities of the first set and of the second that may be one, though their names differ.

    Args:
        both: embeddings of two sets; see `mining.embeddings.two_folders`.
        known: names of the first and the second set that are known to be one identity's.
        cannot: faces that cannot be one identity's; their paths are those of `both`.
        progress: called with what is done, and what there is.

    Raises:
        pairsets.PairSetError: none of the paths that cannot be one's is of these sets.
    """
    faces = both.faces
    split = len(faces) if faces.split is None else faces.split
    sides = [slice(0, split), slice(split, len(faces))]
    first, second = ([*dict.fromkeys(faces.identities[side].tolist())] for side in sides)
    ours, theirs = (_centres(both, side) for side in sides)
    one = {name: row for row, name in enumerate(first)}
    other = {name: row for row, name in enumerate(second)}
    same = {(name, name) for name in one.keys() & other.keys()} | {*known}
    out = np.array(
        sorted((one[a], other[b]) for a, b in same if a in one and b in other), np.int64
    ).reshape(-1, 2)
    near = nearest_pairs(ours, theirs, out, NEAREST)
    names = [(first[i], second[j]) for i, j in near.tolist()]
    pairs = _one_pair_each(faces, sides, names)
    check = SameIdentity([both], cannot=cannot, by_name=False)
    doubt = check(pairs, progress)
    found = []
    for row in np.flatnonzero(doubt.flagged).tolist():
        a, b = names[row]
        why = doubt.reasons[row].removeprefix(f"{min(a, b)} and {max(a, b)}: ")
        found.append(Shared(ALIAS, a, b, why, float(doubt.score[row])))
    return found


def _centres(both: Embeddings, side: slice) -> Vectors:
    """`[C, D]`: the mean vector of each identity of one set, in the order in which they come."""
    names = both.faces.identities[side].tolist()
    number: dict[str, int] = {}
    codes = np.array([number.setdefault(name, len(number)) for name in names], np.int64)
    order = np.argsort(codes, kind="stable")
    sums = np.zeros((len(number), both.vectors.shape[1]))
    for start in range(0, len(order), _FACES):
        rows = order[start : start + _FACES]
        starts = np.flatnonzero(np.diff(codes[rows], prepend=-1))
        vectors = both.vectors[side.start + rows].astype(np.float64)
        sums[codes[rows][starts]] += np.add.reduceat(vectors, starts, axis=0)
    sizes = np.bincount(codes, minlength=len(number))
    return np.asarray((sums / np.maximum(sizes, 1)[:, None]).astype(np.float32))


def _one_pair_each(
    faces: Faces, sides: Sequence[slice], names: Sequence[tuple[str, str]]
) -> PairSet:
    """A pair of faces of each two identities, by the first face of either."""
    firsts = []
    for side in sides:
        first: dict[str, str] = {}
        for path, name in zip(faces.paths[side], faces.identities[side], strict=True):
            first.setdefault(name, path)
        firsts.append(first)
    path_a = [firsts[0][a] for a, _ in names]
    path_b = [firsts[1][b] for _, b in names]
    return PairSet.of(path_a, path_b, 0, identities=faces.named)
