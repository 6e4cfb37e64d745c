"""Draws against rates of the pairs they keep; intervals against formulas and planted truths."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from scipy.stats import t as student_t
from support.rates import rates_at

from pairsets import ScoresError
from pairsets.evaluation.bootstrap import draw_clusters, resample
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.rates import (
    area_under,
    equal_error,
    fnr_at_fpr,
    fpr_at_fnr,
    roc,
    sensitivity_index,
)
from pairsets.evaluation.resamples import Resampled, Targets, steps

NORMAL = NormalDist()


def naive(labels, scores, targets):
    """Each statistic by the functions for a whole set."""
    curve = roc(labels, scores)
    return {
        **{f"fpr@{t!r}": fpr_at_fnr(curve, t).fpr for t in targets.fnrs},
        **{f"fnr@{t!r}": fnr_at_fpr(curve, t).fnr for t in targets.fprs},
        "eer": equal_error(curve)[0],
        "auc": area_under(curve),
        "dprime": sensitivity_index(labels, scores),
    }


def world(seed, count, clusters, rounded, mixed=False):
    """Positives inside clusters, negatives across; `mixed`: both kinds of both sorts."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, count)
    a = generator.integers(0, clusters, count)
    other = (a + generator.integers(1, clusters, count)) % clusters
    inside = generator.random(count) < 0.5 if mixed else labels == 1
    scores = generator.standard_normal(count) + labels
    if rounded is not None:
        scores = np.round(scores, rounded)
    return labels, scores, Clusters(a, np.where(inside, a, other), clusters)


SHARES = (0.0, 1e-3, 0.1, 1 / 3, 0.5, 0.139, 1.0)


@pytest.mark.parametrize("rounded", [None, 1, 0])
@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_each_draw_equals_the_rates_of_the_pairs_kept(seed, mixed, rounded):
    labels, scores, clusters = world(seed, 90, 12, rounded, mixed)
    if rounded == 0:
        scores = scores.astype(np.int64)
    other = np.random.default_rng(99).permutation(scores)
    for array in (labels, scores, other):
        array.setflags(write=False)
    targets = Targets(SHARES, SHARES)
    draws = draw_clusters(clusters, 100, seed)
    found = resample(labels, {"one": scores, "other": other}, clusters, draws, targets)
    counted = 0
    for model, values in (("one", scores), ("other", other)):
        for draw, kept in enumerate(draws):
            # A pair inside a cluster is kept twice as often: it stands for one, others for two.
            rows = [
                row
                for row in range(90)
                if kept[clusters.a[row]] and kept[clusters.b[row]]
                for _ in range(1 + (mixed and clusters.a[row] != clusters.b[row]))
            ]
            if len(set(labels[rows].tolist())) < 2:
                assert all(np.isnan(one.draws[draw]) for one in found[model].values())
                continue
            for name, value in naive(labels[rows], values[rows], targets).items():
                got = found[model][name].draws[draw]
                assert got == pytest.approx(value, abs=1e-9, nan_ok=True), (draw, name)
                counted += 1
        for name, value in naive(labels, values, targets).items():
            assert found[model][name].value == pytest.approx(value, abs=1e-9)
    assert counted > 2 * 90 * 17


def test_every_share_of_up_to_three_hundred_pairs():
    """The number of errors that a target allows is that of the curve, whatever the rounding."""
    for count in range(1, 301):
        shares = np.arange(count + 1) / count
        near = np.r_[shares, np.nextafter(shares, 0), np.nextafter(shares, 2)[:-1]]
        allowed = (shares[None, :] <= near[:, None]).sum(1) - 1
        assert [steps(share, count) for share in near.tolist()] == allowed.tolist()


@pytest.mark.parametrize("count", [3, 49, 107])
def test_targets_that_lie_on_the_curve_give_its_points(count):
    generator = np.random.default_rng(count)
    labels = np.r_[np.ones(count, int), np.zeros(count, int)]
    scores = generator.standard_normal(2 * count) + labels
    shares = np.arange(count + 1) / count
    near = tuple(np.unique(np.r_[shares, np.nextafter(shares, 0)]).tolist())
    clusters = Clusters(np.zeros(2 * count, int), np.ones(2 * count, int), 2)
    found = resample(labels, {"m": scores}, clusters, np.ones((1, 2), bool), Targets(near, near))
    curve = roc(labels, scores)
    for share in near:
        assert found["m"][f"fpr@{share!r}"].value == fpr_at_fnr(curve, share).fpr
        assert found["m"][f"fnr@{share!r}"].value == pytest.approx(fnr_at_fpr(curve, share).fnr)


