"""What it costs to count all pairs, and that the counts are right.

The DET from a FAR of 1e-3 down to one pair in all, exact thresholds and intervals by identity
included (`take_census` with `full=False`), beside

- `top_pairs` of the best 3,000 pairs of the same vectors, the search that it is made of;
- FAISS: `IndexFlatIP.range_search` from the score at that FAR on, which it is told, and the counts
  at each FAR of what is found;
- PyTorch: a loop over tiles that counts at the thresholds, which it is told, with as many threads.

The full census (EER, AUC, FPR at an FNR) is timed, too. All sides in one run, medians of `--runs`.

**exact** compares every operating point of up to 20,000 faces with all scores in float64: the
errors at its threshold, and that one error more would be above the target.

    python -m benchmarks.census EMBEDDINGS [--size 50000] [--runs 3] [--exact 2000 20000]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import faiss
import numpy as np
import torch

from benchmarks.machine import keep
from benchmarks.vectors import SETS, write
from indexes import FlatIndex, pair_scores
from mining.embeddings.store import Embeddings
from mining.scores.census import take_census
from pairsets.evaluation.census import Census
from pairsets.faces import Faces

WIDTH, PAIRS, TILE = 512, 3000, 2048


def embedded(folder: Path) -> Embeddings:
    """The vectors in a folder as embeddings, in the order of their groups."""
    vectors, groups = (np.load(folder / f"{name}.npy") for name in ("vectors", "groups"))
    order = np.argsort(groups, kind="stable")
    paths = [f"{group:07}/{row:07}.png" for row, group in enumerate(groups[order].tolist())]
    manifest = {"model": "m", "fingerprint": "m", "similarity": "cosine"}
    faces = Faces.of_paths(Path("faces"), paths)
    return Embeddings(faces, np.ascontiguousarray(vectors[order]), manifest, folder)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds that work takes, and what it gives."""
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def by_faiss(world: Embeddings, cuts: Sequence[float]) -> list[int]:
    """Pairs of two identities that reach each threshold, by range search from the lowest on."""
    groups = world.faces.groups
    index = faiss.IndexFlatIP(world.vectors.shape[1])
    index.add(world.vectors)
    counts = np.zeros(len(cuts), np.int64)
    for start in range(0, len(world), TILE):
        part = slice(start, start + TILE)
        limits, scores, rows = index.range_search(world.vectors[part], float(cuts[-1]))
        mine = np.repeat(
            np.arange(start, start + len(limits) - 1), np.diff(limits).astype(np.int64)
        )
        kept = scores[(rows > mine) & (groups[rows] != groups[mine])]
        counts += [int(np.count_nonzero(kept >= np.float32(cut))) for cut in cuts]
    return [int(count) for count in counts]


def by_torch(world: Embeddings, cuts: Sequence[float]) -> list[int]:
    """The same by a loop over the tiles of the upper triangle."""
    vectors = torch.from_numpy(np.asarray(world.vectors))
    groups = torch.from_numpy(world.faces.groups)
    counts = [0] * len(cuts)
    for top in range(0, len(vectors), TILE):
        for side in range(top, len(vectors), TILE):
            product = vectors[top : top + TILE] @ vectors[side : side + TILE].T
            same = groups[top : top + TILE, None] == groups[side : side + TILE]
            product[same] = -2.0
            if side == top:
                product = product.triu(1) + torch.full_like(product, -4.0).tril(0)
            for at, cut in enumerate(cuts):
                counts[at] += int((product >= cut).sum())
    return counts


