"""InsightFace's recognition networks: their preprocessing, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.small_models import insightface_file, onnx_graph, photo

from mining.models import ModelError, load_model


def expected(images: list[Image.Image], seed: int, *, mean: float, scale: float) -> np.ndarray:
    """Vectors of the small network, with NumPy: x less a mean, scaled, pooled, multiplied."""
    weight = np.random.default_rng(seed).normal(size=(3 * 8 * 8, 9)).astype(np.float32)
    stretched = [image.resize((112, 112), Image.Resampling.BILINEAR) for image in images]
    values = (np.stack([np.asarray(one, float) for one in stretched]) - mean) / scale
    pooled = values.reshape(len(images), 8, 14, 8, 14, 3).mean(axis=(2, 4))
    return pooled.transpose(0, 3, 1, 2).reshape(len(images), -1) @ weight


@pytest.mark.parametrize(("normalises", "scale"), [(False, 127.5), (True, 128.0)])
def test_pictures_are_normalised_once(tmp_path: Path, normalises: bool, scale: float) -> None:
    model = load_model(insightface_file(tmp_path, 4, normalises=normalises), device="cpu")
    images = [photo(seed, (80 + 9 * seed, 120)) for seed in range(3)]
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    np.testing.assert_allclose(
        found, expected(images, 4, mean=127.5, scale=scale), rtol=1e-3, atol=1e-3
    )
    assert model.similarity == "cosine"
    assert "lookalikes align FACES --landmarks FILE" in model.notes[0]


def test_a_batch_that_is_fixed(tmp_path: Path) -> None:
    model = load_model(insightface_file(tmp_path, 4, shape=(1, 3, 112, 112)), device="cpu")
    images = [photo(seed) for seed in range(3)]
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    np.testing.assert_allclose(
        found, expected(images, 4, mean=127.5, scale=127.5), rtol=1e-3, atol=1e-3
    )


def test_networks_of_another_kind(tmp_path: Path) -> None:
    detector = onnx_graph(tmp_path, 0, shape=("n", 3, 64, 64))
    with pytest.raises(ModelError, match="takes 64 x 64 pixels; a recognition network takes 112"):
        load_model(f"insightface:{detector}")
    several = onnx_graph(tmp_path, 0, shape=("n", 3, 112, 112), outputs=3)
    with pytest.raises(ModelError, match="has the outputs vectors, extra1, extra2"):
        load_model(f"insightface:{several}")


def test_a_sidecar_is_not_passed_over(tmp_path: Path) -> None:
    spec = insightface_file(tmp_path, 0)
    (tmp_path / "recognition.onnx.json").write_text("{}")
    with pytest.raises(ModelError, match=r"load onnx:.* to have it heard"):
        load_model(spec)


@pytest.mark.parametrize("content", [b"", b"no network", None])
def test_files_that_are_none(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        load_model(f"insightface:{tmp_path / 'x.onnx'}")
