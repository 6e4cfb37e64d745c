"""The join at the size of ZACI-20's training set: a measured part, and a straight line from it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.processes import Gauge, pin

FACES, DIMENSIONS = 1_451_527, 512


class _EnoughError(Exception):
    """The budget is used up."""


def measure_part(folder: Path, pairs: int, threads: int, budget: float) -> dict[str, object]:
    """Run the join for `budget` seconds on the vectors in `folder`, memory-mapped as they are.

    For a process of its own. The time in all is a measurement only where `share_done` is 1;
    otherwise it is the straight line through the first and the last report of progress, and for
    comparison that through the last half of the reports.
    """
    from indexes import FlatIndex

    _, kept = pin(threads)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    groups = np.load(folder / "groups.npy")
    gauge = Gauge()
    FlatIndex(np.array(vectors[:2000])).top_pairs(min(pairs, 1000), groups[:2000])
    reports: list[tuple[float, int]] = []
    total = 0

    def progress(done: int, all_pairs: int) -> None:
        nonlocal total
        total = all_pairs
        reports.append((time.perf_counter() - start, done))
        if reports[-1][0] > budget:
            raise _EnoughError

    start = time.perf_counter()
    try:
        FlatIndex(vectors).top_pairs(pairs, groups, progress=progress)
        finished = True
    except _EnoughError:
        finished = False
    seconds = time.perf_counter() - start
    del kept
    done = reports[-1][1]
    copy = vectors.size * 2 / 2**20
    peak = gauge.peak_mib()
    result: dict[str, object] = {
        "rows": len(vectors),
        "dimensions": vectors.shape[1],
        "pairs": pairs,
        "threads": threads,
        "measured_seconds": round(seconds, 2),
        "seconds_to_first_report": round(reports[0][0], 2),
        "pairs_compared": done,
        "pairs_in_all": total,
        "share_done": round(done / total, 6),
        "peak_mib": round(peak, 1),
        "peak_mib_beyond_bf16_copy": round(peak - copy, 1),
        "reports": [
            [round(at, 2), so_far] for at, so_far in reports[:: max(1, len(reports) // 20)]
        ],
    }
    if finished:
        return {**result, "finished": True, "seconds": round(seconds, 2)}
    return {
        **result,
        "finished": False,
        "extrapolated_seconds": _line(reports, total),
        "extrapolated_seconds_from_last_half": _line(reports[len(reports) // 2 :], total),
    }


def _line(reports: list[tuple[float, int]], total: int) -> float | None:
    """When the straight line through the first and last report reaches `total`."""
    (early, few), (late, many) = reports[0], reports[-1]
    if many == few:
        return None
    return round(late + (total - many) * (late - early) / (many - few), 1)
