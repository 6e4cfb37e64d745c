"""Any FAISS factory string as an index, which says how sure its answers are."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from indexes import join, store
from indexes.base import (
    IndexesError,
    Neighbours,
    Rows,
    TopPairs,
    Vectors,
    as_groups,
    as_queries,
    as_vectors,
    at_least_one,
)

_FIRST_K = 64
# Graphs of degree 0 or 1 abort the process or never end, and no list at all cannot be searched.
_TOO_SMALL = re.compile(r"(?:HNSW|NSG)0*[01](?!\d)|IVF0+(?!\d)")


class ApproximateIndex:
    """An index by FAISS factory string (`IVF256,Flat`, `HNSW32`, ...), by inner product.

    It may miss rows, so `exact` is false in every answer; reported scores are those of the exact
    index. It is built by one thread, so that the same vectors give the same index.

    Args:
        vectors: `[N, D]` float32.
        factory: what `faiss.index_factory` understands.
        parameters: search-time ones, such as `{"nprobe": 32}` or `{"efSearch": 128}`.

    Raises:
        IndexesError: vectors or a factory string that FAISS refuses.
    """

    exact = False

    def __init__(
        self,
        vectors: ArrayLike,
        factory: str,
        parameters: Mapping[str, float] | None = None,
    ) -> None:
        self.vectors: Vectors = as_vectors(vectors)
        self.factory, self.parameters = factory, dict(parameters or {})
        small = _TOO_SMALL.search(factory)
        if small:
            raise IndexesError(f"index {factory!r}: {small[0]} is too small to search by")
        faiss = store.faiss()
        with _one_thread(faiss):
            try:
                self._faiss: Any = faiss.index_factory(
                    self.vectors.shape[1], factory, faiss.METRIC_INNER_PRODUCT
                )
                _expect_few(faiss, self._faiss)
                self._faiss.train(self.vectors)
                self._faiss.add(self.vectors)
            except RuntimeError as error:
                raise IndexesError(
                    f"FAISS refused the index {factory!r} for {len(self)} vectors of "
                    f"{self.vectors.shape[1]} dimensions ({store._reason(error)})"
                ) from None
        self._set_parameters()

    def _set_parameters(self) -> None:
        space = store.faiss().ParameterSpace()
        for name, value in self.parameters.items():
            try:
                space.set_index_parameter(self._faiss, name, value)
            except (RuntimeError, TypeError, OverflowError) as error:
                raise IndexesError(
                    f"{name}={value!r:.40} does not fit an index {self.factory!r} "
                    f"({store._reason(error)})"
                ) from None

    def __len__(self) -> int:
        return len(self.vectors)

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """The k best rows it finds for each of `queries [Q, D]`; -1 where it finds fewer."""
        wanted = as_queries(queries, self.vectors)
        k = min(at_least_one(k, "k"), len(self))
        if not k:
            empty = np.empty((len(wanted), 0))
            return Neighbours(empty.astype(np.int64), empty, exact=False)
        _, found = self._faiss.search(wanted, k)
        scores = join.pair_scores(
            wanted, self.vectors, np.repeat(np.arange(len(wanted)), k), found.ravel()
        ).reshape(found.shape)
        scores[found < 0] = -np.inf
        order = np.lexsort((found, -scores), axis=1)
        return Neighbours(
            np.take_along_axis(found, order, axis=1),
            np.take_along_axis(scores, order, axis=1),
            exact=False,
        )

    def top_pairs(self, n: int, groups: ArrayLike, *, recall: bool = False) -> TopPairs:
        """The n best pairs among each row's neighbours, as far as the index finds them.

        k grows for the rows whose last neighbour still scores among the n best, so that only the
        index, not k, can miss a pair. `recall=True` also runs the exact join and reports the
        share of its pairs that was found.
        """
        n = at_least_one(n, "n")
        codes = as_groups(groups, len(self))
        pairs = self._mine(n, codes)
        if not recall:
            return pairs
        best = join.top_pairs(self.vectors, codes, n)
        count = len(self)
        hits = np.isin(best.i * count + best.j, pairs.i * count + pairs.j).sum()
        return replace(pairs, recall=float(hits) / len(best) if len(best) else 1.0)

    def _mine(self, n: int, groups: Rows) -> TopPairs:
        count = len(self)
        keys: Rows = np.empty(0, np.int64)
        scores = np.empty(0, np.float64)
        open_, k = np.arange(count), min(_FIRST_K, count)
        while open_.size:
            found = self.search(self.vectors[open_], k)
            ends = np.repeat(open_, k), found.rows.ravel()
            low, high = np.minimum(*ends), np.maximum(*ends)
            kept = (ends[1] >= 0) & (groups[low] != groups[high])
            keys = np.r_[keys, (low * count + high)[kept]]
            scores = np.r_[scores, found.scores.ravel()[kept]]
            keys, first = np.unique(keys, return_index=True)
            order = np.lexsort((keys, -scores[first]))[:n]
            keys, scores = keys[order], scores[first][order]
            if k == count:
                break
            # A row whose worst neighbour could still enter has better pairs further down.
            bar = scores[-1] if scores.size == n else -np.inf
            open_ = open_[found.scores[:, -1] >= bar] if np.isfinite(bar) else open_
            k = min(4 * k, count)
            if not np.isfinite(found.scores[:, -1]).any():
                break
        return TopPairs(keys // count, keys % count, scores, exact=False)

    def save(self, path: str | Path) -> Path:
        """Write the FAISS index and its JSON sidecar."""
        facts = {"factory": self.factory, "parameters": self.parameters}
        return store.save(self._faiss, Path(path), kind="approximate", facts=facts)

    @classmethod
    def load(cls, path: str | Path, vectors: ArrayLike) -> ApproximateIndex:
        """Read an index that `save` wrote, and score exactly by the `vectors` it was built from."""
        loaded = cls.__new__(cls)
        loaded._faiss, facts = store.load(Path(path), kind="approximate")
        loaded.vectors = as_vectors(vectors)
        factory, parameters = facts.get("factory"), facts.get("parameters")
        if not isinstance(factory, str) or not isinstance(parameters, dict):
            raise IndexesError(
                f"{store.sidecar(Path(path))}: not that of an approximate index: no factory and "
                "parameters"
            )
        loaded.factory, loaded.parameters = factory, parameters
        if loaded.vectors.shape != (loaded._faiss.ntotal, loaded._faiss.d):
            raise IndexesError(
                f"{path}: an index of {loaded._faiss.ntotal} vectors of {loaded._faiss.d} "
                f"dimensions, but the vectors given are {loaded.vectors.shape}"
            )
        try:
            loaded._set_parameters()
        except IndexesError as error:
            raise IndexesError(f"{store.sidecar(Path(path))}: {error}") from None
        return loaded


def _expect_few(faiss: Any, index: Any) -> None:
    """Keep FAISS from warning on the terminal of few vectors a cluster: recall tells as much."""
    inverted = faiss.try_extract_index_ivf(index)
    if inverted is not None:
        inverted.cp.min_points_per_centroid = 1


@contextmanager
def _one_thread(faiss: Any) -> Iterator[None]:
    """Keep FAISS to one thread: its graph indexes depend on the order in which threads insert."""
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)
