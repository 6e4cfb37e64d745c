"""Vectors from elsewhere, laid out as a folder of embeddings: checked row by row, then written.

Rows are kept with their names all the way: what is left out is a mask over the rows of the file,
and the rest is put into the order of the paths by the numbers of its rows.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.unit_rows import unit_rows
from mining.embeddings.store import FAMILY, IDENTITIES, IMAGES_HEADER, SCHEMA, named_otherwise
from mining.errors import EmbeddingError
from mining.models.adapted_model import split_steps
from mining.models.base import Similarity, digest
from pairsets.arrays import Mask, Rows
from pairsets.faces import Faces
from pairsets.pairset import IDENTITY_COLUMNS
from pairsets.progress import Step, unheard
from pairsets.storage.artefacts import atomic_write, versions, write_json
from pairsets.storage.csv_tables import write_csv
from pairsets.storage.digests import sha256

# Rows that are looked at, or written, at a time.
_ROWS = 4096
# Longest vector by shortest, from which on their lengths are told.
_UNEVEN = 2.0
_NAMED = 5

Numbers = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Lengths:
    """Lengths of the rows of an array, and what is wrong with some.

    Attributes:
        lengths: `[N]` float64; NaN where a row has a number that is none.
        causes: why a row cannot be used, by its number.
    """

    lengths: NDArray[np.float64]
    causes: Mapping[int, str]

    @property
    def good(self) -> Mask:
        """`[N]`: the rows that can be used."""
        good = np.ones(len(self.lengths), np.bool_)
        good[list(self.causes)] = False
        return good

    @classmethod
    def of(cls, vectors: Numbers, similarity: Similarity, step: Step = unheard) -> Lengths:
        """Look at every row of `[N, D]`."""
        lengths = np.full(len(vectors), np.nan)
        causes: dict[int, str] = {}
        for start in range(0, len(vectors), _ROWS):
            block = np.asarray(vectors[start : start + _ROWS], np.float64)
            part = lengths[start : start + len(block)]
            finite = np.isfinite(block)
            whole = finite.all(axis=1)
            part[whole] = _lengths(block[whole])
            # By their cosine rows of any length are kept, and brought to unit length when written.
            kept = block[whole] if similarity == "cosine" else _as_float32(block[whole])
            narrow: Mask = np.asarray(np.isfinite(kept).all(axis=1))
            empty: Mask = ~np.any(kept, axis=1)
            for row in np.flatnonzero(~whole).tolist():
                column = int(np.flatnonzero(~finite[row])[0])
                causes[start + row] = f"{block[row, column]} in column {column}"
            for at, row in enumerate(np.flatnonzero(whole).tolist()):
                if not narrow[at]:
                    causes[start + row] = "too large for float32"
                elif empty[at]:
                    causes[start + row] = (
                        "all zero" if part[row] == 0 else "all zero as float32, too small for it"
                    )
            step(start + len(block), len(vectors))
        return cls(lengths, causes)

    def told(self) -> str:
        """A sentence on lengths that are very unequal; empty where they are not."""
        good = self.lengths[self.good]
        if not good.size or good.max() <= _UNEVEN * good.min():
            return ""
        least, most, middle = good.min(), good.max(), np.median(good)
        return (
            f"The vectors' lengths are unequal: {least:.4g} to {most:.4g}, half of them below "
            f"{middle:.4g}. They are compared by their cosine, which leaves lengths out; a model "
            "that is meant to be compared by inner product needs --similarity inner_product."
        )


def _lengths(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Euclidean lengths of rows, of numbers of whatever size."""
    largest = np.abs(block).max(axis=1, initial=0)
    scaled = block / np.where(largest > 0, largest, 1)[:, None]
    with np.errstate(over="ignore"):
        found: NDArray[np.float64] = largest * np.sqrt((scaled * scaled).sum(axis=1))
    return found


def _as_float32(block: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(block, np.float32)


def _stored(block: NDArray[np.float64], similarity: Similarity) -> NDArray[np.float32]:
    """Rows as they are kept: of unit length where they are compared by their cosine."""
    return unit_rows(block) if similarity == "cosine" else _as_float32(block)


def row_digest(row: NDArray[Any]) -> str:
    """SHA-256 of a vector, in hex: stands for the picture's, where nobody saw the picture."""
    return hashlib.sha256(row.astype("<f4").tobytes()).hexdigest()


def vectors_header(shape: tuple[int, ...]) -> bytes:
    """Bytes before the rows of a `vectors.npy` of this shape."""
    stream = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, header)
    return stream.getvalue()


