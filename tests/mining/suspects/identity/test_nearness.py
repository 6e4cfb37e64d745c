"""Identities as groups of vectors, against loops over their faces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle
from support.identities import embedded, people
from support.worlds import all_pairs as scored_pairs
from support.worlds import worlds

from mining.suspects.identity.identities import Identities
from mining.suspects.identity.nearness import FACES, nearness
from mining.suspects.identity.positive_scores import Positives


def own_scores(world, row):
    """Scores of a face with the others of its identity."""
    faces = range(len(world.faces))
    return [
        oracle.score(world.vectors[row], world.vectors[other])
        for other in faces
        if other != row and world.faces.identities[other] == world.faces.identities[row]
    ]


@settings(max_examples=80, deadline=None)
@given(worlds())
def test_positives_are_all_pairs_of_different_pictures(world):
    expected = [
        score
        for i, j, score in scored_pairs(world, same=True)
        if world.vectors[i].tolist() != world.vectors[j].tolist()
    ]
    found = Positives.of(world)
    assert found.scores.tolist() == sorted(expected)
    limits = np.array([-3.0, 0.0, 1.0, 2.5])
    if expected:
        shares = [np.mean([score <= limit for score in expected]) for limit in limits]
        np.testing.assert_allclose(found.quantile(limits), shares)
        assert found.mean == pytest.approx(np.mean(expected))
    else:
        assert np.isnan(found.quantile(limits)).all()
        assert found.spread == 0


def test_positives_of_a_large_set_are_drawn_evenly():
    vectors, names = people(30, 40)
    world = embedded(vectors, names)
    whole, some = Positives.of(world), Positives.of(world, 5000)
    assert (len(whole), len(some)) == (30 * 780, 5000)
    assert np.isin(some.scores, whole.scores).all()
    # Each pair once: with as many to draw as there are, all are drawn.
    assert Positives.of(world, 30 * 780).scores.tolist() == whole.scores.tolist()
    for share in (0.1, 0.5, 0.9):
        assert whole.quantile(np.quantile(some.scores, share)) == pytest.approx(share, abs=0.02)
    assert Positives.of(world, 5000).scores.tolist() == some.scores.tolist()


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(1, 4), st.integers(1, 20), st.sampled_from([0.25, 1, 4]))
def test_nearness_of_faces_to_identities(world, faces, entries, scale):
    """Means of scores, the nearest other identity, and the next; whatever the blocks."""
    world = replace(world, vectors=world.vectors * np.float32(scale))
    identities = Identities(world)
    identities.most_faces, identities.most_scores = faces, entries
    rows = np.arange(len(world.faces))
    nearest, best, after = identities.rivals(rows)
    own = identities.near(rows, identities.codes)
    # Nearness is rounded to so many digits of the mean square of lengths.
    near = 1e-8 + 1e-9 * float((world.vectors.astype(np.float64) ** 2).sum(axis=1).mean())
    names = list(dict.fromkeys(world.faces.identities.tolist()))
    assert identities.names == names
    for row in rows.tolist():
        mine = own_scores(world, row)
        assert own[row] == pytest.approx(np.mean(mine) if mine else np.nan, abs=near, nan_ok=True)
        means = {
            name: np.mean(
                [
                    oracle.score(world.vectors[row], world.vectors[other])
                    for other in np.flatnonzero(world.faces.identities == name)
                ]
            )
            for name in names
            if name != world.faces.identities[row]
        }
        order = sorted(means, key=lambda name: (-round(means[name], 9), names.index(name)))
        if not order:
            assert (nearest[row], best[row]) == (-1, -np.inf)
            continue
        assert names[nearest[row]] == order[0]
        assert best[row] == pytest.approx(means[order[0]], abs=near, rel=1e-8)
        expected = means[order[1]] if len(order) > 1 else -np.inf
        assert after[row] == pytest.approx(expected, abs=near, rel=1e-8)
    for code, name in enumerate(names):
        inside = [
            score
            for i, _, score in scored_pairs(world, same=True)
            if world.faces.identities[i] == name
        ]
        expected = np.mean(inside) if inside else np.nan
        assert identities.own[code] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_near_ties_are_settled_exactly(scale):
    """Centres nearer to each other than float32 products of vectors that long tell apart."""
    generator = np.random.default_rng(0)
    centre = generator.normal(size=(1, 300))
    vectors = np.repeat(centre, 400, axis=0) + 2e-6 * generator.normal(size=(400, 300))
    world = embedded(vectors * scale, [f"p{row // 2:03}" for row in range(400)])
    rows = np.arange(400)
    nearest, best, after = Identities(world).rivals(rows)
    exact = world.vectors.astype(np.float64) @ world.vectors.astype(np.float64).T
    means = exact.reshape(400, 200, 2).mean(axis=2)
    means[rows, rows // 2] = -np.inf
    order = np.sort(means, axis=1)
    np.testing.assert_allclose(means[rows, nearest], order[:, -1], rtol=1e-9)
    np.testing.assert_allclose(best, order[:, -1], rtol=1e-9)
    np.testing.assert_allclose(after, order[:, -2], rtol=1e-9)
    # float32 would have been wrong about some of them.
    rough = world.vectors @ world.vectors.reshape(200, 2, 300).mean(axis=1).T
    rough[rows, rows // 2] = -np.inf
    assert (rough.argmax(axis=1) != nearest).mean() > 0.1
    # A face is told the same alone.
    alone = [Identities(world).rivals(rows[row : row + 1]) for row in (0, 7, 399)]
    assert [found[0].item() for found in alone] == nearest[[0, 7, 399]].tolist()
    assert [found[1].item() for found in alone] == best[[0, 7, 399]].tolist()


def test_all_faces_alike():
    """Everybody is as near: the first other identity is the nearest, the next as near."""
    world = embedded(np.ones((600, 3)), [f"p{row // 2:03}" for row in range(600)])
    nearest, best, after = Identities(world).rivals(np.arange(600))
    assert nearest.tolist() == [1, 1] + [0] * 598
    assert {*best.tolist(), *after.tolist()} == {3.0}


def test_what_is_typical_of_an_identity():
    """The mean of its faces' nearness to it, drawn towards all positives by two scores."""
    vectors, names = people(12, 5)
    # Of p000 two faces are left, of p001 one.
    keep = np.r_[0, 1, 5, 10:60]
    world = embedded(vectors[keep], [names[row] for row in keep.tolist()])
    identities = Identities(world)
    rows = np.arange(len(world.faces))
    own = [own_scores(world, row) for row in rows.tolist()]
    mean = np.mean([score for scores in own for score in scores])
    found = identities.typical(np.arange(12))
    without = identities.typical_without(rows, identities.near(rows, identities.codes))
    for code, name in enumerate(identities.names):
        inside = np.flatnonzero(world.faces.identities == name).tolist()
        near = {row: np.mean(own[row]) for row in inside if own[row]}
        expected = (sum(near.values()) + 2 * mean) / (len(near) + 2)
        assert found[code] == pytest.approx(expected)
        for row in near:
            others = [value for other, value in near.items() if other != row]
            expected = (sum(others) + 2 * mean) / (len(others) + 2)
            assert without[row] == pytest.approx(expected)


