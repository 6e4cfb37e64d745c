"""Steps behind a model: flips, and a whitening from a file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image, ImageOps
from safetensors.numpy import save_file
from support.small_models import photo

from mining import load_model
from mining.errors import ModelError
from mining.models.adapted_model import AdaptedModel, split_steps
from mining.models.base import digest
from mining.models.names import short_name
from mining.models.whitening_step import Whitening, image_marks, marks, model_digest


def step_for(model, *, dimensions=None, seed=0, flip=False):
    size = dimensions or model.encode(model.preprocess(photo(0))[None]).shape[1]
    rng = np.random.default_rng(seed)
    provenance = {**model.provenance, **({"flip": "mean of outputs"} if flip else {})}
    mean, projection = rng.normal(size=size) / size, rng.normal(size=(size, 5))
    facts = {
        "digest": "", "method": "pca", "model": model.name, "model_fingerprint": "f",
        "model_digest": model_digest(provenance), "similarity": model.similarity,
        "faces": 9, "identities": 3, "rank": 5,
    }  # fmt: skip
    found = Whitening(mean, projection, facts, marks(["rei", "asuka"]), image_marks(["ab" * 32]))
    facts["digest"] = found.digest
    return found


def unit(vectors):
    wide = np.asarray(vectors, np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


@pytest.fixture
def model():
    return load_model("pixels")


def test_flips_are_the_mean_of_both_outputs(model):
    flipped, pictures = AdaptedModel(model, flip=True), [photo(1), photo(2)]
    found = flipped.encode(np.stack([flipped.preprocess(one) for one in pictures]))
    for vector, one in zip(found, pictures, strict=True):
        both = [model.preprocess(one), model.preprocess(ImageOps.mirror(one))]
        assert vector == pytest.approx(model.encode(np.stack(both)).mean(axis=0), abs=1e-6)
    mirrored = np.stack([flipped.preprocess(ImageOps.mirror(one)) for one in pictures])
    assert flipped.encode(mirrored) == pytest.approx(found, abs=1e-6)


def test_a_symmetric_picture_keeps_its_vector(model):
    half = np.asarray(photo(3))
    picture = Image.fromarray(np.concatenate([half, half[:, ::-1]], axis=1))
    flipped = AdaptedModel(model, flip=True)
    found = flipped.encode(flipped.preprocess(picture)[None])
    assert np.array_equal(found, model.encode(model.preprocess(picture)[None]))


def test_a_whitening_is_applied_to_what_would_have_been_kept(model):
    step = step_for(model)
    batch = np.stack([model.preprocess(photo(seed)) for seed in range(4)])
    expected = (unit(model.encode(batch)) - step.mean) @ step.projection
    found = AdaptedModel(model, whitening=step).encode(batch)
    assert found == pytest.approx(expected, abs=1e-6)
    alone = AdaptedModel(model, whitening=step).encode(batch[2:3])
    assert np.array_equal(alone[0], found[2])


def test_each_step_makes_another_model(model):
    made = [
        model,
        AdaptedModel(model, flip=True),
        AdaptedModel(model, whitening=step_for(model)),
        AdaptedModel(model, whitening=step_for(model, seed=1)),
        AdaptedModel(model, flip=True, whitening=step_for(model, flip=True)),
    ]
    assert len({one.fingerprint for one in made}) == len({one.name for one in made}) == 5
    assert all(one.fingerprint == digest(one.provenance) for one in made)


def test_another_models_step_is_refused(model):
    with pytest.raises(
        ModelError, match=r"w\.st: learnt on vectors of pixels, not of pixels\+flip"
    ):
        AdaptedModel(model, flip=True, whitening=step_for(model), label="w.st")
    same = dict(model.provenance, versions={"numpy": "0"}, precision="bf16")
    assert model_digest(same) == model_digest(model.provenance)
    assert model_digest({**same, "side": 17}) != model_digest(model.provenance)


def test_a_step_for_other_lengths_is_refused(model):
    adapted = AdaptedModel(model, whitening=step_for(model, dimensions=7))
    with pytest.raises(ModelError, match="learnt on vectors of 7 components"):
        adapted.encode(adapted.preprocess(photo(0))[None])


def test_shared_faces_are_told(model):
    adapted = AdaptedModel(model, whitening=step_for(model), label="folder/w.st")
    assert adapted.notes_on(["misato"], ["cd" * 32]) == []
    (note,) = adapted.notes_on(["rei", "rei", "misato"], ["ab" * 32, "cd" * 32, "ef" * 32])
    assert note.startswith(
        "w.st: learnt on 1 of these 2 identities (by name) and on 1 of these 3 pictures."
    )


def test_a_file_keeps_a_step(model, tmp_path):
    step = step_for(model)
    first = step.write(tmp_path / "a.safetensors").read_bytes()
    found = Whitening.read(tmp_path / "a.safetensors")
    assert found.write(tmp_path / "b.safetensors").read_bytes() == first
    assert np.array_equal(found.mean, step.mean)
    assert np.array_equal(found.projection, step.projection)
    assert (found.digest, found.facts) == (step.digest, step.facts)


def damaged(step, folder, kind):
    """A file of `step` with one thing wrong."""
    file = folder / "bad.safetensors"
    tensors = {"mean": step.mean, "projection": step.projection,
               "identities": step.identities, "images": step.images}  # fmt: skip
    head = {"kind": "lookalikes whitening", "schema": 1, **step.facts}
    if kind == "missing":
        return file
    if kind == "cut":
        file.write_bytes(step.write(file).read_bytes()[:-9])
        return file
    if kind == "nan":
        tensors["mean"] = np.where(np.arange(len(step.mean)) == 3, np.nan, step.mean)
    if kind == "wide":
        tensors["projection"] = np.zeros((len(step.mean), len(step.mean) + 1))
    if kind == "short":
        tensors["projection"] = step.projection[:-1].copy()
    if kind == "float32":
        tensors["mean"] = step.mean.astype(np.float32)
    if kind == "changed":
        tensors["mean"] = step.mean + 1e-3
    if kind == "stranger":
        head["kind"] = "weights"
    if kind == "newer":
        head["schema"] = 2
    if kind == "more":
        tensors["other"] = step.mean
    save_file(tensors, file, {} if kind == "plain" else {"lookalikes": json.dumps(head)})
    return file


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("missing", "cannot be read|no such file|No such file"),
        ("cut", "not a whitening made by lookalikes learn-whitening, or damaged"),
        ("nan", "damaged: a mean with numbers that are not finite"),
        ("wide", "damaged: a projection of shape"),
        ("short", "damaged: a projection of shape"),
        ("float32", "mean holds float32"),
        ("changed", "its numbers are not those that were written"),
        ("stranger", "not a whitening made by"),
        ("newer", "another version of lookalikes"),
        ("more", "holds identities, images, mean, other, projection"),
        ("plain", "are these a network's weights"),
    ],
)
def test_a_bad_file_is_refused(model, tmp_path, kind, told):
    with pytest.raises(ModelError, match=rf"bad\.safetensors: .*({told})"):
        Whitening.read(damaged(step_for(model), tmp_path, kind))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        Whitening.read(tmp_path)


def test_steps_stay_in_a_models_short_name():
    steps = "+layers=blocks.1,head+flip+whitening=0123abcd"
    assert split_steps(f"onnx:a+b.onnx{steps}") == ("onnx:a+b.onnx", steps)
    assert short_name(f"onnx:some/a.onnx{steps}") == "onnx:a+layers+flip+whitening=0123abcd"
    assert short_name("timm:x@w+flipped") == "timm:x"
