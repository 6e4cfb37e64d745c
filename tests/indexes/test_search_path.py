"""The path that is told is the one that a search takes."""

from __future__ import annotations

import logging

import numpy as np

from indexes import FlatIndex
from indexes.join import SearchOptions
from indexes.join.search_path import search_paths


def test_a_search_takes_the_path_that_is_told(caplog):
    """Of a precision that is asked for, since by the clock another one may be chosen next time."""
    first, *others = search_paths(64)
    assert first.device == "cpu"
    assert all(one.device.startswith("cuda:") for one in others)
    vectors = np.random.default_rng(0).standard_normal((400, 64)).astype(np.float32)
    with caplog.at_level(logging.INFO, "indexes.join.search"):
        how = SearchOptions(device="cpu", precision=first.precision)
        FlatIndex(vectors).top_pairs(10, np.arange(400), how=how)
    family = first.first.partition(" ")[0]
    assert f"400 vectors of 64 by {family}" in caplog.text


def test_a_choice_has_its_reason():
    for one in search_paths(96):
        assert one.reason
        assert one.first.startswith(
            {"fp32": "float32", "bf16": "bfloat16", "int8": "int8"}.get(one.precision, "bfloat16")
        )
