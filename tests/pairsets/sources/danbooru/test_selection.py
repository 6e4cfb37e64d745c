"""Posts joined with faces, against a plain reading of the rule over a list of dicts."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.danbooru import newer, post, tag
from support.face_boxes import face_boxes

from pairsets.errors import SourceError
from pairsets.sources.danbooru.blocks import read_block
from pairsets.sources.danbooru.posts import (
    BANNED,
    DELETED,
    FILE,
    KEPT,
    NAMELESS,
    NOBODY,
    RATED,
    SEVERAL,
    UNRATED,
    UNTYPED,
    Rule,
)
from pairsets.sources.danbooru.selection import Selection, named_pictures
from pairsets.sources.danbooru.single_faces import FACES, NO_FACE, ONE, OUTSIDE, SMALL, Boxed

NAMES = ["rei", "asuka", "é_(x)", "zoe\u0308", "fate/zero", "夕立"]
# How a field is written, and what is meant by it.
FLAGS = [(True, 1), ("1", 1), (1, 1), ("true", 1), (False, 0), ("0", 0), (0, 0), (None, 0)]
RATINGS = [("s", 1), ("g", 1), ("S", 1), ("q", 0), ("e", 0), (None, 0)]
FILES = [("jpg", 1), ("PNG", 1), ("zip", 0), (None, 0)]


@st.composite
def posts(draw):
    """A post, its number, and the reason or the name that its writer had in mind."""
    number = draw(st.integers(0, 9) | st.integers(2**20 - 2, 2**20 + 2))
    some = draw(st.lists(st.sampled_from([*NAMES, ""]), max_size=2, unique=True))
    deleted, banned = draw(st.sampled_from(FLAGS)), draw(st.sampled_from(FLAGS))
    rating, file = draw(st.sampled_from(RATINGS)), draw(st.sampled_from(FILES))
    changes = {
        "id": draw(st.sampled_from([str(number), number])),
        "is_deleted": deleted[0],
        "is_banned": banned[0],
        "rating": rating[0],
        "file_ext": file[0],
    }
    if "" not in some and draw(st.booleans()):
        found = newer(number, *some, **changes)
    else:
        tags = [tag(name, draw(st.sampled_from(["4", 4]))) for name in some]
        twice = draw(st.integers(1, 2))
        found = post(number, tags=draw(st.permutations([*tags * twice, tag("solo")])), **changes)
    meant = [
        (deleted[1], DELETED),
        (banned[1], BANNED),
        (rating[0] is None, UNRATED),
        (not rating[1], RATED),
        (file[0] is None, UNTYPED),
        (not file[1], FILE),
        (not some, NOBODY),
        (len(some) > 1, SEVERAL),
        ("" in some, NAMELESS),
    ]
    return found, number, next((reason for holds, reason in meant if holds), (some or [""])[0])


def plainly(world, faces):
    """What is selected, and the counts, one post after the other."""
    seen, kept, fates, found = {}, {}, Counter(), Counter()
    repeated = disagreeing = 0
    for _, number, meant in world:
        if number in seen:
            repeated += 1
            disagreeing += seen[number] != meant
            continue
        seen[number] = meant
        fates[meant if isinstance(meant, int) else KEPT] += 1
        if isinstance(meant, str):
            boxes = faces.get(number, [])
            why = NO_FACE if not boxes else FACES if len(boxes) > 1 else ONE
            found[why] += 1
            if why == ONE:
                kept[number] = (meant, list(boxes[0][0]))
    return kept, fates, found, repeated, disagreeing


@settings(max_examples=300)
@given(st.data())
def test_as_the_rule_has_it(data):
    world = data.draw(st.lists(posts(), max_size=25))
    numbers = sorted({number for _, number, _ in world}) or [0]
    box = st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(41, 99)] * 2)
    faces = data.draw(
        st.dictionaries(
            st.sampled_from([*numbers, 77]), st.lists(st.tuples(box, st.just(0.5)), max_size=2)
        )
    )
    boxed, of_posts, others = Boxed.of(face_boxes(faces)).by_post()
    assert others == 0
    lines = [json.dumps(found).encode() + b"\n" for found, _, _ in world]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(lines)), max_size=3)))
    selection = Selection(boxed, of_posts)
    for start, end in zip([0, *cuts], [*cuts, len(lines)], strict=True):
        selection.add(read_block(b"".join(lines[start:end]), Rule()))
    kept, fates, found, repeated, disagreeing = plainly(world, faces)
    pictures = selection.pictures()
    names = [pictures.names[at] for at in pictures.owner]
    ids, boxes = pictures.ids.tolist(), pictures.boxes.tolist()
    assert ids == list(kept)
    assert dict(zip(ids, zip(names, boxes, strict=True), strict=True)) == kept
    assert +selection.fates == fates
    assert +selection.faces == found
    assert (selection.repeated, selection.disagreeing) == (repeated, disagreeing)


def test_the_one_face():
    inside, far, tiny, over = (9, 9, 60, 70), (600, 0, 700, 9), (1, 1, 15, 90), (500, 480, 530, 560)
    found = face_boxes(
        {
            1: [(inside, 0.9), (far, 0.2)],
            2: [(inside, 0.9), (inside, 0.5)],
            3: [(far, 0.9)],
            4: [(tiny, 0.9)],
            5: [(over, np.nan)],
            6: [(far, 0.4)],
            7: [],
            8: [(over, 0.9)],
        },
        sizes={8: (600, 600)},
    )
    boxed = Boxed.of(found, min_score=0.5, min_size=12)
    assert boxed.fates.tolist() == [ONE, FACES, OUTSIDE, ONE, ONE, NO_FACE, NO_FACE, ONE]
    assert boxed.boxes[[0, 3, 4, 7]].tolist() == [
        list(inside),
        list(tiny),
        [500, 480, 512, 512],
        list(over),
    ]
    assert (boxed.weak, boxed.unscored) == (2, 1)
    # A side of 14 pixels, and of 12 within the picture.
    assert Boxed.of(found, min_score=0.5, min_size=15).fates[3:5].tolist() == [SMALL, SMALL]
    # Without a least score, the two of the first picture count.
    assert Boxed.of(found, min_size=15).fates[[0, 5]].tolist() == [FACES, OUTSIDE]
    assert Boxed.of(found, min_score=0.5, picture_size=800).fates[2] == ONE


def test_shares_of_the_picture():
    found = face_boxes(
        {1: [((0.25, 0.5, 0.5, 1.25), 1)], 2: [((0.25, 0.5, 0.5, 1), 1)]},
        relative=True,
        sizes={2: (400, 200)},
    )
    boxed = Boxed.of(found, picture_size=100)
    assert boxed.boxes.tolist() == [[25, 50, 50, 100], [100, 100, 200, 200]]


def test_a_least_score_of_faces_without_any():
    with pytest.raises(SourceError, match=r"no face has a score, so none is below 0\.5"):
        Boxed.of(face_boxes({1: [((0, 0, 9, 9), np.nan)]}), min_score=0.5)


def test_the_post_of_a_path():
    box = [((0, 0, 9, 9), 1)]
    found = face_boxes({"0123/4123.jpg": box, "9.png": [], "a/x.jpg": box, 7: box})
    boxed, posts, others = Boxed.of(found).by_post()
    assert (posts.tolist(), boxed.fates.tolist(), others) == ([7, 9, 4123], [ONE, 0, ONE], 1)
    # Where the pictures lie must not be lost: they are to be cropped.
    assert boxed.ids.tolist() == [7, "9.png", "0123/4123.jpg"]
    both = face_boxes({"0007/7.jpg": box, 7: box})
    with pytest.raises(SourceError, match=r"'0007/7\.jpg' and 7 are both of the post 7"):
        Boxed.of(both).by_post()


def test_pictures_whose_character_the_boxes_name():
    box = [((0, 0, 9, 9), 1)]
    faces = {"rei/1.jpg": box, "2.jpg": box, "rei/3.jpg": box * 2, "eva/asuka/4.jpg": box, 5: box}
    found = face_boxes(faces)
    pictures, fates, nameless = named_pictures(found, Boxed.of(found))
    assert [pictures.names[at] for at in pictures.owner] == ["rei", "eva/asuka"]
    assert pictures.ids.tolist() == ["rei/1.jpg", "eva/asuka/4.jpg"]
    assert (+fates, nameless) == (Counter({ONE: 2, FACES: 1}), 2)
    found = face_boxes(faces, characters={"2.jpg": "rei", 5: "asuka"})
    pictures, fates, nameless = named_pictures(found, Boxed.of(found))
    assert [pictures.names[at] for at in pictures.owner] == ["rei", "asuka"]
    assert (pictures.ids.tolist(), nameless) == (["2.jpg", 5], 3)
