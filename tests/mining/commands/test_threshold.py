"""Thresholds from files: folders of faces, embeddings, pair files, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.command_line import lookalikes
from support.flat_calls import evaluate_pairs

from indexes import pair_scores
from lookalikes import Embeddings, PairSet, choose_threshold, random_pairs, score_pairs
from mining import adversarial_pairs, embed, mine_negatives
from mining.commands.threshold import ThresholdOptions, find_threshold
from mining.errors import EmbeddingError, RunError
from mining.scores.sources import ScoreSources
from mining.scores.threshold import drawn_faces
from pairsets import Faces
from pairsets.errors import OutputError, PairSetError, ScoresError
from pairsets.files.score_files import write_scores
from pairsets.files.side_files import Named
from pairsets.tables.threshold import FILES, between_text, often

PEOPLE, EACH, SIZE = 40, 4, 12
FIGURES = ("menagerie.png", "menagerie.svg")


class Planted:
    """A model that reads the number of a picture from its colour, and has a vector for each."""

    similarity = "cosine"
    name = "python:planted"
    fingerprint = "planted" * 8

    def __init__(self) -> None:
        self.provenance = {"family": "planted"}
        rng = np.random.default_rng(0)
        middles = np.repeat(rng.normal(size=(PEOPLE, SIZE)), EACH, axis=0)
        vectors = middles + 0.7 * rng.normal(size=middles.shape)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.vectors = vectors.astype(np.float32)

    def preprocess(self, image: Image.Image) -> np.ndarray:
        return np.array(np.asarray(image)[0, 0, :1], np.int64)

    def encode(self, batch: np.ndarray) -> np.ndarray:
        return self.vectors[batch[:, 0]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Faces, their vectors, random pairs with scores and with distances, and pairs to judge on."""
    root = tmp_path_factory.mktemp("threshold")
    for number in range(PEOPLE * EACH):
        person, at = divmod(number, EACH)
        folder = root / "faces" / f"p{person:02}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{at}.png")
    faces = Faces.scan(root / "faces")
    vectors = embed(faces, Planted(), root / "vectors")
    for name, seed in (("random", 0), ("others", 1)):
        pairs = random_pairs(faces, positives=200, negatives=1000, seed=seed)
        pairs.write(root / f"{name}.csv")
        scores = score_pairs(pairs, vectors)
        write_scores(root / f"{name}.planted.csv", pairs, {"planted": scores})
        write_scores(root / f"{name}.far.csv", pairs, {"planted": 1 - scores})
    return root


def scored(world: Path, kind: str = "planted", *, distance: bool = False) -> ScoreSources:
    return ScoreSources(scores=[Named(world / f"random.{kind}.csv")], distance=distance)


def content_of(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "threshold.json").read_text("utf-8"))
    return found


