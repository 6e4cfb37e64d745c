"""Nearest other face of each face, by the vectors of a reference: likely to show one picture.

Of a large collection words and hashes of pictures (`candidates`) name too many by chance, and miss
what was cut away by half or squeezed; a network sees through that. Best pairs of the whole
collection would not do: many people look more alike than two cuts of one picture do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np

from indexes import FlatIndex, IndexesError
from mining.embeddings.store import EmbeddingError, Embeddings
from pairsets.arrays import Rows
from pairsets.faces import Faces
from pairsets.progress import Step, unheard
from pairsets.storage.resume import Parts

# Faces that are asked about at a time.
BLOCK = 2048


def nearest_faces(
    model: Embeddings,
    faces: Faces,
    among: Sequence[int] | None = None,
    parts: Parts | None = None,
    name: str = "nearest",
    progress: Step = unheard,
) -> Rows:
    """`[N]`: row of the face that each is nearest to, by exact search; -1 where none is known.

    Of several that are as near it is the first one in the order of the vectors. Time rises with the
    square of their number: a minute and more for 100,000 on two cores.

    Args:
        model: vectors of some of the faces, and of nobody else.
        faces: that are asked about.
        among: rows of those that are looked at; all by default.
        parts: keeps blocks that were searched, and gives those of before.
        name: of these vectors there, unlike that of others.
        progress: called with the faces done, and all.

    Raises:
        EmbeddingError: vectors are not finite; a file of them changed.
        FacesError: a face of the vectors is not among the faces.
    """
    rows = faces.positions(model.faces.paths)
    if among is not None:
        wanted = np.isin(rows, np.asarray(among, np.int64))
        if not wanted.all():
            model, rows = model.take(np.flatnonzero(wanted)), rows[wanted]
    found = np.full(len(faces), -1, np.int64)
    if len(model) < 2:
        return found
    with model.watched(progress) as step:
        try:
            index = FlatIndex(model.vectors)
        except IndexesError as error:
            raise EmbeddingError(
                f"{model.folder}: {error}; were the vectors edited? Embed the faces again"
            ) from None
        for start, others in _blocks(index, model, parts, name):
            found[rows[start : start + len(others)]] = rows[others]
            step(start + len(others), len(model))
    return found


def facts_of(models: Sequence[Embeddings]) -> list[object]:
    """Facts that tell vectors, and whose they are, from any others."""
    return [_facts(model) for model in models]


def _facts(model: Embeddings) -> list[object]:
    names = hashlib.sha256()
    for path in model.faces.paths:
        names.update(f"{path}\0".encode())
    # Vectors in memory are not all, or not those, of the folder that they came from.
    vectors = (
        model.manifest["vectors_sha256"]
        if model.is_of_file
        else hashlib.sha256(np.ascontiguousarray(model.vectors).data).hexdigest()
    )
    return [model.manifest.get("model", ""), names.hexdigest(), vectors]


def _blocks(
    index: FlatIndex, model: Embeddings, parts: Parts | None, name: str
) -> Iterator[tuple[int, Rows]]:
    """Start of each block of vectors, and the rows that are nearest to those of it."""
    for start in range(0, len(model), BLOCK):
        block = f"{name} {start}"
        kept = None if parts is None else parts.read(block)
        if kept is None:
            own = np.arange(start, min(start + BLOCK, len(model)))
            two = index.search(model.vectors[own], 2).rows
            # Itself need not be the first, nor among the two, where vectors are equal.
            kept = np.where(two[:, 0] == own, two[:, 1], two[:, 0])
            if parts is not None:
                # What is kept is taken for that of the vectors as they were.
                model.refuse_changed()
                parts.write(kept.tolist(), block)
        yield start, np.asarray(kept, np.int64)
