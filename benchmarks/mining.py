"""The exact top-pairs join beside its peers: time, memory, and what each of them misses.

Every side runs on the same vectors in a process of its own, with the same number of threads, all
sides in turn within each repeat; `benchmarks/peers.py` says what they are, `benchmarks/vectors.py`
what they mine. Time runs from float32 vectors in memory to the pairs, index construction included,
imports and a small warm-up not; medians are kept beside all the times. Our answer is compared with
float64 brute force (`benchmarks/exactness.py`) before it is kept.

A side whose run is predicted to take longer than `--limit` is left out, and the prediction kept as
such: a linear and a quadratic part fitted to two runs on the first rows of the same vectors. One
that took longer against the prediction is not repeated.

    python -m benchmarks.mining --preset headline --embeddings DIR
    python -m benchmarks.plots

Results of several runs gather in `results/mining.json`; a case run again replaces itself.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import vectors
from benchmarks.cases import Case, measure
from benchmarks.exactness import MismatchError
from benchmarks.machine import RESULTS, describe
from benchmarks.peers import SIDES
from benchmarks.processes import UnfinishedError, alone, load_libraries
from benchmarks.scan import measure_scan
from benchmarks.training import DIMENSIONS, FACES, measure_part
from pairsets.storage.artefacts import installed, write_text

OUTPUT = RESULTS / "mining.json"
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"sizes": [2006], "dimensions": [512], "pairs": [3000]},
    "headline": {"sizes": [50_000], "dimensions": [512], "pairs": [3000]},
    "growth": {
        "sizes": [20_000, 50_000, 100_000, 200_000], "dimensions": [512], "pairs": [3000],
    },
    "table": {
        "sizes": [2006, 20_000, 50_000, 200_000], "dimensions": [128, 512, 2048],
        "pairs": [3000, 100_000], "limit": 60.0,
    },
    "training": {
        "sizes": [FACES], "dimensions": [DIMENSIONS], "pairs": [3000], "sets": ["clustered"],
    },
    "scan": {"dimensions": [128, 512, 2048]},
}  # fmt: skip


def keep(part: str, key: str, result: dict[str, Any], machine: dict[str, Any]) -> None:
    """Put one result into `results/mining.json`, with the machine it was measured on."""
    content: dict[str, Any] = {"benchmark": "mining", "machines": {}, "cases": {}}
    if OUTPUT.exists():
        content |= json.loads(OUTPUT.read_text(encoding="utf-8"))
    name = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:8]
    content.setdefault(part, {})[key] = {**result, "machine": name}
    content["machines"][name] = machine
    parts = [content.get(name, {}) for name in ("cases", "training", "scan")]
    used = {entry["machine"] for entries in parts for entry in entries.values()}
    content["machines"] = {name: content["machines"][name] for name in sorted(used)}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # Lists of numbers and names on one line each.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
    write_text(OUTPUT, text.replace("[ ", "[").replace(" ]", "]") + "\n")


def _machine(device: str) -> dict[str, Any]:
    machine: dict[str, Any] = dict(describe())
    peers = ("faiss-gpu", "sentence-transformers", "transformers", "numba", "triton")
    machine["versions"] = {**machine["versions"], **installed(*peers)}
    if device == "cuda":
        machine["gpu"] = alone(_gpu_name)
    return machine


def _gpu_name() -> str:
    import torch

    return str(torch.cuda.get_device_name())


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", choices=PRESETS, default="quick", help="the rest overrides it")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N")
    parser.add_argument("--dimensions", type=int, nargs="+", metavar="D")
    parser.add_argument("--pairs", type=int, nargs="+", metavar="n")
    parser.add_argument("--sets", choices=vectors.SETS, nargs="+")
    parser.add_argument("--sides", nargs="+", metavar="SIDE", help="ours always is one")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, metavar="S", help="seconds a run may take (120)")
    parser.add_argument("--embeddings", type=Path, metavar="DIR", help="of real faces")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--budget", type=float, default=300, metavar="S", help="of training")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where vectors are put")
    options = parser.parse_args(arguments)
    for name, value in {"sets": vectors.SETS, "limit": 120.0, **PRESETS[options.preset]}.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    wanted = list(options.sides or SIDES)
    unknown = sorted(set(wanted) - set(SIDES))
    if unknown:
        parser.error(f"--sides {' '.join(unknown)}; there are {' '.join(SIDES)}")
    options.sides = [side for side in SIDES if side in wanted or side == "ours"]
    return options


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; 1 if our own answer was wrong or a side of ours failed."""
    options = _options(arguments)
    # For the libraries that are loaded from here on; `processes.pin` checks what came of it.
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(options.threads)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    missing = load_libraries(options.sides)
    machine = _machine(options.device)
    if options.preset == "scan":
        for dimensions in options.dimensions:
            result = alone(measure_scan, dimensions, options.repeats)
            print(json.dumps(result), flush=True)
            keep("scan", str(dimensions), result, machine)
        return 0
    failed = False
    for case in _cases(options):
        print(f"{case.key(options.device)}", flush=True)
        try:
            if options.preset == "training" and options.device == "cpu":
                result = alone(
                    measure_part, case.folder, case.pairs, options.threads, options.budget
                )
                keep("training", case.key("cpu"), {**result, "origin": case.origin}, machine)
                print(json.dumps(result), flush=True)
                continue
            result = measure(case, options, missing)
        except (UnfinishedError, MismatchError) as error:
            print(f"  not kept: {error}", file=sys.stderr, flush=True)
            return 1
        keep("cases", case.key(options.device), result, machine)
        left_out = result["left_out"].items()
        failed |= any(side.startswith("ours") and "failed" in why for side, why in left_out)
    return int(failed)


def _cases(options: argparse.Namespace) -> Iterator[Case]:
    """The cases, their vectors written beforehand and removed after the last one."""
    for kind in options.sets:
        if kind == "real" and options.embeddings is None:
            print("real: left out, no --embeddings of real faces given", flush=True)
            continue
        for dimensions in options.dimensions:
            for rows in options.sizes:
                with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
                    folder = Path(scratch)
                    wanted = (folder, kind, rows, dimensions, options.embeddings)
                    try:
                        origin = alone(vectors.write, *wanted)
                    except UnfinishedError as error:
                        print(f"{kind} {rows}x{dimensions}: left out, {error}", flush=True)
                        continue
                    for pairs in options.pairs:
                        yield Case(kind, rows, dimensions, pairs, folder, origin)


if __name__ == "__main__":
    sys.exit(main())
