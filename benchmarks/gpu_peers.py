"""Other ways to exact neighbours on a GPU, on a sample of the rows; one left out says why."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.vectors import Vectors

NEIGHBOURS = 100


def seconds(work: Callable[[], object], synchronize: Callable[[], object], runs: int) -> float:
    """Median of several runs, behind one that is not counted."""
    work()
    synchronize()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def torch_topk(rows: Vectors, queries: Vectors, device: str) -> Callable[[], object]:
    """Products in bfloat16 and the largest of each row, by torch."""
    import torch

    every = torch.from_numpy(rows).to(device, torch.bfloat16)
    some = torch.from_numpy(queries).to(device, torch.bfloat16)
    count = min(NEIGHBOURS, len(rows))

    def work() -> object:
        return [(part @ every.T).topk(count) for part in some.split(2048)]

    return work


def faiss_flat(rows: Vectors, queries: Vectors, device: str) -> Callable[[], object]:
    """FAISS's flat index on the device, in float32."""
    import faiss

    if device == "cpu":
        index: Any = faiss.IndexFlatIP(rows.shape[1])
    elif not hasattr(faiss, "StandardGpuResources"):
        raise ImportError("this FAISS is built without CUDA: faiss-gpu is not installed")
    else:
        resources = faiss.StandardGpuResources()
        index = faiss.GpuIndexFlatIP(resources, rows.shape[1])
    index.add(rows)
    return lambda: index.search(queries, min(NEIGHBOURS, len(rows)))


def cuvs_brute_force(rows: Vectors, queries: Vectors, device: str) -> Callable[[], object]:
    """Brute force of cuVS, in float32."""
    import cupy
    from cuvs.neighbors import brute_force

    index = brute_force.build(cupy.asarray(rows), metric="inner_product")
    some = cupy.asarray(queries)
    return lambda: brute_force.search(index, some, min(NEIGHBOURS, len(rows)))


def torchdr_neighbours(rows: Vectors, queries: Vectors, device: str) -> Callable[[], object]:
    """Exact neighbours of all rows by TorchDR, which takes no queries: on as many rows as those."""
    import torch
    from torchdr.distance import pairwise_distances

    some = torch.from_numpy(queries).to(device)
    count = min(NEIGHBOURS, len(queries) - 1)
    return lambda: pairwise_distances(some, metric="angular", k=count, exclude_diag=True)


PEERS: dict[str, Callable[[Vectors, Vectors, str], Callable[[], object]]] = {
    "torch product and topk, bfloat16": torch_topk,
    "FAISS flat, float32": faiss_flat,
    "cuVS brute force, float32": cuvs_brute_force,
    "TorchDR, float32": torchdr_neighbours,
}


def measured(
    name: str, rows: Vectors, queries: int, device: str, synchronize: Callable[[], object]
) -> dict[str, object]:
    """Seconds of a peer for a sample of queries, and what they make of all rows."""
    some = np.ascontiguousarray(rows[:: max(1, len(rows) // queries)][:queries])
    try:
        work = PEERS[name](rows, some, device)
        found = seconds(work, synchronize, 3)
    # Whatever keeps it from running is its reason.
    except Exception as error:
        return {"left_out": f"{type(error).__name__}: {error}"[:300]}
    share = len(some) * (len(some) if name.startswith("TorchDR") else len(rows))
    return {
        "queries": len(some),
        "median_seconds": found,
        "predicted_seconds_of_all": found * len(rows) ** 2 / share,
    }
