"""Several references: equal to the ranking of all pairs, from the heads of the models' lists."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes import IndexesError
from mining.errors import FusionError
from mining.ranking import fused_ranking
from mining.ranking.fused_ranking import FusedRanking, Reference
from mining.ranking.rank_aggregation import Listed, agreement, fused_quantiles, quantiles
from mining.ranking.ranked_pairs import RankedPairs
from pairsets import Faces

METHODS = ("mean", "min")
# Begin with lists of a pair or two, so that small worlds take several rounds.
SHALLOW = {"_FIRST": 1, "_SPARE": 1, "_DEEPER": 2}


def faces_of(groups, name="{}/{}.png"):
    return Faces.of_paths(Path("faces"), [name.format(g, k) for k, g in enumerate(groups)])


class Sorted:
    """A model's ranking by sorting all pairs; remembers how deep it was asked."""

    def __init__(self, groups, scores, *, exact=True, lost=0):
        self.faces = faces_of(groups)
        self.asked = []
        pairs = [(i, j) for i, j in combinations(range(len(groups)), 2) if groups[i] != groups[j]]
        self.scores = dict(zip(pairs, scores, strict=True))
        self.order = sorted(pairs, key=lambda pair: (-self.scores[pair], pair))
        self.order = self.order[: len(pairs) - lost]
        self.exact = exact

    def top(self, depth, progress=None):
        self.asked.append(depth)
        if progress is not None:
            progress(1, 2)
            progress(2, 2)
        found = self.order[:depth]
        rows = np.array(found, np.int64).reshape(-1, 2)
        columns = [rows[:, 0].copy(), rows[:, 1].copy(), np.array([self.scores[p] for p in found])]
        for column in columns:
            column.setflags(write=False)
        return RankedPairs(*columns, exact=self.exact)


def by_sorting_all(models, method):
    """`[(i, j), fused, [own, ...]]` of every pair, in order, in fractions."""
    count = len(models[0].scores)
    found = []
    for pair in models[0].scores:
        own = [
            Fraction(count - sum(s > model.scores[pair] for s in model.scores.values()), count)
            for model in models
        ]
        found.append((pair, min(own) if method == "min" else sum(own) / len(own), own))
    return sorted(found, key=lambda row: (-row[1], row[0]))


def rows_of(ranked):
    pairs = zip(ranked.i.tolist(), ranked.j.tolist(), strict=True)
    return list(zip(pairs, ranked.scores.tolist(), ranked.quantiles.tolist(), strict=True))


def as_floats(truth):
    return [(pair, float(fused), [float(one) for one in own]) for pair, fused, own in truth]


def fuse(models, method="mean", **options):
    return FusedRanking([Reference(f"m{k}", m) for k, m in enumerate(models)], method, **options)


@st.composite
def worlds(draw, fewest=1):
    """Rankings of a few faces; scores of few values tie, and models may be each other's reverse."""
    groups = draw(st.lists(st.integers(0, 4), min_size=1, max_size=9))
    count = sum(a != b for a, b in combinations(groups, 2))
    values = draw(st.sampled_from([2, 4, 1000]))
    scores = [draw(st.lists(st.integers(0, values - 1), min_size=count, max_size=count))]
    for _ in range(draw(st.integers(fewest, 3)) - 1):
        kind = draw(st.sampled_from(["other", "reverse", "near"]))
        own = draw(st.lists(st.integers(0, values - 1), min_size=count, max_size=count))
        if kind == "reverse":
            own = [-score for score in scores[0]]
        if kind == "near":
            own = [score if other % 3 else score + 1 for score, other in zip(scores[0], own)]  # noqa: B905
        scores.append(own)
    return [Sorted(groups, list(map(float, own))) for own in scores]


