from __future__ import annotations

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from pairsets.errors import ScoresError
from pairsets.evaluation.sequential_interval import sequential_bounds


def naive(errors: int, drawn: int, population: int) -> list[int]:
    """All numbers that are kept, by whole numbers alone."""
    return [
        number
        for number in range(errors, population - (drawn - errors) + 1)
        if Fraction(
            comb(number, errors) * comb(population - number, drawn - errors) * (drawn + 1),
            comb(population, drawn),
        )
        >= Fraction(1, 20)
    ]


def test_bounds_are_those_of_whole_numbers() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        population = int(generator.integers(1, 150))
        drawn = int(generator.integers(0, population + 1))
        errors = int(generator.integers(0, drawn + 1))
        kept = naive(errors, drawn, population)
        low, high = sequential_bounds(errors, drawn, population)
        assert kept == list(range(int(low), int(high) + 1))


def test_all_that_is_drawn_is_known() -> None:
    low, high = sequential_bounds([0, 7, 70_000], [0, 40, 1_000_000], [0, 40, 1_000_000])
    assert low.tolist() == high.tolist() == [0, 7, 70_000]


def test_what_is_unknown_widens_both_bounds() -> None:
    low, high = sequential_bounds([5, 8], [100, 100], [900, 900])
    assert low[0] <= low[1]
    assert high[0] <= high[1]


def test_all_intervals_of_a_sequence_hold_together() -> None:
    generator = np.random.default_rng(1)
    items = np.repeat([1, 0], [30, 270])
    lost = 0
    for _ in range(400):
        errors = np.cumsum(generator.permutation(items))
        low, high = sequential_bounds(errors, np.arange(1, 301), 300)
        lost += bool(((low > 30) | (high < 30)).any())
    assert 0 < lost <= 0.05 * 400


@pytest.mark.parametrize("wrong", [(-1, 5, 9), (6, 5, 9), (3, 10, 9)])
def test_impossible_numbers_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(ScoresError, match="expected 0 <= errors"):
        sequential_bounds(*wrong)
