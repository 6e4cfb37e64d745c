"""The exact top-pairs join: the n best pairs of all, without an N x N array.

The upper triangle is walked in tiles. A tile's float32 product only *filters*: whatever could
belong to the n best is scored again in float64 and ranked on that. The filter lets nothing slip,
by the textbook bound for a dot product of D terms in any order of summation, fused or not
(Higham, Accuracy and Stability of Numerical Algorithms, section 3.1):

    |fl(x . y) - x . y|  <=  gamma(D) * sum |x_k y_k|  <=  gamma(D) * |x| |y|,
    gamma(D) = D u / (1 - D u),  u = 2^-24,

plus D 2^-125 for products that underflow, flushed to zero or not. (Subnormal inputs are taken as
they are, which is so unless a program asks its processor to zero them.) A pair whose exact score
is at least t has a float32 score of at least t minus that bound. The same with u = 2^-53 covers
the float64 score itself. Where norms are so large that float32 could overflow, the tile is
computed in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from indexes.base import Rows, Scores, TopPairs, Vectors

TILE = 1024
_FLOAT32: np.dtype[np.floating] = np.dtype(np.float32)
# float32 products of larger vectors could overflow; float64 ones of float32 vectors never do.
_LARGEST_NORM = 2.0**60
_RESCORE_VALUES = 2**21

Progress = Callable[[int, int], None]


def pair_scores(left: Vectors, right: Vectors, i: Rows, j: Rows) -> Scores:
    """The score of each pair `(left[i], right[j])`, `[M]`: the number every ranking is made on.

    Products of float32 values are exact in float64; they are added coordinate by coordinate, in
    order, so that the result is the same bytes on every machine.
    """
    scores = np.empty(len(i), np.float64)
    step = max(1, _RESCORE_VALUES // left.shape[1])
    for start in range(0, len(i), step):
        rows = slice(start, start + step)
        products = left[i[rows]].astype(np.float64)
        products *= right[j[rows]]
        total = np.zeros(len(products), np.float64)
        # Not `sum`: numpy adds pairwise or in order as the shape has it.
        for column in np.ascontiguousarray(products.T):
            total += column
        scores[rows] = total
    return scores


def top_pairs(
    vectors: Vectors,
    groups: Rows,
    n: int,
    *,
    tile: int = TILE,
    progress: Progress | None = None,
) -> TopPairs:
    """The n best pairs i < j with `groups[i] != groups[j]`, exact.

    Args:
        vectors: `[N, D]` finite float32; may be read-only or memory-mapped.
        groups: `[N]` int64.
        n: how many; all if fewer exist.
        tile: rows of a tile; changes the time, never the answer.
        progress: called with the pairs done and the pairs in all.
    """
    count = len(vectors)
    lengths = norms(vectors)
    best = _Best(vectors, groups, n)
    total = count * (count - 1) // 2
    done = 0
    for block, rows, columns in _tiles(vectors, tile, filter_dtype(lengths)):
        largest = float(lengths[rows].max() * lengths[columns].max())
        best.offer(block, rows, columns, margin(vectors.shape[1], largest, block.dtype))
        done += _pairs_in(rows, columns)
        if progress is not None:
            progress(done, total)
    return best.result()


class _Best:
    """The best pairs seen so far, and the score that a newcomer has to reach."""

    def __init__(self, vectors: Vectors, groups: Rows, n: int) -> None:
        self.vectors, self.groups, self.n = vectors, groups, n
        self.threshold = -np.inf
        self.parts: list[tuple[Rows, Rows, Scores]] = []
        self.held = self.fresh = 0
        # Settling costs a pass over what is held: not for every handful of newcomers.
        self.patience = max(n // 8, 1024)

    def offer(
        self, block: NDArray[np.floating], rows: slice, columns: slice, margin: float
    ) -> None:
        """Take in the pairs `rows` x `columns`, whose filter scores `block` err by `margin`."""
        hits = np.flatnonzero(block.ravel() >= _rounded(self.threshold - margin, block.dtype))
        i, j = np.divmod(hits, block.shape[1])
        i += rows.start
        j += columns.start
        kept = (self.groups[i] != self.groups[j]) & (i < j)
        hits, i, j = hits[kept], i[kept], j[kept]
        if hits.size > self.n:
            # n pairs of this tile reach `nth` minus the margin: less than that can not be among
            # the n best, and who could be has a filter score of at least `nth` minus two margins.
            filtered = block.ravel()[hits]
            nth = float(np.partition(filtered, hits.size - self.n)[hits.size - self.n])
            kept = filtered >= _rounded(nth - 2 * margin, block.dtype)
            i, j = i[kept], j[kept]
        # In portions, so that a tile full of equal scores does not need memory for all of them.
        portion = max(4 * self.n, 2**16)
        for start in range(0, i.size, portion):
            some = slice(start, start + portion)
            self._take(i[some], j[some])

    def _take(self, i: Rows, j: Rows) -> None:
        scores = pair_scores(self.vectors, self.vectors, i, j)
        kept = scores >= self.threshold
        taken = int(kept.sum())
        if not taken:
            return
        self.parts.append((i[kept], j[kept], scores[kept]))
        self.held += taken
        self.fresh += taken
        first = self.threshold == -np.inf and self.held >= self.n
        if first or self.fresh >= self.patience:
            self._settle()

    def _settle(self) -> None:
        """Drop all but the n best of what is held, and raise the threshold to the n-th."""
        i, j, scores = (np.concatenate(parts) for parts in zip(*self.parts, strict=True))
        if scores.size >= self.n:
            self.threshold = float(np.partition(scores, scores.size - self.n)[-self.n])
            above = np.flatnonzero(scores > self.threshold)
            ties = np.flatnonzero(scores == self.threshold)
            ties = ties[np.lexsort((j[ties], i[ties]))[: self.n - above.size]]
            kept = np.r_[above, ties]
            i, j, scores = i[kept], j[kept], scores[kept]
        self.parts, self.held, self.fresh = [(i, j, scores)], scores.size, 0

    def result(self) -> TopPairs:
        if not self.parts:
            nothing = np.empty(0, np.int64)
            return TopPairs(nothing, nothing, np.empty(0, np.float64))
        self._settle()
        i, j, scores = self.parts[0]
        order = np.lexsort((j, i, -scores))
        return TopPairs(i[order], j[order], scores[order])


def _rounded(value: float, dtype: np.dtype[np.floating]) -> np.floating:
    """`value` in `dtype`. Rounding keeps order: whatever f of that type is >= value is >= this."""
    with np.errstate(over="ignore"):
        return dtype.type(value)


def norms(vectors: Vectors) -> Scores:
    """Upper bounds `[N]` of the Euclidean norms, within a few units in the last place."""
    lengths = np.empty(len(vectors), np.float64)
    step = max(1, _RESCORE_VALUES // vectors.shape[1])
    for start in range(0, len(vectors), step):
        part = vectors[start : start + step].astype(np.float64)
        lengths[start : start + step] = np.sqrt(np.einsum("nd,nd->n", part, part))
    lengths *= 1 + vectors.shape[1] * 2.0**-52
    return lengths


def filter_dtype(lengths: Scores) -> np.dtype[np.floating]:
    """float32, or float64 where products of vectors of these norms could overflow float32."""
    fits = lengths.size == 0 or float(lengths.max()) < _LARGEST_NORM
    return np.dtype(np.float32 if fits else np.float64)


def margin(terms: int, product: float, dtype: np.dtype[np.floating] = _FLOAT32) -> float:
    """How far a `dtype` dot product of D = `terms` can lie from the reported score.

    `product` bounds |x| |y|; the derivation is in the module's docstring.
    """
    unit = 2.0**-24 if dtype == _FLOAT32 else 2.0**-53
    gamma = terms * unit / (1 - terms * unit) + 2 * terms * 2.0**-53
    return gamma * product + terms * 2.0**-125


def _tiles(
    vectors: Vectors, tile: int, dtype: np.dtype[np.floating]
) -> Iterator[tuple[NDArray[np.floating], slice, slice]]:
    """Products of the tiles on and above the diagonal, in one re-used buffer."""
    count = len(vectors)
    buffer = np.empty(min(tile, count) ** 2, dtype)
    for top in range(0, count, tile):
        rows = slice(top, min(top + tile, count))
        left = np.asarray(vectors[rows], dtype)
        for side in range(top, count, tile):
            columns = slice(side, min(side + tile, count))
            shape = (rows.stop - rows.start, columns.stop - columns.start)
            block = buffer[: shape[0] * shape[1]].reshape(shape)
            np.matmul(left, np.asarray(vectors[columns], dtype).T, out=block)
            yield block, rows, columns


def _pairs_in(rows: slice, columns: slice) -> int:
    height: int
    width: int
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return height * (height - 1) // 2 if rows == columns else height * width
