"""Large sets of vectors made in memory by all cores, the same on every machine.

**clustered** is that of `benchmarks/vectors.py`. **decaying** stands for a real spectrum where no
folder of embeddings is at hand: identities drawn with the standard deviation (1 + k)^-0.7 in
coordinate k, their faces around them at 0.6 of it, brought to unit norm.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.vectors import CHUNK, JITTER, SEED, Rows, Source, Vectors, clustered, unit


def decaying(groups: Rows, dimensions: int) -> Source:
    """Rows of the identities `groups`, with a spectrum that decays."""
    scale = ((1 + np.arange(dimensions)) ** -0.7).astype(np.float32)
    centres = np.random.default_rng([SEED, dimensions, 7]).standard_normal(
        (int(groups[-1]) + 1, dimensions), np.float32
    )

    def chunk(start: int) -> Vectors:
        identity = groups[start : start + CHUNK]
        own = np.random.default_rng([SEED, dimensions, start, 7])
        rows = own.standard_normal((len(identity), dimensions), np.float32)
        rows *= np.float32(JITTER)
        rows += centres[identity]
        rows *= scale
        return unit(rows)

    return Source(groups, chunk, f"random identities, decaying spectrum, seed {SEED}")


def made(kind: str, groups: Rows, dimensions: int) -> Vectors:
    """All rows of a set, `[N, D]`."""
    make = {"clustered": lambda: clustered(len(groups), dimensions, groups)}
    source = make.get(kind, lambda: decaying(groups, dimensions))()
    rows = np.empty((len(groups), dimensions), np.float32)

    def fill(start: int) -> None:
        rows[start : start + CHUNK] = source.chunk(start)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(fill, range(0, len(groups), CHUNK)))
    return rows
