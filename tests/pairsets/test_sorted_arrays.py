"""Sorting in parts, by several threads, against Python's own."""

from __future__ import annotations

import numpy as np
import pytest

from pairsets import sorted_arrays
from pairsets.sorted_arrays import rising


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(sorted_arrays, "EACH", 4)


@pytest.mark.parametrize("threads", [None, 1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 100, 1001])
def test_rising_equals_sorted(count, threads):
    generator = np.random.default_rng(count)
    for values in (
        generator.integers(-(2**62), 2**62, count),
        generator.integers(-3, 4, count).astype(np.float64),
        np.where(generator.random(count) < 0.2, -np.inf, generator.normal(size=count)),
    ):
        before = values.tolist()
        values.setflags(write=False)
        found = rising(values, threads=threads)
        assert found.tolist() == sorted(before)
        assert found.dtype == values.dtype
        assert values.tolist() == before


def test_threads_are_no_more_than_the_values_are_worth(monkeypatch):
    started = []

    class Pool(sorted_arrays.ThreadPoolExecutor):
        def __init__(self, count):
            started.append(count)
            super().__init__(count)

    monkeypatch.setattr(sorted_arrays, "ThreadPoolExecutor", Pool)
    for count in (7, 8, 11, 12, 400):
        rising(np.arange(count)[::-1], threads=5)
    assert started == [2, 2, 3, 5]