def strengths(world, names):
    identities = Identities(world)
    return {
        (a, b): nearness(identities, identities.number(a), identities.number(b)).strength
        for a in names
        for b in names
        if a != b
    }


def test_one_identity_under_two_names_is_nearest():
    vectors, names = people(30, 6)
    for row in (0, 1, 2):
        names[row] = "zz"
    found = strengths(embedded(vectors, names), ["p000", "zz", "p001", "p002", "p003"])
    assert all(found[a, b] == found[b, a] for a, b in found)
    (first, *rest) = sorted({*found.values()}, reverse=True)
    assert found["p000", "zz"] == first
    assert first - rest[0] > 1


def test_it_does_not_change_with_the_scale_of_a_models_scores():
    vectors, names = people(12, 4, unit=False)
    plain = strengths(embedded(vectors, names), ["p000", "p001", "p002"])
    larger = strengths(embedded(vectors * 8, names), ["p000", "p001", "p002"])
    assert larger == pytest.approx(plain, abs=1e-5)


def test_one_picture_under_both_names_says_nothing():
    # Of two pictures each, one is left: a single score is no evidence.
    vectors, names = people(30, 2)
    vectors = vectors.copy()
    vectors[2] = vectors[0]
    assert np.isnan(strengths(embedded(vectors, names), ["p000", "p001"])["p000", "p001"])
    # Two pictures under both names are no accident.
    vectors[3] = vectors[1]
    assert strengths(embedded(vectors, names), ["p000", "p001"])["p000", "p001"] > 0.55


def test_what_cannot_be_told():
    vectors, names = people(6, 1)
    # Nobody has two pictures: no positives to compare with.
    assert np.isnan(strengths(embedded(vectors, names), ["p000", "p001"])["p000", "p001"])
    more, others = people(6, 3, seed=2)
    together = embedded(np.vstack([vectors, more]), names + [f"q{name}" for name in others])
    found = strengths(together, ["p000", "p001", "qp000"])
    # A single picture each: that two pictures are alike is another kind of doubt.
    assert np.isnan(found["p000", "p001"])
    assert np.isfinite(found["p000", "qp000"])


def test_two_identities_in_all():
    vectors, names = people(2, 5)
    assert np.isfinite(strengths(embedded(vectors, names), ["p000", "p001"])["p000", "p001"])


def test_large_identities_are_looked_at_in_part():
    vectors, names = people(4, 90)
    identities = Identities(embedded(vectors, names))
    rows = identities.members(1, FACES)
    assert len(rows) == FACES
    assert {*rows.tolist()} < {*range(90, 180)}
    assert (np.diff(rows) >= 2).all()
    assert nearness(identities, 0, 1).pairs == FACES * FACES
