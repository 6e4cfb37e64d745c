"""Whitening, a step behind a model: a mean that is taken off, and a projection; kept in a file.

The file is safetensors: `mean` float64 `[D]`, `projection` float64 `[D, K]` unless the step is of
the mean alone, `identities` and `images` uint64, marks of those that it was learnt on, `stepped`
float64 `[K]`, the mean of what it makes of their vectors, and metadata that say how it was learnt.
How a step is learnt says `mining.embeddings.whitening_learner`.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mining.errors import ModelError
from mining.models.base import digest
from mining.models.collection_mean import CollectionMean
from pairsets.arrays import Floats
from pairsets.storage.artefacts import atomic_write
from pairsets.storage.json_files import JsonObject, parse_json

KIND = "lookalikes whitening"
SCHEMA = 1
METHODS = ("centre", "pca", "within")
# More dimensions than any network's vectors have, so that no file can ask for all memory.
MOST_DIMENSIONS = 65_536
_MOST_BYTES = 8 << 30
_HEAD = "lookalikes"
# Facts of the mean of what it makes of the vectors that it was learnt on.
_STEPPED = "stepped"
# Of what a vector is made of, these make no other model of it: another version's vectors differ by
# rounding, and so do half precision's, which no mean or covariance can tell.
_ROUNDING = ("versions", "precision")
_UNFIT = "not a whitening made by lookalikes learn-whitening"

Marks = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Whitening:
    """A step behind a model: `(v - mean) @ projection` of each vector.

    Attributes:
        mean: float64 `[D]`.
        projection: float64 `[D, K]`; None leaves the vector at its length D.
        facts: how it was learnt, JSON-able: `method`, `model`, `model_digest`, counts, versions.
        identities, images: marks (see `marks`) of what it was learnt on, ascending.
        stepped: mean of what it makes of the vectors that it was learnt on, as they are kept; None
            in a file of before it was kept.

    Raises:
        ModelError: shapes that do not belong together, or numbers that are not finite.
    """

    mean: Floats
    projection: Floats | None
    facts: Mapping[str, Any]
    identities: Marks
    images: Marks
    stepped: CollectionMean | None = None

    def __post_init__(self) -> None:
        dimensions, projection = self.mean.shape[0] if self.mean.ndim == 1 else 0, self.projection
        if not 0 < dimensions <= MOST_DIMENSIONS:
            raise ModelError(f"a mean of shape {self.mean.shape}; expected [D]")
        if projection is not None and (
            projection.ndim != 2
            or projection.shape[0] != dimensions
            or not 0 < projection.shape[1] <= dimensions
        ):
            raise ModelError(
                f"a projection of shape {projection.shape} for a mean of {dimensions:,}; expected "
                f"[{dimensions}, K] with K up to {dimensions}"
            )
        for name, values in (("mean", self.mean), ("projection", projection)):
            if values is not None and (values.dtype != np.float64 or not np.isfinite(values).all()):
                raise ModelError(f"a {name} with numbers that are not finite, or not float64")
        if self.stepped is not None and len(self.stepped.mean) != self.dimensions:
            raise ModelError(
                f"a mean of {len(self.stepped.mean):,} components behind it, which makes "
                f"{self.dimensions:,}"
            )

    @property
    def dimensions(self) -> int:
        """Length of the vectors that it makes."""
        return len(self.mean) if self.projection is None else int(self.projection.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of what a vector depends on: mean and projection."""
        found = hashlib.sha256()
        for values in (self.mean, self.projection):
            if values is not None:
                found.update(f"{values.shape}".encode())
                found.update(np.ascontiguousarray(values, "<f8").tobytes())
        return found.hexdigest()

    def apply(self, vectors: Floats) -> Floats:
        """float64 `[N, K]` of float64 `[N, D]`.

        Each row by itself and in this thread alone, so that a vector's bits depend neither on the
        rows beside it nor on the number of threads.
        """
        centred = vectors - self.mean
        if self.projection is None:
            return centred
        with threadpool_limits(1, user_api="blas"):
            return np.stack([row @ self.projection for row in centred])

    @property
    def origin(self) -> str:
        """A sentence for a user on what it was learnt on."""
        facts = self.facts
        folder = f" of {facts['folder']}" if "folder" in facts else ""
        what = "Their mean is taken off" if self.projection is None else "Vectors are whitened"
        return (
            f"{what} ({facts['method']}), as learnt on {facts['faces']:,} faces of "
            f"{facts['identities']:,} identities{folder}, vectors of {facts['model']}."
        )

    def refuse_other_model(self, provenance: Mapping[str, object], name: str, label: str) -> None:
        """Raise ModelError where it was learnt on another model's vectors.

        Args:
            provenance: of the model that it is to stand behind.
            name: of that model.
            label: how the error calls the step.
        """
        if model_digest(provenance) != self.facts["model_digest"]:
            raise ModelError(
                f"{label}: learnt on vectors of {self.facts['model']}, not of {name} with these "
                "weights, preprocessing, layers and flips; it means nothing there. Learn one on "
                "embeddings made by this model with the same options: lookalikes learn-whitening"
            )

    def shared(self, identities: Iterable[str], images: Iterable[str]) -> tuple[int, int]:
        """Numbers of distinct identities and of pictures that it was learnt on, among these.

        Args:
            identities: names, each any number of times.
            images: SHA-256 of the pictures, in hex.
        """
        named, seen = marks(identities), image_marks(images)
        return (
            int(np.isin(named, self.identities, assume_unique=True).sum()),
            int(np.isin(seen, self.images, assume_unique=True).sum()),
        )

    def write(self, path: Path) -> Path:
        """Write the file, whole or not at all."""
        from safetensors.numpy import save

        tensors: dict[str, NDArray[Any]] = {
            "mean": self.mean, "identities": self.identities, "images": self.images
        }  # fmt: skip
        if self.projection is not None:
            tensors["projection"] = self.projection
        facts = {"kind": KIND, "schema": SCHEMA, **self.facts}
        if self.stepped is not None:
            tensors[_STEPPED] = self.stepped.mean
            facts[_STEPPED] = self.stepped.facts
        head = json.dumps(facts, sort_keys=True)
        data = save({k: np.ascontiguousarray(v) for k, v in tensors.items()}, {_HEAD: head})
        with atomic_write(path) as stream:
            stream.write(data)
        return path

    @classmethod
    def read(cls, path: Path) -> Whitening:
        """Read a file.

        Raises:
            ModelError: none, damaged, too large, or of another kind.
        """
        from safetensors import SafetensorError, safe_open

        try:
            if path.stat().st_size > _MOST_BYTES:
                raise ModelError(f"{path}: too large to be a whitening")
            with safe_open(path, framework="numpy") as file:
                facts = _facts(path, file.metadata() or {})
                names = {*file.keys()}
                if not {"mean", "identities", "images"} <= names <= {*_DTYPES}:
                    raise ModelError(f"{path}: {_UNFIT}: holds {', '.join(sorted(names))}")
                found = {name: file.get_tensor(name) for name in sorted(names)}
        except ModelError:
            raise
        except OSError as error:
            raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from None
        except (SafetensorError, ValueError, TypeError, KeyError) as error:
            raise ModelError(
                f"{path}: {_UNFIT}, or damaged ({str(error).splitlines()[0][:120]})"
            ) from None
        for name, values in found.items():
            if values.dtype != _DTYPES[name]:
                raise ModelError(f"{path}: {_UNFIT}: {name} holds {values.dtype}")
        try:
            told = facts.pop(_STEPPED, None)
            if (told is None) != (_STEPPED not in found):
                raise ModelError(f"{_STEPPED} without its other half")
            stepped = None if told is None else CollectionMean.kept(found[_STEPPED], told)
            step = cls(found["mean"], found.get("projection"), facts, found["identities"],
                       found["images"], stepped)  # fmt: skip
        except ModelError as error:
            raise ModelError(f"{path}: damaged: {error}") from None
        if step.digest != facts["digest"]:
            raise ModelError(f"{path}: damaged: its numbers are not those that were written")
        return step


