"""Which of several copies to keep, and whom to ask."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from support.drawn import draw_face

from mining.inspection import copies
from mining.inspection.copies import (
    compare_kept,
    copy_findings,
    grouped,
    pairs_of,
)
from mining.overlap.inner_copies import Copy
from pairsets import Faces
from pairsets.files.suspects import Doubt
from pairsets.pairset import pair_key
from pairsets.progress import silent, unheard

SIZES = {"rei/a.png": 40, "rei/b.png": 64, "rei/c.png": 64, "mari/a.png": 32}


@pytest.fixture
def faces(tmp_path):
    """`rei/c.png` has the most pixels as `rei/b.png` has, and more bytes."""
    for path, size in SIZES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        draw_face(1, size).save(tmp_path / path)
    Image.effect_noise((64, 64), 90).convert("RGB").save(tmp_path / "rei/c.png")
    return Faces.scan(tmp_path)


def pairs(*keys):
    return {pair_key(*key): (0.9, f"{key[0]} and {key[1]}") for key in keys}


def suggestions(findings):
    return {note.path: (note.suggestion, note.other) for one in findings for note in one.notes}


AB, BC, AC = (("rei/a.png", "rei/b.png"), ("rei/b.png", "rei/c.png"), ("rei/a.png", "rei/c.png"))


def test_the_largest_then_the_least_compressed_is_kept(faces):
    found = copy_findings("duplicate", pairs(AB, BC, AC), faces, (), act=True)
    assert suggestions(found) == {
        "rei/c.png": ("keep", "rei/a.png"),
        "rei/b.png": ("leave-out", "rei/c.png"),
        "rei/a.png": ("leave-out", "rei/c.png"),
    }
    assert [pair.key for pair in found[0].pairs] == sorted([AB, BC, AC])


def test_equal_ones_go_by_their_paths(faces):
    (faces.root / "rei/c.png").write_bytes((faces.root / "rei/b.png").read_bytes())
    found = suggestions(copy_findings("duplicate", pairs(BC), faces, (), act=True))
    assert found == {"rei/b.png": ("keep", "rei/c.png"), "rei/c.png": ("leave-out", "rei/b.png")}


def test_a_bad_crop_is_kept_last(faces):
    found = suggestions(copy_findings("duplicate", pairs(AB), faces, {"rei/b.png"}, act=True))
    assert found["rei/a.png"][0] == "keep"


def test_what_is_no_copy_of_a_kept_one_stays(faces):
    """Both cuts of a whole picture go, where the whole is kept; else both stay."""
    for path, size in (("rei/a.png", 80), ("rei/c.png", 72)):
        draw_face(1, size).save(faces.root / path)
    found = suggestions(copy_findings("duplicate", pairs(AB, BC), faces, (), act=True))
    assert {path: said for path, (said, _) in found.items()} == {
        "rei/a.png": "keep",
        "rei/c.png": "keep",
        "rei/b.png": "leave-out",
    }


def test_under_two_names_a_person_is_asked(faces):
    keys = pairs(AB, ("rei/a.png", "mari/a.png"))
    found = copy_findings("duplicate", keys, faces, (), act=True)
    assert suggestions(found) == {
        "mari/a.png": ("ask", "rei/a.png"),
        "rei/a.png": ("ask", "mari/a.png"),
        "rei/b.png": ("ask", "rei/a.png"),
    }
    assert found[0].names == ["mari", "rei"]
    assert found[0].left_out == []


def test_without_acting_a_person_is_asked_of_one_identity_too(faces):
    found = copy_findings("duplicate", pairs(AB), faces, (), act=False)
    assert {said for said, _ in suggestions(found).values()} == {"ask"}


def test_groups_do_not_hang_on_the_order_of_pairs():
    keys = [("a", "b"), ("d", "e"), ("c", "d"), ("b", "e"), ("x", "y")]
    expected = [["a", "b", "c", "d", "e"], ["x", "y"]]
    assert grouped(keys) == grouped(keys[::-1]) == expected


def test_copies_are_told_apart_by_kind():
    some = [Copy("a", "b", "duplicate", 1.0000001, "x"), Copy("a", "c", "variant", 0.5, "y")]
    assert pairs_of(some, "duplicate") == {("a", "b"): (1.0, "x")}
    assert pairs_of(some, "variant") == {("a", "c"): (0.5, "y")}


class Judge:
    """Check that knows which picture each face shows, and counts what it is asked."""

    kind = "duplicate"

    def __init__(self, shows):
        self.shows, self.asked = shows, 0

    def __call__(self, pairs, step=unheard):
        self.asked += len(pairs)
        step(len(pairs), len(pairs))
        same = np.array([self.shows(a) == self.shows(b) for a, b in pairs.keys])
        return Doubt(self.kind, same, same, ["one picture" if one else "" for one in same])


@pytest.fixture
def many(tmp_path):
    """Twenty faces of one identity: the later, the smaller."""
    for at in range(20):
        path = tmp_path / f"rei/{at:02}.png"
        path.parent.mkdir(exist_ok=True)
        draw_face(1, 60 - 2 * at).save(path)
    return Faces.scan(tmp_path)


def chain(faces):
    """Pairs of neighbours alone: all that a search named."""
    paths = faces.paths.tolist()
    return pairs(*pairwise(paths))


def kept_of(found, faces, judge, crops=()):
    found = compare_kept(judge, found, faces, crops, silent)
    said = suggestions(copy_findings("duplicate", found, faces, crops, act=True))
    return [path for path, (suggestion, _) in sorted(said.items()) if suggestion == "keep"]


def test_of_many_copies_of_one_picture_one_is_kept(many):
    judge = Judge(lambda path: "one")
    assert kept_of(chain(many), many, judge) == ["rei/00.png"]
    assert judge.asked == 18


def test_of_a_large_group_that_shows_two_pictures_one_of_each_is_kept(many):
    judge = Judge(lambda path: int(path[4:6]) // 10)
    assert kept_of(chain(many), many, judge, {"rei/00.png"}) == ["rei/01.png", "rei/10.png"]


def test_what_a_large_group_costs_rises_with_its_faces(many, monkeypatch):
    monkeypatch.setattr(copies, "MOST_COMPARED", 3)
    judge, seen = Judge(lambda path: path), []

    @contextmanager
    def progress(what):
        yield lambda done, total: seen.append(done / total)

    # Neighbours are copies: every second face is kept. Three are compared with what is left.
    assert compare_kept(judge, chain(many), many, (), progress) == chain(many)
    assert judge.asked == 18 + 16 + 14
    assert seen == sorted(seen)
    assert seen[-1] == 1


def test_of_a_large_group_of_two_identities_nobody_is_asked_more(many):
    draw_face(1, 10).save(many.root / "rei/99.png")
    (many.root / "mari").mkdir()
    (many.root / "rei/99.png").rename(many.root / "mari/99.png")
    faces = Faces.scan(many.root)
    judge = Judge(lambda path: "one")
    assert compare_kept(judge, chain(faces), faces, (), silent) == chain(faces)
    assert judge.asked == 0
