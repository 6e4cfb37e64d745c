"""Batches through one network on several devices, against one call after the other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn

from mining import embed
from mining.models import ModelError, torch_model
from mining.models.batch_stream import streamed
from mining.models.torch_model import TorchModel, resolve_devices
from mining.models.transform import Preprocessing
from pairsets import Faces

PLAN = Preprocessing((8, 8), (8, 8))
BATCHES = np.random.default_rng(0).integers(0, 256, (7, 4, 8, 8, 3), dtype=np.uint8)


class OnDevices(TorchModel):
    """Model whose devices take batches ahead, as those of CUDA do."""

    streams = True


def model_of(monkeypatch: pytest.MonkeyPatch, devices: int) -> TorchModel:
    found = [torch.device("cpu")] * devices
    monkeypatch.setattr(torch_model, "resolve_devices", lambda name: found)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return OnDevices(module, PLAN, name="x:y", similarity="cosine", facts={}, device="cpu")


@pytest.mark.parametrize("devices", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 5, 7])
def test_same_bytes_in_the_same_order(
    devices: int, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = model_of(monkeypatch, devices)
    expected = [model.encode(batch) for batch in BATCHES[:count]]
    found = list(model.encode_many(iter(BATCHES[:count])))
    assert [vectors.tobytes() for vectors in found] == [one.tobytes() for one in expected]


@pytest.mark.parametrize("devices", [1, 2])
def test_few_batches_are_taken_ahead(devices: int, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def batches() -> Iterator[np.ndarray]:
        for number, batch in enumerate(BATCHES):
            taken.append(number)
            yield batch

    found = model_of(monkeypatch, devices).encode_many(batches())
    assert not taken
    for read in range(3):
        next(found)
        assert len(taken) == min(2 * devices + read + 1, len(BATCHES))
    found.close()


def test_devices_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [model_of(monkeypatch, 1) for _ in range(2)]
    with torch.no_grad():
        models[1].network[0].bias += 1
    found = list(streamed(models, iter(BATCHES)))
    for number, vectors in enumerate(found):
        assert np.array_equal(vectors, models[number % 2].encode(BATCHES[number]))


def test_errors_are_those_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(monkeypatch, 2)
    with pytest.raises(ModelError, match="a batch must be uint8"):
        list(model.encode_many([BATCHES[0], BATCHES[0][:, :4]]))
    monkeypatch.setattr(model.network, "forward", lambda inputs: inputs)
    with pytest.raises(ModelError, match=r"gives \(4, 3, 8, 8\) for 4 images; expected \(4, D\)"):
        list(model.encode_many(BATCHES))


@pytest.mark.parametrize("devices", [1, 2])
@pytest.mark.parametrize("on_error", ["skip", "fail"])
def test_a_folder_has_the_same_bytes(devices, on_error, faces_folder, tmp_path, monkeypatch):
    faces = Faces.scan(faces_folder)
    if on_error == "skip":
        for path in faces.paths.take(np.arange(0, len(faces), 3)):
            faces.locate(path).write_bytes(b"no picture")
    model = model_of(monkeypatch, devices)
    asked = {"batch_size": 2, "on_error": on_error, "engine": "torch"}
    ahead = embed(faces, model, tmp_path / "ahead", **asked)
    monkeypatch.setattr(OnDevices, "streams", False)
    reference = embed(faces, model, tmp_path / "reference", **asked)
    assert len(reference) > 3
    for name in ("vectors.npy", "images.csv", "manifest.json"):
        one, other = ((tmp_path / side / name).read_bytes() for side in ("ahead", "reference"))
        assert one == other
    assert ahead.vectors.tobytes() == reference.vectors.tobytes()


def test_names_of_several_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert resolve_devices("cpu") == [torch.device("cpu")]
    assert resolve_devices("cuda:2,0") == [torch.device("cuda", 2), torch.device("cuda", 0)]
    assert resolve_devices("cuda:all") == [torch.device("cuda", number) for number in range(3)]
    with pytest.raises(ModelError, match="no CUDA device 5 here, torch sees 3"):
        resolve_devices("cuda:0,5")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="is not to be had"):
        resolve_devices("cuda:all")
