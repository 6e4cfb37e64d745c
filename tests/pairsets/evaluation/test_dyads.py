"""Sums over pairs of the same two clusters, against a dictionary of them."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets.evaluation import dyads as module
from pairsets.evaluation.dyads import Sorted, Table, dyads


def by_dictionary(a, b, values):
    """Sums by the two clusters, in the order of the pairs, and of the two."""
    found = {}
    for one, other, value in zip(a.tolist(), b.tolist(), values.tolist(), strict=True):
        key = min(one, other), max(one, other)
        found[key] = found.get(key, 0.0) + value
    return [found[key] for key in sorted(found)]


@pytest.mark.parametrize("count", [1, 6, 400, 3_000, 2**30, 2**31 + 5])
@pytest.mark.parametrize("pairs", [0, 1, 2, 40, 700])
def test_sums_are_those_of_a_dictionary(monkeypatch, pairs, count):
    """To the last bit: values of many sizes, so that another order would be rounded elsewhere."""
    monkeypatch.setattr(module, "BLOCK", 16)
    generator = np.random.default_rng([pairs, count % 2**20])
    for clusters in (count, min(count, 12)):
        # Few of many clusters, the last among them, so that pairs share both.
        numbers = np.unique(np.r_[count - 1, generator.integers(0, count, clusters % 12)])
        a, b = generator.choice(numbers, (2, pairs))
        values = generator.normal(size=pairs) * 10.0 ** generator.integers(-9, 9, pairs)
        made = dyads(a, b, count)
        assert isinstance(made, Table if count**2 <= 1_000_000 else Sorted)
        expected = by_dictionary(a, b, values)
        found = made.sums(values)
        if isinstance(made, Table):
            used = np.bincount(made.keys, minlength=count**2) > 0
            assert not found[~used].any()
            found = found[used]
        assert found.tolist() == expected
        # Of another sum, too: nothing of the first is kept.
        assert sorted(made.sums(values * 2)[made.sums(values * 2) != 0].tolist()) == sorted(
            2 * value for value in expected if value
        )


def test_more_clusters_have_a_table_where_there_are_more_pairs(monkeypatch):
    monkeypatch.setattr(module, "TABLE", 4)
    a, b = np.arange(5), np.arange(5)[::-1]
    assert isinstance(dyads(a, b, 5), Sorted)
    assert isinstance(dyads(np.tile(a, 2), np.tile(b, 2), 5), Table)
