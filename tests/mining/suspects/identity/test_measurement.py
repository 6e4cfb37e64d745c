"""What a check expects of itself, against what comes of it on scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from mining.suspects.identity.measurement import measured

NAN = float("nan")


def world(seed, *, apart, mistakes=20, count=1000):
    """Strengths of what is looked at, the mistakes first, and of as many planted ones again."""
    generator = np.random.default_rng(seed)
    seen = generator.logistic(size=count)
    seen[:mistakes] = apart + generator.normal(size=mistakes)
    return seen, apart + generator.normal(size=60)


def chosen(seen, planted, **options):
    return measured("mislabel", seen, planted, what="faces", eer=0.2, **options)


def test_what_it_expects_is_what_comes_of_it():
    inside = right = flagged = 0
    for seed in range(40):
        seen, planted = world(seed, apart=25.0)
        found = chosen(seen, planted)
        hits = seen >= found.level
        assert not found.expected.abstains
        precision = float(hits[:20].sum() / hits.sum())
        inside += found.expected.precision.low <= precision <= found.expected.precision.high
        right, flagged = right + int(hits[:20].sum()), flagged + int(hits.sum())
        assert found.expected.recall.value == (planted >= found.level).mean()
    assert right / flagged >= 0.9
    assert inside >= 38


def test_mistakes_that_do_not_stand_out_make_it_abstain():
    seen, planted = world(1, apart=2.0)
    found = chosen(seen, planted)
    assert found.expected.abstains
    assert found.expected.precision is None
    assert found.expected.sentence() == (
        "abstains: what is no mistake scores as high here: where 95 % of its flags would be right "
        f"it finds {found.expected.recall.value:.0%} of planted mistakes; the reference separates "
        "these faces at an EER of 20 %"
    ).replace("0% of planted", "0 % of planted")


def test_trusted_it_speaks_from_the_middle_of_the_planted_on():
    seen, planted = world(1, apart=2.0)
    found = chosen(seen, planted, trusted=True)
    assert not found.expected.abstains
    assert found.level == np.sort(planted)[30]
    assert found.expected.sentence().startswith("speaks as told, though: what is no mistake")


def test_few_planted_or_seen_make_it_abstain():
    seen, planted = world(1, apart=25.0)
    few = chosen(seen, planted[:9])
    assert "only 9 mistakes could be planted" in few.expected.why
    small = chosen(seen[:20], planted)
    assert small.expected.why == (
        "20 faces are too few to tell how high those score that are no mistake"
    )
    nothing = chosen(np.full(500, NAN), np.empty(0))
    assert nothing.expected.abstains


def test_strengths_that_cannot_be_told_count_for_nothing():
    seen, planted = world(1, apart=25.0)
    gaps = np.concatenate([seen, np.full(300, NAN)])
    assert chosen(gaps, planted) == chosen(seen, planted)


@pytest.mark.parametrize("mistakes", [120, 150])
def test_where_many_are_mistakes_it_does_not_take_them_for_the_rule(mistakes):
    """More than the first part of the tail spares: the second speaks, or none."""
    flagged = right = 0
    for seed in range(10):
        seen, planted = world(seed, apart=25.0, mistakes=mistakes)
        found = chosen(seen, planted)
        hits = (seen >= found.level) & (not found.expected.abstains)
        flagged, right = flagged + int(hits.sum()), right + int(hits[:mistakes].sum())
    assert right >= 0.95 * flagged
