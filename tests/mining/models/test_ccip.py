"""CCIP's two networks: the features, a metric that is the cosine's, and metrics that are not."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from PIL import Image
from support.small_models import ccip_folder, onnx_graph, photo

from mining.models import ModelError, load_model
from mining.models.names import short_name

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def vectors(spec: str, count: int = 12) -> np.ndarray:
    model = load_model(spec, device="cpu")
    images = [photo(seed, (50 + 9 * seed, 44)) for seed in range(count)]
    return model.encode(np.stack([model.preprocess(image) for image in images]))


def differences(folder: Path, features: np.ndarray) -> np.ndarray:
    """What the metric itself says, by ONNX Runtime alone."""
    session = onnxruntime.InferenceSession(
        str(folder / "model_metrics.onnx"), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"input": features})[0]


def test_vectors_are_those_of_the_features(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3)
    images = [photo(seed, (50 + 9 * seed, 44)) for seed in range(12)]
    stretched = [image.resize((16, 16), Image.Resampling.BILINEAR) for image in images]
    values = (np.stack([np.asarray(one, float) for one in stretched]) / 255 - MEAN) / STD
    session = onnxruntime.InferenceSession(
        str(tmp_path / "model_feat.onnx"), providers=["CPUExecutionProvider"]
    )
    (expected,) = session.run(None, {"image": values.transpose(0, 3, 1, 2).astype(np.float32)})
    np.testing.assert_allclose(vectors(spec), expected, rtol=1e-4, atol=1e-4)


def test_cosines_rank_as_the_metric_does(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3)
    found = vectors(spec)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    a, b = np.array(list(itertools.combinations(range(len(found)), 2))).T
    cosines, apart = (unit @ unit.T)[a, b], differences(tmp_path, found)[a, b]
    assert len(np.unique(np.round(cosines, 4))) > 50
    assert np.argsort(-cosines).tolist() == np.argsort(apart).tolist()
    model = load_model(spec, device="cpu")
    assert model.similarity == "cosine"
    assert "both rank pairs alike" in model.notes[0]
    assert len(model.notes) == 1


def test_the_published_threshold_as_a_score(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3)
    (tmp_path / "metrics.json").write_text(json.dumps({"threshold": 0.2, "f1_score": 0.9}))
    # The difference is (1 - cosine) / 2.
    assert "at most 0.2, is a score of at least 0.6000" in load_model(spec).notes[1]
    (tmp_path / "metrics.json").write_text(json.dumps({"threshold": 7}))
    assert "no two vectors are 7 apart" in load_model(spec).notes[1]
    for threshold in ("0.2", None, True):
        (tmp_path / "metrics.json").write_text(json.dumps({"threshold": threshold}))
        with pytest.raises(ModelError, match=r"metrics\.json: threshold is .*expected a diff"):
            load_model(spec)
    (tmp_path / "metrics.json").write_text("{")
    with pytest.raises(ModelError, match=r"metrics\.json: not JSON"):
        load_model(spec)


def test_a_metric_that_is_cut_off(tmp_path: Path) -> None:
    # (1 - cosine) / 2 * 2.5, at most 1: from a cosine of 0.2 down.
    notes = load_model(ccip_folder(tmp_path, 3, metric="cut off")).notes
    assert "for cosines below 0.2" in notes[1] or "for cosines below 0.19" in notes[1]
    assert "always 1;" in notes[1]


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("distance", "no falling function of the cosine .*score file"),
        ("similarity", "no falling function of the cosine"),
        ("constant", "no falling function of the cosine"),
        ("by company", "no falling function|depends on the others in the call"),
        ("vector", r"gives \(128, 7\) for 128 vectors; expected finite differences"),
    ],
)
def test_metrics_of_another_kind(tmp_path: Path, metric: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        load_model(ccip_folder(tmp_path, 3, metric=metric))


def test_files_of_two_models(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3, dimensions=9)
    with pytest.raises(ModelError, match=r"fails on vectors of 7 numbers.*files of two models"):
        load_model(spec)


def test_folders_without_files(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3)
    for file in ("model_metrics.onnx", "model_feat.onnx"):
        kept = (tmp_path / file).read_bytes()
        (tmp_path / file).write_bytes(kept[:40])
        with pytest.raises(ModelError):
            load_model(spec)
        (tmp_path / file).unlink()
        with pytest.raises(ModelError, match=rf"{file}: no such file; expected a folder with"):
            load_model(spec)
        (tmp_path / file).write_bytes(kept)
    onnx_graph(tmp_path, 0).rename(tmp_path / "model_metrics.onnx")
    with pytest.raises(ModelError, match=r"expected a metric: float32 \[N, D\] in"):
        load_model(spec)


def test_the_fingerprint_is_of_both_networks(tmp_path: Path) -> None:
    spec = ccip_folder(tmp_path, 3)
    before = load_model(spec).fingerprint
    (tmp_path / "metrics.json").write_text(json.dumps({"threshold": 0.2}))
    assert load_model(spec).fingerprint == before
    ccip_folder(tmp_path, 3, metric="cut off")
    assert load_model(spec).fingerprint != before


def test_short_names() -> None:
    assert short_name("ccip:models/ccip-caformer-24") == "ccip:ccip-caformer-24"
