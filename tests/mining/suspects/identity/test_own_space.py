"""The space learnt of a set's own identities: nearer to its own, whatever hides it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from support.identities import embedded, people

from mining.suspects.identity.own_space import OwnSpace


def hidden_world(seed=0):
    """60 people of 6 pictures whose vectors vary most with what is no identity."""
    vectors, names = people(60, 6, seed=seed, noise=0.3)
    generator = np.random.default_rng(seed + 100)
    style = generator.normal(size=(len(vectors), 5)) @ generator.normal(size=(5, vectors.shape[1]))
    mixed = np.asarray(vectors, np.float64) + 0.3 * style
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    return embedded(mixed.astype(np.float32), names)


def nearest_is_own(vectors, codes):
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return float((codes[scores.argmax(axis=1)] == codes).mean())


def test_faces_are_nearer_to_their_own_in_it():
    world = hidden_world()
    codes = world.faces.groups
    own = OwnSpace.of(world).vectors(codes)
    assert own.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(own, axis=1), 1, atol=1e-6)
    before, after = nearest_is_own(np.asarray(world.vectors), codes), nearest_is_own(own, codes)
    assert after > before + 0.1


def test_shuffled_names_teach_it_nothing():
    """It is learnt of the names, not of the vectors alone."""
    world = hidden_world()
    codes = world.faces.groups
    wrong = np.random.default_rng(0).permutation(codes)
    own = OwnSpace.of(world).vectors(wrong)
    assert nearest_is_own(own, codes) < nearest_is_own(OwnSpace.of(world).vectors(codes), codes)


def test_it_does_not_hang_on_scale_or_mean():
    world = hidden_world()
    codes = world.faces.groups
    one = OwnSpace.of(world).vectors(codes)
    moved = np.asarray(world.vectors) * np.float32(4) + np.float32(0.5)
    moved.setflags(write=False)
    other = OwnSpace.of(replace(world, vectors=moved)).vectors(codes)
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=2e-4)


def test_sets_that_cannot_teach_it():
    # One face each; and too few faces beyond the first.
    vectors, names = people(300, 1)
    world = embedded(vectors, names)
    assert OwnSpace.of(world).vectors(world.faces.groups) is None
    vectors, names = people(40, 4)
    small = embedded(vectors, names)
    assert OwnSpace.of(small).vectors(small.faces.groups) is None
    # Vectors that are all one.
    same = np.ones((400, 8), np.float32) / np.float32(8**0.5)
    assert OwnSpace.of(embedded(same, [f"p{row // 4}" for row in range(400)])) is None