def test_all_pairs_of_embeddings(world: Path, tmp_path: Path) -> None:
    made = find_threshold(
        world / "vectors", out=tmp_path / "out", options=ThresholdOptions(target_fpr=0.01)
    )
    assert {file.name for file in made.files} == {*FILES, *FIGURES}
    found = content_of(tmp_path / "out")
    vectors = Embeddings.load(world / "vectors")
    who, count = vectors.faces.identities, len(vectors)
    first, second = np.divmod(np.arange(count**2), count)
    products = pair_scores(vectors.vectors, vectors.vectors, first, second).reshape(count, count)
    first, second = np.triu_indices(count, 1)
    apart = who[first] != who[second]
    scores = products[first, second]
    cut = found["threshold"]
    assert abs((scores[apart] >= cut).mean() - 0.01) < 2 / apart.sum()
    fpr, fnr = found["set_on"]["fpr"], found["set_on"]["fnr"]
    assert fpr["pairs"] == apart.sum()
    assert fpr["errors"] / fpr["pairs"] == fpr["value"] <= 0.01
    assert fnr["errors"] == (scores[~apart] < cut).sum()
    products[who[:, None] == who] = -1
    alike = found["judged_on"]["look-alikes"]["fpr"]
    assert (alike["errors"], alike["pairs"]) == ((products.max(axis=1) >= cut).sum(), len(who))
    with (tmp_path / "out/identities.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(row["false_accepts"]) for row in rows) == 2 * fpr["errors"]
    assert sum(int(row["misses"]) for row in rows) == fnr["errors"]
    assert [row["identity"] for row in rows] == sorted({*who})
    # The number, and what it costs, in three sentences.
    words = (tmp_path / "out/threshold.md").read_text("utf-8").split("\n")
    assert f"a score of at least {cut:.4f}" in words[2]
    assert "nearest face of another identity" in words[3]
    assert "are turned away" in words[4]


def test_same_bytes_again_and_from_python(world: Path, tmp_path: Path) -> None:
    options = ThresholdOptions(0.01)
    made = [
        find_threshold(world / "vectors", out=tmp_path / name, options=options)
        for name in ("one", "two")
    ]
    for one, other in zip(made[0].files, made[1].files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    found = choose_threshold(Embeddings.load(world / "vectors"), target_fpr=0.01)
    assert (found.value, found.interval) == (
        made[0].threshold.value,
        made[0].threshold.interval,
    )


def test_folder_of_faces_with_a_model(world: Path, tmp_path: Path) -> None:
    sources = ScoreSources(models=["pixels"])
    made = find_threshold(
        world / "faces", out=tmp_path / "out", sources=sources, options=ThresholdOptions(0.05)
    )
    assert made.model == "pixels"
    [kept] = (tmp_path / "out/embeddings").iterdir()
    again = find_threshold(kept, out=tmp_path / "again", options=ThresholdOptions(0.05))
    assert again.threshold.value == made.threshold.value


def test_pair_file_with_scores_or_vectors(world: Path, tmp_path: Path) -> None:
    options = ThresholdOptions(0.01)
    by_scores = find_threshold(
        world / "random.csv", out=tmp_path / "scores", sources=scored(world), options=options
    )
    by_vectors = find_threshold(
        world / "random.csv",
        out=tmp_path / "vectors",
        sources=ScoreSources(embeddings=[world / "vectors"]),
        options=options,
    )
    pairs = PairSet.read(world / "random.csv")
    scores = score_pairs(pairs, Embeddings.load(world / "vectors"))
    negatives = np.sort(scores[pairs.label == 0])[::-1]
    assert by_vectors.threshold.accepted == 10
    assert negatives[10] < by_vectors.threshold.value <= negatives[9]
    assert by_scores.threshold.value == pytest.approx(by_vectors.threshold.value)
    assert content_of(tmp_path / "vectors")["fingerprint"] == Planted.fingerprint
    assert content_of(tmp_path / "scores")["fingerprint"] is None
    assert choose_threshold(pairs, scores, 0.01).value == by_vectors.threshold.value


def test_distances_are_told_as_they_were_given(world: Path, tmp_path: Path) -> None:
    options = ThresholdOptions(0.01)
    find_threshold(
        world / "random.csv", out=tmp_path / "near", sources=scored(world), options=options
    )
    made = find_threshold(
        world / "random.csv",
        out=tmp_path / "far",
        sources=scored(world, "far", distance=True),
        options=options,
    )
    near, far = content_of(tmp_path / "near"), content_of(tmp_path / "far")
    assert far["accepts"] == "distance <= threshold"
    assert far["threshold"] == pytest.approx(1 - near["threshold"])
    assert far["threshold_low"] == pytest.approx(1 - near["threshold_high"])
    assert far["threshold_low"] < far["threshold"] < far["threshold_high"]
    assert "a distance of at most" in (tmp_path / "far/threshold.md").read_text("utf-8")
    # And judged by: the same decisions.
    board = evaluate_pairs(
        world / "random.csv",
        scores=[Named(world / "random.far.csv")],
        distance=True,
        thresholds=[tmp_path / "far/threshold.json"],
    )
    carried = board.leaderboard.comparison.evaluations["planted"].carried
    assert carried.fpr.value == made.threshold.fpr


def test_distances_that_nobody_declared_are_refused(world: Path, tmp_path: Path) -> None:
    with pytest.raises(ScoresError, match="--distance"):
        find_threshold(world / "random.csv", out=tmp_path / "out", sources=scored(world, "far"))
    assert not (tmp_path / "out").exists()


def test_other_sets_are_judged_at_it(world: Path, tmp_path: Path) -> None:
    sources = ScoreSources(embeddings=[world / "vectors"])
    made = find_threshold(
        world / "random.csv",
        out=tmp_path / "out",
        sources=sources,
        judge_on=[world / "others.csv"],
        options=ThresholdOptions(0.01),
    )
    pairs = PairSet.read(world / "others.csv")
    accepted = score_pairs(pairs, Embeddings.load(world / "vectors")) >= made.threshold.value
    judged = made.threshold.judged["others"]
    assert judged.fpr.errors == int((accepted & (pairs.label == 0)).sum())
    assert judged.fnr.errors == int((~accepted & (pairs.label == 1)).sum())
    by_folder = find_threshold(
        world / "vectors",
        out=tmp_path / "folder",
        judge_on=[world / "others.csv"],
        options=ThresholdOptions(0.01),
    )
    assert [*by_folder.threshold.judged] == ["look-alikes", "others"]


def test_evaluate_at_a_threshold_from_a_file(world: Path, tmp_path: Path) -> None:
    made = find_threshold(world / "vectors", out=tmp_path / "out", options=ThresholdOptions(0.01))
    file = tmp_path / "out/threshold.json"
    found = evaluate_pairs(
        world / "random.csv", embeddings=[world / "vectors"], thresholds=[file], out=tmp_path / "t"
    )
    carried = found.leaderboard.comparison.evaluations["python:planted"].carried
    pairs = PairSet.read(world / "random.csv")
    accepted = score_pairs(pairs, Embeddings.load(world / "vectors")) >= made.threshold.value
    assert carried.fpr.errors == int((accepted & (pairs.label == 0)).sum())
    assert any("at the threshold of" in text and "FNR" in text for text in found.hints)
    row = json.loads((tmp_path / "t.json").read_text("utf-8"))
    assert "carried_fpr" in json.dumps(row)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"kind": "identification"}, "kind is 'identification'"),
        ({"schema": 7}, "another version"),
        ({"threshold": "0.5"}, "threshold is '0.5'; expected a number"),
        ({"threshold": None}, "expected a number"),
        ({"accepts": "score > threshold"}, "expected 'score >= threshold'"),
        ({"accepts": "distance <= threshold"}, "are they distances"),
        ({"model": "python:other", "fingerprint": None}, "not among the models here"),
        ({"model": ""}, "expected a text"),
        ({"fingerprint": "another"}, "another checkpoint"),
    ],
)
def test_thresholds_of_something_else_are_refused(
    world: Path, tmp_path: Path, change: dict[str, object], match: str
) -> None:
    find_threshold(world / "vectors", out=tmp_path / "out", options=ThresholdOptions(0.01))
    file = tmp_path / "changed.json"
    file.write_text(json.dumps(content_of(tmp_path / "out") | change), "utf-8")
    with pytest.raises(ScoresError, match=match):
        evaluate_pairs(world / "random.csv", embeddings=[world / "vectors"], thresholds=[file])


