"""The quantiles of several references in the score file, beside the scores."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets import PairSet, ScoresError
from pairsets.files.score_files import quantile_columns, read_quantiles, read_scores, write_scores


@pytest.fixture
def pairs():
    return PairSet.of(["a/1", "a/2", "b/1", "b/2"], ["b/1", "c/1", "b/2", "c/2"], [0, 0, 1, 0])


@pytest.fixture
def path(pairs, tmp_path):
    rank = np.array([3, 1, 0, 2])
    own = quantile_columns(["A", "B"], np.array([[1.0, 0.5], [1 / 3, 1.0], [0.0, 0.25]]), rank)
    scores = {name: np.array([0.1, 0.2, 0.9, 0.3]) for name in ("A", "pixels", "B")}
    return write_scores(tmp_path / "s.csv", pairs, scores, rank, own)


def test_each_reference_has_its_own(path, pairs):
    lines = path.read_text().splitlines()
    assert lines[:4] == [
        "pathA,pathB,rank,score,model,quantile",
        "a/1,b/1,3,0.1,A,0.0",
        "a/2,c/1,1,0.2,A,1.0",
        "b/1,b/2,,0.9,A,",
    ]
    assert lines[5] == "a/1,b/1,3,0.1,pixels,"
    found = read_quantiles(path, pairs)
    assert list(found) == ["A", "B"]
    np.testing.assert_array_equal(found["A"], [0.0, 1.0, np.nan, 1 / 3])
    np.testing.assert_array_equal(found["B"], [0.25, 0.5, np.nan, 1.0])


def test_scores_are_read_as_ever(path, pairs):
    found = read_scores(path, pairs)
    assert list(found) == ["A", "pixels", "B"]
    assert found["pixels"].tolist() == [0.1, 0.2, 0.9, 0.3]


def test_files_of_one_reference_have_none(pairs, tmp_path):
    path = write_scores(tmp_path / "s.csv", pairs, {"A": np.zeros(4)})
    assert path.read_text().startswith("pathA,pathB,rank,score,model\na/1,b/1,,0.0,A\n")
    with pytest.raises(ScoresError, match="line 1: column quantile missing"):
        read_quantiles(path, pairs)


def test_an_empty_score_matters_to_scores_alone(pairs, tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("pathA,pathB,rank,score,model,quantile\na/1,b/1,1,,A,0.5\n")
    with pytest.raises(ScoresError, match="4 of 4 valid pairs have no score of A, the first a/1"):
        read_scores(path, pairs)
    assert np.isnan(read_scores(path, pairs, complete=False)["A"]).all()
    assert read_quantiles(path, pairs)["A"][0] == 0.5


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1.5", "a quantile of A outside 0 to 1"),
        ("-0.1", "a quantile of A outside 0 to 1"),
        ("high", "line 2: quantile is 'high', expected a number"),
        ("nan", "line 2: quantile is 'nan', expected a finite number"),
        ("1.0\nb/1,a/1,1,0.1,A,0.5", "line 3: a second quantile of a/1, b/1 for A"),
    ],
)
def test_values_that_are_no_quantiles_are_refused(pairs, tmp_path, cell, message):
    path = tmp_path / "s.csv"
    path.write_text(f"pathA,pathB,rank,score,model,quantile\na/1,b/1,1,0.1,A,{cell}\n")
    with pytest.raises(ScoresError, match=message):
        read_quantiles(path, pairs)
