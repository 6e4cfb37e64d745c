"""Faces in the wrong folder are found, faces that are merely unlike their folder are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.identities import all_pairs, embedded, people, refuses_to_depend_on_company

from mining.suspects.mislabels import Mislabelled
from pairsets import PairSet
from pairsets.errors import FacesError

MOVED = {7: "p020", 33: "p002", 100: "p030"}


def moved_world(model="pixels", *, seed=0, moved=MOVED, noise=0.5, each=5):
    """40 people; some pictures lie in another's folder. Returns their paths there too."""
    vectors, names = people(40, each, seed=seed, noise=noise)
    for row, name in moved.items():
        names[row] = name
    world = embedded(vectors, names, model)
    return world, {f"{name}/{row:04}" for row, name in moved.items()}


def suspected(check, world):
    scores, reasons = check.of_faces(world.faces.paths.tolist())
    assert [bool(reason) for reason in reasons] == (scores >= 0.5).tolist()
    return set(world.faces.paths[scores >= 0.5]), dict(zip(world.faces.paths, reasons, strict=True))


def test_exactly_the_moved_faces_are_found():
    world, wrong = moved_world()
    found, reasons = suspected(Mislabelled([world]), world)
    assert found == wrong
    # Row 7 is a picture of p001.
    assert reasons["p020/0007"].startswith(
        "p020/0007: as near to p001 as its own faces are, and far from those of p020 (0."
    )


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_flags_do_not_change_with_the_length_of_vectors(scale):
    """Characters of few, near faces too, where rounding would show."""
    world, wrong = moved_world(noise=0.55)
    array = world.vectors * np.float32(scale)
    array.setflags(write=False)
    scaled = replace(world, vectors=array)
    plain, _ = Mislabelled([world]).of_faces(world.faces.paths.tolist())
    scores, _ = Mislabelled([scaled]).of_faces(world.faces.paths.tolist())
    assert suspected(Mislabelled([scaled]), scaled)[0] == suspected(Mislabelled([world]), world)[0]
    assert suspected(Mislabelled([scaled]), scaled)[0] & wrong
    np.testing.assert_allclose(scores, plain, atol=2e-5)


def test_nothing_is_found_where_nothing_was_moved():
    world, _ = moved_world(moved={})
    assert suspected(Mislabelled([world]), world)[0] == set()


def test_a_pair_is_as_bad_as_its_worse_face():
    world, wrong = moved_world()
    pairs = all_pairs(world)
    check = Mislabelled([world])
    found = check(pairs)
    scores = dict(
        zip(world.faces.paths, check.of_faces(world.faces.paths.tolist())[0], strict=True)
    )
    for row in range(0, len(pairs), 97):
        a, b = pairs.path_a[row], pairs.path_b[row]
        assert found.score[row] == max(scores[a], scores[b])
    ends = [{a, b} & wrong for a, b in zip(pairs.path_a, pairs.path_b, strict=True)]
    assert found.flagged.tolist() == list(map(bool, ends))
    both = next(row for row, end in enumerate(ends) if len(end) == 2)
    assert found.reasons[both].count(": as near to ") == 2
    assert found.kind == "mislabel"
    refuses_to_depend_on_company(lambda: Mislabelled([world]), pairs)


def test_a_face_unlike_everybody_is_not_called_anothers():
    """Far from its own, nearer to some other, but not as near as that one's own faces."""
    vectors, names = people(40, 5)
    vectors = vectors.copy()
    odd = np.random.default_rng(4).normal(size=vectors.shape[1])
    vectors[7] = odd / np.linalg.norm(odd)
    world = embedded(vectors, names)
    groups = world.faces.groups
    means = np.stack([world.vectors[groups == code].mean(axis=0) for code in range(40)])
    row = world.faces.paths.tolist().index("p001/0007")
    own = world.vectors[row] @ world.vectors[groups == 1].sum(axis=0) - 1
    # The plain rule would call it mislabelled.
    assert (means @ world.vectors[row]).max() > own / 4
    assert suspected(Mislabelled([world]), world)[0] == set()


def test_of_two_faces_it_cannot_be_told_which_is_wrong():
    vectors, names = people(40, 5, noise=0.3)
    # p001 keeps two pictures of five, one of them p000's.
    keep = np.ones(len(names), bool)
    keep[[6, 7, 8, 9]] = False
    names[0] = "p001"
    world = embedded(vectors[keep], [name for name, yes in zip(names, keep, strict=True) if yes])
    found, reasons = suspected(Mislabelled([world]), world)
    assert found == {"p001/0000"}
    assert reasons["p001/0000"].endswith(
        ", but which of the two faces of p001 is wrong cannot be told"
    )


