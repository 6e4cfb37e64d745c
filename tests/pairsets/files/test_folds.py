"""Folds of a pair set: kept by pair, not by row; anything that does not fit is told."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets import PairSet, PairSetError
from pairsets.files.folds import Folds
from pairsets.files.side_files import folds_of

PAIRS = PairSet.of(
    ["a/1.png", "a/1.png", "b, c/1.png", "d/1.png"],
    ["a/2.png", "b, c/1.png", "b, c/2.png", "é/1.png"],
    [1, 0, 1, 0],
)
FOLDS = Folds(np.array([1, 2, 2, 1]))


def test_folds_come_back_whatever_the_order_of_rows_and_faces(tmp_path):
    path = FOLDS.write(tmp_path / "set.folds.csv", PAIRS)
    header, *rows = path.read_text("utf-8").splitlines()
    assert header == "pathA,pathB,fold"
    assert rows[1] == 'a/1.png,"b, c/1.png",2'
    assert Folds.read(path, PAIRS).numbers.tolist() == [1, 2, 2, 1]
    shuffled = PAIRS.take(np.array([2, 0, 3, 1]))
    turned = PairSet.of(shuffled.path_b, shuffled.path_a, shuffled.label)
    assert Folds.read(path, turned).numbers.tolist() == [2, 1, 1, 2]
    assert len(FOLDS) == 2


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([0, 1], "fold 0"),
        ([1, 3], "no pair in fold 2"),
        # A range up to there would not fit into memory.
        ([1, 2**31 - 1], "no pair in fold 2"),
        ([], "shape"),
        ([[1]], "shape"),
    ],
)
def test_numbers_run_from_one_without_a_gap(numbers, told):
    with pytest.raises(PairSetError, match=told):
        Folds(np.array(numbers, np.int32))


ROWS = [
    "a/1.png,a/2.png,1",
    'a/1.png,"b, c/1.png",2',
    '"b, c/1.png","b, c/2.png",2',
    "d/1.png,é/1.png,1",
]


@pytest.mark.parametrize(
    ("header", "rows", "told"),
    [
        ("pathA,pathB", ROWS, "line 1: expected the header"),
        ("pathA,pathB,fold", [], "no fold for 4 of 4 pairs"),
        ("pathA,pathB,fold", ROWS[:3], "no fold for 1 of 4 pairs, the first 'd/1.png'"),
        ("pathA,pathB,fold", [*ROWS, "x/1.png,y/1.png,1"], "line 6: 'x/1.png' and 'y/1.png' are"),
        ("pathA,pathB,fold", [*ROWS, "a/2.png,a/1.png,1"], "line 6: .* have a fold already"),
        ("pathA,pathB,fold", ["a/1.png,a/2.png,0", *ROWS[1:]], "line 2: fold '0'"),
        ("pathA,pathB,fold", ["a/1.png,a/2.png,²", *ROWS[1:]], "line 2: fold '²'"),
        ("pathA,pathB,fold", ["a/1.png,a/2.png", *ROWS[1:]], "line 2: 2 values"),
        ("pathA,pathB,fold", [r.replace(",2", ",3") for r in ROWS], "no pair in fold 2"),
        ("pathA,pathB,fold", ['a/1.png,"a/2.png,1'], "line 2: not CSV"),
    ],
)
def test_a_file_that_does_not_fit_is_one_clear_error(tmp_path, header, rows, told):
    path = tmp_path / "set.folds.csv"
    path.write_text("\n".join([header, *rows]) + "\n", "utf-8")
    with pytest.raises(PairSetError, match=told) as caught:
        Folds.read(path, PAIRS)
    assert str(path) in str(caught.value)


def test_folds_lie_beside_their_pairs(tmp_path):
    assert folds_of(tmp_path / "x.y.csv") == tmp_path / "x.y.folds.csv"
