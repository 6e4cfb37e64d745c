"""ONNX Runtime beside PyTorch, for a network of every family that has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_models import photo
from torch import nn

from mining.errors import ModelError
from mining.models import load_model
from mining.models.engine_trials import LEAST_COSINE, agreement, independent
from mining.models.onnx_engine import CALL, OnnxEngine
from mining.models.onnx_exports import kept_export
from mining.models.torch_model import TorchModel
from mining.models.transform import Preprocessing
from pairsets.storage.user_cache import cache_folder

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

Made = Callable[[str, int], str]
TORCH = ("torchvision", "timm file", "timm folder", "animecv folder", "animesion")


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def batch_of(model: TorchModel, count: int) -> np.ndarray:
    batch = np.stack([model.preprocess(photo(seed, (40 + 7 * seed, 60))) for seed in range(count)])
    batch.flags.writeable = False
    return batch


@pytest.mark.parametrize("kind", TORCH)
def test_every_family_of_networks(kind: str, made: Made, threads: Callable[[int], None]) -> None:
    model = load_model(made(kind, 0), device="cpu")
    assert isinstance(model, TorchModel)
    export = kept_export(model, CALL)
    batch = batch_of(model, 5)
    engine = OnnxEngine(model, export, batch_size=5)
    told = agreement(model, model.encode(batch), engine.encode(batch))
    assert told.images == 5
    assert told.least_cosine >= LEAST_COSINE
    expected, found = model.encode(batch), engine.encode(batch)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 1e-4 * np.abs(expected).max()
    assert independent(engine, batch)
    # The same bits one by one, and with threads of either kind.
    alone = np.concatenate([engine.encode(one[None]) for one in batch])
    assert np.array_equal(alone, found)
    for count, size in ((1, 32), (2, 2), (3, 32), (4, 1)):
        threads(count)
        again = OnnxEngine(model, export, batch_size=size)
        assert np.array_equal(again.encode(batch), found), (count, size)
    assert engine.fingerprint == model.fingerprint
    assert engine.name == model.name


def test_each_network_has_an_export_of_its_own(made: Made) -> None:
    models = [load_model(made("timm folder", seed), device="cpu") for seed in (0, 1)]
    exports = [kept_export(model, CALL) for model in models if isinstance(model, TorchModel)]
    assert len({export.file for export in exports}) == len({one.sha256 for one in exports}) == 2


def test_a_batch_that_preprocess_did_not_make(made: Made) -> None:
    model = load_model(made("timm folder", 0), device="cpu")
    assert isinstance(model, TorchModel)
    engine = OnnxEngine(model, kept_export(model, CALL), batch_size=4)
    batch = batch_of(model, 4)
    for wrong in (batch[:, :4], batch.astype(np.float32), batch[0]):
        with pytest.raises(ModelError, match="a batch must be uint8"):
            engine.encode(wrong)


def test_an_export_leaves_the_network_as_it_was() -> None:
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten())
    model = TorchModel(
        module, Preprocessing((9, 9), (9, 9)), name="x:y", similarity="cosine", facts={},
        device="cpu",
    )  # fmt: skip
    batch = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3), dtype=np.uint8)
    before = model.encode(batch)
    export = kept_export(model, CALL)
    assert np.array_equal(model.encode(batch), before)
    # Nothing of this machine: PyTorch notes the lines of code that each node is of.
    assert b".py" not in export.data


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lookalikes"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for given in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", given)
        assert cache_folder() == tmp_path / "home" / ".cache" / "lookalikes"
