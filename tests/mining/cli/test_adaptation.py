"""Better vectors without training, on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
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
    said = " ".join(made.out.split())
    assert "as learnt on 9 faces of 3 identities of learnt, vectors of timm:test_resnet" in said
    assert "from the 3 identities that it was learnt on and 3 here; expected 10 or more" in said
    assert "pictures" not in said
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


@pytest.fixture
def collections(home: Path) -> Path:
    """Beside `faces`, others of the same kind, and a foreign kind, each of 12 identities."""
    rng = np.random.default_rng(3)
    shutil.rmtree(home / "faces")
    for name, low, high in (("faces", 0, 200), ("others", 0, 200), ("foreign", 200, 256)):
        for identity in range(12):
            folder = home / name / f"{name}-{identity}"
            folder.mkdir(parents=True)
            base = rng.integers(low, high, 3)
            for picture in range(2):
                pixels = rng.integers(-40, 40, (20, 20, 3)) + base
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(
                    folder / f"{picture}.png"
                )
    return home


def embed_all(*options: str) -> None:
    for name in ("others", "foreign"):
        assert embed(f"{name}-vectors", *options, faces=name).code == 0


@pytest.mark.parametrize(("post", "method"), [("centre", "centre"), ("whiten", "within")])
def test_a_step_learnt_in_one_go_is_that_of_two(collections, post, method):
    embed_all("--flip")
    lookalikes("learn-whitening", "others-vectors", "--out", "w.safetensors", "--by", method)
    embed("two", "--flip", "--whitening", "w.safetensors")
    made = embed("one", "--flip", "--post", post, "--post-from", "others-vectors")
    said = " ".join(made.out.split())
    assert f"({method}), as learnt on 24 faces of 12 identities of others-vectors, vectors" in said
    assert "another kind of faces" not in said
    for name in ("vectors.npy", "images.csv", "whitening.safetensors", "manifest.json"):
        assert (collections / "one" / name).read_bytes() == (
            collections / "two" / name
        ).read_bytes()
    kept = (collections / "one" / "whitening.safetensors").read_bytes()
    assert kept == (collections / "w.safetensors").read_bytes()
    facts = json.loads((collections / "one" / "manifest.json").read_text())["whitening"]
    assert facts["folder"] == "others-vectors"
    assert (facts["faces"], facts["identities"], facts["method"]) == (24, 12, method)
    assert facts["fit"]["foreign"] is False
    outside = ("neighbours", "others/others-0/0.png", "--embeddings", "one", "--flip", "--model",
               "timm:test_resnet@m", "--whitening", "one/whitening.safetensors")  # fmt: skip
    assert lookalikes(*outside).code == 0


def test_a_step_of_another_kind_of_faces_is_warned_of(collections):
    embed_all()
    made = embed("e", "--post", "centre", "--post-from", "foreign-vectors")
    said = " ".join(made.out.split())
    assert "foreign-vectors: learnt on another kind of faces, by the look of it." in said
    manifest = json.loads((collections / "e" / "manifest.json").read_text())
    assert manifest["whitening"]["fit"]["foreign"] is True
    assert len(manifest["notes"]) == 1
    lookalikes("learn-whitening", "foreign-vectors", "--out", "f.safetensors")
    again = embed("f", "--whitening", "f.safetensors")
    assert "f.safetensors: learnt on another kind of faces" in " ".join(again.out.split())
    # What is embedded again without a step keeps none.
    embed("e")
    assert not (collections / "e" / "whitening.safetensors").exists()
    assert "whitening" not in json.loads((collections / "e" / "manifest.json").read_text())


def test_mistakes_of_a_step_learnt_on_the_spot(collections):
    embed_all()
    faces = embed("e", *STEPS, "--post", "centre", "--post-from", "others")
    assert (
        "others: no embeddings, which a step is learnt on; are these the faces? Then first: "
        "lookalikes embed others --model timm:test_resnet@m --out others-vectors "
        "--layers layer1,head --flip; and give --post-from others-vectors"
    ) in faces.message
    source = ("--post-from", "others-vectors")
    assert "--post centre is learnt on other faces" in embed("e", "--post", "centre").message
    assert "without --post" in embed("e", *source).message
    both = embed("e", "--post", "whiten", *source, "--whitening", "w.safetensors")
    assert "one step or the other" in both.message
    flipped = embed("e", "--flip", "--post", "whiten", *source)
    assert flipped.message.startswith("others-vectors: learnt on vectors of timm:test_resnet, not")
    itself = embed("others-vectors", "--post", "whiten", *source)
    assert "choose another --out" in itself.message
    missing = embed("e", "--post", "whiten", "--post-from", "nowhere")
    assert "nowhere" in missing.message
    floor = lookalikes("embed", "faces", "--model", "pixels", "--out", "e", "--post", "whiten",
                       *source)  # fmt: skip
    assert "--post is of networks; pixels has no steps behind it" in floor.message
    assert not (collections / "e").exists()


@pytest.mark.parametrize(
    "step", [["--flip"], ["--layers", "layer1"], ["--whitening", "none.safetensors"]]
)
def test_the_floor_has_no_steps_and_says_so(home, step):
    ran = lookalikes("embed", "faces", "--model", "pixels", "--out", "e", *step)
    assert (
        ran.message == f"{step[0]} is of networks; pixels has no steps behind it: give it without"
    )
    assert not (home / "e").exists()
    near = lookalikes("neighbours", "a", "--faces", "faces", "--model", "pixels", *step)
    assert "pixels has no steps behind it" in near.message


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
