"""A threshold for a target FPR: against naive counts, by hand, and on planted identities."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from indexes import pair_scores
from mining.scores.face_trials import FaceTrials
from pairsets.errors import ScoresError
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.jackknife import Jackknife
from pairsets.evaluation.menagerie import relative_rate, take_menagerie
from pairsets.evaluation.threshold import FOLDS, cross_validate, set_threshold
from pairsets.evaluation.threshold_interval import fpr_interval, threshold_interval
from pairsets.evaluation.trials import PairTrials


def planted(
    seed: int, people: int = 40, faces: int = 5, width: int = 16, spread: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors about the middle of each identity, and who they show."""
    rng = np.random.default_rng(seed)
    vectors = np.repeat(rng.normal(size=(people, width)), faces, axis=0)
    vectors = vectors + spread * rng.normal(size=vectors.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat([f"p{at:03}" for at in range(people)], faces)


def listed(vectors: np.ndarray, who: np.ndarray) -> PairTrials:
    """All pairs of some faces as a list."""
    first, second = np.triu_indices(len(who), 1)
    scores = pair_scores(vectors, vectors, first, second)
    return PairTrials(who[first] == who[second], scores, who[first], who[second])


def random_pairs(
    seed: int, ties: bool = False
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    """Labels, scores and identities of listed pairs."""
    rng = np.random.default_rng(seed)
    count, people = 400, 30
    label = rng.random(count) < 0.3
    a = rng.integers(0, people, count)
    b = np.where(label, a, (a + rng.integers(1, people, count)) % people)
    scores = rng.normal(size=count) + label
    if ties:
        scores = np.round(scores, 1)
    names = [f"p{at}" for at in range(people)]
    return label.astype(int), scores, [names[at] for at in a], [names[at] for at in b]


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("target", [0.004, 0.01, 0.1, 0.7])
def test_threshold_is_the_lowest_score_within_the_target(target: float, ties: bool) -> None:
    label, scores, a, b = random_pairs(3, ties)
    found = set_threshold(PairTrials(label, scores, a, b), target)
    negatives = scores[label == 0]

    def fpr(cut: float) -> float:
        return float((negatives >= cut).mean())

    within = [cut for cut in scores.tolist() if fpr(cut) <= target]
    assert found.value == min(within)
    assert found.fpr == fpr(found.value)
    assert found.fnr == float((scores[label == 1] < found.value).mean())
    assert found.accepted == int((negatives >= found.value).sum())
    assert found.value in found.interval


def test_errors_by_identity_are_those_counted_one_by_one() -> None:
    label, scores, a, b = random_pairs(5)
    trials = PairTrials(label, scores, a, b)
    [found] = trials.errors([1.0])
    between: dict[frozenset[str], list[int]] = {}
    accepted = dict.fromkeys(trials.names, 0)
    missed = dict.fromkeys(trials.names, 0)
    for one, score, first, second in zip(label, scores, a, b, strict=True):
        if one:
            missed[first] += score < 1.0
            continue
        counts = between.setdefault(frozenset((first, second)), [0, 0])
        counts[1] += 1
        if score >= 1.0:
            counts[0] += 1
            accepted[first] += 1
            accepted[second] += 1
    assert found.accepted.tolist() == list(accepted.values())
    assert found.missed.tolist() == list(missed.values())
    assert found.squares == sum(wrong**2 for wrong, _ in between.values())
    assert found.products == sum(wrong * every for wrong, every in between.values())
    assert trials.squares == sum(every**2 for _, every in between.values())


def test_interval_holds_the_thresholds_whose_fpr_may_be_the_target() -> None:
    label, scores, a, b = random_pairs(7)
    trials = PairTrials(label, scores, a, b)
    target = 0.05
    [cut] = trials.cuts([int(target * trials.negatives)])
    found = threshold_interval(trials, cut.threshold, target)
    cuts = trials.candidates(0.0).tolist()
    bounds = [
        fpr_interval(Jackknife.of(trials, errors), trials.negatives)
        for errors in trials.errors(cuts)
    ]
    possible = [score for score, one in zip(cuts, bounds, strict=True) if target in one]
    assert found.high == max(possible)
    # The threshold may be as low as the next score, at which the FPR surely is too high.
    assert found.low == max(score for score in cuts if score < min(possible))


@pytest.mark.parametrize("seed", range(3))
def test_all_pairs_of_faces_are_counted_as_if_listed(seed: int) -> None:
    vectors, who = planted(seed)
    one, other = listed(vectors, who), FaceTrials(vectors, who)
    for name in ("negatives", "positives", "squares"):
        assert getattr(one, name) == getattr(other, name)
    assert one.names.tolist() == other.names.tolist()
    numbers = [1, 2, 19, 500, one.negatives]
    assert one.cuts(numbers) == other.cuts(numbers)
    mine, theirs = set_threshold(one, 0.01), set_threshold(other, 0.01)
    for name in ("value", "fpr", "fnr", "fpr_interval", "fnr_interval", "cross"):
        assert getattr(mine, name) == getattr(theirs, name)
    # Not all scores are tried there: the interval is a little wider.
    assert theirs.interval.low <= mine.interval.low < mine.interval.high <= theirs.interval.high
    width = mine.interval.high - mine.interval.low
    assert theirs.interval.high - theirs.interval.low < 1.1 * width
    for name in ("accepted", "missed", "thresholds", "own_mean", "others_mean"):
        first, second = getattr(mine.menagerie, name), getattr(theirs.menagerie, name)
        assert np.allclose(first, second, rtol=0, atol=2e-9, equal_nan=True)


@pytest.mark.parametrize("tile", [7, 64])
def test_tiles_and_threads_change_nothing(tile: int) -> None:
    from indexes.join import SearchOptions

    vectors, who = planted(1)
    whole = set_threshold(FaceTrials(vectors, who), 0.01)
    parts = set_threshold(FaceTrials(vectors, who, SearchOptions(threads=2, tile=tile)), 0.01)
    assert (whole.value, whole.interval, whole.cross) == (parts.value, parts.interval, parts.cross)


def test_highest_score_shared_by_too_many_is_refused() -> None:
    label, a = [0] * 20 + [1], ["a"] * 21
    b = [f"b{at}" for at in range(20)] + ["a"]
    with pytest.raises(ScoresError, match="share the highest score of all"):
        set_threshold(PairTrials(label, [1.0] * 20 + [0.5], a, b), 0.1)
    # A pair of one identity above it gives a threshold that accepts no other.
    found = set_threshold(PairTrials(label, [1.0] * 20 + [1.5], a, b), 0.1)
    assert (found.value, found.fpr, found.fnr) == (1.5, 0.0, 0.0)


@pytest.mark.parametrize("target", [0.0, 1.0, -1.0, math.nan])
def test_target_that_is_no_share_is_refused(target: float) -> None:
    with pytest.raises(ScoresError, match="expected a share such as"):
        set_threshold(PairTrials(*random_pairs(0)), target)


def test_target_below_the_smallest_step_is_refused_and_the_step_told() -> None:
    label, scores, a, b = random_pairs(0)
    negatives = int((label == 0).sum())
    with pytest.raises(ScoresError, match=f"{1 / negatives:.2g}, the smallest FPR"):
        set_threshold(PairTrials(label, scores, a, b), 0.9 / negatives)
    assert set_threshold(PairTrials(label, scores, a, b), 1 / negatives).accepted <= 1


def test_pairs_of_one_kind_are_refused() -> None:
    for kind in (0, 1):
        with pytest.raises(ScoresError, match="pairs of both kinds"):
            set_threshold(PairTrials([kind] * 3, [1, 2, 3], list("abc"), list("bcd")), 0.5)


def test_scores_that_are_missing_are_refused_but_for_rejected_ones() -> None:
    label, scores, a, b = random_pairs(0)
    for wrong in (math.nan, math.inf):
        scores[3] = wrong
        with pytest.raises(ScoresError, match="not finite"):
            PairTrials(label, scores, a, b)
    scores[label == 1] = -math.inf
    scores[3] = 0.0
    found = set_threshold(PairTrials(label, scores, a, b), 0.1)
    assert found.fnr > 0.98


def test_columns_of_other_lengths_are_refused() -> None:
    with pytest.raises(ScoresError, match="expected one of each a pair"):
        PairTrials([1, 0], [0.5], ["a", "b"], ["a", "c"])


def test_few_errors_are_told() -> None:
    label, scores, a, b = random_pairs(2)
    found = set_threshold(PairTrials(label, scores, a, b), 0.01)
    assert "rule of 30" in found.notes()[0]
    assert math.isinf(found.interval.high)
    assert any("bound the threshold above" in note for note in found.notes())


def test_cross_validation_judges_identities_that_did_not_set_it() -> None:
    label, scores, a, b = random_pairs(11)
    trials = PairTrials(label, scores, a, b)
    found = cross_validate(trials, 0.1, seed=4)
    assert found is not None
    rng = np.random.default_rng(4)
    names = trials.names.tolist()
    totals, cuts = [0, 0, 0, 0], []
    for _ in range(4):
        part_of = dict(zip(names, (rng.permutation(len(names)) % FOLDS).tolist(), strict=True))
        for part in range(FOLDS):
            inside = [
                (part_of[first] == part) + (part_of[second] == part)
                for first, second in zip(a, b, strict=True)
            ]
            rest = scores[(np.array(inside) == 0) & (label == 0)]
            every = scores[np.array(inside) == 0]
            cut = min(one for one in every if (rest >= one).mean() <= 0.1)
            cuts.append(cut)
            judged = np.array(inside) == 2
            totals[0] += int((judged & (label == 0)).sum())
            totals[1] += int((judged & (label == 0) & (scores >= cut)).sum())
            totals[2] += int((judged & (label == 1)).sum())
            totals[3] += int((judged & (label == 1) & (scores < cut)).sum())
    assert [found.negatives, found.accepted, found.positives, found.missed] == totals
    assert found.thresholds == Interval(min(cuts), max(cuts))


def test_too_few_pairs_are_not_cross_validated() -> None:
    label, scores, a, b = random_pairs(0)
    found = set_threshold(PairTrials(label, scores, a, b), 1.2 / int((label == 0).sum()))
    assert found.cross is None
    assert any("not cross-validated" in note for note in found.notes())


def test_lambs_and_goats_are_those_planted() -> None:
    rng = np.random.default_rng(0)
    vectors, who = planted(2, people=60, faces=8, width=24, spread=0.5)
    middle = vectors[:8].mean(axis=0)
    # Three identities look like one another, and two are drawn all over the place.
    for at in (1, 2):
        vectors[8 * at : 8 * at + 8] = middle + 0.08 * rng.normal(size=(8, 24))
    for at in (10, 11):
        vectors[8 * at : 8 * at + 8] = rng.normal(size=(8, 24))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = set_threshold(FaceTrials(vectors, who), 0.002)
    animals = found.menagerie
    assert {"p010", "p011"} == {*animals.names[animals.goats]}
    needy = animals.names[animals.needy].tolist()
    assert {"p000", "p001", "p002"} <= {*animals.names[animals.lambs]} <= {*needy}
    for at in np.flatnonzero(animals.lambs):
        assert animals.thresholds[at] > found.value


def test_own_threshold_brings_the_fpr_of_an_identity_to_the_target() -> None:
    rng = np.random.default_rng(1)
    people, target = 50, 0.02
    lift = np.zeros(people)
    lift[:5] = 1.0
    first, second = (one.repeat(20) for one in np.triu_indices(people, 1))
    scores = rng.normal(size=first.size) + lift[first] + lift[second]
    names = np.array([f"p{at:02}" for at in range(people)], object)
    trials = PairTrials(
        np.append(np.zeros(first.size), 1),
        np.append(scores, 9.0),
        np.append(names[first], names[0]),
        np.append(names[second], names[0]),
    )
    [cut] = trials.cuts([int(target * trials.negatives)])
    [errors] = trials.errors([cut.threshold])
    found = take_menagerie(trials, errors, target)
    assert found.needy[:5].all()
    for at in range(5):
        mine = (first == at) | (second == at)
        before = (scores[mine] >= cut.threshold).mean()
        after = (scores[mine] >= found.thresholds[at]).mean()
        # The curve of all is steeper than that of one identity: nearer, not there.
        assert target / 2 < after < before / 1.5


def test_errors_that_come_in_clumps_tell_little_of_an_identity() -> None:
    people, each = 60, 100
    first, second = (one.repeat(each) for one in np.triu_indices(people, 1))
    # Twenty pairs of identities are confused whole, and of the other twenty identities none.
    wrong = (second == first + 1) & (first % 2 == 0) & (first < 40)
    assert wrong.sum() == 20 * each
    names = np.array([f"p{at:02}" for at in range(people)], object)
    trials = PairTrials(
        np.append(np.zeros(first.size), 1),
        np.append(wrong.astype(float), 9.0),
        np.append(names[first], names[0]),
        np.append(names[second], names[0]),
    )
    [errors] = trials.errors([1.0])
    found = take_menagerie(trials, errors, 0.01)
    # As independent errors 100 here and none there would be beyond doubt; these are one each.
    alone = relative_rate(
        errors.accepted.astype(float), trials.apart * (wrong.sum() / trials.negatives)
    )
    assert alone.differs.sum() == people
    assert not found.others.differs.any()
    assert not found.needy.any()


def test_no_differences_between_identities_leave_all_at_the_average() -> None:
    rng = np.random.default_rng(0)
    expected = np.full(400, 20.0)
    alike = relative_rate(rng.poisson(expected).astype(float), expected)
    assert alike.spread < 0.02
    assert alike.many.sum() == 0
    nothing = relative_rate(np.zeros(3), np.ones(3))
    assert nothing.value.tolist() == [1.0] * 3
    assert not nothing.differs.any()


def test_shrinkage_is_that_of_the_formula() -> None:
    found, expected = np.array([12.0, 1.0, 3.0, 0.0]), np.array([3.0, 4.0, 4.0, 0.0])
    made = relative_rate(found, expected)
    ratio = found[:3] / expected[:3]
    squares = (expected[:3] * (ratio - 1) ** 2).sum() / expected[:3].sum()
    spread = squares - 1 / expected[:3].mean()
    assert made.spread == pytest.approx(spread)
    assert made.value == pytest.approx((1 / spread + found) / (1 / spread + expected))
    assert made.value[3] == 1.0
    assert ((made.low < made.value) & (made.value < made.high)).all()


def test_gamma_bounds_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    found, expected = np.array([2.0, 30.0, 7.0]), np.array([5.0, 6.0, 9.0])
    made = relative_rate(found, expected)
    shape, rate = 1 / made.spread + found, 1 / made.spread + expected
    for share, bounds in ((0.025, made.low), (0.975, made.high)):
        assert bounds == pytest.approx(stats.gamma.ppf(share, shape) / rate, rel=0.08)


def test_animals_by_quartiles_of_mean_scores() -> None:
    vectors, who = planted(4, people=24)
    trials = FaceTrials(vectors, who)
    [cut] = trials.cuts([100])
    [errors] = trials.errors([cut.threshold])
    found = take_menagerie(trials, errors, 0.01)
    products = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
    for at, name in enumerate(found.names):
        mine = np.flatnonzero(who == name)
        own = np.mean([products[i, j] for i, j in combinations(mine, 2)])
        others = products[np.ix_(mine, np.flatnonzero(who != name))].mean()
        assert (found.own_mean[at], found.others_mean[at]) == pytest.approx((own, others), abs=1e-7)
    poor, good = np.quantile(found.own_mean, [0.25, 0.75])
    far, near = np.quantile(found.others_mean, [0.25, 0.75])
    for own, others, kind in zip(found.own_mean, found.others_mean, found.animals, strict=True):
        expected = {
            (True, True): "chameleon", (True, False): "dove",
            (False, True): "worm", (False, False): "phantom",
        }  # fmt: skip
        outer = (own <= poor or own >= good) and (others <= far or others >= near)
        assert kind == (expected[own >= good, others >= near] if outer else "")


def test_interval_of_no_errors_is_that_of_independent_pairs() -> None:
    label, scores, a, b = random_pairs(0)
    trials = PairTrials(label, scores, a, b)
    [errors] = trials.errors([99.0])
    bounds = fpr_interval(Jackknife.of(trials, errors), trials.negatives)
    assert bounds.low == 0
    assert bounds.high == pytest.approx(-math.log(0.025) / trials.negatives)


def test_clumped_errors_widen_the_interval() -> None:
    people, each = 40, 10
    first, second = (one.repeat(each) for one in np.triu_indices(people, 1))
    names = np.array([f"p{at:02}" for at in range(people)], object)

    def width(scores: np.ndarray) -> float:
        trials = PairTrials(
            np.append(np.zeros(first.size), 1),
            np.append(scores, 9.0),
            np.append(names[first], names[0]),
            np.append(names[second], names[0]),
        )
        [errors] = trials.errors([0.5])
        bounds = fpr_interval(Jackknife.of(trials, errors), trials.negatives)
        return bounds.high / bounds.low

    rng = np.random.default_rng(0)
    spread_out = np.zeros(first.size)
    spread_out[rng.choice(first.size, 100, replace=False)] = 1.0
    of_few = np.where((first < 5) & (second < 5), 1.0, 0.0)
    assert of_few.sum() == 100
    assert width(of_few) > 2 * width(spread_out)
