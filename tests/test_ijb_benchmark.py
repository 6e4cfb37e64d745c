"""The list that `benchmarks/ijb.py` makes is one that IJB-C could have."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import ijb


def test_pairs_are_each_once_and_labelled_by_their_subjects() -> None:
    a, b, label = ijb.pairs_of(subjects=7, probes=40, genuine=38, impostor=200)
    owner = ijb.owners(subjects=7, probes=40)
    assert len({*zip(a.tolist(), b.tolist(), strict=True)}) == len(a) == 238
    assert a.max() == 7 < b.min()
    assert b.max() <= 47
    assert label.sum() == 38
    assert np.array_equal(owner[a - 1] == owner[b - 1], label == 1)


def test_more_pairs_than_there_are() -> None:
    with pytest.raises(ValueError, match="39 and 10 pairs of 3 subjects' 38 probes"):
        ijb.pairs_of(subjects=3, probes=38, genuine=39, impostor=10)
    with pytest.raises(ValueError, match="10 and 77 pairs"):
        ijb.pairs_of(subjects=3, probes=38, genuine=10, impostor=77)
