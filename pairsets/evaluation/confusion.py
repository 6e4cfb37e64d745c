"""Map of which identities a model takes for which: its false accepts."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pairsets.arrays import Counts, Mask, Rows, Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.communities import Communities
from pairsets.evaluation.seriation import seriate
from pairsets.pairset import PairSet
from pairsets.paths import strings

LIMIT = 24


@dataclass(frozen=True, eq=False)
class Confusion:
    """The identities that are most taken for one another, in an order that shows groups.

    Attributes:
        identities: `[K]` names; those that are confused stand side by side.
        counts: `[K, K]` negatives of two identities; symmetric, nought on the diagonal.
        accepted: `[K, K]` those of them that are taken for one identity: score >= threshold.
        best: `[K, K]` their highest score; nan where there is no pair.
        groups: runs of `identities`, of two and more, that are confused with one another more
            than with others: as many as the false accepts tell, none where they are spread as by
            chance (`pairsets.evaluation.communities`). Who is in none stands alone.
        modularity, chance: of these groups; the most that chance gives.
        threshold: what a score has to reach.
        pairs, errors: negatives and false accepts, of all identities.
        errors_inside: false accepts of two identities on the map.
        errors_across: false accepts of one on the map and one that is not.
        confused: how many identities have a false accept.

    Negatives whose two faces are of one identity are on no map.
    """

    identities: NDArray[np.object_]
    counts: Counts
    accepted: Counts
    best: Scores
    groups: tuple[tuple[str, ...], ...]
    modularity: float
    chance: float
    threshold: float
    pairs: int
    errors: int
    errors_inside: int
    errors_across: int
    confused: int

    def __len__(self) -> int:
        return len(self.identities)

    @classmethod
    def of(
        cls, pairs: PairSet, scores: ArrayLike, threshold: float, *, limit: int = LIMIT
    ) -> Confusion:
        """The map of one model's false accepts among the valid negatives of `pairs`.

        Of more identities than `limit`, the one with the fewest false accepts among those left is
        taken away, time and again: what stays has its false accepts on the map, not beyond it.
        Equals go by name, the last one first.

        Args:
            pairs: a pair set.
            scores: `[N]`, one a pair; -inf where it has none and is rejected.
            threshold: what is at least as high is accepted; infinity accepts nothing.
            limit: how many identities at most.

        Raises:
            ScoresError: another number of scores, a negative with nan or +inf, a threshold that is
                no number, a limit below 2.

        >>> pairs = PairSet.of(["a/1", "a/2", "b/1"], ["b/1", "b/1", "c/1"], 0)
        >>> found = Confusion.of(pairs, [0.9, 0.8, 0.1], 0.5)
        >>> found.identities.tolist(), found.accepted.tolist(), found.groups
        (['a', 'b'], [[0, 2], [2, 0]], ())
        """
        if limit < 2:
            raise ScoresError(f"a map of {limit} identities; expected 2 or more")
        rows, taken = _negatives(pairs, scores, threshold)
        a, b, names = _coded(pairs, rows)
        edges = Edges.of(a, b, taken, np.asarray(scores, np.float64)[rows], len(names))
        kept = edges.busiest(limit)
        counts, accepted, best = edges.matrices(kept)
        low, high = np.nonzero(np.triu(accepted))
        divided = Communities.of(low, high, accepted[low, high], len(kept))
        # Further apart than any two of one group can be: each group is a run.
        apart_by = divided.labels[:, np.newaxis] != divided.labels
        order, _ = seriate(1 / (1 + accepted) + apart_by)
        inside = int(np.triu(accepted).sum())
        on_map = np.isin(np.arange(len(names)), kept)
        one = on_map[a] != on_map[b]
        ordered = names[kept[order]]
        return cls(
            identities=strings(ordered),
            counts=counts[np.ix_(order, order)],
            accepted=accepted[np.ix_(order, order)],
            best=best[np.ix_(order, order)],
            groups=_runs(ordered, divided.labels[order]),
            modularity=divided.modularity,
            chance=divided.chance,
            threshold=float(threshold),
            pairs=len(rows),
            errors=int(taken.sum()),
            errors_inside=inside,
            errors_across=int(taken[one].sum()),
            confused=edges.confused,
        )


def representatives(
    pairs: PairSet, scores: ArrayLike, threshold: float, identities: Iterable[str]
) -> dict[str, str]:
    """A face for each of `identities`: the one in most of its false accepts.

    Of several, the one with the highest score in them, then the first by path. An identity without
    false accepts has none and is left out.

    Raises:
        ScoresError: as `Confusion.of`.

    >>> pairs = PairSet.of(["a/1", "a/2", "a/2"], ["b/1", "b/1", "c/1"], 0)
    >>> representatives(pairs, [0.9, 0.8, 0.6], 0.5, ["a", "b"])
    {'a': 'a/2', 'b': 'b/1'}
    """
    rows, taken = _negatives(pairs, scores, threshold)
    rows = rows[taken]
    table = pd.DataFrame(
        {
            "path": np.concatenate([pairs.path_a[rows], pairs.path_b[rows]]),
            "score": np.tile(np.asarray(scores, np.float64)[rows], 2),
        }
    )
    found = table.groupby("path")["score"].agg(["size", "max"]).reset_index()
    found["identity"] = [pairs.identity(path) for path in found["path"]]
    found = found.sort_values(["size", "max", "path"], ascending=[False, False, True])
    first = found.drop_duplicates("identity").set_index("identity")["path"].to_dict()
    return {name: first[name] for name in identities if name in first}


def _runs(names: NDArray[np.object_], labels: Rows) -> tuple[tuple[str, ...], ...]:
    """Names of each group of two and more, from their labels; none where all have one."""
    cuts = np.flatnonzero(np.diff(labels)) + 1
    if not cuts.size:
        return ()
    parts = np.split(np.arange(len(names)), cuts)
    return tuple(tuple(names[part]) for part in parts if len(part) > 1)


def _negatives(pairs: PairSet, scores: ArrayLike, threshold: float) -> tuple[Rows, Mask]:
    """Rows of the valid negatives, and which of them are accepted."""
    values = np.asarray(scores, np.float64)
    if values.shape != (len(pairs),):
        raise ScoresError(
            f"scores of shape {values.shape} for {len(pairs)} pairs; expected one score a pair"
        )
    if np.isnan(threshold):
        raise ScoresError("a threshold that is no number (nan); expected the score to reach")
    rows = np.flatnonzero(pairs.negatives)
    wrong = rows[~(values[rows] < np.inf)]
    if wrong.size:
        raise ScoresError(
            f"{wrong.size} scores of negatives are not finite, the first of pair {wrong[0] + 1}"
        )
    return rows, values[rows] >= threshold


def _coded(pairs: PairSet, rows: Rows) -> tuple[Rows, Rows, NDArray[np.object_]]:
    """Numbers of the two identities of each row, and the names they number, sorted."""
    paths = np.concatenate([pairs.path_a[rows], pairs.path_b[rows]])
    codes, names = pd.factorize(strings(map(pairs.identity, paths)), sort=True)
    wide = codes.astype(np.int64)
    return wide[: len(rows)], wide[len(rows) :], strings(names)


def coded_negatives(
    pairs: PairSet, scores: ArrayLike, threshold: float
) -> tuple[Edges, NDArray[np.object_]]:
    """Edges between every two identities of valid negatives, and the names that they number.

    Raises:
        ScoresError: as `Confusion.of`.
    """
    rows, taken = _negatives(pairs, scores, threshold)
    a, b, names = _coded(pairs, rows)
    return Edges.of(a, b, taken, np.asarray(scores, np.float64)[rows], len(names)), names


@dataclass(frozen=True, eq=False)
class Edges:
    """Pairs of identities, each once: the two ends, and what lies between them."""

    low: Rows
    high: Rows
    counts: Counts
    accepted: Counts
    best: Scores
    identities: int

    @classmethod
    def of(cls, a: Rows, b: Rows, taken: Mask, scores: Scores, identities: int) -> Edges:
        """Edges of rows `[N]` by their two identities; a row of one alone is none."""
        apart = a != b
        a, b, taken, scores = a[apart], b[apart], taken[apart], scores[apart]
        keys, where = np.unique(
            np.minimum(a, b) * max(identities, 1) + np.maximum(a, b), return_inverse=True
        )
        best = np.full(len(keys), -np.inf)
        np.maximum.at(best, where, scores)
        best[np.isneginf(best)] = np.nan
        low, high = np.divmod(keys, max(identities, 1))
        return cls(
            low,
            high,
            np.bincount(where, minlength=len(keys)),
            np.bincount(where[taken], minlength=len(keys)),
            best,
            identities,
        )

    @property
    def confused(self) -> int:
        """Number of identities that have a false accept."""
        wrong = self.accepted > 0
        return len(np.union1d(self.low[wrong], self.high[wrong]))

    def busiest(self, limit: int) -> Rows:
        """Identities with false accepts among one another, at most `limit`; see `Confusion.of`."""
        partners: dict[int, dict[int, int]] = {}
        for at in np.flatnonzero(self.accepted).tolist():
            low, high, errors = int(self.low[at]), int(self.high[at]), int(self.accepted[at])
            partners.setdefault(low, {})[high] = errors
            partners.setdefault(high, {})[low] = errors
        errors_of = {name: sum(others.values()) for name, others in partners.items()}
        # Of those with equally few, the one that is last by name is at the top.
        heap = [(errors, -name) for name, errors in errors_of.items()]
        heapq.heapify(heap)
        while heap:
            errors, name = heap[0][0], -heap[0][1]
            if name not in errors_of or errors != errors_of[name]:
                heapq.heappop(heap)
                continue
            # Who has lost all partners goes, too.
            if len(errors_of) <= limit and errors:
                break
            heapq.heappop(heap)
            del errors_of[name]
            for other, count in partners[name].items():
                if other in errors_of:
                    errors_of[other] -= count
                    heapq.heappush(heap, (errors_of[other], -other))
        return np.array(sorted(errors_of), np.int64)

    def matrices(self, kept: Rows) -> tuple[Counts, Counts, Scores]:
        """Symmetric matrices `[K, K]` of counts, accepted and best scores among `kept`."""
        place = np.full(self.identities, -1)
        place[kept] = np.arange(len(kept))
        low, high = place[self.low], place[self.high]
        inside = (low >= 0) & (high >= 0)
        low, high = low[inside], high[inside]
        size = (len(kept), len(kept))
        counts, accepted = np.zeros(size, np.int64), np.zeros(size, np.int64)
        best = np.full(size, np.nan)
        for matrix, values in (
            (counts, self.counts),
            (accepted, self.accepted),
            (best, self.best),
        ):
            matrix[low, high] = values[inside]
            matrix[high, low] = values[inside]
        return counts, accepted, best
