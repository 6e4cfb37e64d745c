"""Whitening learnt from vectors: against NumPy and scikit-learn, and as a step of embedding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mining import Embeddings, embed, load_model
from mining.commands.embed import embed_faces
from mining.commands.learn_whitening import learn_from_embeddings
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.whitening_learner import (
    WhiteningPlan,
    estimated_shrinkage,
    learn_whitening,
)
from mining.errors import EmbeddingError, ModelError
from mining.models.adapted_model import AdaptedModel
from mining.models.whitening_step import Whitening
from pairsets import Faces
from pairsets.errors import OutputError

FILES = ("vectors.npy", "images.csv", "manifest.json")


@pytest.fixture
def faces(faces_folder: Path) -> Faces:
    return Faces.scan(faces_folder)


@pytest.fixture
def made(faces: Faces, tmp_path: Path) -> Embeddings:
    return embed(faces, load_model("pixels"), tmp_path / "plain")


def drawn(made: Embeddings, dimensions: int = 6, seed: int = 0) -> Embeddings:
    """Other vectors for the same faces, of full rank."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimensions, dimensions))
    vectors = (rng.normal(size=(len(made), dimensions)) @ mixing + 3).astype(np.float32)
    return replace(made, vectors=vectors, files=())


def codes(made: Embeddings) -> np.ndarray:
    return np.unique(made.faces.identities.astype(str), return_inverse=True)[1]


def test_pca_makes_the_covariance_the_identity(made):
    given = drawn(made)
    step = learn_whitening(given, WhiteningPlan("pca", None, 0.0))
    found = step.apply(np.asarray(given.vectors, np.float64))
    assert np.cov(found.T, bias=True) == pytest.approx(np.eye(6), abs=1e-9)
    assert found.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-9)
    fewer = learn_whitening(given, WhiteningPlan("pca", 2, 0.0))
    assert np.array_equal(fewer.projection, step.projection[:, :2])


def test_within_makes_the_covariance_within_identities_the_identity(made):
    given, labels = drawn(made), codes(made)
    for dimensions in (None, 3):
        step = learn_whitening(given, WhiteningPlan("within", dimensions, 0.0))
        found = step.apply(np.asarray(given.vectors, np.float64))
        apart = found - np.stack([found[labels == one].mean(axis=0) for one in labels])
        pooled = apart.T @ apart / (len(labels) - len(set(labels)))
        assert pooled == pytest.approx(np.eye(step.dimensions), abs=1e-9)


def test_within_keeps_the_discriminants_of_fisher(made):
    discriminant = pytest.importorskip("sklearn.discriminant_analysis")
    given, labels = drawn(made), codes(made)
    vectors = np.asarray(given.vectors, np.float64)
    found = learn_whitening(given, WhiteningPlan("within", 2, 0.0)).apply(vectors)
    oracle = discriminant.LinearDiscriminantAnalysis(solver="svd", n_components=2)
    expected = oracle.fit_transform(vectors, labels)
    for mine, theirs in zip(found.T, expected.T, strict=True):
        assert abs(np.corrcoef(mine, theirs)[0, 1]) == pytest.approx(1, abs=1e-6)


def test_shrinkage_is_that_of_ledoit_and_wolf(made):
    covariance = pytest.importorskip("sklearn.covariance")
    given = np.asarray(drawn(made, 9).vectors, np.float64)
    apart = given - given.mean(axis=0)
    fourth = float((np.square(apart).sum(axis=1) ** 2).mean())
    found = estimated_shrinkage(apart.T @ apart / len(apart), fourth, len(apart))
    assert found == pytest.approx(covariance.ledoit_wolf_shrinkage(given), rel=1e-9)
    assert 0 < found < 1
    step = learn_whitening(drawn(made, 9), WhiteningPlan("pca"))
    assert step.facts["shrinkage"] == pytest.approx(found)
    known = covariance.ledoit_wolf(given)[0]
    assert step.projection.T @ known @ step.projection == pytest.approx(np.eye(9), abs=1e-9)


