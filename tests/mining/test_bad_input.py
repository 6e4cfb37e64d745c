"""Every kind of bad input: one clear message, the right exit code, and nothing half-written."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image
from support.command_line import contents, lookalikes, lookalikes_apart

import mining.embeddings.journal
from pairsets import PairSet

HEADER = "pathA,pathB,label,human_prediction,invalid\n"
GOOD = HEADER + "a/0.png,a/1.png,1,-1,0\na/0.png,b/0.png,0,-1,0\n"


@pytest.fixture
def home(faces_folder, monkeypatch):
    """The folder that holds `faces`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    return faces_folder.parent


@pytest.fixture
def embedded(home):
    """With `embeddings` of the faces."""
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    return home


def refused(home, *command):
    """The message of a command that fails and leaves everything as it was."""
    before = contents(home)
    message = lookalikes(*command).message
    assert contents(home) == before
    return message


def misused(home, *command):
    """The same of a wrong usage."""
    before = contents(home)
    usage = lookalikes(*command).usage
    assert contents(home) == before
    return usage


# --- pair files

PAIR_FILES = {
    "empty": (b"", "pairs.csv: empty; expected the header pathA,pathB,label,human_prediction"),
    "blank": (b"\n\n", "pairs.csv: empty; expected the header"),
    "only a BOM": (b"\xef\xbb\xbf", "pairs.csv: empty; expected the header"),
    "header only": (HEADER, "pairs.csv: a header and no pairs"),
    "no header": (
        "a/0.png,a/1.png,1,-1,0\n",
        "line 1: column pathA, pathB, label, human_prediction, invalid missing; expected exactly "
        "pathA,pathB,label,human_prediction,invalid or the first three; is the header line "
        "missing?",
    ),
    "missing columns": (
        "pathA,pathB,label,invalid\na/0.png,a/1.png,1,0\n",
        "pairs.csv, line 1: column human_prediction missing; expected exactly",
    ),
    "extra column": (
        HEADER.replace("\n", ",score\n"),
        "pairs.csv, line 1: column 'score' too many; expected exactly",
    ),
    "other order": (
        "pathB,pathA,label,human_prediction,invalid\n",
        "pairs.csv, line 1: columns pathB,pathA,label,human_prediction,invalid; expected exactly "
        "pathA,pathB,label,human_prediction,invalid or the first three, in that order",
    ),
    "a column twice": (HEADER.replace("pathB", "pathA"), "line 1: column pathB missing"),
    "semicolons": (GOOD.replace(",", ";"), "line 1: column pathA, pathB, label"),
    "label 2": (GOOD.replace("0,-1,0", "2,-1,0"), "line 3: label is '2', expected 0 or 1"),
    "label 1.0": (GOOD.replace("1,-1,0", "1.0,-1,0"), "line 2: label is '1.0', expected 0 or 1"),
    "label blank": (GOOD.replace("1,-1,0", ",-1,0"), "line 2: label is '', expected 0 or 1"),
    "label spaced": (GOOD.replace(",1,-1", ", 1,-1"), "line 2: label is ' 1', expected 0 or 1"),
    "prediction 2": (
        GOOD.replace("1,-1,0", "1,2,0"),
        "line 2: human_prediction is '2', expected 0 or 1 or -1",
    ),
    "invalid no": (GOOD.replace("-1,0\n", "-1,no\n"), "line 2: invalid is 'no', expected 0 or 1"),
    "unquoted comma": (
        GOOD + "a,b/0.png,b/0.png,0,-1,0\n",
        "line 4: 6 values, expected 5; is a comma in a path not quoted?",
    ),
    "too few values": (GOOD + "a/0.png,b/1.png,0\n", "line 4: 3 values, expected 5"),
    "open quote": (GOOD + '"a/0.png,b/1.png,0,-1,0\n', "line 4: not CSV (unexpected end of data)"),
    "endless cell": (GOOD + "a" * 200_000 + ",b/1.png,0,-1,0\n", "not CSV (field larger than"),
    "NUL": (GOOD.replace("b/0", "b/\0"), r"line 3: path 'b/\x00.png' has a NUL character"),
    "NUL label": (GOOD.replace("0,-1,0", "\0,-1,0"), r"line 3: label is '\x00', expected 0 or 1"),
    "latin-1": (GOOD.replace("b/0", "é/0").encode("latin-1"), "not UTF-8 text at byte"),
    "UTF-16": (GOOD.encode("utf-16"), "not UTF-8 text at byte 0; is it a pair file?"),
    "an image": (b"\x89PNG\r\n\x1a\n" + bytes(99), "not UTF-8 text at byte 0; is it a pair file?"),
    "..": (GOOD.replace("b/0", "../b/0"), "line 3: path '../b/0.png' leaves its folder (..)"),
    "inner ..": (GOOD.replace("b/0", "b/../../0"), "'b/../../0.png' leaves its folder (..)"),
    "absolute": (GOOD.replace("b/0", "/etc/0"), "line 3: path '/etc/0.png' is absolute"),
    "drive": (GOOD.replace("b/0", "C:/b/0"), "line 3: path 'C:/b/0.png' is absolute"),
    "./": (GOOD.replace("b/0", "./b/0"), "path './b/0.png' is not in its plain spelling"),
    "no path": (GOOD.replace("b/0.png", ""), "line 3: path '' is empty"),
    "listed twice": (
        GOOD + "a/0.png,b/0.png,0,-1,0\n",
        "line 4: 'a/0.png' and 'b/0.png' are already pair 2",
    ),
    "listed the other way round": (
        GOOD + "b/0.png,a/0.png,0,-1,0\n",
        "line 4: 'b/0.png' and 'a/0.png' are already pair 2",
    ),
    "a face with itself": (
        GOOD + "b/0.png,b/0.png,1,-1,0\n",
        "line 4: 'b/0.png' is paired with itself",
    ),
}


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", PAIR_FILES)
def test_pair_file(home, kind):
    content, expected = PAIR_FILES[kind]
    write(home / "pairs.csv", content)
    message = refused(home, "evaluate", "pairs.csv", "--faces", "faces", "--model", "pixels")
    assert message.startswith("pairs.csv")
    assert expected in message


