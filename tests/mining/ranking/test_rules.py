"""The rules: what they refuse, and that a miner keeps to them exactly as the double loop does."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.worlds import all_pairs, greedy, own_best, rows_of, rule_sets, why_not, world, worlds

from indexes import IndexesError
from mining import Rules, mine_negatives, mine_positives
from mining.errors import RulesError
from mining.miners.negatives import adversarial_pairs
from pairsets import Exclusions, PairSet
from pairsets.paths import strings


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"min_score": np.nan}, "min_score of nan; expected a finite number"),
        ({"max_score": np.inf}, "max_score of inf; expected a finite number"),
        ({"margin": "0.1"}, "margin of 0.1; expected a finite number"),
        ({"margin": [1]}, r"margin of \[1\]; expected a finite number"),
        ({"margin": True}, "margin of True; expected a finite number"),
        ({"min_score": 1, "max_score": 0.5}, r"min_score of 1 above max_score of 0\.5: .*swapped"),
        ({"margin": -0.1}, r"margin of -0\.1; expected 0 or more"),
        ({"relative_margin": 5}, "relative_margin of 5; expected a share from 0 to 1"),
        ({"relative_margin": -0.01}, "relative_margin of -0.01; expected a share"),
        ({"max_per_image": 0}, "max_per_image of 0; expected a whole number of 1 or more"),
        ({"max_per_identity": 2.0}, "max_per_identity of 2.0; expected a whole number"),
        ({"max_per_identity_pair": True}, "max_per_identity_pair of True; expected a whole"),
    ],
)
def test_rules_that_are_refused(given, told):
    with pytest.raises(RulesError, match=told):
        Rules(**given)


def test_rules_at_their_bounds_and_of_numpy_numbers():
    rules = Rules(min_score=np.float32(0.5), max_score=0.5, margin=0, relative_margin=1)
    assert (rules.min_score, rules.max_score, type(rules.min_score)) == (0.5, 0.5, float)
    assert Rules(max_per_image=np.int64(1)) == Rules(max_per_image=1)
    assert Rules().given == []
    assert Rules(margin=0, max_per_image=2).given == ["margin", "max_per_image"]


def test_the_bounds_of_a_margin():
    best = np.array([2.0, -2.0, 0.0, -np.inf])
    assert Rules(margin=0.5).ceilings(best).tolist() == [1.5, -2.5, -0.5, np.inf]
    # Further from a negative score is lower, not higher.
    assert Rules(relative_margin=0.25).ceilings(best).tolist() == [1.5, -2.5, 0.0, np.inf]
    both = Rules(margin=0.5, relative_margin=1).ceilings(best)
    assert both.tolist() == [0.0, -4.0, -0.5, np.inf]


def exclusions(pairs, faces):
    """Rows as `Exclusions`, some the other way round, some twice, with a stranger and a twin."""
    ends = [(a, b) if (a + b) % 2 else (b, a) for a, b in pairs]
    named = [(faces.paths[a], faces.paths[b]) for a, b in [*ends, *ends[:2]]]
    named += [("z/999", faces.paths[0]), (faces.paths[0], faces.paths[0])]
    return Exclusions(strings(a for a, _ in named), strings(b for _, b in named))


@st.composite
def tasks(draw, **options):
    found = draw(worlds())
    everything = [pair[:2] for same in (0, 1) for pair in all_pairs(found, same=bool(same))]
    some = draw(st.sets(st.sampled_from(everything), max_size=6)) if everything else set()
    return found, draw(rule_sets(**options)), frozenset(some), draw(st.integers(1, 12))


@settings(max_examples=300, deadline=None)
@given(tasks())
def test_mined_negatives_are_the_double_loops(task):
    found, rules, some, n = task
    identities = found.faces.identities
    if rules.margins and len(set(identities)) == len(identities):
        with pytest.raises(RulesError, match="a margin was asked for, but none of the"):
            mine_negatives(found, n, rules=rules)
        return
    reasons = [(pair, why_not(pair, found, rules, some)) for pair in all_pairs(found)]
    allowed = [pair for pair, why in reasons if why is None]
    taken, ranks, passed = greedy(allowed, found, n, rules)
    mined = mine_negatives(found, n, rules=rules, exclude=[exclusions(some, found.faces)])
    assert rows_of(mined, found) == taken
    assert mined.exact
    assert mined.listed
    assert mined.depth == (ranks[-1] if ranks else 0)
    assert mined.strangers == 1

    best = own_best(found)
    alone = sum(best[i] is None and best[j] is None for i, j, _ in taken)
    assert mined.without_bound == (alone if rules.margins else None)
    last = taken[-1][2] if len(taken) == n else -np.inf
    counts = dict(mined.dropped)
    assert sum(counts.values()) <= len(reasons) - len(taken)
    for what, cap in (
        ("image", rules.max_per_image),
        ("identity", rules.max_per_identity),
        ("identity pair", rules.max_per_identity_pair),
    ):
        if cap is not None:
            assert counts.pop(f"over {cap} of one {what}") == passed[what]
    seen = Counter(why for pair, why in reasons if pair[2] >= last)
    if rules.max_score is not None:
        assert counts.pop(f"scoring above {rules.max_score:g}") == seen["high"]
    if rules.margins:
        assert counts.pop("as alike as a face's own identity") == seen["margin"]
    crossing = [pair for pair in all_pairs(found) if pair[:2] in some]
    alike = [pair for pair in crossing if pair[2] >= last and why_not(pair, found, rules) is None]
    if crossing:
        assert counts.pop("excluded, else among the best") == len(alike)
        assert counts.pop("excluded, not among the best") == len(crossing) - len(alike)
    assert counts == {}


@settings(max_examples=200, deadline=None)
@given(tasks(margins=False))
def test_hard_positives_are_the_double_loops(task):
    found, rules, some, n = task
    if not all_pairs(found, same=True):
        with pytest.raises(RulesError, match="no pair of one identity exists: none of the"):
            mine_positives(found, n, rules=rules)
        return
    reasons = [(pair, why_not(pair, found, rules, some)) for pair in all_pairs(found, same=True)]
    taken, ranks, passed = greedy([pair for pair, why in reasons if not why], found, n, rules)
    mined = mine_positives(found, n, rules=rules, exclude=[exclusions(some, found.faces)])
    assert rows_of(mined, found) == taken
    assert (mined.label, mined.depth) == (1, ranks[-1] if ranks else 0)
    assert (mined.pairs.label == 1).all()
    last = taken[-1][2] if len(taken) == n else np.inf
    counts = dict(mined.dropped)
    seen = Counter(why for pair, why in reasons if pair[2] <= last)
    if rules.min_score is not None:
        assert counts[f"scoring below {rules.min_score:g}"] == seen["low"]
    if rules.max_per_image is not None:
        assert counts[f"over {rules.max_per_image} of one image"] == passed["image"]
    within = [pair for pair in all_pairs(found, same=True) if pair[:2] in some]
    if within:
        alike = [p for p in within if p[2] <= last and why_not(p, found, rules) is None]
        assert counts["excluded, else among the best"] == len(alike)
        assert counts["excluded, not among the best"] == len(within) - len(alike)


def test_ignored_faces_give_no_margin_and_no_exclusion():
    """p(x) looks at searched faces alone: without its ignored twin, a face has no positive."""
    found = world([[2, 0], [1, 0], [1, 0], [1, 0]], "aabc")
    margin = Rules(margin=1)
    assert [row[:2] for row in rows_of(mine_negatives(found, 9, rules=margin), found)] == [
        (0, 2), (0, 3), (1, 2), (1, 3), (2, 3),
    ][-3:]  # fmt: skip
    excluded = PairSet.of(["a/001", "c/003"], ["c/003", "b/002"], 0)
    with pytest.raises(RulesError, match="none of the 3 faces has another of its own identity"):
        mine_negatives(found, 9, rules=margin, ignore={"000"})
    mined = mine_negatives(found, 9, ignore={"001"}, exclude=[excluded])
    assert [row[:2] for row in rows_of(mined, found)] == [(0, 2), (0, 3)]
    assert (mined.ignored, mined.strangers) == (1, 0)
    assert dict(mined.dropped) == {
        "excluded, else among the best": 1,
        "excluded, not among the best": 0,
    }


def test_pairs_without_any_positive_are_kept_and_counted():
    found = world([[3, 0], [3, 0], [3, 1], [3, 2]], "aabc")
    mined = mine_negatives(found, 9, rules=Rules(margin=1))
    assert [row[:2] for row in rows_of(mined, found)] == [(2, 3)]
    assert mined.without_bound == 1
    assert dict(mined.dropped) == {"as alike as a face's own identity": 4}
    assert mine_negatives(found, 9).without_bound is None


def test_what_was_mined_before_can_be_excluded(monkeypatch):
    found = world(np.random.default_rng(3).integers(-3, 4, (12, 3)), "abcabcabcdef")
    first = mine_negatives(found, 7)
    second = mine_negatives(found, 7, exclude=[first])
    assert rows_of(first, found) + rows_of(second, found) == all_pairs(found)[:14]


def test_who_fills_the_set_before_and_after_caps():
    """Face 0 is near to all: without a cap it is in each of the best pairs."""
    found = world([[9], [1], [1], [1], [1], [1]], "abcdef")
    mined = mine_negatives(found, 5, rules=Rules(max_per_image=2))
    assert mine_negatives(found, 5).before is None
    assert (mined.before.image.names, mined.before.image.count) == (("a/000",), 5)
    assert mined.before.pairs == mined.hubness.pairs == 5
    assert mined.hubness.image.count == 2
    assert mine_negatives(found, 5).hubness == mined.before


def test_n_below_one_and_an_approximate_index(monkeypatch):
    found = world([[1], [2], [3]], "aab")
    for n in (0, -1, 1.5, True):
        for rules in (Rules(), Rules(max_per_image=1)):
            with pytest.raises(IndexesError, match=f"n of {n}; expected a whole number"):
                mine_negatives(found, n, rules=rules)
    with pytest.raises(RulesError, match="margin, max_per_image with an approximate index"):
        mine_negatives(found, 1, index="Flat", rules=Rules(margin=0, max_per_image=1))
    with pytest.raises(RulesError, match="exclude with an approximate index"):
        mine_negatives(found, 1, index="Flat", exclude=[PairSet.of(["a/000"], ["b/002"], 0)])
    with pytest.raises(RulesError, match="a margin keeps pairs of different identities below"):
        mine_positives(found, 1, rules=Rules(relative_margin=0.1))


def test_hard_positives_are_joined_by_negatives():
    found = world([[3, 0], [-3, 0], [3, 0], [1, 1]], "aaab")
    mined = mine_positives(found, 2)
    assert rows_of(mined, found) == [(0, 1, -9.0), (1, 2, -9.0)]
    test = PairSet.of(["a/000", "a/001"], ["b/003", "a/002"], [0, 1])
    pairs, rank = adversarial_pairs(mined, test, seed=1)
    assert sorted(zip(pairs.path_a, pairs.path_b, pairs.label, rank, strict=True)) == [
        ("a/000", "a/001", 1, 1),
        ("a/000", "b/003", 0, 0),
        ("a/001", "a/002", 1, 2),
    ]