def test_centre_takes_off_the_mean_alone(made):
    step = learn_whitening(made, WhiteningPlan("centre"))
    vectors = np.asarray(made.vectors, np.float64)
    assert step.apply(vectors) == pytest.approx(vectors - vectors.mean(axis=0), abs=1e-12)
    assert step.projection is None


@pytest.mark.parametrize("method", ["centre", "pca", "within"])
def test_the_order_of_the_faces_does_not_matter(made, method):
    turned = made.take(np.random.default_rng(3).permutation(len(made)))
    one, other = (learn_whitening(given, WhiteningPlan(method)) for given in (made, turned))
    assert one.digest == other.digest
    assert np.array_equal(one.images, other.images)


def test_signs_are_settled(made):
    step = learn_whitening(drawn(made), WhiteningPlan("pca"))
    largest = np.argmax(np.abs(step.projection), axis=0)
    assert (step.projection[largest, np.arange(step.dimensions)] > 0).all()


def test_a_part_of_the_faces_leaves_the_marks_of_the_others_out(made, faces):
    part = learn_whitening(made.take(np.arange(6)), WhiteningPlan("centre"))
    assert (len(part.images), part.facts["faces"]) == (6, 6)
    assert part.shared(faces.identities.tolist(), []) == (2, 0)


def test_the_same_bytes_whatever_the_threads(made, tmp_path):
    script = (
        "import sys; from pathlib import Path\n"
        "from mining.commands.learn_whitening import learn_from_embeddings\n"
        "learn_from_embeddings(Path(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    written = []
    for threads in ("1", "2"):
        out = tmp_path / f"{threads}.safetensors"
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        command = [sys.executable, "-c", script, str(made.folder), str(out)]
        subprocess.run(command, check=True, env=environment)
        written.append(out.read_bytes())
    assert written[0] == written[1]


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (("pca", 18), "18 dimensions asked for; 18 faces .* tell 17 at the most"),
        (("within", 6), "6 dimensions asked for; 6 identities .* tell 5 at the most"),
        (("within", None, 0.0), "vary in 12 directions, too few for 772"),
    ],
    ids=["faces", "identities", "flat"],
)
def test_more_than_can_be_told_is_refused(made, plan, told):
    with pytest.raises(EmbeddingError, match=told):
        learn_whitening(made, WhiteningPlan(*plan))


def test_more_dimensions_than_components_are_refused(made):
    with pytest.raises(EmbeddingError, match=r"5 dimensions asked for; .* tell 4 at the most"):
        learn_whitening(drawn(made, 4), WhiteningPlan("pca", 5))


@pytest.mark.parametrize(
    "given",
    [("x",), ("pca", 0), ("pca", None, 1.5), ("pca", None, float("nan")), ("centre", 3)],
    ids=["method", "none", "share", "nan", "centre"],
)
def test_a_plan_that_makes_no_sense_is_refused(given):
    with pytest.raises(EmbeddingError):
        WhiteningPlan(*given)


def test_vectors_that_tell_nothing_are_refused(made):
    alike = replace(made, vectors=np.ones((len(made), 3), np.float32), files=())
    with pytest.raises(EmbeddingError, match="do not vary"):
        learn_whitening(alike, WhiteningPlan("pca"))
    broken = replace(made, vectors=np.full((len(made), 3), np.nan, np.float32), files=())
    with pytest.raises(EmbeddingError, match="not finite"):
        learn_whitening(broken, WhiteningPlan("centre"))
    single = made.take(np.array([0, 3, 6]))
    with pytest.raises(EmbeddingError, match="no identity has two faces"):
        learn_whitening(single, WhiteningPlan("within"))


