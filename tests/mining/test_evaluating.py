"""`evaluate` with submissions and people, from files to tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import contents, lookalikes

import mining.encoder
from mining.scoring import write_scores
from pairsets import Faces, PairSet, evaluate, random_pairs
from pairsets.submission import write_submission

ENDS = ("csv", "differences.csv", "differences.md", "json", "md")


@pytest.fixture
def home(faces_folder, monkeypatch):
    """A folder with a pair file, a score file, a submission and two people's verdicts."""
    monkeypatch.chdir(faces_folder.parent)
    drawn = random_pairs(Faces.scan(faces_folder), positives=15, negatives=60, seed=3)
    pairs = PairSet.of(drawn.path_a, drawn.path_b, drawn.label, invalid=np.arange(len(drawn)) == 7)
    pairs.write("set.csv")
    noise = np.random.default_rng(0).normal(size=(3, len(pairs)))
    values = dict(zip("AB", pairs.label + noise[:2], strict=True))
    values["A | Ü"] = values.pop("A")
    write_scores(Path("s.csv"), pairs, values)
    write_submission(Path("sent/c.csv"), pairs, pairs.label * 9 + noise[2], model="C <&>")
    for name, every in (("rei", 6), ("asuka", 4)):
        wrong = np.arange(len(pairs)) % every == 0
        said = np.where(wrong, 1 - pairs.label, pairs.label)
        # In the other order and the other direction.
        PairSet.of(pairs.path_b[::-1], pairs.path_a[::-1], pairs.label[::-1], said[::-1]).write(
            f"{name}.csv"
        )
    return pairs, {**values, "C <&>": pairs.label * 9 + noise[2]}


GIVEN = ("--scores", "s.csv", "--submission", "sent/c.csv")
PEOPLE = ("--annotator", "rei.csv", "--annotator", "Asuka=asuka.csv")


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_everything_in_one_table(home):
    pairs, values = home
    text = lookalikes(
        "evaluate", "set.csv", *GIVEN, *PEOPLE, "--out", "tables/all", "--target-fnr", 0.2
    ).summary
    assert sorted(contents(Path("tables"))) == [f"all.{end}" for end in sorted(ENDS)]
    rows = rows_of("tables/all.csv")
    assert [row["model"] for row in rows] == ["rei", "Asuka", "B", "A | Ü", "C <&>"]
    assert [row["human"] for row in rows] == ["True"] * 2 + ["False"] * 3
    valid = np.flatnonzero(pairs.valid)
    for row, every in zip(rows[:2], (6, 4), strict=True):
        wrong = valid % every == 0
        for rate, label in (("fpr", 0), ("fnr", 1)):
            assert float(row[rate]) == pytest.approx(wrong[pairs.label[valid] == label].mean())
        assert row["eer"] == ""
        assert float(row["fpr_low"]) < float(row["fpr"]) < float(row["fpr_high"])
    for row in rows[2:]:
        truth = evaluate(pairs, values[row["model"]], 0.2)
        assert float(row["fpr"]) == truth.fpr_interpolated
        assert float(row["eer"]) == truth.eer
        assert int(row["invalid"]) == 1
    assert json.loads(Path("tables/all.json").read_text("utf-8"))["rows"][4]["model"] == "C <&>"
    assert "| A \\| Ü |" in Path("tables/all.md").read_text("utf-8")
    found = rows_of("tables/all.differences.csv")
    assert [(row["statistic"], row["first"], row["second"]) for row in found] == [
        (statistic, *two)
        for statistic in ("fpr", "eer")
        for two in (("B", "A | Ü"), ("B", "C <&>"), ("A | Ü", "C <&>"))
    ]
    for row in found:
        first, second = (evaluate(pairs, values[row[end]], 0.2) for end in ("first", "second"))
        name = {"fpr": "fpr_achieved", "eer": "eer"}[row["statistic"]]
        assert float(row["difference"]) == pytest.approx(
            getattr(first, name) - getattr(second, name)
        )
    assert "agreement of the people who judged" in text
    assert "1 left out: pairs marked invalid" in text


def test_without_draws_the_tables_say_that_nothing_was_compared(home):
    assert lookalikes("evaluate", "set.csv", *GIVEN, "--draws", 0, "--out", "t/x").code == 0
    assert rows_of("t/x.differences.csv") == []
    assert "No two models" in Path("t/x.differences.md").read_text("utf-8")


def test_people_alone_need_no_model(home):
    text = lookalikes("evaluate", "set.csv", *PEOPLE).summary
    assert "rei" in text
    assert "Asuka" in text


def refused(*more):
    """The message; nothing is written, not even the cache of a model."""
    before = contents(Path())
    message = lookalikes("evaluate", "set.csv", *more, "--out", "t/x").message
    assert contents(Path()) == before
    return message


def test_faults_in_files_are_told_before_a_model_runs(home, faces_folder, monkeypatch):
    pairs, values = home

    def never(*_, **__):
        raise AssertionError("a model ran")

    monkeypatch.setattr(mining.encoder, "embed", never)
    run = ("--model", "pixels", "--faces", "faces")
    with Path("sent/c.csv").open("a") as stream:
        stream.write("a/0.png,橘_雪/9.png,1\n")
    assert "no pair of the set" in refused(*run, "--submission", "sent/c.csv")
    write_scores(Path("pixels.csv"), pairs, {"pixels": values["B"]})
    assert "scores of pixels are given twice" in refused(*run, "--scores", "pixels.csv")
    write_scores(Path("flat.csv"), pairs, {"flat": np.ones(len(pairs))})
    assert "flat: all 74 scores are 1" in refused(*run, "--scores", "flat.csv")
    PairSet.of(pairs.path_a, pairs.path_b, pairs.label).write("idle.csv")
    message = refused(*run, *PEOPLE, "--annotator", "idle.csv")
    assert message.startswith("idle.csv: idle judged none of the valid pairs of the set set")
    assert "50 bootstrap draws; expected 100 or more" in refused(*run, "--draws", 50)
    assert "inside the faces folder" in refused(*run, "--cache", "faces/cache")


def test_tables_never_lie_among_the_faces(home):
    message = lookalikes(
        "evaluate", "set.csv", *GIVEN, "--faces", "faces", "--out", "faces/x"
    ).message
    assert message.startswith("faces/x: inside the faces folder faces")