def test_the_same_seed_gives_the_same_bytes():
    labels, scores, clusters = world(5, 400, 30, 2)

    def table(seed):
        draws = draw_clusters(clusters, 150, seed)
        found = resample(labels, {"m": scores}, clusters, draws, Targets((0.1,), (0.1,)))["m"]
        return draws.tobytes() + b"".join(
            one.draws.tobytes() + one.influence.tobytes() for one in found.values()
        )

    assert table(7) == table(7)
    assert table(7) != table(8)


def test_draws_keep_half_of_the_clusters():
    clusters = Clusters(np.array([0]), np.array([0]), 50)
    kept = draw_clusters(clusters, 2000, 1)
    assert kept.shape == (2000, 50)
    assert kept.dtype == bool
    # 100,000 coins, and 2,000 for each cluster: within five standard deviations.
    assert abs(kept.mean() - 0.5) < 5 * 0.5 / 100_000**0.5
    assert np.abs(kept.mean(0) - 0.5).max() < 5 * 0.5 / 2000**0.5
    together = (kept[:, :-1] & kept[:, 1:]).mean()
    assert abs(together - 0.25) < 0.01


@pytest.mark.parametrize("count", [-1, 1, 99])
def test_too_few_draws(count):
    clusters = Clusters(np.array([0]), np.array([0]), 1)
    with pytest.raises(ScoresError, match=f"{count} bootstrap draws; expected 100 or more, or 0"):
        draw_clusters(clusters, count)


def test_draws_of_other_clusters_are_refused():
    labels, scores, clusters = world(0, 20, 5, None)
    draws = draw_clusters(clusters, 100)
    with pytest.raises(ScoresError, match="clusters of 19 pairs for labels of"):
        resample(labels, {"m": scores}, clusters.take(np.arange(19)), draws, Targets())
    fewer = draws[:, :4]
    with pytest.raises(ScoresError, match="draws of 4 clusters for 5"):
        resample(labels, {"m": scores}, clusters, fewer, Targets())
    with pytest.raises(ScoresError, match=r"a target FPR of 1\.5"):
        Targets((0.1,), (1.5,))
    with pytest.raises(ScoresError, match=r"a target FNR of nan"):
        Targets((float("nan"),))


def test_draws_without_a_kind_are_left_out():
    """All negatives hang on one identity, kept in half of the draws: no interval."""
    labels = np.r_[np.ones(40, int), np.zeros(40, int)]
    scores = np.random.default_rng(1).standard_normal(80) + labels
    others = np.arange(1, 41)
    hub = Clusters(np.r_[others, np.zeros(40, int)], np.r_[others, others], 41)
    draws = draw_clusters(hub, 200, 3)
    found = resample(labels, {"m": scores}, hub, draws, Targets((0.2,)))["m"]
    for one in found.values():
        assert np.array_equal(np.isnan(one.draws), ~draws[:, 0])
        assert one.interval() is None
        assert one.deviations.size == 0


def test_the_interval_holds_the_shrunk_deviations():
    draws = np.r_[np.linspace(0.2, 0.6, 101), np.nan]
    one = Resampled(0.3, draws, np.zeros(1), 0.5)
    low, high = np.quantile((np.linspace(0.2, 0.6, 101) - 0.3) / 2, [0.025, 0.975])
    assert one.interval() == Interval(pytest.approx(0.3 + low), pytest.approx(0.3 + high))
    moved = one.around(0.7)
    assert (moved.low, moved.high) == (pytest.approx(0.7 + low), pytest.approx(0.7 + high))
    half = one.interval(0.5)
    assert (half.low, half.high) == (pytest.approx(0.3), pytest.approx(0.4))
    # One draw in twenty may be missing, no more.
    for missing, known in ((5, True), (6, False)):
        part = Resampled(
            0.3, np.r_[np.full(missing, np.nan), np.full(100 - missing, 0.3)], draws, 1.0
        )
        assert (part.interval() is not None) is known
    assert Resampled(float("nan"), draws, draws, 1.0).interval() is None
    with pytest.raises(ScoresError, match="a confidence of 95"):
        one.interval(95)


def smooth(seed, count, su, sv):
    """Characters of their own difficulty, `su` at the ends of negatives, `sv` of positives."""
    generator = np.random.default_rng(seed)
    identities = count // 10
    inside = np.repeat(np.arange(identities), 3)
    a = generator.integers(0, identities, count)
    b = (a + generator.integers(1, identities, count)) % identities
    u = su * generator.standard_normal(identities)
    v = sv * generator.standard_normal(identities)
    scores = np.r_[2 + v[inside], u[a] + u[b]] + generator.standard_normal(inside.size + count)
    labels = np.r_[np.ones(inside.size, int), np.zeros(count, int)]
    return labels, scores, Clusters(np.r_[inside, a], np.r_[inside, b], identities)


