"""The one class of the PyTorch families: devices, batches and outputs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mining.models import ModelError
from mining.models.torch_model import TorchModel, resolve_device
from mining.models.transform import Preprocessing

PLAN = Preprocessing((8, 8), (8, 8))
BATCH = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)


def model_of(module: nn.Module, plan: Preprocessing = PLAN) -> TorchModel:
    return TorchModel(module, plan, name="x:y", similarity="cosine", facts={}, device="cpu")


class Failing(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        raise self.error


def test_it_evaluates_and_does_not_train() -> None:
    module = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(192), nn.Dropout(0.9)).train()
    model = model_of(module)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    vectors = model.encode(BATCH)
    assert np.array_equal(vectors, model.encode(BATCH))
    assert (vectors != 0).mean() > 0.9
    assert all(torch.equal(before[name], t) for name, t in module.state_dict().items())


@pytest.mark.parametrize(
    ("module", "shape"),
    [(nn.Conv2d(3, 2, 1), r"\(4, 2, 8, 8\)"), (nn.Flatten(0), r"\(768,\)")],
)
def test_an_output_that_is_not_one_vector_an_image(module: nn.Module, shape: str) -> None:
    with pytest.raises(ModelError, match=rf"gives {shape} for 4 images; expected \(4, D\)"):
        model_of(module).encode(BATCH)


def test_an_output_that_is_no_tensor() -> None:
    class Two(nn.Module):
        def forward(self, inputs: torch.Tensor) -> object:
            return inputs, inputs

    with pytest.raises(ModelError, match="gives a tuple, no tensor"):
        model_of(Two()).encode(BATCH)


@pytest.mark.parametrize("batch", [BATCH[:, :4], BATCH.astype(np.float32), BATCH[0]])
def test_a_batch_that_preprocess_did_not_make(batch: np.ndarray) -> None:
    with pytest.raises(ModelError, match="a batch must be uint8"):
        model_of(nn.Flatten()).encode(batch)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (torch.OutOfMemoryError("no"), "4 images at once do not fit in the memory of cpu"),
        (AssertionError("wrong height"), "fails on 4 images of 8 x 8 pixels: wrong height"),
        (RuntimeError("mat1 and mat2"), "fails on 4 images of 8 x 8 pixels: mat1 and mat2"),
    ],
)
def test_a_network_that_fails(error: Exception, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        model_of(Failing(error)).encode(BATCH)


def test_the_fingerprint_is_of_preprocessing_and_facts() -> None:
    module = nn.Flatten()
    base = model_of(module)
    other = model_of(module, Preprocessing((8, 8), 8))
    named = TorchModel(
        module, PLAN, name="z:y", similarity="cosine", facts={"architecture": "b"}, device="cpu"
    )
    assert len({base.fingerprint, other.fingerprint, named.fingerprint}) == 3
    renamed = TorchModel(module, PLAN, name="z", similarity="cosine", facts={}, device="cpu")
    assert renamed.fingerprint == base.fingerprint


def test_auto_prefers_cuda_then_mps_then_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for cuda, mps, expected in [
        (True, True, "cuda"),
        (False, True, "mps"),
        (False, False, "cpu"),
    ]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.cuda, "device_count", lambda cuda=cuda: int(cuda))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert resolve_device("auto").type == expected


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for device in ("cuda", "cuda:0", "mps"):
        with pytest.raises(ModelError, match=f"{device}' is not to be had"):
            resolve_device(device)
    with pytest.raises(ModelError, match="expected auto, cpu, cuda"):
        resolve_device("cuda:first")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ModelError, match="sees 2 CUDA devices"):
        resolve_device("cuda:2")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu() -> None:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 64, 3), nn.ReLU(), nn.Conv2d(64, 16, 3), nn.Flatten())
    module = nn.Sequential(*layers)
    on_cpu = model_of(module).encode(BATCH)
    on_gpu = TorchModel(module, PLAN, name="x", similarity="cosine", facts={}, device="cuda")
    vectors = on_gpu.encode(BATCH)
    assert np.array_equal(vectors, on_gpu.encode(BATCH))
    assert np.abs(vectors - on_cpu).max() < 1e-5 * np.abs(on_cpu).max()  # TF32 misses by 1e-3
    flat = TorchModel(nn.Flatten(), PLAN, name="x", similarity="cosine", facts={}, device="cuda")
    assert np.array_equal(flat.encode(BATCH), PLAN.normalise(BATCH).reshape(4, -1))
