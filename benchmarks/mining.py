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

Results of several runs gather in `results/mining.json`, those of each kind of machine by
themselves; a case run again on the same kind replaces itself.
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

from benchmarks import previous, vectors
from benchmarks.cases import Case, measure
from benchmarks.exactness import MismatchError
from benchmarks.machine import RESULTS, describe
from benchmarks.peers import SIDES
from benchmarks.processes import UnfinishedError, alone, load_libraries
from benchmarks.scan import measure_scan
from benchmarks.training import DIMENSIONS, FACES, measure_part
from pairsets.storage.artefacts import installed, write_text

OUTPUT = RESULTS / "mining.json"
Preset = dict[str, Any]
# A preset is one grid of cases, or several one after another.
PRESETS: dict[str, tuple[Preset, ...]] = {
    "quick": ({"sizes": [2006], "dimensions": [512], "pairs": [3000]},),
    "headline": (
        {"sizes": [50_000], "dimensions": [512], "pairs": [3000]},
        {
            "sizes": [200_000], "dimensions": [512], "pairs": [3000], "sets": ["real"],
            "sides": ["ours", "previous", "bare-int8"],
        },
    ),
    "growth": (
        {"sizes": [20_000, 50_000, 100_000, 200_000], "dimensions": [512], "pairs": [3000]},
    ),
    "table": (
        {
            "sizes": [2006, 20_000, 50_000, 200_000], "dimensions": [128, 512, 2048],
            "pairs": [3000, 100_000], "limit": 60.0,
        },
    ),
    "training": (
        {"sizes": [FACES], "dimensions": [DIMENSIONS], "pairs": [3000], "sets": ["clustered"]},
    ),
    "scan": ({"dimensions": [128, 512, 2048]},),
}  # fmt: skip
PARTS = ("cases", "training", "scan")


def keep(part: str, key: str, result: dict[str, Any], machine: dict[str, Any]) -> None:
    """Put one result into `results/mining.json`, with the machine it was measured on.

    Results lie under the kind of machine (`kind_of`); what exactly it was and had installed stands
    in `machines`, by the name in the result.
    """
    content: dict[str, Any] = {"benchmark": "mining", "machines": {}, "cases": {}}
    if OUTPUT.exists():
        content |= json.loads(OUTPUT.read_text(encoding="utf-8"))
    name = hashlib.sha256(json.dumps(machine, sort_keys=True).encode()).hexdigest()[:8]
    results = content.setdefault(part, {}).setdefault(kind_of(machine), {})
    results[key] = {**result, "machine": name}
    content["machines"][name] = machine
    kinds = [kind for each in PARTS for kind in content.get(each, {}).values()]
    used = {entry["machine"] for entries in kinds for entry in entries.values()}
    content["machines"] = {name: content["machines"][name] for name in sorted(used)}
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    # Lists of numbers and names on one line each.
    text = re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text)
    write_text(OUTPUT, text.replace("[ ", "[").replace(" ]", "]") + "\n")


def kind_of(machine: dict[str, Any]) -> str:
    """A kind of machine in words: processor, its widest units, cores, GPU."""
    features = machine["features"]
    units = {"amx_tile": "AMX", "avx512f": "AVX512", "avx2": "AVX2"}
    widest = next((unit for name, unit in units.items() if name in features), None)
    parts = [machine["processor"], widest, f"{machine['cores']} cores", machine.get("gpu")]
    return ", ".join(part for part in parts if part)


def _machine(device: str) -> dict[str, Any]:
    machine: dict[str, Any] = dict(describe())
    peers = (
        "faiss-gpu", "sentence-transformers", "transformers", "numba", "triton", "numkong",
        "torchdr",
    )  # fmt: skip
    machine["versions"] = {**machine["versions"], **installed(*peers)}
    if "numkong" in sys.modules:
        capabilities = sys.modules["numkong"].get_capabilities()
        machine["numkong_kernels"] = [name for name, there in capabilities.items() if there]
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
    options.previous = None  # Python of the previous build, once it is there
    unknown = sorted(set(options.sides or ()) - set(SIDES))
    if unknown:
        parser.error(f"--sides {' '.join(unknown)}; there are {' '.join(SIDES)}")
    return options


def _grids(options: argparse.Namespace) -> list[argparse.Namespace]:
    """The options of each grid of the preset; what the command line says goes for all of them."""
    grids = []
    for preset in PRESETS[options.preset]:
        grid = argparse.Namespace(**vars(options))
        defaults = {"sets": vectors.SETS, "limit": 120.0, "sides": list(SIDES)}
        for name, value in {**defaults, **preset}.items():
            if getattr(grid, name) is None:
                setattr(grid, name, value)
        grid.sides = [side for side in SIDES if side in grid.sides or side == "ours"]
        grids.append(grid)
    return grids


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for; 1 if our own answer was wrong or a side of ours failed."""
    options = _options(arguments)
    grids = _grids(options)
    # For the libraries that are loaded from here on; `processes.pin` checks what came of it.
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = str(options.threads)
    if options.device == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sides = [side for side in SIDES if any(side in grid.sides for grid in grids)]
    missing = {} if options.preset == "scan" else load_libraries(sides)
    if "previous" in sides and options.preset not in ("scan", "training"):
        try:
            options.previous = previous.install(options.scratch)
        except previous.PreviousError as error:
            missing["previous"] = str(error)
    machine = _machine(options.device)
    if options.preset == "scan":
        for dimensions in grids[0].dimensions:
            result = alone(measure_scan, dimensions, options.repeats)
            print(json.dumps(result), flush=True)
            keep("scan", str(dimensions), result, machine)
        return 0
    failed, done = False, set[str]()
    for grid in grids:
        grid.previous = options.previous
        failed |= bool(_measure(grid, missing, machine, done))
    return int(failed)


def _measure(
    options: argparse.Namespace, missing: dict[str, str], machine: dict[str, Any], done: set[str]
) -> int:
    """Measure one grid of cases but those in `done`, which it adds to."""
    failed = False
    for case in _cases(options):
        key = case.key(options.device)
        if key in done:
            print(f"{key}: done already", flush=True)
            continue
        done.add(key)
        print(key, flush=True)
        try:
            if options.preset == "training" and options.device == "cpu":
                result = alone(
                    measure_part, case.folder, case.pairs, options.threads, options.budget
                )
                keep("training", key, {**result, "origin": case.origin}, machine)
                print(json.dumps(result), flush=True)
                continue
            result = measure(case, options, missing)
        except (UnfinishedError, MismatchError) as error:
            print(f"  not kept: {error}", file=sys.stderr, flush=True)
            return 1
        keep("cases", key, result, machine)
        print(f"  {json.dumps(result['ratios'])}", flush=True)
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
