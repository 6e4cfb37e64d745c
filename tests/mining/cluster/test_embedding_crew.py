"""Embedding on a cluster: the files of a folder are those of one machine, whatever is lost."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mining.cluster import embedding_crew
from mining.cluster.embedding_crew import EmbeddingCrew, Recipe, Shard, embed_shard
from mining.cluster.session import Cluster
from mining.embeddings.batches import BatchSettings
from mining.embeddings.options import EmbeddingOptions, _load
from mining.embeddings.producer import embed
from mining.errors import ClusterError, EmbeddingError, ModelError
from pairsets.faces import Faces
from pairsets.picture_sources.base import facts_of
from pairsets.progress import silent
from pairsets.text_column import TextColumn

# By a text that any process can load it.
MODEL = "python:support.cluster_work:SmallModel"
FILES = ("images.csv", "manifest.json", "status.csv", "vectors.npy")


@pytest.fixture(autouse=True)
def one_process_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As many threads as the nodes have cores, and nothing opened in this process."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    monkeypatch.setattr(embedding_crew, "opened_models", [])
    yield
    torch.set_num_threads(before)


def embedded(folder: Path, faces: Path, **options: Any) -> dict[str, bytes]:
    encoding = EmbeddingOptions(batch_size=4, **options)
    encoding.embed(Faces.scan(faces), encoding.load(MODEL), folder, silent)
    assert {path.name for path in folder.iterdir()} <= {*FILES, ".lock"}
    return {name: (folder / name).read_bytes() for name in FILES}


def test_all_files_have_the_bytes_of_one_machine(
    cluster: Cluster, faces_folder: Path, tmp_path: Path
) -> None:
    alone = embedded(tmp_path / "alone", faces_folder)
    crew = EmbeddingCrew(cluster, shard=8)
    assert embedded(tmp_path / "together", faces_folder, crew=crew) == alone
    # Again: nothing is to be done. With a face more: only that one is.
    assert embedded(tmp_path / "together", faces_folder, crew=crew) == alone
    shutil.copy(faces_folder / "a/0.png", faces_folder / "a/9.png")
    alone = embedded(tmp_path / "alone", faces_folder)
    assert embedded(tmp_path / "together", faces_folder, crew=crew) == alone


def test_it_goes_on_from_where_it_was_interrupted(
    cluster: Cluster, faces_folder: Path, tmp_path: Path
) -> None:
    """After a shard, by either kind of run."""
    alone = embedded(tmp_path / "alone", faces_folder)

    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done >= 4:
            raise StoppedError

    for first, then in ((True, False), (False, True), (True, True)):
        folder = tmp_path / f"{first}-{then}"
        crews = [EmbeddingCrew(cluster, shard=4) if one else None for one in (first, then)]
        encoding = EmbeddingOptions(batch_size=4, crew=crews[0])
        model = encoding.load(MODEL)
        with pytest.raises(StoppedError):
            embed(
                Faces.scan(faces_folder), model, folder, batch_size=4, progress=stop,
                crew=encoding._encoder(MODEL),
            )  # fmt: skip
        assert (folder / "partial/journal.jsonl").stat().st_size
        assert embedded(folder, faces_folder, crew=crews[1]) == alone


def test_a_process_that_dies_is_made_good(
    cluster: Cluster, faces_folder: Path, tmp_path: Path
) -> None:
    alone = embedded(tmp_path / "alone", faces_folder)
    before = cluster.losses["WorkerCrashedError"]
    mark = Path(os.environ["LOOKALIKES_TEST_MARK"])
    mark.touch()
    crew = EmbeddingCrew(cluster, shard=4)
    assert embedded(tmp_path / "together", faces_folder, crew=crew) == alone
    assert not mark.exists()
    assert cluster.losses["WorkerCrashedError"] == before + 1


@pytest.mark.parametrize("on_error", ["fail", "skip"])
def test_images_that_cannot_be_read_are_told_as_by_one_machine(
    on_error: Any, cluster: Cluster, faces_folder: Path, tmp_path: Path
) -> None:
    for path in ("a/1.png", "橘_雪/2.png"):
        (faces_folder / path).write_bytes(b"no picture")
    crew = EmbeddingCrew(cluster, shard=4)
    if on_error == "skip":
        alone = embedded(tmp_path / "alone", faces_folder, on_error="skip")
        assert embedded(tmp_path / "together", faces_folder, on_error="skip", crew=crew) == alone
        return
    told = []
    for one, folder in ((None, "alone"), (crew, "together")):
        with pytest.raises(EmbeddingError) as caught:
            embedded(tmp_path / folder, faces_folder, crew=one)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert "2 of 18 images" in told[0]


def test_more_threads_than_any_node_has_cores(
    cluster: Cluster, faces_folder: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(5)
    with pytest.raises(ClusterError, match=r"5 threads here, and the largest node 2 .*THREADS=2"):
        embedded(tmp_path / "out", faces_folder, crew=EmbeddingCrew(cluster))


def recipe(faces: Path, **changes: Any) -> Recipe:
    options = EmbeddingOptions(batch_size=4)
    model = options.load(MODEL)
    found = Recipe(
        key="k", load=partial(_load, options, MODEL), device=None, facts=None,
        fingerprint=model.fingerprint, threads=2,
        faces=Faces(faces, TextColumn.of([]), np.empty(0, np.object_)), folder=str(faces),
        settings=BatchSettings(4, None, 10**6, True),
    )  # fmt: skip
    return replace(found, **changes)


def test_a_node_without_the_faces_is_named(faces_folder: Path, tmp_path: Path) -> None:
    node = os.uname().nodename
    with pytest.raises(ClusterError, match=rf"^node {node}: has no folder .*gone; the faces must"):
        embed_shard(Shard(["a/0.png"], False), recipe(tmp_path / "gone"))
    found = embed_shard(Shard(["a/0.png", "a/7.png"], False), recipe(faces_folder))
    assert found.failures == {"a/7.png": "No such file or directory"}
    (faces_folder / "a/7.png").touch()
    with pytest.raises(ClusterError, match=rf"^node {node}: has no file .*a/7\.png, which is here"):
        embedding_crew.ClusterEncoder._refuse_lacking(Faces.scan(faces_folder), found)


def test_a_node_with_another_picture_is_named(faces_folder: Path, tmp_path: Path) -> None:
    """A copy with other times is the same; one with other bytes is not."""
    there = tmp_path / "there"
    shutil.copytree(faces_folder, there)
    found = embed_shard(Shard(["a/0.png"], False), recipe(there))
    (source,) = found.sources
    here = Faces.scan(faces_folder)
    known = embedding_crew.ClusterEncoder._here(here, source, "n1")
    assert known.sha256 == source.sha256
    assert known.stands(facts_of((faces_folder / "a/0.png").stat()))
    shutil.copy(faces_folder / "a/1.png", faces_folder / "a/0.png")
    with pytest.raises(ClusterError, match=r"node n1: has another file .*a/0\.png than is here"):
        embedding_crew.ClusterEncoder._here(here, source, "n1")


def test_a_node_with_a_copy_of_a_shard_is_named(faces_folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        archive.add(faces_folder / "a", "a")
    faces = Faces.scan(tmp_path / "s.tar")
    assert faces.source is not None
    shard = Shard(["a/0.png"], False, faces.source.take(faces.paths.take([0])))
    assert not embed_shard(shard, recipe(tmp_path)).failures
    shutil.copy(tmp_path / "s.tar", tmp_path / "copy.tar")
    (tmp_path / "copy.tar").replace(tmp_path / "s.tar")
    with pytest.raises(ClusterError, match=r"^node .*s\.tar: changed .* all nodes share"):
        embed_shard(shard, recipe(tmp_path))


def test_a_node_with_another_model_or_without_it_is_named(faces_folder: Path) -> None:
    shard = Shard(["a/0.png"], False)
    with pytest.raises(ModelError, match=r"^node .*another model than here: its fingerprint is"):
        embed_shard(shard, recipe(faces_folder, fingerprint="0" * 64))

    def missing(device: str | None) -> Any:
        raise ModelError("model.pth: no such file")

    with pytest.raises(ModelError, match=r"^node .*: model\.pth: no such file; the model's files"):
        embed_shard(shard, recipe(faces_folder, load=missing))