_DTYPES: Mapping[str, np.dtype[Any]] = {
    "mean": np.dtype("<f8"),
    "projection": np.dtype("<f8"),
    "identities": np.dtype("<u8"),
    "images": np.dtype("<u8"),
    _STEPPED: np.dtype("<f8"),
}


def _facts(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The facts in the metadata of a file; ModelError where they are of another kind."""
    if _HEAD not in metadata:
        raise ModelError(f"{path}: {_UNFIT}; are these a network's weights?")
    content = parse_json(metadata[_HEAD], f"{path}: metadata", "an object", error=ModelError)
    found = JsonObject.of(content, f"{path}: metadata", "an object", error=ModelError)
    if "kind" not in found or found.text("kind") != KIND:
        raise ModelError(f"{path}: {_UNFIT}")
    if found.count("schema") != SCHEMA:
        raise ModelError(f"{path}: made by another version of lookalikes; learn it again")
    for name in ("digest", "method", "model", "model_digest", "model_fingerprint", "similarity"):
        found.text(name)
    for name in ("faces", "identities", "rank"):
        found.count(name, least=1)
    if "folder" in found:
        found.text("folder")
    if _STEPPED in found:
        found.inner(_STEPPED)
    facts = dict(found.content)
    return {name: value for name, value in facts.items() if name not in ("kind", "schema")}


def model_digest(provenance: Mapping[str, object]) -> str:
    """Digest of a model's weights, preprocessing and options, whatever versions run it."""
    return digest({name: value for name, value in provenance.items() if name not in _ROUNDING})


def marks(names: Iterable[str]) -> Marks:
    """Marks of identities, ascending, each once: the first 8 bytes of a name's SHA-256.

    A mark tells no name, and two of a million names share one with a chance of 3e-8.

    >>> marks(["rei", "rei"]).shape
    (1,)
    """
    plain = {unicodedata.normalize("NFC", name) for name in names}
    encoded = (name.encode("utf-8", "surrogateescape") for name in plain)
    return _sorted(hashlib.sha256(name).digest()[:8] for name in encoded)


def image_marks(digests: Iterable[str]) -> Marks:
    """Marks of pictures, ascending, each once: the first 8 bytes of SHA-256 in hex."""
    return _sorted(bytes.fromhex(one[:16]) for one in digests)


def _sorted(found: Iterable[bytes]) -> Marks:
    return np.unique(np.frombuffer(b"".join(found), "<u8")).astype("<u8")


def unit(vectors: NDArray[Any]) -> Floats:
    """Vectors as a cosine model's are stored, float64 `[N, D]`; those of no length as they are."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    return wide / np.where(norms > 0, norms, 1)[:, None]
