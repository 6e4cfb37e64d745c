"""Questions the join answers: best pairs across groups, worst within, best partner."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import BottomPairs, IndexesError, Rows, Scores, TopPairs, Vectors
from indexes.join.best import Best
from indexes.join.bounds import filter_dtype, margin, norms, pair_scores, rounded
from indexes.join.checkpoint import Ledger
from indexes.join.constraints import PairConstraints, pair_keys, row_ceilings, score_limits
from indexes.join.equal import equal_rows
from indexes.join.groups import Grouped
from indexes.join.options import SearchOptions
from indexes.join.plain import search_plain
from indexes.join.spaces import space_of
from indexes.join.stack import Stacked, parts_of, rows_of, split_of
from indexes.join.tiles import BLOCK, Plain, Tile
from indexes.memory import capped, gather

_LOG = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
# Values of the widest block that `best_of_group` holds.
STRIP = 2**22


def top_pairs(
    vectors: Vectors | Stacked,
    groups: Rows,
    n: int,
    *,
    min_score: float | None = None,
    max_score: float | None = None,
    exclude: ArrayLike | None = None,
    ceilings: ArrayLike | None = None,
    active: ArrayLike | None = None,
    exclude_groups: ArrayLike | None = None,
    how: SearchOptions | None = None,
    progress: Progress | None = None,
    checkpoint: Path | None = None,
) -> TopPairs:
    """The n best pairs i < j with `groups[i] != groups[j]`, exact.

    Args:
        vectors: `[N, D]` finite float32; may be read-only or memory-mapped. Of two arrays, as
            `Stacked`, those pairs count whose i is a row of the first and whose j of the second.
        groups: `[N]` int64 codes below N, which `exclude_groups` names, too.
        n, min_score, max_score, exclude, ceilings, active: see `indexes.FlatIndex.top_pairs`.
        exclude_groups, how, progress, checkpoint: see there.
    """
    split = split_of(vectors)
    vectors = rows_of(vectors)
    count, how = len(vectors), how or SearchOptions()
    lowest, highest = score_limits(min_score, max_score)
    rules = PairConstraints(
        groups,
        lowest=lowest,
        highest=highest,
        excluded=pair_keys(exclude, count, "exclude"),
        apart=pair_keys(exclude_groups, count, "exclude_groups"),
        ceilings=row_ceilings(ceilings, count),
        split=split,
    )
    order = np.arange(count) if active is None else np.flatnonzero(_row_mask(active, count))
    told = _Told(progress, space_of(order, split).pairs)

    def search(rules: PairConstraints, rows: Rows, n: int) -> tuple[Rows, Rows, Scores]:
        space = space_of(rows, split)
        best, report = Best(vectors, n, rules), told.of(space.pairs)
        ledger = Ledger(best, rows, checkpoint)
        if how.is_plain(space.size, vectors.shape[1]):
            _LOG.info("%s vectors by NumPy: they are few", f"{len(rows):,}")
            search_plain(best, rows, how.tile, report, ledger)
        else:
            from indexes.join.search import search_fast

            search_fast(best, rows, how, report, ledger)
        found = best.result()
        ledger.finish(keep=how.keep_checkpoint)
        return found

    sides = None if split is None else (np.arange(count) >= split).astype(np.int64)
    with capped(how.memory, *parts_of(vectors)):
        classes = equal_rows(vectors, order, sides)
        if classes is None:
            return TopPairs(*search(rules, order, n))
        found = TopPairs(*Grouped(vectors, n, rules, classes).best(search))
    told.end()
    return found


def bottom_pairs(
    vectors: Vectors,
    groups: Rows,
    n: int,
    *,
    min_score: float | None = None,
    max_score: float | None = None,
    exclude: ArrayLike | None = None,
    progress: Progress | None = None,
) -> BottomPairs:
    """The n lowest-scoring pairs i < j with `groups[i] == groups[j]`, exact; see `top_pairs`.

    `progress` is called with the rows done and the rows in all.
    """
    count = len(vectors)
    lowest, highest = score_limits(min_score, max_score)
    excluded = pair_keys(exclude, count, "exclude")
    rules = PairConstraints(groups, True, -highest, -lowest, excluded)
    told = _Told(progress, count)

    def search(rules: PairConstraints, rows: Rows, n: int) -> tuple[Rows, Rows, Scores]:
        best, report = Best(vectors, n, rules, sign=-1), told.of(len(rows))
        order = rows[np.argsort(groups[rows], kind="stable")]
        plain = Plain(best, order, norms(vectors))
        # Rows of one group stand together: from a row, the pairs reach to the end of its group.
        ends = np.searchsorted(groups[order], groups[order], side="right")
        for top in range(0, len(order), BLOCK):
            part = slice(top, min(top + BLOCK, len(order)))
            for side in range(top, int(ends[part.stop - 1]), BLOCK):
                columns = slice(side, min(side + BLOCK, len(order)))
                for found in plain.search(Tile(part, columns)):
                    best.take(found)
            report(part.stop - top)
        return best.result()

    everything = np.arange(count)
    classes = equal_rows(vectors, everything, groups)
    if classes is None:
        i, j, scores = search(rules, everything, n)
    else:
        i, j, scores = Grouped(vectors, n, rules, classes, sign=-1).best(search)
        told.end()
    return BottomPairs(i, j, -scores)


class _Told:
    """Progress of searches of which each may be of fewer rows, or be done again deeper.

    Args:
        progress: called with the work done and the `total`, never with less than before.
    """

    def __init__(self, progress: Progress | None, total: int) -> None:
        self.progress, self.total, self.most = progress, total, -1

    def of(self, whole: int) -> Callable[[int], None]:
        """Report to be called with each part of a search's work of `whole`."""
        done = 0

        def report(part: int) -> None:
            nonlocal done
            done += part
            self._tell(self.total * done // whole if whole else 0)

        return report

    def end(self) -> None:
        """Report that all is done."""
        if self.most < self.total:
            self._tell(self.total)

    def _tell(self, done: int) -> None:
        self.most = max(self.most, done)
        if self.progress is not None:
            self.progress(self.most, self.total)


def best_of_group(vectors: Vectors, groups: Rows, strip: int = STRIP) -> Scores:
    """`[N]`: the highest score of each row with another row of its group; -inf where none is.

    At most `strip` products are held at once, or those of one row with its group.
    """
    everything = np.arange(len(vectors))
    classes = equal_rows(vectors, everything, groups)
    if classes is None:
        return _best_partner(vectors, groups, everything, strip)
    # One of each class finds the best partner outside it; inside, they have one another.
    first = classes.first
    best = _best_partner(vectors, groups, classes.standing, strip)
    best[first] = np.maximum(best[first], pair_scores(vectors, vectors, first, first))
    best[classes.members] = np.repeat(best[first], np.diff(classes.starts))
    return best


def _best_partner(vectors: Vectors, groups: Rows, rows: Rows, strip: int) -> Scores:
    """`[N]`: the highest score of each of `rows` with another one of its group; -inf elsewhere."""
    count = len(rows)
    order = rows[np.argsort(groups[rows], kind="stable")]
    ordered = groups[order]
    starts = np.searchsorted(ordered, ordered, side="left")
    ends = np.searchsorted(ordered, ordered, side="right")
    lengths = norms(vectors)
    dtype = filter_dtype(lengths)
    best = np.full(len(vectors), -np.inf)
    top = 0
    while top < count:
        height = max(1, min(BLOCK, strip // int(ends[top] - starts[top])))
        # A block may not be wider than its memory: the last row's group may be a large one.
        while height > 1:
            last = min(top + height, count) - 1
            if height * int(ends[last] - starts[top]) <= strip:
                break
            height //= 2
        at = np.arange(top, min(top + height, count))
        columns = np.arange(starts[at[0]], ends[at[-1]])
        left = gather(vectors, order[at]).astype(dtype, copy=False)
        product = left @ gather(vectors, order[columns]).astype(dtype, copy=False).T
        other = (ordered[at][:, None] != ordered[columns]) | (at[:, None] == columns)
        product[other] = -np.inf
        products = lengths[order[at]] * float(lengths[order[columns]].max())
        slack = np.array([2 * margin(vectors.shape[1], product, dtype) for product in products])
        highest = product.max(axis=1).astype(np.float64) - slack
        least = rounded(highest, dtype)
        r, c = np.nonzero((product >= least[:, None]) & ~other)
        i, j = order[at[r]], order[columns[c]]
        np.maximum.at(best, i, pair_scores(vectors, vectors, i, j))
        top += len(at)
    return best


def _row_mask(active: ArrayLike, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    try:
        mask = np.asarray(active)
    except ValueError:
        raise IndexesError("active of several lengths; expected a truth value each") from None
    if mask.shape != (count,) or mask.dtype != np.bool_:
        raise IndexesError(
            f"active of shape {mask.shape}, {mask.dtype}, for {count} vectors; "
            "expected a truth value each"
        )
    return mask
