"""The join on a cluster: the bytes of one machine, whatever is lost, kept or ignored."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.oracle import as_bytes

from indexes import FlatIndex, IndexesError
from indexes.join import SearchOptions, checkpoint, options
from indexes.two_sets import StackedIndex
from mining.cluster.join import JoinCrew, JoinCrews
from mining.cluster.session import Cluster
from mining.cluster.threshold import Threshold
from mining.cluster.vector_source import VectorPart, VectorSource
from mining.errors import ClusterError

COUNT, WIDTH = 3000, 48
CODES = np.arange(COUNT) // 3


@pytest.fixture(autouse=True)
def nothing_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "SMALL", (0, 0))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    vectors = np.random.default_rng(11).standard_normal((COUNT, WIDTH)).astype(np.float32)
    vectors[2000:2100] = vectors[:100]
    place = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    np.save(place, vectors)
    return place


def mapped(path: Path) -> np.ndarray:
    return np.load(path, mmap_mode="r")


def crew_of(cluster: Cluster, path: Path, kept: np.ndarray | None = None) -> JoinCrew:
    rows = np.ones(COUNT, np.bool_) if kept is None else kept
    return JoinCrew(cluster, VectorSource((VectorPart.of(path, mapped(path), rows),)))


def test_the_bytes_are_those_of_one_machine(cluster: Cluster, path: Path) -> None:
    index, crew = FlatIndex(mapped(path)), crew_of(cluster, path)
    limits: list[dict[str, Any]] = [
        {},
        {"min_score": 14.0, "max_score": 30.0},
        {"exclude": [[0, 2000], [5, 2500]], "active": np.arange(COUNT) % 7 > 0},
        {"ceilings": np.linspace(20, 60, COUNT), "exclude_groups": [[0, 666], [3, 4]]},
    ]
    for limit in limits:
        for tile in (256, None):
            how = SearchOptions(tile=tile)
            alone = index.top_pairs(200, CODES, how=how, **limit)
            found = index.top_pairs(200, CODES, how=replace(how, crew=crew), **limit)
            assert as_bytes(found) == as_bytes(alone)


def test_faces_that_are_ignored_are_not_searched(cluster: Cluster, path: Path) -> None:
    kept = np.arange(COUNT) % 5 > 0
    index, codes = FlatIndex(mapped(path)[kept]), CODES[kept]
    crew = crew_of(cluster, path, kept)
    found = index.top_pairs(100, codes, how=SearchOptions(crew=crew, tile=256))
    assert as_bytes(found) == as_bytes(index.top_pairs(100, codes))


def test_between_two_sets(cluster: Cluster, path: Path, tmp_path: Path) -> None:
    other = tmp_path / "vectors.npy"
    np.save(other, mapped(path)[::-2])
    rows = [np.ones(COUNT, np.bool_), np.arange(COUNT // 2) % 3 > 0]
    files = (path, other)
    parts = tuple(
        VectorPart.of(file, mapped(file), kept) for file, kept in zip(files, rows, strict=True)
    )
    both = StackedIndex(mapped(path), mapped(other)[rows[1]])
    codes = np.arange(len(both)) // 4
    how = SearchOptions(crew=JoinCrew(cluster, VectorSource(parts)), tile=256)
    assert as_bytes(both.top_pairs(150, codes, how=how)) == as_bytes(both.top_pairs(150, codes))


@pytest.mark.parametrize("first", ["alone", "together"])
def test_either_goes_on_from_the_checkpoint_of_the_other(
    first: str, cluster: Cluster, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(checkpoint, name, 0.0)
    index, file = FlatIndex(mapped(path)), tmp_path / "found.npz"
    alone = SearchOptions(tile=256, threads=1)
    together = replace(alone, crew=crew_of(cluster, path))
    ways = [alone, together] if first == "alone" else [together, alone]
    told: list[int] = []

    def stop(done: int, total: int) -> None:
        told.append(done)
        if done > total // 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.top_pairs(300, CODES, how=ways[0], checkpoint=file, progress=stop)
    assert file.exists()
    rest: list[int] = []
    found = index.top_pairs(
        300, CODES, how=ways[1], checkpoint=file, progress=lambda done, _: rest.append(done)
    )
    # Tiles that were searched before the interrupt was seen are kept, too.
    assert rest[0] >= told[-1] > 0
    assert as_bytes(found) == as_bytes(index.top_pairs(300, CODES))
    assert not file.exists()


def on_first_commit(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> list[object]:
    """Do something when the first share has come back; what it gave is kept."""
    done: list[object] = []
    rebuild = Threshold.rebuild

    def first(self: Threshold, value: float) -> None:
        if not done:
            done.append(act())
        rebuild(self, value)

    monkeypatch.setattr(Threshold, "rebuild", first)
    return done


def killed(title: str) -> int:
    """Kill all processes of a title; how many there were."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if found.startswith("ray::") and title in found:
                os.kill(int(entry.name), signal.SIGKILL)
                count += 1
    return count


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are not listed here")
@pytest.mark.parametrize("title", ["_Keeper", "search_share"])
def test_what_is_lost_is_made_good(
    title: str, cluster: Cluster, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill() -> int:
        count = killed(title)
        # On a busy machine the keeper may still be on its way, and does come.
        while title == "_Keeper" and not count:
            time.sleep(0.05)
            count = killed(title)
        return count

    index = FlatIndex(mapped(path))
    done = on_first_commit(monkeypatch, kill)
    how = SearchOptions(crew=crew_of(cluster, path), tile=128)
    assert as_bytes(index.top_pairs(200, CODES, how=how)) == as_bytes(index.top_pairs(200, CODES))
    # Each of a few shares may end between two looks: then no process of it was there to kill.
    assert done
    assert title != "_Keeper" or done[0]


def test_a_node_that_lacks_the_vectors_is_named(
    cluster: Cluster, path: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "vectors.npy"
    shutil.copy(path, gone)
    index, crew = FlatIndex(mapped(path)), crew_of(cluster, gone)
    gone.unlink()
    with pytest.raises(
        ClusterError, match=r"node .*vectors\.npy cannot be read there .*shared disk"
    ):
        index.top_pairs(50, CODES, how=SearchOptions(crew=crew, tile=256))
    np.save(gone, mapped(path) + np.float32(1))
    with pytest.raises(ClusterError, match="is another file there than here"):
        index.top_pairs(50, CODES, how=SearchOptions(crew=crew, tile=256))
    gone.write_text("none")
    with pytest.raises(ClusterError, match="is no file of vectors"):
        index.top_pairs(50, CODES, how=SearchOptions(crew=crew, tile=256))


def test_a_crew_that_leaves_shares_is_told(path: Path) -> None:
    class Idle:
        device = None

        def block(self, count: int, width: int, side: int) -> int:
            return side

        def search(self, job: object, vectors: object, tiles: object, commit: object) -> None:
            pass

    with pytest.raises(IndexesError, match=r"of 78 shares of the search were not done"):
        FlatIndex(mapped(path)).top_pairs(
            50,
            CODES,
            how=SearchOptions(crew=Idle(), tile=256),  # type: ignore[arg-type]
        )


def test_vectors_in_memory_alone_are_refused(cluster: Cluster) -> None:
    class InMemory:
        files = ()
        vectors = np.ones((3, 2), np.float32)

    with pytest.raises(ClusterError, match="vectors in memory alone"):
        JoinCrews(cluster).over(InMemory(), np.ones(3, np.bool_))  # type: ignore[arg-type]


def test_blocks_are_many_enough_and_not_too_large(cluster: Cluster, path: Path) -> None:
    crew = crew_of(cluster, path)
    for count in (5_000, 100_000, 50_000_000):
        block = crew.block(count, 512, 2048)
        assert block % 2048 == 0
        assert block <= 65_536
        assert count <= 4096 or (count / block) ** 2 / 2 >= 2
