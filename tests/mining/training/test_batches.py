"""Batches: m pictures an identity, from the seed and the step alone; hard ones of what is hard."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.training import hard, small

from mining.errors import TrainingError
from mining.training.batches import BatchPlan, Hardness

# 9 identities of several pictures, 5 of one.
SIZES = [2, 3, 4, 5, 6, 2, 3, 7, 2, 1, 1, 1, 1, 1]
GROUPS = np.repeat(np.arange(len(SIZES)), SIZES)
GROUPS = GROUPS[np.random.default_rng(4).permutation(len(GROUPS))]


def plan(seed: int = 0, m: int = 2, batch_size: int = 8, name: str = "none") -> BatchPlan:
    config = (
        small(m=m, batch_size=batch_size, images_per_epoch=64) if name == "none" else hard(name)
    )
    return BatchPlan(GROUPS, config, seed)


def test_a_batch_has_m_pictures_of_each_identity() -> None:
    batches = plan(m=3, batch_size=12)
    for step in range(60):
        rows = batches.rows(step)
        assert rows.shape == (12,)
        counts = Counter(GROUPS[rows].tolist())
        for identity, count in counts.items():
            # An identity of one picture stands once, beside others of one picture.
            assert count == (1 if SIZES[identity] == 1 else 3)
        whole = [identity for identity in counts if SIZES[identity] >= 3]
        for identity in whole:
            mine = rows[GROUPS[rows] == identity]
            assert len({*mine.tolist()}) == 3
        blocks = GROUPS[rows].reshape(-1, 3)
        assert all(len({*block}) == 1 or all(SIZES[one] == 1 for one in block) for block in blocks)


def test_the_batch_of_a_step_does_not_depend_on_what_came_before() -> None:
    one, other = plan(3), plan(3)
    backwards = {step: other.rows(step) for step in range(30, -1, -1)}
    for step in range(31):
        np.testing.assert_array_equal(one.rows(step), backwards[step])
    assert any((one.rows(step) != plan(4).rows(step)).any() for step in range(3))


def test_none_is_left_out_for_long() -> None:
    batches = plan()
    # 9 identities and 2 units of lone faces, four a batch: a pass takes two batches.
    seen = Counter(
        unit for step in range(110) for unit in {*batches.unit_of[batches.rows(step)].tolist()}
    )
    assert set(seen) == set(range(11))
    assert min(seen.values()) > 25
    assert max(seen.values()) < 55


def test_lone_pictures_are_counted_and_never_positives() -> None:
    batches = plan()
    assert (batches.count_identities, batches.count_lone) == (9, 5)
    # Five, two at a time: one is left over.
    assert (batches.unit_of == -1).sum() == 1


@pytest.mark.parametrize(("m", "size"), [(2, 24), (4, 64)])
def test_too_few_identities_are_refused(m: int, size: int) -> None:
    with pytest.raises(TrainingError, match=r"9 identities with two .*5 with one.*--batch-size"):
        plan(m=m, batch_size=size)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9), st.integers(0, 2**31))
def test_a_neighbourhood_is_an_identity_with_its_neighbours(step: int, seed: int) -> None:
    batches = plan(seed, name="identities")
    rng = np.random.default_rng(seed)
    neighbours = np.array([rng.permutation(np.delete(np.arange(9), u))[:4] for u in range(9)])
    rows = batches.rows(step, Hardness(neighbours, np.empty((0, 2), np.int64)))
    units = batches.unit_of[rows].reshape(-1, 2)[:, 0]
    assert len({*units.tolist()}) == 4
    # Three of four are hard: the first, and two of its neighbours.
    assert batches.hard_units == 3
    assert {*units[1:3].tolist()} <= {*neighbours[units[0]].tolist()}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**9))
def test_small_neighbourhoods_stand_beside_one_another(step: int) -> None:
    batches = BatchPlan(GROUPS, hard("identities", group=2, share=1.0), 0)
    neighbours = np.array([[(unit + 1) % 9, (unit + 2) % 9, -1, -1] for unit in range(9)])
    rows = batches.rows(step, Hardness(neighbours, np.empty((0, 2), np.int64)))
    units = batches.unit_of[rows].reshape(-1, 2)[:, 0].tolist()
    assert len({*units}) == 4
    turns = batches.rows(step)  # never fails, whatever the step
    assert turns.shape == (8,)
    # An anchor and one of its two; the second anchor may be a neighbour of the first already.
    assert (units[1] - units[0]) % 9 in (1, 2)


def test_every_identity_has_its_neighbourhood() -> None:
    batches = plan(name="identities")
    neighbours = np.array([[(unit + 1) % 9, -1, -1, -1] for unit in range(9)])
    hardness = Hardness(neighbours, np.empty((0, 2), np.int64))
    firsts = [int(batches.unit_of[batches.rows(step, hardness)[0]]) for step in range(18)]
    assert Counter(firsts) == dict.fromkeys(range(9), 2)


def test_mined_pairs_stand_in_the_batch_with_others_of_their_identities() -> None:
    batches = plan(name="pairs")
    first = [rows[0] for rows in batches.units[:9]]
    pairs = np.array([(first[k], first[k + 1]) for k in range(8)])
    hardness = Hardness(np.empty((0, 0), np.int64), pairs)
    used: Counter[tuple[int, int]] = Counter()
    for step in range(32):
        rows = batches.rows(step, hardness)
        assert len({*batches.unit_of[rows].tolist()}) == 4
        (pair,) = [p for p in map(tuple, pairs.tolist()) if p == (rows[0], rows[2])]
        used[pair] += 1
        assert GROUPS[rows[0]] == GROUPS[rows[1]]
        assert rows[0] != rows[1]
    assert {*used.values()} == {4}


def test_nothing_mined_is_a_random_batch() -> None:
    batches = plan(name="pairs")
    for step in range(5):
        np.testing.assert_array_equal(batches.rows(step, Hardness.nothing()), batches.rows(step))
