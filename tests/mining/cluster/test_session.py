"""Connections to a cluster: found, refused in time, quiet, and left as they were."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support import cluster_work
from support.command_line import HANGS

from mining.cluster import session, tasks, versions
from mining.cluster.extra import import_ray
from mining.cluster.session import Cluster, connect
from mining.errors import ClusterError

ROOT = Path(__file__).parents[3]


def test_nodes_are_those_that_live(cluster: Cluster) -> None:
    head, node = sorted(cluster.nodes, key=lambda node: node.cpus)
    assert (head.cpus, node.cpus, node.gpus) == (0, 2, 0)
    assert node.name


def test_a_connection_within_another_takes_it_and_leaves_it(
    cluster: Cluster, machines: Any
) -> None:
    with connect("auto") as same:
        assert [node.id for node in same.nodes] == [node.id for node in cluster.nodes]
    assert cluster.nodes
    with (
        pytest.raises(ClusterError, match=f"connected to a Ray cluster.*{machines.address}"),
        connect(machines.address),
    ):
        pass


@pytest.mark.parametrize("address", ["everywhere", "ray://", "host:", ":6379", "host:70000"])
def test_what_is_no_address_is_told(address: str) -> None:
    with pytest.raises(ClusterError, match=r"expected auto, local, ray://HOST:10001 or HOST:6379"):
        session._refuse_silent(address, 1)


def test_nobody_there_is_told_soon() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but it does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        for text in (address, f"ray://{address}"):
            with pytest.raises(ClusterError, match=rf"{text}: cannot be reached \(.*refused"):
                session._refuse_silent(text, 5)
    with pytest.raises(ClusterError, match="cannot be reached"):
        session._refuse_silent("ray://no-such-host.invalid:10001", 5)


def test_somebody_else_there_is_told_soon() -> None:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        address = f"127.0.0.1:{stranger.getsockname()[1]}"
        with pytest.raises(ClusterError, match="something listens there, but no Ray answered"):
            session._refuse_silent(address, 0.5)


def test_an_address_that_a_crash_left_behind_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machines: Any
) -> None:
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert session._running(1) is None
    (tmp_path / "ray").mkdir()
    left = tmp_path / "ray/ray_current_cluster"
    left.write_text("127.0.0.1:1")
    assert session._running(1) is None
    left.write_text(machines.address)
    assert session._running(5) == machines.address
    # Ray's own word for the cluster that runs here.
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert session._running(5) == machines.address
    # Ray goes through no proxy, of which there is none.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert session._running(5) == machines.address
    monkeypatch.setenv("RAY_ADDRESS", "ray://elsewhere:1")
    assert session._running(1) == "ray://elsewhere:1"


@pytest.mark.parametrize(
    ("reason", "failures", "times"),
    [
        ("The current node timed out during startup.", 2, 3),
        ("Initialization failure from server:\n... ZombieProcess: it's a zombie", 2, 3),
        ("Initialization failure from server:\n... ZombieProcess: it's a zombie", 99, 5),
        ("ValueError: no such setting", 99, 1),
    ],
)
def test_a_start_that_fails_for_what_passes_is_tried_again(
    reason: str, failures: int, times: int
) -> None:
    """Ray's answers are made here: a machine is seldom that busy."""
    started: list[dict[str, Any]] = []
    ended: list[int] = []
    told: list[str] = []

    def init(**how: Any) -> None:
        started.append(how)
        if len(started) <= failures:
            raise ConnectionAbortedError(reason)

    ray = SimpleNamespace(init=init, shutdown=lambda: ended.append(len(started)))
    refused: AbstractContextManager[object] = nullcontext()
    if failures >= times:
        last = reason.splitlines()[-1]
        refused = pytest.raises(ClusterError, match=rf"--cluster local: Ray could .*{last}$")
    with refused:
        session._start(ray, "local", None, 1, 2, told.append)
    assert [how["address"] for how in started] == ["local"] * times
    assert ended == list(range(1, min(failures, times) + 1))
    assert len(told) == times - 1
    assert all(text.endswith("; trying again") for text in told)


def test_a_missing_ray_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r"pip install 'lookalikes\[cluster\]'"):
        import_ray()


