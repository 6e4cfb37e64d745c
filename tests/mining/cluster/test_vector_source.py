"""Vectors as a node opens them: from a disk that it shares, or from a bucket, fetched once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mining.cluster.vector_source import VectorPart, VectorSource
from mining.errors import ClusterError
from pairsets.storage.remote_files import RemoteFolder

ROWS = np.random.default_rng(2).standard_normal((200, 6)).astype(np.float32)


@pytest.fixture
def part(tmp_path: Path) -> VectorPart:
    path = tmp_path / "vectors.npy"
    np.save(path, ROWS)
    return VectorPart.of(path, np.load(path, mmap_mode="r"), np.ones(len(ROWS), np.bool_))


def test_rows_that_count_are_taken_when_asked_for(part: VectorPart) -> None:
    kept = np.arange(len(ROWS)) % 3 == 1
    source = VectorSource((replace(part, rows=np.flatnonzero(kept)),))
    found = source.open()
    assert len(found) == kept.sum()
    assert found.shape == ROWS[kept].shape
    assert np.array_equal(found[5:9], ROWS[kept][5:9])
    assert np.array_equal(found[np.array([3, 0, 3])], ROWS[kept][[3, 0, 3]])


def test_a_node_without_the_path_fetches_from_the_bucket_once(
    part: VectorPart, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = RemoteFolder(f"{bucket}/vectors")
    folder.write("vectors.npy", part.path.read_bytes())
    elsewhere = replace(part, path=tmp_path / "gone" / "vectors.npy", bucket=folder)
    fetched = []
    fetch = RemoteFolder.fetch

    def noted(self: RemoteFolder, files: dict, into: Path) -> None:
        fetched.append(sorted(files))
        fetch(self, files, into)

    monkeypatch.setattr(RemoteFolder, "fetch", noted)
    for _ in range(2):
        assert np.array_equal(elsewhere.open(), ROWS)
    assert fetched == [["vectors.npy"]]
    # What lies there from an older search, of the same size, is not taken for it.
    place = next((tmp_path / "cache").rglob("*.npy"))
    old = np.load(place)
    np.save(place, old[::-1])
    assert np.array_equal(elsewhere.open(), ROWS)
    assert len(fetched) == 2


def test_a_bucket_with_other_vectors_is_refused(
    part: VectorPart, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    np.save(tmp_path / "other.npy", ROWS + np.float32(1))
    folder = RemoteFolder(f"{bucket}/vectors")
    folder.write("vectors.npy", (tmp_path / "other.npy").read_bytes())
    elsewhere = replace(part, path=tmp_path / "gone" / "vectors.npy", bucket=folder)
    with pytest.raises(ClusterError, match="is another file there than here"):
        elsewhere.open()
    with pytest.raises(ClusterError, match=r"node .*: s3://.*nothing"):
        replace(elsewhere, bucket=RemoteFolder(f"{bucket}/nothing")).open()