# --- as commands


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_embedding_with_a_whitening(made, faces, tmp_path):
    file = tmp_path / "w.safetensors"
    told = learn_from_embeddings(made.folder, file)
    assert "Learnt by within on 18 faces of 6 identities" in told.hints[0]
    with pytest.raises(OutputError, match="exists"):
        learn_from_embeddings(made.folder, file)
    model = AdaptedModel(load_model("pixels"), whitening=Whitening.read(file), label=str(file))
    found = embed(faces, model, tmp_path / "whitened")
    step = Whitening.read(file)
    expected = unit(step.apply(np.asarray(made.vectors, np.float64)))
    assert np.asarray(found.vectors) == pytest.approx(expected, abs=1e-6)
    assert found.manifest["fingerprint"] != made.manifest["fingerprint"]
    assert found.manifest["model"] == f"pixels+whitening={step.digest[:8]}"
    note, few = found.manifest["notes"]
    assert "cannot be told from the 6 identities that it was learnt on and 6 here" in few
    assert "learnt on 6 of these 6 identities (by name) and on 18 of these 18 pictures" in note
    with pytest.raises(EmbeddingError, match="whitened already"):
        learn_whitening(found, WhiteningPlan("centre"))


def test_vectors_without_the_step_are_made_again_with_it(made, faces, tmp_path):
    file = tmp_path / "w.safetensors"
    learn_from_embeddings(made.folder, file, plan=WhiteningPlan("centre"))
    model = AdaptedModel(load_model("pixels"), whitening=Whitening.read(file))
    whitened = embed(faces, model, made.folder)
    assert np.asarray(whitened.vectors).shape == (18, 772)
    assert whitened.manifest["fingerprint"] == model.fingerprint
    back = embed(faces, load_model("pixels"), made.folder)
    assert back.manifest["fingerprint"] == load_model("pixels").fingerprint


def test_interrupted_and_resumed_ends_with_the_same_bytes(made, faces, tmp_path):
    step = learn_whitening(made, WhiteningPlan("within"))
    model = AdaptedModel(load_model("pixels"), whitening=step)
    whole = embed(faces, model, tmp_path / "whole", batch_size=5)

    def interrupt(done: int, total: int) -> None:
        if done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(faces, model, tmp_path / "again", batch_size=5, progress=interrupt)
    assert (tmp_path / "again" / "partial").is_dir()
    embed(faces, model, tmp_path / "again", batch_size=5)
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (whole.folder / name).read_bytes()


def test_a_name_with_steps_is_no_model(tmp_path):
    with pytest.raises(ModelError, match=r"load timm:x with --layers, --flip and --whitening"):
        EmbeddingOptions().load("timm:x+flip")


def test_the_floor_has_no_steps(tmp_path):
    given = EmbeddingOptions(flip=True)
    assert given.load("pixels").fingerprint == load_model("pixels").fingerprint
    assert given.settled == {"precision": "fp32", "flip": True}


def test_engines_run_the_network_behind_the_steps(faces, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    from support.small_models import timm_folder

    (tmp_path / "m").mkdir()
    spec = timm_folder(tmp_path / "m", 0)
    found = {}
    for engine in ("torch", "onnx"):
        options = EmbeddingOptions(
            device="cpu", flip=True, layers=("layer1", "head"), engine=engine
        )
        out = tmp_path / engine
        embed_faces(faces.root, spec, out, encoding=options)
        found[engine] = Embeddings.load(out)
    one, other = (np.asarray(each.vectors) for each in found.values())
    assert one == pytest.approx(other, abs=1e-5)
    assert found["onnx"].manifest["engine"]["name"] == "onnx"
    manifest = json.loads((tmp_path / "onnx" / "manifest.json").read_text())
    assert manifest["provenance"]["layers"]["names"] == ["layer1", "head"]
    assert manifest["provenance"]["flip"] == "mean of outputs"
    with pytest.raises(ModelError, match="leave the engine auto"):
        EmbeddingOptions(flip=True, engine="onnx").load(callable_spec(tmp_path, monkeypatch))


def callable_spec(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    from support.small_models import BUILDERS

    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    return next(
        BUILDERS[kind](folder, 0) for kind in BUILDERS if "python" in kind or "call" in kind
    )