def test_a_face_alone_cannot_be_judged():
    vectors, names = people(40, 5)
    names[0] = "alone"
    world = embedded(vectors, names)
    scores, reasons = Mislabelled([world]).of_faces(["alone/0000", "p001/0005"])
    assert np.isnan(scores).tolist() == [True, False]
    assert reasons == ["", ""]
    pair = PairSet.of(["alone/0000"], ["p001/0005"], 0)
    # The other face still counts.
    assert Mislabelled([world])(pair).score.tolist() == [scores[1]]


def test_several_models_have_to_name_the_same_character():
    one, wrong = moved_world()
    other, _ = moved_world("timm:other", seed=3)
    found, reasons = suspected(Mislabelled([one, other]), one)
    assert found == wrong
    assert " for pixels, " in reasons["p020/0007"]
    assert " for timm:other)" in reasons["p020/0007"]
    # A third model takes the face for p009's: it is nearer to p009 than to p001.
    vectors, names = people(40, 5, seed=3, noise=0.5)
    vectors = vectors.copy()
    vectors[7] = vectors[45:50].mean(axis=0)
    for row, name in MOVED.items():
        names[row] = name
    misled = embedded(vectors, names, "timm:misled")
    assert "p020/0007" in suspected(Mislabelled([misled]), misled)[0]
    found, _ = suspected(Mislabelled([one, misled]), one)
    assert found == wrong - {"p020/0007"}


def test_no_model_may_find_it_nearer_to_its_own():
    """However sure the other is, and as near as the face is to the other identity too."""
    one, wrong = moved_world(noise=0.1)
    vectors, names = people(40, 5, seed=3, noise=0.1, unit=False)
    means = vectors.reshape(40, 5, -1).mean(axis=1)
    assert "p020/0007" in wrong
    vectors[7] = 1.1 * means[20] / np.linalg.norm(means[20]) * np.linalg.norm(means[1])
    vectors[7] += means[1]
    for row, name in MOVED.items():
        names[row] = name
    other = embedded(vectors, names, "timm:other")
    found, _ = suspected(Mislabelled([one, other]), one)
    assert found == wrong - {"p020/0007"}


def test_faces_of_two_who_look_the_same_are_not_mislabelled():
    """They are as near to either; half of them a little nearer to the other one."""
    vectors, names = people(40, 10)
    names[0:10:2] = ["twin"] * 5
    world = embedded(vectors, names)
    twin, other = (world.faces.identities == name for name in ("twin", "p000"))
    scores = np.asarray(world.vectors, np.float64) @ world.vectors.T
    own = (scores[np.ix_(twin, twin)].sum(axis=1) - 1) / 4
    assert (scores[np.ix_(twin, other)].mean(axis=1) > own).any()
    assert suspected(Mislabelled([world]), world)[0] == set()


def test_models_that_were_given_other_faces():
    """Identities are numbered otherwise, and some are missing: names count."""
    one, wrong = moved_world()
    vectors, names = people(40, 5, seed=3)
    for row, name in MOVED.items():
        names[row] = name
    more = np.vstack([vectors, people(3, 4, seed=8)[0]])
    other = embedded(more, names + [f"a{row // 4}" for row in range(12)], "timm:other")
    found, _ = suspected(Mislabelled([one, other]), one)
    assert found == wrong


def test_where_nobody_has_two_faces_nothing_is_said():
    vectors, names = people(8, 1)
    world = embedded(vectors, names)
    doubt = Mislabelled([world])(all_pairs(world))
    assert np.isnan(doubt.score).all()
    assert doubt.count == 0


def test_refusals():
    world, _ = moved_world()
    with pytest.raises(ValueError, match="no embeddings; expected those of one model or more"):
        Mislabelled([])
    with pytest.raises(FacesError, match="'x/1' is not among the 200 faces"):
        Mislabelled([world])(PairSet.of(["x/1"], ["p000/0000"], 0))


def test_progress_ends_with_all():
    world, _ = moved_world()
    told = []
    Mislabelled([world])(all_pairs(world), lambda done, total: told.append((done, total)))
    assert told[-1] == (200, 200)