def speed(world: Embeddings, runs: int) -> dict[str, Any]:
    """Seconds of all sides, and how far the counts of the others are off by rounding."""
    groups, index = world.faces.groups, FlatIndex(world.vectors)
    index.top_pairs(10, groups)
    times: dict[str, list[float]] = {}
    off: dict[str, int] = {}
    points: Census | None = None
    for _ in range(runs):
        taken, _ = seconds(lambda: index.top_pairs(PAIRS, groups))
        times.setdefault("top_pairs", []).append(taken)
        taken, points = seconds(lambda: take_census(world, full=False))
        times.setdefault("census from FAR 1e-3 down", []).append(taken)
        shown = [one for one in points.points if one.fixed == "fpr"]
        shown.sort(key=lambda one: one.accepted)
        cuts = [one.threshold for one in shown]
        for name, work in (("faiss", by_faiss), ("torch", by_torch)):
            taken, found = seconds(lambda work=work, cuts=cuts: work(world, cuts))  # type: ignore[misc]
            times.setdefault(name, []).append(taken)
            apart = [abs(a - one.accepted) for a, one in zip(found, shown, strict=True)]
            off[name] = max(apart)
    taken, _ = seconds(lambda: take_census(world, full=True))
    middle = {name: median(values) for name, values in times.items()}
    mine = middle["census from FAR 1e-3 down"]
    assert points is not None
    return {
        "seconds": {name: round(value, 3) for name, value in middle.items()},
        "full_census_seconds": round(taken, 2),
        "times_top_pairs": round(mine / middle["top_pairs"], 2),
        "faiss_over_census": round(middle["faiss"] / mine, 2),
        "torch_over_census": round(middle["torch"] / mine, 2),
        "pairs_in_the_tail": max(one.accepted for one in points.points),
        "largest_difference_of_counts": off,
    }


def exact(world: Embeddings) -> dict[str, Any]:
    """Every operating point against all scores in float64."""
    found = take_census(world, full=True)
    rows = world.vectors.astype(np.float64)
    groups, count = world.faces.groups, len(world)
    cuts = [one.threshold for one in found.points]
    totals = np.zeros((len(cuts), 2), np.int64)
    for start in range(0, count, 512):
        product = rows[start : start + 512] @ rows[start:].T
        mine = np.arange(start, min(start + 512, count))
        upper = mine[:, None] < np.arange(start, count)
        same = groups[mine][:, None] == groups[start:]
        for at, cut in enumerate(cuts):
            near = np.nonzero((np.abs(product - cut) < 1e-10) & upper)
            scores = pair_scores(world.vectors, world.vectors, mine[near[0]], near[1] + start)
            product[near] = scores
            reached = product >= cut
            for kind, mask in enumerate((upper & ~same, upper & same)):
                totals[at, kind] += int(np.count_nonzero(reached & mask))
    wrong = 0
    for at, one in enumerate(found.points):
        population = found.population
        right = int(totals[at, 0]) == one.accepted
        right &= population.positives - int(totals[at, 1]) == one.missed
        if one.fixed == "fpr":
            # One more pair of two identities would be too many.
            right &= one.accepted / population.negatives <= one.target
            right &= (one.accepted + 1) / population.negatives > one.target
        if one.fixed == "fnr":
            right &= one.missed / population.positives <= one.target
            right &= (one.missed + 1) / population.positives > one.target
        wrong += not right
    return {"faces": count, "points": len(cuts), "wrong": wrong}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("embeddings", type=Path)
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--exact", type=int, nargs="*", default=[2000, 20_000])
    options = parser.parse_args(arguments)
    result: dict[str, Any] = {"vectors": options.size, "dimensions": WIDTH, "runs": options.runs}
    with tempfile.TemporaryDirectory() as place:
        for kind in SETS:
            folder = Path(place) / kind
            folder.mkdir()
            write(folder, kind, options.size, WIDTH, options.embeddings)
            result[kind] = speed(embedded(folder), options.runs)
        result["exact"] = []
        for count in options.exact:
            for kind in SETS:
                folder = Path(place) / f"{kind}-{count}"
                folder.mkdir()
                write(folder, kind, count, WIDTH, options.embeddings)
                result["exact"].append({"set": kind, **exact(embedded(folder))})
    keep("census", result)


if __name__ == "__main__":
    main()
