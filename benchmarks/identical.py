"""Seconds of searches among many equal vectors, and what looking for them costs where none are.

    python benchmarks/identical.py [--before FOLDER]

Each figure is the median of `RUNS` runs in one process, of processor time too, as other work on the
machine lengthens the time on the clock. `--before` names a checkout of another state of the code:
it is measured in turn with this one where nothing is equal, and once where much is.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import numpy as np

WIDTH, FEWER, MORE = 512, 20_000, 100_000
KINDS = {"identical": 1, "20 values": 20}
PAIRS = (1_000, 100_000)
RUNS, ROUNDS = 5, 2
# What takes longer on a processor is run once.
_LONG = 10.0


def main() -> None:
    """Measure, and write `results/identical.json`."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--before", type=Path, help="checkout of the code to compare with")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one[0], int(given.one[1]), int(given.one[2]))))
        return
    import machine

    here, rows = Path(__file__).resolve().parents[1], []
    sides = {"after": here}
    if given.before:
        # It is not asked for what would take it hours.
        sides = {"before": given.before.resolve()} | sides
        rows.append({"side": "before"} | one(sides["before"], "20 values", FEWER, PAIRS[0]))
    for kind in KINDS:
        for pairs in PAIRS:
            for count in (FEWER, MORE):
                rows.append({"side": "after"} | one(here, kind, count, pairs))
    for kind in ("positives", "partners", "neighbours"):
        rows.append({"side": "after"} | one(here, kind, FEWER, PAIRS[0]))
    # Both sides in turn, as what else the machine does changes from minute to minute.
    turns = [
        {"side": name} | one(folder, "ordinary", 50_000, 3_000)
        for _ in range(ROUNDS)
        for name, folder in sides.items()
    ]
    ordinary = {
        name: float(
            np.median([turn["processor_seconds"] for turn in turns if turn["side"] == name])
        )
        for name in sides
    }
    looking = one(here, "looking", 50_000, 3_000)
    machine.keep(
        "identical",
        {
            "width": WIDTH,
            "runs": RUNS,
            "searches": rows,
            "ordinary_processor_seconds": ordinary,
            "ordinary_turns": turns,
            "looking_for_equal_rows": looking,
        },
    )


def one(folder: Path, kind: str, count: int, pairs: int) -> dict[str, object]:
    """What `measure` says in a process of its own that imports the code in `folder`."""
    command = [sys.executable, __file__, "--one", kind, str(count), str(pairs)]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    ended = subprocess.run(command, env=environment, cwd=folder, capture_output=True, check=True)
    found: dict[str, object] = json.loads(ended.stdout)
    print(folder.name, found, file=sys.stderr, flush=True)
    return found


def measure(kind: str, count: int, pairs: int) -> dict[str, object]:
    """Median seconds of one search, and a digest of its answer."""
    import torch  # noqa: F401  (its import is no part of a search)

    work = search_of(kind, count, pairs)
    clock, processor = [], []
    for _ in range(RUNS):
        started, used = time.perf_counter(), time.process_time()
        answer = work()
        clock.append(time.perf_counter() - started)
        processor.append(time.process_time() - used)
        if processor[-1] > _LONG:
            break
    digest = blake2b(digest_size=8)
    for part in answer:
        digest.update(np.ascontiguousarray(part).tobytes())
    return {
        "kind": kind,
        "vectors": count,
        "pairs": pairs,
        "runs": len(clock),
        "seconds": round(float(np.median(clock)), 4),
        "processor_seconds": round(float(np.median(processor)), 4),
        "answer": digest.hexdigest(),
    }


def search_of(kind: str, count: int, pairs: int) -> Callable[[], tuple[np.ndarray, ...]]:
    """The search to be timed."""
    from indexes import FlatIndex

    number = KINDS.get(kind, 1)
    if kind in ("ordinary", "looking"):
        number = count
    rows = np.random.default_rng(0).standard_normal((number, WIDTH), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors, groups = rows[np.arange(count) % number], np.arange(count) // 10
    index = FlatIndex(vectors)
    if kind == "looking":
        from indexes.join.equal import equal_rows

        everything = np.arange(count)
        return lambda: (np.array(equal_rows(vectors, everything) is None),)
    if kind == "neighbours":
        return lambda: neighbours(FlatIndex(vectors).search(vectors, 10))
    if kind == "positives":
        return lambda: columns(index.bottom_pairs(pairs, groups * 0))
    if kind == "partners":
        return lambda: (index.best_of_group(groups * 0),)
    return lambda: columns(index.top_pairs(pairs, groups))


def columns(found: object) -> tuple[np.ndarray, ...]:
    """Rows and scores of an answer."""
    return found.i, found.j, found.scores  # type: ignore[attr-defined]


def neighbours(found: object) -> tuple[np.ndarray, ...]:
    """Rows and scores of neighbours."""
    return found.rows, found.scores  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
