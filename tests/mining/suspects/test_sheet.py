"""Choice of the suspects that are drawn: one of every two identities before a second."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mining.commands.suspects import SHOWN, choose_shown
from pairsets import PairSet


def _pairs(*names: str) -> PairSet:
    """Negatives of two identities each, one letter an identity."""
    sides = [[f"{name[at]}/{row}.png" for row, name in enumerate(names)] for at in (0, 1)]
    return PairSet.of(*sides, np.zeros(len(names), int))


def test_those_of_two_identities_stand_side_by_side() -> None:
    pairs = _pairs("ab", "cd", "ba", "ef", "ab")
    shown, told = choose_shown(pairs, [4, 1, 0, 3, 2])
    assert shown == [4, 0, 2, 1, 3]
    assert told == {
        **dict.fromkeys((4, 0, 2), "a and b: 3 pairs"),
        1: "c and d",
        3: "e and f",
    }


@pytest.mark.parametrize("seed", range(20))
def test_one_of_each_comes_before_a_second(seed: int) -> None:
    dice = np.random.default_rng(seed)
    names = ["".join(two) for two in dice.choice(list("abcde"), (40, 2)) if two[0] != two[1]]
    pairs = _pairs(*names)
    rows = dice.permutation(len(names)).tolist()
    shown, told = choose_shown(pairs, rows)
    assert len(shown) == len({*shown}) == min(SHOWN, len(rows))
    of = ["".join(sorted(name)) for name in names]
    drawn, there = Counter(of[row] for row in shown), Counter(of)
    # No two identities have another pair while some are left that have fewer.
    for one, count in drawn.items():
        assert all(drawn[other] >= min(count - 1, there[other]) for other in there)
        firsts = [row for row in rows if of[row] == one][:count]
        assert [row for row in shown if of[row] == one] == firsts
        end = "" if count == there[one] else f", {count} here"
        title = f"{one[0]} and {one[1]}" + (f": {there[one]} pairs{end}" if there[one] > 1 else "")
        assert {told[row] for row in firsts} == {title}
    runs = [of[row] for at, row in enumerate(shown) if not at or of[row] != of[shown[at - 1]]]
    assert len(runs) == len({*runs})
