"""Rates over all pairs: their variance, their differences, against naive sums and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pairsets.errors import ScoresError
from pairsets.evaluation.census import (
    Census,
    Errors,
    Population,
    census_point,
    compare_census,
)
from pairsets.evaluation.intervals import score_interval, student
from pairsets.evaluation.rates import Curve, equal_error, fnr_at_fpr, fpr_at_fnr, roc


class World:
    """Faces with scores of all their pairs."""

    def __init__(self, sizes, seed, spread=0.8, parity=0.0, draw=None):
        draw = draw or np.random.default_rng(seed)
        self.sizes = np.asarray(sizes)
        self.codes = np.repeat(np.arange(len(sizes)), sizes)
        self.i, self.j = np.triu_indices(len(self.codes), 1)
        hub = draw.standard_normal(len(sizes)) * spread
        noise = draw.standard_normal(len(self.i))
        a, b = self.codes[self.i], self.codes[self.j]
        self.positive = a == b
        self.scores = hub[a] + hub[b] + noise + 2.0 * self.positive + parity

    def errors(self, cut):
        """Errors at a threshold, by a table of identities."""
        count = len(self.sizes)
        a, b = self.codes[self.i], self.codes[self.j]
        accepted = self.scores >= cut
        table = np.zeros((count, count), np.int64)
        wrong = accepted & ~self.positive
        np.add.at(table, (a[wrong], b[wrong]), 1)
        missed = np.bincount(a[~accepted & self.positive], minlength=count)
        return Errors(
            cut,
            (table + table.T).sum(axis=1),
            missed,
            int((table**2).sum()),
            int((table * np.outer(self.sizes, self.sizes)).sum()),
        ), table

    @property
    def curve(self):
        return roc(self.positive, self.scores)


SIZES = [1, 2, 5, 3, 3, 8, 1, 4, 2, 6]


def test_the_population_counts_each_pair_once():
    found, world = Population(np.array(SIZES)), World(SIZES, 0)
    assert (found.faces, found.positives) == (sum(SIZES), world.positive.sum())
    assert found.negatives == (~world.positive).sum()
    assert found.apart.sum() == 2 * found.negatives
    pairs = np.outer(SIZES, SIZES)
    assert found.squares == (np.triu(pairs, 1) ** 2).sum()


def test_the_variance_is_that_of_leaving_identities_out():
    """The jackknife, identity by identity; less what two identities share, once."""
    world, population = World(SIZES, 1), Population(np.array(SIZES))
    errors, table = world.errors(0.5)
    found = census_point(population, Curve(*roc_of(world)), errors, "fpr", 0.1)
    rate = errors.accepted.sum() / 2 / population.negatives
    both = table + table.T
    left = []
    for out in range(len(SIZES)):
        kept = [a for a in range(len(SIZES)) if a != out]
        pairs = np.outer(SIZES, SIZES)[np.ix_(kept, kept)]
        left.append(both[np.ix_(kept, kept)].sum() / (pairs.sum() - np.trace(pairs)))
    count = len(SIZES)
    jackknife = (count - 1) / count * ((np.array(left) - rate) ** 2).sum()
    residual = np.triu(both, 1) - rate * np.triu(np.outer(SIZES, SIZES), 1)
    shared = (residual**2).sum() / population.negatives**2
    # Of the interval of the FPR alone, by Wilson's form on effective pairs.
    expected = max(jackknife - shared, shared)
    apart = np.array(left) - rate
    even = (apart**2).sum() ** 2 / (apart**4).sum()
    degrees = even * (expected / (jackknife - shared)) ** 2
    interval = score_interval(rate, rate * (1 - rate) / expected, student(0.95, max(degrees, 1.0)))
    assert (found.fpr_interval.low, found.fpr_interval.high) == pytest.approx(
        (interval.low, interval.high), rel=1e-9
    )
    misses = errors.missed.sum() / population.positives
    left = [
        (errors.missed.sum() - errors.missed[out]) / (population.positives - population.within[out])
        for out in range(count)
    ]
    moved = (count - 1) / count * ((np.array(left) - misses) ** 2).sum()
    slope = found.influence - scaled(errors, population)
    assert float(moved) == pytest.approx((scaled(errors, population) ** 2).sum())
    # What remains is proportional to how the FPR moves: the slope of the curve.
    fpr_moved = (np.array(left_out(both)) - rate) * ((count - 1) / count) ** 0.5
    ratio = slope / fpr_moved
    assert ratio == pytest.approx(np.full(count, ratio[0]))
    assert ratio[0] >= 0


def roc_of(world):
    curve = world.curve
    return curve.thresholds, curve.false_positives, curve.true_positives


def left_out(both):
    found = []
    for out in range(len(SIZES)):
        kept = [a for a in range(len(SIZES)) if a != out]
        pairs = np.outer(SIZES, SIZES)[np.ix_(kept, kept)]
        found.append(both[np.ix_(kept, kept)].sum() / (pairs.sum() - np.trace(pairs)))
    return found


def scaled(errors, population):
    """How the FNR moves without each identity."""
    total, every = errors.missed.sum(), population.positives
    rate = total / every
    left = (total - errors.missed) / (every - population.within)
    return (1 - 1 / len(errors.missed)) ** 0.5 * (left - rate)


@pytest.mark.parametrize("fixed", ["eer", "fnr", "fpr"])
def test_a_rate_moves_as_without_each_identity(fixed):
    """With the threshold chosen anew each time; positives vary less, so that slopes are not 1."""
    world = World(np.full(100, 8), 3)
    world.scores = np.where(world.positive, 2 + 0.4 * (world.scores - 2), world.scores)

    def rate(rows):
        curve = roc(world.positive[rows], world.scores[rows])
        if fixed == "eer":
            return equal_error(curve)
        at = fpr_at_fnr(curve, 0.2) if fixed == "fnr" else fnr_at_fpr(curve, 0.05)
        return (at.fpr if fixed == "fnr" else at.fnr), at.threshold

    whole, cut = rate(np.ones(len(world.i), bool))
    a, b = world.codes[world.i], world.codes[world.j]
    moved = [rate((a != out) & (b != out))[0] - whole for out in range(100)]
    found = census_point(Population(world.sizes), world.curve, world.errors(cut)[0], fixed, 0.2)
    slope = np.polyfit(found.influence, np.array(moved) * 0.99**0.5, 1)[0]
    assert np.corrcoef(found.influence, moved)[0, 1] > 0.9
    assert 0.75 < slope < 1.33


@pytest.mark.parametrize("share", [0.2, 0.01])
def test_intervals_cover_the_rate_of_other_identities(share):
    """Identities drawn anew: the rate at a fixed threshold of all there could be is known."""
    draw = np.random.default_rng(11)
    cut_world = World(np.full(400, 2), 0, draw=draw)
    cut = float(np.quantile(cut_world.scores[~cut_world.positive], 1 - share))
    deviation = (1 + 2 * 0.8**2) ** 0.5
    # Of two identities hubs add up; of one they are one and count twice.
    own = (1 + 4 * 0.8**2) ** 0.5
    truth = 0.5 * math.erfc(cut / deviation / 2**0.5)
    misses = 0.5 * math.erfc((2.0 - cut) / own / 2**0.5)
    hits = {"fpr": 0, "fnr": 0}
    repeats = 300
    for _ in range(repeats):
        world = World(draw.integers(2, 6, 40), 0, draw=draw)
        population = Population(world.sizes)
        errors, _ = world.errors(cut)
        found = census_point(population, world.curve, errors, "fpr", share)
        hits["fpr"] += truth in found.fpr_interval
        hits["fnr"] += misses in found.fnr_interval
    for kind, count in hits.items():
        assert 0.90 <= count / repeats <= 0.99, (kind, count)


def census_of(world, target=0.1):
    population, curve = Population(world.sizes), world.curve
    points = []
    for fixed, target_of in (("fnr", target), ("fpr", 0.05)):
        at = curve.first(lambda fpr, fnr: fnr <= target) if fixed == "fnr" else None
        at = curve.first(lambda fpr, fnr: fpr > 0.05) - 1 if at is None else at
        errors, _ = world.errors(float(curve.thresholds[at]))
        points.append(census_point(population, curve, errors, fixed, target_of))
    return Census(population, tuple(points), curve, target)


def test_the_same_scores_are_never_told_apart_and_worse_ones_are():
    sizes = np.full(60, 4)
    good, bad = World(sizes, 1), World(sizes, 2, parity=0.0)
    bad.scores = np.where(bad.positive, bad.scores - 2.0, bad.scores)  # a coin
    found = compare_census(
        {"coin": census_of(bad), "good": census_of(good), "same": census_of(good)}
    )
    assert list(found.models)[-1] == "coin"
    assert found.lead == ("fnr", 0.1)
    name = found.leading("good").name
    told = {frozenset((one.first, one.second)): one for one in found.differences[name]}
    assert not told[frozenset(("good", "same"))].significant
    assert told[frozenset(("good", "same"))].value == 0
    assert told[frozenset(("good", "coin"))].better == "good"
    assert found.groups[name]["good"] == found.groups[name]["same"] != found.groups[name]["coin"]
    assert set(found.tied) == {"same"}


def test_differences_hold_under_no_difference():
    """Two models of equal skill, on the same identities: told apart no more often than 5 %."""
    draw = np.random.default_rng(5)
    told = 0
    for _ in range(200):
        sizes = draw.integers(2, 5, 30)
        one, other = (World(sizes, 0, draw=draw) for _ in range(2))
        found = compare_census({"A": census_of(one), "B": census_of(other)})
        told += found.differences[found.leading("A").name][0].p < 0.05
    assert told <= 20


def test_a_model_known_at_no_target_fnr_leads_by_far():
    world = World(SIZES, 3)
    whole = census_of(world)
    tail = Census(whole.population, whole.points[1:], whole.curve, 0.1, highest_far=0.05)
    found = compare_census({"A": whole, "B": tail})
    assert found.lead == ("fpr", 0.05)
    assert not tail.full
    assert "fpr_at_fnr_0.1" not in found.differences


def test_records_know_no_nan():
    sizes = np.full(60, 4)
    found = census_of(World(sizes, 3)).record()
    assert found["negatives"] == Population(sizes).negatives
    assert found["auc"] is None
    name = "fnr_at_fpr_0.05"
    assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]


def test_an_fpr_at_an_fnr_of_few_misses_has_no_interval():
    world = World(SIZES, 3)
    population, curve = Population(world.sizes), world.curve
    at = curve.first(lambda fpr, fnr: fnr <= 0.02)
    errors, _ = world.errors(float(curve.thresholds[at]))
    found = census_point(population, curve, errors, "fnr", 0.02)
    assert found.missed < 10
    assert math.isnan(found.interval.low)
    census = Census(population, (found,), curve, 0.02)
    assert census.record()["fpr_at_fnr_0.02_low"] is None
    (one,) = compare_census({"A": census, "B": census}).differences["fpr_at_fnr_0.02"]
    assert one.p == 1.0
    assert math.isnan(one.low)


def test_refusals():
    with pytest.raises(ScoresError, match="two identities"):
        Population(np.array([5]))
    with pytest.raises(ScoresError, match="two faces"):
        Population(np.array([1, 1]))
    one, other = census_of(World(SIZES, 3)), census_of(World([3, 4], 3))
    with pytest.raises(ScoresError, match="other faces"):
        compare_census({"A": one, "B": other})
    with pytest.raises(ScoresError, match="target FNR"):
        compare_census({"A": one, "B": census_of(World(SIZES, 3), 0.2)})
    with pytest.raises(ScoresError, match="no model"):
        compare_census({})
