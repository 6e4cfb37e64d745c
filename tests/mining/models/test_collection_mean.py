"""Mean of a collection and its fit: against a naive sum, scipy, and planted collections."""

from __future__ import annotations

import numpy as np
import pytest

from mining.errors import ModelError
from mining.models.collection_mean import (
    LEAST_IDENTITIES,
    CollectionMean,
    collection_mean,
    compared,
    f_tail,
)


def planted(
    rng: np.random.Generator, identities: int, shift: float = 0.0, dimensions: int = 30
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of identities with 1 to 9 faces, more alike within than between; their codes."""
    scales = np.linspace(0.2, 2, dimensions)
    codes = np.repeat(np.arange(identities), rng.integers(1, 10, identities))
    centres = rng.normal(size=(identities, dimensions)) * scales
    vectors = centres[codes] + 0.5 * rng.normal(size=(len(codes), dimensions)) + 1 + shift
    return vectors.astype(np.float32), codes


def naive(vectors: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Mean, V and the variance between identities, a row at a time."""
    wide = vectors.astype(np.float64)
    mean = wide.mean(axis=0)
    shares = [np.mean(codes == one) for one in range(codes.max() + 1)]
    matrix, between = np.zeros((len(mean), len(mean))), 0.0
    for one, share in enumerate(shares):
        apart = wide[codes == one].mean(axis=0) - mean
        mend = 1 - 2 * share + sum(other**2 for other in shares)
        matrix += share**2 * np.outer(apart, apart) / mend
        between += share * float(apart @ apart)
    return mean, matrix, between


@pytest.mark.parametrize("seed", range(4))
def test_a_mean_and_its_spread_are_those_of_a_naive_sum(seed):
    rng = np.random.default_rng(seed)
    vectors, codes = planted(rng, 12)
    turned = rng.permutation(len(codes))
    vectors, codes = vectors[turned], codes[turned]
    vectors.setflags(write=False)
    found = collection_mean(vectors, codes, block=7)
    mean, matrix, between = naive(vectors, codes)
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.identities == 12
    assert found.spread == pytest.approx(np.trace(matrix))
    assert found.freedom == pytest.approx(np.trace(matrix) ** 2 / np.sum(matrix**2))
    assert found.between == pytest.approx(between)


def test_degrees_of_freedom_of_many_components_are_of_some():
    vectors, codes = planted(np.random.default_rng(0), 60)
    whole = collection_mean(vectors, codes)
    some = collection_mean(vectors, codes, components=10)
    assert (some.spread, some.between) == (whole.spread, whole.between)
    assert 1 < some.freedom < whole.freedom


def test_one_kind_of_faces_is_seldom_foreign_and_another_is():
    rng = np.random.default_rng(5)
    below, found = 0, []
    for _ in range(200):
        learnt, other = (collection_mean(*planted(rng, count)) for count in (20, 40))
        fit = compared(learnt, other)
        assert fit is not None
        below += fit.p < 0.05
        found.append(fit.ratio)
        assert not fit.foreign
    # Of 200 tests at 0.05, which errs to the side of no finding.
    assert below <= 18
    assert np.mean(found) == pytest.approx(1, abs=0.1)
    far = compared(collection_mean(*planted(rng, 20)), collection_mean(*planted(rng, 40, 1.0)))
    assert far is not None
    assert far.foreign
    # 30 components, each shifted by 1, in units of the variance between identities.
    between = sum(np.linspace(0.2, 2, 30) ** 2)
    assert far.share == pytest.approx(30 / between, rel=0.5)


def test_a_difference_that_costs_nothing_is_not_foreign():
    rng = np.random.default_rng(6)
    one, other = (
        collection_mean(*planted(rng, 3000, shift, dimensions=5)) for shift in (0.0, 0.25)
    )
    fit = compared(one, other)
    assert fit is not None
    assert fit.p < 1e-6
    assert 0 < fit.share < 0.2
    assert not fit.foreign


@pytest.mark.parametrize("count", [1, LEAST_IDENTITIES - 1])
def test_few_identities_tell_nothing(count):
    rng = np.random.default_rng(7)
    few, many = collection_mean(*planted(rng, count)), collection_mean(*planted(rng, 50))
    assert compared(few, many) is None
    assert compared(many, few) is None
    alike = collection_mean(np.ones((20, 3), np.float32), np.arange(20))
    assert compared(alike, alike) is None


@pytest.mark.parametrize("freedoms", [(10, 90), (15, 300), (200, 4000)])
@pytest.mark.parametrize("tail", [0.5, 0.05, 1e-3, 1e-5])
def test_the_tail_of_f_is_that_of_scipy(freedoms, tail):
    f = pytest.importorskip("scipy.stats").f
    assert f_tail(float(f.isf(tail, *freedoms)), *freedoms) == pytest.approx(tail, rel=0.2)


def test_facts_come_back_and_others_are_refused():
    made = collection_mean(*planted(np.random.default_rng(8), 12))
    back = CollectionMean.kept(made.mean, made.facts)
    assert back.facts == made.facts
    for wrong in (
        {"spread": -1.0},
        {"spread": "1"},
        {"freedom": float("nan")},
        {"identities": 0},
        {"identities": True},
        {"more": 1},
    ):
        with pytest.raises(ModelError):
            CollectionMean.kept(made.mean, {**made.facts, **wrong})
    with pytest.raises(ModelError, match="finite float64"):
        CollectionMean.kept(np.full(3, np.nan), made.facts)
