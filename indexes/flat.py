"""The exact index: FAISS `IndexFlatIP` for neighbours, the join for the best pairs."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from indexes import join, store
from indexes.base import (
    BottomPairs,
    IndexesError,
    Metric,
    Neighbours,
    Rows,
    Scores,
    TopPairs,
    Vectors,
    as_groups,
    as_metric,
    as_queries,
    at_least_one,
    group_pairs,
)
from indexes.join.equal import Classes, equal_rows
from indexes.memory import gather
from indexes.unit_rows import measured_rows

# FAISS breaks ties by its own order of work; this many more than k are fetched to settle most.
_SPARE = 16
# Values that are copied at once on their way into an index.
_COPIED = 2**22


class FlatIndex:
    """Exact search over float32 vectors `[N, D]`; see `indexes.base`.

    By inner product, vectors are taken as they are. They are not copied if they are float32 and
    C-ordered already, so a memory-mapped file stays on disk until FAISS is needed (`search`);
    `top_pairs` and `save` do without.

    Args:
        vectors: `[N, D]`.
        metric: `cosine` brings them, and queries, to unit norm: a copy of them, in memory.

    Attributes:
        vectors: `[N, D]` float32 that are searched; of unit norm where the metric is `cosine`.
        metric: by which they are compared.

    Raises:
        IndexesError: vectors of another shape, or not finite, an unknown metric, or, of `cosine`,
            rows of nothing but noughts.

    >>> index = FlatIndex([[1, 0], [0.8, 0.6], [0, 1]])
    >>> pairs = index.top_pairs(2, groups=["a", "b", "b"])
    >>> pairs.i.tolist(), pairs.j.tolist(), pairs.scores.round(6).tolist()
    ([0, 0], [1, 2], [0.8, 0.0])
    >>> FlatIndex([[3, 0], [4, 3]], metric="cosine")
    FlatIndex(2 vectors of 2 dimensions, metric='cosine')
    """

    exact = True
    # Neighbours held at once, so that many ties do not take memory for queries times rows.
    fetched = 2**21

    def __init__(self, vectors: ArrayLike, metric: Metric = "inner_product") -> None:
        self.metric: Metric = as_metric(metric)
        self.vectors: Vectors = measured_rows(vectors, self.metric)

    def __len__(self) -> int:
        return len(self.vectors)

    def __repr__(self) -> str:
        count, width = self.vectors.shape
        return f"FlatIndex({count:,} vectors of {width:,} dimensions, metric={self.metric!r})"

    @cached_property
    def _faiss(self) -> Any:
        index = store.faiss().IndexFlatIP(self.vectors.shape[1])
        index.add(self.vectors)
        return index

    @cached_property
    def _classes(self) -> Classes | None:
        """Classes of equal rows, of which one row each is searched for all; None without any."""
        return equal_rows(self.vectors, np.arange(len(self)))

    @cached_property
    def _standing(self) -> Rows:
        return np.arange(len(self)) if self._classes is None else self._classes.standing

    @cached_property
    def _searched(self) -> Any:
        """The FAISS index of the rows that are searched."""
        if self._classes is None:
            return self._faiss
        index = store.faiss().IndexFlatIP(self.vectors.shape[1])
        step = max(1, _COPIED // self.vectors.shape[1])
        for start in range(0, len(self._standing), step):
            index.add(gather(self.vectors, self._standing[start : start + step]))
        return index

    def search(self, queries: ArrayLike, k: int) -> Neighbours:
        """The k best rows for each query, exact: score falling, ties by row.

        Args:
            queries: `[Q, D]`.
            k: 1 or more; capped at N.
        """
        if self.metric == "cosine":
            queries = measured_rows(queries, self.metric, "queries")
        wanted = as_queries(queries, self.vectors)
        k = min(at_least_one(k, "k"), len(self))
        searched = min(k, len(self._standing))
        rows = np.empty((len(wanted), searched), np.int64)
        scores = np.empty((len(wanted), searched), np.float64)
        if k:
            self._settle(wanted, min(len(self._standing), k + _SPARE), rows, scores)
        if self._classes is not None:
            rows, scores = _spelled(self._classes, rows, scores, k, self.fetched)
        return Neighbours(rows, scores, exact=True)

    def _settle(self, queries: Vectors, fetch: int, rows: Rows, scores: Scores) -> None:
        """Fill the answers, fetching more for the queries where the cut is not clear."""
        open_ = np.arange(len(queries))
        while open_.size:
            step = max(1, self.fetched // fetch)
            parts = [open_[start : start + step] for start in range(0, open_.size, step)]
            unclear = [self._answer(queries, part, fetch, rows, scores) for part in parts]
            open_ = np.concatenate(unclear)
            fetch = min(len(self._standing), 4 * fetch)

    def _answer(
        self, queries: Vectors, asked: Rows, fetch: int, rows: Rows, scores: Scores
    ) -> Rows:
        """Fill the answers of the queries `asked`; returns those that need a larger `fetch`."""
        filtered, found = self._fetch(queries[asked], fetch)
        exact = join.pair_scores(
            queries, self.vectors, np.repeat(asked, found.shape[1]), found.ravel()
        ).reshape(found.shape)
        order = np.lexsort((found, -exact), axis=1)[:, : rows.shape[1]]
        rows[asked] = np.take_along_axis(found, order, axis=1)
        scores[asked] = np.take_along_axis(exact, order, axis=1)
        if found.shape[1] == len(self._standing):
            return asked[:0]
        # A row that was not fetched has a float32 score of at most the worst fetched one.
        products = self._largest_norm * join.norms(queries[asked])
        slack = np.array([join.margin(self.vectors.shape[1], product) for product in products])
        unclear = filtered.min(axis=1) + slack >= scores[asked, -1]
        return np.asarray(asked[unclear], np.int64)

    def _fetch(self, queries: Vectors, k: int) -> tuple[Vectors, Rows]:
        """FAISS's float32 answer; every row where float32 could overflow."""
        lengths = np.r_[self._largest_norm, join.norms(queries)]
        if join.filter_dtype(lengths) != np.float32:
            everything = np.tile(self._standing, (len(queries), 1))
            return np.zeros(everything.shape, np.float32), everything
        filtered, found = self._searched.search(queries, k)
        return filtered, self._standing[found]

    @cached_property
    def _largest_norm(self) -> float:
        return float(join.norms(self.vectors).max(initial=0.0))

    def top_pairs(
        self,
        n: int,
        groups: ArrayLike,
        *,
        min_score: float | None = None,
        max_score: float | None = None,
        exclude: ArrayLike | None = None,
        ceilings: ArrayLike | None = None,
        active: ArrayLike | None = None,
        exclude_groups: ArrayLike | None = None,
        how: join.SearchOptions | None = None,
        progress: join.Progress | None = None,
        checkpoint: Path | None = None,
    ) -> TopPairs:
        """The n best pairs of rows whose `groups [N]` differ, exact over all pairs.

        However many of them one row holds, none is cut off: there is no k.

        Args:
            n: how many; all if fewer exist.
            groups: `[N]` values of one kind.
            min_score, max_score: the scores that count, both included.
            exclude: `[K, 2]` rows of pairs that do not count, either way round.
            ceilings: `[N]`; a pair counts only if it scores at most the lower of its two.
            active: `[N]` bool, the rows that may be used.
            exclude_groups: `[K, 2]` pairs of groups that do not count, either way round.
            how: device, precision, threads; by measurement where it is None. It changes the
                time, never the answer.
            progress: called with the pairs done and the pairs in all.
            checkpoint: file in which a run of over a minute keeps what it has found; the same
                call goes on from it, and removes it when it is done, or keeps it with
                `SearchOptions.keep_checkpoint`.

        Raises:
            IndexesError: n below 1, groups of another length, limits that are no numbers.
        """
        return join.top_pairs(
            self.vectors,
            as_groups(groups, len(self)),
            at_least_one(n, "n"),
            min_score=min_score,
            max_score=max_score,
            exclude=exclude,
            ceilings=ceilings,
            active=active,
            exclude_groups=group_pairs(exclude_groups, groups, len(self)),
            how=how,
            progress=progress,
            checkpoint=checkpoint,
        )

    def bottom_pairs(
        self,
        n: int,
        groups: ArrayLike,
        *,
        min_score: float | None = None,
        max_score: float | None = None,
        exclude: ArrayLike | None = None,
        progress: join.Progress | None = None,
    ) -> BottomPairs:
        """The n lowest-scoring pairs of rows whose `groups [N]` are equal, exact.

        Args and errors are those of `top_pairs`; `progress` counts rows.
        """
        return join.bottom_pairs(
            self.vectors,
            as_groups(groups, len(self)),
            at_least_one(n, "n"),
            min_score=min_score,
            max_score=max_score,
            exclude=exclude,
            progress=progress,
        )

    def best_of_group(self, groups: ArrayLike) -> Scores:
        """`[N]`: the highest score of each row with another of its group; -inf where it is alone.

        Raises:
            IndexesError: groups of another length.
        """
        return join.best_of_group(self.vectors, as_groups(groups, len(self)))

    def save(self, path: str | Path) -> Path:
        """Write the FAISS index, and beside it a JSON sidecar (`path` with `.json`)."""
        return store.save(store.FlatFile(self.vectors), Path(path), "flat", self._facts)

    @property
    def _facts(self) -> dict[str, object]:
        """Facts of the sidecar: those of an inner product are as they always were."""
        return {} if self.metric == "inner_product" else {"similarity": self.metric}

    @classmethod
    def load(cls, path: str | Path) -> FlatIndex:
        """Read an index that `save` wrote.

        Raises:
            IndexesError: a file is missing, damaged, or of another kind.
        """
        index, facts = store.load(Path(path), kind="flat")
        try:
            metric = as_metric(facts.get("similarity", "inner_product"))
        except IndexesError as error:
            raise IndexesError(f"{store.sidecar(Path(path))}: similarity is no {error}") from None
        # Rows of unit norm are taken as they were written: twice normalised they might be others.
        found = cls(index.reconstruct_n(0, index.ntotal))
        found.metric = metric
        return found


