"""Work shared among nodes: each item once, whatever is lost meanwhile."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import cluster_work
from support.command_line import HANGS

from mining.cluster import session, tasks
from mining.cluster.extra import import_ray
from mining.cluster.session import Cluster
from mining.cluster.threshold import Threshold, ThresholdClient
from mining.errors import ClusterError, MiningError


class Unreadable:
    """An argument that a node cannot load, as one of a module that it lacks."""

    def __reduce__(self) -> tuple[Any, ...]:
        return __import__, ("no_such_module",)


def heard(client: ThresholdClient) -> float:
    """What a client knows that asks each time."""
    client._every = 0.0
    return client.value()


def until(holds: Callable[[], bool], seconds: float = HANGS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.02)


def test_each_number_comes_once_with_its_result(cluster: Cluster) -> None:
    found = list(cluster.share(cluster_work.square, range(50)))
    assert sorted(found) == [(number, number * number) for number in range(50)]
    assert list(cluster.share(cluster_work.square, [])) == []


def test_large_arguments_are_sent_once_and_read_only(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = np.lib.format.open_memmap(tmp_path / "t.npy", "w+", np.float32, (8, 4))
    table[:] = np.arange(8)[:, None]
    puts = []
    ray = import_ray()
    put = ray.put
    monkeypatch.setattr(ray, "put", lambda value: (puts.append(value), put(value))[1])
    rows = list(cluster.share(cluster_work.weighed, range(8), fixed=[table]))
    assert sorted(rows) == [(number, (4.0 * number, False)) for number in range(8)]
    assert [type(value) for value in puts if isinstance(value, np.ndarray)] == [np.ndarray]
    assert len(puts) == 2  # the table, and the work itself


def test_items_are_taken_only_as_they_are_needed(cluster: Cluster) -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = cluster.share(cluster_work.square, items(), ahead=2)
    next(results)
    assert len(taken) <= 2 * 2 + 1
    results.close()


def test_an_error_of_the_work_is_raised_as_itself(cluster: Cluster) -> None:
    with pytest.raises(MiningError, match="three is not wanted") as caught:
        list(cluster.share(cluster_work.refuse, range(100)))
    assert type(caught.value) is MiningError
    assert str(caught.value) == "three is not wanted"
    assert caught.value.__cause__ is None
    with pytest.raises(IndexError) as bug:
        list(cluster.share(cluster_work.break_down, range(2)))
    assert "in break_down" in "".join(bug.value.__notes__)


def test_processes_that_die_are_made_good(cluster: Cluster, tmp_path: Path) -> None:
    before = cluster.losses["WorkerCrashedError"]
    found = list(cluster.share(cluster_work.die_once, range(12), fixed=[str(tmp_path)]))
    assert sorted(found) == [(number, number) for number in range(12)]
    assert cluster.losses["WorkerCrashedError"] - before >= 4


def test_an_item_that_always_ends_its_process_is_given_up(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "ATTEMPTS", 2)
    with pytest.raises(ClusterError, match=r"shard 0: was lost 2 times, .*WorkerCrashedError"):
        list(cluster.share(cluster_work.die, [5], called=lambda number, _: f"shard {number}"))


def test_want_of_memory_is_told_after_a_few_times(cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"item 0: ran out of memory 3 times.*fewer --num-cpus"):
        list(cluster.share(cluster_work.run_out, [7], fixed=[str(tmp_path)]))
    assert (tmp_path / "begun").read_text() == "7\n" * 3


def test_rays_word_for_want_of_memory_counts_as_such(cluster: Cluster) -> None:
    error = cluster._ray.exceptions.OutOfMemoryError(
        "Task was killed due to the node running low on memory.\n"
        "Memory on the node (IP: 10.0.0.7, ID: abc) where the task was running was 29 / 30 GB"
    )
    share = tasks.Share[int, int](
        cluster_work.square, fixed=[], need=tasks.Need(1, 0), ahead=1,
        nodes=lambda: cluster.nodes, losses=cluster.losses,
    )  # fmt: skip
    item = tasks._Item(4, 4)
    for _ in range(tasks.MEMORY_ATTEMPTS - 1):
        share._lost(item, error)
    with pytest.raises(ClusterError, match=r"item 4: ran out of memory 3 times.* 10\.0\.0\.7; "):
        share._lost(item, error)


def test_a_full_disk_or_store_ends_it_at_once(cluster: Cluster) -> None:
    share = tasks.Share[int, int](
        cluster_work.square, fixed=[], need=tasks.Need(1, 0), ahead=1,
        nodes=lambda: cluster.nodes, losses=cluster.losses,
    )  # fmt: skip
    errors = cluster._ray.exceptions
    for error in (errors.ObjectStoreFullError("full"), errors.OutOfDiskError("full")):
        with pytest.raises(ClusterError, match=r"item 4: its result did not fit.*make room"):
            share._lost(tasks._Item(4, 4), error)


def test_nodes_that_are_all_too_small_are_told_at_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterError, match="no node of the cluster has 64 CPUs for one task; "):
        list(cluster.share(cluster_work.square, [1], cpus=64))
    monkeypatch.setattr(cluster, "grows", False)
    with pytest.raises(ClusterError, match="no node of the cluster has 1 CPUs, 1 GPUs for one"):
        list(cluster.share(cluster_work.square, [1], gpus=1))


def test_nodes_that_are_away_are_waited_for_and_asked_for(
    cluster: Cluster, machines: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the beginning, as where a cluster grows by itself, or a command is given again."""
    told: list[str] = []
    monkeypatch.setattr(cluster, "tell", told.append)
    monkeypatch.setattr(tasks, "PATIENCE", 1.0)
    with pytest.raises(ClusterError, match=r"has 1 CPUs, 1 GPUs for .*, and none came within 0 m"):
        list(cluster.share(cluster_work.square, [1], gpus=1))
    assert [text.split("; ")[-1] for text in told] == ["waiting for one, up to 0 minutes"]
    monkeypatch.setattr(tasks, "PATIENCE", 600.0)
    found: list[tuple[int, int]] = []
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(5):
            taken.append(number)
            yield number

    work = cluster.share(cluster_work.square, items(), gpus=1)
    thread = threading.Thread(target=lambda: found.extend(work))
    thread.start()
    until(lambda: len(told) == 2)
    # What waits is what a cluster grows for.
    until(lambda: bool(taken))
    node = machines.add_node(num_cpus=1, num_gpus=1)
    thread.join(60)
    assert sorted(found) == [(number, number * number) for number in range(5)]
    machines.remove_node(node, allow_graceful=False)
    until(lambda: len(cluster.nodes) == 2)


