"""Bad pair files: one clear message, the right exit code, and nothing half-written."""

from __future__ import annotations

import shutil

import pytest
from support.command_line import lookalikes
from support.refusals import GOOD, HEADER, refused, write

from pairsets import PairSet

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
