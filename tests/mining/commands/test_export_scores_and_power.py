"""Submissions and plans from files: where scores come from, and whom they are of."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
from support.flat_calls import export, plan

from mining import Embeddings, embed, load_model, score_pairs
from mining.cli.summary import print_planned
from mining.embeddings.options import EmbeddingOptions
from mining.errors import RunError
from pairsets import Faces, PairSet, PairSetError, ScoresError, random_pairs
from pairsets.errors import OutputError
from pairsets.evaluation.power import power_of
from pairsets.files.score_files import read_scores, write_scores
from pairsets.files.side_files import Named
from pairsets.files.submissions import SubmissionError, read_submission


@pytest.fixture
def asked(faces_folder, tmp_path):
    """A pair file of real names, and its pairs."""
    pairs = random_pairs(Faces.scan(faces_folder), positives=10, negatives=20, seed=1)
    pairs.write(tmp_path / "test.csv")
    return tmp_path / "test.csv", pairs


def sent_as(pairs, out, **options):
    made = export(pairs, out, encoding=EmbeddingOptions(), **options)
    assert made.files == [out, out.with_suffix(".json")]
    return made


def test_from_embeddings_a_model_or_a_score_file_the_same(asked, faces_folder, tmp_path):
    path, pairs = asked
    embedded = embed(Faces.scan(faces_folder), load_model("pixels"), tmp_path / "e")
    expected = score_pairs(pairs, embedded)
    write_scores(tmp_path / "s.csv", pairs, {"x": -expected, "pixels": expected})
    sources = {
        "embeddings": {"embeddings": tmp_path / "e"},
        "model": {"faces": faces_folder, "model": "pixels"},
        "scores": {"scores": tmp_path / "s.csv", "name": "pixels"},
    }
    tables = set()
    for name, source in sources.items():
        out = tmp_path / "sent" / f"{name}.csv"
        made = sent_as(path, out, **source)
        assert [(row.what, row.count) for row in made.funnel] == [("pairs scored", 30)]
        found = read_submission(out, pairs)
        assert found.model == "pixels"
        np.testing.assert_array_equal(found.scores, expected)
        known = None if name == "scores" else embedded.manifest["fingerprint"]
        assert found.fingerprint == known
        assert (found.manifest["provenance"] is None) == (name == "scores")
        tables.add(out.read_bytes())
    assert len(tables) == 1
    assert Embeddings.load(next((tmp_path / "test.embeddings").iterdir())).model == "pixels"


def test_what_it_is_called_and_what_is_said_of_it(asked, tmp_path):
    path, pairs = asked
    write_scores(tmp_path / "s.csv", pairs, {"own": np.arange(30.0)})
    options = {"authors": ["Rei"], "description": "A ramp.", "url": "https://example.org"}
    sent_as(path, tmp_path / "x.csv", scores=tmp_path / "s.csv", name="no & model", **options)
    found = read_submission(tmp_path / "x.csv", pairs)
    assert found.model == "no & model"
    assert {name: found.manifest[name] for name in options} == options


def test_invalid_pairs_need_no_score(asked, tmp_path):
    path, pairs = asked
    marked = PairSet.of(pairs.path_a, pairs.path_b, pairs.label, invalid=np.arange(30) < 2)
    marked.write(path)
    some = pairs.take(np.arange(1, 30))
    write_scores(tmp_path / "s.csv", some, {"m": np.arange(29.0)})
    made = sent_as(path, tmp_path / "x.csv", scores=tmp_path / "s.csv")
    assert [(row.what, row.count) for row in made.funnel] == [
        ("invalid pairs without a score", 1),
        ("pairs scored", 29),
    ]
    np.testing.assert_array_equal(
        read_submission(tmp_path / "x.csv", marked).scores, [np.nan, *range(29)]
    )


def test_submissions_that_are_not_made(asked, faces_folder, tmp_path):
    path, pairs = asked
    scores, out = tmp_path / "s.csv", tmp_path / "x.csv"
    write_scores(scores, pairs, {"a": np.arange(30.0), "b": np.zeros(30)})

    def refused(error, message, to=out, **options):
        with pytest.raises(error, match=message):
            export(path, to, encoding=EmbeddingOptions(), **options)
        assert not out.exists()

    refused(RunError, "0 sources of scores")
    refused(RunError, "2 sources of scores", scores=scores, model="pixels")
    refused(RunError, "--model needs --faces", model="pixels")
    refused(ScoresError, r"s\.csv: scores of 2 models \(a, b\)", scores=scores)
    refused(ScoresError, r"scores of 2 models", scores=scores, name="c")
    refused(SubmissionError, "b: all 30 scores are 0", scores=scores, name="b")
    refused(SubmissionError, "ends in .csv", to=tmp_path / "x", scores=scores, name="a")
    refused(OutputError, "is read by this command", to=scores, scores=scores, name="a")
    # The manifest of the pair set would be replaced by that of the submission.
    path.with_suffix(".json").write_text("{}")
    refused(OutputError, "is read by this command", to=path, scores=scores, name="a")
    sent_as(path, out, scores=scores, name="a")
    with pytest.raises(OutputError, match="exists"):
        export(path, out, scores=scores, name="a", encoding=EmbeddingOptions())
    sent_as(path, out, scores=scores, name="a", overwrite=True)


# ---------------------------------------------------------------- plans


@pytest.fixture
def world(tmp_path):
    """Three models of falling skill on 600 pairs of 40 identities."""
    generator = np.random.default_rng(2)
    rows = {}
    while len(rows) < 480:
        a, b = generator.integers(0, 40, 2)
        i, j = generator.integers(0, 6, 2)
        if a != b:
            rows[frozenset([f"{a}/{i}", f"{b}/{j}"])] = 0
    while len(rows) < 600:
        a = generator.integers(0, 40)
        i, j = generator.choice(6, 2, replace=False)
        rows[frozenset([f"{a}/{i}", f"{a}/{j}"])] = 1
    ends = [sorted(row) for row in rows]
    pairs = PairSet.of([a for a, _ in ends], [b for _, b in ends], list(rows.values()))
    hard = generator.normal(size=600)
    scores = {
        name: skill * pairs.label + hard + 0.5 * generator.normal(size=600)
        for name, skill in (("good", 3.0), ("fair", 2.5), ("poor", 1.5))
    }
    pairs.write(tmp_path / "set.csv")
    write_scores(tmp_path / "s.csv", pairs, scores)
    return tmp_path, pairs, scores


def test_every_two_models_are_planned_for(world):
    folder, _, scores = world
    found = plan(
        folder / "set.csv", points=0.02, scores=[Named(folder / "s.csv")], target_fnr=0.1, draws=200
    )
    assert [(one.first, one.second) for one in found.plans] == list(combinations(scores, 2))
    assert (found.pairs, found.warnings) == (folder / "set.csv", [])
    for one in found.plans:
        assert one.alpha == pytest.approx(0.05 / 3)
        assert (one.present.negatives, one.present.positives, one.by) == (480, 120, "identity")
        assert one.difference < 0
    chosen = plan(
        folder / "set.csv", points=0.02, scores=[Named(folder / "s.csv")],
        models=["poor", "good"], target_fnr=0.1, draws=200, statistic="eer",
    )  # fmt: skip
    (only,) = chosen.plans
    assert (only.first, only.second, only.alpha, only.statistic) == ("poor", "good", 0.05, "eer")
    assert only.difference > 0


@pytest.mark.parametrize(("by", "column"), [("identity", "identities"), ("image", "images")])
def test_the_table_names_what_is_counted(world, monkeypatch, capsys, by, column):
    folder, _, _ = world
    monkeypatch.setenv("COLUMNS", "120")
    options = {"target_fnr": 0.1, "draws": 200, "clusters": by}
    print_planned(
        plan(folder / "set.csv", points=0.02, scores=[Named(folder / "s.csv")], **options)
    )
    assert f"positives   {column}" in capsys.readouterr().out


def test_the_plan_is_that_of_the_arrays(world):
    from pairsets.evaluation.clusters import Clusters
    from pairsets.evaluation.evaluator import evaluate_arrays

    folder, pairs, scores = world
    options = {"points": 0.03, "power": 0.9}
    found = plan(
        folder / "set.csv", scores=[Named(folder / "s.csv")], models=["good", "poor"],
        target_fnr=0.1, draws=200, seed=5, clusters="image", **options,
    )  # fmt: skip
    ends = Clusters.of(pairs, "image")
    judged = evaluate_arrays(pairs.label, scores, ends, 0.1, draws=200, seed=5)
    expected = power_of(judged["good"], judged["poor"], ends, names=("good", "poor"), **options)
    assert found.plans[0] == expected


def test_models_that_never_differ_are_named(world):
    folder, pairs, _ = world
    scores = read_scores(folder / "s.csv", pairs)
    scores["twin"] = 2 * scores["good"]
    write_scores(folder / "s.csv", pairs, scores)
    options = {"points": 0.02, "scores": [Named(folder / "s.csv")], "draws": 200}
    found = plan(folder / "set.csv", **options)
    assert len(found.plans) == 5
    (warning,) = found.warnings
    assert warning.startswith("good and twin never differ on these pairs")
    with pytest.raises(ScoresError, match="twin and good never differ"):
        plan(folder / "set.csv", models=["twin", "good"], **options)


def test_the_model_that_mined_is_named(world):
    folder, *_ = world
    manifest = {"reference": {"model": "fair", "fingerprint": "1"}}
    (folder / "set.json").write_text(json.dumps(manifest))
    options = {"points": 0.02, "scores": [Named(folder / "s.csv")], "draws": 200}
    (warning,) = plan(folder / "set.csv", **options).warnings
    assert warning.startswith("fair mined this set")
    assert plan(folder / "set.csv", models=["good", "poor"], **options).warnings == []


def test_plans_that_are_not_made(world):
    folder, pairs, _ = world
    scores = [Named(folder / "s.csv")]

    def refused(error, message, **options):
        with pytest.raises(error, match=message):
            plan(folder / "set.csv", **({"points": 0.02, "draws": 100} | options))

    refused(ScoresError, r"0 models to tell apart \(none\)")
    refused(ScoresError, r"1 model to tell apart \(good\)", scores=scores, models=["good"])
    refused(ScoresError, "a model named twice", scores=scores, models=["good", "good"])
    refused(
        ScoresError, "no scores of best; there are good, fair, poor", scores=scores, models=["best"]
    )
    refused(ScoresError, "2 to tell apart; expected a share", scores=scores, points=2)
    refused(ScoresError, "not resampled", scores=scores, draws=0)
    pairs.take(pairs.label == 0).write(folder / "set.csv")
    refused(PairSetError, "no valid positive pair", scores=scores)
