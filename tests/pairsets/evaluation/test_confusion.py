"""Who is taken for whom: counted as on paper, and groups that were planted."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsets import PairSet, ScoresError
from pairsets.evaluation.confusion import Confusion, representatives
from pairsets.faces import identity_of

IMAGES = [f"{identity}/{number}" for identity in "abcdef" for number in range(2)]


@st.composite
def scored_pairs(draw):
    """Pairs of every kind with few distinct scores: ties, invalid rows, one folder's negatives."""
    chosen = draw(st.lists(st.sampled_from(list(combinations(IMAGES, 2))), unique=True))
    turned = [pair[::-1] if draw(st.booleans()) else pair for pair in chosen]
    count = len(turned)
    label = draw(st.lists(st.integers(0, 1), min_size=count, max_size=count))
    invalid = draw(st.lists(st.sampled_from([0, 0, 0, 1]), min_size=count, max_size=count))
    scores = draw(st.lists(st.integers(0, 4), min_size=count, max_size=count))
    pairs = PairSet.of([a for a, _ in turned], [b for _, b in turned], label, -1, invalid)
    values = np.array(scores, float)
    values[~pairs.negatives] = np.nan
    values.setflags(write=False)
    return pairs, values


def cells(pairs, scores, threshold):
    """By two identities: scores of their negatives, and of the accepted ones."""
    every, taken = {}, {}
    for row in np.flatnonzero(pairs.negatives):
        both = tuple(sorted(pairs.names(row)))
        every.setdefault(both, []).append(scores[row])
        if scores[row] >= threshold:
            taken.setdefault(both, []).append(scores[row])
    return every, taken


def peeled(taken, limit):
    """The characters that stay when the least confused is taken away, time and again."""
    left = {name for a, b in taken if a != b for name in (a, b)}
    while left:
        errors = dict.fromkeys(left, 0)
        for (a, b), scores in taken.items():
            if a != b and {a, b} <= left:
                errors[a] += len(scores)
                errors[b] += len(scores)
        fewest = min(errors.values())
        if len(left) <= limit and fewest:
            break
        left.remove(max(name for name, count in errors.items() if count == fewest))
    return left


@given(scored_pairs(), st.integers(0, 5), st.integers(2, 6))
@settings(max_examples=300, deadline=None)
def test_equals_counting(found, threshold, limit):
    pairs, scores = found
    every, taken = cells(pairs, scores, threshold)
    made = Confusion.of(pairs, scores, threshold, limit=limit)
    names = made.identities.tolist()
    assert set(names) == peeled(taken, limit)
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            both = tuple(sorted((first, second)))
            inside = [] if i == j else every.get(both, [])
            assert made.counts[i, j] == len(inside)
            assert made.accepted[i, j] == (0 if i == j else len(taken.get(both, [])))
            best = made.best[i, j]
            assert best == max(inside) if inside else np.isnan(best)
    where = Counter()
    for both, values in taken.items():
        kind = len({*both} & {*names}) if both[0] != both[1] else "one folder"
        where[kind] += len(values)
    assert made.errors == sum(where.values())
    assert (made.errors_inside, made.errors_across) == (where[2], where[1])
    assert made.pairs == int(pairs.negatives.sum())
    assert made.confused == len({name for a, b in taken if a != b for name in (a, b)})
    grouped = [name for group in made.groups for name in group]
    assert len(grouped) == len(set(grouped))
    assert all(len(group) > 1 for group in made.groups)


def planted(noise, seed=0):
    """Four groups of five characters that look alike, and forty that look like nobody."""
    generator = np.random.default_rng(seed)
    groups = [[f"{color}_{at}" for at in range(5)] for color in ("red", "blue", "green", "grey")]
    others = [f"other_{at:02}" for at in range(40)]
    identities = [name for group in groups for name in group] + others
    shuffled = [identities[at] for at in generator.permutation(len(identities))]
    path_a, path_b, scores = [], [], []
    for first, second in combinations(shuffled, 2):
        alike = any(first in group and second in group for group in groups)
        for number in range(3):
            path_a.append(f"{first}/{number}")
            path_b.append(f"{second}/{number}")
            scores.append((0.9 if alike else 0.1) + generator.normal(0, noise))
    return PairSet.of(path_a, path_b, 0), np.array(scores), groups


def test_planted_groups_stand_as_blocks():
    pairs, scores, groups = planted(noise=0.15)
    assert ((scores >= 0.5) & (scores < 0.7)).sum() > 10
    found = Confusion.of(pairs, scores, 0.5, limit=20)
    assert {frozenset(group) for group in found.groups} == {frozenset(group) for group in groups}
    assert [name for group in found.groups for name in group] == found.identities.tolist()
    assert len(found) == 20
    again = np.random.default_rng(1).permutation(len(pairs))
    turned = pairs.take(again)
    turned = PairSet.of(turned.path_b, turned.path_a, 0)
    other = Confusion.of(turned, scores[again], 0.5, limit=20)
    assert other.identities.tolist() == found.identities.tolist()
    np.testing.assert_array_equal(other.accepted, found.accepted)
    np.testing.assert_array_equal(other.best, found.best)