def test_threshold_files_that_are_none(world: Path, tmp_path: Path) -> None:
    (tmp_path / "no.json").write_text("[", "utf-8")
    for file, match in (
        (tmp_path / "no.json", "a threshold, as"),
        (tmp_path / "gone.json", "no such file"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(ScoresError, match=match):
            evaluate_pairs(world / "random.csv", embeddings=[world / "vectors"], thresholds=[file])


def test_two_thresholds_of_one_model_are_refused(world: Path, tmp_path: Path) -> None:
    find_threshold(world / "vectors", out=tmp_path / "out", options=ThresholdOptions(0.01))
    file = tmp_path / "out/threshold.json"
    with pytest.raises(ScoresError, match="a second threshold of python:planted"):
        evaluate_pairs(
            world / "random.csv", embeddings=[world / "vectors"], thresholds=[file, file]
        )


def test_what_cannot_be_told_is_refused_and_nothing_written(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    vectors = ScoreSources(embeddings=[world / "vectors"])
    cases = [
        (world / "random.csv", vectors, 1e-4, ScoresError, "one of them is 0.001"),
        (world / "random.csv", ScoreSources(), 0.01, RunError, "no scores; name --scores"),
        (world / "vectors", vectors, 0.01, RunError, "a folder, whose scores"),
        (world / "vectors", ScoreSources(models=["pixels"]), 0.01, RunError, "embeddings already"),
        (world / "faces", ScoreSources(), 0.01, RunError, "needs --model"),
        (world / "gone.csv", vectors, 0.01, PairSetError, "no such pair file"),
        (
            world / "random.csv",
            ScoreSources(scores=[Named(world / "random.planted.csv", "a"),
                                 Named(world / "random.planted.csv", "b")]),
            0.01, ScoresError, "scores of 2 models",
        ),
    ]  # fmt: skip
    for source, sources, target, error, match in cases:
        with pytest.raises(error, match=match):
            find_threshold(
                source, out=out, sources=sources, options=ThresholdOptions(target_fpr=target)
            )
        assert not (out / "threshold.json").exists()
    find_threshold(world / "vectors", out=out, options=ThresholdOptions(0.01))
    with pytest.raises(OutputError, match="overwrite"):
        find_threshold(world / "vectors", out=out, options=ThresholdOptions(0.01))
    with pytest.raises((EmbeddingError, OutputError, RunError)):
        find_threshold(world / "vectors", out=world / "vectors" / "in")


def test_designs_are_refused_and_mined_pairs_told(world: Path, tmp_path: Path) -> None:
    pairs = PairSet.read(world / "random.csv")
    pairs.write(tmp_path / "fair.csv")
    (tmp_path / "fair.design.csv").write_text("pathA,pathB,stratum,probability\n", "utf-8")
    vectors = ScoreSources(embeddings=[world / "vectors"])
    with pytest.raises(ScoresError, match="unequal chances"):
        find_threshold(tmp_path / "fair.csv", out=tmp_path / "out", sources=vectors)
    known = Embeddings.load(world / "vectors")
    mined, ranks = adversarial_pairs(mine_negatives(known, 300), pairs)
    mined.write(tmp_path / "mined.csv")
    scores = {known.model: score_pairs(mined, known)}
    write_scores(tmp_path / "mined.scores.csv", mined, scores, rank=ranks)
    made = find_threshold(
        tmp_path / "mined.csv",
        out=tmp_path / "out",
        sources=vectors,
        options=ThresholdOptions(0.1),
    )
    assert any("a model mined these pairs" in text for text in made.warnings)
    assert "which were mined" in made.where


def test_faces_are_drawn_by_whole_identities(world: Path, tmp_path: Path) -> None:
    vectors = Embeddings.load(world / "vectors")
    drawn = drawn_faces(vectors, 50, seed=3)
    names = drawn.faces.identities
    assert len(drawn) == 48
    assert {(names == name).sum() for name in {*names}} == {EACH}
    assert drawn_faces(vectors, 0, 0).faces.paths.equals(vectors.faces.paths)
    assert len(drawn_faces(vectors, 2, 0)) == 2 * EACH
    with pytest.raises(RunError, match="two or more"):
        drawn_faces(vectors, 1, 0)
    made = find_threshold(
        world / "vectors", out=tmp_path / "out", options=ThresholdOptions(0.05, 50, 3)
    )
    told = {row.what: row.count for row in made.funnel}
    assert told["faces, of which all pairs count"] == 48
    assert told["faces of identities that were not drawn"] == PEOPLE * EACH - 48


def test_python_asks_for_what_it_needs(world: Path) -> None:
    with pytest.raises(ScoresError, match="a pair set without scores"):
        choose_threshold(PairSet.read(world / "random.csv"))
    with pytest.raises(ScoresError, match="scores of their own"):
        choose_threshold(Embeddings.load(world / "vectors"), [1.0])


def test_command_line(world: Path, tmp_path: Path) -> None:
    made = lookalikes(
        "threshold", world / "vectors", "--fmr", "0.01", "--out", tmp_path / "out",
        "--judge-on", world / "others.csv", "--spreadsheet-safe",
    )  # fmt: skip
    assert made.code == 0, made.err
    assert "Take two pictures to show the same identity where python:planted" in made.out
    assert "of identities that did not set it" in made.out
    found = lookalikes(
        "evaluate", world / "others.csv", "--embeddings", world / "vectors",
        "--threshold-file", tmp_path / "out/threshold.json",
    )  # fmt: skip
    assert found.code == 0, found.err
    assert "at the threshold of" in found.out
    wrong = lookalikes(
        "threshold", world / "vectors", "--target-fpr", "10", "--out", tmp_path / "x"
    )
    assert wrong.code == 2
    assert "did you mean" in wrong.err
    low = lookalikes(
        "threshold", world / "random.csv", "--embeddings", world / "vectors",
        "--target-fpr", "1e-6", "--out", tmp_path / "x",
    )  # fmt: skip
    assert low.code == 1
    assert "the smallest FPR there is" in low.err
    assert "Traceback" not in low.err
    assert not (tmp_path / "x").exists()
    both = lookalikes(
        "evaluate", world / "vectors", "--all-pairs",
        "--threshold-file", tmp_path / "out/threshold.json",
    )  # fmt: skip
    assert both.code == 2
    assert "--threshold-file" in both.err


def test_words() -> None:
    from pairsets.evaluation.intervals import Interval

    assert often(0.5) == "50 of 100"
    assert often(1e-5) == "10 of 1,000,000"
    assert between_text(Interval(-np.inf, np.inf)) == "not bounded by these data"
    assert between_text(Interval(-np.inf, 0.25)) == "0.2500 or lower"
