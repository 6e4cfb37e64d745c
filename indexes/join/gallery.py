"""Search of a gallery by every probe, exact: the best entries, and how many outscore each mate.

Nothing of the size of all probes by all entries is held: a block of probes meets a part of the
gallery at a time. Products in float32 settle which entries lie surely above or below a mate's
score; those too near to tell are compared by the score that all rankings are made on (see
`indexes.join.bounds`). So what comes out depends neither on blocks nor on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from indexes.base import IndexesError, Rows, Scores, Vectors, as_queries, as_vectors
from indexes.join.bounds import filter_dtype, margin, norms, pair_scores, rounded
from indexes.memory import gather

# Products that are held at once, and probes of a block.
_CELLS, _HEIGHT = 2**22, 1024


@dataclass(frozen=True, eq=False)
class GallerySearch:
    """Outcome of searching a gallery with P probes, of which M pairs are of one group.

    Attributes:
        other_scores: `[P]` the best score with an entry of another group; -inf where none is.
        other_groups: `[P]` the group of that entry, the lowest number of equal ones; -1 for none.
        own_scores: `[P]` the best score with an entry of the own group; -inf where none is.
        groups_above: `[P]` other groups whose best entry outscores the own best; 0 without one.
        groups_tied: `[P]` other groups whose best entry scores exactly the own best.
        mate_probes: `[M]` the probe of each pair with an entry of its own group; by probe.
        mate_scores: `[M]` their scores, falling within a probe.
        mate_above: `[M]` entries of other groups that score higher.
        mate_tied: `[M]` entries of other groups that score exactly the same.
    """

    other_scores: Scores
    other_groups: Rows
    own_scores: Scores
    groups_above: Rows
    groups_tied: Rows
    mate_probes: Rows
    mate_scores: Scores
    mate_above: Rows
    mate_tied: Rows


def search_gallery(
    gallery: ArrayLike,
    probes: ArrayLike,
    gallery_groups: ArrayLike,
    probe_groups: ArrayLike,
    *,
    gallery_rows: Rows | None = None,
    probe_rows: Rows | None = None,
    progress: Callable[[int, int], None] | None = None,
    cells: int = _CELLS,
) -> GallerySearch:
    """Search a gallery with every probe; the order of either's rows changes no score or count.

    Args:
        gallery: `[G, D]` finite float32 vectors; may be memory-mapped.
        probes: `[P, D]`.
        gallery_groups: `[G]` whole numbers, who each entry shows.
        probe_groups: `[P]`, in the same numbering; a group without an entry has no mate.
        gallery_rows, probe_rows: rows of the vectors that count, in the order of the groups; all
            if None.
        progress: called with probes done and in all.
        cells: products that are held at once, about.

    Raises:
        IndexesError: vectors of other shapes or not finite, groups of another number than rows, or
            nothing on one side.

    >>> found = search_gallery([[1, 0], [0, 1]], [[1, 0], [0.6, 0.8]], [0, 1], [0, 0])
    >>> found.groups_above.tolist(), found.other_groups.tolist()
    ([0, 1], [1, 1])
    """
    entries = as_vectors(gallery, "vectors of the gallery")
    queries = as_queries(probes, entries)
    rows = [
        _checked(codes, part, len(vectors), what)
        for codes, part, vectors, what in (
            (gallery_groups, gallery_rows, entries, "gallery"),
            (probe_groups, probe_rows, queries, "probes"),
        )
    ]
    return _Search(entries, queries, *rows[0], *rows[1], cells).run(progress)


def _checked(groups: ArrayLike, rows: Rows | None, count: int, what: str) -> tuple[Rows, Rows]:
    """Rows that count and their groups; IndexesError where they do not belong together."""
    taken = np.arange(count) if rows is None else np.asarray(rows, np.int64)
    codes = np.asarray(groups)
    if codes.shape != taken.shape or codes.dtype.kind not in "iu":
        raise IndexesError(
            f"groups of the {what} of shape {codes.shape}, {codes.dtype}, for {taken.size:,} rows; "
            "expected a whole number for each"
        )
    if not taken.size:
        raise IndexesError(f"no rows of the {what}; expected one or more")
    return taken, codes.astype(np.int64)


class _Search:
    """A search under way; entries stand by group."""

    def __init__(
        self,
        gallery: Vectors,
        probes: Vectors,
        entries: Rows,
        entry_groups: Rows,
        queries: Rows,
        query_groups: Rows,
        cells: int,
    ) -> None:
        order = np.argsort(entry_groups, kind="stable")
        self.gallery, self.probes = gallery, probes
        self.entries, self.groups = entries[order], entry_groups[order]
        self.queries, self.query_groups, self.cells = queries, query_groups, cells
        self.starts = np.searchsorted(self.groups, query_groups, side="left")
        self.ends = np.searchsorted(self.groups, query_groups, side="right")
        self.longest = float(max(norms(gather(gallery, part)).max() for part in self._parts()))
        self.firsts = np.flatnonzero(np.r_[True, np.diff(self.groups) != 0])
        count = len(queries)
        self.other_scores = np.full(count, -np.inf)
        self.other_groups = np.full(count, -1, np.int64)
        self.groups_above, self.groups_tied = np.zeros((2, count), np.int64)
        self._mates()

    def _parts(self) -> Iterator[Rows]:
        """The entries, some thousands at a time."""
        for start in range(0, len(self.entries), 8192):
            yield self.entries[start : start + 8192]

    def _mates(self) -> None:
        """Pairs of a probe and an entry of its own group, the best of each probe first."""
        sizes = self.ends - self.starts
        probe = np.repeat(np.arange(len(sizes)), sizes)
        self.begins = np.r_[0, np.cumsum(sizes)]
        at = np.arange(len(probe)) - np.repeat(self.begins[:-1] - self.starts, sizes)
        scores = pair_scores(self.probes, self.gallery, self.queries[probe], self.entries[at])
        order = np.lexsort((-scores, probe))
        self.mate_probes, self.mate_scores = probe, scores[order]
        self.mate_above, self.mate_tied = np.zeros((2, len(probe)), np.int64)
        self.own_scores = np.full(len(sizes), -np.inf)
        has = sizes > 0
        self.own_scores[has] = self.mate_scores[self.begins[:-1][has]]

    def run(self, progress: Callable[[int, int], None] | None) -> GallerySearch:
        """Search with all probes, block by block."""
        count, top = len(self.queries), 0
        widest = int(np.diff(np.r_[self.firsts, len(self.groups)]).max())
        height = max(1, min(_HEIGHT, self.cells // widest))
        while top < count:
            block = np.arange(top, min(top + height, count))
            self._search(block)
            top += len(block)
            if progress is not None:
                progress(top, count)
        return GallerySearch(
            self.other_scores,
            self.other_groups,
            self.own_scores,
            self.groups_above,
            self.groups_tied,
            self.mate_probes,
            self.mate_scores,
            self.mate_above,
            self.mate_tied,
        )

    def _search(self, block: Rows) -> None:
        """Search the whole gallery with a block of probes."""
        left = gather(self.probes, self.queries[block])
        lengths = norms(left)
        dtype = filter_dtype(np.append(lengths, self.longest))
        slack = margin(left.shape[1], lengths * self.longest, dtype)
        left = left.astype(dtype, copy=False)
        ends = np.r_[self.firsts[1:], len(self.groups)]
        width = max(1, self.cells // len(block))
        first = 0
        while first < len(self.groups):
            # As many whole groups as fit, and at least one.
            last = int(ends[max(np.searchsorted(ends, first + width, side="right") - 1, 0)])
            if last <= first:
                last = int(ends[np.searchsorted(ends, first, side="right")])
            part = np.arange(first, last)
            right = gather(self.gallery, self.entries[part]).astype(dtype, copy=False)
            tile = _Tile(self, block, part, left @ right.T, slack)
            tile.take_best()
            tile.count_above()
            first = last


class _Tile:
    """Products of a block of probes and whole groups of entries; those of one group are -inf."""

    def __init__(
        self, search: _Search, block: Rows, part: Rows, products: Vectors, slack: Scores
    ) -> None:
        self.search, self.block, self.part = search, block, part
        self.products, self.slack = products, slack
        starts = np.clip(search.starts[block], part[0], part[-1] + 1)
        sizes = np.clip(search.ends[block], part[0], part[-1] + 1) - starts
        own = np.repeat(np.arange(len(block)), sizes)
        at = np.arange(len(own)) - np.repeat(np.cumsum(sizes) - sizes - starts, sizes)
        products[own, at - part[0]] = -np.inf

    def _exact(self, r: Rows, c: Rows) -> Scores:
        """Scores of some cells."""
        found = self.search
        queries, entries = found.queries[self.block[r]], found.entries[self.part[c]]
        return pair_scores(found.probes, found.gallery, queries, entries)

    def _rounded(self, values: Scores, up: bool) -> Vectors:
        """Bounds in the type of the products, `[B, 1]`, as far up or down as rounding takes."""
        dtype = self.products.dtype
        return np.nextafter(rounded(values, dtype), dtype.type(np.inf if up else -np.inf))[:, None]

    def take_best(self) -> None:
        """Let the best entries of other groups count."""
        found, best = self.search, self.search.other_scores[self.block]
        highest = self.products.max(axis=1).astype(np.float64)
        least = np.maximum(best - self.slack, highest - 2 * self.slack)
        r, c = np.nonzero(
            (self.products >= self._rounded(least, False)) & (self.products > -np.inf)
        )
        scores, groups = self._exact(r, c), found.groups[self.part[c]]
        # The best of each probe first, of equal ones that of the lowest group.
        order = np.lexsort((groups, -scores, r))
        r, scores, groups = r[order], scores[order], groups[order]
        leading = np.flatnonzero(np.r_[True, r[1:] != r[:-1]][: r.size])
        rows, scores, groups = self.block[r[leading]], scores[leading], groups[leading]
        # Groups come in their order, so that of equal scores the first one stays.
        better = scores > found.other_scores[rows]
        found.other_scores[rows[better]] = scores[better]
        found.other_groups[rows[better]] = groups[better]

    def count_above(self) -> None:
        """Count the entries, and the groups, that score as high as each mate, or higher."""
        found = self.search
        sizes = found.begins[self.block + 1] - found.begins[self.block]
        for level in range(int(sizes.max(initial=0))):
            rows = np.flatnonzero(sizes > level)
            mates = found.begins[self.block[rows]] + level
            scores, slack = found.mate_scores[mates], self.slack[rows]
            products = self.products if len(rows) == len(self.block) else self.products[rows]
            sure = products > self._rounded(scores + slack, True)
            near = (products >= self._rounded(scores - slack, False)) & ~sure
            r, c = np.nonzero(near)
            near_scores = self._exact(rows[r], c)
            above, tied = near_scores > scores[r], near_scores == scores[r]
            found.mate_above[mates] += np.count_nonzero(sure, axis=1)
            found.mate_above[mates] += np.bincount(r[above], minlength=len(rows))
            found.mate_tied[mates] += np.bincount(r[tied], minlength=len(rows))
            if level == 0:
                sure[r[above], c[above]] = True
                self._count_groups(rows, sure, r[tied], c[tied])

    def _count_groups(self, rows: Rows, above: np.ndarray, r: Rows, c: Rows) -> None:
        """Count the groups with an entry above, and those whose best one ties, in cells `r, c`."""
        found = self.search
        groups = found.groups[self.part]
        firsts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
        whole = np.logical_or.reduceat(above, firsts, axis=1)
        tied = np.zeros_like(whole)
        tied[r, np.searchsorted(firsts, c, side="right") - 1] = True
        probes = self.block[rows]
        found.groups_above[probes] += np.count_nonzero(whole, axis=1)
        found.groups_tied[probes] += np.count_nonzero(tied & ~whole, axis=1)
