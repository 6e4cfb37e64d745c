"""Embeddings of arrays in memory: vectors and who they show, without a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from indexes.labelled_rows import plain_labels, plain_vectors, refuse_other_index
from indexes.unit_rows import measured_rows
from mining.embeddings.foreign_vectors import (
    fingerprint_of,
    imported_model,
    row_digest,
    vectors_header,
)
from mining.embeddings.store import FAMILY, IMAGES_HEADER, SCHEMA, Embeddings
from mining.errors import EmbeddingError
from mining.models.base import Similarity
from pairsets.arrays import Rows
from pairsets.faces import Faces
from pairsets.path_prefixes import is_text, why_unsafe
from pairsets.paths import strings
from pairsets.storage.artefacts import versions
from pairsets.storage.csv_tables import csv_text
from pairsets.text_column import TextColumn

# Stands where messages name the folder of other embeddings. No file of that name is ever read.
PLACE = Path("<arrays>")


def embeddings_of(
    X: object,  # noqa: N803
    identities: object,
    *,
    paths: Sequence[str] | None = None,
    root: str | Path = "",
    name: str = "arrays",
    similarity: Similarity = "cosine",
) -> Embeddings:
    """Embeddings of arrays; see `mining.embeddings.store.Embeddings.of`."""
    if similarity not in get_args(Similarity):
        raise EmbeddingError(
            f"similarity {similarity!r}; expected {' or '.join(get_args(Similarity))}"
        )
    model = imported_model(name)
    refuse_other_index(X, identities, "identities")
    vectors = measured_rows(plain_vectors(X), similarity, "X")
    if not len(vectors):
        raise EmbeddingError("X of no rows; expected a row a face")
    labels, _ = plain_labels(identities, len(vectors), "identities")
    known: dict[str, str] = {}
    names = strings(known.setdefault(text, text) for text in map(str, labels.tolist()))
    unfit = [text for text in known if not is_text(text)]
    if unfit:
        raise EmbeddingError(
            f"identities: row {names.tolist().index(unfit[0])} is {unfit[0]!r}; expected a name "
            "that a file can hold, and not an empty one"
        )
    order, kept = _in_order(paths, len(vectors))
    rows = np.array(vectors[order], "<f4", order="C")
    rows.setflags(write=False)
    faces = Faces(Path(root), TextColumn.of(kept), names[order])
    digests = dict(zip(kept, map(row_digest, rows), strict=True))
    whole = hashlib.sha256(vectors_header(rows.shape) + rows.tobytes()).hexdigest()
    listed = csv_text([IMAGES_HEADER, *digests.items()])
    manifest: dict[str, Any] = {
        "schema": SCHEMA,
        "model": model,
        "fingerprint": fingerprint_of(whole, kept, similarity),
        "similarity": similarity,
        "images": len(rows),
        "dimensions": rows.shape[1],
        "skipped": {},
        "images_sha256": hashlib.sha256(listed.encode()).hexdigest(),
        "vectors_sha256": whole,
        "provenance": {"family": FAMILY, "similarity": similarity, "pictures": False},
        "versions": versions("lookalikes", "numpy"),
    }
    return Embeddings(faces, rows, manifest, PLACE, row_digests=digests)


def _in_order(paths: Sequence[str] | None, count: int) -> tuple[Rows, list[str]]:
    """Numbers of the rows in the order of their paths, and these; of none, the rows' numbers."""
    if paths is None:
        width = len(str(count - 1))
        return np.arange(count), [f"{row:0{width}}" for row in range(count)]
    given = [*paths]
    if isinstance(paths, str) or len(given) != count:
        raise EmbeddingError(f"{len(given):,} paths for {count:,} rows; expected one a row")
    first: dict[str, int] = {}
    for row, path in enumerate(given):
        text = isinstance(path, str) and is_text(path)
        unsafe = why_unsafe(path) if text else "is no text, or empty"
        if unsafe:
            raise EmbeddingError(
                f"paths: row {row}: {path!r:.60} {unsafe}; expected one relative to the folder of "
                "faces, as rei/1.jpg"
            )
        if first.setdefault(path, row) != row:
            raise EmbeddingError(
                f"paths: {path!r} in rows {first[path]} and {row}; expected each face once"
            )
    order = np.argsort(strings(given), kind="stable")
    return order, [given[row] for row in order.tolist()]