@settings(max_examples=400, deadline=None)
@given(worlds(), st.sampled_from(METHODS), st.integers(1, 40), st.integers(1, 40))
def test_equals_the_ranking_of_all_pairs(models, method, depth, limit):
    truth = as_floats(by_sorting_all(models, method))
    with mock.patch.multiple(fused_ranking, **SHALLOW):
        fused = fuse(models, method, limit=limit)
        ranked = fused.top(depth)
    found = rows_of(ranked)
    assert all(deep <= min(max(limit, depth), len(truth)) for m in models for deep in m.asked)
    sure = fused.sure(ranked.i, ranked.j)
    assert found[:sure] == truth[:sure]
    if ranked.exact:
        assert found == truth[:depth]
        assert sure == len(found)
    else:
        assert max(limit, depth) < len(truth)
        # Pairs may be missing; those that are there are as they should be.
        assert found == [row for row in truth if row in found]
        assert sure < min(depth, len(truth))


@settings(max_examples=200, deadline=None)
@given(worlds(), st.sampled_from(METHODS), st.lists(st.integers(1, 40), min_size=2, max_size=4))
def test_one_ranking_answers_any_depth_in_any_order(models, method, depths):
    truth = as_floats(by_sorting_all(models, method))
    with mock.patch.multiple(fused_ranking, **SHALLOW):
        fused = fuse(models, method)
        for depth in depths:
            ranked = fused.top(depth)
            assert (ranked.exact, rows_of(ranked)) == (True, truth[:depth])


@settings(max_examples=200, deadline=None)
@given(worlds(fewest=2), st.sampled_from(METHODS), st.integers(1, 40))
def test_who_is_left_out_has_no_say(models, method, depth):
    fused = fuse(models, method)
    fused.top(depth)
    for at, name in enumerate(fused.names):
        others = [model for model in models if model is not models[at]]
        left = fused.without(name)
        assert left.names == tuple(f"m{k}" for k in range(len(models)) if k != at)
        ranked = left.top(depth)
        assert rows_of(ranked) == as_floats(by_sorting_all(others, method))[:depth]
    # What was listed for the fusion was enough: the worlds are small.
    assert all(len(model.asked) <= 1 for model in models)


# A world of ten pairs: five faces, each an identity of its own. Keys are i * 5 + j.
def five(*scores):
    return Sorted(range(5), scores)


