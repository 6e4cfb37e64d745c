"""`NAME=MODEL` and `NAME=FOLDER` in commands: one name in all that is written, the same vectors."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from support.command_line import lookalikes

from mining.models import load_model

MEANS = """
import numpy as np
def colours():
    return lambda images: np.array([np.asarray(i, float).mean((0, 1)) - 99 for i in images])
"""
PLAIN = "python:label_means:colours"
OURS = f"Ours v2={PLAIN}"


@pytest.fixture
def home(faces_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds `faces`, which commands run in, and vectors of two models."""
    folder = faces_folder.parent
    (folder / "label_means.py").write_text(MEANS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    for spec, out in (("python:label_means:colours", "colours"), ("pixels", "k=v")):
        assert lookalikes("embed", "faces", "--model", spec, "--out", out).code == 0
    assert lookalikes("random", "faces", "--out", "random.csv").code == 0
    return folder


def table(path: str, column: str) -> list[str]:
    with Path(path).open(encoding="utf-8", newline="") as stream:
        return [row[column] for row in csv.DictReader(stream)]


def models_of(path: str) -> set[str]:
    return set(table(path, "model"))


def test_evaluate_calls_folders_by_their_names(home: Path) -> None:
    made = lookalikes("evaluate", "random.csv", "--embeddings", "Ours v2=colours",
                      "--embeddings", "k=v", "--out", "t")  # fmt: skip
    assert made.code == 0, made.out
    assert models_of("t.csv") == {"Ours v2", "pixels"}
    assert "Ours v2" in Path("t.md").read_text("utf-8")
    everywhere = lookalikes("evaluate", "floor=k=v", "--embeddings", "Ours v2=colours",
                            "--all-pairs", "--out", "a")  # fmt: skip
    assert everywhere.code == 0, everywhere.out
    assert models_of("a.csv") == {"Ours v2", "floor"}


def test_models_that_are_run_keep_their_vectors_in_the_same_place(home: Path) -> None:
    plain = lookalikes("evaluate", "random.csv", "--faces", "faces", "--model", PLAIN)
    assert plain.code == 0, plain.out
    before = sorted(path.name for path in Path("random.embeddings").iterdir())
    made = lookalikes("evaluate", "random.csv", "--faces", "faces", "--model", OURS, "--out", "t")
    assert made.code == 0, made.out
    assert models_of("t.csv") == {"Ours v2"}
    assert sorted(path.name for path in Path("random.embeddings").iterdir()) == before
    manifest = json.loads(Path("random.embeddings", before[0], "manifest.json").read_text("utf-8"))
    assert manifest["model"] == PLAIN
    assert manifest["fingerprint"] == load_model(manifest["model"]).fingerprint


def test_a_build_has_its_names_everywhere_and_its_miner_is_known(home: Path) -> None:
    made = lookalikes("build", "faces", "--reference", OURS, "--model", "floor=pixels",
                      "--pairs", 10, "--out", "run")  # fmt: skip
    assert made.code == 0, made.out
    assert models_of("run/leaderboard.csv") == {"Ours v2", "floor"}
    assert models_of("run/adversarial.scores.csv") == {"Ours v2", "floor"}
    assert "Ours v2" in Path("run/report.html").read_text("utf-8")
    reference = json.loads(Path("run/adversarial.json").read_text("utf-8"))["reference"]
    assert reference["name"] == "Ours v2"
    assert reference["model"] == "python:label_means:colours"
    # By its name in a score file, and by its vectors whatever they are called.
    for source in (("--scores", "run/adversarial.scores.csv"), ("--embeddings", "x=colours")):
        again = lookalikes("evaluate", "run/adversarial.csv", *source, "--out", "t", "--overwrite")
        assert again.code == 0, again.out
        with Path("t.csv").open(encoding="utf-8", newline="") as stream:
            rows = {row["model"]: row["comparable"] for row in csv.DictReader(stream)}
        mined = {name for name, comparable in rows.items() if comparable == "False"}
        assert mined == {"Ours v2" if source[0] == "--scores" else "x"}


def test_references_and_left_out_files(home: Path) -> None:
    made = lookalikes("build", "faces", "--reference", OURS, "--reference", "floor=pixels",
                      "--pairs", 10, "--out", "run")  # fmt: skip
    assert made.code == 0, made.out
    assert {path.name for path in Path("run").glob("adversarial.without-*.csv")} == {
        "adversarial.without-Ours-v2.csv", "adversarial.without-floor.csv"
    }  # fmt: skip


def test_mine_compare_identify_neighbours_and_suspects(home: Path) -> None:
    made = lookalikes("mine", "Ours v2=colours", "--pairs", 10, "--out", "m.csv")
    assert made.code == 0, made.out
    assert models_of("m.scores.csv") == {"Ours v2"}
    made = lookalikes("mine", "a=colours", "b=k=v", "--pairs", 10, "--out", "two.csv")
    assert made.code == 0, made.out
    assert models_of("two.scores.csv") == {"a", "b"}
    made = lookalikes("compare", "faces", "--pairs", "random.csv", "--model", OURS,
                      "--embeddings", "floor=k=v", "--out", "c")  # fmt: skip
    assert made.code == 0, made.out
    assert models_of("c/leaderboard.csv") == {"Ours v2", "floor"}
    made = lookalikes("identify", "Ours v2=colours", "--out", "i", "--draws", 100)
    assert made.code == 0, made.out
    assert "Ours v2" in Path("i/identification.md").read_text("utf-8")
    made = lookalikes("neighbours", "a", "--embeddings", "Ours v2=colours", "--out-scores", "n.csv")
    assert made.code == 0, made.out
    assert models_of("n.csv") == {"Ours v2"}
    made = lookalikes("suspects", "m.csv", "--embeddings", "Ours v2=colours", "--kinds", "mislabel",
                      "--trust-suspects", "mislabel")  # fmt: skip
    assert made.code == 0, made.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("evaluate", "random.csv", "--embeddings", "a=colours", "--embeddings", "a=k=v"),
         "another model is called a, too"),
        (("evaluate", "random.csv", "--embeddings", "=colours"), "an empty name before the ="),
        (("evaluate", "random.csv", "--embeddings", "a=none"), "none: not a finished folder"),
        (("evaluate", "random.csv", "--faces", "faces", "--model", "a=pixels", "--model",
          "b=pixels"), "pixels: called both a and b"),
        (("build", "faces", "--reference", "pixels=python:label_means:colours", "--out", "r"),
         "another model is called pixels, too"),
        (("embed", "faces", "--model", "a=pixels", "--out", "e"),
         "vectors are kept under no name; give it where they are used"),
        (("mine", "a=colours", "--against", "b=k=v", "--out", "m.csv"), "two names, and the"),
        (("evaluate", "random.csv", "--faces", "faces", "--model", "a=pixles"),
         "no model family is called 'pixles'; did you mean 'pixels'"),
    ],
)  # fmt: skip
def test_names_that_are_refused(home: Path, words: tuple[str, ...], says: str) -> None:
    before = sorted(path.name for path in home.iterdir())
    made = lookalikes(*words)
    assert made.code == 1
    assert says in made.message
    assert sorted(path.name for path in home.iterdir()) == before
