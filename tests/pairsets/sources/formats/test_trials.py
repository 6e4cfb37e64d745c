"""Two paths a line: what stands where, what a label is called, and who is on a picture."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from pairsets import PairSet
from pairsets.errors import SourceError
from pairsets.identities.rules import ByLevel
from pairsets.sources.formats import Pairs, read_pairs, sniff, trials

ROWS = [("A/1.jpg", "A/2.jpg", 1), ("B/1.jpg", "B/3.JPEG", 1), ("A/1.jpg", "B/2.png", 0),
        ("C/1.jpg", "D/1.jpg", 0)]  # fmt: skip


def write(tmp_path, text):
    path = tmp_path / "pairs.txt"
    path.write_text(text, "utf-8")
    return path


def rows(found):
    pairs = found.pairs
    return list(zip(pairs.path_a, pairs.path_b, pairs.label.tolist(), strict=True))


def named(found):
    """Who is on each picture, by path."""
    return {path: found.pairs.identity(path) for path in found.pairs.paths}


@pytest.mark.parametrize(
    "sign",
    [" ", "\t", "   ", ",", ", ", ";"],
    ids=["blank", "tab", "blanks", "comma", "comma-blank", "semicolon"],
)
@pytest.mark.parametrize("form", ["{a}{s}{b}{s}{label}", "{label}{s}{a}{s}{b}", "{a}{s}{b}"],
                         ids=["label-behind", "label-before", "no-label"])  # fmt: skip
def test_each_form_with_each_sign(form, sign, tmp_path):
    lines = [form.format(a=a, b=b, label=label, s=sign) for a, b, label in ROWS]
    path = write(tmp_path, "\n".join(lines) + "\n")
    assert sniff(path) == "trials"
    found = read_pairs(path)
    assert rows(found) == ROWS
    assert found.pairs.identities is None
    assert any("no labels in it" in note for note in found.notes) == ("{label}" not in form)


@pytest.mark.parametrize("form", ["{a} {b} {label}", "{a}\t{b}\t{label}", "{a} {b}", "{a}\t{b}"])
def test_paths_may_hold_blanks(form, tmp_path):
    given = [("Ann Oak/Ann Oak 1.jpg", "Ann Oak/2.jpg", 1), ("x/1 0.png", "Ann Oak/2.jpg", 0)]
    text = "\n".join(form.format(a=a, b=b, label=label) for a, b, label in given)
    assert rows(read_pairs(write(tmp_path, text))) == given


@pytest.mark.parametrize(
    ("same", "different"),
    [("1", "0"), ("1", "-1"), ("1.0", "0.0"), ("True", "False"), ("same", "different"),
     ("Genuine", "impostor"), ("match", "non-match"), ("yes", "no")],
)  # fmt: skip
def test_what_a_label_is_called(same, different, tmp_path):
    text = "".join(f"{a} {b} {same if label else different}\n" for a, b, label in ROWS)
    assert rows(read_pairs(write(tmp_path, text))) == ROWS


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (["1", "0", "-1", "0"], "line 3: label '-1'; expected 0 or 1, -1 or 1, or two words"),
        (["0.91", "0.22", "0.5", "0.1"], "line 1: label '0.91'; expected .* score"),
        (["1", "2", "1", "2"], "line 2: label '2'"),
        (["same", "0", "same", "0"], "line 2: label '0'"),
        (["1", "1 3", "0", "0"], "line 2: label '1 3'"),
    ],
    ids=["three-kinds", "scores", "one-and-two", "words-and-numbers", "two-behind"],
)
def test_what_is_no_label(said, told, tmp_path):
    path = write(
        tmp_path, "".join(f"{a} {b} {x}\n" for (a, b, _), x in zip(ROWS, said, strict=True))
    )
    with pytest.raises(SourceError, match=f"^{re.escape(str(path))}, {told}"):
        read_pairs(path)


def test_names_of_flat_files_are_identities_where_they_agree_with_all_labels(tmp_path):
    """The paths stay those of the files; who is on them is told beside."""
    text = "Ada_1.jpg Ada_2.jpg 1\nBo_1.jpg Bo_3.jpg 1\nAda_1.jpg Bo_2.jpg 0\nCy_1.jpg Di_1.jpg 0\n"
    found = read_pairs(write(tmp_path, text))
    assert found.pairs.label.tolist() == [1, 1, 0, 0]
    assert named(found) == {
        "Ada_1.jpg": "Ada", "Ada_2.jpg": "Ada", "Bo_1.jpg": "Bo", "Bo_2.jpg": "Bo",
        "Bo_3.jpg": "Bo", "Cy_1.jpg": "Cy", "Di_1.jpg": "Di",
    }  # fmt: skip
    assert "agrees with all 4 labels: 4 identities" in found.notes[0]


def test_positives_tie_flat_files_together(tmp_path):
    text = "9.jpg 2.jpg 1\n2.jpg 3.jpg 1\n9.jpg 3.jpg 0\n5.jpg 6.jpg 0\n"
    found = read_pairs(write(tmp_path, text))
    assert named(found) == {
        "2.jpg": "as 2.jpg", "3.jpg": "as 2.jpg", "9.jpg": "as 2.jpg",
        "5.jpg": "as 5.jpg", "6.jpg": "as 6.jpg",
    }  # fmt: skip
    assert found.pairs.label.tolist() == [1, 1, 0, 0]
    assert "tie 5 faces to 3 identities" in found.notes[0]
    assert found.notes[1].startswith("1 pairs are labelled as different, though positives join")


def test_names_that_labels_contradict_say_nothing(tmp_path):
    """img_1 and img_2 are not two pictures of `img`."""
    text = "img_1.jpg img_2.jpg 1\nimg_3.jpg img_4.jpg 0\n"
    assert set(named(read_pairs(write(tmp_path, text))).values()) == {
        "as img_1.jpg", "as img_3.jpg", "as img_4.jpg",
    }  # fmt: skip


def test_folders_of_folders_are_told_by_the_labels(tmp_path):
    """VoxCeleb's way: a folder of a person's videos; a pair of two videos is of one person."""
    text = "1 id1/v1/1.jpg id1/v2/1.jpg\n0 id1/v1/1.jpg id2/v1/1.jpg\n1 id2/v1/1.jpg id2/v1/2.jpg\n"
    found = read_pairs(write(tmp_path, text))
    assert named(found)["id1/v2/1.jpg"] == named(found)["id1/v1/1.jpg"] == "id1"
    assert "the path down to folder 1 is taken for the identity" in found.notes[0]


def test_labels_against_the_folders_stand_and_are_counted(tmp_path):
    lines = [f"P{n}/1.jpg P{n}/2.jpg 1\nP{n}/1.jpg Q{n}/1.jpg 0\n" for n in range(5)]
    text = "".join(lines) + "P1/1.jpg P1/3.jpg 0\nP1/1.jpg P2/3.jpg 1\n"
    found = read_pairs(write(tmp_path, text))
    assert found.pairs.label.tolist()[-2:] == [0, 1]
    assert found.pairs.identities is None
    assert found.notes == (
        "1 of 12 pairs are labelled as the same and lie in two folders; the label stands",
        "1 of 12 pairs are labelled as different and lie in one folder; the label stands",
    )


def test_labels_the_wrong_way_round_are_refused(tmp_path):
    path = write(tmp_path, "A/1.jpg A/2.jpg 0\nA/1.jpg B/1.jpg 1\n")
    with pytest.raises(SourceError, match="each of its 2 labels says the opposite of the folders"):
        read_pairs(path)


@pytest.mark.parametrize("name", ["trials", "sllfw"])
@pytest.mark.parametrize(
    ("a", "b"),
    [("rei/video1/1.jpg", "rei/video2/1.jpg"), ("train/rei/1.jpg", "val/rei/2.jpg")],
    ids=["videos", "splits"],
)
def test_without_labels_folders_of_folders_are_asked_for(name, a, b, tmp_path):
    other = "train/asuka/1.jpg"
    sign = " " if name == "trials" else "\n"
    path = write(tmp_path, f"{a}{sign}{b}\n{a}{sign}{other}\n")
    assert sniff(path) == name
    with pytest.raises(SourceError, match="depends on which folder is the identity's"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1.jpg 2.jpg\n3.jpg 4.jpg\n", r"no labels, and '1\.jpg' lies in no folder"),
        ("A/1.jpg A/2.jpg\n1 A/1.jpg B/1.jpg\n", "line 2: .*expected PATH PATH, as in line 1"),
        ("2 A/1.jpg A/2.jpg\n1 A/1.jpg B/1.jpg\n", "line 1: label '2'; expected 0 or 1"),
        ("2 A b/1.jpg A b/2.jpg\n1 A b/1.jpg B/1.jpg\n", "line 2: .*expected PATH PATH, as in"),
        ("2 A b/1.jpg A b/2.jpg\n3 A b/1.jpg B c/1.jpg\n", "line 1: .* begins with a number"),
        ("A/1.jpg A/2.jpg 1\nA/1.jpg B/1.jpg\n", "line 2: .*expected PATH PATH LABEL, as in"),
        ("A/1.jpg A/2.jpg A/3.jpg 1\n", "line 1: .*expected PATH PATH LABEL or LABEL PATH PATH"),
        ("A/1 A/2 1\n", "line 1: .*in which paths end as images do"),
        ("A/1.jpg ../2.jpg 1\n", r"line 1: path '\.\./2\.jpg' leaves its folder"),
        ("A/1.jpg B/2.jpg 1\nB/2.jpg A/1.jpg 0\n", "line 2: .* have label 0, and 1 in line 1"),
    ],
    ids=["flat", "labels-of-some", "other-labels", "other-labels-of-some", "all-numbers",
         "a-label-less", "three", "no-ending", "leaves",
         "both-labels"],
)  # fmt: skip
def test_refused(text, told, tmp_path):
    path = write(tmp_path, text)
    with pytest.raises(SourceError, match=f"(?s)^{re.escape(str(path))}[,:] .*{told}"):
        read_pairs(path, "trials")


@pytest.mark.parametrize("name", ["sllfw", "calfw", "lfw", "ijb"])
@pytest.mark.parametrize(
    "text",
    ["1 A/1.jpg A/2.jpg\n0 A/1.jpg B/2.jpg\n", "A/1.jpg A/2.jpg 1\nA/1.jpg B/2.jpg 0\n",
     "A/1.jpg A/2.jpg\nA/1.jpg B/2.jpg\n", "1.jpg 2.jpg 1\n3.jpg 4.jpg 0\n",
     "A_0001.jpg A_0002.jpg 1\nA_0001.jpg B_0002.jpg 0\n", "A/1.jpg,A/2.jpg\nA/1.jpg,B/1.jpg\n"],
    ids=["before", "behind", "none", "flat", "calfw-names", "commas"],
)  # fmt: skip
def test_no_format_of_one_face_a_line_takes_two(name, text, tmp_path):
    path = write(tmp_path, text)
    assert sniff(path) == "trials"
    with pytest.raises(SourceError, match=r"line 1: "):
        read_pairs(path, name)


@pytest.mark.parametrize("name", ["sllfw", "calfw"])
def test_some_lines_of_two_faces_are_refused(name, tmp_path):
    """Not even where the others are as they should be."""
    flag, folder = (" 1", "") if name == "calfw" else ("", "A/")
    path = write(tmp_path, f"{folder}A_1.jpg{flag}\n{folder}A_2.jpg {folder}B_1.jpg{flag}\n")
    with pytest.raises(SourceError, match=r"line 2: .* names two faces; .*--from-format trials"):
        read_pairs(path, name)
    with pytest.raises(SourceError, match="looks like none of the formats"):
        sniff(path)


def test_folds_are_inferred_or_told(tmp_path):
    labels = [1, 1, 0, 0] * 3
    lines = [f"P{n}/1.jpg {'P' if x else 'Q'}{n}/2.jpg {x}" for n, x in enumerate(labels)]
    path = write(tmp_path, "\n".join(lines))
    assert read_pairs(path).folds.numbers.tolist() == np.repeat([1, 2, 3], 4).tolist()
    found = read_pairs(path, folds=6)
    assert found.folds.numbers.tolist() == np.repeat(np.arange(1, 7), 2).tolist()
    assert found.notes == (
        "6 of the 6 folds have pairs of one label alone: do the labels stand in other parts than "
        "folds?",
    )


@pytest.mark.parametrize(
    "face", ["B/1", "B/1.jpg x.jpg", "x.png y/1.jpg", "a\tb/1.jpg", "B/1.jpg "]
)
def test_what_it_cannot_hold(face, tmp_path):
    pairs = PairSet.of(["A/1.jpg"], [face], [0])
    with pytest.raises(SourceError, match=r"^trials cannot hold .*: it knows a path by"):
        trials.write(Pairs(pairs), tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_identities_that_it_does_not_keep_are_told(tmp_path):
    """What is read again is as far as its labels tell it."""
    who = {"1.jpg": "rei", "2.jpg": "rei", "3.jpg": "asuka"}
    pairs = PairSet.of(["1.jpg", "2.jpg"], ["2.jpg", "3.jpg"], [1, 0], identities=who)
    held = trials.write(Pairs(pairs), tmp_path / "x")
    assert held.notes == (
        "trials does not keep who is on a picture: 2 identities, not the folders",
    )
    assert (tmp_path / "x").read_text() == "1.jpg 2.jpg 1\n2.jpg 3.jpg 0\n"


@pytest.mark.parametrize("name", ["trials", "sllfw"])
def test_who_is_on_a_picture_may_be_said_in_place_of_labels(name, tmp_path):
    rows = [("rei/v1/1.jpg", "rei/v2/1.jpg"), ("rei/v1/1.jpg", "asuka/v1/1.jpg")]
    sign = " " if name == "trials" else "\n"
    path = write(tmp_path, "".join(f"{a}{sign}{b}\n" for a, b in rows))
    assert read_pairs(path, rule=ByLevel(1)).pairs.label.tolist() == [1, 0]
    assert read_pairs(path, rule=ByLevel(2)).pairs.label.tolist() == [0, 0]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_flat_pictures_of_any_format_are_tied_by_positives(form, tmp_path):
    """Invalid pairs tie nobody."""
    rows = [("1.jpg", "2.jpg", 1, 0), ("2.jpg", "3.jpg", 1, 1), ("3.jpg", "4.jpg", 0, 0)]
    if form == "csv":
        text = "pathA,pathB,label,human_prediction,invalid\n"
        text += "".join(f"{a},{b},{label},-1,{invalid}\n" for a, b, label, invalid in rows)
    else:
        text = "".join(
            json.dumps({"pathA": a, "pathB": b, "label": label, "invalid": invalid}) + "\n"
            for a, b, label, invalid in rows
        )
    assert named(read_pairs(write(tmp_path, text), form)) == {
        "1.jpg": "as 1.jpg", "2.jpg": "as 1.jpg", "3.jpg": "as 3.jpg", "4.jpg": "as 4.jpg",
    }  # fmt: skip
    if form == "csv":
        # What lies beside says it, if anything does.
        who = "".join(f"{n}.jpg,{'rei' if n < 4 else 'asuka'}\n" for n in range(1, 5))
        (tmp_path / "pairs.identities.csv").write_text("path,identity\n" + who)
        found = read_pairs(tmp_path / "pairs.txt", form)
        assert set(named(found).values()) == {"rei", "asuka"}
        assert not found.notes


def test_positives_alone_do_not_make_one_identity_of_one_name(tmp_path):
    """With nothing but positives any name that all share would agree with them."""
    found = read_pairs(write(tmp_path, "img_1.jpg img_2.jpg 1\nimg_3.jpg img_4.jpg 1\n"))
    assert set(named(found).values()) == {"as img_1.jpg", "as img_3.jpg"}
