"""Better vectors without training, on the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.command_line import lookalikes
from support.small_models import timm_folder

from mining import Embeddings

STEPS = ("--layers", "layer1, head", "--flip")


@pytest.fixture
def home(faces_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that holds `faces` and a model, which commands run in."""
    folder = faces_folder.parent
    (folder / "m").mkdir()
    timm_folder(folder / "m", 0)
    monkeypatch.chdir(folder)
    return folder


def embed(out: str, *options: str, faces: str = "faces"):
    return lookalikes("embed", faces, "--model", "timm:test_resnet@m", "--out", out, *options)


def test_from_learning_to_neighbours(home):
    for identity in ("a", "b", "d & e"):
        shutil.copytree(home / "faces" / identity, home / "others" / identity)
        shutil.rmtree(home / "faces" / identity)
    embed("learnt", *STEPS, faces="others")
    told = lookalikes("learn-whitening", "learnt", "--out", "w.safetensors", "--by", "pca",
                      "--dimensions", 3)  # fmt: skip
    assert "Learnt by pca on 9 faces of 3 identities" in told.summary
    made = embed("e", *STEPS, "--whitening", "w.safetensors")
    assert "learnt on" not in made.out
    found = Embeddings.load(home / "e")
    assert found.vectors.shape == (9, 3)
    assert found.model.startswith("timm:test_resnet@m+layers=layer1,head+flip+whitening=")
    outside = ("neighbours", "others/a/0.png", "--embeddings", "e", "--model", "timm:test_resnet@m")
    assert lookalikes(*outside, *STEPS, "--whitening", "w.safetensors").code == 0
    assert "layers, flips or whitening" in lookalikes(*outside, *STEPS).message


def test_faces_that_a_whitening_was_learnt_on_are_told(home):
    embed("plain")
    lookalikes("learn-whitening", "plain", "--out", "w.safetensors")
    made = embed("e", "--whitening", "w.safetensors")
    assert "w.safetensors: learnt on 6 of these 6 identities" in " ".join(made.out.split())


def test_mistakes_have_one_message(home):
    embed("plain")
    lookalikes("learn-whitening", "plain", "--out", "w.safetensors")
    again = lookalikes("learn-whitening", "plain", "--out", "w.safetensors")
    assert again.message.startswith("w.safetensors: exists")
    assert "inside" in lookalikes("learn-whitening", "plain", "--out", "plain/w").message
    other = embed("f", "--flip", "--whitening", "w.safetensors")
    assert other.message.startswith("w.safetensors: learnt on vectors of timm:test_resnet, not of")
    weights = embed("f", "--whitening", "m/model.safetensors")
    assert "are these a network's weights?" in weights.message
    assert "did you mean layer1" in embed("f", "--layers", "layer_1").message
    assert not (home / "f").exists()
