"""Paths as people give them: `.` for a folder, and absolute ones in files where relative belong."""

from __future__ import annotations

import csv

import pytest
from support.command_line import contents, lookalikes

from pairsets.path_prefixes import cause, surplus

SCORES = [
    ("pathA", "pathB", "score"),
    ("a/0.png", "a/1.png", "0.9"),
    ("a/0.png", "b/0.png", "0.5"),
    ("a/1.png", "b/1.png", "0.4"),
]
PAIRS = [
    ("pathA", "pathB", "label", "human_prediction", "invalid"),
    ("a/0.png", "a/1.png", "1", "-1", "0"),
    ("a/0.png", "b/0.png", "0", "-1", "0"),
    ("a/1.png", "b/1.png", "0", "-1", "0"),
]


@pytest.fixture
def home(faces_folder, monkeypatch):
    """The folder that holds `faces`, their `embeddings` and `pairs.csv`, which commands run in."""
    monkeypatch.chdir(faces_folder.parent)
    home = faces_folder.parent
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    write(home / "pairs.csv", PAIRS)
    return home


def write(path, rows, front=""):
    """A CSV whose first two columns are paths, with `front` before each."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream)
        lines.writerow(rows[0])
        lines.writerows([front + a, front + b, *rest] for a, b, *rest in rows[1:])


def refused(home, *command):
    before = contents(home)
    message = lookalikes(*command).message
    assert contents(home) == before
    return message


def relative(front):
    return (
        f"paths are relative to the faces folder, and these have {front!r} in front: leave it out"
    )


EVALUATE = ("evaluate", "pairs.csv", "--scores", "scores.csv")
EXPORT = ("export-scores", "pairs.csv", "--scores", "scores.csv", "--out", "sent.csv")
MINE = ("mine", "embeddings", "--out", "x.csv", "--exclude", "scores.csv")
BUILD = ("build", "faces", "--reference", "pixels", "--out", "run", "--exclude", "scores.csv")
OWN = ("evaluate", "other.csv", "--embeddings", "embeddings")
LOOKED = ("show", "other.csv", "--faces", "faces", "--out", "x.png")


@pytest.mark.parametrize("command", [EVALUATE, EXPORT], ids=["evaluate", "export-scores"])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "folder"])
def test_scores_with_folders_in_front(home, command, absolute):
    front = f"{home}/faces/" if absolute else "faces/"
    write(home / "scores.csv", SCORES, front)
    assert refused(home, *command) == (
        f"scores.csv: no score of any of the 3 pairs; {relative(front)}"
    )


@pytest.mark.parametrize("command", [MINE, BUILD], ids=["mine", "build"])
def test_exclusions_with_folders_in_front_are_no_exclusions(home, command):
    write(home / "scores.csv", SCORES, "faces/")
    assert refused(home, *command) == (
        f"scores.csv: none of its pairs is of these faces; {relative('faces/')}"
    )
    write(home / "scores.csv", SCORES, f"{home}/faces/")
    message = refused(home, *command)
    assert message.startswith(f"scores.csv, line 2: path '{home}/faces/a/0.png' is absolute, so ")
    assert message.endswith("such as a/0.png")


@pytest.mark.parametrize("command", [OWN, LOOKED], ids=["embeddings", "faces"])
def test_pairs_with_folders_in_front(home, command):
    write(home / "other.csv", PAIRS, "faces/")
    assert refused(home, *command).endswith(relative("faces/"))
    write(home / "other.csv", PAIRS, f"{home}/faces/")
    assert refused(home, *command) == (
        f"other.csv, line 2: path '{home}/faces/a/0.png' is absolute; expected one inside the "
        "faces folder, such as a/0.png"
    )


def test_an_ignore_list_of_paths_is_told_the_name(home):
    (home / "ignore.csv").write_text(f"{home}/faces/a/0.png\n")
    message = refused(home, *MINE[:4], "--ignore-list", "ignore.csv")
    assert message.endswith("; did you mean 0.png?")


def test_a_submission_of_absolute_paths(home):
    write(home / "scores.csv", SCORES)
    assert lookalikes(*EXPORT).code == 0
    write(home / "sent.csv", SCORES, f"{home}/faces/")
    message = refused(home, "evaluate", "pairs.csv", "--submission", "sent.csv")
    assert message.endswith(relative(f"{home}/faces/"))


@pytest.mark.parametrize(
    ("path", "front"),
    [
        ("/data/rei/1.jpg", "/data/"),
        ("data/x/rei/1.jpg", "data/x/"),
        ("C:\\data\\rei\\1.jpg", "C:/data/"),
        ("./rei/1.jpg", "./"),
        ("rei/1.jpg/", None),
        ("prefix-rei/1.jpg", None),
        ("", None),
    ],
)
def test_what_is_in_front(path, front):
    assert surplus(path, {"rei/1.jpg"}.__contains__) == front


def test_an_absolute_path_of_nobody_is_called_absolute():
    known = {"rei/1.jpg"}.__contains__
    assert "'/x/1.jpg' is absolute" in cause("/x/1.jpg", known)
    assert cause("x/1.jpg", known) == ""


# --- a folder that is given as `.`


def test_the_report_of_a_folder_called_dot_has_its_name(home, monkeypatch):
    monkeypatch.chdir(home / "faces")
    command = ("build", ".", "--reference", "pixels", "--pairs", 5, "--no-floor")
    done = lookalikes(*command, "--out", "../run")
    assert done.code == 0
    assert "<title>Adversarial pairs of faces" in (home / "run" / "report.html").read_text("utf-8")


@pytest.mark.parametrize(
    "command",
    [
        ("random", "."),
        ("build", ".", "--reference", "pixels"),
        ("mine", "."),
        ("compare", ".", "--pairs", ".", "--model", "pixels"),
        ("show", "../pairs.csv", "--faces", "."),
    ],
    ids=lambda command: command[0],
)
def test_messages_name_a_folder_called_dot(home, monkeypatch, command):
    (home / "empty").mkdir()
    monkeypatch.chdir(home / "empty")
    assert lookalikes(*command, "--out", "../out.csv").message.startswith(f"{home / 'empty'}: ")


@pytest.mark.parametrize(
    "command", [("evaluate", "."), ("review", ".", "--faces", ".")], ids=["evaluate", "review"]
)
def test_a_folder_called_dot_is_no_pair_file(home, monkeypatch, command):
    monkeypatch.chdir(home / "faces")
    assert lookalikes(*command).message == f"{home / 'faces'}: a folder; expected a pair file"


def test_the_root_of_all_files_is_refused():
    assert "the root of all files" in lookalikes("evaluate", "/").usage
