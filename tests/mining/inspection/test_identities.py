"""Identities held against their nearest, and vectors of other faces refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.identities import embedded, people

from mining.errors import EmbeddingError
from mining.inspection.identities import (
    alias_candidates,
    alias_findings,
    centres_of,
    embedded_rows,
    face_findings,
    identities_apart,
    refuse_strangers,
)
from pairsets import Faces, PairSetError
from pairsets.files.aliases import Aliases
from pairsets.files.cannot_links import CannotLinks
from pairsets.files.suspects import Doubt
from pairsets.progress import unheard


@pytest.fixture
def world():
    vectors, names = people(12, 3, seed=1)
    return embedded(vectors, names)


def test_centres_are_means_of_vectors(world):
    names, centres = centres_of(world)
    assert names == list(dict.fromkeys(world.faces.identities.tolist()))
    for name, centre in zip(names, centres, strict=True):
        own = world.vectors[world.faces.identities == name]
        np.testing.assert_allclose(centre, own.astype(np.float64).mean(axis=0), rtol=1e-6)


def test_candidates_are_each_ones_three_nearest(world):
    """Against a table of all products of the means."""
    names, centres = centres_of(world)
    scores = centres.astype(np.float64) @ centres.T.astype(np.float64)
    np.fill_diagonal(scores, -np.inf)
    expected = {
        tuple(sorted((names[row], names[column])))
        for row in range(len(names))
        for column in np.argsort(-scores[row], kind="stable")[:3]
    }
    assert set(alias_candidates([world], world.faces, Aliases())) == expected


def test_names_and_lists_make_candidates_without_vectors(tmp_path):
    paths = [f"{name}/1.png" for name in ("Ayanami-Rei", "asuka", "ayanami_rei", "soryu", "x", "y")]
    faces = Faces.of_paths(tmp_path, paths)
    aliases = Aliases.of([("asuka", "soryu"), ("soryu", "nobody"), ("nobody", "y")])
    assert alias_candidates([], faces, aliases) == [
        ("Ayanami-Rei", "ayanami_rei"),
        ("asuka", "soryu"),
        ("asuka", "y"),
        ("soryu", "y"),
    ]


class EveryOther:
    """Doubts every second pair, the later the more."""

    kind = "alias"

    def __call__(self, pairs, progress=unheard):
        flags = np.arange(len(pairs)) % 2 == 0
        score = np.where(flags, 0.5 + 0.4 * np.arange(len(pairs)) / len(pairs), 0.1)
        reasons = [f"{pairs.names(row)}" if flag else "" for row, flag in enumerate(flags)]
        return Doubt("alias", score, flags, tuple(reasons))


def test_aliases_are_told_by_name_the_surest_first(world):
    candidates = alias_candidates([world], world.faces, Aliases())
    found = alias_findings(EveryOther(), [world], world.faces, Aliases())
    assert [(n.identity, n.other) for one in found for n in one.notes] == candidates[::2][::-1]
    assert all(one.notes[0].suggestion == "ask" for one in found)


def test_faces_are_told_the_surest_first(world):
    faces = world.faces.take(np.arange(3))
    scores = np.array([0.6, 0.1, 0.9])
    found = face_findings("mislabel", scores, ["x", "", "y"], faces, ["p1", "", "p2"], act=True)
    assert [(one.notes[0].path, one.notes[0].other) for one in found] == [
        (faces.paths[2], "p2"),
        (faces.paths[0], "p1"),
    ]
    assert {one.notes[0].suggestion for one in found} == {"leave-out"}


def test_faces_without_a_vector_are_counted(world):
    paths = [*world.faces.paths, "p000/zzz"]
    faces = Faces.of_paths(world.faces.root, sorted(paths))
    assert refuse_strangers(world, faces) == 1
    assert len(embedded_rows([world], faces)) == len(world)
    assert faces.paths[embedded_rows([world, world], faces)].tolist() == world.faces.paths.tolist()


def test_vectors_of_faces_that_are_gone_are_refused(world):
    with pytest.raises(EmbeddingError, match="1 of its 36 faces are not in"):
        refuse_strangers(world, world.faces.take(np.arange(1, 36)))


def test_vectors_with_other_identities_are_refused(world):
    paths = world.faces.paths.tolist()
    faces = Faces.of_paths(world.faces.root, paths, identities=dict.fromkeys(paths, "one"))
    with pytest.raises(PairSetError, match="tell identities alike"):
        refuse_strangers(world, faces)


def test_who_cannot_be_one_is_not_asked_about(world):
    candidates = alias_candidates([world], world.faces, Aliases())
    apart = candidates[:-1]
    (found,) = alias_findings(EveryOther(), [world], world.faces, Aliases(), apart)
    assert tuple(found.names) == candidates[-1]


def test_faces_of_one_picture_tell_identities_apart(tmp_path):
    faces = Faces.of_paths(tmp_path, ["a/1", "a/2", "b/1", "c/1"])
    links = CannotLinks([("a/1", "b/1"), ("a/1", "a/2"), ("x/1", "c/1")], [], [Path("links.csv")])
    assert identities_apart(links, faces, Aliases()) == (frozenset({("a", "b")}), (1, 1))
    with pytest.raises(PairSetError, match="'a' and 'b' cannot be one identity by it"):
        identities_apart(links, faces, Aliases.of([("b", "a")]))
    with pytest.raises(PairSetError, match="none of its paths is of"):
        identities_apart(links, faces.take(np.array([], int)), Aliases())