@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--test-pairs", "pairs.csv", "--out", "out"),
        ("mine", "embeddings", "--test-pairs", "pairs.csv", "--out", "out.csv"),
        ("show", "pairs.csv", "--faces", "faces", "--out", "out.png"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (HEADER + "a/0.png,b/0.png,9,-1,0\n", "pairs.csv, line 2: label is '9', expected 0 or 1"),
        (None, "pairs.csv: no such pair file"),
        ("folder", "pairs.csv: a folder; expected a pair file"),
    ],
    ids=["wrong label", "missing", "a folder"],
)
def test_pair_file_of_other_commands(embedded, command, content, expected):
    if content == "folder":
        (embedded / "pairs.csv").mkdir()
    elif content is not None:
        write(embedded / "pairs.csv", content)
    assert refused(embedded, *command) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("a/0.png", '"a/0.png"').encode(),
        GOOD.replace("\n", "\n\n").encode(),
        GOOD.rstrip("\n").encode(),
    ],
    ids=["BOM", "CRLF", "quoted", "blank lines", "no last line end"],
)
def test_other_spellings_of_a_good_file_are_read_and_written_back_plainly(embedded, content):
    write(embedded / "pairs.csv", content)
    command = ("mine", "embeddings", "--pairs", 1, "--test-pairs", "pairs.csv", "--out", "out.csv")
    assert lookalikes(*command).code == 0
    written = (embedded / "out.csv").read_bytes()
    assert written.startswith(HEADER.encode())
    assert b"a/0.png,a/1.png,1,-1,0\n" in written
    assert not {b"\r", b'"', b"\xef\xbb\xbf"} & {written[at : at + 1] for at in range(len(written))}
    assert len(PairSet.read("out.csv")) == 2


def test_commas_and_quotes_in_names_are_quoted_and_only_those(home):
    shutil.copytree("faces/a", 'faces/x, "y"')
    assert lookalikes("random", "faces", "--negatives", 0, "--out", "r.csv").code == 0
    written = (home / "r.csv").read_text("utf-8")
    assert '"x, ""y""/0.png"' in written
    assert written.count('"x, ') == written.count("x, ") == 6
    assert 'x, "y"/0.png' in PairSet.read("r.csv").paths


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/9.png", "faces: 'a/9.png' is not there; is this the folder the pairs were made from?"),
        ("a", "faces: 'a' is not there"),
        (r"a\0.png", r"faces: 'a\\0.png' is not there"),
        ("out.png", "'out.png' is a link that leaves faces: refused"),
        ("away/0.png", "'away/0.png' is a link that leaves faces: refused"),
        ("dangling.png", "faces: 'dangling.png' is not there"),
    ],
)
@pytest.mark.parametrize("command", ["evaluate", "show"])
def test_path_in_a_pair_file(home, command, path, expected):
    (home / "elsewhere").mkdir()
    shutil.copy("faces/a/0.png", "elsewhere/0.png")
    (home / "faces" / "out.png").symlink_to(home / "elsewhere" / "0.png")
    (home / "faces" / "away").symlink_to(home / "elsewhere")
    (home / "faces" / "dangling.png").symlink_to("nowhere.png")
    write(home / "pairs.csv", HEADER + f"a/0.png,{path},0,-1,0\na/0.png,a/1.png,1,-1,0\n")
    more = ("--model", "pixels") if command == "evaluate" else ("--out", "out.png")
    assert expected in refused(home, command, "pairs.csv", "--faces", "faces", *more)


def test_pairs_of_another_folder(embedded):
    write(embedded / "pairs.csv", GOOD.replace("a/1.png", "lisa/1.png"))
    why = "'lisa/1.png' is not among the 18 faces; were the pairs made from another folder?"
    for command in (
        ("build", "faces", "--reference", "pixels", "--test-pairs", "pairs.csv", "--out", "run"),
        ("mine", "embeddings", "--test-pairs", "pairs.csv", "--out", "out.csv"),
        ("evaluate", "pairs.csv", "--embeddings", "embeddings"),
    ):
        assert why in refused(embedded, *command)


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ("a/0.png,a/1.png,1,-1,1\na/0.png,b/0.png,0,-1,0\n", "positive"),
        ("a/0.png,a/1.png,1,-1,0\na/0.png,b/0.png,0,-1,1\n", "negative"),
    ],
)
def test_one_class_left_after_dropping_invalid_rows(embedded, rows, kind):
    write(embedded / "pairs.csv", HEADER + rows)
    commands = [
        ("build", "faces", "--reference", "pixels", "--test-pairs", "pairs.csv", "--out", "run"),
        ("evaluate", "pairs.csv", "--embeddings", "embeddings"),
    ]
    if kind == "positive":
        commands.append(("mine", "embeddings", "--test-pairs", "pairs.csv", "--out", "out.csv"))
    for command in commands:
        assert refused(embedded, *command) == (
            f"pairs.csv: no valid {kind} pair among its 2 (after 1 invalid rows were left out); "
            "rates need both kinds"
        )


def test_nothing_to_show(home):
    write(home / "pairs.csv", GOOD.replace("0,-1,0", "0,-1,1"))
    message = refused(home, "show", "pairs.csv", "--faces", "faces", "--out", "out.png")
    assert message == "pairs.csv: no valid pair with label 0 to show"


# --- faces


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


def plant_one_character_in_two_forms(faces):
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


def plant_one_character(faces):
    for folder in [entry for entry in faces.iterdir() if entry.name != "a"]:
        shutil.rmtree(folder)


