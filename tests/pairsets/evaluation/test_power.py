"""How large a set must be: planned on one world, then tried on worlds of the planned size."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from pairsets import PairSet, ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.differences import differences
from pairsets.evaluation.evaluator import evaluate_arrays
from pairsets.evaluation.power import power_between, power_from, power_of
from pairsets.evaluation.rates import fpr_at_fnr, roc

TARGET = 0.1
# Standard errors to a difference that is found in 80 % of sets at level 0.05.
REACH = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)


def world(generator, identities, negatives, positives, shift=0.3):
    """Two models with tastes of their own in identities; B takes more strangers for one."""
    a = generator.integers(0, identities, negatives)
    b = (a + generator.integers(1, identities, negatives)) % identities
    own = np.arange(positives) % identities
    a, b = np.r_[a, own], np.r_[b, own]
    labels = np.repeat([0, 1], [negatives, positives])
    hard = 0.8 * generator.normal(size=identities)
    common = 0.7 * generator.normal(size=labels.size)
    scores = {}
    for at, name in enumerate("AB"):
        taste = 0.7 * generator.normal(size=identities)
        alike = (hard + taste)[a] + (hard + taste)[b] + at * shift
        scores[name] = np.where(labels == 1, 4 + taste[a] / 2, alike) + common
        scores[name] += 0.7 * generator.normal(size=labels.size)
    return labels, scores, Clusters(a, b, identities)


def difference(labels, scores, _):
    a, b = (fpr_at_fnr(roc(labels, scores[name]), TARGET).fpr for name in "AB")
    return a - b


def spread(generator, count, *size):
    return float(np.std([difference(*world(generator, *size)) for _ in range(count)]))


@pytest.fixture(scope="module")
def truth():
    """The planted difference."""
    generator = np.random.default_rng(1)
    return np.mean([difference(*world(generator, 40_000, 240_000, 40_000)) for _ in range(2)])


@pytest.fixture(scope="module")
def pilot():
    labels, scores, clusters = world(np.random.default_rng(1), 400, 2400, 400)
    return evaluate_arrays(labels, scores, clusters, TARGET, draws=200), clusters


@pytest.fixture(scope="module")
def plan(pilot, truth):
    judged, clusters = pilot
    return power_of(judged["A"], judged["B"], clusters, points=abs(float(truth)))


def test_a_set_of_the_planned_size_finds_the_planted_difference(plan, truth):
    assert plan.reached < 0.6
    size = plan.grown
    assert size.factor > 1.5
    assert (size.negatives / 2400, size.identities / 400) == pytest.approx([size.factor] * 2, 0.01)
    generator = np.random.default_rng(11)
    found = []
    for seed in range(100):
        labels, scores, clusters = world(generator, size.identities, size.negatives, size.positives)
        judged = evaluate_arrays(labels, scores, clusters, TARGET, draws=100, seed=seed)
        (one,) = differences(judged, clusters, "fpr")
        found.append(one.p < 0.05 and one.value * truth > 0)
    assert 0.7 <= np.mean(found) <= 0.9


def test_the_difference_varies_as_planned(plan, truth):
    generator = np.random.default_rng(12)
    now = spread(generator, 150, 400, 2400, 400)
    assert plan.error == pytest.approx(now, rel=0.2)
    assert plan.detectable == pytest.approx(REACH * plan.error)
    size = plan.grown
    then = spread(generator, 100, size.identities, size.negatives, size.positives)
    assert then == pytest.approx(abs(truth) / REACH, rel=0.2)


def test_more_pairs_of_the_same_characters_do_not_always_suffice(pilot, truth):
    """What identities share stays: with pairs without end the difference still varies by it."""
    judged, clusters = pilot
    generator = np.random.default_rng(13)

    def planned(points):
        return power_of(judged["A"], judged["B"], clusters, points=points)

    small = planned(0.6 * abs(float(truth)))
    assert small.more_pairs is None
    assert small.limit > small.points
    assert "no number of pairs of the same 400 identities suffices" in small.sentences()[-1]
    assert 0.3 < small.fixed < 0.6
    # Twenty times the pairs come near to the limit, and not below it by more than chance.
    endless = spread(generator, 50, 400, 48_000, 8_000)
    assert small.limit / REACH == pytest.approx(endless, rel=0.3)
    wide = planned(1.15 * small.limit)
    more = wide.more_pairs
    assert more.identities == 400
    assert more.factor > wide.grown.factor
    then = spread(generator, 60, 400, more.negatives, more.positives)
    assert then == pytest.approx(wide.points / REACH, rel=0.25)


def test_what_the_set_tells_it_needs_no_more_for(pilot):
    judged, clusters = pilot
    first = power_of(judged["A"], judged["B"], clusters, points=0.01)
    same = power_of(judged["A"], judged["B"], clusters, points=first.detectable)
    assert same.grown.factor == pytest.approx(1)
    assert same.more_pairs.factor == pytest.approx(1)
    assert same.reached == pytest.approx(0.8, abs=1e-6)
    large = power_of(judged["A"], judged["B"], clusters, points=0.2)
    assert large.enough
    assert large.sentences()[-1] == "this set is large enough for 20 points"
    assert not first.enough
    assert (first.present.negatives, first.present.positives) == (2400, 400)
    assert first.inside + first.across + first.shared == pytest.approx(1)
    (seen,) = differences(judged, clusters, "fpr")
    assert first.difference == seen.value
    assert first.error == pytest.approx((seen.high - seen.low) / (2 * 1.959964), rel=1e-5)
    turned = power_of(judged["B"], judged["A"], clusters, points=0.01)
    assert turned.difference == -first.difference
    assert turned.grown.factor == pytest.approx(first.grown.factor)


def test_a_stricter_test_needs_more(pilot):
    judged, clusters = pilot
    usual, strict, sure, eer = (
        power_of(judged["A"], judged["B"], clusters, points=0.02, **options)
        for options in ({}, {"alpha": 0.01}, {"power": 0.95}, {"statistic": "eer"})
    )
    # (2.576 + 0.842)^2 and (1.960 + 1.645)^2 where (1.960 + 0.842)^2 was.
    assert strict.grown.factor / usual.grown.factor == pytest.approx(1.488, abs=2e-3)
    assert sure.grown.factor / usual.grown.factor == pytest.approx(1.656, abs=2e-3)
    (seen,) = differences(judged, clusters, "eer")
    assert eer.difference == seen.value


def test_pairs_without_an_identity_in_common_are_as_good_as_independent():
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], [600, 300])
    scores = {name: labels * 1.5 + generator.normal(size=900) for name in "AB"}
    ends = np.arange(900)
    clusters = Clusters(2 * ends, 2 * ends + 1, 1800)
    judged = evaluate_arrays(labels, scores, clusters, TARGET, draws=200)
    found = power_of(judged["A"], judged["B"], clusters, points=0.05)
    assert found.design_effect == pytest.approx(1)
    assert (found.shared, found.fixed) == pytest.approx((0, 0), abs=1e-12)
    assert found.effective == pytest.approx(900)
    assert found.more_pairs.pairs == found.grown.pairs


def test_when_all_twos_of_identities_are_taken_what_they_share_stays():
    """Thirty identities in all their 435 twos, hard or not as such: more pairs of them bring down
    the noise of single pairs alone."""

    def crowded(generator, times):
        a, b = (np.repeat(ends, 6 * times) for ends in np.triu_indices(30, 1))
        taste = np.repeat(generator.normal(size=(2, 435)), 6 * times, axis=1)
        own = np.arange(3000 * times) % 30
        labels = np.repeat([0, 1], [a.size, own.size])
        noise = generator.normal(size=(2, labels.size))
        scores = {name: np.r_[taste[at], 2 + 0 * own] + noise[at] for at, name in enumerate("AB")}
        return labels, scores, Clusters(np.r_[a, own], np.r_[b, own], 30)

    generator = np.random.default_rng(6)

    def planned(points):
        return power_of(judged["A"], judged["B"], clusters, points=points)

    shares = []
    for _ in range(4):
        labels, scores, clusters = crowded(generator, 1)
        judged = evaluate_arrays(labels, scores, clusters, TARGET, draws=100)
        found = planned(0.03)
        assert found.across > 0.5
        shares.append(found.fixed)
    now, endless = (
        np.std([difference(*crowded(generator, times)) for _ in range(400)]) for times in (1, 10)
    )
    # Of ten times the pairs a tenth of the noise is left.
    truth = ((endless / now) ** 2 - 0.1) / 0.9
    assert np.mean(shares) == pytest.approx(truth, abs=0.12)
    assert planned(0.99 * found.limit).more_pairs is None
    wide = planned(1.3 * found.limit).more_pairs
    assert wide.negatives == pytest.approx(wide.factor * 2610, abs=1)
    # Half-way from the limit down to now, in variance, is twice the pairs.
    half = ((found.detectable**2 + found.limit**2) / 2) ** 0.5
    assert planned(half).more_pairs.factor == pytest.approx(2)


def test_of_a_comparison():
    generator = np.random.default_rng(4)
    rows = [(f"{a}/{k}", f"{b}/{k}") for k in range(4) for a in range(12) for b in range(12)]
    rows = [row for row in rows if row[0] != row[1]]
    rows += [(f"{c}/{k}", f"{c}/{k + 1}") for c in range(12) for k in range(4)]
    kept = {tuple(sorted(row)): row for row in rows}.values()
    first, second = zip(*kept, strict=True)
    label = [a.split("/")[0] == b.split("/")[0] for a, b in kept]
    invalid = np.arange(len(first)) % 17 == 0
    pairs = PairSet.of(first, second, np.array(label, int), invalid=invalid.astype(int))
    scores = {
        name: pairs.label * 2 + generator.normal(size=len(pairs)) for name in ("雪 & co", "b")
    }
    compared = compare("set", pairs, scores, 0.2, draws=200)
    found = power_between(compared, "b", "雪 & co", points=0.03)
    assert (found.first, found.second, found.by) == ("b", "雪 & co", "identity")
    assert found.present.pairs == int((~invalid).sum())
    assert found.present.identities == 12
    assert found.sentences()[0].startswith("b - 雪 & co: FPR differs by ")
    by_image = power_between(compared, "b", "雪 & co", points=0.03, clusters="image")
    assert by_image.present.identities == len(pairs.take(pairs.valid).paths)
    assert "images" in by_image.sentences()[2]
    with pytest.raises(ScoresError, match="c is not among the models compared: 雪 & co, b"):
        power_between(compared, "b", "c", points=0.03)


def test_where_there_is_nothing_to_plan_from(pilot):
    judged, clusters = pilot
    labels, scores, _ = world(np.random.default_rng(1), 400, 2400, 400)
    twice = evaluate_arrays(
        labels, {"A": scores["A"], "B": 2 * scores["A"]}, clusters, TARGET, draws=100
    )
    with pytest.raises(ScoresError, match="A and B never differ on these pairs"):
        power_of(twice["A"], twice["B"], clusters, points=0.02, names=("A", "B"))
    bare = evaluate_arrays(labels, scores, clusters, TARGET, draws=0)
    with pytest.raises(ScoresError, match="not resampled"):
        power_of(bare["A"], bare["B"], clusters, points=0.02)
    with pytest.raises(ScoresError, match="judged on other pairs than the 10 given"):
        power_of(judged["A"], judged["B"], clusters.take(np.arange(10)), points=0.02)
    tiny = Clusters(np.array([0, 2, 1, 3]), np.array([0, 2, 2, 4]), 5)
    few = evaluate_arrays(
        [1, 1, 0, 0], {"A": [3, 2, 1, 0], "B": [1, 2, 3, 0]}, tiny, TARGET, draws=100
    )
    with pytest.raises(ScoresError, match="too few pairs to know"):
        power_of(few["A"], few["B"], tiny, points=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"points": 2}, "2 to tell apart; expected a share"),
        ({"points": float("nan")}, "nan to tell apart"),
        ({"points": 0.02, "power": 1.0}, "a power of 1.0"),
        ({"points": 0.02, "alpha": 0.9}, "the power above the level"),
        ({"points": 0.02, "statistic": "auc"}, "no differences of 'auc'"),
    ],
)
def test_numbers_that_make_no_plan(pilot, options, message):
    judged, clusters = pilot
    with pytest.raises(ScoresError, match=message):
        power_of(judged["A"], judged["B"], clusters, **options)


# ---------------------------------------------------------------- without data


def test_planned_without_data_and_tried():
    """Two thresholds on one latent score: errors at 10 and 13 %, one model's within the other's."""
    found = power_from(0.10, points=0.03, disagreement=0.05)
    generator = np.random.default_rng(5)
    detected = 0
    for _ in range(400):
        draw = generator.random(found.pairs)
        first, second = (draw < 0.09) | (draw > 0.99), draw < 0.13
        wrong = first.astype(int) - second
        detected += wrong.mean() / (wrong.std() / found.pairs**0.5) < -1.96
    assert 0.74 <= detected / 400 <= 0.86


def test_the_design_effect_multiplies_pairs_and_identities():
    one = power_from(0.1, points=0.02, disagreement=0.06, pairs_per_identity=6)
    twelve = power_from(0.1, points=0.02, disagreement=0.06, pairs_per_identity=6, design_effect=12)
    assert twelve.pairs == pytest.approx(12 * one.pairs, rel=0.01)
    assert one.identities == pytest.approx(one.pairs / 3, abs=1)
    assert one.error == pytest.approx(0.02 / REACH, rel=1e-3)
    assert power_from(0.1, points=0.02).pairs > 3 * one.pairs
    nested = power_from(0.1, points=0.02, disagreement=0.02)
    assert nested.pairs == pytest.approx((0.02 - 0.0004) * (REACH / 0.02) ** 2, abs=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.99}, "a rate of 0.99"),
        ({"rate": float("nan")}, "a rate of nan"),
        ({"disagreement": 0.01}, r"rates of 0\.1 and 0\.12 allow one from 0\.02 to 0\.22"),
        ({"disagreement": 0.5}, "a disagreement of 0.5"),
        ({"design_effect": 0.5}, "a design effect of 0.5"),
        ({"design_effect": float("inf")}, "a design effect of inf"),
        ({"pairs_per_identity": 0}, "0 pairs per identity"),
        ({"points": 0}, "0 to tell apart"),
    ],
)
def test_numbers_that_contradict(options, message):
    with pytest.raises(ScoresError, match=message):
        power_from(**{"rate": 0.1, "points": 0.02} | options)