def _spelled(
    classes: Classes, rows: Rows, scores: Scores, k: int, fetched: int
) -> tuple[Rows, Scores]:
    """The k nearest of all rows, `[Q, k]`, from the nearest of those that stand for all.

    A row that stands for others is the first of them, so what comes behind the k nearest of these
    comes behind k rows.
    """
    count = len(rows)
    sizes = classes.sizes(rows.ravel(), k).reshape(rows.shape)
    # How many rows score more than each: those before the first of its score.
    before = np.cumsum(sizes, axis=1) - sizes
    tied = np.zeros(rows.shape, np.bool_)
    tied[:, 1:] = scores[:, 1:] == scores[:, :-1]
    before = np.maximum.accumulate(np.where(tied, 0, before), axis=1)
    needed = before < k
    totals = np.cumsum((sizes * needed).sum(axis=1))
    all_rows, all_scores = np.empty((count, k), np.int64), np.empty((count, k), np.float64)
    start = 0
    while start < count:
        past = int(totals[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(totals, past + fetched, side="right")))
        query, place = np.nonzero(needed[start:stop])
        which, found = classes.spelled(rows[start:stop][query, place], k)
        query, value = query[which], scores[start:stop][query, place][which]
        order = np.lexsort((found, -value, query))
        first = np.searchsorted(query[order], np.arange(stop - start))
        chosen = order[first[:, None] + np.arange(k)]
        all_rows[start:stop], all_scores[start:stop] = found[chosen], value[chosen]
        start = stop
    return all_rows, all_scores