def test_other_versions_of_a_node_are_refused(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here pretends to have another torch than the nodes."""
    versions.refuse_others(lambda: cluster.nodes, 60, pytest.fail)
    found = metadata.version

    def version(name: str) -> str:
        return "1.0" if name == "torch" else found(name)

    monkeypatch.setattr(metadata, "version", version)
    with pytest.raises(ClusterError, match=r"^node .*: torch is .* there, and 1\.0 here; install"):
        versions.refuse_others(lambda: cluster.nodes, 60, pytest.fail)


def test_a_node_that_goes_before_it_answers_is_nobodys_trouble(cluster: Cluster) -> None:
    """One that stays, and does not answer, is told; none that answers is refused."""
    gone = replace(cluster.nodes[0], id="0" * 56, name="gone")
    asked = iter([[*cluster.nodes, gone]])
    versions.refuse_others(lambda: next(asked, cluster.nodes), 60, pytest.fail)
    told: list[str] = []
    versions.refuse_others(lambda: [*cluster.nodes, gone], 10, told.append)
    assert [text.split(": ")[0] for text in told] == ["node gone"]
    with pytest.raises(ClusterError, match=r"^node gone: (cannot be used|did not answer)"):
        versions.refuse_others(lambda: [gone], 0.5, pytest.fail)


def test_a_process_of_a_node_that_came_later_compares_versions_itself(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {**versions.versions_here(), "torch": "1.0"}
    monkeypatch.setattr(tasks, "versions_here", lambda: here)
    with pytest.raises(ClusterError, match=r"^node .*: torch is .* there, and 1\.0 here; install"):
        list(cluster.share(cluster_work.square, range(3)))


def test_a_node_without_the_package_or_with_other_code_is_refused(cluster: Cluster) -> None:
    node, here = "worker-1", versions._probe()()
    versions._compare(here, dict(here), node)
    with pytest.raises(ClusterError, match=r"lookalikes is not installed there, here it is 0\.1"):
        versions._compare(here, here | {"lookalikes": "not installed"}, node)
    other = here | {"lookalikes": "0.1.0 (source 00000000)"}
    with pytest.raises(ClusterError, match=r"lookalikes is 0\.1\.0 \(source 00000000\) there"):
        versions._compare(here, other, node)


PROGRAM = """
import sys, time
from mining.cluster.session import connect
from support import cluster_work
with connect(sys.argv[1], cpus=2) as cluster:
    print(sorted(cluster.share(cluster_work.square, range(3))), flush=True)
    try:
        list(cluster.share(cluster_work.wait_for, range(9), fixed=[sys.argv[2]]))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        raise SystemExit(130) from None
"""


def started(address: str, folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, address, str(folder)],
        env=os.environ | {"PYTHONPATH": paths, "RAY_TMPDIR": "/tmp"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def alive(process: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def until(holds: Any) -> None:
    end = time.monotonic() + HANGS
    while not holds():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="it looks at processes by /proc")
@pytest.mark.parametrize("where", ["local", "joined", "from outside"])
def test_an_interrupt_ends_the_work_and_only_a_cluster_of_ours(
    where: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """All that the user sees is what the program prints; no process of it stays."""
    machines = None if where == "local" else request.getfixturevalue("machines")
    outside = request.getfixturevalue("outside") if where == "from outside" else None
    program = started(outside or (machines.address if machines else "local"), tmp_path)
    until(lambda: len(list(tmp_path.glob("at-*"))) == 2 or program.poll() is not None)
    workers = [int(mark.name.split("-")[2]) for mark in tmp_path.glob("at-*")]
    os.killpg(program.pid, signal.SIGINT)  # as a terminal does
    seen, errors = program.communicate(timeout=HANGS)
    assert errors == ""
    assert (program.returncode, seen) == (130, "[(0, 0), (1, 1), (2, 4)]\ninterrupted\n")
    assert len(workers) == 2
    until(lambda: not any(alive(worker) for worker in workers))
    if machines:
        assert machines.head_node.all_processes["raylet"][0].process.poll() is None


def test_the_thread_that_reads_is_not_the_one_that_connected(cluster: Cluster) -> None:
    """Work may be shared from any thread of the driver."""
    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(len(cluster.nodes)))
    thread.start()
    thread.join(HANGS)
    assert found == [2]
