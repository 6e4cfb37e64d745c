"""Scanning a folder finds what a plain walk finds, in the same order, and refuses the same."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.plain_scan import plain_refusal, plain_scan

import pairsets.faces
from pairsets import Faces, FacesError
from pairsets.faces import identified, identity_of
from pairsets.identities.patterns import ByPattern
from pairsets.identities.rules import ByLevel

# Characters on both sides of "/", of "." and beyond ASCII; letters that have another case.
PARTS = st.text("aB!-.0é~ロ𝔸", min_size=1, max_size=3).filter(lambda name: name.strip("."))
PLACES = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
ENDINGS = st.sampled_from([".jpg", ".PNG", ".txt", ""])


def plant(root: Path, places: list[str]) -> None:
    """Files of these names, as far as no folder or file of another is in the way."""
    for place in places:
        file = root / place
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"\x00\x05\x16\x07" if len(place) % 2 else b"image")
        except OSError:
            continue


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(PLACES, ENDINGS).map("".join), max_size=30))
@example(["a/1.jpg", "a!/1.jpg", "a-/1.jpg", "a.jpg", "a0/1.jpg", "a/b/2.jpg"])
@example(["a/._1.jpg", "a/._b.jpg", "a/1.jpg"])
@example(["a/1.jpg", "A/2.jpg"])
def test_as_a_plain_walk(places):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, [f"all/{place}" for place in places])
        paths, skipped = plain_scan(root)
        refusal = plain_refusal(paths) if paths else f"{root}: no images in it"
        # All of these lie in a folder, at any depth.
        rule = ByPattern("^(.*)/")
        if refusal is not None:
            with pytest.raises(FacesError, match=re.escape(refusal)):
                Faces.scan(root, rule)
            return
        found = Faces.scan(root, rule)
    assert found.paths.tolist() == paths
    assert found.identities.tolist() == [identity_of(path) for path in paths]
    assert found.skipped == skipped
    codes: dict[str, int] = {}
    expected = [codes.setdefault(name, len(codes)) for name in found.identities]
    assert found.groups.tolist() == expected
    assert found.named is None


@given(st.lists(PLACES, max_size=20))
def test_two_spellings_are_refused_as_one_by_one(paths):
    refusal = plain_refusal(paths)
    if refusal is None:
        assert Faces.of_paths(Path("faces"), paths).paths.tolist() == paths
    else:
        with pytest.raises(FacesError, match=re.escape(refusal)):
            Faces.of_paths(Path("faces"), paths)


def test_equal_hashes_are_no_reason_to_refuse(monkeypatch):
    monkeypatch.setattr(pairsets.faces, "hash", lambda key: len(key) % 3, raising=False)
    paths = [f"{name}/{at}.jpg" for name in ("a", "bb", "ccc") for at in range(9)]
    assert Faces.of_paths(Path("faces"), paths).paths.tolist() == paths
    with pytest.raises(FacesError, match=r"'bb/3\.jpg' and 'BB/3\.jpg' are two spellings"):
        Faces.of_paths(Path("faces"), [*paths, "BB/3.jpg"])


def test_faces_of_one_identity_share_its_name(tmp_path):
    plant(tmp_path, [f"{name}/{at}.jpg" for name in ("rei", "asuka") for at in range(50)])
    for rule in (None, ByLevel(1), ByPattern("([^/]*)/")):
        found = Faces.scan(tmp_path, rule)
        assert len({id(name) for name in found.identities}) == 2
        assert len({id(name) for name in Faces.of_paths(tmp_path, found.paths).identities}) == 2


def test_no_object_a_face(tmp_path):
    """A face takes its text and some numbers; a str alone has 49 bytes beside its text."""
    count, text = 100_000, len("identity 0000/0000000.jpg")
    tracemalloc.start()
    try:
        paths = (f"identity {at // 100:04d}/{at:07d}.jpg" for at in range(count))
        found = Faces.of_paths(tmp_path, paths)
        assert found.named is None
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) == count
    # Where its text ends, a reference to its identity, the number of its folder.
    assert held < count * (text + 3 * 8) + 1_000_000


@pytest.mark.parametrize("who", [None, {"a/1.jpg": "rei", "b/2.jpg": "asuka", "b/3.jpg": "b"}])
def test_identified(who):
    paths = ["b/2.jpg", "a/1.jpg", "b/3.jpg"]
    expected = [identity_of(path) if who is None else who[path] for path in paths]
    assert identified(paths, who) == expected
    found = Faces.of_paths(Path("faces"), paths, identities=who)
    assert found.identities.tolist() == expected
    assert found.named == (None if who is None else who)
    assert found.count_identities == len(set(expected))


def test_names_that_faces_have(tmp_path):
    faces = Faces.of_paths(tmp_path, ["a/1.jpg", "b/1.jpg", "b/2.jpg"])
    assert faces.known_names(["1.jpg", "3.jpg", "b/2.jpg"]) == {"1.jpg"}
    assert faces.known_names([]) == frozenset()


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
def test_a_name_that_is_no_text(tmp_path):
    plant(tmp_path, ["a/1.jpg"])
    Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/\xff.jpg")).write_bytes(b"image")
    with pytest.raises(FacesError, match=r"the name '\\udcff\.jpg' is not UTF-8"):
        Faces.scan(tmp_path)


def test_a_name_with_a_line_end(tmp_path):
    plant(tmp_path, ["a/1\r.jpg", "a/1\n.jpg", "b\r\n/2.jpg"])
    assert Faces.scan(tmp_path).paths.tolist() == ["a/1\n.jpg", "a/1\r.jpg", "b\r\n/2.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes there")
def test_a_pipe_is_not_opened(tmp_path):
    plant(tmp_path, ["a/1.jpg"])
    os.mkfifo(tmp_path / "a" / "._2.jpg")
    assert Faces.scan(tmp_path).paths.tolist() == ["a/._2.jpg", "a/1.jpg"]
