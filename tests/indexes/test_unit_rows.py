"""Cosines of rows that are not of unit norm, and which metric an index says it searches by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support import oracle
from support.oracle import as_bytes, listed

from indexes import FlatIndex, IndexesError, Neighbours, TopPairs, TwoSets
from indexes.unit_rows import unit_rows


def rows(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    found = (rng.standard_normal((count, 6)) * rng.uniform(1e-3, 1e3, (count, 1))).astype("f4")
    found.setflags(write=False)
    return found


@pytest.mark.parametrize("scale", [1e-40, 1e-300, 1.0, 1e30, 1e300])
def test_unit_norm_whatever_the_size(scale: float) -> None:
    given = np.array([[3.0, 4.0], [-5.0, 12.0]])
    expected = np.array([[0.6, 0.8], [-5 / 13, 12 / 13]], np.float32)
    np.testing.assert_allclose(unit_rows(given * scale), expected, rtol=1e-7)


def test_parts_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = unit_rows(rows(50))
    monkeypatch.setattr("indexes.unit_rows.PART", 18)
    assert unit_rows(rows(50)).tobytes() == whole.tobytes()
    bad = rows(50).copy()
    bad[[41, 44]] = 0
    with pytest.raises(IndexesError, match="noughts in row 41:"):
        unit_rows(bad)


def test_flat_index_by_cosine() -> None:
    given, groups = rows(40), np.arange(40) % 7
    index, unit = FlatIndex(given, metric="cosine"), unit_rows(given)
    assert listed(index.top_pairs(100, groups)) == oracle.top_pairs(unit, groups, 100)
    queries = rows(3, seed=1)
    near = index.search(queries, 5)
    for at, query in enumerate(unit_rows(queries)):
        expected = oracle.search(unit, query, 5)
        assert list(zip(near.rows[at].tolist(), near.scores[at].tolist(), strict=True)) == expected
    with pytest.raises(IndexesError, match="queries of nothing but noughts in row 0"):
        index.search(np.zeros((1, 6)), 1)


def test_two_sets_by_cosine() -> None:
    left, right = rows(20), rows(30, seed=1)
    groups = np.arange(20) % 5, np.arange(30) % 5
    truth = oracle.pairs_between(unit_rows(left), unit_rows(right), groups, 90)
    for first in (left, FlatIndex(left), FlatIndex(left, "cosine")):
        both = TwoSets(first, right, metric="cosine")
        assert listed(both.top_pairs(90, groups)) == truth
    with pytest.raises(IndexesError, match="metric 'cosine' in a search by 'inner_product'"):
        TwoSets(FlatIndex(left, "cosine"), right)
    with pytest.raises(IndexesError, match="second set of nothing but noughts in row 0"):
        TwoSets(left, np.zeros((1, 6)), metric="cosine")


def test_inner_product_takes_rows_as_they_are() -> None:
    given = rows(10)
    assert FlatIndex(given).vectors is given
    assert len(FlatIndex([[0.0, 0.0]])) == 1


def test_saved_index_keeps_its_metric(tmp_path: Path) -> None:
    pytest.importorskip("faiss")
    given, groups = rows(30), np.arange(30) % 4
    for metric in ("cosine", "inner_product"):
        index = FlatIndex(given, metric)  # type: ignore[arg-type]
        found = FlatIndex.load(index.save(tmp_path / f"{metric}.faiss"))
        assert repr(found) == repr(index)
        assert as_bytes(found.top_pairs(50, groups)) == as_bytes(index.top_pairs(50, groups))
        queries = rows(2, seed=2)
        assert found.search(queries, 3).scores.tolist() == index.search(queries, 3).scores.tolist()
    sidecar = tmp_path / "cosine.json"
    sidecar.write_text(sidecar.read_text().replace('"cosine"', '"distance"'))
    with pytest.raises(IndexesError, match=r"cosine\.json: similarity is no metric 'distance'"):
        FlatIndex.load(tmp_path / "cosine.faiss")


def test_unknown_metric_is_refused() -> None:
    for make in (lambda: FlatIndex([[1]], "l2"), lambda: TwoSets([[1]], [[1]], "l2")):  # type: ignore[arg-type]
        with pytest.raises(IndexesError, match="metric 'l2'; expected inner_product or cosine"):
            make()


def test_short_words_of_answers() -> None:
    assert repr(FlatIndex(rows(12))) == (
        "FlatIndex(12 vectors of 6 dimensions, metric='inner_product')"
    )
    assert repr(TwoSets(rows(12), rows(3), "cosine")) == (
        "TwoSets(12 and 3 vectors of 6 dimensions, metric='cosine')"
    )
    index = FlatIndex([[1, 0], [0.5, 0], [0, 1]])
    best = index.top_pairs(9, [0, 1, 1])
    assert repr(best) == "TopPairs(2 pairs, scores 0.5 to 0, exact)"
    assert repr(index.bottom_pairs(9, [0, 1, 1])) == "BottomPairs(1 pair, scores 0 to 0)"
    assert repr(index.top_pairs(9, [0, 0, 0])) == "TopPairs(0 pairs, exact)"
    part = TopPairs(best.i, best.j, best.scores, exact=False, recall=0.25)
    assert repr(part) == "TopPairs(2 pairs, scores 0.5 to 0, approximate, recall 0.25)"
    between = TwoSets([[1, 0]], [[2, 0]]).top_pairs(1, ([0], [1]))
    assert repr(between) == "PairsBetween(1 pair, scores 2 to 2)"


def test_answers_as_tables() -> None:
    best = FlatIndex([[1, 0], [0.5, 0], [0, 1]]).top_pairs(9, [0, 1, 1])
    assert best.to_frame().to_dict("list") == {
        "row_a": [0, 0],
        "row_b": [1, 2],
        "score": [0.5, 0.0],
    }
    near = Neighbours(np.array([[2, 0], [1, -1]]), np.array([[0.9, 0.5], [0.7, -np.inf]]), False)
    assert repr(near) == "Neighbours(2 queries, 2 rows each, approximate)"
    assert near.to_frame().to_dict("list") == {
        "query": [0, 0, 1],
        "rank": [1, 2, 1],
        "row": [2, 0, 1],
        "score": [0.9, 0.5, 0.7],
    }
