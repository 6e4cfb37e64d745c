"""What is left where a command is killed, meets another, or finds the disk full: every one of them.

    python -m benchmarks.durability --parts kills,random,together,disk,fuzz,verdicts

Parts, each of which may be run alone; what the JSON says of the others is then kept:

- kills: every command that writes is killed before every change that it makes of the disk, half-way
  in writes, and after its last change. Readers of its files must then return what was there before
  or what the command makes, whole, or refuse; and the same command must end with the same bytes as
  if nothing had happened, and the same names: no litter. Where several kills leave the same names
  and bytes (but for a process id or chance in names of temporary files), what follows is run once.
- random: the long commands, killed at random times, up to three times one after the other.
- together: two commands in one folder. One waits before a change while the other runs to its end;
  and both at once, with random delays. What they leave must be what they leave one after the other,
  or one is refused by a message that names the other's process.
- disk: the disk is full from each write on. One clear error, old files whole, no new half ones; and
  with room the same command ends as if nothing had happened.
- fuzz, verdicts: see tests/fuzz and benchmarks/durability_verdicts.py.

Kills are SIGKILL of the command and its children, by a library that stands between all code of
the process and the C library (durability_changes.c); without a C compiler, or with --python, by
Python's audit events, which see Python's own changes only. `--commands` takes parts of names of
cases (`--list` shows them; what the JSON says of others is kept); `--every 7` takes every seventh
kill, for a look. Exit status 1: something failed. The first failure of each kind is printed as it
happens.

    python -m benchmarks.durability --parts kills --commands select,export-scores --json kills.json
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pickle
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))  # where the tests have the same checks

from support import crashes  # noqa: E402
from support.crash_cases import CASES, PAIRINGS, prepared  # noqa: E402
from support.disk_changes import Hook, Interposed, get_ready  # noqa: E402

from benchmarks.durability_disk import Preloaded, compiled  # noqa: E402

PARTS = ("kills", "random", "together", "disk", "fuzz", "verdicts")
# Those that a user waits for, each in one of its forms.
LONG = (
    *("build", "embed", "mine", "mine --folds 2", "select", "crop", "detect", "compare"),
    *("evaluate, folds and two models", "suspects", "arrange"),
)
# A case is shared by so many workers where it takes long.
_SHARDS = {"build": 8, "compare": 8, "sample": 2}
_LIBRARY = "LOOKALIKES_CHANGES"


def main() -> None:
    """Run the parts that are asked for, and keep what they found."""
    options = _options()
    if options.list:
        print("\n".join([*(case.name for case in CASES), *(one.name for one in PAIRINGS)]))
        return
    hook = _hook(options.python)
    _import_everything()
    result = _kept(options.json)
    failed = False
    for part in options.parts:
        begun = time.perf_counter()
        found = _RUNS[part](options, hook)
        if options.commands and "cases" in found:
            found = _with_others(result.get(part, {}), found)
        found["seconds"] = round(time.perf_counter() - begun, 1)
        if part in ("kills", "together", "disk", "random"):
            found["seen by"] = type(hook).__name__
        result[part] = found
        failures = found.get("failures", [])
        failed = failed or bool(failures)
        told = {name: value for name, value in found.items() if not isinstance(value, list | dict)}
        print(f"{part}: {told} {found.get('totals', '')} {len(failures)} failures", flush=True)
        _keep(options.json, result)
    sys.exit(1 if failed else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument(
        "--commands", type=lambda text: text.split(","), default=[], help="in names"
    )
    parser.add_argument("--exact", action="store_true", help="names are whole names")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--every", type=int, default=1, help="one of so many kills or full disks")
    parser.add_argument("--alike", action="store_true", help="look again at what was left before")
    parser.add_argument("--count", type=int, default=200, help="random kills of each long command")
    parser.add_argument("--points", type=int, default=8, help="pauses of each pair of commands")
    parser.add_argument("--delays", type=int, default=2, help="random starts of each pair")
    parser.add_argument("--inputs", type=int, default=2000, help="mutated inputs of each reader")
    parser.add_argument("--verdicts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", action="store_true", help="see Python's own changes only")
    parser.add_argument("--json", type=Path, default=None, help="default: benchmarks/results")
    parser.add_argument("--scratch", type=Path, default=None, help="default: /dev/shm, or TMPDIR")
    parser.add_argument("--list", action="store_true", help="show the cases")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    return options


def _hook(plain: bool) -> Hook:
    """What sees the changes; the process is started anew with the library, once."""
    if plain:
        return Interposed()
    if library := os.environ.get(_LIBRARY):
        return Preloaded(Path(library))
    made = compiled(Path(tempfile.mkdtemp(prefix="durability-")))
    if made is None:
        print("no C compiler: Python's own changes only", flush=True)
        return Interposed()
    # One thread a library, or the workers fight for cores; and results must not depend on it.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    os.environ.update(threads, LD_PRELOAD=str(made), **{_LIBRARY: str(made)})
    os.execv(sys.executable, [sys.executable, "-m", "benchmarks.durability", *sys.argv[1:]])
    raise AssertionError("execv does not return")


def _import_everything() -> None:
    """Import what commands import, so that their forks need not."""
    from mining.models.torchvision_ops import import_timm

    import_timm()
    figures = ("matplotlib.figure", "matplotlib.backends.backend_agg")
    others = ("matplotlib.backends.backend_svg", "pyarrow.parquet", "rich.progress")
    for name in (*figures, *others, "faiss", "onnxruntime", "imagehash", "cv2"):
        importlib.import_module(name)
    for package in ("mining", "pairsets", "indexes"):
        for found in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        ):
            importlib.import_module(found.name)
    get_ready()


def _kept(path: Path | None) -> dict[str, Any]:
    from benchmarks.machine import RESULTS, describe

    path = path or RESULTS / "durability.json"
    try:
        kept = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        kept = {}
    return {**kept, "benchmark": "durability", "machine": describe()}


def _keep(path: Path | None, result: dict[str, Any]) -> None:
    from benchmarks.machine import RESULTS
    from pairsets.storage.artefacts import write_json

    write_json(path or RESULTS / "durability.json", result)


def _with_others(before: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """What was found of some cases, with what an earlier run says of the others."""
    others = {
        name: counts
        for name, counts in before.get("cases", {}).items()
        if name not in found["cases"]
    }
    failures = [one for one in before.get("failures", []) if one["case"] in others]
    failures += found["failures"]
    totals = Counter[str]()
    for counts in (*others.values(), *found["cases"].values()):
        totals.update(counts)
    return {
        "totals": dict(sorted(totals.items())),
        "cases": dict(sorted({**others, **found["cases"]}.items())),
        "kinds of failures": dict(Counter(one["kind"] for one in failures)),
        "failures": failures,
    }


Task = tuple[str, Callable[[crashes.Place], crashes.Found]]


def _shared(options: argparse.Namespace, hook: Hook, tasks: Sequence[Task]) -> dict[str, Any]:
    """Run tasks in forked workers, each with a place of its own; what they found, by case."""
    shm = Path("/dev/shm")
    parent = options.scratch or (shm if shm.is_dir() else None)
    root = Path(tempfile.mkdtemp(prefix="durability-", dir=parent))
    reading, writing = os.pipe()
    # Each worker takes the next number; a pipe hands each out once.
    os.write(writing, b"".join(number.to_bytes(4) for number in range(len(tasks))))
    os.close(writing)
    workers = []
    try:
        for number in range(options.workers):
            pid = os.fork()
            if pid == 0:
                _work(root / str(number), hook, tasks, reading)
            workers.append(pid)
        broken = [pid for pid in workers if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]
        totals, by_case = crashes.Found(), dict[str, dict[str, int]]()
        for number in range(options.workers):
            with (root / str(number) / "found").open("rb") as stream:
                while True:
                    try:
                        name, found = pickle.load(stream)
                    except EOFError:
                        break
                    totals.add(found)
                    of = by_case.setdefault(name, {})
                    for what, count in found.counts.items():
                        of[what] = of.get(what, 0) + count
        for pid in broken:
            totals.failures.append(crashes.Failure("-", "-", "harness", f"worker {pid} died"))
        return {
            "totals": dict(sorted(totals.counts.items())),
            "cases": dict(sorted(by_case.items())),
            "kinds of failures": dict(Counter(one.kind for one in totals.failures)),
            "failures": [asdict(one) for one in totals.failures],
        }
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _work(root: Path, hook: Hook, tasks: Sequence[Task], reading: int) -> None:
    """Be a worker: never returns."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        root.mkdir(parents=True)
        stream = (root / "found").open("wb")
        place = prepared(root, hook)
        while number := os.read(reading, 4):
            name, task = tasks[int.from_bytes(number)]
            begun = time.perf_counter()
            try:
                found = task(place)
            except Exception as error:
                broken = crashes.Failure(name, "-", "harness", f"{error}"[:1000])
                found = crashes.Found(failures=[broken])
            pickle.dump((name, found), stream)
            stream.flush()
            first = {one.kind: one for one in reversed(found.failures)}
            told = "".join(
                f"\n    {kind} ({sum(one.kind == kind for one in found.failures)}): "
                f"{one.disturbed}: {one.wrong}"[:700]
                for kind, one in sorted(first.items())
            )
            print(
                f"{time.strftime('%H:%M:%S')} {name}: {found.counts} {len(found.failures)} failures"
                f" in {time.perf_counter() - begun:.0f} s{told}",
                flush=True,
            )
        stream.close()
        os._exit(0)
    except BaseException as error:
        print(f"a worker died: {type(error).__name__}: {error}", flush=True)
        os._exit(1)


