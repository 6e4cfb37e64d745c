"""Connection to a Ray cluster: one that runs already, or one that is started here and ended."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from mining.cluster.extra import import_ray
from mining.cluster.tasks import Need, Share, untold
from mining.cluster.versions import first_line, refuse_others
from mining.errors import ClusterError

_CLIENT = "ray://"
# Seconds for a node to answer, and for a port to.
TIMEOUT = 30.0
# How often a start is tried, where Ray 2.60 says one of these: a node gets 30 s, which a busy
# machine may not have, and what a cluster starts for each client may end as soon as it began.
_STARTS = 5
_PASSES = ("timed out during startup", "Initialization failure from server")
# Tasks handed out for each one that can run: the next is there when one ends.
AHEAD = 2
A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class Node:
    """Machine of a cluster, with what Ray may use of it.

    Attributes:
        name: of the host, with its address where they differ.
        id: Ray's.
        cpus: cores.
        gpus: devices.
    """

    name: str
    id: str
    cpus: float
    gpus: float


class Cluster:
    """Cluster that work is shared among; from `connect`.

    Attributes:
        losses: how often which kind of loss was made good, by Ray's name of it.
        tell: is told what the user should know meanwhile.
        grows: whether nodes may still join it; not one that was started here for a command.
    """

    def __init__(
        self,
        ray: Any,
        *,
        tell: Callable[[str], None] = untold,
        grows: bool = True,
    ) -> None:
        self._ray, self.tell, self.grows = ray, tell, grows
        self.losses: Counter[str] = Counter()

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes that are alive now."""
        return tuple(_node(entry) for entry in self._ray.nodes() if entry["Alive"])

    def _keep(self, value: object) -> Any:
        """Put a value where every node can read it, once; arrays are shared without a copy.

        Raises:
            ClusterError: it does not fit.
        """
        if isinstance(value, np.ndarray):
            # Only plain contiguous arrays are shared without a copy.
            value = np.ascontiguousarray(value)
        full = (self._ray.exceptions.ObjectStoreFullError, self._ray.exceptions.OutOfDiskError)
        try:
            return self._ray.put(value)
        except full:
            size = f"{value.nbytes / 2**30:.1f} GiB" if isinstance(value, np.ndarray) else "a value"
            raise ClusterError(
                f"{size} did not fit into the shared memory of Ray here, nor on the disk that it "
                "spills to; start Ray with a larger --object-store-memory, or make room on the disk"
            ) from None

    def share(
        self,
        work: Callable[..., R],
        items: Iterable[A],
        *,
        fixed: Sequence[object] = (),
        cpus: float = 1.0,
        gpus: float = 0.0,
        ahead: int = AHEAD,
        called: Callable[[int, A], str] | None = None,
    ) -> Generator[tuple[int, R], None, None]:
        """Numbers of items and their results, as they are done; each number exactly once.

        `work(item, *fixed)` runs in a process on some node. A process, a node or an object
        that is lost is made good by doing the item again, up to a limit; so `work` must give the
        same answer each time, and write nothing. What `work` raises is raised here, at once.

        Args:
            work: a function of a module, so that nodes find it.
            items: taken as they are needed; they should be small.
            fixed: arguments that are the same for all: sent to each node once, not with each item.
            cpus, gpus: what an item's work takes of a node.
            ahead: items handed out for each one that can run now.
            called: names an item in an error; by its number where it is None.

        Raises:
            ClusterError: all nodes are too small, or none came for long; memory or disk ran out
                again and again for the same item; or it was lost too often.
        """
        share = Share[A, R](
            work,
            fixed=[self._keep(value) for value in fixed],
            need=Need(cpus, gpus),
            ahead=ahead,
            nodes=lambda: self.nodes,
            losses=self.losses,
            tell=self.tell,
            grows=self.grows,
            called=called,
            recheck=lambda: refuse_others(lambda: self.nodes, TIMEOUT, self.tell),
        )
        return share.results(items)


def _node(entry: dict[str, Any]) -> Node:
    host, address = entry["NodeManagerHostname"], entry["NodeManagerAddress"]
    has = entry["Resources"]
    return Node(
        name=host if host == address else f"{host} ({address})",
        id=entry["NodeID"],
        cpus=float(has.get("CPU", 0.0)),
        gpus=float(has.get("GPU", 0.0)),
    )


