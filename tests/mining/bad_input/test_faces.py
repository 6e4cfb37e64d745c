"""Bad folders of faces and too few of them: one clear message, and nothing half-written."""

from __future__ import annotations

import os
import re
import shutil

import pytest
from support.command_line import lookalikes
from support.refusals import GOOD, plant_one_identity, refused, write

from pairsets import PairSet


def plant_nothing(faces):
    shutil.rmtree(faces)


def plant_empty(faces):
    plant_nothing(faces)
    faces.mkdir()


def plant_file(faces):
    plant_nothing(faces)
    faces.write_text("no folder")


def plant_notes(faces):
    plant_empty(faces)
    write(faces / "notes.txt", "no image")


def plant_stray(faces):
    shutil.copy(faces / "a" / "0.png", faces / "0.png")


def plant_normal_forms(faces):
    for name in ("caf\u00e9", "cafe\u0301"):
        shutil.copy(faces / "a" / "0.png", faces / "b" / f"{name}.png")


def plant_one_identity_in_two_forms(faces):
    for at, name in enumerate(("caf\u00e9", "cafe\u0301")):
        (faces / name).mkdir()
        shutil.copy(faces / "a" / "0.png", faces / name / f"{at}.png")


def plant_cases(faces):
    shutil.copy(faces / "a" / "0.png", faces / "a" / "0.PNG")


def plant_link(faces):
    (faces / "a" / "link.png").symlink_to("0.png")


def plant_folder_link(faces):
    (faces / "link").symlink_to(faces / "a")


def plant_foreign_name(faces):
    try:
        write(faces / os.fsdecode(b"b\xe9.png"), b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")


def test_a_faces_folder_whose_own_name_is_not_utf8(home):
    odd = os.fsdecode(b"fac\xe9s")
    try:
        (home / "faces").rename(home / odd)
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    build = ("build", odd, "--reference", "pixels", "--pairs", 5, "--out", "run")
    assert lookalikes(*build).code == 0
    assert "fac?s" in (home / "run" / "report.html").read_text("utf-8")


FOLDERS = [
    (plant_nothing, "faces: no such folder of faces"),
    (plant_empty, "faces: no images in it; expected <identity>/<image> with .avif, .bmp"),
    (plant_file, "faces: a file; expected a folder with one folder per identity"),
    (plant_notes, "faces: no images in it; expected <identity>/<image>"),
    (plant_stray, "faces: '0.png' is outside an identity folder; expected <identity>/<image>"),
    (plant_normal_forms, "are two spellings of one path"),
    (plant_one_identity_in_two_forms, "'cafe\u0301' and 'caf\u00e9' are two spellings of one"),
    (plant_cases, "'a/0.PNG' and 'a/0.png' are two spellings of one path (upper and lower case"),
    (plant_link, "a/link.png: a link. Links are refused"),
    (plant_folder_link, "faces/link: a link. Links are refused"),
    (plant_foreign_name, r"faces: the name 'b\udce9.png' is not UTF-8"),
]


@pytest.mark.parametrize(
    ("plant", "expected"), FOLDERS, ids=[plant.__name__[6:] for plant, _ in FOLDERS]
)
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("embed", "faces", "--model", "pixels", "--out", "embeddings"),
        ("random", "faces", "--out", "random.csv"),
    ],
    ids=lambda command: command[0],
)
def test_faces(home, command, plant, expected):
    plant(home / "faces")
    assert expected in refused(home, *command)


@pytest.mark.parametrize("plant", [plant_nothing, plant_file])
def test_faces_of_pairs(home, plant):
    write(home / "pairs.csv", GOOD)
    plant(home / "faces")
    message = refused(home, "show", "pairs.csv", "--faces", "faces", "--out", "out.png")
    assert re.fullmatch("faces: (no such|a file; expected the) folder of faces", message)


def test_one_identity(embedded):
    plant_one_identity(embedded / "faces")
    alone = "1 identity; pairs of different identities need two"
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    assert refused(embedded, *build) == f"faces: {alone}"
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    assert refused(embedded, "mine", "embeddings", "--out", "a.csv") == f"embeddings: {alone}"
    assert "no negative pair exists: there are not two identities" in refused(
        embedded, "random", "faces", "--out", "r.csv"
    )
    assert lookalikes("random", "faces", "--negatives", 0, "--out", "r.csv").code == 0


def test_one_identity_after_the_ignore_list(home):
    for identity in ("a", "b", "c (twin)", "d & e", ".hidden"):
        for image in (home / "faces" / identity).iterdir():
            image.rename(image.with_name(f"not {image.name}"))
    write(home / "ignore.csv", "".join(f"not {number}.png\n" for number in range(3)))
    build = ("build", "faces", "--reference", "pixels", "--ignore-list", "ignore.csv")
    assert refused(home, *build, "--out", "run") == (
        "faces: 1 identity after the ignore list; pairs of different identities need two"
    )


def test_all_singletons(embedded):
    for image in (embedded / "faces").glob("*/[12].png"):
        image.unlink()
    # Asked first: then it stands that each is one identity.
    why, said = "6 of 6 identities have a single picture", ("--identity-level", 1)
    drawn = ("random", "faces", "--out", "r.csv")
    built = ("build", "faces", "--reference", "pixels", "--out", "run")
    embed = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    mine = ("mine", "embeddings", "--pairs", 3, "--out", "a.csv")
    assert lookalikes(*embed).code == 0
    for command in (drawn, built, mine):
        assert why in refused(embedded, *command)
    why = "faces: no positive pair exists: no identity has two faces"
    for command in (drawn, built):
        assert why in refused(embedded, *command, *said)
    assert lookalikes(*embed, *said).code == 0
    assert "no positive pair exists: no identity has two faces" in refused(embedded, *mine)
    assert lookalikes(*mine, "--positives", 0).code == 0
    assert PairSet.read("a.csv").label.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--positives", 19), "faces: 19 positive pairs asked for, but only 18 exist"),
        (("--negatives", 136), "faces: 136 negative pairs asked for, but only 135 exist"),
        (("--positives", 0, "--negatives", 0), "0 positive and 0 negative pairs asked for: there"),
    ],
)
def test_impossible_numbers_of_pairs(home, options, expected):
    assert expected in refused(home, "random", "faces", *options, "--out", "r.csv")


def test_impossible_numbers_are_told_before_anything_is_embedded(home):
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    assert "only 18 exist" in refused(home, *build, "--positives", 19)
    assert "no valid positive pair" in refused(home, *build, "--positives", 0)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "ignore.csv: no such ignore list"),
        ("folder", "ignore.csv: a folder; expected the ignore list"),
        ("a/0.png\n", "line 1: expected one base name such as 3196587.jpg, got 'a/0.png'"),
        ("0.png\n1.png,2.png\n", "line 2: expected one base name"),
        ("\xe9.png\n".encode("latin-1"), "ignore.csv: not UTF-8 text at byte 0"),
        (GOOD, "line 1: expected one base name such as 3196587.jpg, got 'pathA,pathB"),
        ("x" * 200_000, "line 1: not a base name (field larger than"),
    ],
    ids=["missing", "folder", "path", "two", "latin-1", "pair file", "endless"],
)
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("mine", "embeddings", "--out", "out.csv"),
        ("random", "faces", "--out", "out.csv"),
    ],
    ids=lambda command: command[0],
)
def test_ignore_list(embedded, command, content, expected):
    if content == "folder":
        (embedded / "ignore.csv").mkdir()
    elif content is not None:
        write(embedded / "ignore.csv", content)
    assert expected in refused(embedded, *command, "--ignore-list", "ignore.csv")
