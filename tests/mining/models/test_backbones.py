"""timm and torchvision networks by name, with weights from every kind of place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.small_models import photo, random_state, timm_folder

from mining.models import Model, ModelError, load_model
from mining.models.backbones import _behead
from mining.models.torchvision_ops import import_timm, import_torchvision


def vectors(model: Model) -> np.ndarray:
    return model.encode(np.stack([model.preprocess(photo(seed)) for seed in range(3)]))


def test_timm_features_are_its_pooled_ones(tmp_path: Path) -> None:
    timm = import_timm()
    full = timm.create_model("test_vit")
    state = random_state(full, 3)
    torch.save(state, tmp_path / "w.pth")
    full.load_state_dict(state)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(full))
    with torch.no_grad():
        inputs = torch.stack([transform(photo(seed)) for seed in range(3)])
        features = full.eval().forward_features(inputs)
        expected = full.forward_head(features, pre_logits=True).numpy()
    found = vectors(load_model(f"timm:test_vit@{tmp_path / 'w.pth'}", device="cpu"))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "regnet_y_400mf"])
def test_torchvision_features_are_what_its_classifier_is_given(name: str, tmp_path: Path) -> None:
    tv = import_torchvision()
    full = tv.models.get_model(name)
    state = random_state(full, 3)
    torch.save(state, tmp_path / "w.pth")
    full.load_state_dict(state)
    last = _behead(tv.models.get_model(name))
    given: list[torch.Tensor] = []
    full.get_submodule(last).register_forward_pre_hook(lambda _, args: given.append(args[0]))
    transform = tv.models.get_model_weights(name).DEFAULT.transforms()
    with torch.no_grad():
        full.eval()(torch.stack([transform(photo(seed)) for seed in range(3)]))
    expected = given[0].flatten(2).mean(2) if given[0].ndim == 4 else given[0]
    found = vectors(load_model(f"torchvision:{name}@{tmp_path / 'w.pth'}", device="cpu"))
    assert np.abs(found - expected.numpy()).max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_training_branches_may_be_left_over(name: str, tmp_path: Path) -> None:
    tv = import_torchvision()
    for aux in (True, False):
        module = tv.models.get_model(name, aux_logits=aux, init_weights=False)
        torch.save(module.state_dict(), tmp_path / f"{aux}.pth")
        model = load_model(f"torchvision:{name}@{tmp_path / f'{aux}.pth'}", device="cpu")
    assert model.encode(model.preprocess(photo(0))[None]).shape[0] == 1


def test_every_kind_of_weights_is_the_same_model(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    spec = timm_folder(folder, 0)
    state = load_file(folder / "model.safetensors")
    prints = [load_model(spec, device="cpu").fingerprint]
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    prints.append(load_model(spec, device="cpu").fingerprint)
    torch.save({n: t for n, t in state.items() if "fc" not in n}, folder / "pytorch_model.bin")
    prints.append(load_model(spec, device="cpu").fingerprint)
    assert len(set(prints)) == 1
    torch.save({"model": state}, tmp_path / "a@b.timm:x.pth")  # a path may hold anything
    save_file(state, tmp_path / "w.safetensors")
    files = [
        load_model(f"timm:test_resnet@{tmp_path / name}", device="cpu").provenance
        for name in ("a@b.timm:x.pth", "w.safetensors")
    ]
    assert files[0] == files[1]
    # A file has no preprocessing of its own, so timm's is taken.
    assert files[0]["preprocessing"] != load_model(spec, device="cpu").provenance["preprocessing"]


def test_a_saved_folder_gives_the_preprocessing(tmp_path: Path) -> None:
    spec = timm_folder(tmp_path, 0)
    model = load_model(spec, device="cpu")
    facts: Any = model.provenance["preprocessing"]
    assert (facts["size"], facts["resize"], facts["interpolation"]) == ((64, 64), 80, "bicubic")
    timm_folder(tmp_path, 0, crop_pct=1.0, crop_mode="squash", mean=[0.1, 0.2, 0.3])
    other = load_model(spec, device="cpu")
    assert other.fingerprint != model.fingerprint
    assert other.provenance["preprocessing"]["resize"] == (64, 64)  # type: ignore[index]
    assert not np.array_equal(vectors(other), vectors(model))


def test_a_saved_folder_gives_the_model_arguments(tmp_path: Path) -> None:
    module = import_timm().create_model("test_vit", img_size=64)
    save_file(random_state(module, 0), tmp_path / "model.safetensors")
    saved = {
        "architecture": "test_vit",
        "pretrained_cfg": {"input_size": [3, 64, 64]},
        "model_args": {"img_size": 64},
    }
    (tmp_path / "config.json").write_text(json.dumps(saved))
    model = load_model(f"timm:test_vit@{tmp_path}", device="cpu")
    assert model.preprocess(photo(0)).shape == (64, 64, 3)
    assert vectors(model).shape[0] == 3


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (None, r"config\.json: cannot be read \(No such file"),
        ("{", "expected timm's saved form"),
        ("[]", "expected timm's saved form"),
        ('{"architecture": "test_resnet"}', "pretrained_cfg is missing; expected an object"),
        ('{"architecture": 3, "pretrained_cfg": {}}', "architecture is 3; expected a text"),
        ("[" * 3000, r"config\.json: nested too deeply; expected timm's saved form"),
        ('{"architecture": "a", "architecture": "b"}', "'architecture' is there twice"),
        ('{"architecture": "test_vit", "pretrained_cfg": {}}', "of test_vit, not of test_resnet"),
        (
            '{"architecture": "test_resnet", "pretrained_cfg": {}, "model_args": [1]}',
            r"model_args is \[1\]; expected an object",
        ),
        (
            '{"architecture": "test_resnet", "pretrained_cfg": {}, '
            '"model_args": {"checkpoint_path": "x", "pretrained": true}}',
            "model_args may not set checkpoint_path, pretrained",
        ),
        (
            '{"architecture": "test_resnet", "pretrained_cfg": {}, "model_args": {"wings": 2}}',
            "timm cannot build test_resnet: TypeError",
        ),
        (
            '{"architecture": "test_resnet", "pretrained_cfg": {"crop_mode": "border"}}',
            "crop mode 'border'",
        ),
        *(
            (f'{{"architecture": "test_resnet", "pretrained_cfg": {{{settings}}}}}', says)
            for settings, says in (
                ('"crop_pct": 1e-320', "its preprocessing makes no sense"),
                ('"crop_pct": -1', "not pixels from 1 to 4096"),
                ('"input_size": []', "its preprocessing makes no sense"),
                ('"input_size": [3, "a", 8]', "its preprocessing makes no sense"),
                ('"input_size": [3, 1e308, 1e308]', "timm:test_resnet"),
                ('"mean": [0.5]', "not three finite numbers"),
                ('"std": [0, 1, 1]', "not above 0"),
                ('"std": [1e-300, 1, 1]', "not above 0"),
                ('"interpolation": [1]', "its preprocessing makes no sense|is none of"),
            )
        ),
    ],
)
def test_a_saved_folder_that_is_none(config: str | None, says: str, tmp_path: Path) -> None:
    timm_folder(tmp_path, 0)
    (tmp_path / "config.json").unlink()
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(ModelError, match=says):
        load_model(f"timm:test_resnet@{tmp_path}")


def test_a_saved_folder_without_weights(tmp_path: Path) -> None:
    timm_folder(tmp_path, 0)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        load_model(f"timm:test_resnet@{tmp_path}")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("timm:resnet81", "timm has no 'resnet81'; did you mean .*resnet18"),
        ("timm:resnet18.a1_in1l", r"no 'resnet18\.a1_in1l'; did you mean .*resnet18\.a1_in1k"),
        ("timm:zzzzzz", "timm has no 'zzzzzz'$"),
        ("torchvision:resnet19", "torchvision has no 'resnet19'; did you mean .*resnet18"),
        ("torchvision:fasterrcnn_resnet50_fpn", "torchvision has no 'fasterrcnn"),
        ("torchvision:resnet18@/no/such/file", "/no/such/file: no such file or folder"),
        ("timm:test_mambaout", r"could not be fetched \(RuntimeError: No pretrained weights exist"),
    ],
)
def test_names_that_are_none(spec: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        load_model(spec)


def test_without_a_network_it_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"Give weights you have: timm:test_vit@WEIGHTS"):
        load_model("timm:test_vit")

    def offline(*args: object, **options: object) -> None:
        raise OSError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    says = r"of resnet18 could not be fetched \(OSError: Name or service.*torchvision:resnet18@W"
    with pytest.raises(ModelError, match=says):
        load_model("torchvision:resnet18")


def test_pretrained_weights_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []
    timm = import_timm()
    create = timm.create_model

    def without_fetching(name: str, *, pretrained: bool, **options: object) -> torch.nn.Module:
        asked.append((name, pretrained))
        module: torch.nn.Module = create(name, **options)
        return module

    monkeypatch.setattr(timm, "create_model", without_fetching)
    model = load_model("timm:test_resnet.r160_in1k", device="cpu")
    assert asked == [("test_resnet.r160_in1k", True)]
    assert vectors(model).shape[0] == 3


def test_a_transformer_is_built_for_the_size_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, object] = {}

    def record(name: str, **options: object) -> None:
        asked.update(options)
        raise ModelError("recorded")

    torch.save({"w": torch.zeros(1)}, tmp_path / "w.pth")
    monkeypatch.setattr(import_torchvision().models, "get_model", record)
    with pytest.raises(ModelError, match="recorded"):
        load_model(f"torchvision:vit_h_14@{tmp_path / 'w.pth'}")
    assert asked == {"weights": None, "image_size": 518}


def test_weights_of_another_network(tmp_path: Path) -> None:
    timm = import_timm()
    torch.save(timm.create_model("test_resnet").state_dict(), tmp_path / "w.pth")
    with pytest.raises(ModelError, match=r"w\.pth: does not fit VisionTransformer.*Likely cause"):
        load_model(f"timm:test_vit@{tmp_path / 'w.pth'}")
    with pytest.raises(ModelError, match=r"w\.pth: does not fit SqueezeNet.*Likely cause"):
        load_model(f"torchvision:squeezenet1_1@{tmp_path / 'w.pth'}")
