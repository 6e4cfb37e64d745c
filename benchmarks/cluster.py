"""Past one machine: join and embedding on a Ray cluster, below a memory cap, and a plan of both.

Parts, each of which replaces its own results in `results/cluster.json`, with its machine:

- `join`: the best 3,000 pairs of 100,000 and 200,000 clustered vectors of 512, by the plain join
  and by a local cluster with a worker a core, in turn, in one process; medians. The cluster runs
  already, and its workers have loaded what they need; what that takes is told beside it.
- `embedding`: as many drawn faces by EfficientNet-Lite0, by the plain command's code and by the
  cluster's, in turn; the cluster's time counts from the call, its models' loading included.
- `memory`: `lookalikes mine --memory 1GB` on 1,000,000 vectors of 256 (1 GB) in a process of its
  own: the peak that the system counted (`VmHWM`, pages of mapped files included), the same below a
  cgroup's limit where one can be made, and the same bytes as without a cap.
- `plan`: what `lookalikes cluster plan` says of this machine, and what the join then takes.
- `faults`, `hosts`: see `benchmarks/cluster_faults.py`.

    python -m benchmarks.cluster join embedding memory plan
    python -m benchmarks.cluster faults --runs 30
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import vectors
from benchmarks.machine import RESULTS, describe
from benchmarks.million import lookalikes
from benchmarks.million_faces import finish_embeddings, names_of, sizes_of, write_vectors
from mining.cli.options import size_of

PAIRS = 3000
_LIMITS = Path("/sys/fs/cgroup/memory")


def write_embeddings(folder: Path, faces: int, width: int) -> Path:
    """Make a finished folder of embeddings of clustered vectors; its pictures do not exist."""
    from mining import load_model

    if (folder / "manifest.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    sizes = sizes_of(faces, max(2, faces // 37))
    groups = np.repeat(np.arange(len(sizes)), sizes)
    write_vectors(folder, vectors.clustered(faces, width, groups), width)
    paths = [f"{home}/{name}" for home, names in names_of(sizes) for name in names]
    model = load_model("pixels")
    made_by = {"model": model.name, "fingerprint": model.fingerprint}
    finish_embeddings(folder, paths, ["0" * 64] * faces, made_by, width)
    return folder


def join(root: Path, runs: int, sizes: tuple[int, ...] = (100_000, 200_000)) -> dict[str, Any]:
    """Time the join by itself and on a local cluster, in turn."""
    from indexes import FlatIndex
    from indexes.join import SearchOptions
    from mining.cluster.join import JoinCrews
    from mining.cluster.session import connect
    from mining.embeddings.store import Embeddings

    found: dict[str, Any] = {}
    start = time.perf_counter()
    with connect("local") as cluster:
        found["start of the cluster, seconds"] = round(time.perf_counter() - start, 2)
        for size in sizes:
            embeddings = Embeddings.load(write_embeddings(root / f"join-{size}", size, 512))
            index, groups = FlatIndex(embeddings.vectors), embeddings.faces.groups
            kept = np.ones(size, np.bool_)
            crew = JoinCrews(cluster).over(embeddings, kept)
            sides = {"plain": SearchOptions(), "cluster": SearchOptions(crew=crew)}

            def answer(
                how: SearchOptions, index: FlatIndex = index, groups: Any = groups
            ) -> tuple[float, bytes]:
                begun = time.perf_counter()
                best = index.top_pairs(PAIRS, groups, how=how)
                spent = time.perf_counter() - begun
                return spent, best.i.tobytes() + best.j.tobytes() + best.scores.tobytes()

            first = {name: answer(how) for name, how in sides.items()}
            times: dict[str, list[float]] = {name: [] for name in sides}
            answers = {content for _, content in first.values()}
            for _ in range(runs):
                for name, how in sides.items():
                    spent, content = answer(how)
                    times[name].append(round(spent, 3))
                    answers.add(content)
            medians = {name: statistics.median(some) for name, some in times.items()}
            found[f"{size:,} x 512"] = {
                "seconds": times,
                "median": medians,
                "first": {name: round(spent, 2) for name, (spent, _) in first.items()},
                "cluster / plain": round(medians["cluster"] / medians["plain"], 3),
                "same bytes": len(answers) == 1,
            }
    return found


def embedding(root: Path, runs: int, faces: int = 1500) -> dict[str, Any]:
    """Time embedding by itself and on a local cluster, in turn, into fresh folders."""
    from mining.cluster.embedding_crew import EmbeddingCrew
    from mining.cluster.session import connect
    from mining.embeddings.options import EmbeddingOptions
    from pairsets import Faces
    from pairsets.progress import silent

    drawn = drawn_faces(root, faces)
    found = Faces.scan(drawn / "faces")
    spec = f"timm:tf_efficientnet_lite0@{drawn / 'tf_efficientnet_lite0'}"
    times: dict[str, list[float]] = {"plain": [], "cluster": []}
    content: set[bytes] = set()
    with connect("local") as cluster:
        options = {
            "plain": EmbeddingOptions(),
            "cluster": EmbeddingOptions(crew=EmbeddingCrew(cluster)),
        }
        for number in range(runs):
            for name, how in options.items():
                folder = root / f"embedded-{number}-{name}"
                shutil.rmtree(folder, ignore_errors=True)
                model = how.load(spec)
                begun = time.perf_counter()
                how.embed(found, model, folder, silent)
                times[name].append(round(time.perf_counter() - begun, 2))
                content.add(content_of(folder))
    medians = {name: statistics.median(some) for name, some in times.items()}
    return {
        "faces": len(found),
        "seconds": times,
        "faces a second": {name: round(len(found) / some, 1) for name, some in medians.items()},
        "cluster / plain, throughput": round(medians["plain"] / medians["cluster"], 3),
        "same bytes": len(content) == 1,
    }


def drawn_faces(root: Path, faces: int) -> Path:
    """A sample with about as many drawn faces, made once."""
    folder = root / f"drawn-{faces}"
    if not folder.exists():
        characters = max(2, faces // 5)
        subprocess.run(
            lookalikes("sample", folder, "--characters", characters), check=True,
            capture_output=True,
        )  # fmt: skip
    return folder


def content_of(folder: Path) -> bytes:
    """All bytes of a folder of embeddings but the status of its pictures' files."""
    names = ("vectors.npy", "images.csv", "manifest.json")
    return b"".join((folder / name).read_bytes() for name in names)


