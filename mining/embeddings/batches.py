"""Image files through a model: decoded by threads ahead of time, encoded in full batches."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.independence import prove_independent
from mining.embeddings.journal import Source, Vectors
from mining.errors import EmbeddingError, ModelError
from mining.models.base import Model, Streaming
from pairsets import images
from pairsets.faces import Faces

# Batches decoded ahead of the one being encoded: enough to keep the model busy.
_AHEAD = 3


@dataclass(frozen=True)
class BatchSettings:
    """Settings by which images go through a model; see `mining.embed`."""

    batch_size: int
    workers: int | None
    max_pixels: int
    stop_on_error: bool


def encoded(
    faces: Faces,
    paths: Sequence[str],
    model: Model,
    settings: BatchSettings,
    *,
    proved: bool = False,
    stopped: bool = False,
) -> Generator[tuple[list[Source], Vectors, dict[str, str]], None, None]:
    """Batches of finished vectors, and the causes of the images that gave none.

    After the first failure under `stop_on_error`, images are decoded but no more encoded, so that
    all failures are known soon.

    Args:
        faces: that the paths are of.
        paths: of the faces to embed.
        model: encodes.
        settings: see there.
        proved: whether the model's vectors are known to be each picture's own.
        stopped: whether an image failed before.

    Raises:
        ModelError: the vectors are none, or not each picture's own (see
            `mining.embeddings.independence`).
        EmbeddingError: vectors that are zero or not finite.
    """
    decoded = _decoded(faces, paths, model, settings)
    groups = _prepared(decoded, settings, stopped=stopped)
    for group, vectors in _with_vectors(groups, model):
        good = group.sources
        if vectors is None:
            yield [], np.empty((0, 1), np.float32), group.causes
            continue
        vectors = _checked(model, vectors, settings.batch_size)
        unit = _normalised(vectors[: len(good)], good, model)
        if not proved and len(good) > 1:
            prove_independent(model, group.pixels, len(good), vectors)
            proved = True
        yield good, unit, group.causes


@dataclass(frozen=True)
class _Group:
    """Faces of one batch, their pixels filled up to it, and what could not be read.

    No pixels are a batch that is not to be encoded.
    """

    sources: list[Source]
    pixels: list[NDArray[np.generic]]
    causes: dict[str, str]


def _prepared(
    decoded: Iterator[list[_Decoded | _Failure]], settings: BatchSettings, *, stopped: bool
) -> Iterator[_Group]:
    for group in decoded:
        causes = {item.path: item.cause for item in group if isinstance(item, _Failure)}
        good = [item for item in group if isinstance(item, _Decoded)]
        stopped = stopped or (settings.stop_on_error and bool(causes))
        if stopped or not good:
            yield _Group([], [], causes)
            continue
        pixels = [item.pixels for item in good]
        pixels += [pixels[-1]] * (settings.batch_size - len(pixels))
        yield _Group([item.source for item in good], pixels, causes)


def _with_vectors(
    groups: Iterator[_Group], model: Model
) -> Iterator[tuple[_Group, Vectors | None]]:
    """Each group with its vectors; on devices that take batches ahead, several are under way."""
    if not getattr(model, "streams", False):
        for group in groups:
            yield group, model.encode(np.stack(group.pixels)) if group.pixels else None
        return
    waiting: deque[_Group] = deque()

    def stacked() -> Iterator[NDArray[np.generic]]:
        for group in groups:
            waiting.append(group)
            if group.pixels:
                yield np.stack(group.pixels)

    with closing(cast(Streaming, model).encode_many(stacked())) as found:
        for vectors in found:
            while not waiting[0].pixels:
                yield waiting.popleft(), None
            yield waiting.popleft(), vectors
    for group in waiting:
        yield group, None


@dataclass(frozen=True)
class _Decoded:
    source: Source
    pixels: NDArray[np.generic]


@dataclass(frozen=True)
class _Failure:
    path: str
    cause: str


def _decoded(
    faces: Faces, paths: Sequence[str], model: Model, settings: BatchSettings
) -> Iterator[list[_Decoded | _Failure]]:
    """Images in batches, decoded by threads a few batches ahead of who asks for them."""

    def decode(path: str) -> _Decoded | _Failure:
        return _decode(faces, path, model, settings.max_pixels)

    pool = ThreadPoolExecutor(settings.workers or os.cpu_count() or 1, "decode")
    try:
        waiting: deque[list[Future[_Decoded | _Failure]]] = deque()
        starts = iter(range(0, len(paths), settings.batch_size))
        while True:
            while len(waiting) < _AHEAD and (start := next(starts, None)) is not None:
                group = paths[start : start + settings.batch_size]
                waiting.append([pool.submit(decode, path) for path in group])
            if not waiting:
                return
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _decode(faces: Faces, path: str, model: Model, max_pixels: int) -> _Decoded | _Failure:
    try:
        data, facts = faces.read(path)
        content = hashlib.sha256(data).hexdigest()
        pixels = model.preprocess(images.decode(data, max_pixels=max_pixels))
    except images.ImageError as error:
        return _Failure(path, error.cause)
    except OSError as error:
        return _Failure(path, error.strerror or str(error))
    return _Decoded(Source.of(path, content, facts), pixels)


def first_pictures(
    faces: Faces, paths: Sequence[str], model: Model, settings: BatchSettings, count: int
) -> NDArray[np.generic]:
    """The first `count` pictures that can be read, as `encode` takes them; there may be fewer."""
    found: list[NDArray[np.generic]] = []
    for path in paths:
        item = _decode(faces, path, model, settings.max_pixels)
        if isinstance(item, _Decoded):
            found.append(item.pixels)
        if len(found) == count:
            break
    return np.stack(found) if found else np.empty(0, np.uint8)


def _checked(model: Model, vectors: Vectors, count: int) -> Vectors:
    if vectors.ndim != 2 or len(vectors) != count or vectors.shape[1] == 0:
        raise ModelError(
            f"{model.name}: vectors of shape {vectors.shape} for {count} images; expected "
            f"[{count}, D]"
        )
    return np.asarray(vectors, np.float32)


def _normalised(vectors: Vectors, sources: Sequence[Source], model: Model) -> Vectors:
    """Unit rows for a cosine model; rows that are zero or not finite are refused by name."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    bad = np.flatnonzero(~np.isfinite(norms) | (norms == 0))
    if bad.size:
        named = ", ".join(
            f"{sources[row].path} ({'zero' if norms[row] == 0 else 'not finite'})"
            for row in bad.tolist()
        )
        raise EmbeddingError(
            f"{model.name}: vectors that are zero or not finite, in this batch those of {named}. "
            "Such faces cannot be ranked; are the weights damaged, or is bf16 too coarse for them?"
        )
    if model.similarity == "cosine":
        wide /= norms[:, None]
    return wide.astype(np.float32)
