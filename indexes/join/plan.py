"""Plan of a search: whether a narrow bound pays, and how wide it should be, by a sample."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch

from indexes.base import Rows, Scores, Vectors
from indexes.join.best import Best
from indexes.join.engine import CROWD, Worker
from indexes.join.filters import Filter, Norms, Rounded
from indexes.join.kernels import INT8, Kernel
from indexes.join.narrow import leading, rests
from indexes.join.quantisation import Quantised
from indexes.join.spaces import space_of
from indexes.join.tiles import Tile
from indexes.memory import gather

# Widths of the bound, its last coordinate included: what matrix units take in one go.
WIDTHS = (64, 96, 128, 192, 256, 384)
# Where the widest bound lets more than this through, none is worth timing.
_HOPELESS = 0.2
_SAMPLE = 2048
_TRIAL = 512


class Plan:
    """Choice of the filter: the whole vectors, or first a narrow bound.

    Args:
        best: what is to be filled, with the threshold that the search starts with.
        order: `[P]` the rows that take part.
        lengths: `[N]` norms.
        full: a filter of whole vectors, to be timed on `tile`.
        worker: its buffers hold the products.
        kernel: of the bound.

    Attributes:
        width: of the bound; 0 where the whole vectors are quicker.
        basis: `[D, d]`, what makes a bound of that width, or None.
        crowd: share of a tile above which its whole vectors are quicker after all.
        seconds: estimated, a pair, by width; 0 is the whole vectors.
        shares: of a sample's pairs that each width lets through.
    """

    def __init__(
        self,
        best: Best,
        order: Rows,
        lengths: Scores,
        full: Filter,
        tile: Tile,
        worker: Worker,
        kernel: Kernel,
    ) -> None:
        self.best, self.order, self.lengths = best, order, lengths
        self.worker, self.tile, self.kernel = worker, tile, kernel
        self.seconds: dict[int, float] = {}
        self.shares: dict[int, float] = {}
        self.width, self.basis, self.crowd = 0, None, CROWD
        widths = [width for width in WIDTHS if 8 * width <= 3 * best.vectors.shape[1]]
        generator = np.random.default_rng(0)
        self.space = space_of(order, best.rules.split)
        if not widths or best.threshold == -np.inf:
            return
        copies = rests(kernel)
        # A basis is not tried on its own rows, which it fits better than all others.
        sample, chosen = (
            order[self.space.sample(_TRIAL, _SAMPLE - _TRIAL, generator)] for _ in range(2)
        )
        basis = leading(gather(best.vectors, sample[:_SAMPLE]), widths[-1] - copies)
        some = gather(best.vectors, chosen[: 2 * _TRIAL])
        self._pass(some @ basis, chosen[: 2 * _TRIAL], widths)
        if min(self.shares.values()) > _HOPELESS:
            return
        whole = _seconds(partial(worker.scanner.multiply, full, tile)) / tile.area
        gathering = self._gathering(chosen)
        turning = self._turning(some, basis)
        self.seconds[0] = whole
        for width in widths:
            like = _blank(width, tile, kernel)
            product = _seconds(partial(worker.scanner.multiply, like, tile)) / tile.area
            self.seconds[width] = product + self.shares[width] * gathering + turning * width
        self.width = min(self.seconds, key=lambda width: self.seconds[width])
        if self.width:
            self.basis = basis[:, : self.width - copies]
            self.crowd = min(CROWD, whole / gathering)

    @property
    def reason(self) -> str:
        """The measurements that decided, in a few words."""
        if not self.shares:
            return "there is no threshold yet, or too few coordinates"
        passing = ", ".join(f"{width} of {share:.2%}" for width, share in self.shares.items())
        if not self.seconds:
            return f"too many pairs pass it, by coordinates {passing}"
        shortest = min(value for width, value in self.seconds.items() if width)
        whole = self.seconds[0] / shortest
        return (
            f"{whole:.1f} times as quick with {self.width or 'most'} coordinates ({passing} pass)"
        )

    def _pass(self, turned: Vectors, chosen: Rows, widths: Sequence[int]) -> None:
        """Measure the shares of a sample's pairs of different groups that bounds let through."""
        sizes, codes = self.lengths[chosen], self.best.rules.groups[chosen]
        other = codes[:_TRIAL, None] != codes[None, _TRIAL:]
        # About what rounding takes, for as many pairs as in a tile.
        least = self.best.threshold - self.kernel.slack * float(np.median(sizes)) ** 2
        for width in widths:
            inside = turned[:, : width - rests(self.kernel)]
            rest = np.sqrt(np.maximum(sizes**2 - (inside**2).sum(axis=1), 0))
            bounds = inside[:_TRIAL] @ inside[_TRIAL:].T + np.outer(rest[:_TRIAL], rest[_TRIAL:])
            self.shares[width] = float(((bounds >= least) & other).mean())

    def _turning(self, some: Vectors, basis: Vectors) -> float:
        """Seconds that turning all rows into the bound takes, a pair and coordinate."""
        left, right = torch.from_numpy(some[:_TRIAL]), torch.from_numpy(basis)
        row = _seconds(partial(torch.mm, left, right)) / left.shape[0] / right.shape[1]
        # A row is turned once, and then stands in many pairs. Rounding and norms take about as long
        # as the product.
        return 2 * row * len(self.order) / self.space.pairs

    def _gathering(self, chosen: Rows) -> float:
        """Seconds, a pair, of scoring again the pairs that a bound lets through."""
        rows = slice(0, _TRIAL)
        p, b = np.repeat(np.arange(_TRIAL), 4), np.resize(chosen[_TRIAL:], 4 * _TRIAL)
        vectors = self.best.vectors
        return _seconds(lambda: self.worker.products(vectors, chosen, rows, p, b)) / len(p)


def _blank(width: int, tile: Tile, kernel: Kernel) -> Rounded | Quantised:
    """Filter of that width and the tile's size, to be timed."""
    size = max(tile.rows.stop, tile.columns.stop)
    none: Scores = np.zeros(size)
    norms: Norms = (none, none, none, none)
    values = torch.ones((size, width), dtype=kernel.factors)
    if kernel is INT8:
        return Quantised(values, none + 1, norms, 0.0)
    return Rounded(values, norms, 0.0, kernel)


def _seconds(work: Callable[[], object]) -> float:
    """Seconds of the shortest of three runs."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
