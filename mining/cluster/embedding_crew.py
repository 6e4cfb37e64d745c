"""Embedding on a cluster: shards of faces go to processes that hold the model, vectors come back.

Each shard is a whole number of batches of the faces that lack a vector, so that every batch is the
one that a single machine would encode, and its vectors have the same bits. Of many networks these
hang on the number of threads, too: each process has as many as PyTorch has where the command runs,
and takes as many cores of a node.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mining.cluster.session import Cluster
from mining.embeddings.batches import BatchSettings, encoded
from mining.embeddings.crew import Encoder
from mining.embeddings.engines import inner, opened_as
from mining.embeddings.journal import Source, Vectors
from mining.errors import ClusterError, ModelError
from mining.models.base import Model
from mining.models.heap import kept_heap
from pairsets.errors import FacesError
from pairsets.faces import Faces
from pairsets.images import ImageError
from pairsets.picture_sources.base import PictureSource, facts_of
from pairsets.text_column import TextColumn

# Faces of a shard at most, but for what makes it whole batches; and shards for each process that
# can run at once, so that none waits long for the last.
SHARD, _EACH = 1024, 8
_MISSING = os.strerror(errno.ENOENT)


@dataclass(frozen=True)
class Recipe:
    """Recipe for the model and the faces, as it is sent to each process.

    Attributes:
        key: another one for each call, by which a process knows what it has opened.
        load: loads the model on a device.
        device: of the model here; None for one that has none.
        facts: of the engine that encodes.
        fingerprint: that the model must have.
        threads: of PyTorch.
        faces: the folder; without a face.
        folder: that relative paths of the model's files begin at.
        settings: by which images go through the model.
    """

    key: str
    load: Callable[[str | None], Model]
    device: str | None
    facts: Mapping[str, Any] | None
    fingerprint: str
    threads: int
    faces: Faces
    folder: str
    settings: BatchSettings


@dataclass(frozen=True)
class Shard:
    """Faces that are embedded together.

    Attributes:
        paths: of the faces.
        stopped: whether an image failed before, so that images are looked at alone.
        source: of the pictures, where they are no files of the folder.
    """

    paths: list[str]
    stopped: bool
    source: PictureSource | None = None


@dataclass(frozen=True)
class ShardVectors:
    """Vectors of a shard.

    Attributes:
        sources: of the faces that have a vector.
        vectors: `[len(sources), D]`.
        failures: causes of the others, by path.
        node: where they were made.
    """

    sources: list[Source]
    vectors: Vectors
    failures: dict[str, str]
    node: str


@dataclass
class _Opened:
    """Model of a process, and whether its vectors are known to be each picture's own."""

    key: str
    model: Model
    proved: bool = False


opened_models: list[_Opened] = []


class EmbeddingCrew:
    """Nodes of a cluster that embed.

    Args:
        cluster: that they are of.
        shard: about how many faces go to a node at a time; by their number if None.
    """

    def __init__(self, cluster: Cluster, *, shard: int | None = None) -> None:
        self._cluster, self._shard = cluster, shard

    def with_model(self, load: Callable[[str | None], Model]) -> Encoder:
        """The nodes with a model that each process of theirs loads once."""
        return ClusterEncoder(self._cluster, load, self._shard)


