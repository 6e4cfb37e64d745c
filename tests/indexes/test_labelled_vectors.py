"""Best pairs from plain arrays, lists, tensors and tables, against the double loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from support import oracle
from support.oracle import as_bytes, listed

from indexes import IndexesError, top_pairs
from indexes.join.options import SearchOptions
from indexes.unit_rows import unit_rows

NAMES = ["rei", "asuka", "mari", "rei", "asuka"]


def world(count: int = 60) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((count, 5)) * rng.uniform(0.01, 90, (count, 1))
    rows[7] = 2 * rows[3]  # ties, of one cosine
    return rows, [NAMES[at] for at in rng.integers(0, 5, count)]


def plain_unit(rows: np.ndarray) -> np.ndarray:
    """Rows divided by the roots of their sums of squares, one coordinate after the other."""
    found = []
    for row in rows.tolist():
        total = 0.0
        for value in row:
            total += value * value
        found.append([value / total**0.5 for value in row])
    return np.array(found, np.float64).astype(np.float32)


@pytest.mark.parametrize("metric", ["cosine", "inner_product"])
@pytest.mark.parametrize("n", [1, 40, 5000])
def test_equals_the_double_loop(metric: str, n: int) -> None:
    rows, names = world()
    searched = plain_unit(rows) if metric == "cosine" else rows.astype(np.float32)
    found = top_pairs(rows, names, n, metric)
    truth = oracle.top_pairs(searched, names, n)
    assert [(i, j) for i, j, _ in listed(found)] == [(i, j) for i, j, _ in truth]
    np.testing.assert_allclose(found.scores, [score for *_, score in truth], rtol=2e-7, atol=1e-8)
    assert found.label_a.tolist() == [names[i] for i, *_ in truth]
    assert found.label_b.tolist() == [names[j] for _, j, _ in truth]


def test_scores_are_those_of_the_unit_rows_to_the_last_bit() -> None:
    rows, names = world()
    assert listed(top_pairs(rows, names, 200)) == oracle.top_pairs(unit_rows(rows), names, 200)


def test_same_bytes_whatever_the_threads() -> None:
    rows, names = world(300)
    whole = as_bytes(top_pairs(rows, names, 500))
    for threads, tile in ((1, 64), (3, 7), (8, 32)):
        how = SearchOptions(tile=tile, threads=threads)
        assert as_bytes(top_pairs(rows, names, 500, how=how)) == whole


def test_every_kind_of_input_gives_one_answer() -> None:
    rows, names = world()
    rows = rows.astype(np.float32)
    rows.setflags(write=False)
    whole = top_pairs(rows, names, 50)
    frame = pd.DataFrame(rows, index=[f"face {row}" for row in range(60)])
    series = pd.Series(names, index=frame.index)
    for X, y in (  # noqa: N806
        (rows.tolist(), tuple(names)),
        (torch.tensor(rows, requires_grad=True), np.array(names)),
        (frame, series),
        (frame, names),
        (frame.astype("Float32"), series.astype("string")),
        (rows, series.astype("category")),
    ):
        found = top_pairs(X, y, 50)
        assert as_bytes(found) == as_bytes(whole)
        assert found.label_a.tolist() == whole.label_a.tolist()


def test_whole_numbers_are_labels() -> None:
    rows, names = world()
    numbers = [NAMES.index(name) * 10**12 for name in names]
    whole = as_bytes(top_pairs(rows, names, 50))
    for y in (numbers, np.array(numbers), torch.tensor(numbers), pd.Series(numbers, dtype="Int64")):
        assert as_bytes(top_pairs(rows, y, 50)) == whole


def test_bfloat16_tensors() -> None:
    rows, names = world()
    half = torch.tensor(rows).bfloat16()
    assert as_bytes(top_pairs(half, names, 50)) == as_bytes(
        top_pairs(half.float().numpy(), names, 50)
    )


def test_table_of_the_answer() -> None:
    frame = top_pairs([[2, 0], [8, 6], [0, 5]], [1, 2, 2], 5).to_frame()
    assert frame.columns.tolist() == ["row_a", "row_b", "label_a", "label_b", "score"]
    assert frame.iloc[:, :4].values.tolist() == [[0, 1, 1, 2], [0, 2, 1, 2]]
    assert frame["score"].round(6).tolist() == [0.8, 0.0]


@pytest.mark.parametrize(
    ("y", "told"),
    [
        (["a", None, "b"], "row 1 has no label"),
        (["a", float("nan"), "b"], "row 1 has no label"),
        (np.array([1.0, 2.0, np.nan]), "row 2 has no label"),
        (pd.Series(["a", pd.NA, "b"]), "row 1 has no label"),
        (pd.Series([1, 2, None], dtype="Int64"), "row 2 has no label"),
        (["1", 1, "2"], "row 1, 1, is a whole number where row 0 is a name"),
        ([1, "1", 2], "row 1, '1', is a name where row 0 is a whole number"),
        ([True, False, True], "row 0 is True"),
        (np.array([0.5, 1.5, 2.5]), "y of float64"),
        (["a", "b"], r"y of shape \(2,\) for 3 rows"),
        ([["a"], ["b"], ["c"]], r"row 0 is \['a'\]"),
        ("abc", "y of str"),
        (7, "y of int"),
    ],
)
def test_labels_that_are_none_are_refused(y: object, told: str) -> None:
    with pytest.raises(IndexesError, match=told):
        top_pairs(np.eye(3), y, 1)


@pytest.mark.parametrize(
    ("rows", "metric", "told"),
    [
        ([[1, 0], [0, 0], [0, 1]], "cosine", "noughts in row 1: no direction"),
        ([[1, 0], [0, 1], [0, np.nan]], "cosine", r"not finite \(nan or infinity\) in row 2"),
        ([[np.inf, 0], [0, 1], [0, 1]], "inner_product", "not finite .* in row 0"),
        ([[1, 0], [0, 1], [0]], "cosine", "rows of several lengths"),
        ([[1, 0], [0, 1], [1, 1]], "euclid", "metric 'euclid'; expected inner_product or cosine"),
        (pd.DataFrame({"x": [1, 2, 3], "who": list("abc")}), "cosine", "column 'who' of X is"),
        (pd.DataFrame({"x": [1, 2, None]}), "cosine", "not finite .* in row 2"),
    ],
)
def test_vectors_that_have_no_score_are_refused(rows: object, metric: str, told: str) -> None:
    with pytest.raises(IndexesError, match=told):
        top_pairs(rows, ["a", "b", "c"], 1, metric)  # type: ignore[arg-type]


def test_tables_of_different_indexes_are_refused() -> None:
    frame = pd.DataFrame(np.eye(3), index=[2, 1, 0])
    names = pd.Series(["a", "b", "c"])
    with pytest.raises(IndexesError, match=r"different indexes .* y\.loc\[X\.index\]"):
        top_pairs(frame, names, 1)
    assert len(top_pairs(frame, names.loc[frame.index], 9)) == 3
