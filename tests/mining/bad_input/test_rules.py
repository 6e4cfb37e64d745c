"""Rules, references and exclusions that cannot be kept are refused, and nothing is written."""

from __future__ import annotations

import shutil
import sys

import pytest
from support.command_line import contents, lookalikes
from support.refusals import GOOD, MINERS, misused, plant_one_identity, refused, write

from pairsets import PairSet

miners = pytest.mark.parametrize("command", MINERS.values(), ids=MINERS)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-per-image", 0),
        ("--max-per-identity", -1),
        ("--max-per-identity-pair", "1.5"),
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
        "a margin was asked for, but none of the 6 faces has another of its own identity to be "
        "compared with; leave the margin out"
    )
    options = ("--positives", 0, "--ignore-list", "ignore.csv", "--margin", 0)
    assert refused(embedded, *command, *options) == why


def test_margin_for_hard_positives(embedded):
    mine = (*MINERS["mine"], "--label", "positive", "--margin", 0.1)
    assert refused(embedded, *mine) == (
        "a margin keeps pairs of different identities below the positives; it does not apply to "
        "hard positives"
    )


@pytest.fixture
def twice(embedded, monkeypatch):
    """The folder of `embedded` with `colours`, by a second model, `python:means:colours`."""
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
        "no pair of one identity exists: none of the 6 faces has another of its own identity"
    )


def test_negatives_that_hard_positives_cannot_be_joined_by(embedded):
    mine = (*MINERS["mine"], "--label", "positive", "--test-pairs", "test.csv")
    write(embedded / "test.csv", GOOD + "b/0.png,b/1.png,0,-1,0\n")
    assert refused(embedded, *mine) == (
        "test.csv: pair 3 (b/0.png, b/1.png) has label 0, but the two lie in the folder of one "
        "identity; the miner goes by the folders"
    )
    write(embedded / "test.csv", GOOD.replace("0,-1,0", "0,-1,1"))
    assert "test.csv: no valid negative pair among its 2" in refused(embedded, *mine)
    plant_one_identity(embedded / "faces")
    assert lookalikes("embed", "faces", "--model", "pixels", "--out", "embeddings").code == 0
    mine = (*MINERS["mine"], "--label", "positive", "--pairs", 2)
    assert "no negative pair exists: there are not two identities" in refused(embedded, *mine)
    assert lookalikes(*mine, "--negatives", 0).code == 0
    assert PairSet.read("a.csv").label.tolist() == [1, 1]
