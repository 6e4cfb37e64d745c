"""All pairs from the command line: `evaluate --all-pairs`, `compare --all-pairs`, `build`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from support.command_line import lookalikes
from support.small_models import timm_folder

from mining import Embeddings
from mining.scores.score_pairs import score_pairs
from pairsets import PairSet
from pairsets.evaluation.rates import equal_error, fpr_at_fnr, roc
from pairsets.tables.census import ENDS, far_text

NAMES = ("all.csv", "all.curves.csv", "all.differences.csv", "all.differences.md", "all.json")


@pytest.fixture
def home(faces_folder, monkeypatch):
    """A folder with embeddings of six identities of three faces by two models."""
    monkeypatch.chdir(faces_folder.parent)
    embed("pixels", "first")
    embed(network("model", 4), "second")
    return faces_folder.parent


def embed(model, out):
    assert lookalikes("embed", "faces", "--model", model, "--out", out).code == 0


def network(name, seed):
    Path(name).mkdir()
    return timm_folder(Path(name), seed)


def read(path):
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def every_pair(folder):
    """Scores of all pairs, and which are of one identity."""
    found = Embeddings.load(folder)
    paths = list(found.faces.paths)
    i, j = np.triu_indices(len(paths), 1)
    same = found.faces.groups[i] == found.faces.groups[j]
    pairs = PairSet.of([paths[at] for at in i], [paths[at] for at in j], same.astype(int))
    return same, score_pairs(pairs, found)


def test_evaluate_tells_the_rates_of_all_pairs(home):
    found = lookalikes(
        *("evaluate", "first", "--all-pairs", "--embeddings", "second", "--out", "tables/all"),
        *("--target-fnr", 0.25, "--far", 0.05),
    )
    assert "Over all 135 pairs of different identities and all 18 pairs of one" in found.summary
    assert "of 18 faces of 6 identities: exact, no sample" in found.summary
    assert "has no interval here" in found.summary
    written = sorted(path.name for path in Path("tables").iterdir())
    assert written == sorted([*NAMES, "all.md"])
    rows = {row["model"]: row for row in read("tables/all.csv")}
    assert len(rows) == 2
    for model, folder in (("pixels", "first"), (next(n for n in rows if n != "pixels"), "second")):
        curve, row = roc(*every_pair(folder)), rows[model]
        assert float(row["fpr_at_fnr_0.25"]) == fpr_at_fnr(curve, 0.25).fpr
        assert float(row["eer"]) == equal_error(curve)[0]
        assert float(row["fnr_at_fpr_0.05"]) >= 0
        assert float(row["eer_low"]) <= float(row["eer"]) <= float(row["eer_high"])
        # Four of 18 pairs may be missed: too few to say how well the FPR is known.
        assert row["fpr_at_fnr_0.25_low"] == ""
        assert row["leads"] == "fpr_at_fnr_0.25"
    content = json.loads(Path("tables/all.json").read_text())
    assert [row["model"] for row in content["rows"]] == list(rows)
    rates = [float(row["fpr_at_fnr_0.25"]) for row in rows.values()]
    assert rates == sorted(rates)
    curves = read("tables/all.curves.csv")
    assert curves[0]["threshold"] == "inf"
    assert {row["model"] for row in curves} == {*rows}
    text = Path("tables/all.md").read_text()
    assert "FPR (%) at an FNR of 25.0 %" in text
    again = lookalikes("evaluate", "first", "--all-pairs", "--out", "tables/all")
    assert "tables/all.md" in again.message


def test_images_to_ignore_are_in_no_pair(home):
    Path("ignore.csv").write_text("0.png\n")
    given = ("evaluate", "first", "--all-pairs", "--ignore-list", "ignore.csv")
    found = lookalikes(*given).summary
    assert "Over all 60 pairs of different identities and all 6 pairs of one, of 12 faces" in found
    assert "6 left out: faces on the ignore list" in found
    assert "add --all-pairs" in lookalikes("evaluate", "p.csv", *given[3:]).usage
    base = ("build", "faces", "--reference", "pixels", "--no-floor", "--out", "run")
    assert "Over all 60 pairs" in lookalikes(*base, *given[3:]).summary


def test_the_tail_alone(home):
    found = lookalikes("evaluate", "first", "--all-pairs", "--census", "tail", "--far", 0.001)
    # Of 135 pairs none resolves a FAR of 0.1 %.
    assert found.code == 1
    assert "no rate over all pairs" in found.message


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--scores", "s.csv"], "--all-pairs and --scores do not go together"),
        (["--model", "pixels", "--faces", "faces"], "--all-pairs and --model"),
        (["--submission", "s.csv"], "--all-pairs and --submission"),
        (["--annotator", "a=s.csv"], "--all-pairs and --annotator"),
        (["--published-set", "random"], "--all-pairs and --published-set"),
    ],
)
def test_what_is_of_a_pair_file_is_refused(home, options, told):
    assert told in lookalikes("evaluate", "first", "--all-pairs", *options).usage


def test_embeddings_without_the_option_are_asked_about(home):
    assert "add --all-pairs" in lookalikes("evaluate", "first").usage


def test_bad_input_is_told_in_one_line(home):
    cases = {
        ("first", "--census", "full"): "add --all-pairs",
        ("nowhere", "--all-pairs"): "not a finished folder of embeddings",
        ("first", "--all-pairs", "--embeddings", "first"): "the same model as",
        ("first", "--all-pairs", "--target-fnr", "human"): "a person's FNR",
    }
    for arguments, told in cases.items():
        found = lookalikes("evaluate", *arguments)
        assert told in (found.usage if "--census" in arguments else found.message)
    (home / "faces" / "橘_雪" / "2.png").unlink()
    embed(network("other", 5), "third")
    found = lookalikes("evaluate", "first", "--all-pairs", "--embeddings", "third", "--out", "t/x")
    assert "embeddings of different faces: 1 of 18 are missing in the second" in found.message
    assert not Path("t").exists()


def test_compare_tells_all_pairs_first(home):
    lookalikes("random", "faces", "--out", "random.csv")
    base = ("compare", "faces", "--pair-file", "random.csv", "--embeddings", "first")
    found = lookalikes(*base, "--embeddings", "second", "--all-pairs", "--out", "run")
    assert "Over all 135 pairs" in found.summary
    assert found.out.index("all pairs") < found.out.index("random pairs")
    for end in ENDS:
        assert Path(f"run/all-pairs{end}").is_file()
    assert Path("run/figures/all-pairs.png").is_file()
    page = Path("run/report.html").read_text()
    assert "Over all pairs" in page
    assert "All pairs</a>" in page
    # What an older comparison left goes.
    found = lookalikes(*base, "--out", "run", "--overwrite")
    assert "Over all" not in found.summary
    assert not list(Path("run").glob("all-pairs*"))
    assert not list(Path("run/figures").glob("all-pairs*"))


def test_compare_embeds_all_faces_where_all_pairs_count(home):
    pairs = PairSet.of(["a/0.png", "a/0.png"], ["a/1.png", "b/0.png"], [1, 0])
    pairs.write("few.csv")
    options = ("compare", "faces", "--pair-file", "few.csv", "--model", "pixels", "--all-pairs")
    assert "Over all 135 pairs" in lookalikes(*options, "--out", "run").summary


def test_score_files_have_no_vectors_to_count(home):
    lookalikes("random", "faces", "--out", "random.csv")
    lookalikes("export-scores", "random.csv", "--embeddings", "first", "--out", "sent.csv")
    base = ("compare", "faces", "--pair-file", "random.csv", "--scores", "sent.csv", "--all-pairs")
    assert "--all-pairs needs vectors" in lookalikes(*base, "--out", "run").message
    assert not Path("run").exists()
    found = lookalikes(*base, "--embeddings", "second", "--out", "run").summary
    assert "Over all pairs stand the models with vectors alone" in found


def test_build_counts_all_pairs_unless_told_not_to(home):
    base = ("build", "faces", "--reference", "pixels", "--pairs", 5, "--no-floor", "--out", "run")
    assert "Over all 135 pairs" in lookalikes(*base).summary
    assert Path("run/all-pairs.csv").is_file()
    found = lookalikes(*base, "--overwrite", "--no-all-pairs")
    assert "Over all" not in found.summary
    assert not list(Path("run").glob("all-pairs*"))


def test_fars_in_print():
    assert [far_text(far) for far in (0.05, 1e-3, 1e-4, 1e-5, 3e-7)] == [
        *("5 %", "0.1 %", "0.01 %"),
        *("1e-5", "3e-7"),
    ]