def test_workers_killed_from_outside_and_a_node_that_is_lost(
    cluster: Cluster, machines: Any, tmp_path: Path
) -> None:
    """Items at work on a killed process, and on a node that goes, come from elsewhere."""
    node = machines.add_node(num_cpus=2)
    until(lambda: len(cluster.nodes) == 3)
    found: list[tuple[int, int]] = []
    work = cluster.share(cluster_work.wait_for, range(12), fixed=[str(tmp_path)])
    thread = threading.Thread(target=lambda: found.extend(work))
    thread.start()
    until(lambda: len(list(tmp_path.glob("at-*"))) == 4)
    os.kill(int(next(tmp_path.glob("at-*")).name.split("-")[2]), signal.SIGKILL)
    machines.remove_node(node, allow_graceful=False)
    until(lambda: len(cluster.nodes) == 2)
    (tmp_path / "go").touch()
    thread.join(60)
    assert sorted(found) == [(number, number) for number in range(12)]
    # Each that was begun and lost was begun again.
    assert len(list(tmp_path.glob("at-*"))) > 12
    # A node that comes is used.
    processes = {process for _, process in cluster.share(cluster_work.process_of, range(8))}
    again = machines.add_node(num_cpus=2)
    until(lambda: len(cluster.nodes) == 3)

    def newcomers() -> set[int]:
        found = cluster.share(cluster_work.process_of, range(64), ahead=4)
        return {process for _, process in found} - processes

    # Its processes take a while to start.
    until(lambda: bool(newcomers()))
    machines.remove_node(again, allow_graceful=False)
    until(lambda: len(cluster.nodes) == 2)


def test_work_that_fails_as_with_other_code_has_the_nodes_asked(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that came later and has other code is named, not what came of it."""

    def refuse(*given: object) -> None:
        raise ClusterError("node late: lookalikes is 0.0.9 there")

    monkeypatch.setattr(session, "refuse_others", refuse)
    with pytest.raises(ClusterError, match="node late"):
        list(cluster.share(cluster_work.break_down, range(2)))
    with pytest.raises(ClusterError, match="node late"):
        list(cluster.share(cluster_work.square, range(2), fixed=[Unreadable()]))
    # What work refuses by intention is that, whatever the nodes.
    with pytest.raises(MiningError, match="three is not wanted"):
        list(cluster.share(cluster_work.refuse, range(5)))


def test_a_lost_connection_is_one_message(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*given: object, **more: object) -> None:
        raise ConnectionError("GRPC connection failed\nand\nmuch more")

    work = cluster.share(cluster_work.square, range(50))
    next(work)
    with monkeypatch.context() as patch:
        patch.setattr(import_ray(), "wait", gone)
        with pytest.raises(ClusterError, match=r"was lost \(GRPC connection failed\); what is fin"):
            list(work)


def test_the_threshold_is_told_and_asked_by_workers(cluster: Cluster) -> None:
    threshold = Threshold(1.0)
    try:
        told = dict(cluster.share(cluster_work.told, [0, 5], fixed=[threshold.client()]))
        assert told[1] == 5.0
        here = threshold.client()
        until(lambda: heard(here) == 5.0)
        threshold.rebuild(9.0)
        found = dict(cluster.share(cluster_work.raised, [2, 3], fixed=[threshold.client()]))
        assert found == {0: 9.0, 1: 9.0}
    finally:
        threshold.close()


def test_a_lost_threshold_slows_nobody_down_and_is_rebuilt(cluster: Cluster) -> None:
    threshold = Threshold(1.0)
    client = threshold.client()
    try:
        cluster._ray.kill(threshold.actor, no_restart=False)  # it forgets all
        assert client.raise_to(4.0) == 4.0
        threshold.rebuild(6.0)
        found = dict(cluster.share(cluster_work.raised, [5], fixed=[client]))
        assert found == {0: 6.0}
    finally:
        threshold.close()
    # Gone for good.
    assert client.raise_to(8.0) == 8.0
    assert dict(cluster.share(cluster_work.told, [3], fixed=[client])) == {0: 8.0}