def memory(root: Path, faces: int = 1_000_000, cap: str = "1GB") -> dict[str, Any]:
    """Mine below a cap: what the process held at most, and whether its files are the same."""
    folder = write_embeddings(root / f"memory-{faces}", faces, 256)
    found: dict[str, Any] = {"vectors": f"{faces:,} x 256", "cap": cap}
    found["vectors, MB"] = round((folder / "vectors.npy").stat().st_size / 1e6)
    answers = {}
    for name, more, inside in (
        ("no cap", [], nothing),
        ("capped", ["--memory", cap], nothing),
        ("capped, in a cgroup", ["--memory", cap], limited),
    ):
        out = root / f"mined-{name.replace(' ', '-')}" / "pairs.csv"
        shutil.rmtree(out.parent, ignore_errors=True)
        command = lookalikes("mine", folder, "--pairs", PAIRS, "--out", out, "--positives", 100)
        with inside(cap) as (prefix, told):
            if prefix is None:
                found[name] = told()
                continue
            # Else a cgroup is not charged for what others had read before.
            forget(folder / "vectors.npy")
            found[name] = watched([*prefix, *command, *more]) | told()
        answers[name] = b"".join(file.read_bytes() for file in sorted(out.parent.iterdir()))
    found["same bytes"] = len(set(answers.values())) == 1
    found["cap kept"] = found["capped"]["peak, MB"] * 1e6 <= size_of(cap)
    return found


