"""How fast the review app answers: from its start to a first pair, and from verdict to verdict.

    python -m benchmarks.review [--pairs 100000] [--faces 50000] [--judgements 2000]

A real server in a process of its own, on loopback, asked over real connections; each verdict is on
the disk before it is answered. Measured are

- **start**: from the start of `lookalikes review` to the page and the first six pairs, with no
  database and with the one that the verdicts below are in; it reads the pairs and their scores;
- **judgement**: from the verdict to the answer that holds the next pairs, whose pictures the page
  has loaded by then: what lies between a key and the next pair, but for the page itself; by one
  person, and by three at once;
- **memory**: resident, at its highest;
- **picture**: a face that was never asked for.

The faces are drawn at random, 64 x 64 pixels, and deleted afterwards.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any
from uuid import uuid4

import numpy as np
from PIL import Image

from benchmarks.machine import keep
from pairsets.storage.artefacts import installed

PROGRAM = "from mining.cli import main\nmain()"
IMPORTS = ("pandas", "pairsets", "pairsets.review.web.server", "pairsets.review.web.app, uvicorn")
AHEAD = 6
SIDE = 64


def make(folder: Path, faces: int, pairs: int) -> None:
    """Faces of ten a character, and distinct pairs of them."""
    from pairsets.pairset import PairSet

    dice = np.random.default_rng(0)
    paths = [f"character {number // 10}/{number}.jpg" for number in range(faces)]
    for number, path in enumerate(paths):
        if number % 10 == 0:
            (folder / "faces" / path).parent.mkdir(parents=True)
        blocks = dice.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((SIDE, SIDE)).save(folder / "faces" / path, quality=90)
    half = faces // 2
    both = dice.choice(half * half, pairs, replace=False)
    a, b = both // half, half + both % half
    PairSet.of(
        [paths[row] for row in a], [paths[row] for row in b], (a // 10 == b // 10).astype(int)
    ).write(folder / "set.csv")
    # As mining leaves it beside the pairs.
    with (folder / "set.scores.csv").open("w") as stream:
        stream.write("pathA,pathB,rank,score,model\n")
        for rank, (one, other) in enumerate(zip(a, b, strict=True), 1):
            stream.write(f"{paths[one]},{paths[other]},{rank},{1 - rank / pairs},model\n")


class Browser:
    """One person's connection."""

    def __init__(self, link: str, name: str) -> None:
        self._connection = http.client.HTTPConnection(link.split("/")[2], timeout=60)
        self._headers = {"X-Annotator": name, "Content-Type": "application/json"}

    def get(self, path: str) -> bytes:
        """What is at `path`."""
        self._connection.request("GET", path, headers=self._headers)
        return self._read()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """What `body` is answered with."""
        self._connection.request("POST", path, json.dumps(body), self._headers)
        return json.loads(self._read())

    def _read(self) -> bytes:
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {content!r}")
        return content


@contextmanager
def server(folder: Path) -> Iterator[tuple[str, float, int]]:
    """A server's link, when it was started, and its process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "review", "set.csv", "--faces", "faces", "--port", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        link = next(line for line in process.stdout if line.startswith("http"))
        yield link.strip(), start, process.pid
    finally:
        process.terminate()
        process.wait()


def first_pair(link: str, start: float, name: str) -> tuple[float, float]:
    """Seconds from the start to the link, and to the page with its first pairs and pictures."""
    linked = time.perf_counter() - start
    browser = Browser(link, name)
    browser.get("/")
    browser.post("/api/annotators", {"name": name})
    work = json.loads(browser.get(f"/api/next?count={AHEAD}"))
    for side in ("left", "right"):
        browser.get(work["pairs"][0][side])
    return linked, time.perf_counter() - start


def judge(link: str, name: str, count: int, seconds: list[float], pictures: list[float]) -> None:
    """One person judges `count` pairs; the pictures ahead are loaded between the verdicts."""
    browser = Browser(link, name)
    browser.post("/api/annotators", {"name": name})
    work = json.loads(browser.get(f"/api/next?count={AHEAD}"))
    loaded: set[str] = set()
    for number in range(count):
        for task in work["pairs"]:
            for address in {task["left"], task["right"]} - loaded:
                start = time.perf_counter()
                browser.get(address)
                pictures.append(time.perf_counter() - start)
                loaded.add(address)
        body = {
            "key": str(uuid4()),
            "pair": work["pairs"][0]["pair"],
            "verdict": ("same", "different")[number % 2],
            "seconds": 1.5,
            "count": AHEAD,
        }
        start = time.perf_counter()
        work = browser.post("/api/judgements", body)
        seconds.append(time.perf_counter() - start)


def judge_together(link: str, names: list[str], count: int) -> dict[str, Any]:
    """Several people at once, `count` verdicts between them."""
    seconds: list[float] = []
    pictures: list[float] = []
    each = count // len(names)
    threads = [Thread(target=judge, args=(link, name, each, seconds, pictures)) for name in names]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(seconds) != each * len(names):
        raise RuntimeError(f"{len(seconds)} verdicts, expected {each * len(names)}")
    return {
        "people": len(names),
        "judgements": len(seconds),
        "judgement_ms": quantiles(seconds),
        "picture_ms": quantiles(pictures),
        "judgements_per_second": round(len(seconds) / (time.perf_counter() - start), 1),
    }


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Milliseconds."""
    found = np.quantile(seconds, [0.5, 0.95, 0.99, 1]) * 1000
    names = ("p50", "p95", "p99", "max")
    return {name: round(float(one), 2) for name, one in zip(names, found, strict=True)}


def peak_mib(process: int) -> float:
    """MiB resident at the highest."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def import_seconds(module: str) -> float:
    """Seconds that a fresh interpreter takes to import `module`, without its own start."""
    code = f"import time; s = time.perf_counter(); import {module}; print(time.perf_counter() - s)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--faces", type=int, default=50_000)
    parser.add_argument("--judgements", type=int, default=2000)
    parser.add_argument("--repeats", type=int, default=3, help="of the start")
    options = parser.parse_args()
    result: dict[str, Any] = {
        "pairs": options.pairs,
        "faces": options.faces,
        "servers": installed("fastapi", "uvicorn", "starlette", "pydantic"),
    }
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make(folder, options.faces, options.pairs)
        starts: dict[str, list[tuple[float, float]]] = {"fresh": [], "existing": []}
        for _ in range(options.repeats):
            for file in folder.glob("set.review.sqlite*"):
                file.unlink()
            with server(folder) as (link, start, _):
                starts["fresh"].append(first_pair(link, start, "Rei"))
        judged = []
        with server(folder) as (link, _, process):
            judged.append(judge_together(link, ["Rei"], options.judgements))
            judged.append(judge_together(link, ["Bo", "Mio", "Kei"], options.judgements))
            result["peak_mib"] = round(peak_mib(process))
        for _ in range(options.repeats):
            with server(folder) as (link, start, _):
                starts["existing"].append(first_pair(link, start, "Rei"))
    result["judging"] = judged
    result["start"] = {
        name: {
            "seconds_to_link": round(statistics.median(run[0] for run in runs), 2),
            "seconds_to_first_pair": round(statistics.median(run[1] for run in runs), 2),
            "all_seconds": [round(run[1], 2) for run in runs],
        }
        for name, runs in starts.items()
    }
    result["import_seconds"] = {
        module: round(statistics.median(import_seconds(module) for _ in range(3)), 2)
        for module in IMPORTS
    }
    keep("review", result)


if __name__ == "__main__":
    main()