FOLDERS = [
    (plant_nothing, "faces: no such folder of faces"),
    (plant_empty, "faces: no images in it; expected <character>/<image> with .avif, .bmp"),
    (plant_file, "faces: a file; expected a folder with one folder per character"),
    (plant_notes, "faces: no images in it; expected <character>/<image>"),
    (plant_stray, "faces: '0.png' is outside a character folder; expected <character>/<image>"),
    (plant_normal_forms, "are two spellings of one path"),
    (plant_one_character_in_two_forms, "'cafe\u0301' and 'caf\u00e9' are two spellings of one"),
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


def test_one_character(embedded):
    plant_one_character(embedded / "faces")
    alone = "1 character; pairs of different characters need two"
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    assert refused(embedded, *build) == f"faces: {alone}"
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    assert refused(embedded, "mine", "embeddings", "--out", "a.csv") == f"embeddings: {alone}"
    assert "no negative pair exists: there are not two characters" in refused(
        embedded, "random", "faces", "--out", "r.csv"
    )
    assert lookalikes("random", "faces", "--negatives", 0, "--out", "r.csv").code == 0


def test_one_character_after_the_ignore_list(home):
    for character in ("a", "b", "c (twin)", "d & e", ".hidden"):
        for image in (home / "faces" / character).iterdir():
            image.rename(image.with_name(f"not {image.name}"))
    write(home / "ignore.csv", "".join(f"not {number}.png\n" for number in range(3)))
    build = ("build", "faces", "--reference", "pixels", "--ignore-list", "ignore.csv")
    assert refused(home, *build, "--out", "run") == (
        "faces: 1 character after the ignore list; pairs of different characters need two"
    )


def test_all_singletons(embedded):
    for image in (embedded / "faces").glob("*/[12].png"):
        image.unlink()
    # Asked first: then it stands that each is one identity.
    why, said = "6 of 6 characters have a single picture", ("--identity-level", 1)
    drawn = ("random", "faces", "--out", "r.csv")
    built = ("build", "faces", "--reference", "pixels", "--out", "run")
    embed = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    mine = ("mine", "embeddings", "--pairs", 3, "--out", "a.csv")
    assert lookalikes(*embed).code == 0
    for command in (drawn, built, mine):
        assert why in refused(embedded, *command)
    why = "faces: no positive pair exists: no character has two faces"
    for command in (drawn, built):
        assert why in refused(embedded, *command, *said)
    assert lookalikes(*embed, *said).code == 0
    assert "no positive pair exists: no character has two faces" in refused(embedded, *mine)
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


# --- images


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def giant_png():
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def truncated_jpeg():
    stream = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[:900]


@pytest.fixture
def broken(home):
    """Broken images of many kinds beside the good ones: path -> what is said of it."""
    folder = home / "faces" / "b"
    write(folder / "empty.jpg", b"")
    write(folder / "cut.jpg", truncated_jpeg())
    write(folder / "text.png", "not a picture at all")
    write(folder / "giant.png", giant_png())
    write(folder / "header.webp", b"RIFF\x24\x00\x00\x00WEBPVP8 ")
    os.mkfifo(folder / "pipe.png")
    os.mkfifo(folder / "._pipe.png")
    (folder / "folder.jpg").mkdir()
    return {
        "b/empty.jpg": "the file is empty (0 bytes)",
        "b/cut.jpg": "is damaged or cut off",
        "b/text.png": "is none of JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF: it begins with b'not a",
        "b/giant.png": "60000 x 60000 pixels is more than the limit of 50,000,000 pixels",
        "b/header.webp": "WEBP",
        "b/pipe.png": "is not a regular file",
        "b/._pipe.png": "is not a regular file",
    }


@pytest.mark.parametrize("command", ["build", "embed"])
def test_all_unreadable_images_are_listed(home, broken, command):
    model = "--reference" if command == "build" else "--model"
    message = lookalikes(
        *(command, "faces", model, "pixels", "--out", "out", "--batch-size", 4)
    ).message
    first, *lines, last = message.splitlines()
    assert first == "7 of 25 images in faces cannot be used:"
    assert last == "Mend or remove them, or leave them out with --on-error skip."
    listed = dict(line.strip().split(": ", 1) for line in lines)
    assert listed.keys() == broken.keys()
    assert all(broken[path] in cause for path, cause in listed.items())
    assert not list(home.rglob("manifest.json"))


def test_unreadable_images_are_left_out_and_counted(home, broken):
    command = ("build", "faces", "--reference", "pixels", "--pairs", 9, "--on-error", "skip")
    assert (
        "7 left out: images that cannot be read 18 faces embedded"
        in lookalikes(*command, "--out", "run").summary
    )
    manifest = json.loads(next((home / "run").glob("embeddings/*/manifest.json")).read_text())
    assert manifest["skipped"].keys() == broken.keys()
    listed = (home / "run" / "faces.csv").read_text("utf-8")
    assert not [path for path in broken if path in listed]


def test_no_readable_image_at_all(home):
    for image in (home / "faces").glob("*/*.png"):
        image.write_bytes(b"")
    command = ("embed", "faces", "--model", "pixels", "--on-error", "skip", "--out", "out")
    assert lookalikes(*command).message.startswith("18 of 18 images in faces cannot be used:")


def test_mended_images_complete_the_embeddings(home, broken):
    command = ("embed", "faces", "--model", "pixels", "--out")
    assert lookalikes(*command, "out").code == 1
    for path in broken:
        (home / "faces" / path).unlink()
    assert lookalikes(*command, "out").code == 0
    assert lookalikes(*command, "fresh").code == 0
    resumed, fresh = contents(home / "out"), contents(home / "fresh")
    assert resumed == fresh


# --- models and options


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("resnet", "no model family is called 'resnet'"),
        ("tim:resnet18", "no model family is called 'tim'; did you mean 'timm'?"),
        ("", "no model family is called ''"),
        ("pixels:16", "pixels takes no argument"),
        ("timm:resnet1800", "timm has no 'resnet1800'; did you mean"),
        ("timm:", "expected timm:NAME or timm:NAME@WEIGHTS"),
        ("timm:resnet18@nowhere.safetensors", "nowhere.safetensors: no such file or folder"),
        ("python:nowhere:factory", "no module 'nowhere'"),
        ("animecv:nowhere.zip", "nowhere.zip"),
    ],
)
def test_model(home, model, expected):
    message = refused(home, "embed", "faces", "--model", model, "--out", "out")
    assert repr(model) in message or "nowhere" in message
    assert expected in message


def test_pretrained_weights_without_a_network(home, monkeypatch):
    def unreachable(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    waits = []
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home / "cache"))
    message = lookalikes("embed", "faces", "--model", "timm:resnet18", "--out", "out").message
    assert "timm's pretrained weights of resnet18 could not be fetched" in message
    assert "Give weights you have: timm:resnet18@WEIGHTS" in message
    assert waits == []


