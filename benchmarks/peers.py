"""The sides of the comparison: ours, the peers, and the bare product that bounds them all.

A side is started on a job, which prepares what is not measured (for most nothing), and gives a
call to be timed: from float32 vectors in memory to the best pairs of different identities.

- **faiss-knn**: the usual recipe, exact k-NN with k = 100, then filter. A pair counts if either of
  its rows lists the other. Of 2 n listings n pairs are left at least, so no more are de-duplicated.
- **faiss-range**: `range_search_max_results` with FAISS's own iterator over the queries. It knows
  no identities, so it needs a radius that leaves room for the pairs to be filtered out. The fair
  start: 1,000 random rows against all say at which score about 4 n pairs of different identities
  stand, and how many results lie above it in all; the cap is four times that (its radius shrinks
  to twice that if it is met). Finding the radius is part of its time.
- **faiss-panorama**: k-NN as above by FAISS's own pruning with Cauchy-Schwarz bounds, as its own
  benchmark sets it up: PCA, 8 levels, batches of 512. By L2 distance, which PCA keeps: it takes the
  mean away, so that inner products after it are others. Training is part of its time.
- **torchdr**: k-NN as above by TorchDR's exact plan.
- **sentence-transformers**: `paraphrase_mining_embeddings` as it ships, then filter.
- **original**: ZACI-20's procedure (`benchmarks/original.py`), N x N x D numbers at once.
- **torch-fp32**: upper-triangle tiles, compared with the n-th best score so far, merged by topk.
- **numkong-f32, -bf16, -int8**: such tiles by NumKong's kernels (`benchmarks/numkong_tiles.py`).
- **previous**: ours of an earlier commit, in an environment of its own (`benchmarks/previous.py`).
- **bare-int8, -bf16, -fp32**: the products of the triangle's tiles and nothing else, into a re-used
  buffer that nobody reads, vectors converted beforehand, in the fastest of a few ways (tile size;
  all threads in one product or one product a thread): what this machine's matrix product allows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.jobs import Answer, Job, Side, Work
from benchmarks.numkong_tiles import numkong
from benchmarks.original import PAIRS as ORIGINAL_PAIRS
from benchmarks.original import mine_original
from benchmarks.products import bare, torch_fp32
from benchmarks.vectors import Rows

K = 100
_SAMPLE = 1000


def ours(**switches: Any) -> Callable[[Job], Work]:
    """The exact join, index construction included, with some of its switches set."""

    def start(job: Job) -> Work:
        from indexes import FlatIndex, join
        from indexes.base import as_groups

        def work() -> Answer:
            index = FlatIndex(job.vectors)
            if job.device == "cpu" and not switches:
                best = index.top_pairs(job.pairs, job.groups)
            else:
                # What the index calls, which has no switches of its own.
                groups = as_groups(job.groups, len(index))
                how = join.SearchOptions(device=job.device, **switches)
                best = join.top_pairs(index.vectors, groups, job.pairs, how=how)
            return Answer(best.i, best.j, best.scores)

        return work

    return start


def faiss_knn(job: Job) -> Work:
    """k-NN with k = 100, then filter."""

    def work() -> Answer:
        count = len(job.vectors)
        scores, found = _faiss_index(job).search(job.vectors, min(K, count))
        return _of_lists(job, found, scores)

    return work


def faiss_panorama(job: Job) -> Work:
    """k-NN with k = 100 by FAISS's Panorama, then filter; of vectors of unit norm."""

    def work() -> Answer:
        import faiss

        if job.device != "cpu":
            raise RuntimeError("Panorama has no GPU part")
        count, width = job.vectors.shape
        index = faiss.index_factory(width, f"PCA{width},FlatL2Panorama8_512", faiss.METRIC_L2)
        index.train(job.vectors)
        index.add(job.vectors)
        squares, found = index.search(job.vectors, min(K, count))
        return _of_lists(job, found, 1 - squares / 2)

    return work


def torchdr(job: Job) -> Work:
    """k-NN with k = 100 by TorchDR, then filter."""

    def work() -> Answer:
        import torch
        from torchdr.distance import FaissPlanConfig, pairwise_distances

        distances, found = pairwise_distances(
            torch.from_numpy(job.vectors).to(job.device), metric="angular",
            backend=FaissPlanConfig(mode="exact"), k=min(K, len(job.vectors)),
            return_indices=True,
        )  # fmt: skip
        return _of_lists(job, found.cpu().numpy(), -distances.cpu().numpy())

    return work


def faiss_range(job: Job) -> Work:
    """Range search under a cap on the results, then filter."""

    def work() -> Answer:
        import faiss
        from faiss.contrib.exhaustive_search import (
            exponential_query_iterator,
            range_search_max_results,
        )

        radius, expected = _radius(job)
        index = faiss.IndexFlatIP(job.vectors.shape[1])
        index.add(job.vectors)
        _, limits, scores, found = range_search_max_results(
            index,
            exponential_query_iterator(job.vectors),
            radius,
            max_results=4 * expected,
            min_results=2 * expected,
            ngpu=int(job.device == "cuda"),
        )
        rows = np.repeat(np.arange(len(job.vectors)), np.diff(limits.astype(np.int64)))
        once = rows < found
        return _best(job, rows[once], found[once], scores[once])

    return work


