"""A million faces on a small machine: scanning, embedding with nothing to do, and mining.

By default as many faces and identities as ZACI-20's training set has, 1,451,527 of 39,038, made by
`benchmarks/million_faces.py`. Each step is a process of its own; kept are its time, its peak
memory (`ru_maxrss`, which counts pages of mapped files, too) and, looked at ten times a second, its
peak of private memory alone. Steps:

- `scan`: `Faces.scan` of the folder.
- `embed`: `lookalikes embed` on finished embeddings, so that there is nothing to do.
- `mine`: `lookalikes mine` for 3,000 pairs, and for 100,000 of which an identity may be in 20.
- `killed`: the first of these once more, killed (SIGKILL) half-way and given again: its files are
  to be the same as those of the run that was left alone.
- `product`: the bare int8 product of all pairs of rows, `torch._int_mm` on tiles, two threads with
  tiles of their own; on a sample of tiles, and a straight line from it, or all with `--whole`.

    python -m benchmarks.million --steps scan embed
    python -m benchmarks.million --steps mine killed product --sets clustered real

Results of several runs gather in `results/million.json`; a step run again replaces itself. With
`--scratch` the made files stay there if `--keep` is given, and are used again.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.million_faces import DIMENSIONS, FACES, IDENTITIES

STEPS = ("scan", "embed", "mine", "killed", "product")
SETS = ("clustered", "real")
# By the number of pairs: how a task is called, and its options.
TASKS = {
    "3000": ("3,000 pairs", ["--pairs", "3000"]),
    "100000": (
        "100,000 pairs, 20 an identity",
        ["--pairs", "100000", "--max-per-identity", "20"],
    ),
}
_SCAN = "import sys; from pairsets import Faces; print(len(Faces.scan(sys.argv[1])))"
_SIDE = 2048


def run(command: list[str], *, kill_after: float | None = None) -> dict[str, Any]:
    """Run a command; its seconds and peak memory, of the process and of what is its own alone."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    private, done = [0], threading.Event()

    def look() -> None:
        status = Path(f"/proc/{process.pid}/status")
        while not done.wait(0.1):
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            private.extend(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))
            if kill_after is not None and time.perf_counter() - start > kill_after:
                # Not by the process object, which would take its end for itself.
                os.kill(process.pid, signal.SIGKILL)
                return

    looking = threading.Thread(target=look)
    looking.start()
    if process.stdout is None:
        raise RuntimeError("no output")
    output = process.stdout.read().decode(errors="replace")
    # Not `wait`: this one tells what it used.
    _, state, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(state)
    done.set()
    looking.join()
    if process.returncode and kill_after is None:
        raise RuntimeError(f"{' '.join(command)}: exit {process.returncode}\n{output}")
    return {
        "seconds": round(time.perf_counter() - start, 2),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak_mib": round(used.ru_maxrss / 1024, 1),
        "peak_private_mib": round(max(private) / 1024, 1),
    }


def lookalikes(*arguments: object) -> list[str]:
    """The command of this checkout."""
    program = "import sys; from mining.cli import main; sys.exit(main())"
    return [sys.executable, "-c", program, *map(str, arguments)]


class Made:
    """What the steps work on, made when it is first needed, in processes of their own."""

    def __init__(self, options: argparse.Namespace, root: Path) -> None:
        self.options, self.root = options, root
        # What was mined in this run, by folder: how long it took.
        self.mined: dict[Path, float] = {}

    @property
    def faces(self) -> Path:
        """The folder of faces."""
        return self._made("faces", "write_faces")

    def embeddings(self, kind: str) -> Path:
        """A finished folder of embeddings of all faces."""
        return self._made(f"embeddings-{kind}", "write_set", kind)

    def _made(self, name: str, work: str, *more: str) -> Path:
        folder = self.root / name
        whole = folder.with_suffix(".json")
        facts = {name: getattr(self.options, name) for name in ("faces", "identities", "model")}
        if whole.exists() and json.loads(whole.read_text()) == facts:
            return folder
        if folder.exists():
            shutil.rmtree(folder)
        if work == "write_set":
            _ = self.faces
        if "real" in more and self.options.embeddings is None:
            self.options.embeddings = self._made("few", "write_few")
        arguments = [self.root, folder, json.dumps(facts), self.options.embeddings or "", *more]
        program = f"import sys; from benchmarks.million import {work}; {work}(*sys.argv[1:])"
        print(f"making {name}", file=sys.stderr)
        subprocess.run([sys.executable, "-c", program, *map(str, arguments)], check=True)
        whole.write_text(json.dumps(facts))
        return folder


