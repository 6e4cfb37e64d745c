"""Cache of vectors that runs share: by the model, what else changes bytes, and a picture's content.

A folder of it has one folder for each way to make vectors, named by a digest of the model's whole
fingerprint, its engine, device and options. In that each run appends to a file of its own: a head
with the dimensions, then a record a picture, `SHA-256 of the picture, vector, CRC-32 of both`. So
no two runs write into one file; a record that was cut off, or damaged since, is no hit, and the
vector is made and appended again.
"""

from __future__ import annotations

import hashlib
import os
import platform
import uuid
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np

from mining.embeddings.engines import identity_of_engine
from mining.embeddings.journal import Source, Vectors
from mining.errors import EmbeddingError
from mining.models.adapted_model import AdaptedModel
from mining.models.base import Model, digest
from pairsets import images
from pairsets.arrays import Mask
from pairsets.errors import PairsetsError
from pairsets.faces import Faces
from pairsets.storage.artefacts import write_json

_MAGIC = b"lookalikes vectors 1\n"
_HEAD = len(_MAGIC) + 4
_ENDING = ".vectors"
# Of more a file is something else.
_MOST = 1 << 20
_ABOUT = "about.json"
# Pictures that are read at a time.
_READ = 256


class VectorCache:
    """Vectors in a folder, of one way to make them."""

    def __init__(self, folder: Path, facts: Mapping[str, object]) -> None:
        """Open the cache in `folder`.

        Args:
            folder: shared by runs, of any models.
            facts: all that a vector depends on beside the picture; see `facts_of`.

        Raises:
            EmbeddingError: a file is there.
        """
        if folder.exists() and not folder.is_dir():
            raise EmbeddingError(f"{folder}: a file; expected a folder for the cache of vectors")
        self.home = folder / digest(facts)
        self.home.mkdir(parents=True, exist_ok=True)
        if not (self.home / _ABOUT).exists():
            write_json(self.home / _ABOUT, facts)
        self._stream: IO[bytes] | None = None

    @cached_property
    def _places(self) -> dict[bytes, list[tuple[Path, int, int]]]:
        """File, offset and size of the records of each picture that were there at first."""
        found: dict[bytes, list[tuple[Path, int, int]]] = {}
        for file in sorted(self.home.glob(f"*{_ENDING}")):
            for key, offset, size in _records(file):
                found.setdefault(key, []).append((file, offset, size))
        return found

    def find(self, wanted: set[str]) -> dict[str, Vectors]:
        """Vectors of those of these pictures that have a whole record, by their digests in hex."""
        found: dict[str, Vectors] = {}
        with ExitStack() as stack:
            opened: dict[Path, IO[bytes]] = {}
            for one in sorted(wanted):
                for file, offset, size in self._places.get(bytes.fromhex(one), []):
                    if file not in opened:
                        opened[file] = stack.enter_context(file.open("rb"))
                    opened[file].seek(offset)
                    record = opened[file].read(size)
                    data = record[:-4]
                    if data[:32].hex() == one and zlib.crc32(data) == _number(record[-4:]):
                        found[one] = np.frombuffer(data[32:], "<f4").astype(np.float32)
                        break
        return found

    def append(self, digests: Sequence[str], vectors: Vectors) -> None:
        """Add vectors `[len(digests), D]` of these pictures."""
        if not len(digests):
            return
        rows = np.ascontiguousarray(vectors, "<f4")
        if self._stream is None:
            # Another name for each run, even of two machines that share a disk.
            path = self.home / f"{uuid.uuid4().hex}{_ENDING}"
            self._stream = path.open("xb")
            self._stream.write(_MAGIC + int(rows.shape[1]).to_bytes(4, "little"))
        for one, row in zip(digests, rows, strict=True):
            data = bytes.fromhex(one) + row.tobytes()
            self._stream.write(data + zlib.crc32(data).to_bytes(4, "little"))
        self._stream.flush()

    def close(self) -> None:
        """Put what was added onto the disk."""
        if self._stream is not None:
            with self._stream as stream:
                stream.flush()
                os.fsync(stream.fileno())
            self._stream = None


def _records(file: Path) -> Iterator[tuple[bytes, int, int]]:
    """Picture, offset and size of each record of a file; a last one that is cut off is none."""
    with file.open("rb") as stream:
        head = stream.read(_HEAD)
        dimensions = _number(head[len(_MAGIC) :])
        if len(head) < _HEAD or not head.startswith(_MAGIC) or not 0 < dimensions <= _MOST:
            return
        size, offset = 32 + 4 * dimensions + 4, _HEAD
        while len(block := stream.read(size * _READ)) >= size:
            for start in range(0, len(block) - size + 1, size):
                yield block[start : start + 32], offset + start, size
            offset += len(block)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def facts_of(
    model: Model, engine: Mapping[str, Any] | None, batch_size: int, max_pixels: int
) -> dict[str, object]:
    """All that a vector depends on beside the bytes of its picture.

    The fingerprint has weights, preprocessing, steps, precision and versions; here come engine,
    device and kind of processor, on which vectors agree to rounding alone, and limits.
    """
    inner = model.model if isinstance(model, AdaptedModel) else model
    return {
        "model": model.name,
        "fingerprint": model.fingerprint,
        "provenance": dict(model.provenance),
        "similarity": model.similarity,
        "engine": None if engine is None else identity_of_engine(engine),
        "device": str(getattr(inner, "device", "")),
        "machine": platform.machine(),
        "batch_size": batch_size,
        "max_pixels": max_pixels,
        "numpy": np.__version__,
    }


def cached(
    cache: VectorCache, faces: Faces, paths: Sequence[str], workers: int | None
) -> Iterator[tuple[list[Source], Vectors, Mask]]:
    """Some of `paths` at a time: those that the cache has, their vectors, and which these are.

    A picture that cannot be read is none of them: who embeds the rest will say so.
    """

    def look(path: str) -> Source | None:
        try:
            data, facts = faces.read(path)
        except (OSError, images.ImageError):
            return None
        return Source.of(path, hashlib.sha256(data).hexdigest(), facts)

    left = iter(paths)
    with ThreadPoolExecutor(workers or os.cpu_count() or 1, "digest") as pool:
        while part := list(islice(left, _READ)):
            yield _hits(cache, list(pool.map(look, part)))


def _hits(
    cache: VectorCache, sources: Sequence[Source | None]
) -> tuple[list[Source], Vectors, Mask]:
    found = cache.find({one.sha256 for one in sources if one is not None})
    hits = np.array([one is not None and one.sha256 in found for one in sources], np.bool_)
    taken = [one for one in sources if one is not None and one.sha256 in found]
    if not taken:
        return [], np.empty((0, 1), np.float32), hits
    vectors = [found[one.sha256] for one in taken]
    if len({len(one) for one in vectors}) > 1:
        raise PairsetsError(f"{cache.home}: vectors of several lengths; remove this folder")
    return taken, np.stack(vectors), hits
