"""Vectors that each node opens for itself: where they lie, and how they are known again."""

from __future__ import annotations

import hashlib
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.base import Rows, Vectors
from indexes.join.stack import Chosen, Stacked, rows_of
from indexes.memory import remember
from mining.embeddings.store import Embeddings
from mining.errors import ClusterError
from pairsets.errors import PairsetsError
from pairsets.storage import locks
from pairsets.storage.mirrors import mirror_of, origin_of
from pairsets.storage.remote_files import RemoteFolder

# Rows that a file is known again by: of one that is older or cut, some differ.
_LOOKED_AT = 64
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class VectorPart:
    """Rows of one file.

    Attributes:
        path: of a `vectors.npy`, as every node sees it.
        shape: of what it holds.
        digest: of some of its rows.
        rows: `[P]` of it that count; None for all.
        bucket: the folder of embeddings it was fetched from, where it came from beyond this
            machine: a node without the path fetches it, too.
        name: of what a node fetches, another one for other vectors.
    """

    path: Path
    shape: tuple[int, int]
    digest: str
    rows: Rows | None = None
    bucket: RemoteFolder | None = None
    name: str = "vectors.npy"

    @classmethod
    def of(cls, path: Path, vectors: Vectors, kept: Mask, sha256: str | None = None) -> VectorPart:
        """The rows that are `kept` of the vectors mapped from a file with this digest."""
        shape, digest = (len(vectors), int(vectors.shape[1])), _digest(vectors)
        rows = None if kept.all() else np.flatnonzero(kept)
        name = f"{(sha256 or digest)[:32]}.npy"
        return cls(path.resolve(), shape, digest, rows, origin_of(path.parent), name)

    def open(self) -> Vectors:
        """The rows, memory-mapped; those that count alone are taken when they are asked for.

        Raises:
            ClusterError: this node does not see the file, or sees another.
        """
        node = platform.node()
        try:
            found: Vectors = np.lib.format.open_memmap(self._here(), mode="r")
        except PairsetsError as error:
            raise ClusterError(f"node {node}: {error}") from None
        except OSError as error:
            raise ClusterError(
                f"node {node}: {self.path} cannot be read there ({error.strerror or error}); put "
                "the embeddings where all nodes see them under one path: on a shared disk, or in a "
                "bucket (s3://...)"
            ) from None
        except ValueError as error:
            raise ClusterError(
                f"node {node}: {self.path} is no file of vectors ({error})"
            ) from None
        if found.shape != self.shape or found.dtype != np.float32 or _digest(found) != self.digest:
            raise ClusterError(
                f"node {node}: {self.path} is another file there than here ({found.dtype} "
                f"{found.shape}; expected float32 {self.shape} with the same rows); is it an older "
                "copy? Give all nodes the same embeddings"
            )
        remember(found)
        return found

    def _here(self) -> Path:
        """The file on this node, fetched once where it comes from a bucket."""
        if self.bucket is None or (self.path.exists() and not self._is_other(self.path)):
            return self.path
        home = mirror_of(self.bucket.url, "vectors")
        place = home / self.name
        home.mkdir(parents=True, exist_ok=True)
        with (home / ".lock").open("a") as file:
            # Others on this node wait for the one that fetches, whatever it fetches from there.
            locks.lock(file.fileno(), wait=True)
            facts = self.bucket.find(deep=False).get(self.path.name)
            if facts is None:
                raise ClusterError(
                    f"node {platform.node()}: {self.bucket.name} has no {self.path.name} any more"
                )
            if not place.exists() or place.stat().st_size != facts.size or self._is_other(place):
                self.bucket.fetch({self.path.name: facts}, home)
                (home / self.path.name).replace(place)
        return place

    def _is_other(self, place: Path) -> bool:
        """Whether a file that was fetched before is not the one that is searched."""
        try:
            found = np.lib.format.open_memmap(place, mode="r")
        except ValueError:
            return True
        return found.shape != self.shape or _digest(found) != self.digest


@dataclass(frozen=True, eq=False)
class VectorSource:
    """Vectors of a search, which may be of two sets.

    Attributes:
        parts: one file, or the two of a search between sets.
    """

    parts: tuple[VectorPart, ...]

    @classmethod
    def of(cls, embeddings: Embeddings, kept: Mask) -> VectorSource:
        """The vectors of faces that are `kept [N]`.

        Raises:
            ClusterError: they are of no file.
        """
        if not embeddings.files:
            raise ClusterError("vectors in memory alone: nodes of a cluster read them from files")
        vectors: object = embeddings.vectors
        arrays = (
            (vectors.left, vectors.right) if isinstance(vectors, Stacked) else (embeddings.vectors,)
        )
        masks = np.split(kept, [len(arrays[0])]) if len(arrays) > 1 else [kept]
        # Of two sets the manifest is none of either file's.
        digest = embeddings.manifest.get("vectors_sha256") if len(arrays) == 1 else None
        return cls(
            tuple(
                VectorPart.of(file.path, part, mask, digest)
                for file, part, mask in zip(embeddings.files, arrays, masks, strict=True)
            )
        )

    def open(self) -> Vectors:
        """All rows under one numbering; see `VectorPart.open`."""
        opened = [Chosen.of(part.open(), part.rows) for part in self.parts]
        if len(opened) == 1:
            return opened[0]
        return rows_of(Stacked(*opened))


def _digest(vectors: Vectors) -> str:
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(_LOOKED_AT, len(vectors))).astype(int))
    return hashlib.sha256(np.ascontiguousarray(vectors[rows]).tobytes()).hexdigest()
