"""Faces that cannot be one identity's: read in both forms, and told by identities."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsets.errors import PairSetError
from pairsets.files import cannot_links
from pairsets.files.cannot_links import CannotLinks

CROPS = "path,id,left,top,right,bottom,picture_bytes,crop_bytes\n"
GOOD = {
    "pairs": ("pathA,pathB\na/1,b/1\nb/1,c/1\n", {("a", "b"), ("b", "c")}),
    "a pair file": ("pathA,pathB,label,human_prediction,invalid\na/1,b/1,0,-1,0\n", {("a", "b")}),
    "columns elsewhere": ("score,pathB, pathA\n0.5,b/1,a/1\n", {("a", "b")}),
    "a mark and CRLF": ("\ufeffpathA,pathB\r\na/1,b/1\r\n\r\n", {("a", "b")}),
    "pictures": ("path,picture\na/1,p\nb/1,p\nc/1,q\n", {("a", "b")}),
    "three in one": (
        "picture,path\np,c/1\np,a/1\np,b/1\n",
        {("a", "b"), ("a", "c"), ("b", "c")},
    ),
    "crops": (CROPS + "a/1,7,0,0,9,9,1,1\nb/1,7,9,0,20,9,1,1\n", {("a", "b")}),
    "the same row again": ("path,picture\na/1,p\na/1,p\nb/1,p\n", {("a", "b")}),
}
OWNERS = {f"{name}/{number}": [name] for name in "abc" for number in (1, 2)}


@pytest.mark.parametrize("case", GOOD)
def test_both_forms(case, tmp_path):
    content, truth = GOOD[case]
    (tmp_path / "x.csv").write_bytes(content.encode())
    found = CannotLinks.read([tmp_path / "x.csv"])
    assert found.identities(OWNERS) == (truth, 0)


def test_a_picture_may_be_cut_into_two_sets(tmp_path):
    (tmp_path / "train.csv").write_text("path,picture\na/1,p\n")
    (tmp_path / "test.csv").write_text("path,picture\nb/1,p\n")
    found = CannotLinks.read([tmp_path / "train.csv", tmp_path / "test.csv"])
    assert found.identities(OWNERS) == ({("a", "b")}, 0)


BAD = {
    "no file": (None, "no such file of faces"),
    "empty": ("", "empty; expected a header with pathA and pathB, or path and picture"),
    "other columns": ("a,b\n", "line 1: expected pathA and pathB, or path and picture"),
    "a path alone": ("path,file\na/1,p\n", "line 1: expected pathA and pathB"),
    "no rows": ("pathA,pathB\n", "no picture has two faces, and no pair is named"),
    "each picture alone": ("path,picture\na/1,p\nb/1,q\n", "no picture has two faces"),
    "itself": ("pathA,pathB\na/1,a/1\n", "line 2: 'a/1' with itself"),
    "empty path": ("pathA,pathB\na/1,b/1\n,b/1\n", "line 3: pathA is empty"),
    "empty picture": ("path,picture\na/1,\n", "line 2: picture is empty"),
    "absolute": ("pathA,pathB\n/x/a/1,b/1\n", "line 2: path '/x/a/1' is absolute"),
    "two pictures": ("path,picture\na/1,p\na/1,q\n", "line 3: 'a/1' is of the picture 'q' and of"),
    "ragged": ("pathA,pathB\na/1\n", "line 2: 1 values, expected 2"),
}


@pytest.mark.parametrize("case", BAD)
def test_refusals(case, tmp_path):
    content, message = BAD[case]
    file = tmp_path / "x.csv"
    if content is not None:
        file.write_text(content)
    with pytest.raises(PairSetError) as caught:
        CannotLinks.read([file])
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_column_that_is_none_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr(cannot_links, "MOST_FACES", 2)
    (tmp_path / "x.csv").write_text("path,picture\na/1,jpg\nb/1,jpg\nc/1,jpg\n")
    with pytest.raises(PairSetError, match="more than 2 faces of the picture 'jpg'"):
        CannotLinks.read([tmp_path / "x.csv"])


PATHS = [f"{name}/{number}" for name in "abcd" for number in range(3)]


@given(
    pairs=st.lists(st.lists(st.sampled_from(PATHS), min_size=2, max_size=2, unique=True)),
    pictures=st.lists(st.lists(st.sampled_from(PATHS), min_size=2, unique=True), max_size=3),
    unknown=st.sets(st.sampled_from(PATHS)),
    twice=st.sets(st.sampled_from(PATHS)),
)
def test_identities_are_those_of_each_two_faces(pairs, pictures, unknown, twice):
    """Of a path in two sets both may be meant."""
    owners = {path: [path[0]] for path in PATHS if path not in unknown}
    for path in twice - unknown:
        owners[path] = [path[0], "x"]
    found, same = CannotLinks([tuple(p) for p in pairs], pictures, []).identities(owners)
    truth, ones = set(), 0
    every = [tuple(p) for p in pairs]
    every += [two for faces in pictures for two in itertools.combinations(faces, 2)]
    for one, other in every:
        if one not in owners or other not in owners:
            continue
        if {*owners[one]} & {*owners[other]}:
            ones += len(owners[one]) == len(owners[other]) == 1
            continue
        truth |= {tuple(sorted((a, b))) for a in owners[one] for b in owners[other]}
    assert (found, same) == (truth, ones)


def test_strangers():
    links = CannotLinks([("a/1", "b/1"), ("c/1", "d/9")], [], ["x.csv"])
    assert links.refuse_strangers(OWNERS) == 1
    with pytest.raises(PairSetError, match="have 'faces/' in front"):
        CannotLinks([("faces/a/1", "faces/b/1")], [], ["x.csv"]).refuse_strangers(OWNERS)
    with pytest.raises(PairSetError, match="none of its paths is of these faces, 'z/1'"):
        CannotLinks([("z/1", "z/2")], [], ["x.csv"]).refuse_strangers(OWNERS)
