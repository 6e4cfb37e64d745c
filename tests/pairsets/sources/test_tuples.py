"""Tuples for training, against loops that follow the words of what they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets import PairSet
from pairsets.errors import FacesError, SourceError
from pairsets.faces import Faces
from pairsets.files.exclusions import Exclusions
from pairsets.pairset import pair_key
from pairsets.paths import strings
from pairsets.sources.tuples import Negatives, TupleOptions, tuples_of

FORMS = ("triplet", "n-tuple", "labeled-pair")


def folder(*sizes):
    """Faces a/0.jpg, a/1.jpg, ...: so many of identity a, of b and so on."""
    paths = [
        f"{chr(97 + at)}/{number}.jpg" for at, size in enumerate(sizes) for number in range(size)
    ]
    return Faces.of_paths(Path("faces"), paths)


def named(pairs):
    return Exclusions(strings(a for a, _ in pairs), strings(b for _, b in pairs))


def counts(made):
    return {row.what: row.count for row in made.funnel if row.count}


def identity(path):
    return path.partition("/")[0]


def world(seed):
    """Faces, mined pairs among them, their order, and pairs that are left out."""
    generator = np.random.default_rng(seed)
    faces = folder(*generator.integers(1, 5, 6).tolist())
    paths = list(faces.paths)
    both = [(a, b) for at, a in enumerate(paths) for b in paths[at + 1 :]]
    chosen = generator.permutation(len(both))[: generator.integers(8, 40)]
    picked = [both[row] for row in chosen.tolist()]
    pairs = PairSet.of(
        [a for a, _ in picked],
        [b for _, b in picked],
        [int(identity(a) == identity(b)) for a, b in picked],
        invalid=(generator.random(len(picked)) < 0.1).astype(int),
    )
    order = generator.permutation(len(picked))
    out = [both[row] for row in generator.permutation(len(both))[:10].tolist()]
    return faces, pairs, order, out


def directed(faces, pairs, order, out, cap):
    """Anchor and negative, the hardest first, as many of an anchor as may be."""
    used, found = {}, []
    for row in order.tolist():
        a, b = pairs.path_a[row], pairs.path_b[row]
        if pairs.label[row] or pairs.invalid[row] or pair_key(a, b) in out:
            continue
        for anchor, other in ((a, b), (b, a)):
            if cap is None or used.get(anchor, 0) < cap:
                used[anchor] = used.get(anchor, 0) + 1
                found.append((anchor, other))
    return found


def positives(faces, anchor, out):
    return {
        path
        for path in faces.paths
        if path != anchor
        and identity(path) == identity(anchor)
        and pair_key(path, anchor) not in out
    }


@given(seed=st.integers(0, 10**6), form=st.sampled_from(FORMS), cap=st.sampled_from([None, 1, 2]))
def test_rows_as_the_words_say(seed, form, cap):
    faces, pairs, order, listed = world(seed)
    out = {pair_key(*pair) for pair in listed}
    cap = None if form == "n-tuple" else cap
    options = TupleOptions(form, negatives=2, max_per_anchor=cap, seed=seed)
    wanted = directed(faces, pairs, order, out, 2 if form == "n-tuple" else cap)
    able = [(a, n) for a, n in wanted if positives(faces, a, out)]
    per_anchor = {a: [n for x, n in able if x == a] for a, _ in able}
    full = {a: some for a, some in per_anchor.items() if len(some) == 2}
    expected = {"triplet": able, "n-tuple": full, "labeled-pair": wanted}[form]
    negatives = Negatives(pairs, order, left_out={"excluded": named(listed)})
    if not expected:
        with pytest.raises(SourceError, match="no "):
            tuples_of(negatives, faces, options)
        return
    made = tuples_of(negatives, faces, options)
    if form == "triplet":
        assert made.names == ("anchor", "positive", "negative")
        assert [(a, n) for a, _, n in made.rows] == able
    elif form == "n-tuple":
        assert made.names == ("anchor", "positive", "negative_1", "negative_2")
        assert {a: list(some) for a, _, *some in made.rows} == full
        assert len(made.rows) == len(full)
    else:
        assert made.names == ("anchor", "positive", "label")
        zero = [pair_key(a, b) for a, b, label in made.rows if label == 0]
        assert zero == list(dict.fromkeys(pair_key(a, n) for a, n in wanted))
        one = [pair_key(a, b) for a, b, label in made.rows if label == 1]
        assert len({*one}) == len(one)
        assert made.rows == sorted(made.rows, key=lambda row: row[2])
    for row in made.rows:
        if form != "labeled-pair" or row[2] == 1:
            assert row[1] in positives(faces, row[0], out)
    assert made.funnel[-1].count == len(made.rows)
    again = tuples_of(negatives, faces, options)
    assert again.rows == made.rows


def test_an_anchor_gets_all_its_positives_in_turn():
    faces = folder(4, 7)
    pairs = PairSet.of(["a/0.jpg"] * 7, [f"b/{at}.jpg" for at in range(7)], 0)
    made = tuples_of(Negatives(pairs), faces, TupleOptions())
    mine = [positive for anchor, positive, _ in made.rows if anchor == "a/0.jpg"]
    assert sorted(mine[:3]) == ["a/1.jpg", "a/2.jpg", "a/3.jpg"]
    assert mine[3:6] == mine[:3]
    assert mine[6] == mine[0]


def test_the_seed_decides_the_order_and_other_anchors_do_not():
    faces = folder(30, 5)
    pairs = PairSet.of(["a/0.jpg"] * 5, [f"b/{at}.jpg" for at in range(5)], 0)

    def of_the_anchor(pairs, seed):
        made = tuples_of(Negatives(pairs), faces, TupleOptions(seed=seed))
        return [positive for anchor, positive, _ in made.rows if anchor == "a/0.jpg"]

    more = PairSet.of(["a/1.jpg", *pairs.path_a], ["b/0.jpg", *pairs.path_b], 0)
    assert of_the_anchor(pairs, 1) == of_the_anchor(more, 1)
    assert of_the_anchor(pairs, 1) != of_the_anchor(pairs, 2)


def test_what_finds_no_place_is_counted():
    """One identity has one face; a pair is left out, one has a wrong label, one is invalid."""
    faces = folder(3, 2, 1)
    pairs = PairSet.of(
        ["a/0.jpg", "a/0.jpg", "a/1.jpg", "a/0.jpg", "a/1.jpg", "a/0.jpg"],
        ["b/0.jpg", "c/0.jpg", "b/1.jpg", "a/1.jpg", "b/0.jpg", "a/2.jpg"],
        [0, 0, 0, 0, 0, 1],
        invalid=[0, 0, 0, 0, 1, 0],
    )
    left_out = {"suspects": named([("b/1.jpg", "a/1.jpg")])}
    made = tuples_of(Negatives(pairs, left_out=left_out), faces, TupleOptions())
    assert [(row[0], row[2]) for row in made.rows] == [
        ("a/0.jpg", "b/0.jpg"),
        ("b/0.jpg", "a/0.jpg"),
        ("a/0.jpg", "c/0.jpg"),
    ]
    assert counts(made) == {
        "invalid pairs": 1,
        "positives of the file, not used": 1,
        "suspects": 1,
        "negatives whose faces are of one identity in the folder": 1,
        "negatives used": 2,
        "anchors without another face of their identity": 1,
        "triplets": 3,
    }


def test_anchors_with_too_few_negatives_have_no_tuple():
    faces = folder(2, 2, 2)
    pairs = PairSet.of(["a/0.jpg", "a/0.jpg", "a/0.jpg"], ["b/0.jpg", "b/1.jpg", "c/0.jpg"], 0)
    made = tuples_of(Negatives(pairs), faces, TupleOptions("n-tuple", negatives=2))
    assert made.rows == [("a/0.jpg", "a/1.jpg", "b/0.jpg", "b/1.jpg")]
    assert counts(made)["other anchors with fewer than 2 negatives"] == 3
    assert counts(made)["times a pair was one too many of an anchor"] == 1
    with pytest.raises(SourceError, match="no n-tuple comes of these pairs: 3 negatives used, 4 "):
        tuples_of(Negatives(pairs), faces, TupleOptions("n-tuple", negatives=4))


def test_scores_stand_beside_the_negatives_they_are_known_of():
    pairs = PairSet.of(["a/0.jpg", "a/1.jpg"], ["b/0.jpg", "b/0.jpg"], 0)
    scores = np.array([0.25, np.nan])
    made = tuples_of(Negatives(pairs, scores=scores), folder(2, 1), TupleOptions("labeled-pair"))
    assert made.names == ("anchor", "positive", "label", "score")
    assert made.rows == [
        ("a/0.jpg", "b/0.jpg", 0, 0.25),
        ("a/1.jpg", "b/0.jpg", 0, None),
        ("a/0.jpg", "a/1.jpg", 1, None),
    ]
    assert made.faces == 2
    assert made.paths == ["a/0.jpg", "a/1.jpg", "b/0.jpg"]


def test_a_face_that_is_not_in_the_folder_is_named():
    pairs = PairSet.of(["a/0.jpg"], ["b/9.jpg"], 0)
    with pytest.raises(FacesError, match=r"b/9\.jpg' is not among the 3 faces"):
        tuples_of(Negatives(pairs), folder(2, 1), TupleOptions())


@pytest.mark.parametrize(
    ("pairs", "left_out", "says"),
    [
        (PairSet.of(["a/0.jpg"], ["a/1.jpg"], 1), {}, "no valid negatives among 1 pairs"),
        (
            PairSet.of(["a/0.jpg"], ["b/0.jpg"], 0),
            {"excluded": named([("a/0.jpg", "b/0.jpg")])},
            "no negative is left: 1 excluded",
        ),
        (
            PairSet.of(["b/0.jpg"], ["c/0.jpg"], 0),
            {},
            "no triplet comes of these pairs: .*2 anchors without another face",
        ),
    ],
    ids=["positives", "excluded", "alone"],
)
def test_nothing_to_write_is_refused(pairs, left_out, says):
    with pytest.raises(SourceError, match=says):
        tuples_of(Negatives(pairs, left_out=left_out), folder(2, 1, 1), TupleOptions())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"form": "quartet"}, "'quartet'; expected one of triplet, n-tuple, labeled-pair"),
        ({"form": "n-tuple", "negatives": 0}, "0 negatives a row"),
        ({"max_per_anchor": 0}, "0 an anchor"),
        ({"form": "n-tuple", "max_per_anchor": 2}, "an anchor has one row"),
    ],
    ids=["form", "negatives", "cap", "cap of n-tuples"],
)
def test_impossible_options_are_refused(options, says):
    with pytest.raises(SourceError, match=says):
        TupleOptions(**options)
