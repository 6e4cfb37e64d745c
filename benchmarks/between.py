"""Seconds of the best pairs between two sets, beside those of as many pairs within one.

    python benchmarks/between.py

The rows are *clustered* (`benchmarks/vectors.py`), shuffled, so that most identities are in both
sets. Sides take turns in one process, after a first round that does not count; each figure is the
median of `RUNS`. FAISS is asked for each row's `K` nearest of the other set, whose pairs of
different identities are then sorted: what it misses of the exact answer is counted. Of the first
shape the answer is compared with the search of both sets as one, and of that the pairs between
them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import machine
import numpy as np
import vectors as worlds

from indexes import FlatIndex, TwoSets
from indexes.store import faiss

WIDTH, PAIRS, RUNS, K = 512, 3_000, 3, 100
SHAPES = ((20_000, 20_000), (2_000, 200_000))


def main() -> None:
    """Measure all shapes, and write `results/between.json`."""
    machine.keep(
        "between",
        {"width": WIDTH, "pairs": PAIRS, "runs": RUNS, "k": K, "shapes": [*map(measure, SHAPES)]},
    )


def measure(shape: tuple[int, int]) -> dict[str, object]:
    """Median seconds of each side at one shape, and what each misses."""
    rows, groups = world(sum(shape))
    left, right = rows[: shape[0]], rows[shape[0] :]
    ours, theirs = groups[: shape[0]], groups[shape[0] :]
    # As many rows as have as many pairs among themselves.
    count = round((2 * shape[0] * shape[1]) ** 0.5)
    one, of_one = world(count)
    sides: dict[str, Callable[[], object]] = {
        "two sets": lambda: TwoSets(left, right).top_pairs(PAIRS, (ours, theirs)),
        "one set": lambda: FlatIndex(one).top_pairs(PAIRS, of_one),
        "faiss": lambda: by_neighbours(left, right, ours, theirs),
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(RUNS + 1):
        # Nobody always comes after the same other one, whose threads may still be spinning.
        turn = [*sides.items()]
        for name, work in turn[number % len(turn) :] + turn[: number % len(turn)]:
            started = time.perf_counter()
            work()
            if number:
                seconds[name].append(time.perf_counter() - started)
    found = TwoSets(left, right).top_pairs(PAIRS, (ours, theirs))
    exact = {*zip(found.i.tolist(), found.j.tolist(), strict=True)}
    near = by_neighbours(left, right, ours, theirs)
    result = {
        "rows": shape,
        "rows_of_one_set": count,
        "seconds": {name: round(float(np.median(runs)), 4) for name, runs in seconds.items()},
        "missed_by_faiss": len(exact - near),
    }
    if shape == SHAPES[0]:
        result["equal_to_the_search_of_both_as_one"] = exact == by_union(rows, groups, shape[0])
    return result


def world(count: int) -> tuple[worlds.Vectors, worlds.Rows]:
    """Rows of random identities, shuffled, and whose they are."""
    source = worlds.clustered(count, WIDTH)
    rows = np.concatenate([chunk for _, chunk in source.chunks()])
    order = np.random.default_rng(0).permutation(count)
    return np.ascontiguousarray(rows[order]), source.groups[order]


def by_neighbours(
    left: worlds.Vectors, right: worlds.Vectors, ours: worlds.Rows, theirs: worlds.Rows
) -> set[tuple[int, int]]:
    """The best pairs among each row's nearest of the other set, by FAISS."""
    index = faiss().IndexFlatIP(WIDTH)
    index.add(right)
    scores, found = index.search(left, K)
    i, j = np.repeat(np.arange(len(left)), K), found.ravel()
    kept = np.flatnonzero(ours[i] != theirs[j])
    order = kept[np.argsort(-scores.ravel()[kept], kind="stable")[:PAIRS]]
    return {*zip(i[order].tolist(), j[order].tolist(), strict=True)}


def by_union(rows: worlds.Vectors, groups: worlds.Rows, split: int) -> set[tuple[int, int]]:
    """The best pairs between both sets, out of those of one: as deep as that takes."""
    asked = 2 * PAIRS
    while True:
        found = FlatIndex(rows).top_pairs(asked, groups)
        between = np.flatnonzero((found.i < split) & (found.j >= split))
        if len(between) >= PAIRS or len(found) < asked:
            i, j = found.i[between[:PAIRS]], found.j[between[:PAIRS]] - split
            return {*zip(i.tolist(), j.tolist(), strict=True)}
        asked *= 4


if __name__ == "__main__":
    main()
