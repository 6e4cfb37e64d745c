"""Folds of identities: each is held out once, whole, whatever the order of its faces."""

from __future__ import annotations

import numpy as np
import pytest

from mining.errors import TrainingError
from mining.training.configuration import ValidationSettings
from mining.training.identity_folds import split_identities

NAMES = np.array([f"p{number % 11}" for number in range(40)], object)


def held(fold: int, seed: int = 0, names: np.ndarray = NAMES, folds: int = 4) -> set[str]:
    split = split_identities(names, ValidationSettings(folds=folds, fold=fold), seed)
    assert sorted([*split.training, *split.held_out]) == list(range(len(names)))
    assert not {*names[split.training]} & {*names[split.held_out]}
    return {*names[split.held_out]}


def test_folds_part_the_identities() -> None:
    folds = [held(fold) for fold in range(4)]
    assert sorted(map(len, folds)) == [2, 3, 3, 3]
    assert set.union(*folds) == {*NAMES}


def test_they_follow_from_the_seed_and_the_names_alone() -> None:
    shuffled = NAMES[np.random.default_rng(0).permutation(len(NAMES))]
    assert held(1) == held(1, names=shuffled)
    assert {frozenset(held(0, seed)) for seed in range(8)} != {frozenset(held(0))}


def test_few_identities_are_said_or_refused() -> None:
    split = split_identities(NAMES, ValidationSettings(folds=4), 0)
    assert "Only 3 of 11 identities" in split.notes[0]
    with pytest.raises(TrainingError, match=r"11 identities for 12 folds.*--validation-folds 5"):
        split_identities(NAMES, ValidationSettings(folds=12), 0)
    many = np.array([f"p{number}" for number in range(100)], object)
    assert split_identities(many, ValidationSettings(folds=5), 0).notes == ()
