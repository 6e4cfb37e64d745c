"""Outputs that are there already, are inputs, or cannot be written where they are asked for."""

from __future__ import annotations

import pytest
from support.command_line import contents, lookalikes
from support.refusals import GOOD, refused, write


@pytest.fixture
def full(embedded):
    """The folder of `embedded` with everything that the commands make."""
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