@contextmanager
def connect(
    address: str = "auto",
    *,
    timeout: float = TIMEOUT,
    cpus: int | None = None,
    tell: Callable[[str], None] = untold,
) -> Iterator[Cluster]:
    """Connect to a cluster for a while; one that was started for it ends with it.

    Args:
        address: `auto` takes the cluster that runs (RAY_ADDRESS, or the one started on this
            machine), and starts one here where there is none; `local` always starts one here;
            `ray://HOST:PORT` is a cluster from outside, `HOST:PORT` one that this machine is a
            node of.
        timeout: seconds for the cluster, and then for its nodes, to answer.
        cpus: cores of a cluster that is started here; all if None.
        tell: is told what the user should know meanwhile.

    Raises:
        ClusterError: it cannot be reached, Ray is not installed, or a node's versions are not
            those here.
    """
    ray = import_ray()
    handler = signal.getsignal(signal.SIGTERM)
    ours, found = not ray.is_initialized(), None
    if ours:
        found = _running(timeout) if address == "auto" else address
        found = None if found == "local" else found
        _start(ray, address, found, timeout, cpus, tell)
    elif address != "auto":
        raise ClusterError(
            f"this process is connected to a Ray cluster already; --cluster {address} would be "
            "another: end that connection first, or use auto, which takes it"
        )
    try:
        cluster = Cluster(ray, tell=tell, grows=not ours or found is not None)
        if cluster.grows:  # else its one node is this machine
            refuse_others(lambda: cluster.nodes, timeout, tell)
        yield cluster
    finally:
        if ours:
            ray.shutdown()
            # Ray's own handler stays behind otherwise.
            with suppress(ValueError, TypeError):
                signal.signal(signal.SIGTERM, handler)


def _start(
    ray: Any,
    address: str,
    found: str | None,
    timeout: float,
    cpus: int | None,
    tell: Callable[[str], None],
) -> None:
    """Connect Ray to the cluster `found` for an address, if it answers; None starts one."""
    # Of a command alone on its machine, workers give way to others no more than it does.
    own = {"include_dashboard": False, "_system_config": {"worker_niceness": 0}, "num_cpus": cpus}
    how = {"address": "local", **own} if found is None else {"address": found}
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    if found is not None:
        _refuse_silent(found, timeout)
    for left in reversed(range(_STARTS)):
        try:
            ray.init(**how, **quiet)
            return
        except Exception as error:
            # Half of a start may have happened.
            ray.shutdown()
            reason = f"--cluster {address}: Ray could not start or join it: {first_line(error)}"
            if left and any(passes in str(error) for passes in _PASSES):
                tell(f"{reason}; trying again")
                continue
            advice = (
                "; is this machine one of its nodes? If not, connect by ray://HOST:10001"
                if found is not None and not found.startswith(_CLIENT)
                else ""
            )
            raise ClusterError(reason + advice) from None


def _running(timeout: float) -> str | None:
    """Address of the cluster that runs here; None where there is none."""
    told = os.environ.get("RAY_ADDRESS", "")
    if told and told != "auto":
        return told
    # Where `ray start --head` leaves its address; a crash leaves it behind, too.
    folder = Path(os.environ.get("RAY_TMPDIR", "/tmp"))
    try:
        found = (folder / "ray" / "ray_current_cluster").read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    try:
        _refuse_silent(found, min(timeout, 3.0))
    except ClusterError:
        return None
    return found


def _refuse_silent(address: str, timeout: float) -> None:
    """Raise ClusterError where nothing answers: Ray itself waits for minutes, and ends the process.

    Raises:
        ClusterError: no address, no machine of that name, nothing listens, or no Ray does.
    """
    host, separator, port = address.removeprefix(_CLIENT).rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:
        raise ClusterError(
            f"--cluster {address}: expected auto, local, ray://HOST:10001 or HOST:6379"
        )
    host = host.strip("[]")
    advice = "is Ray started there, and may this machine reach that port?"
    try:
        socket.create_connection((host, int(port)), timeout).close()
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise ClusterError(f"--cluster {address}: cannot be reached ({reason}); {advice}") from None
    if os.environ.get("RAY_USE_TLS", "0") not in ("0", ""):
        # Ray asks by certificates then, which it alone knows how to find.
        return
    import grpc

    # Ray itself goes through no proxy.
    direct = (("grpc.enable_http_proxy", 0),)
    channel = grpc.insecure_channel(address.removeprefix(_CLIENT), options=direct)
    try:
        grpc.channel_ready_future(channel).result(timeout=timeout)
    except grpc.FutureTimeoutError:
        raise ClusterError(
            f"--cluster {address}: something listens there, but no Ray answered within "
            f"{timeout:g} s; {advice}"
        ) from None
    finally:
        channel.close()