def originals(root: Path) -> Path:
    """A folder of a few hundred faces: real ones where there are any, else drawn ones."""
    from pairsets.sources.drawn.sample import draw_faces

    data = os.environ.get("LOOKALIKES_DATA")
    source = Path(data) / "faces" if data else root / "sample" / "faces"
    if not data and not source.exists():
        draw_faces(root / "sample")
    if not data:
        return source
    # Links need originals on the same disk.
    copied = root / "originals"
    if not copied.exists():
        shutil.copytree(source, copied)
    return copied


def write_few(root: str, folder: str, facts: str, _: str) -> None:
    """Embed the originals."""
    from mining import embed, load_model
    from mining.models.sample import write_sample_weights
    from pairsets import Faces

    weights = Path(root) / "tf_efficientnet_lite0"
    if not weights.exists():
        write_sample_weights(weights)
    model = load_model(f"timm:tf_efficientnet_lite0@{weights}")
    embed(Faces.scan(originals(Path(root))), model, folder)


def write_faces(root: str, folder: str, facts: str, _: str) -> None:
    """Make the folder of faces."""
    from benchmarks.million_faces import sizes_of, write_faces

    told = json.loads(facts)
    files = sorted(file for file in originals(Path(root)).rglob("*") if file.is_file())[:400]
    write_faces(Path(folder), sizes_of(told["faces"], told["identities"]), files)


def write_set(root: str, folder: str, facts: str, embeddings: str, kind: str) -> None:
    """Make a finished folder of embeddings."""
    from benchmarks.million_faces import sizes_of, source_of, write_embeddings

    told = json.loads(facts)
    sizes = sizes_of(told["faces"], told["identities"])
    few = Path(embeddings) if embeddings else None
    source = source_of(kind, sizes, DIMENSIONS, few)
    write_embeddings(Path(folder), Path(root) / "faces", sizes, source, DIMENSIONS, told["model"])


def scan(made: Made) -> dict[str, Any]:
    """Measure `Faces.scan`."""
    return run([sys.executable, "-c", _SCAN, str(made.faces)])


def embed(made: Made) -> dict[str, Any]:
    """Measure `lookalikes embed` with nothing to do; its files have to stay as they are."""
    folder = made.embeddings("clustered")
    before = {
        file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in folder.iterdir()
    }
    command = ["embed", made.faces, "--model", made.options.model, "--out", folder]
    result = run(lookalikes(*command))
    after = {file.name: (file.stat().st_mtime_ns, file.stat().st_size) for file in folder.iterdir()}
    if before != after:
        raise RuntimeError(f"embedding with nothing to do changed {folder}: {before} {after}")
    return {**result, "model": made.options.model}


def mine(made: Made, kind: str, pairs: str) -> dict[str, Any]:
    """Measure `lookalikes mine`."""
    folder, out = made.embeddings(kind), _pair_file(made, "undisturbed", kind, pairs)
    _empty(out.parent)
    result = run(lookalikes("mine", folder, "--out", out, *TASKS[pairs][1]))
    made.mined[out] = result["seconds"]
    copy = made.options.faces * DIMENSIONS / 2**20
    private = result["peak_private_mib"]
    return {
        **result,
        "private_mib_beyond_copy_of_8_bits": round(private - copy, 1),
        "private_mib_beyond_copy_of_16_bits": round(private - 2 * copy, 1),
    }


def _pair_file(made: Made, what: str, kind: str, pairs: str) -> Path:
    """Where a task puts its pairs, in a folder of its own."""
    return made.root / f"{what}-{kind}-{pairs}" / "a.csv"


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def killed(made: Made, kind: str) -> dict[str, Any]:
    """Kill mining half-way, give it again: its files are to be those of a run undisturbed."""
    pairs = "3000"
    folder, (_, task) = made.embeddings(kind), TASKS[pairs]
    whole, again = (_pair_file(made, what, kind, pairs) for what in ("undisturbed", "killed"))
    if whole not in made.mined:
        mine(made, kind, pairs)
    seconds = made.mined[whole]
    _empty(again.parent)
    at = run(lookalikes("mine", folder, "--out", again, *task), kill_after=seconds * 0.6)
    checkpoint = [file.name for file in again.parent.glob("*.partial*")]
    if again.exists():
        raise RuntimeError("it was done before it was killed")
    rest = run(lookalikes("mine", folder, "--out", again, *task))
    names = sorted(file.name for file in whole.parent.iterdir())
    same = sorted(file.name for file in again.parent.iterdir()) == names and all(
        filecmp.cmp(whole.parent / name, again.parent / name, shallow=False) for name in names
    )
    if not same:
        raise RuntimeError(f"{again.parent} differs from {whole.parent}")
    return {
        "undisturbed_seconds": seconds,
        "killed_after": at["seconds"],
        "checkpoint": bool(checkpoint),
        "rest_seconds": rest["seconds"],
        "same_bytes": same,
    }