def test_model_of_other_commands(home):
    write(home / "pairs.csv", GOOD)
    for command in (
        ("build", "faces", "--reference", "pixel", "--out", "run"),
        ("build", "faces", "--reference", "pixels", "--model", "pixel", "--out", "run"),
        ("evaluate", "pairs.csv", "--faces", "faces", "--model", "pixel"),
    ):
        assert "did you mean 'pixels'?" in refused(home, *command)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("embed", "faces", "--out", "out"), "Missing option '--model'"),
        (("embed", "faces", "--model", "pixels"), "Missing option '--out'"),
        (("embed", "--model", "pixels", "--out", "out"), "Missing argument 'FACES'"),
        (("embde",), "No such command 'embde'"),
        (("random", "faces", "--out", "r.csv", "--banana"), "No such option: --banana"),
        (("random", "faces", "--out", "r.csv", "--positives", -1), "value for '--positives'"),
        (("random", "faces", "--out", "r.csv", "--positives", "x"), "value for '--positives'"),
        (("random", "faces", "--out", "r.csv", "--seed", -1), "value for '--seed'"),
        (("mine", "embeddings", "--out", "a.csv", "--pairs", 0), "value for '--pairs'"),
        (("mine", "embeddings", "--out", "a.csv", "--recall"), "name one with --index"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--test-pairs", "p.csv", "--positives", 1),
            "leave out --positives",
        ),
        (("mine", "embeddings", "--out", "a.csv", "--label", "both"), "is not one of 'negative'"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--negatives", 1),
            "--negatives are mined, --pairs says how many; --positives are drawn to join them",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--label", "positive", "--positives", 1),
            "--positives are mined, --pairs says how many; --negatives are drawn to join them",
        ),
        (
            (
                *("mine", "embeddings", "--out", "a.csv", "--label", "positive"),
                *("--test-pairs", "p.csv", "--negatives", 1),
            ),
            "--test-pairs has its negatives; leave out --negatives",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--label", "positive", "--index", "HNSW8"),
            "leave it out with --label positive",
        ),
        (
            (
                "build",
                "faces",
                "--reference=pixels",
                "--out=run",
                "--test-pairs=p",
                "--negatives=1",
            ),
            "leave out --positives, --negatives",
        ),
        (
            ("show", "p.csv", "--faces", "faces", "--out", "s.png", "--count", 0),
            "value for '--count'",
        ),
        (
            ("show", "p.csv", "--faces", "faces", "--out", "s.png", "--label", 2),
            "value for '--label'",
        ),
        (
            ("build", "faces", "--reference=pixels", "--out=run", "--fusion=mean"),
            "--fusion is of several; give --reference more than once",
        ),
        (
            ("build", "faces", "--reference=a", "--reference=b", "--out=run", "--fusion=max"),
            "'max' is not one of 'mean', 'min'",
        ),
        (("build", "faces", "--out=run"), "Missing option '--reference'"),
        (("mine", "--out", "a.csv"), "Missing argument 'EMBEDDINGS...'"),
        (
            ("mine", "embeddings", "--out", "a.csv", "--fusion", "min"),
            "--fusion is of several; give more than one EMBEDDINGS",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "mps"),
            "'mps' is none of auto, cpu, cuda, cuda:N",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "cpu", "--index", "HNSW8"),
            "--device is that of the exact search; leave it out with --index",
        ),
        (
            ("mine", "embeddings", "--out", "a.csv", "--device", "cpu", "--label", "positive"),
            "--device is that of the exact search; leave it out with --label positive",
        ),
        (("show", "p.csv", "--faces", "faces", "--out", "s.png", "--model", "m"), "with --scores"),
        (("evaluate", "p.csv", "--published", "both"), "is not one of 'random', 'adversarial'"),
    ],
)
def test_usage(home, command, expected):
    assert expected in misused(home, *command)


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--on-error", "banana", "'banana' is not one of 'fail', 'skip'"),
        ("--precision", "fp8", "'fp8' is not one of 'fp32', 'bf16'"),
        ("--device", "tpu", "'tpu' is none of auto, cpu, cuda, cuda:N, mps"),
        ("--device", "cuda:", "'cuda:' is none of auto, cpu, cuda, cuda:N, mps"),
        ("--batch-size", 0, "value for '--batch-size'"),
        ("--batch-size", 10**9, "value for '--batch-size'"),
        ("--workers", 0, "value for '--workers'"),
        ("--max-pixels", 0, "value for '--max-pixels'"),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("embed", "faces", "--model", "pixels", "--out", "out"),
        ("evaluate", "pairs.csv", "--faces", "faces", "--model", "pixels"),
    ],
    ids=lambda command: command[0],
)
def test_choices(home, command, option, value, expected):
    if command[0] == "evaluate" and option == "--on-error":
        expected = "No such option: --on-error"
    assert expected in misused(home, *command, option, value)


@pytest.mark.parametrize("target", ["2", "-0.1", "nan", "inf", "huma", "", "13.9%", "1e999"])
@pytest.mark.parametrize(
    "command",
    [
        ("build", "faces", "--reference", "pixels", "--out", "run"),
        ("evaluate", "pairs.csv"),
    ],
    ids=lambda command: command[0],
)
def test_target_fnr(home, command, target):
    usage = misused(home, *command, f"--target-fnr={target}")
    assert f"{target!r} is neither 'human' nor a share from 0 to 1" in usage


def test_human_target_where_nobody_judged(embedded):
    write(embedded / "pairs.csv", GOOD)
    build = ("build", "faces", "--reference", "pixels", "--out", "run")
    for command in (
        build,
        (*build, "--test-pairs", "pairs.csv"),
        ("evaluate", "pairs.csv", "--embeddings", "embeddings"),
    ):
        message = refused(embedded, *command, "--target-fnr", "human")
        assert re.match(
            r"the human FNR was asked for, but \d+ valid pairs are not judged; "
            r"give a number such as 0\.139$",
            message,
        )


@pytest.mark.parametrize(
    "factory", ["banana", "", "IVF0,Flat", "IVF9999,Flat", "HNSW0", "HNSW1", "PQ7", "IDMap,Flat"]
)
def test_index_factory(embedded, factory):
    message = refused(embedded, "mine", "embeddings", "--out", "a.csv", f"--index={factory}")
    assert repr(factory) in message


# --- rules and exclusions

MINERS = {
    "build": ("build", "faces", "--reference", "pixels", "--out", "run"),
    "mine": ("mine", "embeddings", "--out", "a.csv"),
}
miners = pytest.mark.parametrize("command", MINERS.values(), ids=MINERS)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-per-image", 0),
        ("--max-per-character", -1),
        ("--max-per-character-pair", "1.5"),
        ("--margin", -0.1),
        ("--margin", "nan"),
        ("--relative-margin", "nan"),
        ("--relative-margin", 5),
        ("--relative-margin", -0.1),
        ("--min-score", "high"),
    ],
)
@miners
def test_rule_outside_its_bounds(home, command, option, value):
    assert f"value for '{option}'" in misused(home, *command, f"{option}={value}")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--min-score=nan",), "min_score of nan; expected a finite number"),
        (("--max-score=-inf",), "max_score of -inf; expected a finite number"),
        (("--margin=inf",), "margin of inf; expected a finite number"),
        (
            ("--min-score=0.5", "--max-score=0.1"),
            "min_score of 0.5 above max_score of 0.1: no score is between them; are the two "
            "swapped?",
        ),
    ],
)
@miners
def test_rules_that_contradict_themselves(embedded, command, options, expected):
    assert refused(embedded, *command, *options) == expected


@miners
def test_margin_without_positives(embedded, command):
    # That is for the ignore list: faces would be asked about.
    (embedded / "ignore.csv").write_text("1.png\n2.png\n")
    why = (
        "a margin was asked for, but none of the 6 faces has another of its own character to be "
        "compared with; leave the margin out"
    )
    options = ("--positives", 0, "--ignore-list", "ignore.csv", "--margin", 0)
    assert refused(embedded, *command, *options) == why


def test_margin_for_hard_positives(embedded):
    mine = (*MINERS["mine"], "--label", "positive", "--margin", 0.1)
    assert refused(embedded, *mine) == (
        "a margin keeps pairs of different characters below the positives; it does not apply to "
        "hard positives"
    )


