"""Losses while a cluster works: workers, whole nodes, the threshold's actor, the driver, a line.

`faults`: embedding and a join, each as a command of its own on a cluster of three nodes whose first
does no work, with one to three losses at seeded random moments: a worker's process killed, a node
removed without notice and another added, the actor of the threshold killed, the command itself
killed (SIGKILL) and given again. Its files are then to be, byte for byte, those of the same
commands left alone on this machine without a cluster.

`hosts`: four hosts (network namespaces with a bridge between them), each a node of one Ray cluster;
the third one's line is cut during a join until the cluster has given it up, and mended; it joins
again. Where no namespaces can be made it says so.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

FACES, WIDTH, DRAWN, PAIRS = 60_000, 512, 400, 3000
# Checkpoints from the first second on, as a run of hours has them.
_EAGER = (
    "import sys, indexes.join.checkpoint as kept; kept.FIRST = kept.PERIOD = 1.0; "
    "import mining.cluster.embedding_crew as embedding; embedding.SHARD = 64; "
    "from mining.cli import main; sys.exit(main())"
)
# In titles of Ray's processes that do no work of a command.
_OTHERS = ("IDLE", "Agent", "_Keeper")
_NUMBERS = itertools.count()
# A core a node: a process of one thread fits on each.
_ONE = {**os.environ, "OMP_NUM_THREADS": "1"}
# A host that is cut off is missed soon. The first host would ask for a token wherever this user has
# one, and the others would send none.
_QUIET = {
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_AUTH_MODE": "disabled",
}


def commands(root: Path, out: Path, more: Sequence[object]) -> dict[str, list[str]]:
    """The two commands, into a folder."""
    from benchmarks.cluster import drawn_faces, write_embeddings

    drawn = drawn_faces(root, DRAWN)
    model = f"timm:tf_efficientnet_lite0@{drawn / 'tf_efficientnet_lite0'}"
    folder = write_embeddings(root / f"faults-{FACES}", FACES, WIDTH)
    given: dict[str, list[object]] = {
        "embed": ["embed", drawn / "faces", "--model", model, "--out", out / "embedded"],
        "mine": ["mine", folder, "--pairs", PAIRS, "--positives", 100, "--out", out / "a.csv"],
    }
    return {
        name: [sys.executable, "-c", _EAGER, *map(str, arguments), *map(str, more)]
        for name, arguments in given.items()
    }


def content(out: Path) -> bytes:
    """All bytes that the commands left, but the status of the pictures' files."""
    files = sorted(file for file in out.rglob("*") if file.is_file())
    kept = [file for file in files if file.name not in ("status.csv", ".lock")]
    return b"".join(str(file.relative_to(out)).encode() + file.read_bytes() for file in kept)


