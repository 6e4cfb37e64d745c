"""Model folder of a training: AnimeCV's own procedure gives the vectors of `animecv:`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from support.small_models import photo
from support.training import small
from torch import nn

from mining.models import load_model
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.training.config_files import read_config
from mining.training.configuration import (
    AugmentationSettings,
    LossSettings,
    OptimizerSettings,
    TrainingConfig,
)
from mining.training.model_files import CardFacts, card_text, conf_of, write_model_files
from mining.training.network import FaceNetwork, TrunkSource, build_network

FACTS = CardFacts(
    name="mine",
    licence=None,
    start="random weights",
    identities=1234,
    pictures=5678,
    held_out=(30, 99),
    data="d" * 64,
    weights="e" * 64,
    scores=(("random", "EER", "14.2 %", "[12.0, 16.9] %"),),
    versions={"torch": "2.13.0"},
    notes=("Something to know.",),
)


def trained(config: TrainingConfig, seed: int = 0) -> FaceNetwork:
    """A network whose running statistics are not those of one that has just been built."""
    network = build_network(config, TrunkSource(config.trunk, scratch=True), seed).train()
    generator = torch.Generator().manual_seed(seed)
    size = config.input_size
    for _ in range(2):
        network(torch.randn(4, 3, size, size, generator=generator))
    return network.eval()


def published(folder: Path, size: int) -> nn.Module:
    """AnimeCV's loader, after its published code: trunk, linear layer, dropout, L2 norm."""
    conf, params = json.loads((folder / "conf.json").read_text())
    trunk: Any
    if conf["trunk_model"].startswith("timm:"):
        trunk = import_timm().create_model(conf["trunk_model"][5:], pretrained=False)
        trunk.reset_classifier(0)
    else:
        depth = int(conf["trunk_model"].removeprefix("ResNet-"))
        trunk = getattr(import_torchvision().models, f"resnet{depth}")()
        trunk.fc = nn.Identity()
    features = trunk.eval()(torch.zeros(1, 3, size, size)).shape[1]
    embedder = nn.Sequential(nn.Linear(features, conf["dim"]), nn.Dropout(params["p_dropout"]))
    trunk.load_state_dict(torch.load(folder / "trunk.pth", map_location="cpu"))
    embedder.load_state_dict(torch.load(folder / "embedder.pth", map_location="cpu"))

    class Encoder(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = embedder(trunk(x))
            return x / torch.norm(x, dim=1, keepdim=True)

    module = Encoder()
    trunk.eval()
    embedder.eval()
    return module


@pytest.mark.parametrize(
    ("trunk", "size"), [("ResNet-18", 224), ("timm:test_resnet", 224), ("timm:test_resnet", 64)]
)
def test_it_is_loaded_as_animecv_does(tmp_path: Path, trunk: str, size: int) -> None:
    config = small(trunk=trunk, input_size=size, dim=12)
    network = trained(config)
    write_model_files(tmp_path, network, config, FACTS, {})
    t = import_torchvision().transforms
    normalize = t.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    pipeline = t.Compose([t.Resize((size, size)), t.ToTensor(), normalize])
    images = [photo(seed, (70 + seed, 40)) for seed in range(3)]
    inputs = torch.stack([pipeline(image) for image in images])
    with torch.no_grad():
        expected = published(tmp_path, size)(inputs).numpy()
        own = nn.functional.normalize(network(inputs)).numpy()
    model = load_model(f"animecv:{tmp_path}", device="cpu")
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, atol=2e-5)
    np.testing.assert_allclose(own, expected, atol=2e-5)
    assert np.abs(expected[0] - expected[1]).max() > 1e-3


def test_safetensors_hold_the_same_weights(tmp_path: Path) -> None:
    config = small()
    network = trained(config)
    write_model_files(tmp_path, network, config, FACTS, {})
    with safe_open(tmp_path / "model.safetensors", "pt") as tensors:
        assert tensors.metadata() == {"format": "pt"}
        found = {name: tensors.get_tensor(name) for name in tensors.keys()}  # noqa: SIM118
    state = network.state_dict()
    assert {name.replace(".num_batches", "") for name in found} == {
        name.replace(".num_batches", "") for name in state
    }
    assert all(torch.equal(found[name], state[name]) for name in state)
    spec = f"{config.trunk}@{tmp_path / 'model.safetensors'}#trunk"
    assert load_model(spec, device="cpu").provenance["architecture"] == "test_resnet"


def test_the_same_network_gives_the_same_bytes(tmp_path: Path) -> None:
    config = small()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_model_files(tmp_path / name, trained(config), config, FACTS, {"x": 1})
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    "config",
    [
        TrainingConfig(),
        TrainingConfig(
            loss=LossSettings("arcface", {"margin": 20, "scale": 30}, classifier_weight=0.4),
            optimizer=OptimizerSettings(beta1=0.95, beta2=0.99),
            augmentation=AugmentationSettings("affine", flip=False, rotation=3, shift=0.1),
        ),
        TrainingConfig(loss=LossSettings("proxy-nca", {"scale": 3})),
        TrainingConfig(
            loss=LossSettings("triplet", {"margin": 0.2}, regularizer=2, regularizer_weight=0.5)
        ),
    ],
    ids=["contrastive", "arcface", "proxy-nca", "triplet"],
)
def test_the_originals_would_read_its_configuration(tmp_path: Path, config: TrainingConfig) -> None:
    conf, params = conf_of(config)
    assert params["p_dropout"] == config.dropout
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    read = read_config(tmp_path / "conf.json").config
    assert read.loss.name == config.loss.name
    for name, value in config.loss.options.items():
        assert read.loss.options[name] == value
    assert (read.optimizer.beta1, read.optimizer.beta2) == pytest.approx(
        (config.optimizer.beta1, config.optimizer.beta2)
    )
    assert read.augmentation == config.augmentation
    assert read.loss.classifier_weight == config.loss.classifier_weight
    assert read.loss.regularizer == config.loss.regularizer
    same = ("trunk", "dim", "input_size", "dropout", "m", "batch_size", "images_per_epoch")
    for name in same:
        assert getattr(read, name) == getattr(config, name)


def test_the_card_says_what_it_is_of() -> None:
    text = card_text(small(input_size=224), FACTS)
    assert text.startswith("---\nlicense: other\n")
    for told in ("1,234", "5,678", "d" * 64, "e" * 64, "[12.0, 16.9]", "not stated", "Something"):
        assert told in text
    assert "AnimeCV itself" in text
    other = card_text(small(), FACTS)
    assert "pictures of 32 x 32" in other
    assert "license: mit\n" in card_text(small(), CardFacts(**{**vars(FACTS), "licence": "mit"}))