@pytest.fixture
def twice(embedded, monkeypatch):
    """With `colours`, the embeddings of a second model, `python:means:colours`."""
    write(
        embedded / "means.py",
        "import numpy as np\n"
        "def colours():\n"
        "    return lambda images: np.array([np.asarray(i, float).mean((0, 1)) for i in images])\n",
    )
    monkeypatch.syspath_prepend(embedded)
    monkeypatch.delitem(sys.modules, "means", raising=False)
    embed = ("embed", "faces", "--model", "python:means:colours", "--out", "colours")
    assert lookalikes(*embed).code == 0
    return embedded


SEVERAL = {
    "build": (*MINERS["build"], "--reference", "python:means:colours"),
    "mine": ("mine", "embeddings", "colours", "--out", "a.csv"),
}


@pytest.mark.parametrize("command", SEVERAL.values(), ids=SEVERAL)
@pytest.mark.parametrize(
    "options",
    [("--min-score=0.5",), ("--max-score=0.5",), ("--margin=0.1",), ("--relative-margin=0.1",)],
)
def test_limits_of_one_models_scores_for_several(twice, command, options):
    name = options[0][2:].partition("=")[0].replace("-", "_")
    assert refused(twice, *command, *options) == (
        f"{name} with several references, whose scores share no scale: leave out one or the other"
    )


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--index", "HNSW8"), "an approximate index"),
        (("--index", "HNSW8", "--recall"), "an approximate index"),
        (("--label", "positive"), "hard positives"),
    ],
)
def test_what_one_reference_alone_can_do(twice, options, what):
    message = refused(twice, *SEVERAL["mine"], *options)
    assert message == f"{what} of several references; mine those of one alone"


def test_a_reference_given_twice(twice):
    told = "reference pixels is given twice; name different models"
    assert refused(twice, *SEVERAL["build"], "--reference", "pixels") == told
    assert refused(twice, "mine", "embeddings", "embeddings", "--out", "a.csv") == told
    shutil.copytree(twice / "embeddings", twice / "again")
    assert refused(twice, "mine", "embeddings", "colours", "again", "--out", "a.csv") == told


def test_references_over_other_faces(twice):
    (twice / "faces" / "a" / "0.png").unlink()
    embed = ("embed", "faces", "--model", "python:means:colours", "--out", "fewer")
    assert lookalikes(*embed).code == 0
    message = refused(twice, "mine", "embeddings", "fewer", "--out", "a.csv")
    assert message.startswith(
        "references pixels and python:means:colours are over different faces: 'a/0.png' is among"
    )
    (twice / "ignore.csv").write_text("0.png\n")
    mine = ("mine", "embeddings", "fewer", "--ignore-list", "ignore.csv", "--out", "a.csv")
    assert lookalikes(*mine).code == 0


def test_a_second_folder_is_an_input_too(twice):
    before = contents(twice)
    mine = ("mine", "embeddings", "colours", "--out", "colours/images.csv", "--overwrite")
    assert "is read by this command" in lookalikes(*mine).message
    assert contents(twice) == before


@pytest.mark.parametrize("command", MINERS.values(), ids=MINERS)
def test_a_device_that_is_not_there(embedded, command):
    """Told before the work, also where no model needs it."""
    message = refused(embedded, *command, "--device", "cuda:99")
    assert re.match(r"device 'cuda:99' is not to be had: .*; ask for auto or cpu$", message)


def test_rules_for_an_approximate_index(embedded):
    mine = (*MINERS["mine"], "--index", "HNSW8")
    why = (
        " with an approximate index, which finds the best pairs alone; leave the index out: the "
        "exact search keeps to every rule"
    )
    message = refused(embedded, *mine, "--max-per-image", 2, "--min-score", 0)
    assert message == f"min_score, max_per_image{why}"
    write(embedded / "x.csv", GOOD)
    assert refused(embedded, *mine, "--exclude", "x.csv") == f"exclude{why}"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "x.csv: no such file of pairs to exclude"),
        ("folder", "x.csv: a folder; expected a file of pairs to exclude"),
        ("", "x.csv: empty; expected a header with pathA and pathB"),
        (
            "pathA,path_b\na/0.png,b/0.png\n",
            "x.csv, line 1: column pathB missing; expected pathA and pathB among the columns, got "
            "pathA,path_b; is the header line missing?",
        ),
        (GOOD + "a/0.png\n", "x.csv, line 4: 1 values, expected 5"),
        (b"\x89PNG", "x.csv: not UTF-8 text at byte 0; is it a file of pairs?"),
    ],
    ids=["missing", "folder", "empty", "columns", "short row", "image"],
)
@miners
def test_file_of_pairs_to_exclude(embedded, command, content, expected):
    if content == "folder":
        (embedded / "x.csv").mkdir()
    elif content is not None:
        write(embedded / "x.csv", content)
    write(embedded / "good.csv", GOOD)
    assert refused(embedded, *command, "--exclude", "good.csv", "--exclude", "x.csv") == expected


def test_no_hard_positives(embedded):
    for image in (embedded / "faces").glob("*/[12].png"):
        image.unlink()
    embed = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    assert lookalikes(*embed, "--identity-level", 1).code == 0
    mine = (*MINERS["mine"], "--label", "positive")
    assert refused(embedded, *mine) == (
        "no pair of one character exists: none of the 6 faces has another of its own character"
    )


def test_negatives_that_hard_positives_cannot_be_joined_by(embedded):
    mine = (*MINERS["mine"], "--label", "positive", "--test-pairs", "test.csv")
    write(embedded / "test.csv", GOOD + "b/0.png,b/1.png,0,-1,0\n")
    assert refused(embedded, *mine) == (
        "test.csv: pair 3 (b/0.png, b/1.png) has label 0, but the two lie in the folder of one "
        "character; the miner goes by the folders"
    )
    write(embedded / "test.csv", GOOD.replace("0,-1,0", "0,-1,1"))
    assert "test.csv: no valid negative pair among its 2" in refused(embedded, *mine)
    plant_one_character(embedded / "faces")
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    mine = (*MINERS["mine"], "--label", "positive", "--pairs", 2)
    assert "no negative pair exists: there are not two characters" in refused(embedded, *mine)
    assert lookalikes(*mine, "--negatives", 0).code == 0
    assert PairSet.read("a.csv").label.tolist() == [1, 1]


# --- embeddings


def spoil_manifest(**changes):
    def spoil(folder):
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        manifest = {key: value for key, value in (manifest | changes).items() if value is not ...}
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return spoil


