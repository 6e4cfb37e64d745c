"""The presets against the published configurations, and what is said of PyTorch's RAdam."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from mining.errors import TrainingError
from mining.training.config_files import read_config, write_config
from mining.training.presets import PRESETS, preset

# Learning rate, decay and weight of the classifier as the published files have them.
PUBLISHED = {
    "0206_resnet18": ("ResNet-18", 224, "0.0000401253", "0.0000290147", None),
    "0206_resnet152": ("ResNet-152", 224, "0.0000149446", "0.0000747373", None),
    "0206_seresnet152": (
        "timm:seresnet152d", 256, "0.000042389812939829", "0.00462205651807216", None,
    ),
    "0217_cls_resnet18": (
        "ResNet-18", 224, "0.0000800632046543503", "0.000000195306175496775", "0.8",
    ),
    "0301_cls_resnet152": ("ResNet-152", 224, "8.2e-5", "1e-4", "0.4"),
}  # fmt: skip


def test_there_are_five() -> None:
    assert [*PRESETS] == [*PUBLISHED]
    assert [one.name for one in PRESETS.values()] == [*PUBLISHED]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_preset_is_what_the_published_file_is_read_as(name: str, tmp_path: Path) -> None:
    """But for what the command line of the originals said: epochs, patience and folds."""
    trunk, size, lr, decay, weight = PUBLISHED[name]
    more = "" if weight is None else f', "cls_weight": {weight}, "gray_p": 0.0'
    path = tmp_path / "conf.json"
    path.write_text(
        f"""{{"": ["A comment"], "trunk_model": "{trunk}", "dim": 500, "input_size": {size},
        "": "Another", "n_fold": 100, "fold_trials": 1, "data_dir": "/faces",
        "data_per_epoch": 100000, "m_cands": [2, 4, 8, 16], "batch_size": 64,
        "loss_type": "Contrastive", "use_augmentation": false, "use_randaug": true,
        "search_space": {{}},
        "_fix_params": {{"m": 8, "neg_margin": 1.04214, "p_dropout": 0.367399,
            "pos_margin": 0.681566, "reg_type": "None", "model_decay": {decay}, "model_lr": {lr},
            "model_beta1": 0.1, "model_beta2": 0.001, "model_eps": 1e-8, "randaug_N": 1,
            "randaug_M": 26{more}}}}}""",
        "utf-8",
    )
    read = read_config(path).config
    found = preset(name).config
    assert read.content == found.content
    assert (found.epochs, found.validation.patience) == (60, 3)
    assert read_config(write_config(tmp_path / "ours.json", found)).config == found


def test_a_preset_says_what_differs() -> None:
    for name, (_, size, _, _, weight) in PUBLISHED.items():
        told = " ".join(preset(name).differences)
        assert ("The classifier has no bias" in told) == (weight is not None)
        assert ("resizes to 224" in told) == (size == 256)
        assert "first five steps" in told
        assert all(one.endswith(".") for one in preset(name).differences)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("0206_resnet81", "did you mean 0206_resnet18?"),
        ("cls_resnet152", "did you mean 0301_cls_resnet152?"),
        ("x", f"expected one of {', '.join(PUBLISHED)}"),
    ],
)
def test_another_name_is_answered_with_the_nearest(name: str, says: str) -> None:
    with pytest.raises(TrainingError) as refused:
        preset(name)
    assert str(refused.value) == f"preset {name!r}: there is none of that name; {says}"


def rectified(gradients: np.ndarray, lr: float, decay: float, *, waits: bool) -> np.ndarray:
    """A weight of 1 after RAdam (arXiv 1908.03265): unrectified steps follow the mean, or wait."""
    beta1, beta2, eps = 0.9, 0.999, 1e-8
    weight, mean, square = 1.0, 0.0, 0.0
    most = 2 / (1 - beta2) - 1
    path = []
    for step, gradient in enumerate(gradients, 1):
        mean = beta1 * mean + (1 - beta1) * gradient
        square = beta2 * square + (1 - beta2) * gradient**2
        length = most - 2 * step * beta2**step / (1 - beta2**step)
        unbiased = mean / (1 - beta1**step)
        if length >= 5:
            share = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
            scale = math.sqrt((1 - beta2**step) * share) / (math.sqrt(square) + eps)
            weight = weight * (1 - lr * decay) - lr * unbiased * scale
        elif not waits:
            weight = weight * (1 - lr * decay) - lr * unbiased
        path.append(weight)
    return np.array(path)


def test_torch_moves_in_the_five_steps_in_which_the_original_waits() -> None:
    gradients = np.random.default_rng(0).normal(0.5, 1, 30)
    lr, decay = 1e-3, 0.1
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.RAdam(
        [weight], lr=lr, weight_decay=decay, decoupled_weight_decay=True, foreach=False
    )
    found = []
    for gradient in gradients:
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        found.append(weight.item())
    np.testing.assert_allclose(found, rectified(gradients, lr, decay, waits=False), rtol=1e-9)
    waiting = rectified(gradients, lr, decay, waits=True)
    assert (waiting[:5] == 1).all()
    assert waiting[5] != 1
    # From there on both move alike: what was between them stays, but for its decay.
    between = np.array(found) - waiting
    np.testing.assert_allclose(
        between[5:], between[4] * (1 - lr * decay) ** np.arange(1, 26), rtol=1e-6
    )


def test_no_preset_can_be_changed_by_another() -> None:
    first, second = (preset(name).config.loss.options for name in [*PUBLISHED][:2])
    assert json.dumps({**first}) == json.dumps({**second})
    assert first is not second
