"""`evaluate` with submissions and people, from files to tables."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.command_line import contents, lookalikes
from support.flat_calls import evaluate_pairs

import mining.embeddings.options
from mining.cli.summary import print_made
from mining.embeddings.options import EmbeddingOptions
from pairsets import Faces, PairSet, PairSetError, ScoresError, evaluate, random_pairs
from pairsets.errors import OutputError
from pairsets.evaluation.protocols import fold_accuracy, tar_at_far
from pairsets.files.folds import Folds
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import Named
from pairsets.files.submissions import write_submission

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
    models = [row["model"] for row in rows]
    assert (models[:2], sorted(models[2:])) == (["rei", "Asuka"], ["A | Ü", "B", "C <&>"])
    rates = [(float(row["fpr"]), float(row["eer"])) for row in rows[2:]]
    assert rates == sorted(rates)
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
        assert float(row["fpr"]) == truth.fpr_achieved
        assert float(row["fpr_interpolated"]) == truth.fpr_interpolated
        assert float(row["eer"]) == truth.eer
        assert int(row["invalid"]) == 1
    assert json.loads(Path("tables/all.json").read_text("utf-8"))["rows"][4]["model"] == models[4]
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

    monkeypatch.setattr(mining.embeddings.options, "embed", never)
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


def followed(*scores, **more):
    """`evaluate` of `set.csv` as the command runs it, without intervals."""
    files = [Named(Path(name)) for name in scores or ("s.csv",)]
    return evaluate_pairs(
        Path("set.csv"), scores=files, draws=0, encoding=EmbeddingOptions(), **more
    )


def fold_numbers(pairs, count=3):
    """Folds with both kinds in each."""
    numbers = np.empty(len(pairs), int)
    for label in (0, 1):
        rows = np.flatnonzero(pairs.label == label)
        numbers[rows] = np.arange(rows.size) % count + 1
    return numbers


def test_folds_beside_the_pairs_are_followed(home, capsys):
    pairs, values = home
    numbers = fold_numbers(pairs)
    # The file may be in another order than the pairs.
    turned = np.arange(len(pairs))[::-1]
    Folds(numbers[turned]).write("set.folds.csv", pairs.take(turned))
    made = followed(fars=(0.1, 1e-4, 0.1), out=Path("t/x"))
    rows, valid = rows_of("t/x.protocols.csv"), pairs.valid
    assert [row["set"] for row in rows] == ["set"] * 12
    for model in ("B", "A | Ü"):
        truth = fold_accuracy(pairs.label[valid], values[model][valid], numbers[valid])
        mine = [row for row in rows if row["model"] == model]
        *folds, mean, one, other = mine
        assert [int(row["fold"]) for row in folds] == [1, 2, 3]
        assert [float(row["accuracy"]) for row in folds] == truth.accuracy.tolist()
        assert [float(row["threshold"]) for row in folds] == truth.threshold.tolist()
        assert sum(int(row["pairs"]) for row in folds) == int(mean["pairs"]) == valid.sum()
        assert (mean["fold"], float(mean["accuracy"])) == ("", truth.mean)
        assert float(mean["standard_error"]) == truth.standard_error
        tar, least = tar_at_far(pairs.label[valid], values[model][valid], (0.1, 1e-4))
        assert (float(one["far"]), float(one["tar"])) == (0.1, tar.tar)
        assert (one["resolvable"], other["resolvable"]) == ("True", "False")
        assert float(other["far_achieved"]) == least.achieved == 0.0
        content = json.loads(Path("t/x.protocols.json").read_text("utf-8"))["models"][model]
        assert content["fold_accuracy"]["accuracy"] == truth.mean
        assert [tar["far"] for tar in content["tar_at_far"]] == [0.1, 1e-4]
        text = f"{100 * truth.mean:.2f} ± {100 * truth.standard_error:.2f}"
        cells = f"{text} | {100 * tar.tar:.2f} | N/A |"
        assert cells in Path("t/x.protocols.md").read_text("utf-8")
    assert "| A \\| Ü |" in Path("t/x.protocols.md").read_text("utf-8")
    assert made.warnings[-1].startswith("TAR at FAR 1e-4 cannot be told: a single one of 59 ")
    print_made(made)
    printed = capsys.readouterr().out
    assert "3-fold accuracy (%)" in printed
    assert "TAR (%) at FAR 0.1" in printed
    assert text in printed


def test_folds_of_another_file(home):
    pairs, _ = home
    Folds(fold_numbers(pairs, 5)).write("five.csv", pairs)
    made = followed(folds=Path("five.csv"))
    assert [len(one.folds) for one in made.protocols.values()] == [5, 5]


def test_without_folds_and_fars_there_is_no_protocol(home):
    made = followed(out=Path("t/x"))
    assert not made.protocols
    assert sorted(contents(Path("t"))) == [f"x.{end}" for end in sorted(ENDS)]
    assert sorted(path.name for path in made.files) == [f"x.{end}" for end in sorted(ENDS)]


def test_tables_of_an_older_protocol_do_not_stay_beside_new_ones(home):
    followed(fars=[0.1], out=Path("t/x"))
    with pytest.raises(OutputError, match="exists"):
        followed(out=Path("t/x"))
    followed(out=Path("t/x"), overwrite=True)
    assert sorted(contents(Path("t"))) == [f"x.{end}" for end in sorted(ENDS)]


def test_folds_that_are_unfit_for_accuracy(home):
    """Those that lie beside the set may be for something else; those asked for may not."""
    pairs, _ = home
    Folds(np.where(pairs.label == 1, 1, 2)).write("set.folds.csv", pairs)
    made = followed()
    assert not made.protocols
    assert any("fold 2 has no positive pair" in warning for warning in made.warnings)
    with pytest.raises(ScoresError, match=r"set.folds.csv: fold 2 has no positive pair"):
        followed(folds=Path("set.folds.csv"))
    Folds(fold_numbers(pairs)[1:]).write("set.folds.csv", pairs.take(np.arange(1, len(pairs))))
    with pytest.raises(PairSetError, match="no fold for 1 of 75 pairs"):
        followed()


def test_a_far_that_is_no_share(home):
    with pytest.raises(ScoresError, match=r"a target FAR of 1.5"):
        followed(fars=[1.5], out=Path("t/x"))
    assert not Path("t").exists()