def forget(path: Path) -> None:
    """Let the system's file cache drop a file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def nothing(_: str) -> Iterator[tuple[list[str], Callable[[], dict[str, Any]]]]:
    """A command as it is."""
    yield [], dict


@contextmanager
def limited(cap: str) -> Iterator[tuple[list[str] | None, Callable[[], dict[str, Any]]]]:
    """A command in a cgroup that the system lets hold no more, its file cache included."""
    group = _LIMITS / f"lookalikes-{os.getpid()}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(size_of(cap)))
    except OSError as error:
        why = f"no cgroup can be made here ({error.strerror})"
        yield None, lambda: {"not measured": why}
        return
    try:
        yield (
            ["sh", "-c", f'echo $$ > {group}/tasks; exec "$@"', "sh"],
            lambda: {
                "times the system took file cache back at the limit": int(
                    (group / "memory.failcnt").read_text()
                ),
                "most in the cgroup, MB": round(
                    int((group / "memory.max_usage_in_bytes").read_text()) / 1e6
                ),
            },
        )
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.1)


def watched(command: list[str]) -> dict[str, Any]:
    """Run a command; its seconds, and the most that the system counted for it."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    peak, done = [0], threading.Event()

    def look() -> None:
        status = Path(f"/proc/{process.pid}/status")
        while not done.wait(0.02):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            # The highest there ever was, so that nothing between two looks is missed.
            peak.extend(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

    looking = threading.Thread(target=look)
    looking.start()
    output = process.communicate()[0]
    done.set()
    looking.join()
    if process.returncode:
        raise RuntimeError(f"{command}: exit {process.returncode}\n{output.decode()}")
    return {
        "seconds": round(time.perf_counter() - begun, 1),
        "peak, MB": round(max(peak) * 1024 / 1e6),
    }


def plan(root: Path, runs: int, sizes: tuple[int, ...] = (100_000, 200_000)) -> dict[str, Any]:
    """Compare the plan of this machine with what the join then takes."""
    from indexes import FlatIndex
    from mining.embeddings.store import Embeddings

    found: dict[str, Any] = {}
    for size in sizes:
        embeddings = Embeddings.load(write_embeddings(root / f"join-{size}", size, 512))
        index, groups = FlatIndex(embeddings.vectors), embeddings.faces.groups
        forecast, taken = [], []
        for _ in range(runs):
            told = root / "plan.json"
            command = [
                "cluster",
                "plan",
                "--faces",
                size,
                "--dim",
                512,
                "--out",
                told,
                "--overwrite",
            ]
            subprocess.run(lookalikes(*command), check=True, capture_output=True)
            forecast.append(seconds_of(json.loads(told.read_text())))
            begun = time.perf_counter()
            index.top_pairs(PAIRS, groups)
            taken.append(round(time.perf_counter() - begun, 2))
        ratio = statistics.median(forecast) / statistics.median(taken)
        found[f"{size:,} x 512"] = {
            "forecast": forecast,
            "taken": taken,
            "forecast / taken": round(ratio, 3),
        }
    return found


def seconds_of(plan: dict[str, Any]) -> float:
    """The seconds of the join in a plan."""
    return round(float(plan["times"]["total"]), 2)


def keep(part: str, result: dict[str, Any]) -> None:
    """Put a part's result into `results/cluster.json`, and print it."""
    from pairsets.storage.artefacts import write_json

    path = RESULTS / "cluster.json"
    content: dict[str, Any] = {"benchmark": "cluster", "parts": {}}
    if path.exists():
        content = json.loads(path.read_text("utf-8"))
    content["parts"][part] = {**result, "machine": describe()}
    write_json(path, content)
    print(json.dumps({part: result}, indent=2), flush=True)


def main() -> None:
    """Measure the parts that are named."""
    from benchmarks.cluster_faults import faults, hosts

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "parts", nargs="+", choices=("join", "embedding", "memory", "plan", "faults", "hosts")
    )
    parser.add_argument("--runs", type=int, help="of each side; of faults, how many")
    parser.add_argument("--scratch", type=Path, help="folder for what is made; kept if given")
    options = parser.parse_args()
    root = options.scratch or Path(tempfile.mkdtemp(prefix="cluster-"))
    root.mkdir(parents=True, exist_ok=True)
    work: dict[str, Callable[[], dict[str, Any]]] = {
        "join": lambda: join(root, options.runs or 5),
        "embedding": lambda: embedding(root, options.runs or 3),
        "memory": lambda: memory(root),
        "plan": lambda: plan(root, options.runs or 3),
        "faults": lambda: faults(root, options.runs or 30),
        "hosts": lambda: hosts(root),
    }
    try:
        for part in options.parts:
            keep(part, work[part]())
    finally:
        if options.scratch is None:
            shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