class Trouble:
    """Losses while a command runs.

    Args:
        cluster: of `ray.cluster_utils`, which nodes are added to in the main thread alone.
        draw: of the moments and kinds.
        span: seconds in which the moments lie.
    """

    KINDS = ("worker", "node", "threshold", "driver")

    def __init__(self, cluster: Any, draw: np.random.Generator, span: float) -> None:
        self.cluster, self.draw = cluster, draw
        self.moments = sorted(draw.uniform(0.1, 1.0, int(draw.integers(1, 4))) * span)
        self.process: subprocess.Popen[bytes] | None = None
        self.done: Counter[str] = Counter()
        self.begun = time.monotonic()

    def run(self, process: subprocess.Popen[bytes]) -> int:
        """Do each loss at its moment while the command runs; its exit status."""
        self.process = process
        while process.poll() is None:
            if self.moments and time.monotonic() - self.begun > self.moments[0]:
                self.moments.pop(0)
                kind = str(self.draw.choice(self.KINDS))
                if getattr(self, f"lose_{kind}")():
                    self.done[kind] += 1
            time.sleep(0.05)
        return process.returncode

    def lose_worker(self) -> bool:
        """Kill a process that works on a task or an actor."""
        # Without its agents a node ends itself, and the command's own node is none to be lost.
        return self._kill(
            lambda title: title.startswith("ray::") and not any(map(title.__contains__, _OTHERS))
        )

    def lose_threshold(self) -> bool:
        """Kill the process of the threshold's actor."""
        return self._kill(lambda title: "_Keeper" in title)

    def lose_node(self) -> bool:
        """Remove a node without notice, and add another one."""
        nodes = [
            node for node in self.cluster.list_all_nodes() if node is not self.cluster.head_node
        ]
        self.cluster.remove_node(nodes[int(self.draw.integers(len(nodes)))], allow_graceful=False)
        add_node(self.cluster)
        return True

    def lose_driver(self) -> bool:
        """Kill the command itself; it is given again."""
        process = self.process
        if process is None or process.poll() is not None:
            return False
        process.kill()
        return True

    def _kill(self, wanted: Callable[[str], bool]) -> bool:
        found = [pid for pid, title in processes() if wanted(title)]
        if not found:
            return False
        with suppress(ProcessLookupError):
            os.kill(found[int(self.draw.integers(len(found)))], signal.SIGKILL)
        return True


def add_node(cluster: Any) -> None:
    """Add a node of one core, with an address of its own.

    A command connects to a node that has its own address: with one for all, that may be one that is
    removed, and Ray ends a command whose own node is lost.
    """
    number = next(_NUMBERS)
    cluster.add_node(num_cpus=1, node_ip_address=f"127.1.{number // 250}.{number % 250 + 1}")


