"""Pairs between two sets, under rules, against naive answers."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle
from support.worlds import all_pairs, greedy, own_best, rows_of, rule_sets, why_not

from indexes.join.stack import Stacked
from mining import Embeddings, mine_negatives
from mining.errors import RulesError
from mining.ranking.warnings import chance_of
from pairsets import Faces, PairSet, PairSetError, random_pairs
from pairsets.random_set import SpaceBetween, pair_space

IDENTITIES = st.lists(st.sampled_from("abcd"), min_size=1, max_size=8)


def faces_of(first, second) -> Faces:
    paths = [
        f"{name}/{identity}/{row:03}"
        for name, identities in (("old", first), ("new", second))
        for row, identity in enumerate(identities)
    ]
    identities = np.array([*first, *second], object)
    return Faces(Path(), np.array(paths, object), identities, split=len(first))


@st.composite
def worlds(draw):
    first, second, size = draw(IDENTITIES), draw(IDENTITIES), draw(st.integers(1, 3))
    row = st.lists(st.integers(-2, 2), min_size=size, max_size=size)
    count = len(first) + len(second)
    vectors = np.array(draw(st.lists(row, min_size=count, max_size=count)), np.float32)
    faces = faces_of(first, second)
    stacked = Stacked(vectors[: faces.split], vectors[faces.split :])
    return Embeddings(faces, stacked.rows, {}, Path())


@given(
    found=worlds(),
    rules=rule_sets(),
    n=st.integers(1, 30),
    ignored=st.sets(st.integers(0, 7), max_size=2),
    excluded=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=6),
)
@settings(derandomize=True, deadline=None, max_examples=150)
def test_equals_the_double_loop(found, rules, n, ignored, excluded):
    names = {f"{row:03}" for row in ignored}
    kept = found.faces.without(names)
    split = int(kept[: found.faces.split].sum())
    faces = Faces(Path(), found.faces.paths[kept], found.faces.identities[kept])
    whole = found.vectors[np.arange(len(kept))]
    searched = Embeddings(faces, whole[kept], {}, Path())
    rows = np.flatnonzero(kept)
    excluded = [(i, j) for i, j in excluded if max(i, j) < len(kept) and i != j]
    keys = {frozenset(pair): None for pair in excluded}
    pairs = None
    if keys:
        ends = np.array([sorted(pair) for pair in keys])
        pairs = PairSet.of(*(found.faces.paths[ends[:, side]] for side in (0, 1)), 0)
    options = {"rules": rules, "ignore": names, "exclude": [pairs] if pairs else []}
    if rules.margins and all(one is None for one in own_best(searched)):
        with pytest.raises(RulesError, match="none of the"):
            mine_negatives(found, n, **options)
        return
    mined = mine_negatives(found, n, **options)
    out = {
        frozenset(np.searchsorted(rows, [*pair]).tolist()) for pair in keys if kept[[*pair]].all()
    }
    between = [(i, j, s) for i, j, s in all_pairs(searched) if i < split <= j]
    whys = [why_not(pair, searched, rules) for pair in between]
    fit = [
        pair
        for pair, why in zip(between, whys, strict=True)
        if why is None and frozenset(pair[:2]) not in out
    ]
    wanted, _, _ = greedy(fit, searched, n, rules)
    at = {path: row for row, path in enumerate(found.faces.paths[kept])}
    got = [
        (at[a], at[b], score)
        for a, b, score in zip(mined.path_a, mined.path_b, mined.scores.tolist(), strict=True)
    ]
    assert got == wanted
    # Only pairs that could have been taken are counted as excluded.
    possible = {frozenset((i, j)) for i in range(split) for j in range(split, len(rows))}
    assert mined.excluded == len(out & possible)


@given(first=IDENTITIES, second=IDENTITIES, ignored=st.sets(st.integers(0, 7), max_size=3))
@settings(derandomize=True, deadline=None)
def test_numbered_pairs_are_those_between_the_sets(first, second, ignored):
    faces = faces_of(first, second)
    names = {f"{row:03}" for row in ignored}
    space, kept = pair_space(faces, names), faces.without(names)
    assert isinstance(space, SpaceBetween)
    for same, count, pairs in (
        (True, space.count_positives, space.positives),
        (False, space.count_negatives, space.negatives),
    ):
        every = [
            (i, j)
            for i in range(len(first))
            for j in range(len(first), len(faces))
            if kept[i] and kept[j] and (faces.identities[i] == faces.identities[j]) == same
        ]
        assert count == len(every)
        drawn = list(zip(*(side.tolist() for side in pairs(np.arange(count))), strict=True))
        assert sorted(drawn) == every


def test_random_pairs_are_between_the_sets():
    faces = faces_of("aabbc", "abbcd")
    pairs = random_pairs(faces, seed=1)
    assert (len(pairs.label), int(pairs.label.sum())) == (25, 2 + 4 + 1)
    assert all(path.startswith("old/") for path in pairs.path_a)
    assert all(path.startswith("new/") for path in pairs.path_b)
    assert not pairs.contradicting.any()
    with pytest.raises(PairSetError, match="no identity is in both sets"):
        random_pairs(faces_of("ab", "cd"))
    assert len(random_pairs(faces_of("ab", "cd"), positives=0)) == 4


@given(first=IDENTITIES, second=IDENTITIES)
@settings(derandomize=True, deadline=None)
def test_chance_is_that_of_pairs_between_the_sets(first, second):
    faces = faces_of(first, second)
    people, split = faces.identities, faces.split
    every = [
        (i, j) for i in range(split) for j in range(split, len(faces)) if people[i] != people[j]
    ]
    if not every:
        return
    mined = SimpleNamespace(faces=faces, label=0)
    of = Counter(row for pair in every for row in pair)
    for row, path in enumerate(faces.paths):
        assert chance_of("image", (path,), mined) == of[row] / len(every)
    names = Counter(name for i, j in every for name in {people[i], people[j]})
    for name in {*people}:
        assert chance_of("identity", (name,), mined) == names[name] / len(every)
    twos = Counter(frozenset((people[i], people[j])) for i, j in every)
    for two, count in twos.items():
        assert chance_of("identity pair", tuple(two), mined) == count / len(every)


def test_rows_of_a_mined_pair_are_of_both_sets():
    faces = faces_of("ab", "ba")
    vectors = np.eye(4, 3, dtype=np.float32)
    found = Embeddings(faces, Stacked(vectors[:2], vectors[2:]).rows, {}, Path())
    mined = mine_negatives(found, 9)
    truth = oracle.pairs_between(vectors[:2], vectors[2:], ("ab", "ba"), 9)
    assert rows_of(mined, found) == [(i, j + 2, score) for i, j, score in truth]