# What a worker knows of a case that it has begun; the last one alone.
_plain: dict[tuple[str, str], crashes.Undisturbed] = {}


def _begun(place: crashes.Place, case: crashes.Case) -> crashes.Undisturbed:
    key = (str(place.folder), case.name)
    if key not in _plain:
        _plain.clear()
        _plain[key] = crashes.undisturbed(place, case)
    return _plain[key]


def _chosen(options: argparse.Namespace, name: str) -> bool:
    if options.exact:
        return name in options.commands
    return not options.commands or any(part in name for part in options.commands)


def _tasks(
    options: argparse.Namespace,
    check: Callable[[crashes.Place, crashes.Case, int, int], crashes.Found],
    cases: Sequence[crashes.Case] = CASES,
) -> list[Task]:
    tasks: list[Task] = []
    for case in cases:
        if not _chosen(options, case.name):
            continue
        shards = _SHARDS.get(case.name.split(",")[0].split()[0], 1)
        for shard in range(shards):

            def task(
                place: crashes.Place,
                case: crashes.Case = case,
                shard: int = shard,
                shards: int = shards,
            ) -> crashes.Found:
                return check(place, case, shard, shards)

            tasks.append((case.name, task))
    return tasks


def kills(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `kills`."""

    def check(place: crashes.Place, case: crashes.Case, shard: int, shards: int) -> crashes.Found:
        plain = _begun(place, case)
        points = crashes.kill_points(plain.changes)
        mine = points[shard :: shards * options.every]
        return crashes.kills(place, case, plain, mine, alike=options.alike)

    return _shared(options, hook, _tasks(options, check))


def disk(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `disk`."""

    def check(place: crashes.Place, case: crashes.Case, shard: int, shards: int) -> crashes.Found:
        plain = _begun(place, case)
        points = crashes.full_points(plain.changes)
        return crashes.full_disk(place, case, plain, points[shard :: shards * options.every])

    return _shared(options, hook, _tasks(options, check))


def random(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `random`."""
    cases = [case for case in CASES if case.name in LONG]

    def check(place: crashes.Place, case: crashes.Case, shard: int, shards: int) -> crashes.Found:
        plain = _begun(place, case)
        count = options.count // shards + (shard < options.count % shards)
        seed = f"{options.seed} {case.name} {shard}"
        return crashes.random_kills(place, case, plain, count, seed)

    return _shared(options, hook, _tasks(options, check, cases))


def together(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `together`."""
    tasks: list[Task] = []
    for pairing in PAIRINGS:
        if _chosen(options, pairing.name):

            def task(place: crashes.Place, pairing: crashes.Pairing = pairing) -> crashes.Found:
                return crashes.together(
                    place,
                    pairing,
                    points=options.points,
                    delays=options.delays,
                    seed=f"{options.seed} {pairing.name}",
                )

            tasks.append((pairing.name, task))
    return _shared(options, hook, tasks)


def fuzz(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `fuzz`: mutated inputs over all readers."""
    from fuzz.damaging import fuzz as run

    return dict(run(inputs_per_reader=options.inputs, seed=options.seed))


def verdicts(options: argparse.Namespace, hook: Hook) -> dict[str, Any]:
    """Part `verdicts`: whether one that was acknowledged is ever lost."""
    try:
        from benchmarks.durability_verdicts import acknowledged_verdicts
    except ImportError as error:
        return {"skipped": f"no benchmarks/durability_verdicts.py: {error}"}
    return dict(acknowledged_verdicts(verdicts=options.verdicts, kills=30))


_RUNS: dict[str, Callable[[argparse.Namespace, Hook], dict[str, Any]]] = {
    "kills": kills,
    "random": random,
    "together": together,
    "disk": disk,
    "fuzz": fuzz,
    "verdicts": verdicts,
}

if __name__ == "__main__":
    main()