def sentence_transformers(job: Job) -> Work:
    """`paraphrase_mining_embeddings` with its defaults, then filter."""

    def work() -> Answer:
        import torch
        from sentence_transformers.util import paraphrase_mining_embeddings

        embeddings = torch.from_numpy(job.vectors).to(job.device)
        found = paraphrase_mining_embeddings(embeddings)
        scores, i, j = (np.array(column) for column in zip(*found, strict=True))
        return _best(job, i, j, scores)

    return work


def original(job: Job) -> Work:
    """The original procedure, which keeps 3,000 pairs."""

    def work() -> Answer:
        found = np.array(mine_original(job.vectors, job.groups))
        i, j = found.T
        return Answer(i, j, np.einsum("nd,nd->n", job.vectors[i], job.vectors[j]))

    return work


# Fewer rows would not warm ours up: small jobs it leaves to numpy.
SIDES: dict[str, Side] = {
    "ours": Side(ours(), warm_rows=8000),
    "previous": Side(ours(), warm_rows=8000, of_previous=True),
    "ours-int8": Side(ours(precision="int8"), warm_rows=8000),
    "ours-bf16": Side(ours(precision="bf16"), warm_rows=8000),
    "ours-fp32": Side(ours(precision="fp32"), warm_rows=8000),
    "ours-no-spectrum": Side(ours(spectrum="off"), warm_rows=8000),
    "faiss-knn": Side(faiss_knn),
    "faiss-range": Side(faiss_range),
    "faiss-panorama": Side(faiss_panorama),
    "torchdr": Side(torchdr),
    "sentence-transformers": Side(sentence_transformers),
    "original": Side(original, warm_rows=200),
    "torch-fp32": Side(torch_fp32),
    "numkong-f32": Side(numkong("float32")),
    "numkong-bf16": Side(numkong("bfloat16")),
    "numkong-int8": Side(numkong("int8")),
    "bare-int8": Side(bare("int8")),
    "bare-bf16": Side(bare("bfloat16")),
    "bare-fp32": Side(bare("float32")),
}


def cannot(side: str, rows: int, dimensions: int, pairs: int) -> str | None:
    """Why a side is left out of a case without trying; None if it is not."""
    if side != "original":
        return None
    needed = rows**2 * dimensions * 4
    if needed > 0.8 * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return f"its N x N x D array takes {needed / 2**30:,.0f} GiB"
    return None if pairs == ORIGINAL_PAIRS else f"it keeps {ORIGINAL_PAIRS:,} pairs"


def _faiss_index(job: Job) -> Any:
    import faiss

    index = faiss.IndexFlatIP(job.vectors.shape[1])
    if job.device == "cuda":
        if not hasattr(faiss, "StandardGpuResources"):
            raise RuntimeError("this build of FAISS has no GPU part: pip install faiss-gpu")
        index = faiss.index_cpu_to_all_gpus(index)
    index.add(job.vectors)
    return index


def _radius(job: Job) -> tuple[float, int]:
    """A score that some 4 n eligible pairs reach, and about how many results lie above it."""
    count = len(job.vectors)
    rows = np.random.default_rng(0).permutation(count)[:_SAMPLE]
    # Either row of a pair finds it.
    wanted = max(1, round(4 * job.pairs * 2 * len(rows) / count))
    others, same = np.empty(0, np.float32), np.empty(0, np.float32)
    for start in range(0, len(rows), 50):
        some = rows[start : start + 50]
        scores = job.vectors[some] @ job.vectors.T
        alike = job.groups[some, np.newaxis] == job.groups
        same = np.concatenate([same, scores[alike]])
        others = np.concatenate([others, scores[~alike]])
        if others.size > wanted:
            others = np.partition(others, others.size - wanted)[-wanted:]
    radius = float(others.min())
    above = others.size + int((same >= radius).sum())
    return float(np.nextafter(np.float32(radius), np.float32(-np.inf))), round(
        above * count / len(rows)
    )


def _of_lists(job: Job, found: Rows, scores: NDArray[np.floating[Any]]) -> Answer:
    """The best pairs of lists of neighbours `[N, k]`."""
    rows = np.repeat(np.arange(len(found)), found.shape[1])
    return _listed_twice(job, rows, found.ravel(), scores.ravel())


def _listed_twice(job: Job, i: Rows, j: Rows, scores: NDArray[np.floating[Any]]) -> Answer:
    """The best pairs of listings (i, j), where (j, i) may stand too, and -1 for nobody."""
    kept = (job.groups[i] != job.groups[j]) & (j >= 0)
    i, j, scores = i[kept], j[kept], scores[kept]
    wanted = 2 * job.pairs
    if scores.size > wanted:
        best = np.argpartition(scores, scores.size - wanted)[-wanted:]
        i, j, scores = i[best], j[best], scores[best]
    i, j = np.minimum(i, j), np.maximum(i, j)
    _, first = np.unique(i * len(job.groups) + j, return_index=True)
    return _best(job, i[first], j[first], scores[first])


def _best(job: Job, i: Rows, j: Rows, scores: NDArray[np.floating[Any]]) -> Answer:
    """The best n of distinct pairs whose identities differ."""
    kept = job.groups[i] != job.groups[j]
    i, j, scores = i[kept], j[kept], scores[kept]
    if scores.size > job.pairs:
        best = np.argpartition(scores, scores.size - job.pairs)[-job.pairs :]
        i, j, scores = i[best], j[best], scores[best]
    order = np.argsort(-scores, kind="stable")
    return Answer(i[order], j[order], scores[order])
