"""Identities laid out in the plane by UMAP, of the extra `map`, imported where it is needed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from pairsets.faces import Faces
from pairsets.report.identity_layout import IdentityLayout

# Fewer are seen at a glance on the map of confusions; more are too many for a page.
FEWEST, MOST = 60, 5000
# Rows of vectors read at a time.
CHUNK = 65_536
REMEDY = "pip install 'lookalikes[map]'"
Vectors = NDArray[np.float32]


def layout_of(embedded: Mapping[str, Embeddings], faces: Faces) -> IdentityLayout | None:
    """Map of the identities of faces by the first embeddings; None of `FEWEST` or fewer.

    The mean vectors of the identities are laid out by UMAP (McInnes, Healy and Melville 2018) with
    its defaults and a seed, by the model's own measure: cosine, or for inner products the highest
    of them less each. The same vectors give the same places on the same machine.

    Args:
        embedded: vectors of models by name, the one that counts first; none where there are scores
            alone.
        faces: those of the report, with who they show there.
    """
    count = faces.count_identities
    if count <= FEWEST:
        return None
    model, first = next(iter(embedded.items()), ("", None))
    if first is None:
        return IdentityLayout(note="No map of identities: scores alone have no vectors.")
    if count > MOST:
        return IdentityLayout(
            note=f"No map of identities: {count:,} are too many for a page ({MOST:,} at most)."
        )
    try:
        umap = import_umap()
    # Numba, below it, raises the second where it finds no place to keep what it compiled.
    except (ImportError, RuntimeError) as error:
        return IdentityLayout(
            note="No map of identities: it needs the package umap-learn, which cannot be imported "
            f"({error}): {REMEDY}",
            lacking=True,
        )
    names, means = identity_means(first, faces)
    if len(names) <= FEWEST:
        return None
    return IdentityLayout(model, names, _placed(umap, means, first.similarity))


def identity_means(embedded: Embeddings, faces: Faces) -> tuple[list[str], Vectors]:
    """Identities of the faces by name, and the mean `[K, D]` of the vectors of each.

    Faces that were skipped while embedding are left out.
    """
    kept = [at for at, path in enumerate(faces.paths) if path not in embedded.skipped]
    faces = faces.take(np.array(kept, np.int64))
    names, codes = np.unique(faces.identities.astype(str), return_inverse=True)
    rows = embedded.faces.positions(faces.paths)
    sums = np.zeros((len(names), embedded.vectors.shape[1]))
    with embedded.watched():
        for start in range(0, len(rows), CHUNK):
            part = slice(start, start + CHUNK)
            np.add.at(sums, codes[part], embedded.vectors[rows[part]])
    counts = np.bincount(codes, minlength=len(names))
    return names.tolist(), (sums / counts[:, np.newaxis]).astype(np.float32)


def import_umap() -> Any:
    """The module umap, without what it warns of packages that only other uses of it need."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import umap

    return umap


def _placed(umap: Any, means: Vectors, similarity: str) -> NDArray[np.float64]:
    """Places `[K, 2]` of mean vectors."""
    given, metric = means, "cosine"
    if similarity != "cosine":
        products = means @ means.T
        given, metric = products.max() - products, "precomputed"
        np.fill_diagonal(given, 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = umap.UMAP(metric=metric, random_state=0, n_jobs=1).fit_transform(given)
    return np.asarray(found, np.float64)
