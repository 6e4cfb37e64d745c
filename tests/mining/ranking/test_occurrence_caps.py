"""Occurrence caps: the naive greedy choice over the whole ranking, however it is looked through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.worlds import all_pairs, greedy, rule_sets, why_not, world, worlds

import mining.ranking.occurrence_caps
from mining import Rules
from mining.errors import RulesError
from mining.ranking.filtered_ranking import FilteredRanking
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.occurrence_caps import Greedy, take
from mining.ranking.positive_ranking import PositiveRanking
from mining.ranking.ranked_pairs import RankedPairs, Spent
from mining.ranking.search_space import SearchSpace
from pairsets import PairSet


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(mining.ranking.occurrence_caps, "_CHUNK", 5)


def rows(ranked):
    return list(zip(ranked.i.tolist(), ranked.j.tolist(), ranked.scores.tolist(), strict=True))


def named(pairs, found):
    """Pairs of rows as pairs of paths."""
    paths = found.faces.paths
    return PairSet.of([paths[i] for i, _ in pairs], [paths[j] for _, j in pairs], 0)


class Listing:
    """A ranking that only lists, of given pairs, with quantiles; it notes what it was asked."""

    def __init__(self, found, pairs, exact=True):
        self.faces, self.pairs, self.exact, self.asked = found.faces, pairs, exact, []

    def top(self, depth, progress=None):
        self.asked.append(depth)
        i, j, scores = np.array(self.pairs[:depth] or np.empty((0, 3))).T
        quantiles = np.column_stack([scores, -scores])
        return RankedPairs(i.astype(int), j.astype(int), scores, quantiles, exact=self.exact)


class Noting:
    """A deep ranking that notes what it was asked."""

    def __init__(self, ranking):
        self.ranking, self.faces, self.asked = ranking, ranking.faces, []

    def top(self, depth, progress=None):
        self.asked.append(("top", depth))
        return self.ranking.top(depth, progress)

    def below(self, depth, spent, progress=None):
        self.asked.append(("below", depth))
        return self.ranking.below(depth, spent, progress)


@settings(max_examples=250, deadline=None)
@given(worlds(), rule_sets(margins=False), st.integers(1, 6), st.integers(1, 9), st.booleans())
def test_a_ranking_too_long_to_list_is_followed_all_the_same(found, rules, n, deepest, same):
    """The cut may fall among ties, and within pairs that are used up."""
    everything = all_pairs(found, same=same)
    if same and not everything:
        return
    ranking = (PositiveRanking if same else ModelRanking)(found, rules=rules)
    allowed = [pair for pair in everything if why_not(pair, found, rules) is None]
    kept, ranks, passed = greedy(allowed, found, n, rules)
    taken = take(ranking, n, rules, deepest=deepest)
    assert rows(taken.pairs) == kept
    assert rows(taken.first) == allowed[:n]
    assert taken.pairs.exact
    assert taken.depth <= (ranks[-1] if ranks else 0)
    if taken.listed:
        assert taken.depth == (ranks[-1] if ranks else 0)
        assert taken.passed_over == {reason: passed[reason] for reason in taken.passed_over}
    else:
        assert taken.depth > max(deepest, 2 * n) or len(kept) < n
        assert all(count <= passed[reason] for reason, count in taken.passed_over.items())


@settings(max_examples=200, deadline=None)
@given(worlds(), rule_sets(margins=False), st.integers(1, 9), st.integers(1, 20), st.booleans())
def test_a_ranking_offered_in_pieces_is_chosen_from_as_one(found, rules, n, size, same):
    pairs = all_pairs(found, same=same)
    kept, ranks, passed = greedy(pairs, found, n, rules)
    choice, taken = Greedy(found.faces, n, rules), []
    for start in range(0, len(pairs), size):
        if choice.wanted:
            piece = pairs[start : start + size]
            i, j = (np.array([pair[end] for pair in piece]) for end in (0, 1))
            mask = choice.offer(i, j)
            taken += [pair for pair, yes in zip(piece, mask, strict=True) if yes]
    assert taken == kept
    assert (choice.wanted, choice.depth) == (n - len(kept), ranks[-1] if ranks else 0)
    assert choice.passed_over == {reason: passed[reason] for reason in choice.passed_over}


@settings(max_examples=100, deadline=None)
@given(worlds(), rule_sets(margins=False), st.integers(1, 6))
def test_exclusions_and_margins_hold_further_down(found, rules, n):
    pairs = all_pairs(found)
    own = Rules(**{**vars(rules), "margin": 1, "relative_margin": None})
    if not all_pairs(found, same=True) or not pairs:
        return
    excluded = {pair[:2] for pair in pairs[::3]}
    ranking = ModelRanking(found, rules=own, exclude=[named(excluded, found)])
    allowed = [pair for pair in pairs if why_not(pair, found, own, excluded) is None]
    assert rows(take(ranking, n, own, deepest=1).pairs) == greedy(allowed, found, n, own)[0]


@settings(max_examples=300, deadline=None)
@given(worlds(), rule_sets(), st.data(), st.booleans())
def test_what_is_below_the_pairs_taken(found, rules, data, same):
    """Whatever is said to be used up: the rest, in its order."""
    if same:
        rules = replace(rules, margin=None, relative_margin=None)
    if not all_pairs(found, same=True):
        return
    everything = all_pairs(found, same=same)
    if not everything:
        return
    excluded = {pair[:2] for pair in data.draw(st.sets(st.sampled_from(everything), max_size=4))}
    allowed = [pair for pair in everything if why_not(pair, found, rules, excluded) is None]
    if not allowed:
        return
    taken = allowed[: data.draw(st.integers(1, len(allowed)))]
    groups, count = found.faces.groups, len(found.faces)
    active = data.draw(st.lists(st.booleans() | st.just(True), min_size=count, max_size=count))
    group = st.integers(0, groups.max())
    spent = data.draw(st.sets(st.tuples(group, group).map(sorted).map(tuple), max_size=3))
    rest = [
        (i, j, score)
        for i, j, score in allowed[len(taken) :]
        if active[i] and active[j] and tuple(sorted((groups[i], groups[j]))) not in spent
    ]
    ranking = (PositiveRanking if same else ModelRanking)(
        found, rules=rules, exclude=[named(excluded, found)]
    )
    depth = data.draw(st.integers(1, 30))
    below = ranking.below(
        depth,
        Spent(
            score=taken[-1][2],
            pairs=np.array([pair[:2] for pair in taken]),
            active=np.array(active),
            identities=np.array([*spent], np.int64).reshape(-1, 2),
        ),
    )
    assert rows(below) == rest[:depth]


def hub_world(spokes=30):
    """Face 0 is in the 30 best pairs; the 15 next ones are 1 and 2, 3 and 4, and so on."""
    vectors = np.zeros((spokes + 1, 1 + spokes // 2))
    vectors[:, 0], vectors[0, 0] = 1, 50
    vectors[np.arange(1, spokes + 1), 1 + np.arange(spokes) // 2] = 3
    return world(vectors, [f"{identity:02}" for identity in range(spokes + 1)])


def test_it_looks_twice_as_deep_as_wanted_and_then_four_times_as_deep():
    found = hub_world()
    rules = Rules(max_per_image=1)
    ranking = Noting(ModelRanking(found, rules=rules))
    taken = take(ranking, 5, rules)
    assert ranking.asked == [("top", 10), ("top", 40)]
    assert [row[:2] for row in rows(taken.pairs)] == [(0, 1), (3, 4), (5, 6), (7, 8), (9, 10)]
    assert taken.depth == 30 + 5
    assert taken.passed_over == {"image": 30}
    ranking = Noting(ModelRanking(found))
    assert len(take(ranking, 5, Rules()).pairs) == 5
    assert ranking.asked == [("top", 5)]


def test_it_goes_on_below_what_is_listed_at_once():
    found = hub_world()
    rules = Rules(max_per_image=1)
    ranking = Noting(ModelRanking(found, rules=rules))
    taken = take(ranking, 5, rules, deepest=20)
    assert ranking.asked == [("top", 10), ("top", 20), ("below", 20)]
    assert not taken.listed
    assert taken.depth == 20 + 4  # at least: 35, had all been listed
    assert taken.passed_over == {"image": 19}
    assert rows(taken.pairs) == greedy(all_pairs(found), found, 5, rules)[0]


def test_of_many_faces_it_lists_the_ranking_from_its_top_once(monkeypatch):
    found = hub_world()
    monkeypatch.setattr(mining.ranking.occurrence_caps, "MANY", len(found.faces) - 1)
    rules = Rules(max_per_image=1)
    ranking = Noting(ModelRanking(found, rules=rules))
    taken = take(ranking, 5, rules)
    # Of ten listed one was taken: for four more it takes about forty, and twice as many.
    assert ranking.asked == [("top", 10), ("below", 80)]
    assert not taken.listed
    assert rows(taken.pairs) == greedy(all_pairs(found), found, 5, rules)[0]
    assert rows(take(ranking, 5, Rules(), deepest=20).pairs) == all_pairs(found)[:5]
    # One that only lists has no other way.
    listing = Listing(found, all_pairs(found))
    assert rows(take(listing, 5, rules).pairs) == rows(taken.pairs)
    assert listing.asked == [10, 40]


def test_a_ranking_that_goes_on_with_what_is_used_up_is_no_endless_loop():
    ranking = Noting(ModelRanking(hub_world()))
    ranking.below = lambda depth, spent, progress=None: ranking.ranking.top(depth)
    with pytest.raises(RuntimeError, match=r"Noting\.below returned what is used up"):
        take(ranking, 5, Rules(max_per_image=1), deepest=20)


def test_the_limit_of_what_is_listed_is_a_constant(monkeypatch):
    monkeypatch.setattr(mining.ranking.occurrence_caps, "DEEPEST", 12)
    ranking = Noting(ModelRanking(hub_world()))
    take(ranking, 5, Rules(max_per_image=1))
    assert ranking.asked == [("top", 10), ("top", 12), ("below", 12)]
    take(ranking, 9, Rules(max_per_image=2))
    assert ranking.asked[3] == ("top", 18)  # never less than twice the pairs wanted


def test_a_ranking_that_only_lists_says_where_it_ended():
    found = hub_world()
    pairs = all_pairs(found)
    rules = Rules(max_per_image=1)
    ranking = Listing(found, pairs)
    taken = take(ranking, 5, rules)
    assert ranking.asked == [10, 40]
    assert rows(taken.pairs) == greedy(pairs, found, 5, rules)[0]
    assert taken.pairs.quantiles.tolist() == [[score, -score] for *_, score in rows(taken.pairs)]
    assert taken.pairs.exact
    ended = take(ranking, 5, rules, deepest=20)
    assert rows(ended.pairs) == rows(taken.pairs)[:1]
    assert not ended.pairs.exact  # there may be more
    assert not ended.listed
    assert not take(Listing(found, pairs, exact=False), 5, rules).pairs.exact
    assert take(Listing(found, pairs[:3]), 5, rules).pairs.exact


def test_many_pairs_of_one_hub_cost_one_look_each():
    """Rows whose image is used up are dropped in sweeps, and counted under the cap that was."""
    generator = np.random.default_rng(0)
    count = 400
    vectors = generator.standard_normal((count, 4))
    found = world(vectors, [f"{row % 40:02}" for row in range(count)])
    rules = Rules(max_per_image=4, max_per_identity=18, max_per_identity_pair=1)
    pairs = all_pairs(found)
    kept, ranks, passed = greedy(pairs, found, 390, rules)
    taken = take(ModelRanking(found), 390, rules)
    assert rows(taken.pairs) == kept
    assert taken.depth == ranks[-1]
    assert taken.passed_over == dict(passed)
    assert min(passed[reason] for reason in ("image", "identity", "identity pair")) > 20


@pytest.fixture
def filtered():
    """A listing of eight pairs with scores 8 to 1, of which the 1st, 3rd and 8th are excluded."""
    found = world(np.zeros((9, 1)), "abcdefghi")
    pairs = [(0, at, 9 - at) for at in range(1, 9)]
    names = found.faces.paths
    excluded = PairSet.of([names[1], names[0], names[8]], [names[0], names[3], names[0]], 0)
    space = SearchSpace.of(found.faces, exclude=[excluded])

    def make(exact=True, **rules):
        return FilteredRanking(Listing(found, pairs, exact), Rules(**rules), space)

    return make


def test_rules_behind_a_ranking_that_knows_none(filtered):
    ranking = filtered(min_score=3, max_score=7)
    best = ranking.top(2)
    assert rows(best) == [(0, 2, 7), (0, 4, 5)]
    assert best.quantiles.tolist() == [[7, -7], [5, -5]]
    assert best.exact
    assert ranking.turned_away(5) == [
        ("excluded, else among the best", 1),
        ("excluded, not among the best", 2),
        ("scoring above 7", 0),
    ]
    ranking = filtered(min_score=3, max_score=6)
    assert [score for *_, score in rows(ranking.top(9))] == [5, 4, 3]
    assert ranking.turned_away(None) == [
        ("excluded, else among the best", 1),
        ("excluded, not among the best", 2),
        ("scoring above 6", 1),
    ]
    assert not filtered(exact=False).top(2).exact
    with pytest.raises(RulesError, match="does not apply to several references"):
        filtered(margin=0.1)


def test_a_filtered_ranking_is_listed_as_deep_as_it_has_to_be(filtered, monkeypatch):
    ranking = filtered(max_score=4)
    assert rows(ranking.top(1)) == [(0, 5, 4)]
    assert ranking.ranking.asked == [4, 16]
    low = filtered(min_score=6)
    assert [score for *_, score in rows(low.top(4))] == [7]
    assert low.ranking.asked == [7]  # the last one listed scores too low: no need to go on
    monkeypatch.setattr(mining.ranking.filtered_ranking, "DEEPEST", 4)
    short = filtered(max_score=5)
    assert rows(short.top(1)) == [(0, 4, 5)]
    assert rows(filtered(max_score=4).top(1)) == []
    assert not filtered(max_score=4).top(1).exact
    assert short.ranking.asked == [4]
