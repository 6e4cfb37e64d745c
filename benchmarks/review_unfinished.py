"""Whether people can judge while clients that never finish hold the review app, and what it costs.

    python -m benchmarks.review_unfinished [--before CHECKOUT] [--clients 0 200 1200]

A real server in a process of its own, on loopback, that may have 1,024 files open, as processes may
where nobody set more. A third of the clients connect and say nothing, a third begin headers and a
third a body, which go on by a byte a second and never end. Who is sent away comes back ten seconds
later: these are clients that stay, not a flood of new ones. Measured are, for each number of them,

- **judgement**: from connecting anew to the answer that holds the next pairs, of one person who
  judges meanwhile; and how many verdicts were not answered within ten seconds, after three of which
  in a row the person gives up;
- **cpu**: seconds of processor time that the server takes a second, while nobody judges; and
  **busy**: of a second, in which its event loop runs or waits for a core, which says more where
  others use the machine, too;
- **connections**: that it holds, at the highest of several looks.

With `--before`, of another checkout of this project, too: in turn, in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from benchmarks.machine import keep
from benchmarks.review import make, quantiles
from pairsets.storage.artefacts import installed

HERE = Path(__file__).parents[1]
FILES = 1024
PROGRAM = f"""
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, ({FILES}, hard))
import pairsets
print(pairsets.__file__, flush=True)
from mining.cli import main
main()
"""
PATIENCE_S, GIVES_UP_AFTER = 10, 3
SETTLE_S, WATCH_S, BACK_AFTER_S = 5, 5, 10
HEADERS = "POST /api/annotators HTTP/1.1\r\nHost: {place}\r\n"
BEGUN = {
    "nothing": "",
    "headers": HEADERS + "X-Never: ",
    "body": HEADERS + "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
}


@contextmanager
def server(code: Path, folder: Path) -> Iterator[tuple[str, int]]:
    """Where a server of the checkout `code` listens, and its process."""
    for file in folder.glob("set.review.sqlite*"):
        file.unlink()
    command = ["review", "set.csv", "--faces", "faces", "--port", "0"]
    with (folder / "errors").open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *command],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(code)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        ran = Path(process.stdout.readline().strip())
        if ran.parents[1] != code.resolve():
            raise RuntimeError(f"{ran} ran, not the code in {code}")
        link = next(line for line in process.stdout if line.startswith("http"))
        yield link.split("/")[2], process.pid
    finally:
        process.kill()
        process.wait()


async def hold(place: str, count: int) -> None:
    """Be `count` clients that never finish, until this process is ended."""
    host, _, port = place.partition(":")

    async def never_finish(kind: str) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(host, int(port))
                writer.write(BEGUN[kind].format(place=place).encode())
                while not reader.at_eof():
                    await asyncio.sleep(1)
                    if kind != "nothing":
                        writer.write(b"x")
                        await writer.drain()
                writer.close()
            except OSError:
                pass
            await asyncio.sleep(BACK_AFTER_S)

    await asyncio.gather(*(never_finish(list(BEGUN)[number % 3]) for number in range(count)))


@contextmanager
def held(place: str, count: int) -> Iterator[None]:
    """While `count` clients never finish."""
    command = [sys.executable, "-m", "benchmarks.review_unfinished", "--hold", place, str(count)]
    process = subprocess.Popen(command, cwd=HERE, env=os.environ | {"PYTHONPATH": str(HERE)})
    try:
        time.sleep(SETTLE_S)
        yield
    finally:
        process.kill()
        process.wait()


def ask(place: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What is answered on a connection of its own."""
    connection = http.client.HTTPConnection(place, timeout=PATIENCE_S)
    headers = {"X-Annotator": "Rei", "Content-Type": "application/json"}
    try:
        method = "GET" if body is None else "POST"
        connection.request(method, path, body and json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {content!r}")
    return json.loads(content)


def judge(place: str, work: dict[str, Any], count: int) -> tuple[list[float], int]:
    """Seconds of the verdicts that were answered, and how many were not."""
    seconds: list[float] = []
    lost = in_a_row = 0
    while len(seconds) + lost < count and in_a_row < GIVES_UP_AFTER:
        pair = work["pairs"][0]["pair"]
        body = {"key": str(uuid4()), "pair": pair, "verdict": "same", "seconds": 1.5, "count": 6}
        start = time.perf_counter()
        try:
            work = ask(place, "/api/judgements", body)
        except (OSError, http.client.HTTPException):
            lost, in_a_row = lost + 1, in_a_row + 1
            continue
        seconds.append(time.perf_counter() - start)
        in_a_row = 0
    return seconds, lost


def cpu_seconds(process: int) -> float:
    """Processor time that it took so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def busy_seconds(process: int) -> float:
    """In which its main thread ran, or waited for a core, so far."""
    ran, waited, _ = Path(f"/proc/{process}/schedstat").read_text().split()
    return (int(ran) + int(waited)) / 1e9


def sockets(process: int) -> int:
    """Sockets that it has open: the listening one, three of its event loop's, and connections."""
    found = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            found += str(entry.readlink()).startswith("socket:")
    return found


def measure(code: Path, folder: Path, clients: int, judgements: int) -> dict[str, Any]:
    """One server, and so many clients that never finish."""
    with server(code, folder) as (place, process):
        ask(place, "/api/annotators", {"name": "Rei"})
        work = ask(place, "/api/next?count=6")
        none = sockets(process)
        with held(place, clients):
            most = sockets(process)
            cpu, busy, start = cpu_seconds(process), busy_seconds(process), time.perf_counter()
            while time.perf_counter() - start < WATCH_S:
                time.sleep(0.5)
                most = max(most, sockets(process))
            passed = time.perf_counter() - start
            cpu = (cpu_seconds(process) - cpu) / passed
            busy = (busy_seconds(process) - busy) / passed
            seconds, lost = judge(place, work, judgements)
            most = max(most, sockets(process))
    return {
        "cpu": cpu,
        "busy": busy,
        "connections": most - none,
        "seconds": seconds,
        "lost": lost,
    }


def version(code: Path) -> str:
    """The commit that is checked out there; with a `+` where something is changed."""
    asked = ("git", "-C", str(code))
    commit = subprocess.run(
        [*asked, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    changed = subprocess.run(
        [*asked, "status", "--porcelain", "--", "pairsets", "mining"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    return commit + "+" * bool(changed)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, metavar="CHECKOUT")
    parser.add_argument("--clients", type=int, nargs="+", default=[0, 200, 1200])
    parser.add_argument("--judgements", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--hold", nargs=2, metavar=("PLACE", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.hold:
        asyncio.run(hold(options.hold[0], int(options.hold[1])))
        return
    checkouts = {"after": HERE} | ({"before": options.before} if options.before else {})
    versions = {name: version(code) for name, code in checkouts.items()}
    runs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, 400, 2000)
        for _ in range(options.repeats):
            for name, code in checkouts.items():
                for clients in options.clients:
                    found = measure(code.resolve(), folder, clients, options.judgements)
                    runs.setdefault((name, clients), []).append(found)
    result: dict[str, Any] = {
        "servers": installed("fastapi", "uvicorn", "starlette", "h11"),
        "files_of_the_server": FILES,
        "repeats": options.repeats,
    }
    for name in checkouts:
        result[name] = {
            "version": versions[name],
            "clients": [summary(clients, runs[name, clients]) for clients in options.clients],
        }
    keep("review_unfinished", result)


def summary(clients: int, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the runs; quantiles over all verdicts that were answered."""
    seconds = [one for run in runs for one in run["seconds"]]
    return {
        "clients": clients,
        "judgement_ms": quantiles(seconds) if seconds else None,
        "median_ms_of_each_run": [
            round(statistics.median(run["seconds"]) * 1000, 2) if run["seconds"] else None
            for run in runs
        ],
        "answered": len(seconds),
        "not_answered": sum(run["lost"] for run in runs),
        "server_cpu_per_second": round(statistics.median(run["cpu"] for run in runs), 3),
        "server_busy_per_second": round(statistics.median(run["busy"] for run in runs), 3),
        "all_server_cpu_per_second": [round(run["cpu"], 3) for run in runs],
        "most_connections": max(run["connections"] for run in runs),
    }


if __name__ == "__main__":
    main()