def product(rows: int, seconds: float | None) -> dict[str, Any]:
    """Time the int8 product of all pairs of rows: all of it, or of as many tiles as there is time.

    What is multiplied is random: int8 products take as long whatever they are of.
    """
    import numpy as np
    import torch

    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    draw = np.random.default_rng(0)
    data = torch.from_numpy(draw.integers(-127, 128, (rows, DIMENSIONS), np.int8))
    starts = range(0, rows, _SIDE)
    tiles = [(top, side) for top in starts for side in starts if side >= top]
    # In an order that a short sample says as much of as a long one.
    order = iter(
        draw.permutation(len(tiles)).tolist() if seconds is not None else range(len(tiles))
    )
    lock, areas = threading.Lock(), [0] * (threads or 1)

    def work(worker: int) -> None:
        torch.set_num_threads(1)
        room = torch.empty(_SIDE**2, dtype=torch.int32)
        while seconds is None or time.perf_counter() - start < seconds:
            with lock:
                at = next(order, None)
            if at is None:
                return
            top, side = tiles[at]
            left, right = data[top : top + _SIDE], data[side : side + _SIDE]
            out = room[: len(left) * len(right)].view(len(left), len(right))
            torch._int_mm(left, right.T, out=out)
            areas[worker] += len(left) * len(right)

    work_area = sum(
        (min(top + _SIDE, rows) - top) * (min(side + _SIDE, rows) - side) for top, side in tiles
    )
    torch._int_mm(data[:_SIDE], data[:_SIDE].T)
    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads or 1)))
    took = time.perf_counter() - start
    share = sum(areas) / work_area
    return {
        "rows": rows,
        "tile": _SIDE,
        "threads": threads,
        "measured_seconds": round(took, 2),
        "share_done": round(share, 6),
        "seconds": round(took / share, 1),
        "extrapolated": share < 1,
        "tera_operations_a_second": round(2 * DIMENSIONS * sum(areas) / took / 1e12, 3),
    }


def measure(made: Made, step: str, kind: str) -> dict[str, Any]:
    """Result of a step, by name."""
    options = made.options
    if step == "scan":
        return {"scan": scan(made)}
    if step == "embed":
        return {"embed": embed(made)}
    if step == "mine":
        return {
            f"mine, {kind}, {TASKS[pairs][0]}": mine(made, kind, pairs) for pairs in options.pairs
        }
    if step == "killed":
        return {f"killed, {kind}": killed(made, kind)}
    return {"product": product(options.faces, None if options.whole else options.seconds)}


def main() -> None:
    """Make what is missing, measure the steps, keep the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=["scan", "embed"])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--pairs", nargs="+", choices=TASKS, default=list(TASKS), help="of `mine`")
    parser.add_argument("--faces", type=int, default=FACES)
    parser.add_argument("--identities", type=int)
    parser.add_argument("--model", default="pixels", help="that `embed` is given")
    parser.add_argument("--embeddings", type=Path, help="of few faces, for the real set")
    parser.add_argument("--seconds", type=float, default=20.0, help="of `product`")
    parser.add_argument("--whole", action="store_true", help="all tiles of `product`")
    parser.add_argument("--scratch", type=Path, help="folder for what is made")
    parser.add_argument("--keep", action="store_true", help="leave what is made")
    options = parser.parse_args()
    if options.identities is None:
        options.identities = max(1, options.faces * IDENTITIES // FACES)
    root = Path(tempfile.mkdtemp(prefix="million-", dir=options.scratch))
    if options.keep and options.scratch is not None:
        root.rmdir()
        root = options.scratch
    made = Made(options, root)
    try:
        for step in options.steps:
            for kind in options.sets if step in ("mine", "killed") else options.sets[:1]:
                for name, result in measure(made, step, kind).items():
                    keep(options, name, result)
    finally:
        if not (options.keep and options.scratch is not None):
            shutil.rmtree(root, ignore_errors=True)


def keep(options: argparse.Namespace, name: str, result: dict[str, Any]) -> None:
    """Put a result into `results/million.json`; of other sizes only print it."""
    from benchmarks.machine import RESULTS, describe
    from pairsets.storage.artefacts import write_json

    print(json.dumps({name: result}, indent=2), flush=True)
    if options.faces != FACES:
        return
    path = RESULTS / "million.json"
    content: dict[str, Any] = {"benchmark": "million", "steps": {}}
    if path.exists():
        content = json.loads(path.read_text(encoding="utf-8"))
    content |= {"faces": FACES, "identities": IDENTITIES, "dimensions": DIMENSIONS}
    content["steps"][name] = {**result, "machine": describe()}
    write_json(path, content)


if __name__ == "__main__":
    main()