def test_as_many_are_certain_as_can_be():
    falling = [9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    swapped = [9.0, 8, 7, 6, 4, 5, 3, 2, 1, 0]
    with mock.patch.multiple(fused_ranking, **SHALLOW):
        for method in METHODS:
            # Lists of five disagree on the fifth pair alone: four are certain, and known to be.
            fused = fuse([five(*falling), five(*swapped)], method, limit=5)
            assert fused.top(4).exact
            ranked = fused.top(5)
            assert (ranked.exact, len(ranked), fused.sure(ranked.i, ranked.j)) == (False, 4, 4)
            # Nothing that one list has and the other lacks can come before what both have.
            twice = fuse([five(*falling), five(*falling)], method, limit=5)
            assert twice.top(5).exact
        # The first of each is the last of the other: what both have first is never certain.
        apart = fuse([five(*falling), five(*falling[::-1])], "mean", limit=6)
        ranked = apart.top(1)
        assert (ranked.exact, len(ranked)) == (False, 1)
        assert apart.sure(ranked.i, ranked.j) == 0


@pytest.mark.parametrize(("other", "certain"), [(3, 1), (1, 0)])
def test_a_tie_with_what_is_not_known_goes_by_the_pair(other, certain):
    # Pair 2 has ranks 2 and 2; the other one rank 1 at best, and 3 where it is not listed.
    one = Listed.of(np.array([other, 2, 4]), np.array([0.9, 0.8, 0.7]))
    two = Listed.of(np.array([7, 2, 6]), np.array([0.9, 0.8, 0.7]))
    assert agreement([one, two], "mean").certain == certain
    assert agreement([two, one], "mean").certain == certain


def test_ranks_are_whole_numbers_of_any_size():
    count = 10**12
    ranks = np.array([[count, 1], [count - 1, 2], [count, count]])
    fused = fused_quantiles(ranks, count, "mean")
    assert fused[0] == fused[1] == float(Fraction(count + 1, 2 * count))
    assert fused[2] == quantiles(np.array(count), count) == 1e-12
    assert fused_quantiles(ranks, count, "min")[1] == 2e-12


def test_models_that_agree_are_read_a_little_way():
    groups = [k % 60 for k in range(120)]
    count = 120 * 119 // 2 - 60
    scores = np.random.default_rng(0).permutation(count).astype(float)
    models = [Sorted(groups, scores), Sorted(groups, scores)]
    with mock.patch.multiple(fused_ranking, _FIRST=16):
        fused = fuse(models)
        assert fused.top(10).exact
        assert [model.asked for model in models] == [[80], [80]]
        # Asked again, or for what is certain by now, nothing is read.
        assert len(fused.top(80)) == 80
        assert [model.asked for model in models] == [[80], [80]]
        fused.top(81)
        assert [model.asked for model in models] == [[80, 648], [80, 648]]


def test_lists_grow_until_the_answer_is_certain():
    groups = range(40)
    one = np.random.default_rng(1).permutation(780).astype(float)
    other = np.random.default_rng(2).permutation(780).astype(float)
    models = [Sorted(groups, one), Sorted(groups, other)]
    with mock.patch.multiple(fused_ranking, _FIRST=10):
        assert fuse(models).top(1).exact
    assert models[0].asked == models[1].asked
    asked = models[0].asked
    assert len(asked) > 1
    assert asked == [10 * 4**step for step in range(len(asked))]


def test_progress_is_told_over_all_models():
    told = []
    models = [five(*range(10)), five(*range(10)), five(*range(10))]
    fuse(models).top(3, lambda done, total: told.append((done, total)))
    assert told == [(1, 6), (2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]


def test_where_there_is_one_identity_there_is_no_pair():
    fused = fuse([Sorted([0, 0, 0], []), Sorted([0, 0, 0], [])])
    ranked = fused.top(3)
    assert (len(ranked), ranked.exact, ranked.quantiles.shape) == (0, True, (0, 2))


class Faced:
    """A ranking of which only the faces are looked at."""

    def __init__(self, paths, identities=None):
        self.faces = Faces.of_paths(Path("faces"), paths)
        if identities is not None:
            self.faces = Faces(Path("faces"), self.faces.paths, np.array(identities, object))

    def top(self, depth, progress=None):
        raise AssertionError("refused before any work")


@pytest.mark.parametrize(
    ("ranking", "message"),
    [
        (Faced(["a/1", "b/1"]), r"m0 and m1 .*: 'b/2' is among those of m0, not of m1; were they"),
        (Faced(["a/0", "a/1", "b/1", "b/2"]), "'a/0' is among those of m1, not of m0; were they"),
        (Faced(["a/1", "c/1", "d/1"]), r"'b/1' is .* of m0, not of m1 \(and 3 more that only"),
        (Faced(["a/1", "b/2", "b/1"]), "row 2 is 'b/1' and 'b/2'; .* was a table sorted"),
        (Faced(["a/1", "b/1", "b/2"], ["a", "b", "c"]), "'b/2' is of 'b' and 'c'; was an identity"),
    ],
)
def test_references_over_different_faces_are_refused(ranking, message):
    with pytest.raises(FusionError, match=message):
        fuse([Faced(["a/1", "b/1", "b/2"]), ranking])


def test_what_cannot_be_fused_is_refused():
    model = five(*range(10))
    with pytest.raises(FusionError, match="reference A is given twice"):
        FusedRanking([Reference("A", model), Reference("B", model), Reference("A", model)])
    with pytest.raises(FusionError, match="'median'; expected one of mean, min"):
        fuse([model, model], "median")
    with pytest.raises(FusionError, match="no reference to mine with"):
        FusedRanking([])
    with pytest.raises(FusionError, match="no reference m2; there are m0, m1"):
        fuse([model, model]).without("m2")
    with pytest.raises(FusionError, match="no reference to mine with"):
        fuse([model]).without("m0")
    for call in (lambda: fuse([model], limit=0), lambda: fuse([model]).top(0)):
        with pytest.raises(IndexesError, match="of 0; expected a whole number of 1 or more"):
            call()
    rules = Sorted(range(5), range(10), lost=1)
    with pytest.raises(FusionError, match=r"m1 ends after 9 pairs; .* put rules on the fused"):
        fuse([model, rules]).top(1)
    with pytest.raises(FusionError, match="m0 is approximate"):
        fuse([Sorted(range(5), range(10), exact=False), model]).top(1)
