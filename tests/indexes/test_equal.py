"""Many equal rows: one of each class is searched, and the answer is that of searching them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle
from support.oracle import listed

from indexes import FlatIndex, join
from indexes.join import checkpoint, equal, groups
from indexes.join.best import Best
from indexes.join.constraints import PairConstraints, pair_keys
from indexes.join.equal import equal_rows
from indexes.join.groups import Grouped

SEEDED = settings(derandomize=True, deadline=None, max_examples=80)
HOWS = {"plain": {}, "fp32": {"precision": "fp32", "spectrum": "off"}}


@st.composite
def crowds(draw):
    """Rows of a few kinds; the kinds tie with one another where they are made of few numbers."""
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, size = draw(st.integers(0, 26)), draw(st.integers(1, 9))
    kinds = draw(st.sampled_from(["random", "whole", "one-hot"]))
    number = draw(st.integers(1, 6))
    if kinds == "random":
        rows = generator.standard_normal((number, size))
    elif kinds == "whole":
        rows = generator.integers(-1, 2, (number, size))
    else:
        rows = np.eye(max(number, size))[:number, :size]
    vectors = np.array(rows, np.float32)[generator.integers(0, number, count)].reshape(count, size)
    # Of one large group and small ones, or of several alike.
    shares = draw(st.sampled_from([[0.9, 0.05, 0.05], [0.25] * 4, [1 / 12] * 12]))
    groups = generator.choice(len(shares), count, p=shares)
    codes = np.unique(groups, return_inverse=True)[1].astype(np.int64)
    vectors.setflags(write=False)
    codes.setflags(write=False)
    return vectors, codes, generator


@given(crowds(), st.integers(1, 80), st.integers(2, 4), st.sampled_from(sorted(HOWS)), st.data())
@SEEDED
def test_the_best_pairs_are_those_of_the_double_loop(crowd, n, many, how, data):
    vectors, codes, generator = crowd
    count, options = len(vectors), {}
    if count and data.draw(st.booleans(), "exclude"):
        pairs = generator.integers(0, count, (data.draw(st.sampled_from([3, 60])), 2))
        options["exclude"] = pairs[pairs[:, 0] != pairs[:, 1]]
    if count and data.draw(st.booleans(), "exclude_groups"):
        options["exclude_groups"] = generator.integers(0, codes.max() + 1, (2, 2))
    if data.draw(st.booleans(), "ceilings"):
        options["ceilings"] = generator.choice([-1.0, 0.0, 0.7, 1.0, 2.0, np.inf], count)
    if data.draw(st.booleans(), "active"):
        options["active"] = generator.random(count) < 0.8
    if data.draw(st.booleans(), "min_score"):
        options["min_score"] = data.draw(st.sampled_from([-1.0, 0.0, 1.0]))
    if data.draw(st.booleans(), "max_score"):
        options["max_score"] = data.draw(st.sampled_from([1.0, 2.0, 3.0]))
    named = HOWS[how] | {"tile": data.draw(st.integers(1, 9)), "threads": 2}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equal, "MANY", many)
        patch.setattr(groups.Grouped, "least", data.draw(st.sampled_from([1, 2**14])))
        found = join.top_pairs(vectors, codes, n, how=join.SearchOptions(**named), **options)
    assert listed(found) == oracle.top_pairs(vectors, codes, n, **options)
    alone = join.top_pairs(vectors, codes, n, how=join.SearchOptions(**named), **options)
    assert found.scores.tobytes() == alone.scores.tobytes()


@given(crowds(), st.integers(1, 80), st.integers(2, 4), st.booleans())
@SEEDED
def test_within_groups_too(crowd, n, many, limited):
    vectors, codes, generator = crowd
    options = {}
    if limited and len(vectors):
        pairs = generator.integers(0, len(vectors), (20, 2))
        options["exclude"] = pairs[pairs[:, 0] != pairs[:, 1]]
        options["min_score"], options["max_score"] = -1.0, 3.0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equal, "MANY", many)
        lowest = join.bottom_pairs(vectors, codes, n, **options)
        best = join.best_of_group(vectors, codes)
    assert listed(lowest) == oracle.bottom_pairs(vectors, codes, n, **options)
    assert not (np.signbit(lowest.scores) & (lowest.scores == 0)).any()
    assert best.tolist() == oracle.best_of_group(vectors, codes)


@given(crowds(), st.integers(1, 30), st.integers(2, 4), st.sampled_from([1, 2**21]))
@SEEDED
def test_neighbours_too(crowd, k, many, fetched):
    vectors, _, _ = crowd
    queries = np.concatenate([vectors[:3], np.ones((1, vectors.shape[1]), np.float32)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(equal, "MANY", many)
        index = FlatIndex(vectors)
        index.fetched = fetched
        found = index.search(queries, k)
    for query, rows, scores in zip(queries, found.rows, found.scores, strict=True):
        assert list(zip(rows.tolist(), scores.tolist(), strict=True)) == oracle.search(
            vectors, query, k
        )


@pytest.mark.parametrize("scale", [1.0, 1e25])  # 1e25: for which only float64 will do
@pytest.mark.parametrize("kinds", [1, 3])
def test_more_than_a_block_of_equal_rows(kinds, scale):
    """Against the order that the ties have: as many as are asked for, by (i, j)."""
    count, n = 3000, 4000
    rows = np.eye(8, dtype=np.float32)[:kinds] * np.float32(scale)
    vectors, codes = rows[np.arange(count) % kinds], np.arange(count) // 7
    found = join.top_pairs(vectors, codes, n)
    i, j = np.triu_indices(60, 1, count)
    kept = (i % kinds == j % kinds) & (codes[i] != codes[j])
    assert found.i.tolist() == i[kept][:n].tolist()
    assert found.j.tolist() == j[kept][:n].tolist()
    assert set(found.scores.tolist()) == {float(np.float32(scale)) ** 2}
    again = join.top_pairs(vectors, codes, n, how=join.SearchOptions(threads=1, precision="bf16"))
    assert again.j.tobytes() == found.j.tobytes()


def test_few_of_many_equal_rows_are_scored(monkeypatch):
    seen, sift = [], Best.sift
    monkeypatch.setattr(
        Best, "sift", lambda self, i, *rest: seen.append(len(i)) or sift(self, i, *rest)
    )
    vectors = np.eye(6, dtype=np.float32)[np.arange(6000) % 6]
    assert len(join.top_pairs(vectors, np.arange(6000), 50_000)) == 50_000
    assert len(join.bottom_pairs(vectors, np.arange(6000) % 2, 50_000)) == 50_000
    assert sum(seen) < 100


def test_classes_are_searched_deeper_where_the_first_hold_no_pair():
    """Every pair of the two classes that are most alike is excluded."""
    vectors = np.array([[3, 0], [2, 0], [1, 0]], np.float32)[np.arange(60) % 3]
    i, j = np.triu_indices(60, 1)
    out = vectors[i, 0] * vectors[j, 0] > 2
    excluded = np.column_stack([i[out], j[out]])
    asked, classes = [], equal_rows(vectors, np.arange(60))
    assert classes is not None
    rules = PairConstraints(np.arange(60), excluded=pair_keys(excluded, 60, "exclude"))

    def search(rules, rows, n):
        asked.append(n)
        best = oracle.top_pairs(vectors[rows], rules.groups[rows], n)
        found = [(rows[a], rows[b], s) for a, b, s in best]
        return tuple(np.array(part) for part in zip(*found, strict=True))

    found = Grouped(vectors, 1, rules, classes).best(search)
    assert asked == [1, 4]
    assert [part.tolist() for part in found] == [[1], [2], [2.0]]


@pytest.mark.parametrize("collide", [False, True])
def test_classes_are_the_sets_of_equal_rows(collide):
    """Also where rows that differ have the same key."""

    def keys_of(words, rows):
        return np.zeros(len(rows), np.uint64) if collide else equal.row_keys(words, rows)

    generator = np.random.default_rng(3)
    kinds = generator.integers(-1, 2, (5, 33)).astype(np.float32)
    kinds[1, :32] = kinds[0, :32]  # they differ in the last value alone
    kinds[1, 32] = kinds[0, 32] + 1
    which = generator.permutation(np.repeat(np.arange(5), [40, 16, 15, 100, 16]))
    groups = generator.integers(0, 2, which.size)
    rows = np.flatnonzero(generator.random(which.size) < 0.9)
    for codes in (None, groups):
        keys = which if codes is None else which * 2 + groups
        truth = {tuple(rows[keys[rows] == key]) for key in set(keys.tolist())}
        truth = {members for members in truth if len(members) >= equal.MANY}
        classes = equal_rows(kinds[which], rows, codes, keys_of=keys_of)
        assert classes is not None
        assert {tuple(classes.with_row(row)) for row in classes.first.tolist()} == truth
        hidden = {row for members in truth for row in members[1:]}
        assert classes.standing.tolist() == [row for row in rows.tolist() if row not in hidden]


def test_no_classes_where_nothing_is_equal():
    vectors = np.random.default_rng(4).standard_normal((100, 12)).astype(np.float32)
    vectors[:, :10] = 0
    assert equal_rows(vectors, np.arange(100)) is None
    vectors[: equal.MANY - 1] = vectors[0]
    assert equal_rows(vectors, np.arange(100)) is None
    assert equal_rows(vectors[:0], np.arange(0)) is None


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_an_interrupted_search_goes_on(precision, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FIRST", 0.0)
    monkeypatch.setattr(checkpoint, "PERIOD", 0.0)
    generator = np.random.default_rng(5)
    vectors = generator.standard_normal((100, 8)).astype(np.float32)
    vectors[40:] = vectors[3]
    codes, path = np.arange(100) // 2, tmp_path / "found.npz"
    how = join.SearchOptions(tile=8, threads=1, precision=precision)
    truth = oracle.top_pairs(vectors, codes, 2000)
    reports = []

    def stop(*at):
        reports.append(at)
        if len(reports) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        join.top_pairs(vectors, codes, 2000, how=how, checkpoint=path, progress=stop)
    assert path.exists()
    reports.clear()
    found = join.top_pairs(
        vectors, codes, 2000, how=how, checkpoint=path, progress=lambda *at: reports.append(at)
    )
    assert listed(found) == truth
    assert reports[0][0] > 0
    assert [done for done, _ in reports] == sorted(done for done, _ in reports)
    assert reports[-1] == (100 * 99 // 2, 100 * 99 // 2)
    assert not path.exists()