def processes() -> Iterator[tuple[int, str]]:
    """Numbers and titles of the processes that run."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                title = (entry / "cmdline").read_bytes().replace(b"\0", b" ")
                yield int(entry.name), title.decode(errors="replace")


def faults(root: Path, runs: int) -> dict[str, Any]:
    """Run both commands with losses, many times; see the module."""
    plain = root / "alone"
    shutil.rmtree(plain, ignore_errors=True)
    for command in commands(root, plain, []).values():
        subprocess.run(command, env=_ONE, check=True, capture_output=True)
    expected, found = content(plain), list[dict[str, Any]]()
    for seed in range(runs):
        found.append(one(root, seed, expected))
        print(json.dumps(found[-1]), file=sys.stderr, flush=True)
    total: Counter[str] = Counter()
    for run in found:
        total.update(run["losses"])
    return {
        "runs": len(found),
        "same bytes": sum(run["same bytes"] for run in found),
        "losses": dict(total),
        "of each": found,
    }


def one(root: Path, seed: int, expected: bytes) -> dict[str, Any]:
    """Both commands once, on a cluster of their own, with losses."""
    from ray.cluster_utils import Cluster

    draw = np.random.default_rng([7, seed])
    out, told = root / "troubled", root / "told.txt"
    shutil.rmtree(out, ignore_errors=True)
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    losses: Counter[str] = Counter()
    begun, given = time.perf_counter(), 0
    try:
        for _ in range(2):
            add_node(cluster)
        for command in commands(root, out, ["--cluster", cluster.address]).values():
            trouble = Trouble(cluster, draw, span=20.0)
            code = -signal.SIGKILL
            while code == -signal.SIGKILL:
                given += 1
                with told.open("wb") as stream:
                    code = trouble.run(
                        subprocess.Popen(command, env=_ONE, stdout=stream, stderr=subprocess.STDOUT)
                    )
            losses.update(trouble.done)
            output = told.read_text(errors="replace")
            # Killed when all its files were in place.
            ended = trouble.done["driver"] > 0 and "exists; choose another --out" in output
            if code and not ended:
                raise RuntimeError(f"{command}: exit {code}\n{output}")
    finally:
        cluster.shutdown()
    return {
        "seed": seed,
        "losses": dict(losses),
        "commands given": given,
        "seconds": round(time.perf_counter() - begun, 1),
        "same bytes": content(out) == expected,
    }


def hosts(root: Path) -> dict[str, Any]:
    """Join on four hosts of which one is cut off for a while; see the module."""
    plain = root / "alone"
    if not plain.exists():
        for command in commands(root, plain, []).values():
            subprocess.run(command, env=_ONE, check=True, capture_output=True)
    out = root / "hosts"
    shutil.rmtree(out, ignore_errors=True)
    with ExitStack() as stack:
        try:
            line = stack.enter_context(four_hosts())
        except OSError as error:
            return {"not measured": f"no network namespaces can be made here ({error})"}
        found = cut_off(root, out, line)
    files = ("a.csv", "a.json", "a.scores.csv")
    same = [(out / name).read_bytes() == (plain / name).read_bytes() for name in files]
    return found | {"same bytes": all(same)}


def cut_off(root: Path, out: Path, line: Callable[[int, str], None]) -> dict[str, Any]:
    """Mine on the hosts, one of which is cut off when a few shares are done, and comes back."""
    address = f"{_address(1)}:6379"
    start = [sys.executable, "-m", "ray.scripts.scripts", "start"]
    environment = {**_ONE, **_QUIET}
    for host in range(1, 5):
        _start_node(start, host, address, environment)
    command = commands(root, out, ["--cluster", address])["mine"]
    begun = time.perf_counter()
    with subprocess.Popen(
        _inside(1, command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        time.sleep(12)
        line(3, "down")
        cut = time.perf_counter() - begun
        time.sleep(12)
        line(3, "up")
        mended = time.perf_counter() - begun
        # Ray has given the node up: what is left of it ends, and it joins as a new one.
        _start_node(start, 3, address, environment)
        output = process.communicate()[0].decode(errors="replace")
    took = round(time.perf_counter() - begun, 1)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}\n{output}")
    return {"cut off, s": round(cut, 1), "back, s": round(mended, 1), "done, s": took}


def _start_node(start: Sequence[str], host: int, address: str, environment: dict[str, str]) -> None:
    head = ["--head", "--port=6379", "--num-cpus=0", "--include-dashboard=false"]
    role = head if host == 1 else ["--address", address, "--num-cpus=1"]
    command = [*start, *role, f"--node-ip-address={_address(host)}"]
    subprocess.run(
        _inside(host, command), env=environment, check=True, capture_output=True, timeout=120
    )


def _address(host: int) -> str:
    return f"10.77.0.{host}"


def _inside(host: int, command: Sequence[str]) -> list[str]:
    return ["ip", "netns", "exec", f"lookalikes{host}", *command]


@contextmanager
def four_hosts() -> Iterator[Callable[[int, str], None]]:
    """Four network namespaces on one bridge; what it gives sets a host's line up or down."""

    def ip(*words: object) -> None:
        done = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            raise OSError(done.stderr.strip())

    def line(host: int, state: str) -> None:
        ip("link", "set", f"lkh{host}", state)

    try:
        ip("link", "add", "lkbridge", "type", "bridge")
        ip("link", "set", "lkbridge", "up")
        for host in range(1, 5):
            name = f"lookalikes{host}"
            ip("netns", "add", name)
            ip("link", "add", f"lkh{host}", "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("link", "set", f"lkh{host}", "master", "lkbridge")
            line(host, "up")
            for device in ("lo", "eth0"):
                ip("-n", name, "link", "set", device, "up")
            ip("-n", name, "addr", "add", f"{_address(host)}/24", "dev", "eth0")
        yield line
    finally:
        for host in range(1, 5):
            for pid in _pids(f"lookalikes{host}"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                ip("netns", "del", f"lookalikes{host}")
            with suppress(OSError):
                ip("link", "del", f"lkh{host}")
        with suppress(OSError):
            ip("link", "del", "lkbridge")


def _pids(name: str) -> list[int]:
    found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True)
    return [int(word) for word in found.stdout.split()]
