"""Nearest impostors: the same as comparing every face with every query, ties and all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle

from mining import Embeddings
from mining.errors import RunError
from mining.miners import impostors
from mining.miners.impostors import Query, nearest_impostors
from pairsets import Faces


def embedded(vectors, identities, order=None):
    """Embeddings of faces named `<identity>/<row>`, in any order of the paths."""
    paths = [f"{identity}/{row:03}" for row, identity in enumerate(identities)]
    order = np.argsort(paths) if order is None else np.asarray(order)
    array = np.asarray(vectors, np.float32)[order]
    array.setflags(write=False)
    faces = Faces.of_paths(Path("faces"), [paths[at] for at in order])
    return Embeddings(faces, array, {"model": "timm:net@w/x.bin"}, Path("embeddings"))


def naive(space, query, count, per_identity):
    """(path, score, resembled face) of the impostors, and what a double loop knows besides."""
    paths, own = space.faces.paths, set(query.own.tolist())
    genuine = {}
    for q, row in enumerate(query.rows.tolist()):
        mine = [other for other in own if other != row]
        scores = [oracle.score(space.vectors[row], space.vectors[other]) for other in mine]
        if scores:
            genuine[q] = (max(scores), min(scores))
    found, above = [], 0
    for row in range(len(paths)):
        if row in own:
            continue
        scores = [oracle.score(vector, space.vectors[row]) for vector in query.vectors]
        best = max(scores)
        found.append((paths[row], best, scores.index(best), row))
        above += any(s > genuine[q][0] for q, s in enumerate(scores) if q in genuine)
    found.sort(key=lambda hit: (-hit[1], hit[0]))
    taken, have = [], {}
    for hit in found:
        name = hit[0].rpartition("/")[0]
        if per_identity is None or have.get(name, 0) < per_identity:
            have[name] = have.get(name, 0) + 1
            taken.append(hit)
    return SimpleNamespace(hits=taken[:count], above=above, genuine=genuine, candidates=len(found))


def check(space, query, count, per_identity):
    expected = naive(space, query, count, per_identity)
    found = nearest_impostors(query, space, count, per_identity)
    hits, genuine = expected.hits, expected.genuine
    assert found.paths.tolist() == [hit[0] for hit in hits]
    assert found.scores.tolist() == [hit[1] for hit in hits]
    assert found.resembles.tolist() == [query.faces[hit[2]] for hit in hits]
    assert found.identities.tolist() == [hit[0].rpartition("/")[0] for hit in hits]
    assert found.candidates == expected.candidates
    assert found.outscores.tolist() == [
        hit[2] in genuine and hit[1] > genuine[hit[2]][0] for hit in hits
    ]
    assert found.same_picture.tolist() == [
        np.array_equal(space.vectors[hit[3]], query.vectors[hit[2]]) for hit in hits
    ]
    if not genuine:
        assert (found.own_best, found.own_worst, found.outscoring) == (None, None, None)
        assert set(found.own_match) == {""}
        return found
    assert found.own_best == max(best for best, _ in genuine.values())
    assert found.own_worst == min(worst for _, worst in genuine.values())
    assert found.outscoring == expected.above
    for q, (best, _) in genuine.items():
        match = int(np.flatnonzero(space.faces.paths == found.own_match[q])[0])
        assert match in query.own
        assert match != query.rows[q]
        assert found.own_scores[q] == best
        assert oracle.score(space.vectors[match], space.vectors[query.rows[q]]) == best
    return found


@st.composite
def spaces(draw):
    """Few faces with vectors of small whole numbers: equal scores, duplicates, negative scores."""
    count = draw(st.integers(2, 16))
    size = draw(st.integers(1, 3))
    row = st.lists(st.integers(-2, 2), min_size=size, max_size=size)
    vectors = draw(st.lists(row, min_size=count, max_size=count))
    identities = draw(st.lists(st.sampled_from("abcd"), min_size=count, max_size=count))
    return embedded(vectors, identities, draw(st.permutations(range(count))))


@given(spaces(), st.data())
@settings(max_examples=300, deadline=None)
def test_equals_comparing_everything(space, data):
    count = data.draw(st.integers(1, 6))
    per_identity = data.draw(st.none() | st.integers(1, 3))
    row = data.draw(st.integers(0, len(space) - 1))
    identity = space.faces.identities[row]
    query = Query.of_face(space, row)
    if data.draw(st.booleans()):
        query = Query.of_identity(space, identity)
    elif data.draw(st.booleans()):
        own = sorted(data.draw(st.sets(st.integers(0, len(space) - 1), max_size=2)))
        vector = space.vectors[[row]]
        query = Query.of_file(
            "from/elsewhere.png", Path("from/elsewhere.png"), vector, np.array(own, np.int64)
        )
    # Nothing to spare, so that the first answer seldom settles it.
    with mock.patch.object(impostors, "_SPARE", 0), mock.patch.object(impostors, "_FETCHED", 3):
        if len(query.own) == len(space):
            with pytest.raises(RunError, match="no face of another identity among the"):
                nearest_impostors(query, space, count, per_identity)
        else:
            check(space, query, count, per_identity)


def test_a_crowd_of_duplicates_hides_nobody():
    """One identity fills the first 150 places, all of one score: the others come after it."""
    generator = np.random.default_rng(3)
    vectors = np.vstack([np.tile([3, 0, 0, 0], (150, 1)), generator.integers(-2, 3, (150, 4))])
    identities = ["crowd"] * 150 + [f"c{at:02}" for at in range(150)]
    vectors[-2:], identities[-2:] = [[3, 0, 0, 0], [0, 3, 0, 0]], ["me", "me"]
    space = embedded(vectors, identities, np.random.default_rng(4).permutation(300))
    row = int(np.flatnonzero(space.faces.paths == "me/298")[0])
    found = check(space, Query.of_face(space, row), 5, 1)
    assert found.paths[0] == "crowd/000"
    assert found.same_picture.tolist() == [True, False, False, False, False]
    assert "crowd" not in found.identities[1:]
    everyone = check(space, Query.of_face(space, row), 200, None)
    assert (everyone.identities == "crowd").sum() == 150
    assert everyone.outscoring > 150
    check(space, Query.of_identity(space, "me"), 10, 2)


def test_what_a_person_reads():
    space = embedded(
        [[1, 0], [0.5, 0], [0.25, 1], [0.75, 0], [1, 0], [0, 1]], ["a", "a", "a", "b", "c", "d"]
    )
    found = nearest_impostors(Query.of_face(space, 0), space, 3)
    assert found.header == ("rank", "score", "impostor", "identity", "")
    assert found.rows() == [
        ("1", "1.0000", "c/004", "c", "the same picture"),
        ("2", "0.7500", "b/003", "b", "above its own"),
        ("3", "0.0000", "d/005", "d", ""),
    ]
    assert found.notes() == [
        "its own: 0.5000 best, 0.2500 worst of 2 other faces",
        "2 of 3 faces of other identities outscore that best",
    ]
    whole = nearest_impostors(Query.of_identity(space, "a"), space, 1)
    assert whole.header[4] == "resembles"
    assert [row[2:5] for row in whole.rows()] == [("c/004", "c", "a/000")]
    assert whole.notes()[0] == "its own: 0.5000 best, 0.1250 worst of its 3 faces"
    alone = nearest_impostors(Query.of_face(space, 3), space, 1)
    assert alone.notes() == ["its own: no other face of its identity to compare with"]
    file = Query.of_file("x.png", Path("x.png"), space.vectors[[5]], np.array([5]))
    assert nearest_impostors(file, space, 1).notes() == [
        "x.png is a face that is embedded already, not listed: d/005",
        "its identity is unknown: 5 faces count",
    ]
    assert found.model == "timm:net"
