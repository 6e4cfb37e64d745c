"""The transformer against the package it was trained with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_pretrained_vit.model as original
import torch
from support.small_models import animesion_state, photo, random_state
from torch import nn

from mining.models import ModelError, load_model
from mining.models.animesion import infer_shape
from mining.models.torchvision_ops import import_torchvision

CONFIG = {
    "patches": (8, 8),
    "dim": 128,
    "ff_dim": 200,
    "num_heads": 2,
    "num_layers": 3,
    "attention_dropout_rate": 0.0,
    "dropout_rate": 0.1,
    "representation_size": None,
    "classifier": "token",
}


@pytest.fixture
def theirs(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A small ViT of the original package, every tensor random."""
    entry = {"config": CONFIG, "image_size": (40, 40), "num_classes": 3}
    monkeypatch.setitem(original.PRETRAINED_MODELS, "small", entry)
    module = original.ViT("small", image_size=32)
    module.load_state_dict(random_state(module, 7))
    return module.eval()


def test_it_is_the_original_network(theirs: Any, tmp_path: Path) -> None:
    torch.save(theirs.state_dict(), tmp_path / "vit.pth")  # with its classifier, left over
    theirs.fc = nn.Identity()
    t = import_torchvision().transforms
    half = (0.5, 0.5, 0.5)
    pipeline = t.Compose([t.Resize((32, 32)), t.ToTensor(), t.Normalize(half, half)])
    images = [photo(seed, (50, 40 + seed)) for seed in range(3)]
    with torch.no_grad():
        expected = theirs(torch.stack([pipeline(image) for image in images])).numpy()
    model = load_model(f"animesion:{tmp_path / 'vit.pth'}", device="cpu")
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()
    # Inner products are of the features as they come: their lengths must differ.
    lengths = np.linalg.norm(found, axis=1)
    assert lengths.max() > 1.01 * lengths.min()


def test_the_shape_is_read_off_the_tensors(theirs: Any) -> None:
    shape = infer_shape(theirs.state_dict(), "vit")
    assert (shape.image, shape.patch, shape.width) == (32, 8, 128)
    assert (shape.hidden, shape.depth, shape.heads) == (200, 3, 2)


def changed(state: dict[str, torch.Tensor], **changes: object) -> dict[str, object]:
    """The state with `a__b` standing for `a.b`; None takes a tensor away."""
    edited: dict[str, object] = {**state}
    for name, value in changes.items():
        edited[name.replace("__", ".")] = value
    return {name: value for name, value in edited.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extra": torch.zeros(1)}, "1 tensors have no place in the transformer: extra"),
        ({"class_token": None}, "1 missing: cls_token"),
        ({"patch_embedding__weight": None}, "lacks patch_embedding.weight"),
        ({"patch_embedding__weight": torch.zeros(64, 1, 8, 8)}, r"not \(width, 3, P, P\)"),
        ({"positional_embedding__pos_embedding": torch.zeros(1, 16, 64)}, "of a square image"),
        ({"positional_embedding__pos_embedding": torch.zeros(64)}, "of a square image"),
        ({"transformer__blocks__1__attn__proj_k__bias": None}, "qkv.bias needs attn.proj_q"),
        ({"transformer__blocks__1__norm1__bias": None}, r"1 missing: blocks\.1\.norm1\.bias"),
        ({"transformer__blocks__0__pwff__fc2__bias": torch.zeros(9)}, r"of another shape.*\(9,\)"),
        ({"transformer__blocks__3__proj__bias": torch.zeros(64)}, r"has block 3 and no block 2"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_a_state_that_does_not_fit(changes: dict[str, object], says: str, tmp_path: Path) -> None:
    torch.save(changed(animesion_state(0), **changes), tmp_path / "vit.pth")
    with pytest.raises(ModelError, match=says):
        load_model(f"animesion:{tmp_path / 'vit.pth'}")


def test_a_width_without_whole_heads(tmp_path: Path) -> None:
    state = animesion_state(0)
    state["patch_embedding.weight"] = torch.zeros(96, 3, 8, 8)
    state["positional_embedding.pos_embedding"] = torch.zeros(1, 17, 96)
    torch.save(state, tmp_path / "vit.pth")
    with pytest.raises(ModelError, match="width 96 is no multiple of 64"):
        load_model(f"animesion:{tmp_path / 'vit.pth'}")


def test_the_classifier_does_not_count(tmp_path: Path) -> None:
    state = animesion_state(0)
    torch.save(state, tmp_path / "bare.pth")
    with_head = {**state, "fc.weight": torch.ones(9, 64), "pre_logits.bias": torch.ones(64)}
    torch.save(with_head, tmp_path / "headed.pth")
    bare = load_model(f"animesion:{tmp_path / 'bare.pth'}", device="cpu")
    headed = load_model(f"animesion:{tmp_path / 'headed.pth'}", device="cpu")
    assert bare.fingerprint == headed.fingerprint
