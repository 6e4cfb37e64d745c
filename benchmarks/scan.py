"""Seconds of one tile's product and of its scan, alone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from benchmarks.processes import pin
from indexes.join.best import one_by_one

TILE = 2048
# Long enough for the clock, short enough to alternate often.
_CALLS = 20


def measure_scan(dimensions: int, repeats: int) -> dict[str, object]:
    """Product and scan of a 2,048 x 2,048 tile by one thread, as a worker of the join does them.

    Both by the join's own `Scanner`, in bfloat16, called many times and in turn. About two in a
    million reach the threshold, what a search with its threshold settled sees. For a process of
    its own.
    """
    import torch

    from indexes.join.filters import rounded16
    from indexes.join.scan import Scanner
    from indexes.join.tiles import Tile

    _, kept = pin(1)
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((2 * TILE, dimensions), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    tile = Tile(slice(0, TILE), slice(TILE, 2 * TILE))
    lengths = np.ones(2 * TILE)
    bound = rounded16(rows, np.arange(2 * TILE), lengths, "cpu", one_by_one)
    scanner = Scanner(tile.area)
    shape = scanner.multiply(bound, tile)
    products = scanner.products.to(torch.float32).numpy()
    threshold = float(np.partition(products, -8)[-8])

    parts: dict[str, Callable[[], object]] = {
        "product": lambda: scanner.multiply(bound, tile),
        "scan": lambda: scanner.compact(shape, threshold),
    }
    for part in parts.values():
        part()
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for repeat in range(repeats + 1):
        for name, part in parts.items():
            start = time.perf_counter()
            for _ in range(_CALLS):
                part()
            if repeat:  # the first warms up
                seconds[name].append((time.perf_counter() - start) / _CALLS)
    del kept
    medians = {name: statistics.median(runs) for name, runs in seconds.items()}
    return {
        "tile": [TILE, TILE, dimensions],
        "threads": 1,
        **{f"{name}_microseconds": round(1e6 * value, 1) for name, value in medians.items()},
        "scan_over_product": round(medians["scan"] / medians["product"], 3),
    }
