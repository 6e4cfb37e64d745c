"""Pair sets as tables: there and back, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pairsets import PairSet
from pairsets.errors import PairSetError


@pytest.fixture
def pairs() -> PairSet:
    return PairSet.of(
        ["rei/1", "rei/1", "asuka/2"],
        ["rei/2", "asuka/1", "asuka/1"],
        [1, 0, 1],
        [1, -1, 0],
        [0, 0, 1],
    )


def equal(one: PairSet, other: PairSet) -> bool:
    columns = ("path_a", "path_b", "label", "human_prediction", "invalid", "identity_a")
    return all((getattr(one, name) == getattr(other, name)).all() for name in columns)


def test_there_and_back(pairs: PairSet) -> None:
    frame = pairs.to_frame()
    assert list(frame) == [
        "pathA", "pathB", "label", "human_prediction", "invalid", "identityA", "identityB",
    ]  # fmt: skip
    assert frame["identityB"].tolist() == ["rei", "asuka", "asuka"]
    found = PairSet.from_frame(frame)
    assert equal(found, pairs)
    assert found.identities is None


def test_identities_that_are_not_the_folders_stay(pairs: PairSet) -> None:
    named = pairs.with_identities({path: path.partition("/")[0].upper() for path in pairs.paths})
    found = PairSet.from_frame(named.to_frame())
    assert equal(found, named)
    assert found.identity("rei/1") == "REI"


def test_other_columns_and_the_index_are_not_looked_at(pairs: PairSet) -> None:
    frame = pairs.to_frame()[["label", "pathB", "pathA"]].assign(score=[0.1, 0.2, 0.3])
    frame.index = [7, 7, 9]
    found = PairSet.from_frame(frame)
    assert found.path_a.tolist() == pairs.path_a.tolist()
    assert found.human_prediction.tolist() == [-1, -1, -1]
    assert found.valid.all()


def test_labels_may_be_truth_values_or_whole_floats(pairs: PairSet) -> None:
    frame = pairs.to_frame()
    for values in ([True, False, True], [1.0, 0.0, 1.0], np.array([1, 0, 1], np.uint8)):
        assert PairSet.from_frame(frame.assign(label=values)).label.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.drop(columns="label"), "a table with no label; expected pathA"),
        (lambda frame: frame.drop(columns="identityA"), "identityB alone"),
        (lambda frame: frame.assign(label=[1, 2, 0]), "row 2: label is 2; expected 0 or 1"),
        (lambda frame: frame.assign(label=[1, None, 0]), "row 2: label is nan"),
        (lambda frame: frame.assign(label=["1", "0", "1"]), "row 1: label is '1'"),
        (lambda frame: frame.assign(human_prediction=5), "expected -1, 0 or 1"),
        (lambda frame: frame.assign(pathA=["a/1", None, "b/2"]), "row 2: pathA is "),
        (lambda frame: frame.assign(identityA=["x", "y", "z"]), "row 2: 'rei/1' is 'y', and 'x'"),
        (lambda frame: frame[["pathA", "label"]].assign(pathB=frame["pathA"]), "pair 1"),
        (lambda frame: pd.concat([frame, frame["label"]], axis=1), "label twice"),
        (lambda frame: frame["label"], "a Series; expected a pandas DataFrame"),
    ],
)
def test_what_is_no_table_of_pairs_is_refused(pairs: PairSet, change, match: str) -> None:
    with pytest.raises(PairSetError, match=match):
        PairSet.from_frame(change(pairs.to_frame()))


def test_repr_is_short(pairs: PairSet) -> None:
    assert repr(pairs) == ("PairSet(1 positives, 1 negatives of 4 faces, 1 judged, 1 more invalid)")
