"""Configuration of preset, file and options together."""

from __future__ import annotations

from pathlib import Path

import pytest

from mining.errors import TrainingError
from mining.training.changes import ConfigChoice, changed
from mining.training.config_files import write_config
from mining.training.configuration import LossSettings, TrainingConfig
from mining.training.network import TrunkSource
from mining.training.presets import PRESETS


def test_options_change_the_presets_values() -> None:
    changes = {"dim": 64, "optimizer.lr": 0.5, "epochs": None, "validation.patience": 9}
    found = ConfigChoice(preset="0206_resnet152", changes=changes).resolve(10)
    base = PRESETS["0206_resnet152"].config
    assert found.config.dim == 64
    assert found.config.optimizer.lr == 0.5
    assert found.config.optimizer.weight_decay == base.optimizer.weight_decay
    assert found.config.epochs == base.epochs
    assert found.config.validation.patience == 9
    assert found.config.images_per_epoch == 100_000
    assert found.notes == tuple(PRESETS["0206_resnet152"].differences)


def test_another_trunk_than_the_presets_is_said(tmp_path: Path) -> None:
    choice = ConfigChoice(preset="0206_resnet18", trunk="timm:test_resnet@w.pth")
    found = choice.resolve(10)
    assert found.config.trunk == "timm:test_resnet"
    assert found.source == TrunkSource("timm:test_resnet", "w.pth")
    assert found.notes[0] == "The preset's trunk is ResNet-18; this one is timm:test_resnet."


@pytest.mark.parametrize(("pictures", "epoch"), [(10, 1024), (5000, 5000), (10**6, 100_000)])
def test_an_epoch_is_a_pass_over_the_pictures(pictures: int, epoch: int) -> None:
    assert ConfigChoice().resolve(pictures).config.images_per_epoch == epoch
    said = ConfigChoice(changes={"images_per_epoch": 320}).resolve(pictures)
    assert said.config.images_per_epoch == 320


def test_a_file_stands_as_it_is(tmp_path: Path) -> None:
    config = TrainingConfig(dim=7, loss=LossSettings("triplet", {"margin": 0.3}))
    write_config(tmp_path / "c.json", config)
    assert ConfigChoice(file=tmp_path / "c.json").resolve(10).config == config
    with pytest.raises(TrainingError, match="give one of them"):
        ConfigChoice(preset="0206_resnet18", file=tmp_path / "c.json")


def test_another_loss_leaves_the_options_of_the_first_behind() -> None:
    config = TrainingConfig(loss=LossSettings("triplet", {"margin": 0.3}, classifier_weight=0.5))
    found = changed(config, {"loss.name": "arcface"}).loss
    assert (found.name, dict(found.options), found.classifier_weight) == ("arcface", {}, 0.5)
    assert changed(config, {"loss.name": "triplet"}).loss.options == {"margin": 0.3}
    with pytest.raises(TrainingError, match="none of contrastive"):
        changed(config, {"loss.name": "arcfaces"})


@pytest.mark.parametrize(
    ("text", "architecture", "weights"),
    [
        ("ResNet-152", "ResNet-152", None),
        ("torchvision:resnet34@a@b.pth", "ResNet-34", "a@b.pth"),
        ("timm:resnet18.a1_in1k", "timm:resnet18.a1_in1k", None),
    ],
)
def test_trunks(text: str, architecture: str, weights: str | None) -> None:
    assert TrunkSource.parse(text) == TrunkSource(architecture, weights)


@pytest.mark.parametrize("text", ["ResNet-20", "resnet", "timm:", "onnx:x", "timm:x@"])
def test_what_is_no_trunk_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="trunk"):
        TrunkSource.parse(text)
    with pytest.raises(TrainingError, match="--from-scratch; give one"):
        TrunkSource.parse("timm:x@w", scratch=True)
