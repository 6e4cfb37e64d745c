"""Bad score files: one clear message, the right exit code, and nothing half-written."""

from __future__ import annotations

import pytest
from support.refusals import GOOD, refused, write

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
        "name --scores, --embeddings or --model"
    )
    assert "--model needs --faces" in refused(home, "evaluate", "pairs.csv", "--model", "pixels")
