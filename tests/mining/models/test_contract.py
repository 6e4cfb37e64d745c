"""What every model owes the embedding stage, whatever its family."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from support.small_models import BUILDERS, photo

from mining.models import FAMILIES, Model, ModelError, load_model
from mining.models.base import digest

Made = Callable[[str, int], str]
KINDS = tuple(BUILDERS)
# Kinds without weights or settings of their own.
FIXED = ("pixels",)
TORCH = ("torchvision", "timm file", "timm folder", "animecv folder", "animecv zip", "animesion")
TORCH += ("clip folder", "hf folder")
PRODUCTS = ("animesion", "python object")


def batch_of(model: Model, seeds: range) -> np.ndarray:
    """A read-only batch of photos of many shapes."""
    images = [photo(seed, (40 + 7 * seed, 60)) for seed in seeds]
    batch = np.stack([model.preprocess(image) for image in images])
    batch.flags.writeable = False
    return batch


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def model(kind: str, made: Made) -> Model:
    return load_model(made(kind, 0), device="cpu")


def test_every_family_is_under_contract(made: Made) -> None:
    assert {made(kind, 0).partition(":")[0] for kind in KINDS} == set(FAMILIES)


def test_it_is_called_by_the_text_that_loads_it(kind: str, made: Made) -> None:
    spec = made(kind, 0)
    assert load_model(spec, device="cpu").name == spec


def test_its_similarity_is_known(kind: str, model: Model) -> None:
    assert model.similarity == ("inner_product" if kind in PRODUCTS else "cosine")


def test_one_float32_vector_an_image(model: Model) -> None:
    several, one = model.encode(batch_of(model, range(5))), model.encode(batch_of(model, range(1)))
    assert several.dtype == one.dtype == np.float32
    assert several.ndim == 2
    assert several.shape[0] == 5
    assert one.shape == (1, several.shape[1])
    assert np.isfinite(several).all()


def test_other_images_have_other_vectors(model: Model) -> None:
    vectors = model.encode(batch_of(model, range(5)))
    scale = np.abs(vectors).max()
    for i in range(5):
        for j in range(i):
            assert np.abs(vectors[i] - vectors[j]).max() > 1e-2 * scale


def test_the_same_again(kind: str, model: Model, made: Made) -> None:
    batch = batch_of(model, range(4))
    first, again = model.encode(batch), model.encode(batch)
    assert np.array_equal(first, again)
    anew = load_model(made(kind, 0), device="cpu")
    assert np.array_equal(anew.encode(batch_of(anew, range(4))), first)
    assert anew.fingerprint == model.fingerprint


def test_batch_mates_do_not_matter(model: Model) -> None:
    batch = batch_of(model, range(5))
    together = model.encode(batch)
    scale = np.abs(together).max()
    for row in range(5):
        alone = model.encode(batch[row : row + 1])[0]
        assert np.abs(alone - together[row]).max() < 1e-5 * scale
    turned = model.encode(batch[::-1])
    assert np.abs(turned[::-1] - together).max() < 1e-5 * scale


def test_arguments_are_left_alone(model: Model) -> None:
    image = photo(3)
    before = image.tobytes()
    batch = np.stack([model.preprocess(image)])
    kept = batch.copy()
    batch.flags.writeable = False
    model.encode(batch)
    assert image.tobytes() == before
    assert (batch == kept).all()


def test_threads_preprocess_alike(model: Model) -> None:
    images = [photo(seed, (90, 40 + seed)) for seed in range(12)]
    alone = [model.preprocess(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.preprocess, images))
    assert all((a == b).all() for a, b in zip(alone, together, strict=True))


def test_an_image_of_one_colour_has_a_direction(model: Model) -> None:
    grey = photo(0).convert("L").point(lambda value: 128).convert("RGB")
    assert np.abs(model.encode(np.stack([model.preprocess(grey)]))).max() > 1e-3


def test_the_fingerprint_is_the_digest_of_facts_that_json_can_hold(model: Model) -> None:
    assert json.loads(json.dumps(model.provenance)).keys() == model.provenance.keys()
    assert model.fingerprint == digest(model.provenance)
    assert {"family", "precision", "versions"} <= model.provenance.keys()


def test_the_fingerprint_is_of_the_weights(kind: str, model: Model, made: Made) -> None:
    if kind in FIXED:
        pytest.skip("has no weights")
    other = load_model(made(kind, 1), device="cpu")
    assert other.fingerprint != model.fingerprint
    batch = batch_of(model, range(2))
    assert not np.array_equal(other.encode(batch), model.encode(batch))


def test_the_fingerprint_is_not_of_the_path(
    kind: str, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = load_model(made(kind, 0), device="cpu")
    monkeypatch.chdir(tmp_path)
    elsewhere = BUILDERS[kind](tmp_path, 0)
    sys.modules.pop(elsewhere.split(":")[1] if ":" in elsewhere else "", None)
    there = load_model(elsewhere, device="cpu")
    assert there.fingerprint == here.fingerprint
    if kind not in FIXED and not kind.startswith("python"):
        assert str(tmp_path) in there.name
    assert str(tmp_path) not in json.dumps(there.provenance)


def test_bf16_is_another_model_or_none(kind: str, model: Model, made: Made) -> None:
    if kind not in TORCH:
        with pytest.raises(ModelError, match=r"fp32|precision"):
            load_model(made(kind, 0), device="cpu", precision="bf16")
        return
    half = load_model(made(kind, 0), device="cpu", precision="bf16")
    assert half.fingerprint != model.fingerprint
    batch = batch_of(model, range(3))
    a, b = half.encode(batch), model.encode(batch)
    assert a.dtype == np.float32
    assert not np.array_equal(a, b)
    cosines = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosines.min() > 0.99


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("resnet18", "families are animecv, animesion"),
        ("torchvison:resnet18", "did you mean 'torchvision'"),
        ("", "no model family is called ''"),
        ("pixels:16", "takes no argument"),
        ("onnx", "expected onnx:PATH"),
        ("animecv:", "expected animecv:PATH"),
        ("ccip:", "expected ccip:FOLDER"),
        ("clip:", "expected clip:NAME@WEIGHTS or clip:FOLDER"),
        ("clip:ViT-B-32", "expected clip:NAME@WEIGHTS or clip:FOLDER"),
        ("hf:", "expected hf:FOLDER or hf:ORGANISATION/NAME"),
        ("insightface:", "expected insightface:PATH"),
        ("animesion:", "expected animesion:PATH"),
        ("timm:", "expected timm:NAME or timm:NAME@WEIGHTS"),
        ("torchvision:resnet18@", "expected torchvision:NAME"),
        ("python:module", "expected python:module:factory"),
    ],
)
def test_a_name_that_is_none(spec: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        load_model(spec)


def test_a_device_or_precision_that_is_none() -> None:
    with pytest.raises(ModelError, match="device 'tpu' is none of auto, cpu, cuda, mps"):
        load_model("pixels", device="tpu")
    with pytest.raises(ModelError, match="precision 'fp8' is none of fp32, bf16"):
        load_model("pixels", precision="fp8")  # type: ignore[arg-type]


def test_naming_the_families_does_not_import_torch() -> None:
    code = "import sys, mining.models; sys.exit('torch' in sys.modules or 'timm' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