def spoil(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def drop(name):
    return lambda folder: (folder / name).unlink()


def truncate(folder):
    data = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(data[:-100])


def save(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive():
    stream = io.BytesIO()
    np.savez(stream, np.zeros((18, 772), np.float32))
    return stream.getvalue()


class Bomb:
    """Raises where it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('unpickled')",)


SPOILT = {
    "no manifest": (drop("manifest.json"), "not a finished folder of embeddings (manifest.json is"),
    "no images": (
        drop("images.csv"),
        "not a finished folder of embeddings (images.csv is missing)",
    ),
    "no vectors": (drop("vectors.npy"), "(vectors.npy is missing); make it with: lookalikes embed"),
    "truncated": (truncate, "damaged embeddings"),
    "0 bytes": (spoil("vectors.npy", b""), "damaged embeddings"),
    "no array": (spoil("vectors.npy", b"not an array"), "damaged embeddings"),
    "archive": (spoil("vectors.npy", archive()), "damaged embeddings"),
    "pickled": (
        spoil("vectors.npy", save(np.array([Bomb()] * 18, object))),
        "damaged embeddings (vectors.npy: Array can't be memory-mapped: Python objects in dtype.)",
    ),
    "float64": (
        spoil("vectors.npy", save(np.ones((18, 772)))),
        "float64 vectors (18, 772) and 18 images where the manifest has float32 (18, 772)",
    ),
    "fewer rows": (
        spoil("vectors.npy", save(np.ones((17, 772), np.float32))),
        "float32 vectors (17, 772) and 18 images where the manifest has float32 (18, 772)",
    ),
    "other shape": (spoil_manifest(dimensions=5), "has float32 (18, 5); files of two runs mixed?"),
    "not finite": (
        spoil("vectors.npy", save(np.full((18, 772), np.nan, np.float32))),
        "vectors.npy is not the one its manifest describes",
    ),
    "newer": (spoil_manifest(schema=99), "schema 99, this version reads 1; made by another"),
    "no schema": (spoil_manifest(schema=...), "manifest.json is not that of embeddings"),
    "no model": (spoil_manifest(model=..., provenance=...), "model is missing; expected a text"),
    "list": (
        spoil("manifest.json", b"[]"),
        "manifest.json: []; expected the manifest of embeddings",
    ),
    "no JSON": (spoil("manifest.json", b"{"), "manifest.json: not JSON"),
    "deep JSON": (spoil("manifest.json", b"[" * 10**6), "manifest.json: nested too deeply"),
    "binary": (spoil("manifest.json", b"\xff\xfe"), "manifest.json: not UTF-8 text at byte 0"),
    "no header": (spoil("images.csv", b"a/0.png,0\n"), "does not begin with path,sha256"),
    "short rows": (
        spoil("images.csv", b"path,sha256\na/0.png\n"),
        "lines that are not path,sha256",
    ),
    "open quote": (spoil("images.csv", b'path,sha256\n"a'), "unexpected end of data"),
    "a face twice": (spoil("images.csv", b"path,sha256\na/0,0\na/0,0\n"), "'a/0' is listed twice"),
}


@pytest.mark.parametrize("kind", SPOILT)
def test_damaged_embeddings(embedded, kind):
    damage, expected = SPOILT[kind]
    sound = contents(embedded / "embeddings")
    damage(embedded / "embeddings")
    message = refused(embedded, "mine", "embeddings", "--out", "a.csv")
    assert expected in message
    assert message.startswith("embeddings: ")
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    assert contents(embedded / "embeddings") == sound


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("nowhere", "nowhere: not a finished folder of embeddings (manifest.json is missing)"),
        ("faces", "faces: not a finished folder of embeddings"),
        ("faces/a/0.png", "faces/a/0.png: not a finished folder of embeddings"),
    ],
)
def test_not_a_folder_of_embeddings(home, folder, expected):
    write(home / "pairs.csv", GOOD)
    assert expected in refused(home, "mine", folder, "--out", "a.csv")
    assert expected in refused(home, "evaluate", "pairs.csv", "--embeddings", folder)


@pytest.mark.parametrize(
    "journal",
    [
        b"nonsense\n",
        b"[]\n",
        b'{"fingerprint":"F"}\n',
        b'{"fingerprint":"F","dimensions":"many"}\n',
        b'{"fingerprint":"F","dimensions":-1}\n{"crc32":0,"sources":[]}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0,"sources":[["a/0.png"]]}\n',
        b'{"fingerprint":"F","dimensions":999999999999}\n{"crc32":0,"sources":[[1,2,3,4,5,6]]}\n',
        b'{"fingerprint":"F","dimensions":772}\n{"crc32":0,"sources":[["a/0.png","0",1,1,1,1]]}',
    ],
)
def test_damaged_journal_is_thrown_away(embedded, journal):
    fingerprint = json.loads((embedded / "embeddings/manifest.json").read_text())["fingerprint"]
    (embedded / "out" / "partial").mkdir(parents=True)
    write(embedded / "out/partial/journal.jsonl", journal.replace(b"F", fingerprint.encode(), 1))
    write(embedded / "out/partial/vectors.f32", bytes(4 * 772))
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "out").code == 0
    assert contents(embedded / "out") == contents(embedded / "embeddings")


# --- scores

SCORES = "pathA,pathB,score\na/0.png,a/1.png,0.9\nb/0.png,a/0.png,0.1\n"
SCORE_FILES = {
    "missing": (None, "scores.csv: no such score file"),
    "folder": ("folder", "scores.csv: a folder; expected a score file"),
    "empty": ("", "scores.csv, line 1: column pathA, pathB, score missing"),
    "no score": ("pathA,pathB\n", "scores.csv, line 1: column score missing"),
    "header only": ("pathA,pathB,score\n", "scores.csv: no score of any of the 2 pairs"),
    "other pairs": (SCORES.replace(".png", ".jpg"), "no score of any of the 2 pairs; are they an"),
    "one pair": (
        SCORES.partition("b/")[0],
        "1 of 2 valid pairs have no score of scores, the first a/0.png, b/0.png",
    ),
    "twice": (SCORES + "a/0.png,b/0.png,0.1\n", "line 4: a second score of a/0.png, b/0.png for"),
    "word": (SCORES.replace("0.1", "high"), "line 3: score is 'high', expected a number"),
    "blank": (SCORES.replace("0.1", ""), "1 of 2 valid pairs have no score of scores, the first"),
    "nan": (SCORES.replace("0.1", "nan"), "1 of 2 valid pairs have no score of scores, the first"),
    "infinite": (SCORES.replace("0.1", "-inf"), "1 of 2 valid pairs have no score of scores"),
    "too large": (SCORES.replace("0.1", "1e999"), "line 3: score is '1e999', expected a finite"),
    "short row": (SCORES + "a/0.png\n", "line 4: more or fewer values than line 1 has"),
    "long row": (SCORES + "a,b/0.png,b/0.png,1\n", "line 4: more or fewer values than line 1"),
    "short first": (
        "score,pathA,pathB\n0.5\n",
        "line 2: more or fewer values than line 1 has; is a comma in a path not quoted?",
    ),
    "latin-1": ("pathA,pathB,score\n\xe9,b,1\n".encode("latin-1"), "scores.csv: not a CSV file"),
    "open quote": (SCORES + '"', "scores.csv: not a CSV file (unexpected end of data)"),
}


@pytest.mark.parametrize("kind", SCORE_FILES)
@pytest.mark.parametrize("command", ["evaluate", "show"])
def test_score_file(home, command, kind):
    content, expected = SCORE_FILES[kind]
    write(home / "pairs.csv", GOOD)
    if content == "folder":
        (home / "scores.csv").mkdir()
    elif content is not None:
        write(home / "scores.csv", content)
    more = () if command == "evaluate" else ("--faces", "faces", "--out", "out.png")
    message = refused(home, command, "pairs.csv", "--scores", "scores.csv", *more)
    assert message.startswith("scores.csv")
    assert expected in message


def test_scores_of_one_model_from_two_sources(embedded):
    write(embedded / "pairs.csv", GOOD)
    write(embedded / "pixels.csv", SCORES)
    command = ("evaluate", "pairs.csv", "--embeddings", "embeddings", "--scores", "pixels.csv")
    message = refused(embedded, *command)
    assert message == "embeddings: scores of pixels are given twice, here and in pixels.csv"


def test_scores_of_an_unknown_model(home):
    write(home / "pairs.csv", GOOD)
    write(home / "scores.csv", SCORES)
    command = ("show", "pairs.csv", "--faces", "faces", "--scores", "scores.csv", "--model", "best")
    message = refused(home, *command, "--out", "out.png")
    assert message == "scores.csv: no scores of best; it has scores"


def test_nothing_to_evaluate(home):
    write(home / "pairs.csv", GOOD)
    assert refused(home, "evaluate", "pairs.csv", "--out", "table") == (
        "pairs.csv: nobody judged these pairs and no model is given; "
        "name scores, embeddings or a model"
    )
    assert "--model needs --faces" in refused(home, "evaluate", "pairs.csv", "--model", "pixels")


# --- where the output goes


@pytest.fixture
def full(embedded):
    """With everything that the commands make."""
    for command in (
        ("build", "faces", "--reference", "pixels", "--pairs", 9, "--out", "run"),
        ("random", "faces", "--out", "random.csv"),
        ("mine", "embeddings", "--out", "a.csv"),
        ("evaluate", "a.csv", "--embeddings", "embeddings", "--out", "table"),
        ("show", "a.csv", "--faces", "faces", "--out", "show.png"),
    ):
        assert lookalikes(*command).code == 0
    return embedded


def test_existing_output(full):
    rebuild = ("build", "faces", "--reference", "pixels", "--pairs", 5, "--out", "run")
    commands = {
        "run": rebuild,
        "random.csv": ("random", "faces", "--positives", 1, "--out", "random.csv"),
        "a.csv": ("mine", "embeddings", "--pairs", 5, "--out", "a.csv"),
        "table.md": ("evaluate", "random.csv", "--embeddings", "embeddings", "--out", "table"),
        "show.png": ("show", "a.csv", "--faces", "faces", "--count", 1, "--out", "show.png"),
    }
    for name, command in commands.items():
        message = refused(full, *command)
        assert message.startswith(f"{name}: exists")
        assert "--overwrite" in message
    before = contents(full)
    for name, command in commands.items():
        assert lookalikes(*command, "--overwrite").code == 0
        changed = {path for path, data in contents(full).items() if before.get(path) != data}
        assert name in changed or f"{name}/adversarial.csv" in changed
    assert contents(full).keys() == before.keys()


@pytest.mark.parametrize("beside", ["a.json", "a.scores.csv"])
def test_files_written_beside_the_output_are_not_replaced_unasked(embedded, beside):
    write(embedded / beside, "dear to somebody")
    message = refused(embedded, "mine", "embeddings", "--out", "a.csv")
    assert message == (f"{beside}: exists; choose another --out, or replace it with --overwrite")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("evaluate", "a.csv", "--embeddings", "embeddings", "--out", "a"), "a.csv"),
        (("show", "a.csv", "--faces", "faces", "--out", "a.csv"), "a.csv"),
        (("mine", "embeddings", "--test-pairs", "a.csv", "--out", "a.csv"), "a.csv"),
        (("mine", "embeddings", "--exclude", "a.csv", "--out", "a.csv"), "a.csv"),
        (("mine", "embeddings", "--out", "embeddings/images.csv"), "embeddings/images.csv"),
        (("mine", "embeddings", "--out", "embeddings/manifest.csv"), "embeddings/manifest.json"),
        (("random", "faces", "--ignore-list", "a.csv", "--out", "a.csv"), "a.csv"),
    ],
)
def test_an_input_is_never_replaced(embedded, command, name):
    assert lookalikes("random", "faces", "--out", "a.csv").code == 0
    message = refused(embedded, *command, "--overwrite")
    assert message == f"{name}: is read by this command; choose another --out"


FACES_OUT = "inside the faces folder faces, where its pictures would become faces"
OUTPUTS = [
    (("build", "faces", "--reference", "pixels"), "faces/run", FACES_OUT),
    (("build", "faces", "--reference", "pixels"), "faces", FACES_OUT),
    (("build", "faces", "--reference", "pixels"), "file", "file: a file; expected a folder"),
    (("build", "faces", "--reference", "pixels"), "file/run", "file is a file, not a folder"),
    (("build", "faces", "--reference", "pixels"), "other", "other: exists and is not empty"),
    (("embed", "faces", "--model", "pixels"), "faces/embeddings", FACES_OUT),
    (("embed", "faces", "--model", "pixels"), "file", "file: a file; expected a folder"),
    (("embed", "faces", "--model", "pixels"), "file/out", "file is a file, not a folder"),
    (("embed", "faces", "--model", "pixels"), "other", "other: holds something else than embed"),
    (("random", "faces"), "other", "other: a folder; expected the name of a file to write"),
    (("random", "faces"), "r.json", "r.json: the manifest's name; expected that of a pair file"),
    (("random", "faces"), "file/r.csv", "file is a file, not a folder"),
    (("mine", "embeddings"), "other", "other: a folder; expected the name of a file to write"),
    (("mine", "embeddings"), "a.json", "a.json: the manifest's name; expected that of a pair"),
    (("show", "pairs.csv", "--faces", "faces"), "faces/a/9.png", FACES_OUT),
    (("show", "pairs.csv", "--faces", "faces"), "show.gif", "a figure is written as .png or .svg"),
    (("evaluate", "pairs.csv", "--embeddings", "embeddings"), ".", "to begin the tables' names"),
    (("evaluate", "pairs.csv", "--embeddings", "embeddings"), "file/t", "file is a file, not"),
]


@pytest.mark.parametrize(
    ("command", "out", "expected"), OUTPUTS, ids=[f"{c[0]} {out}" for c, out, _ in OUTPUTS]
)
def test_output(embedded, command, out, expected):
    write(embedded / "pairs.csv", GOOD)
    write(embedded / "file", "dear to somebody")
    (embedded / "other").mkdir()
    write(embedded / "other" / "manifest.json", "dear to somebody")
    assert expected in refused(embedded, *command, "--out", out)


def test_embeddings_in_use(embedded):
    script = (
        "import sys\nfrom pathlib import Path\nfrom mining.embeddings.journal import exclusive\n"
        "with exclusive(Path('embeddings')):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout.readline() == b"held\n"
        message = refused(embedded, "embed", "faces", "--model", "pixels", "--out", "embeddings")
        other.stdin.close()
    assert message.startswith(f"embeddings: process {other.pid}, at work since 20")
    assert message.endswith(", embeds into it; wait until it is done")


# --- a disk that is full or may not be written to

TOO_LARGE = "File too large; nothing half-written is left: make room"


def limited(size):
    """Python lines after which no file of more than `size` bytes can be written."""
    return f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


@pytest.mark.parametrize("size", [100, 5000])
def test_full_disk_while_mining(embedded, size):
    pytest.importorskip("resource")
    mine = ("mine", "embeddings", "--out", "a.csv")
    assert lookalikes(*mine, "--pairs", 3).code == 0
    before = contents(embedded)
    again = lookalikes_apart(*mine, "--overwrite", before=limited(size))
    name = "a.csv" if size == 100 else "a.scores.csv"
    assert again.message.startswith(f"{name}: {TOO_LARGE}")
    assert contents(embedded) == before
    assert lookalikes(*mine, "--overwrite").code == 0
    assert len(PairSet.read("a.csv")) == 18 + 135


def test_full_disk_while_embedding(embedded):
    pytest.importorskip("resource")
    embed = ("embed", "faces", "--model", "pixels", "--batch-size", 4, "--out", "out")
    failed = lookalikes_apart(*embed, before=limited(30_000))
    assert failed.message.startswith(f"out/partial: {TOO_LARGE}")
    assert [name for name in contents(embedded / "out") if "/" not in name] == ["partial"]
    assert "not a finished folder" in lookalikes("mine", "out", "--out", "a.csv").message
    assert (embedded / "out/partial/journal.jsonl").read_text("utf-8").count("crc32") == 2
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "out") == read_vectors(embedded / "embeddings")


def test_full_disk_leaves_the_old_embeddings(embedded):
    pytest.importorskip("resource")
    (embedded / "faces" / "a" / "0.png").rename(embedded / "faces" / "a" / "9.png")
    before = read_vectors(embedded / "embeddings")
    embed = ("embed", "faces", "--model", "pixels", "--out", "embeddings")
    failed = lookalikes_apart(*embed, before=limited(30_000))
    assert failed.message.startswith(f"embeddings/partial/vectors.npy: {TOO_LARGE}")
    assert read_vectors(embedded / "embeddings") == before
    assert lookalikes("mine", "embeddings", "--out", "a.csv").code == 0
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "embeddings") != before


def read_vectors(folder):
    return [(folder / name).read_bytes() for name in ("vectors.npy", "images.csv")]


def test_full_disk_while_building(home):
    pytest.importorskip("resource")
    build = ("build", "faces", "--reference", "pixels", "--pairs", 20, "--out", "run")
    failed = lookalikes_apart(*build, before=limited(70_000))
    assert "File too large" in failed.message
    assert (home / "run" / "UNFINISHED").exists()
    assert not list((home / "run").rglob("*.tmp"))
    assert lookalikes(*build).code == 0
    assert not (home / "run" / "UNFINISHED").exists()
    assert (home / "run" / "report.html").read_bytes().endswith(b"</html>")


@pytest.fixture
def small_disk(home):
    """A disk of its own, of 256 KiB, at `disk`."""
    disk = home / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "lookalikes-test", disk],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("to mount a small disk takes root")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk):
    with (disk / "filler").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            return


def test_really_full_disk(embedded, small_disk):
    full = "No space left on device; nothing half-written is left: make room, then run the same"
    mine = ("mine", "embeddings", "--out", "disk/a.csv")
    embed = ("embed", "faces", "--model", "pixels", "--out", "disk/embeddings")
    assert lookalikes(*mine, "--pairs", 3).code == 0
    fill(small_disk)
    before = contents(small_disk)
    assert full in lookalikes(*mine, "--overwrite").message
    assert contents(small_disk) == before
    assert full in lookalikes(*embed).message
    assert not list(small_disk.rglob("vectors.npy"))
    (small_disk / "filler").unlink()
    assert lookalikes(*mine, "--overwrite").code == 0
    assert lookalikes(*embed).code == 0
    assert read_vectors(small_disk / "embeddings") == read_vectors(embedded / "embeddings")


def test_disk_that_is_read_only(embedded, small_disk):
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    for command in (
        ("build", "faces", "--reference", "pixels", "--out", "disk/run"),
        ("embed", "faces", "--model", "pixels", "--out", "disk/embeddings"),
        ("mine", "embeddings", "--out", "disk/a.csv"),
        ("random", "faces", "--out", "disk/r.csv"),
    ):
        message = refused(embedded, *command)
        assert message == f"{command[-1]}: Read-only file system; choose another --out"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_to(home):
    (home / "closed").mkdir(mode=0o555)
    message = refused(home, "random", "faces", "--out", "closed/r.csv")
    assert message.endswith(": Permission denied; may you read and write there?")


# --- interrupted


def test_interrupted_embedding_goes_on(embedded, monkeypatch):
    def interrupt(self, sources, vectors, append=mining.embeddings.journal.VectorJournal.append):
        append(self, sources, vectors)
        raise KeyboardInterrupt

    embed = ("embed", "faces", "--model", "pixels", "--batch-size", 4, "--out", "out")
    with monkeypatch.context() as patch:
        patch.setattr(mining.embeddings.journal.VectorJournal, "append", interrupt)
        for _ in range(2):
            outcome = lookalikes(*embed)
            assert outcome.code == 130
            assert (
                "Nothing is half-written; the same command goes on with what it kept" in outcome.err
            )
    assert "not a finished folder" in lookalikes("mine", "out", "--out", "a.csv").message
    assert lookalikes(*embed).code == 0
    assert read_vectors(embedded / "out") == read_vectors(embedded / "embeddings")
