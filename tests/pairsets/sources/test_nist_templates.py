"""IJB as NIST ships it: lists of templates with subjects, and pairs without labels."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from pairsets.errors import SourceError
from pairsets.sources.formats import ijb, read_pairs
from pairsets.sources.templates import Templates

HEADER = (
    "TEMPLATE_ID,SUBJECT_ID,FILENAME,SIGHTING_ID,FACE_X,FACE_Y,FACE_WIDTH,FACE_HEIGHT,FRAME_NUM\n"
)
GALLERY = HEADER + "1,100,img/1.jpg,1,9,9,5,5,\n2,100,img/a b.jpg,2,9,9,5,5,\n"
PROBES = HEADER + (
    "3,101,frames/7.png,8,9,9,5,5,1\n3,101,frames/8.png,8,9,9,5,5,2\n3,101,img/2.jpg,9,9,9,5,5,\n"
    "4,100,img/3.jpg,3,9,9,5,5,\n"
)


@pytest.fixture
def lists(tmp_path):
    (tmp_path / "gallery.csv").write_text(GALLERY)
    (tmp_path / "probes.csv").write_text(PROBES)
    return [tmp_path / "gallery.csv", tmp_path / "probes.csv"]


def test_a_list_names_subjects_and_media(lists):
    found = Templates.read_all(lists)
    assert found.images.tolist() == [
        "img/1.jpg", "img/a b.jpg", "frames/7.png", "frames/8.png", "img/2.jpg", "img/3.jpg",
    ]  # fmt: skip
    assert found.templates.tolist() == [1, 2, 3, 3, 3, 4]
    assert found.media.tolist() == [1, 2, 8, 8, 9, 3]
    assert found.owners == {1: 100, 2: 100, 3: 101, 4: 100}


def test_what_stands_in_two_lists_counts_once(lists):
    twice = Templates.read_all([*lists, lists[0]])
    assert len(twice) == 6
    assert twice.owners == Templates.read_all(lists).owners


def test_columns_in_another_order_and_those_of_ijb_a(tmp_path):
    (tmp_path / "a.csv").write_bytes(
        b"\xef\xbb\xbfMEDIA_ID, file ,SUBJECT_ID,SIGHTING_ID,TEMPLATE_ID\r\n77,img/1.jpg,5,3,9\r\n"
    )
    found = Templates.read(tmp_path / "a.csv")
    assert (found.images.tolist(), found.media.tolist()) == (["img/1.jpg"], [77])
    assert found.owners == {9: 5}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER, "no rows below its header"),
        (HEADER + "1,100,img/1.jpg,1\n", "line 2: "),
        (HEADER + "1,1,1.jpg,1,9,9,5,5,\nx,1,2.jpg,1,9,9,5,5,\n", "line 3: TEMPLATE_ID is 'x'"),
        (HEADER + "1,-100,img/1.jpg,1,9,9,5,5,\n", "SUBJECT_ID is '-100'; expected a whole"),
        (HEADER + "1,100,img/1.jpg,,9,9,5,5,\n", "line 2: SIGHTING_ID is ''"),
        (HEADER + "1,100,img/1.jpg,99999999999999999999,9,9,5,5,\n", "line 2: SIGHTING_ID"),
        (HEADER + "1,100,../1.jpg,1,9,9,5,5,\n", r"line 2: the path '\.\./1\.jpg' leaves"),
        (
            HEADER + "1,100,img/1.jpg,1,9,9,5,5,\n1,101,img/2.jpg,1,9,9,5,5,\n",
            "line 3: template 1 is of subject 101 and of 100",
        ),
        (
            HEADER + "1,100,img/1.jpg,1,9,9,5,5,\n1,100,img/1.jpg,2,9,9,5,5,\n",
            "line 3: 'img/1.jpg' is in template 1 already",
        ),
        ("TEMPLATE_ID,SUBJECT_ID,FACE_X\n1,2,3\n", "line 1: no column FILENAME or FILE in"),
        ("TEMPLATE_ID,SUBJECT_ID,FILENAME\n1,2,a.jpg\n", "no column MEDIA_ID or SIGHTING_ID"),
        ("TEMPLATE_ID,SUBJECT_ID,FILE,MEDIA_ID,FILE\n1,2,a,3,b\n", "line 1: two columns FILE"),
    ],
)  # fmt: skip
def test_a_list_that_is_wrong(text, told, tmp_path):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(SourceError, match=told) as caught:
        Templates.read(tmp_path / "x.csv")
    assert str(caught.value).startswith(f"{tmp_path / 'x.csv'}")


def test_lists_that_do_not_agree(lists, tmp_path):
    (tmp_path / "other.csv").write_text(HEADER + "1,107,img/9.jpg,4,9,9,5,5,\n")
    (tmp_path / "plain.txt").write_text("img/1.jpg 1 1\n")
    with pytest.raises(SourceError, match="together: template 1 is of subject 107 and of 100"):
        Templates.read_all([*lists, tmp_path / "other.csv"])
    with pytest.raises(SourceError, match="some name the subjects of templates, and others do not"):
        Templates.read_all([*lists, tmp_path / "plain.txt"])


def test_a_picture_of_two_subjects():
    shared = Templates(["a", "b", "a"], [1, 2, 3], [1, 1, 1], [7, 7, 8])
    with pytest.raises(SourceError, match="'a' is in templates of the subjects 7 and 8"):
        shared.refuse_shared()
    Templates(["a", "b", "a"], [1, 2, 3], [1, 1, 1], [7, 7, 7]).refuse_shared()
    Templates(["a", "a"], [1, 2], [1, 1]).refuse_shared()
    for subjects in ([7], [7, -1]):
        with pytest.raises(SourceError, match="row "):
            Templates(["a", "b"], [1, 2], [1, 1], subjects)


# --- pairs


def naive(matches, lists):
    """Pairs by two plain loops over the files."""
    subject = {}
    for path in lists:
        with path.open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                subject[row["TEMPLATE_ID"]] = row["SUBJECT_ID"]
    rows = []
    for line in matches.splitlines():
        a, b = (cell.strip() for cell in line.split(","))
        if a in subject and b in subject:
            names = [f"subject_{int(subject[t]):06d}/{int(t)}" for t in (a, b)]
            rows.append((*names, int(subject[a] == subject[b])))
    return rows


@pytest.mark.parametrize("header", ["", "ENROLL_TEMPLATE_ID,VERIF_TEMPLATE_ID\n"])
def test_labels_are_whether_the_subjects_are_one(lists, tmp_path, header):
    text = "1,2\n1,3\n 3 , 4\n4,1\n1,99\n"
    (tmp_path / "matches.csv").write_text(header + text)
    found = read_pairs(tmp_path / "matches.csv", "ijb", templates=lists)
    pairs = found.pairs
    assert list(zip(pairs.path_a, pairs.path_b, pairs.label, strict=True)) == naive(text, lists)
    assert found.dropped == {ijb.LACKING: 1}
    assert found.notes == ()
    assert not pairs.contradicting.any()


def test_many_pairs_in_blocks_of_any_size(tmp_path):
    generator = np.random.default_rng(5)
    subjects = generator.integers(0, 12, 60)
    rows = "".join(f"{t},{s},{t}.jpg,{t},,,,,\n" for t, s in enumerate(subjects.tolist()))
    (tmp_path / "all.csv").write_text(HEADER + rows)
    a, b = np.triu_indices(60, 1)
    text = "".join(f"{x},{y}\r\n" for x, y in zip(a.tolist(), b.tolist(), strict=True))
    (tmp_path / "matches.csv").write_text(text)
    found = read_pairs(tmp_path / "matches.csv", "ijb", templates=tmp_path / "all.csv").pairs
    truth = naive(text, [tmp_path / "all.csv"])
    assert list(zip(found.path_a, found.path_b, found.label, strict=True)) == truth
    whole = ijb.read_numbers(tmp_path / "matches.csv", labelled=False)
    for block in (1, 7, 64, 1000):
        parts = ijb.read_numbers(tmp_path / "matches.csv", block=block, labelled=False)
        assert all(np.array_equal(x, y) for x, y in zip(whole[:3], parts[:3], strict=True))


@pytest.mark.parametrize(
    "line", ["1,,2", "1,2,3", "1 2", ",1,2", "1,2,", "x,2", "1,2.0", "1;2", "1"]
)
def test_a_pair_that_is_none(lists, tmp_path, line):
    (tmp_path / "matches.csv").write_text("1,2\n" * 40_000 + f"\n{line}\n1,3\n")
    with pytest.raises(SourceError, match=r"line 40002: .*; expected ENROLL,VERIF"):
        read_pairs(tmp_path / "matches.csv", "ijb", templates=lists)


def test_labels_that_say_the_opposite_of_the_subjects_are_counted(lists, tmp_path):
    (tmp_path / "pairs.txt").write_text("1 2 0\n1 3 1\n3 4 0\n")
    found = read_pairs(tmp_path / "pairs.txt", "ijb", templates=lists)
    assert found.notes == (
        "2 pairs have a label that says the opposite of the subjects; the labels stay as they are",
    )
    assert found.pairs.path_a.tolist() == ["subject_000100/1"] * 2 + ["subject_000101/3"]