class ClusterEncoder:
    """Nodes of a cluster that embed with one model; see `EmbeddingCrew`."""

    def __init__(
        self, cluster: Cluster, load: Callable[[str | None], Model], shard: int | None = None
    ) -> None:
        self._cluster, self._load, self._shard = cluster, load, shard

    def encoded(
        self,
        faces: Faces,
        paths: TextColumn,
        model: Model,
        facts: Mapping[str, Any] | None,
        settings: BatchSettings,
    ) -> Generator[tuple[list[Source], Vectors, dict[str, str]], None, None]:
        """Vectors, shard by shard, as they are done; see `mining.embeddings.crew`.

        Raises:
            ClusterError: no node has enough cores; a node lacks the faces; or as `Cluster.share`.
            ModelError: a node lacks the model, or has another one; or as `mining.embed`.
            EmbeddingError: as `mining.embed`.
        """
        recipe = self._recipe(faces, model, facts, settings)
        on_gpu = (recipe.device or "").startswith("cuda")
        if not on_gpu:
            self._refuse_few_cores(recipe.threads)
        failed = False

        slots = sum(
            node.gpus if on_gpu else node.cpus // recipe.threads for node in self._cluster.nodes
        )
        size = self._shard or min(SHARD, int(len(paths) / max(1.0, _EACH * slots)))
        size = max(1, size // settings.batch_size) * settings.batch_size

        def shards() -> Iterator[Shard]:
            for start in range(0, len(paths), size):
                some = [*paths[start : start + size]]
                source = None if faces.source is None else faces.source.take(TextColumn.of(some))
                yield Shard(some, failed and settings.stop_on_error, source)

        results = self._cluster.share(
            embed_shard,
            shards(),
            fixed=[recipe],
            cpus=1 if on_gpu else recipe.threads,
            gpus=1 if on_gpu else 0,
            called=lambda _, shard: f"the {len(shard.paths)} faces from {shard.paths[0]} on",
        )
        with contextlib.closing(results):
            for _, found in results:
                self._refuse_lacking(faces, found)
                failed = failed or bool(found.failures)
                sources = [self._here(faces, source, found.node) for source in found.sources]
                yield sources, np.array(found.vectors), found.failures

    def _recipe(
        self,
        faces: Faces,
        model: Model,
        facts: Mapping[str, Any] | None,
        settings: BatchSettings,
    ) -> Recipe:
        import torch

        nobody = np.empty(0, np.object_)
        # Which GPU of a node it is, Ray decides.
        device = str(getattr(inner(model), "device", "")).partition(":")[0] or None
        return Recipe(
            key=uuid.uuid4().hex,
            load=self._load,
            device=device,
            facts=facts,
            fingerprint=model.fingerprint,
            threads=torch.get_num_threads(),
            faces=replace(
                faces,
                root=faces.root.absolute(),
                paths=TextColumn.of([]),
                identities=nobody,
                skipped={},
                notes=(),
                source=None,
            ),
            folder=str(Path.cwd()),
            settings=settings,
        )

    def _refuse_few_cores(self, threads: int) -> None:
        """Raise ClusterError where the nodes that work have no core for each thread."""
        most = max((int(node.cpus) for node in self._cluster.nodes), default=0)
        if 0 < most < threads:
            raise ClusterError(
                f"PyTorch has {threads} threads here, and the largest node {most} cores. The last "
                "bits of a vector can hang on the number of threads, so each process on a node has "
                f"as many as here: set OMP_NUM_THREADS={max(1, most)} before the command for fewer"
            )

    @staticmethod
    def _here(faces: Faces, source: Source, node: str) -> Source:
        """A picture that a node embedded, as its file is known here.

        Raises:
            ClusterError: the node had another one.
        """
        if faces.source is not None:
            return source
        try:
            if source.stands(facts_of(faces.locate(source.path).stat())):
                return source
            data, facts = faces.read(source.path)
        except (OSError, ImageError):  # it went meanwhile, as it may without a cluster
            return source
        if hashlib.sha256(data).hexdigest() != source.sha256:
            raise ClusterError(
                f"node {node}: has another file {faces.locate(source.path).absolute()} than is "
                "here; give all nodes the same faces, as by a shared disk"
            )
        return Source(source.path, source.sha256, *facts)

    @staticmethod
    def _refuse_lacking(faces: Faces, found: ShardVectors) -> None:
        """Raise ClusterError where a node has no file that is here."""
        for path, cause in found.failures.items():
            if faces.source is None and cause == _MISSING and faces.locate(path).exists():
                raise ClusterError(
                    f"node {found.node}: has no file {faces.locate(path).absolute()}, which is "
                    "here; the faces must lie at the same place on every node, as on a shared disk"
                )


def embed_shard(shard: Shard, recipe: Recipe) -> ShardVectors:
    """Embed the faces of a shard, in a process of a node.

    Raises:
        ClusterError: the folder of faces is not there.
        ModelError: the model is not there, or is another one.
    """
    node = socket.gethostname()
    faces, settings = recipe.faces, recipe.settings
    if shard.source is None and not faces.root.is_dir():
        raise ClusterError(
            f"node {node}: has no folder {faces.root}; the faces must lie at the same place on "
            "every node, as on a shared disk"
        )
    here = replace(
        faces,
        paths=TextColumn.of(shard.paths),
        identities=np.full(len(shard.paths), "", np.object_),
        source=shard.source,
    )
    opened = _open(recipe, node)
    settings = replace(settings, workers=settings.workers or recipe.threads)
    sources: list[Source] = []
    vectors: list[Vectors] = []
    failures: dict[str, str] = {}
    batches = encoded(
        here, shard.paths, opened.model, settings, proved=opened.proved, stopped=shard.stopped
    )
    try:
        with kept_heap(), contextlib.closing(batches):
            for batch, rows, causes in batches:
                failures.update(causes)
                if batch:
                    sources += batch
                    vectors.append(rows)
                    opened.proved = opened.proved or len(batch) > 1
    except FacesError as error:
        if shard.source is None:
            raise
        # A copy of a shard is another file than the one that was listed.
        raise ClusterError(
            f"node {node}: {error}; shards must lie on a disk that all nodes share, or in a bucket"
        ) from None
    empty = np.empty((0, 1), np.float32)
    return ShardVectors(sources, np.concatenate(vectors) if vectors else empty, failures, node)


def _open(recipe: Recipe, node: str) -> _Opened:
    """The model of this process, loaded when it is first needed."""
    import torch

    if opened_models and opened_models[0].key == recipe.key:
        return opened_models[0]
    opened_models.clear()
    torch.set_num_threads(recipe.threads)
    folder = contextlib.chdir(recipe.folder) if Path(recipe.folder).is_dir() else None
    try:
        with folder or contextlib.nullcontext():
            model = recipe.load(recipe.device)
        if model.fingerprint != recipe.fingerprint:
            raise ModelError(
                f"{model.name}: another model than here: its fingerprint is "
                f"{model.fingerprint[:12]} there and {recipe.fingerprint[:12]} here; are its "
                "weights and the versions of its packages the same?"
            )
        model = opened_as(model, recipe.facts, batch_size=recipe.settings.batch_size)
    except ModelError as error:
        raise ModelError(
            f"node {node}: {error}; the model's files must lie at the same place on every node"
        ) from None
    opened_models.append(_Opened(recipe.key, model))
    return opened_models[0]
