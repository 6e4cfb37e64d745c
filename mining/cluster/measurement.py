"""Rate of the join on this machine, by a few seconds of it: tiles, filters, scan and all."""

from __future__ import annotations

import os
import platform
import time

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex
from indexes.join import SearchOptions
from mining.cluster.rates import JoinRate

# Rows of the two joins whose difference is taken: what a search takes once does not count then.
_FEW, _MANY = 12_288, 36_864
# Faces of an identity, and their noise beside vectors of length 1.
_FACES, _NOISE = 10, 0.7
_PAIRS = 3000
_REPEATS = 3


def measure_join(
    dim: int, *, rows: tuple[int, int] = (_FEW, _MANY), options: SearchOptions | None = None
) -> JoinRate:
    """Time the join of random clustered vectors, on all cores at once.

    Counted is the time that the processor worked, so that what else runs here meanwhile takes
    little from the rate.

    Args:
        dim: of the vectors.
        rows: of a smaller and a larger join; the rate is that of the pairs between them.
        options: of the search; by default on the processor.
    """
    options = options or SearchOptions(device="cpu")
    # What is loaded and measured once, such as the fastest kernel, is over before.
    _work(2048, dim, options)
    # The least of a few: what else runs takes caches and clocks, too, never gives any.
    few, many = (min(_work(count, dim, options) for _ in range(_REPEATS)) for count in rows)
    pairs = _pairs(rows[1]) - _pairs(rows[0])
    operations = 2.0 * dim * pairs / max(many - few, 1e-6)
    return JoinRate(
        name="this machine",
        per="core",
        operations=operations,
        low_bytes=1,
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        source=f"measured now: joins of {rows[0]:,} and {rows[1]:,} random clustered vectors",
        measured=True,
    )


def clustered(rows: int, dim: int, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Random vectors of unit length around random identities, `[rows, dim]`, and who each is of."""
    rng = np.random.default_rng(seed)
    groups = np.arange(rows) // _FACES
    centres = rng.standard_normal((groups[-1] + 1, dim), np.float32)
    vectors = centres[groups] + _NOISE * rng.standard_normal((rows, dim), np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), groups


def _work(rows: int, dim: int, options: SearchOptions) -> float:
    """Seconds of processor time that the join of so many rows takes."""
    vectors, groups = clustered(rows, dim)
    index = FlatIndex(vectors)
    start = time.process_time()
    index.top_pairs(_PAIRS, groups, how=options)
    return time.process_time() - start


def _pairs(rows: int) -> int:
    return rows * (rows - 1) // 2