@pytest.mark.parametrize(("su", "sv"), [(0, 0), (0.8, 0.0), (0.0, 1.0), (0.8, 0.8)])
def test_influences_predict_the_spread_of_the_draws(su, sv):
    """Two roads to the bootstrap's variance: its draws, and the sum over pairs."""
    labels, scores, clusters = smooth(11, 3000, su, sv)
    draws = draw_clusters(clusters, 600, 2)
    found = resample(labels, {"m": scores}, clusters, draws, Targets((0.1, 0.3), (0.1, 0.3)))["m"]
    for name, one in found.items():
        predicted = clusters.spread(one.influence).resampled ** 0.5
        assert np.std(one.draws) == pytest.approx(predicted, rel=0.12), name
        assert abs(one.influence.sum()) < 1e-9, name


def test_influences_foretell_what_leaving_pairs_out_changes():
    labels, scores, clusters = smooth(4, 6000, 0.5, 0.5)
    targets = Targets((0.2,), (0.2,))
    draws = draw_clusters(clusters, 300, 2)
    found = resample(labels, {"m": scores}, clusters, draws, targets)["m"]
    generator = np.random.default_rng(8)
    changes = {name: [] for name in found}
    for _ in range(150):
        # A tenth of each kind, so that no sum over pairs changes its scale.
        kept = np.ones(labels.size, bool)
        for kind in (0, 1):
            rows = np.flatnonzero(labels == kind)
            kept[generator.choice(rows, rows.size // 10, replace=False)] = False
        part = naive(labels[kept], scores[kept], targets)
        for name, one in found.items():
            changes[name].append((part[name] - one.value, one.influence[kept].sum() / 0.9))
    for name, pairs in changes.items():
        seen, foretold = np.array(pairs).T
        exact = name in ("auc", "dprime")
        assert np.corrcoef(seen, foretold)[0, 1] > (0.999 if exact else 0.97), name
        slope = seen @ foretold / (foretold @ foretold)
        assert slope == pytest.approx(1, abs=0.02 if exact else 0.25), name


@pytest.mark.parametrize("rounded", [None, 1])
def test_the_auc_has_delongs_variance_where_pairs_are_alone(rounded):
    generator = np.random.default_rng(6)
    positives, negatives = 60, 90
    labels = np.r_[np.ones(positives, int), np.zeros(negatives, int)]
    scores = generator.standard_normal(150) + labels
    scores = scores if rounded is None else np.round(scores, rounded)
    alone = Clusters(np.arange(150), np.arange(150, 300), 300)
    found = resample(labels, {"m": scores}, alone, draw_clusters(alone, 100), Targets())["m"]["auc"]
    wins = np.array(
        [[(p > n) + (p == n) / 2 for n in scores[labels == 0]] for p in scores[labels == 1]]
    )
    # DeLong's divides by the number less one; the sum over pairs, by the number.
    expected = wins.mean(1).var() / positives + wins.mean(0).var() / negatives
    assert alone.spread(found.influence).variance == pytest.approx(expected, rel=1e-9)


def test_dprime_follows_from_each_pair():
    """Its influence is the derivative by a pair's weight."""
    labels, scores, clusters = world(2, 60, 6, None)
    found = resample(labels, {"m": scores}, clusters, draw_clusters(clusters, 100), Targets())["m"]
    step = 1e-5

    def weighted(row):
        moments = []
        for kind in (1, 0):
            mask = labels == kind
            weight = 1 + step * (np.flatnonzero(mask) == row)
            mean = np.average(scores[mask], weights=weight)
            moments.append((mean, np.average((scores[mask] - mean) ** 2, weights=weight)))
        (m1, v1), (m0, v0) = moments
        return (m1 - m0) / ((v1 + v0) / 2) ** 0.5

    slopes = [(weighted(row) - weighted(-1)) / step for row in range(60)]
    assert found["dprime"].influence == pytest.approx(np.array(slopes), abs=1e-5)


def test_of_pairs_alone_the_interval_is_that_of_independent_ones():
    """Without the shrinkage it would be 1.7 times too wide."""
    generator = np.random.default_rng(12)
    positives, negatives = 1500, 2000
    labels = np.r_[np.ones(positives, int), np.zeros(negatives, int)]
    scores = generator.standard_normal(labels.size) + 2 * labels
    alone = Clusters(np.arange(labels.size), np.arange(labels.size) + labels.size, 2 * labels.size)
    found = resample(labels, {"m": scores}, alone, draw_clusters(alone, 800), Targets((0.1,)))["m"]
    for one in found.values():
        assert one.shrinkage == pytest.approx(3**-0.5, abs=1e-12)
    # The delta method on two normals: FPR by its own count, and by where the threshold falls.
    threshold = 2 + NORMAL.inv_cdf(0.1)
    fpr = 1 - NORMAL.cdf(threshold)
    slope = NORMAL.pdf(threshold) / NORMAL.pdf(threshold - 2)
    deviation = (fpr * (1 - fpr) / negatives + slope**2 * 0.09 / positives) ** 0.5
    interval = found["fpr@0.1"].interval()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * deviation, rel=0.12)


def test_of_large_clusters_nothing_is_shrunk():
    """Pairs of twenty identities, some of them like everybody: single pairs hardly matter."""
    generator = np.random.default_rng(0)
    labels = np.r_[np.ones(1000, int), np.zeros(8000, int)]
    a = generator.integers(0, 20, 9000)
    b = np.where(labels == 1, a, (a + generator.integers(1, 20, 9000)) % 20)
    hubs = 2.0 * (np.arange(20) < 4)
    scores = generator.standard_normal(9000) + np.where(labels == 1, 4, hubs[a] + hubs[b])
    clusters = Clusters(a, b, 20)
    draws = draw_clusters(clusters, 300)
    found = resample(labels, {"m": scores}, clusters, draws, Targets((0.2,)))["m"]
    for name in ("fpr@0.2", "eer", "auc"):
        assert 0.85 < found[name].shrinkage < 1.0, name


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_scores_of_two_values_have_no_dprime_and_the_rates_of_one_point(seed, kept):
    """Each kind at one score: nothing varies, whatever rounding leaves."""
    generator = np.random.default_rng(seed)
    labels = generator.permutation(np.r_[np.ones(7, int), np.zeros(13, int)])
    scores = np.where(labels == 1, 0.7, 0.1 * kept)
    clusters = Clusters(generator.integers(0, 3, 20), generator.integers(3, 6, 20), 6)
    found = resample(
        labels, {"m": scores}, clusters, draw_clusters(clusters, 100), Targets((0.1,))
    )["m"]
    assert np.isnan(found["dprime"].value)
    assert np.isnan(found["dprime"].draws).all()
    assert not found["dprime"].influence.any()
    assert (found["auc"].value, found["eer"].value, found["fpr@0.1"].value) == (1, 0, 0)


def test_the_fixed_point_of_a_rate_is_where_its_influence_stands():
    """Of FPR at a target FNR, negatives count by whether they pass the threshold."""
    labels, scores, clusters = smooth(9, 2000, 0.5, 0.5)
    target = Targets((0.25,))
    one = resample(labels, {"m": scores}, clusters, draw_clusters(clusters, 200), target)["m"][
        "fpr@0.25"
    ]
    threshold = fpr_at_fnr(roc(labels, scores), 0.25).threshold
    point = rates_at(labels, scores, threshold)
    negative = labels == 0
    expected = ((scores >= threshold) - point.fpr)[negative] / negative.sum()
    assert one.influence[negative] == pytest.approx(expected, abs=1e-15)
    # And positives by whether they fail it: all by the same slope of the curve.
    ratio = one.influence[~negative] / ((scores < threshold) - point.fnr)[~negative]
    assert ratio == pytest.approx(np.full(ratio.size, ratio[0]))
    slope = ratio[0] * (~negative).sum()
    curve = roc(labels, scores)
    about = [fpr_at_fnr(curve, 0.25 + side).fpr for side in (-0.08, 0.08)]
    assert slope == pytest.approx((about[0] - about[1]) / 0.16, rel=0.3)


def test_few_degrees_of_freedom_widen_the_interval():
    draws = np.random.default_rng(0).normal(0.5, 0.1, 1001)
    plain = Resampled(0.5, draws, np.zeros(3), 0.8)
    few = Resampled(0.5, draws, np.zeros(3), 0.8, degrees=5)
    ratio = student_t.isf(0.025, 5) / norm.isf(0.025)
    for end in ("low", "high"):
        first, second = (getattr(one.interval(), end) - 0.5 for one in (plain, few))
        assert second / first == pytest.approx(ratio, rel=2e-3)
        assert abs(second) > abs(first) > 0


def test_every_statistic_knows_its_degrees_of_freedom():
    """Those of its influence, by the clusters of the pairs."""
    generator = np.random.default_rng(4)
    labels = np.repeat([1, 0], [40, 160])
    own, other = generator.integers(0, 20, (2, 200))
    clusters = Clusters(own, np.where(labels == 1, own, other), 20)
    hard = generator.normal(size=20)
    # A hard identity is taken for others, and is not known again.
    ends = hard[clusters.a] + hard[clusters.b]
    scores = 2 * labels + np.where(labels == 1, -ends, ends) + generator.normal(size=200)
    draws = draw_clusters(clusters, 200, seed=1)
    found = resample(labels, {"m": scores}, clusters, draws, Targets((0.2,), (0.2,)))["m"]
    assert len(found) == 5
    for one in found.values():
        assert one.degrees == clusters.spread(one.influence).degrees
    assert min(one.degrees for one in found.values()) < 200
