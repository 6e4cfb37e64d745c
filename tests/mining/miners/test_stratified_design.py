"""A sample of all pairs: its probabilities are those it says, and its rates those of all pairs."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from indexes import FlatIndex, pair_scores
from mining.errors import RulesError
from mining.miners import stratified_design as module
from mining.miners.stratified_design import (
    FALL,
    UNIFORM,
    PairStrata,
    listed_depth,
    stratified_design,
)
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.design_rates import design_rate
from pairsets.random_set import PairSpace


def unit(values):
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def ranked_by(references, space, groups, n):
    depth = listed_depth(space, n)
    found = [FlatIndex(one).top_pairs(depth, groups) for one in references]
    return [(one.i, one.j) for one in found]


@pytest.fixture
def small():
    """Twenty faces of five identities, whose vectors have many equal scores, by two references."""
    generator = np.random.default_rng(3)
    groups = generator.permutation(np.arange(20) % 5)
    references = [generator.integers(-2, 3, (20, 3)).astype(np.float32) for _ in range(2)]
    return references, groups


@pytest.mark.parametrize("listed", [40, 2**20])
@pytest.mark.parametrize("count", [1, 2])
def test_pairs_come_as_often_as_their_probabilities_say(small, monkeypatch, listed, count):
    monkeypatch.setattr(module, "LISTED", listed)
    references, groups = small
    space, n, draws = PairSpace.of_groups(groups), 30, 1500
    strata = PairStrata.of(ranked_by(references[:count], space, groups, n), space, n)
    times = np.zeros(space.count_negatives)
    said = np.full(space.count_negatives, np.nan)
    for seed in range(draws):
        found = strata.sample(seed)
        numbers = space.negative_numbers(found.i, found.j)
        assert len(np.unique(numbers)) == len(found) == n
        times[numbers] += 1
        said[numbers] = found.probability
    assert not np.isnan(said).any()
    assert said.sum() == pytest.approx(n)
    errors = (times / draws - said) / np.sqrt(said * (1 - said) / draws + 1e-12)
    assert np.abs(errors).max() < 4.5
    assert (errors**2).mean() < 1.5


@pytest.mark.parametrize("listed", [40, 2**20])
def test_strata_are_those_of_a_naive_ranking(small, monkeypatch, listed):
    monkeypatch.setattr(module, "LISTED", listed)
    references, groups = small
    found = stratified_design(references, groups, 60, seed=1)
    every = [(i, j) for i, j in combinations(range(20), 2) if groups[i] != groups[j]]
    first, second = np.array(every).T
    bounds = np.array(found.boundaries)
    strata = {pair: [] for pair in every}
    rates = {pair: [] for pair in every}
    for vectors in references:
        scores = pair_scores(vectors, vectors, first, second)
        order = sorted(range(len(every)), key=lambda at: (-scores[at], every[at]))
        for rank, at in enumerate(order, 1):
            place = int(np.searchsorted(bounds, rank)) if rank <= listed else len(bounds)
            strata[every[at]].append(str(place + 1))
            rate = (bounds[0] / bounds[place]) ** FALL if place < len(bounds) else 0.0
            rates[every[at]].append(rate)
    labels = {pair: "+".join(names) for pair, names in strata.items()}
    counts = dict(zip(found.labels, found.populations.tolist(), strict=True))
    assert counts == {one: [*labels.values()].count(one) for one in {*labels.values()}}
    for i, j, at in zip(found.i, found.j, found.stratum, strict=True):
        assert found.labels[at] == labels[i, j]
    # One scale, found from the first pair, gives all probabilities.
    uniform = UNIFORM * 60 / len(every)

    def chance(pair, scale):
        missed = np.prod([1 - min(1, scale * one) for one in rates[pair]])
        return 1 - (1 - uniform) * missed

    low, high = 0.0, 1e9
    for _ in range(200):
        scale = (low + high) / 2
        over = sum(chance(pair, scale) for pair in every) > 60
        low, high = (low, scale) if over else (scale, high)
    for i, j, said in zip(found.i, found.j, found.probability, strict=True):
        assert said == pytest.approx(chance((i, j), low), rel=1e-9)


def test_each_cell_gives_the_whole_number_above_or_below(small):
    references, groups = small
    found = stratified_design(references, groups, 60, seed=4)
    expected = found.populations * found.probabilities
    assert (np.abs(found.sampled - expected) < 1).all()
    assert (np.diff(found.probabilities) <= 0).all()
    assert found.probability.min() >= UNIFORM * 60 / found.population
    assert (groups[found.i] != groups[found.j]).all()
    assert (found.i < found.j).all()


def test_one_seed_is_one_sample(small):
    references, groups = small
    first, again, other = (stratified_design(references, groups, 40, seed) for seed in (1, 1, 2))
    for name in ("i", "j", "stratum", "probability"):
        assert getattr(first, name).tobytes() == getattr(again, name).tobytes()
    assert {*zip(first.i, first.j, strict=True)} != {*zip(other.i, other.j, strict=True)}


def test_a_sample_of_nearly_all_pairs_is_drawn_too(small):
    references, groups = small
    every = PairSpace.of_groups(groups).count_negatives
    found = stratified_design(references, groups, every - 1)
    assert len(found) == every - 1
    assert found.probability.max() <= 1


def test_what_cannot_be_sampled_is_refused(small):
    references, groups = small
    every = PairSpace.of_groups(groups).count_negatives
    with pytest.raises(RulesError, match="census"):
        stratified_design(references, groups, every)
    with pytest.raises(RulesError, match="1 or more"):
        stratified_design(references, groups, 0)
    with pytest.raises(RulesError, match="no reference"):
        stratified_design([], groups, 5)


FACES, IDENTITIES, PAIRS, DRAWS = 600, 60, 3000, 400


@pytest.fixture(scope="module")
def planted():
    """Scores of all pairs by models more and less like the reference, and samples of the pairs."""
    generator = np.random.default_rng(11)
    groups = np.arange(FACES) % IDENTITIES
    truth = generator.normal(size=(IDENTITIES, 24))[groups]
    truth = truth + 0.8 * generator.normal(size=(FACES, 24))
    own = {"reference": 0.6, "close": 0.1, "kin": 0.6, "far": 1.2}
    models = {
        name: unit(truth + noise * generator.normal(size=truth.shape))
        for name, noise in own.items()
    }
    models["stranger"] = unit(generator.normal(size=truth.shape))
    space = PairSpace.of_groups(groups)
    i, j = space.negatives(np.arange(space.count_negatives))
    scores = {name: (one[i] * one[j]).sum(axis=1) for name, one in models.items()}
    ranked = ranked_by([models["reference"]], space, groups, PAIRS)
    strata = PairStrata.of(ranked, space, PAIRS)
    samples = [strata.sample(seed) for seed in range(DRAWS)]
    drawn = [(one, space.negative_numbers(one.i, one.j)) for one in samples]
    return scores, drawn, groups


# The most that the variance may be of that of a random set as large, by model and FPR.
@pytest.mark.parametrize(
    ("model", "fpr", "most"),
    [
        ("reference", 1e-2, 0.1),
        ("reference", 1e-3, 0.05),
        ("reference", 1e-4, 0.05),
        ("close", 1e-2, 0.5),
        ("close", 1e-3, 0.25),
        ("close", 1e-4, 0.25),
        ("kin", 1e-2, 0.7),
        ("kin", 1e-3, 0.5),
        ("far", 1e-2, 1.0),
        ("stranger", 1e-2, 2.0),
    ],
)
def test_rates_are_those_of_all_pairs(planted, model, fpr, most):
    scores, drawn, _ = planted
    values = scores[model]
    wrong = values >= np.sort(values)[-int(fpr * values.size)]
    truth = wrong.mean()
    rates = [
        design_rate(wrong[at], one.probability, one.stratum, one.populations) for one, at in drawn
    ]
    found = np.array([one.value for one in rates])
    assert abs(found.mean() - truth) < 4 * found.std() / DRAWS**0.5 + 1e-12
    random = truth * (1 - truth) / PAIRS * (1 - PAIRS / values.size)
    assert found.var() < most * random
    known = [one for one in rates if one.resolvable]
    if len(known) < 0.9 * DRAWS:
        return
    held = np.mean([truth in one.interval for one in known])
    # 93 to 97 %, and what 400 draws can tell of it; a rate that hardly varies is held more often.
    assert held > 0.93 - 2.5 * (0.95 * 0.05 / len(known)) ** 0.5
    if found.var() > 0.1 * random:
        assert held < 0.97 + 2.5 * (0.95 * 0.05 / len(known)) ** 0.5


@pytest.mark.parametrize("model", ["kin", "far", "stranger"])
def test_rare_errors_are_not_resolved_and_their_bound_holds(planted, model):
    scores, drawn, _ = planted
    values = scores[model]
    wrong = values >= np.sort(values)[-int(1e-4 * values.size)]
    rates = [
        design_rate(wrong[at], one.probability, one.stratum, one.populations) for one, at in drawn
    ]
    assert not any(one.resolvable for one in rates)
    assert np.mean([wrong.mean() <= one.high for one in rates]) > 0.95


def test_other_identities_make_the_interval_wider(planted):
    scores, drawn, groups = planted
    values = scores["close"]
    wrong = values >= np.sort(values)[-int(1e-2 * values.size)]
    one, at = drawn[0]
    ends = Clusters(groups[one.i], groups[one.j], IDENTITIES)
    rate = design_rate(wrong[at], one.probability, one.stratum, one.populations, ends)
    assert rate.wider.low < rate.low < rate.value < rate.high < rate.wider.high