def test_what_stays_has_its_false_accepts_on_the_map():
    """A hub that is taken for many strangers once does not push out those taken for each other."""
    star = [(f"hub/{at}", f"stranger {at}/0", 1.0) for at in range(6)]
    close = [(f"{a}/{at}", f"{b}/{at}", 1.0) for a, b in combinations("xyz", 2) for at in range(3)]
    path_a, path_b, scores = zip(*star, *close, strict=True)
    found = Confusion.of(PairSet.of(path_a, path_b, 0), scores, 0.5, limit=3)
    assert set(found.identities) == {"x", "y", "z"}
    assert (found.errors, found.errors_inside, found.confused) == (15, 9, 10)


def test_no_groups_where_nothing_is_gained():
    def groups(*edges):
        path_a, path_b = zip(*edges, strict=True)
        return Confusion.of(PairSet.of(path_a, path_b, 0), np.ones(len(edges)), 1.0).groups

    assert groups(("a/0", "b/0")) == ()
    one = [(f"{a}/{at}", f"{b}/{at}") for a, b in combinations("abcd", 2) for at in range(4)]
    assert groups(*one) == ()
    other = [(f"{a}/{at}", f"{b}/{at}") for a, b in combinations("wxyz", 2) for at in range(4)]
    found = groups(*one, *other, ("a/0", "w/0"))
    assert {frozenset(group) for group in found} == {frozenset("abcd"), frozenset("wxyz")}


def test_nothing_accepted_is_an_empty_map():
    pairs = PairSet.of(["a/0", "a/0"], ["b/0", "a/1"], [0, 1])
    for threshold in (0.5, np.inf):
        found = Confusion.of(pairs, [0.1, 0.9], threshold)
        assert (len(found), found.errors, found.pairs, found.groups) == (0, 0, 1, ())
        assert found.counts.shape == found.best.shape == (0, 0)
    positives = PairSet.of(["a/0"], ["a/1"], [1])
    assert len(Confusion.of(positives, [1.0], 0.5)) == 0
    assert Confusion.of(pairs, [0.1, 0.9], -np.inf).errors == 1


@given(scored_pairs(), st.integers(0, 5))
def test_the_face_in_most_false_accepts_stands_for_its_identity(found, threshold):
    pairs, scores = found
    wrong = np.flatnonzero(pairs.negatives & (np.nan_to_num(scores, nan=-1) >= threshold))
    held = {}
    for row in wrong:
        for path in (pairs.path_a[row], pairs.path_b[row]):
            held.setdefault(path, []).append(scores[row])
    expected = {}
    for path, values in held.items():
        key = (-len(values), -max(values), path)
        name = identity_of(path)
        expected[name] = min(expected.get(name, key), key)
    asked = ["nobody", *"fedcba"]
    chosen = representatives(pairs, scores, threshold, asked)
    assert chosen == {name: key[2] for name, key in expected.items()}
    assert list(chosen) == [name for name in asked if name in expected]


def test_bad_input_is_refused():
    pairs = PairSet.of(["a/0", "a/1"], ["b/0", "a/2"], [0, 1])
    with pytest.raises(ScoresError, match=r"scores of shape \(3,\) for 2 pairs"):
        Confusion.of(pairs, [1, 2, 3], 0.5)
    with pytest.raises(ScoresError, match="1 scores of negatives are not finite, the first of pa"):
        Confusion.of(pairs, [np.nan, 0.5], 0.5)
    with pytest.raises(ScoresError, match="a threshold that is no number"):
        Confusion.of(pairs, [0.5, 0.5], np.nan)
    with pytest.raises(ScoresError, match="a map of 1 identities; expected 2"):
        Confusion.of(pairs, [0.5, 0.5], 0.5, limit=1)
    with pytest.raises(ScoresError, match="not finite"):
        representatives(pairs, [np.inf, 0.5], 0.5, ["a"])


def test_the_published_adversarial_set(real_data):
    pairs = PairSet.read(real_data / "zaci20" / "zaci20_test_pairs_adversarial.csv")
    # A person's verdicts as scores: who says "same" accepts.
    judged = pairs.human_prediction.astype(float)
    found = Confusion.of(pairs, judged, 1.0)
    negatives = pairs.negatives
    assert found.pairs == negatives.sum() == 2991
    assert found.errors == (judged[negatives] == 1).sum()
    _, taken = cells(pairs, judged, 1.0)
    assert set(found.identities) == peeled(taken, 24)
    # Fewer than 24: who had lost the last partner went, too.
    assert (len(found), found.errors_inside, found.confused) == (23, 65, 361)
    for group in found.groups:
        rows = [found.identities.tolist().index(name) for name in group]
        assert rows == list(range(rows[0], rows[0] + len(group)))
        assert (found.accepted[np.ix_(rows, rows)].sum(axis=0) > 0).all()
