"""A Ray cluster of real nodes on this machine, one for the tests of this folder."""

from __future__ import annotations

import gc
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from mining.cluster.session import Cluster, connect

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        port: int = some.getsockname()[1]
        return port


@pytest.fixture(scope="package")
def client_port() -> int:
    return free_port()


@pytest.fixture(scope="package")
def machines(tmp_path_factory: pytest.TempPathFactory, client_port: int) -> Iterator[Any]:
    """A head without cores, so that each node that works can be taken away, and one node."""
    pytest.importorskip("ray")
    from mining.cluster.extra import import_ray

    import_ray()
    from ray.cluster_utils import Cluster as Machines

    with pytest.MonkeyPatch.context() as patch:
        # Nodes import the tests' work from here.
        paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
        # As long as a busy machine takes to start what serves a client from outside.
        patch.setenv("RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S", "600")
        patch.setenv("LOOKALIKES_TEST_MARK", str(tmp_path_factory.mktemp("mark") / "die"))
        # A node that was taken away is missed after seconds, not after half a minute.
        soon = {"health_check_period_ms": 500, "health_check_failure_threshold": 3}
        # Beside other tests, workers that give way to all else would hardly get on.
        soon["worker_niceness"] = 0
        with warnings.catch_warnings():
            # Files of its log that Ray leaves to be closed by themselves.
            warnings.simplefilter("ignore", ResourceWarning)
            machines = Machines(
                initialize_head=True,
                head_node_args={
                    "num_cpus": 0,
                    "include_dashboard": False,
                    "ray_client_server_port": client_port,
                    "_system_config": soon,
                },
            )
            gc.collect()
        machines.add_node(num_cpus=2)
        try:
            yield machines
        finally:
            machines.shutdown()


@pytest.fixture
def outside(
    machines: Any, client_port: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The cluster's address for those who are no node of it.

    Of several clusters on one machine, Ray starts what serves a client at the same port: the tests
    of other processes wait.
    """
    with FileLock(tmp_path_factory.getbasetemp().parent / "outside.lock"):
        yield f"ray://127.0.0.1:{client_port}"


@pytest.fixture(scope="package")
def cluster(machines: Any) -> Iterator[Cluster]:
    with connect(machines.address) as cluster:
        yield cluster
