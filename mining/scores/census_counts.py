"""Counts that a census is made of: the curve's vertices, and errors by identity."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from indexes import AllPairs
from indexes.join import SearchOptions
from indexes.join.group_sums import whole_product
from indexes.join.score_counts import Histogram, Window
from mining.embeddings.store import Embeddings
from mining.scores.score_tail import ScoreTail, TailSearch
from pairsets.arrays import Counts, Floats, Mask, Scores
from pairsets.evaluation.census import Area, Census, Fixed, census_point
from pairsets.evaluation.evaluator import TARGETS
from pairsets.evaluation.jackknife import Errors, Population
from pairsets.evaluation.rates import (
    Curve,
    Point,
    equal_error,
    fnr_at_fpr,
    fpr_at_fnr,
    most_within,
)
from pairsets.progress import Step

# FARs above the tail, and further ones that the curve is drawn through.
_BULK = (1e-1, 1e-2)
_DRAWN = (0.5, 0.3, 0.2, 0.05, 0.02, 0.005, 0.002)
# Ranks of the tail that the curve is drawn through, a decade.
_A_DECADE = 24


class CensusCounts:
    """The census of one model."""

    def __init__(
        self,
        embeddings: Embeddings,
        target_fnr: float,
        full: bool,
        how: SearchOptions,
        step: Step,
        checkpoint: Path | None,
    ) -> None:
        self.target, self.how, self.checkpoint = target_fnr, how, checkpoint
        self.pairs = AllPairs(embeddings.vectors, embeddings.faces.groups, how)
        self.population = Population(self.pairs.sizes)
        self.full = full
        # Passes over all pairs: three and the search, or the search alone.
        self.progress = _Passes(step, 4 if self.full else 1)

    def census(self, more: Sequence[float] = ()) -> Census:
        """The rates, at `more` FARs than the powers of ten."""
        negatives = self.population.negatives
        hist = self.pairs.histogram(
            kind="both" if self.full else "positive",
            progress=self.progress.next() if self.full else None,
        )
        search = TailSearch(self.pairs, self.how, self.checkpoint, self.progress.next())
        tail, far = search.find(hist if self.full else None)
        low = far
        if self.full:
            far = 1.0
        asked = sorted({*_BULK, *_decades(negatives), *more}, reverse=True)
        fars = [one for one in asked if one < 1 and one <= far and most_within(one, negatives)]
        fnrs = [*dict.fromkeys((self.target, *TARGETS))]
        drawn = fars
        if self.full:
            between = [one for one in _DRAWN if most_within(one, negatives)]
            drawn = sorted({*fars, *between}, reverse=True)
        windows = _Windows()
        self._ask(windows, hist, tail, [one for one in drawn if one <= low], drawn, fnrs)
        curve = self._curve(self._vertices(windows, tail), tail, drawn, fnrs)
        wanted = self._points(curve, fars, fnrs, tail)
        errors = self._errors([at.threshold for _, _, at in wanted], tail)
        points = tuple(
            census_point(
                self.population,
                curve,
                one,
                fixed,
                target,
                at=at if fixed == "eer" else None,
            )
            for (fixed, target, at), one in zip(wanted, errors, strict=True)
        )
        area = _area(hist) if self.full else None
        return Census(self.population, points, curve, self.target, area, far)

    def _ask(
        self,
        windows: _Windows,
        hist: Histogram,
        tail: ScoreTail,
        low_fars: Sequence[float],
        fars: Sequence[float],
        fnrs: Sequence[float],
    ) -> None:
        """List the scores that the curve is to be known at."""
        negatives, positives = self.population.negatives, self.population.positives
        for rank in _ranks(len(tail.scores)):
            windows.count(float(tail.scores[rank - 1]))
        for far in low_fars:
            # Between the last pair that the FAR lets in and the next there may be positives.
            rank = most_within(far, negatives)
            low = float(tail.scores[rank]) if rank < len(tail.scores) else -np.inf
            windows.tell(float(np.nextafter(low, np.inf)), float(tail.scores[rank - 1]))
        for fnr in fnrs:
            rank = positives - most_within(fnr, positives)
            if rank:
                windows.tell(*hist.bracket(rank, "positive"))
        if not self.full:
            return
        for far in fars:
            if far not in low_fars:
                rank = most_within(far, negatives)
                first, second = (hist.bracket(one, "negative") for one in (rank + 1, rank))
                windows.tell(first[0], second[1])
        windows.tell(*_crossing(hist, negatives, positives))

    def _curve(
        self, every: _Vertices, tail: ScoreTail, fars: Sequence[float], fnrs: Sequence[float]
    ) -> Curve:
        """The vertices that are asked for.

        Which others the windows hold hangs on how products were rounded; these do not.
        """
        whole = self._as_curve(every.thresholds, every.accepted, every.hits)
        wanted = {0}
        asked = np.array([tail.scores[rank - 1] for rank in _ranks(len(tail.scores))])
        wanted |= set(np.searchsorted(-every.thresholds, -asked).tolist())
        wanted |= {whole.first(partial(_above, far)) - 1 for far in fars}
        wanted |= {whole.first(partial(_within, fnr)) for fnr in fnrs}
        if self.full:
            after = whole.first(lambda fpr, fnr: fpr >= fnr)
            wanted |= {after - 1, after}
        rows = np.array(sorted(at for at in wanted if 0 <= at < len(every.thresholds)))
        thresholds = every.thresholds[rows]
        for place in np.flatnonzero(~every.real[rows]):
            # What lets in as many, and nothing of the next score.
            thresholds[place] = np.nextafter(every.thresholds[rows[place] + 1], np.inf)
        return self._as_curve(thresholds, every.accepted[rows], every.hits[rows])

    def _as_curve(self, thresholds: Floats, accepted: Counts, hits: Counts) -> Curve:
        return Curve(
            thresholds,
            accepted,
            hits,
            self.population.positives - int(hits[-1]),
            self.population.negatives - int(accepted[-1]),
        )

    def _vertices(self, windows: _Windows, tail: ScoreTail) -> _Vertices:
        """All vertices that the windows hold."""
        asked = windows.asked
        counted: list[Window] = []
        # Of what lies within the tail only pairs of one identity are still to be counted.
        low = [at for at in asked if not tail.holds(at[0])]
        high = [at for at in asked if tail.holds(at[0])]
        if self.full:
            counted = self.pairs.windows(low, progress=self.progress.next())
        own = high if self.full else asked
        positive = self.pairs.windows(own, kind="positive") if own else []
        found: list[_Vertices] = []
        for one in counted:
            above = one.negatives_above, one.positives_above
            found.append(_told(one.scores, one.negatives, one.positives, one.high, above))
        for one in positive:
            if not tail.holds(one.low):
                continue
            first, last = tail.reaching(one.high), tail.reaching(one.low)
            scores = np.concatenate([tail.scores[first:last], one.scores])
            counts = np.zeros((2, len(scores)), np.int64)
            counts[0, : last - first] = 1
            counts[1, last - first :] = one.positives
            distinct, place = np.unique(-scores, return_inverse=True)
            summed = np.zeros((2, len(distinct)), np.int64)
            for kind in (0, 1):
                np.add.at(summed[kind], place, counts[kind])
            above = first, one.positives_above
            found.append(_told(-distinct, summed[0], summed[1], one.high, above))
        return _joined(found)

    def _points(
        self, curve: Curve, fars: Sequence[float], fnrs: Sequence[float], tail: ScoreTail
    ) -> list[tuple[Fixed, float, Point]]:
        """The operating points that are known, and their rates."""
        wanted: list[tuple[Fixed, float, Point]] = []
        for fnr in fnrs:
            resolved = self.population.positives * fnr >= 1
            if (resolved or fnr == self.target) and (self.full or curve.rates(-1)[1] <= fnr):
                at = fpr_at_fnr(curve, fnr)
                if math.isfinite(at.threshold) and (self.full or tail.holds(at.threshold)):
                    wanted.append(("fnr", fnr, at))
        if self.full:
            rate, threshold = equal_error(curve)
            if math.isfinite(threshold):
                wanted.append(("eer", 0.0, Point(threshold, rate, rate)))
        for far in fars:
            at = fnr_at_fpr(curve, far)
            if math.isfinite(at.threshold):
                wanted.append(("fpr", far, at))
        return wanted

    def _errors(self, cuts: Sequence[float], tail: ScoreTail) -> list[Errors]:
        """Errors by identity at each threshold."""
        asked = np.array(cuts)
        bulk = [at for at, cut in enumerate(cuts) if not tail.holds(cut)]
        own = self.pairs.by_group(asked, kind="positive")
        missed = self.population.within - own.positives
        found: dict[int, Errors] = {}
        if self.full:
            counted = self.pairs.by_group(asked[bulk], progress=self.progress.next())
            for place, at in enumerate(bulk):
                found[at] = Errors(
                    cuts[at],
                    counted.negatives[place],
                    missed[at],
                    counted.squares[place],
                    counted.products[place],
                )
        count = len(self.population.sizes)
        for at, cut in enumerate(cuts):
            if at in found:
                continue
            a, b = (codes[: tail.reaching(cut)] for codes in (tail.a, tail.b))
            accepted = np.bincount(a, minlength=count) + np.bincount(b, minlength=count)
            keys, each = np.unique(np.minimum(a, b) * count + np.maximum(a, b), return_counts=True)
            every = self.population.sizes[keys // count] * self.population.sizes[keys % count]
            squares, products = (whole_product(each, other) for other in (each, every))
            found[at] = Errors(cut, accepted, missed[at], squares, products)
        return [found[at] for at in range(len(cuts))]


@dataclass(eq=False)
class _Windows:
    """Intervals of scores that are asked for, each once."""

    asked: list[tuple[float, float]] = field(default_factory=list)

    def tell(self, low: float, high: float) -> None:
        """Ask for each score from `low` up to and with `high`."""
        self._add(low, float(np.nextafter(high, np.inf)))

    def count(self, score: float) -> None:
        """Ask how many pairs score at least `score`, and for those that score just that."""
        self._add(score, float(np.nextafter(score, np.inf)))

    def _add(self, low: float, high: float) -> None:
        if (low, high) not in self.asked:
            self.asked.append((low, high))


class _Passes:
    """One progress of several passes over all pairs."""

    def __init__(self, step: Step, count: int) -> None:
        self.step, self.count, self.done = step, count, -1

    def next(self) -> Callable[[int, int], None]:
        """Progress of the next pass."""
        self.done += 1
        begun = min(self.done, self.count - 1)

        def tell(done: int, total: int) -> None:
            self.step(begun * total + done, self.count * total)

        return tell


def _decades(negatives: int) -> list[float]:
    """FARs from 1e-3 down, as far as one pair of two identities in all resolves them."""
    found = []
    power = 3
    while negatives * 10.0**-power >= 1:
        found.append(float(f"1e-{power}"))
        power += 1
    return found


def _ranks(count: int) -> list[int]:
    """Ranks from 1 to `count`, all the first ones, then so many a decade."""
    if not count:
        return []
    steps = np.geomspace(1, count, max(int(_A_DECADE * np.log10(count)), 1) + 1)
    return [int(step) for step in np.unique(np.clip(np.rint(steps), 1, count))]


def _crossing(hist: Histogram, negatives: int, positives: int) -> tuple[float, float]:
    """Interval of scores that holds the two vertices between which FPR and FNR cross."""
    accepted = np.cumsum(hist.negatives[::-1])[::-1] / negatives
    missed = 1 - np.cumsum(hist.positives[::-1])[::-1] / positives
    # The last bin from which on more are accepted than missed.
    at = int(np.flatnonzero(accepted >= missed)[-1])
    low, high = hist.around(at, at)
    # A vertex above it is there only where a pair has such a score.
    both = hist.negatives + hist.positives
    above = np.flatnonzero(both[at + 1 :])
    if above.size:
        high = max(high, hist.around(at + 1 + int(above[0]), at + 1 + int(above[0]))[1])
    return low, high


@dataclass(frozen=True, eq=False)
class _Vertices:
    """Vertices of a curve.

    Attributes:
        thresholds: `[K]`, falling.
        accepted, hits: `[K]`, false and true positives at each.
        real: `[K]`, whether the threshold is a pair's score, and not the end of a window.
    """

    thresholds: Floats
    accepted: Counts
    hits: Counts
    real: Mask


def _told(
    scores: Scores, negatives: Counts, positives: Counts, high: float, above: tuple[int, int]
) -> _Vertices:
    """Vertices of one window, that of its upper end first."""
    return _Vertices(
        np.concatenate([[high], scores]),
        above[0] + np.concatenate([[0], np.cumsum(negatives)]),
        above[1] + np.concatenate([[0], np.cumsum(positives)]),
        np.arange(len(scores) + 1) > 0,
    )


def _joined(found: Sequence[_Vertices]) -> _Vertices:
    """Vertices of several windows as one curve, which begins where nothing is accepted."""
    start = _told(np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64), np.inf, (0, 0))
    every = [replace(start, real=np.ones(1, np.bool_)), *found]
    thresholds = np.concatenate([one.thresholds for one in every])
    real = np.concatenate([one.real for one in every])
    order = np.lexsort((~real, -thresholds))
    order = order[np.concatenate([[True], np.diff(thresholds[order]) < 0])]
    accepted = np.concatenate([one.accepted for one in every])[order]
    hits = np.concatenate([one.hits for one in every])[order]
    # The upper end of a window has the rates of the next score above it, where that is known.
    new = np.concatenate([[True], (np.diff(accepted) > 0) | (np.diff(hits) > 0)])
    return _Vertices(0.0 + thresholds[order][new], accepted[new], hits[new], real[order][new])


def _above(target: float, fpr: float, fnr: float) -> bool:
    return fpr > target


def _within(target: float, fpr: float, fnr: float) -> bool:
    return fnr <= target


def _area(hist: Histogram) -> Area:
    """AUC by the bins of both kinds."""
    negatives, positives = hist.negatives, hist.positives
    below = np.concatenate([[0], np.cumsum(negatives)])
    # Bins so near that two pairs in them may rank either way.
    near = math.ceil(2 * hist.slack / float(hist.edges[1] - hist.edges[0])) + 1
    places, total = np.flatnonzero(positives), int(negatives.sum()) * int(positives.sum())
    mine = positives[places].astype(np.float64)
    first = below[np.maximum(places - near, 0)]
    last = below[np.minimum(places + near + 1, len(negatives))]
    middle = (below[places] + below[places + 1]) / 2
    value, low, high = (float((mine * some).sum()) / total for some in (middle, first, last))
    # Digits that hang on how products were rounded are not told.
    return Area(round(value, 5), max(low - 1e-5, 0.0), min(high + 1e-5, 1.0))
