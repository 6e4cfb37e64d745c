"""Faces that are near to nobody are found, and only where it can be told."""

from __future__ import annotations

import numpy as np
import pytest
from support.identities import embedded, people

from mining.inspection.outliers import find_outliers
from mining.suspects.identity.identities import Identities


def outliers(world, *others):
    models = [Identities(one) for one in (world, *others)]
    scores, reasons, nearest = find_outliers(models, world.faces.paths.tolist())
    assert [bool(reason) for reason in reasons] == (scores >= 0.5).tolist()
    assert len(nearest) == len(world)
    return set(world.faces.paths[scores >= 0.5])


def planted(each=4, rows=(5, 50), seed=0):
    """Faces that lack what all others have in common; and their paths."""
    vectors, names = people(30, each, seed=seed, noise=0.4)
    common = np.ones(len(names))
    common[[*rows]] = -1
    world = embedded(np.column_stack([vectors, common]) / np.sqrt(2), names)
    return world, {f"{names[row]}/{row:04}" for row in rows}


@pytest.mark.parametrize("seed", range(3))
def test_exactly_the_planted_faces_are_found(seed):
    world, wrong = planted(seed=seed)
    assert outliers(world) == wrong
    assert outliers(world, world) == wrong


def test_nothing_is_found_where_nothing_was_planted():
    assert outliers(planted(rows=())[0]) == set()


def test_of_two_pictures_nobody_can_say_which_is_odd():
    assert outliers(planted(each=2)[0]) == set()
    assert outliers(planted(each=1, rows=(5, 20))[0]) == set()


def test_a_face_of_another_identity_is_no_outlier():
    vectors, names = people(30, 4, seed=0, noise=0.4)
    names[7] = "p020"
    assert outliers(embedded(vectors, names)) == set()
