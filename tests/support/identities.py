"""Made-up identities as vectors, with what is wrong in them planted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mining.embeddings.store import Embeddings
from pairsets import Faces, PairSet

WIDTH = 24


def embedded(vectors, identities: Sequence[str], model: str = "pixels") -> Embeddings:
    """Embeddings of faces `<identity>/<row>`, read-only, in the order of their paths."""
    paths = [f"{identity}/{row:04}" for row, identity in enumerate(identities)]
    order = sorted(range(len(paths)), key=paths.__getitem__)
    array = np.asarray(vectors, np.float32)[order]
    array.setflags(write=False)
    faces = Faces.of_paths(Path("faces"), [paths[row] for row in order])
    return Embeddings(faces, array, {"model": model, "similarity": "cosine"}, Path("nowhere"))


def people(
    count: int, each: int, *, seed: int = 0, noise: float = 0.6, unit: bool = True
) -> tuple[np.ndarray, list[str]]:
    """Vectors of `count` people with `each` pictures, and the names `p000` and on."""
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(count, WIDTH))
    vectors = np.repeat(centres, each, axis=0)
    vectors = vectors + noise * generator.normal(size=vectors.shape)
    if unit:
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, [f"p{person:03}" for person in range(count) for _ in range(each)]


def all_pairs(found: Embeddings) -> PairSet:
    """Every pair of faces, labelled by their folders."""
    i, j = np.triu_indices(len(found.faces), 1)
    paths, identities = found.faces.paths, found.faces.identities
    return PairSet.of(paths[i], paths[j], (identities[i] == identities[j]).astype(int))


def one_pair_each(found: Embeddings) -> PairSet:
    """Pairs of faces, one of every two identities."""
    first: dict[str, str] = {}
    for path, name in zip(found.faces.paths, found.faces.identities, strict=True):
        first.setdefault(name, path)
    names = sorted(first)
    both = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    return PairSet.of([first[a] for a, _ in both], [first[b] for _, b in both], 0)


def said_of(doubt, pairs: PairSet) -> set[tuple[str, str]]:
    """Characters of the pairs that are flagged."""
    return {
        (min(names), max(names))
        for row in np.flatnonzero(doubt.flagged)
        if (names := pairs.names(row))
    }


def refuses_to_depend_on_company(check, pairs: PairSet) -> None:
    """Check that a verdict is the same alone, in other orders, and when asked again."""
    whole = check()(pairs)
    order = np.random.default_rng(1).permutation(len(pairs))
    turned = pairs.take(order)
    turned = PairSet.of(turned.path_b, turned.path_a, turned.label)
    again = check()
    for found in (again(turned), again(turned)):
        np.testing.assert_array_equal(found.score, whole.score[order])
        assert found.reasons == tuple(whole.reasons[row] for row in order)
    for row in [*np.flatnonzero(whole.flagged)[:3], 0]:
        alone = check()(pairs.take(np.array([row])))
        np.testing.assert_array_equal(alone.score, whole.score[row : row + 1])
        assert alone.reasons == whole.reasons[row : row + 1]
