"""The tree of confused identities: each is in it once, and no list is too long to look at."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsets import PairSet, ScoresError
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.report.confusion_tree import content_of, tree_of


def leaves(node):
    return [node] if isinstance(node, int) else [leaf for child in node for leaf in leaves(child)]


def lists(node):
    if isinstance(node, int):
        return
    yield node
    for child in node:
        yield from lists(child)


def network(edges, scores=None, threshold=0.5):
    path_a, path_b = zip(*edges, strict=True)
    values = np.ones(len(edges)) if scores is None else np.array(scores)
    return ConfusionNetwork.of(PairSet.of(path_a, path_b, 0), values, threshold)


@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(0, 2)),
        unique_by=lambda one: frozenset(one[:2]),
        min_size=1,
    ),
    st.integers(2, 6),
)
@settings(deadline=None, max_examples=60)
def test_each_identity_is_in_the_tree_once_and_no_list_is_longer_than_asked(given_edges, most):
    edges = [
        (f"{a:02}/{n}", f"{b:02}/{n}") for a, b, many in given_edges if a != b for n in range(many)
    ]
    if not edges:
        return
    found = network(edges)
    tree = tree_of(found, most)
    assert sorted(leaves(tree)) == [*range(len(found))]
    assert all(0 < len(one) <= most for one in lists(tree))
    assert all(len(one) > 1 for one in lists(tree))


def test_the_network_counts_as_on_paper():
    edges = [("b/0", "a/0"), ("a/1", "b/1"), ("a/2", "b/2"), ("c/0", "a/0"), ("c/1", "d/0")]
    found = network(edges, [0.9, 0.7, 0.1, 0.5, 0.4])
    assert found.identities.tolist() == ["a", "b", "c"]
    told = zip(found.low, found.high, found.accepted, found.counts, found.best, strict=True)
    assert [*told] == [(0, 1, 2, 3, 0.9), (0, 2, 1, 1, 0.5)]
    assert len(network(edges, np.zeros(5))) == 0
    with pytest.raises(ScoresError, match="scores of shape"):
        network(edges, [1.0])


def test_groups_come_first_the_one_with_most_false_accepts_at_the_top():
    few = [(f"{a}/{n}", f"{b}/{n}") for a, b in combinations("abcd", 2) for n in range(3)]
    many = [(f"{a}/{n}", f"{b}/{n}") for a, b in combinations("wxyz", 2) for n in range(5)]
    found = network([*few, *many, ("a/0", "w/0")])
    content = content_of(found)
    names = [[content["names"][leaf] for leaf in leaves(node)] for node in content["tree"]]
    assert [sorted(group) for group in names] == [[*"wxyz"], [*"abcd"]]
    assert (content["groups"], content["modularity"] > content["chance"]) == (2, True)


def test_thousands_of_identities_that_all_are_confused_with_one():
    """A star has no parts: it is cut into runs, those with most false accepts first."""
    found = network([(f"hub/{at}", f"{at:04}/0") for at in range(2500)])
    tree = tree_of(found)
    assert sorted(leaves(tree)) == [*range(2501)]
    assert max(map(len, lists(tree))) <= 30


def test_names_that_are_no_text_are_written_all_the_same():
    found = network([("c\udcff3/1", "b/1")])
    assert content_of(found)["names"] == ["b", "c?3"]