def fingerprint_of(vectors: str, paths: Sequence[str], similarity: Similarity) -> str:
    """Fingerprint of vectors that no known model made.

    Args:
        vectors: SHA-256 of their `vectors.npy`.
        paths: of the rows, in order.
        similarity: that compares them.
    """
    listed = hashlib.sha256("\n".join(paths).encode()).hexdigest()
    content = {"vectors": vectors, "paths": listed, "similarity": similarity}
    return f"{FAMILY}-{digest(content)}"


def imported_model(name: str) -> str:
    """Text of a model that is known by a name alone.

    Raises:
        EmbeddingError: a name that tables cannot have, or that may be a path or steps.
    """
    if not name.strip() or not name.isprintable() or {*"/\\"} & {*name} or split_steps(name)[1]:
        raise EmbeddingError(
            f"the name {name!r}: expected a word or some, without slashes; give another --name"
        )
    return f"{FAMILY}:{name.strip()}"


def refuse_causes(where: str, causes: Mapping[int, str]) -> None:
    """Raise EmbeddingError where rows cannot be used; the message names the first of them."""
    if not causes:
        return
    told = "; ".join(f"row {row}: {cause}" for row, cause in [*sorted(causes.items())][:_NAMED])
    more = f"; and {len(causes) - _NAMED:,} more" if len(causes) > _NAMED else ""
    raise EmbeddingError(
        f"{where}: {len(causes):,} rows cannot be used (counted from 0): {told}{more}. Such faces "
        "cannot be ranked: did the tool that made them fail on their pictures? Make them again, or "
        "leave them out: --on-error skip"
    )


@dataclass(frozen=True, eq=False)
class Foreign:
    """Vectors from elsewhere with the faces that they are of.

    Attributes:
        faces: in the order in which they are kept.
        vectors: `[N, D]`, of a file, in its order.
        rows: the row of each face among them.
        similarity: that compares them.
        skipped: paths without a vector, and why.
        digests: SHA-256 of the pictures, in the order of the faces; None where nobody looked at
            them. Each face has that of its vector then, by which the very same are known again.
    """

    faces: Faces
    vectors: Numbers
    rows: Rows
    similarity: Similarity
    skipped: Mapping[str, str]
    digests: list[str] | None = None

    def _blocks(self, step: Step) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self.rows), _ROWS):
            rows = self.rows[start : start + _ROWS]
            yield _stored(np.asarray(self.vectors[rows], np.float64), self.similarity)
            step(start + len(rows), len(self.rows))

    def write(self, folder: Path, facts: Mapping[str, object], model: Mapping[str, Any],
              step: Step = unheard) -> None:  # fmt: skip
        """Write the files of a folder of embeddings.

        Args:
            folder: to write into.
            facts: on the file that they are from, for the provenance.
            model: `model`, and where the vectors are vouched to be of a known model its
                `fingerprint` and `provenance`.
            step: called with the rows written and the rows in all.
        """
        digests: list[str] = []
        shape = (len(self.rows), int(self.vectors.shape[1]))
        with atomic_write(folder / "vectors.npy") as stream:
            stream.write(vectors_header(shape))
            for block in self._blocks(step):
                stream.write(np.ascontiguousarray(block, "<f4").tobytes())
                if self.digests is None:
                    digests += map(row_digest, block)
        rows = zip(self.faces.paths, self.digests or digests, strict=True)
        write_csv(folder / "images.csv", IMAGES_HEADER, rows)
        named = named_otherwise(self.faces, self.faces.paths)
        if named is not None:
            write_csv(folder / IDENTITIES, IDENTITY_COLUMNS, named.items())
        vectors = sha256(folder / "vectors.npy")
        provenance = {"family": FAMILY, **facts, "pictures": self.digests is not None}
        known = model.get("fingerprint")
        if "provenance" in model:
            provenance = {**model["provenance"], FAMILY: provenance}
        manifest = {
            "schema": SCHEMA,
            "model": model["model"],
            "fingerprint": known or fingerprint_of(vectors, self.faces.paths, self.similarity),
            "similarity": self.similarity,
            "images": shape[0],
            "dimensions": shape[1],
            "skipped": dict(sorted(self.skipped.items())),
            "images_sha256": sha256(folder / "images.csv"),
            **({"identities": self.faces.said} if self.faces.said is not None else {}),
            **({"identities_sha256": sha256(folder / IDENTITIES)} if named is not None else {}),
            "vectors_sha256": vectors,
            "provenance": provenance,
            "versions": versions("lookalikes", "numpy"),
        }
        write_json(folder / "manifest.json", manifest)
