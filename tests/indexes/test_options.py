"""What may be left out of the best pairs, alone and together, on every way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import oracle
from support.oracle import as_bytes, listed

from indexes import FlatIndex, join
from indexes.base import as_groups

# `way` is bent once a test, before the first example: no example sees another's state.
SETTINGS = settings(
    derandomize=True,
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def answer(vectors, codes, n, how, **options):
    given = tuple(np.array(value) for value in (vectors, codes) if value is not None)
    found = listed(join.top_pairs(vectors, codes, n, how=how, **options))
    assert all((a == b).all() for a, b in zip(given, (vectors, codes), strict=True))
    return found


@pytest.fixture
def scattered():
    """Scores of all sizes, negative ones too, some of them equal."""
    generator = np.random.default_rng(1)
    vectors = generator.standard_normal((60, 12)).astype(np.float32)
    vectors[40:50] = vectors[:10]
    return vectors, generator.permutation(np.arange(60) % 25)


def test_limits_are_included(way, scattered):
    vectors, codes = scattered
    scores = sorted({score for *_, score in oracle.top_pairs(vectors, codes, 5000)})
    for lowest, highest in (
        (scores[-300], None),
        (None, scores[-300]),
        (scores[-300], scores[-100]),
        (scores[-7], scores[-7]),
        (np.nextafter(scores[-7], np.inf), np.nextafter(scores[-6], -np.inf)),
        (scores[1], scores[2]),
    ):
        options = {"min_score": lowest, "max_score": highest}
        for n in (1, 50, 5000):
            found = answer(vectors, codes, n, way(tile=16), **options)
            assert found == oracle.top_pairs(vectors, codes, n, **options)


def test_excluded_pairs(way, scattered):
    """Either way round, twice, of one group, of a row with itself."""
    vectors, codes = scattered
    best = oracle.top_pairs(vectors, codes, 40)
    exclude = np.array([(i, j) if i % 2 else (j, i) for i, j, _ in best[::2]] + [(3, 3)])
    exclude = np.r_[exclude, exclude[:5], exclude[:5, ::-1]]
    found = answer(vectors, codes, 30, way(tile=16), exclude=exclude)
    assert found == oracle.top_pairs(vectors, codes, 30, exclude=exclude)
    assert found[0] == best[1]
    for none in ([], np.empty((0, 2), np.int64), None):
        assert answer(vectors, codes, 30, way(tile=16), exclude=none) == best[:30]


def test_ceilings_are_those_of_the_lower_row(way, scattered):
    vectors, codes = scattered
    generator = np.random.default_rng(2)
    ceilings = generator.uniform(-2, 8, 60)
    ceilings[::7], ceilings[3::7] = np.inf, -np.inf
    best = oracle.top_pairs(vectors, codes, 9)
    ceilings[best[5][0]] = ceilings[best[5][1]] = best[5][2]  # a score may be the ceiling itself
    for n in (1, 20, 5000):
        found = answer(vectors, codes, n, way(tile=16), ceilings=ceilings)
        assert found == oracle.top_pairs(vectors, codes, n, ceilings=ceilings)
    assert best[5] in found
    assert best[0] not in found


def test_active_rows(way, scattered):
    vectors, codes = scattered
    for active in (
        np.arange(60) % 3 > 0,
        np.arange(60) == 4,
        np.arange(60) < 2,
        np.zeros(60, bool),
    ):
        found = answer(vectors, codes, 30, way(tile=16), active=active)
        assert found == oracle.top_pairs(vectors, codes, 30, active=active)


def test_rows_that_are_not_active_may_be_of_any_length(way, scattered):
    """Without a word, and in the precision that the others allow."""
    vectors, codes = scattered
    vectors[5], vectors[9] = 3e38, -3e38
    active = np.ones(60, bool)
    active[[5, 9]] = False
    found = answer(vectors, codes, 30, way(tile=16), active=active)
    assert found == oracle.top_pairs(vectors, codes, 30, active=active)


def test_groups_that_are_codes_are_taken_as_they_are():
    """With gaps or without, they give what the same groups by any other names give."""
    vectors = np.random.default_rng(0).standard_normal((40, 8)).astype(np.float32)
    codes = np.random.default_rng(1).choice([0, 3, 4, 17, 39], 40)
    before, apart = codes.copy(), [[3, 17], [39, 4], [5, 0], [-1, 3], [40, 4]]
    assert as_groups(codes, 40) is codes
    found = FlatIndex(vectors).top_pairs(60, codes, exclude_groups=apart)
    for others, pairs in (
        (codes - 20, np.array(apart) - 20),
        (codes.astype(str), np.array(apart).astype(str)),
        (codes.astype(float), apart),
    ):
        assert as_groups(others, 40).max() == 4
        other = FlatIndex(vectors).top_pairs(60, others, exclude_groups=pairs)
        assert as_bytes(other) == as_bytes(found)
    assert codes.tolist() == before.tolist()


def test_groups_that_are_kept_apart_by_name(way, scattered):
    vectors, codes = scattered
    names = np.array([f"name {code}" for code in codes])
    best = oracle.top_pairs(vectors, names, 400)
    apart = [(names[i], names[j]) if i % 2 else (names[j], names[i]) for i, j, _ in best[:9]]
    apart += [*apart[:2], ("nobody", names[0]), ("name 1", "nobody"), ("name 2", "name 2")]
    index = FlatIndex(vectors)
    found = listed(index.top_pairs(50, names, exclude_groups=apart, how=way(tile=16)))
    assert found == oracle.top_pairs(vectors, names, 50, exclude_groups=apart)
    assert best[0] not in found
    for none in ([], None, [("nobody", "no one")]):
        found = listed(index.top_pairs(50, names, exclude_groups=none, how=way(tile=16)))
        assert found == best[:50]


@pytest.fixture(scope="module")
def misleading():
    """Rows enough for a first block to set the threshold, the best pairs of which do not count."""
    vectors = np.random.default_rng(3).uniform(0.1, 1.0, (300, 4)).astype(np.float32)
    vectors[:130] *= 2
    codes = np.repeat(np.arange(30), 10)
    truth = oracle.top_pairs(vectors, codes, 10**6)
    choices = (
        {"max_score": truth[len(truth) // 4][2]},
        {"ceilings": np.where(np.arange(300) < 130, 1.0, np.inf)},
        {"exclude_groups": [(a, b) for a in range(13) for b in range(13)]},
        {"exclude": [pair[:2] for pair in truth[:9000]]},
    )
    truths = [oracle.top_pairs(vectors, codes, 25, **given) for given in choices]
    return vectors, codes, list(zip(choices, truths, strict=True))


def test_the_first_threshold_is_of_pairs_that_count(way, misleading):
    vectors, codes, questions = misleading
    for options, truth in questions:
        assert answer(vectors, codes, 25, way(tile=64, threads=2), **options) == truth


@st.composite
def questions(draw):
    """Small whole numbers make scores that stand on the limits."""
    count = draw(st.integers(2, 16))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vectors = generator.integers(-2, 3, (count, 3)).astype(np.float32)
    codes = np.unique(generator.integers(0, 6, count), return_inverse=True)[1].astype(np.int64)
    limits = sorted(generator.integers(-6, 9, 2).tolist())
    everything = {
        "min_score": limits[0],
        "max_score": limits[1],
        "exclude": generator.integers(0, count, (6, 2)),
        "ceilings": generator.choice([-3.0, 0.0, 2.0, 4.0, np.inf], count),
        "active": generator.random(count) < 0.8,
        "exclude_groups": generator.integers(0, codes.max() + 1, (2, 2)),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(everything))))
    return vectors, codes, draw(st.integers(1, 40)), {name: everything[name] for name in chosen}


@given(question=questions())
@SETTINGS
def test_any_options_together(way, question):
    vectors, codes, n, options = question
    found = answer(vectors, codes, n, way(tile=5, threads=2), **options)
    assert found == oracle.top_pairs(vectors, codes, n, **options)
