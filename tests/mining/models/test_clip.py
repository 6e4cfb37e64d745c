"""CLIP's image towers: the embeddings that open_clip gives, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.small_models import CLIP_CONFIG, clip_folder, photo

from mining.models import ModelError, load_model
from mining.models.names import short_name
from mining.models.torchvision_ops import import_torchvision

import_torchvision()
import open_clip  # noqa: E402


def vectors(spec: str) -> np.ndarray:
    model = load_model(spec, device="cpu")
    images = [photo(seed, (50 + 9 * seed, 44)) for seed in range(3)]
    return model.encode(np.stack([model.preprocess(image) for image in images]))


@pytest.mark.parametrize("mode", ["shortest", "squash"])
def test_vectors_are_those_of_open_clip(tmp_path: Path, mode: str) -> None:
    spec = clip_folder(tmp_path, 0, resize_mode=mode)
    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    images = torch.stack([prepare(photo(seed, (50 + 9 * seed, 44))) for seed in range(3)])
    with torch.inference_mode():
        expected = model.eval().encode_image(images).numpy()
    np.testing.assert_allclose(vectors(spec), expected, rtol=1e-4, atol=1e-5)


def test_a_file_of_an_architecture_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = vectors(clip_folder(tmp_path, 0, mean=None, std=None))
    known = {"Small": CLIP_CONFIG["model_cfg"]}
    monkeypatch.setattr(open_clip, "get_model_config", known.get)
    monkeypatch.setattr(open_clip, "list_models", lambda: [*known])
    file = tmp_path / "open_clip_model.safetensors"
    np.testing.assert_array_equal(vectors(f"clip:Small@{file}"), whole)
    # The image tower alone, as its file names it, and wrapped by a trainer.
    tower = {
        name.removeprefix("visual."): tensor
        for name, tensor in load_file(file).items()
        if name.startswith("visual.")
    }
    save_file(tower, tmp_path / "tower.safetensors")
    np.testing.assert_array_equal(vectors(f"clip:Small@{tmp_path / 'tower.safetensors'}"), whole)
    state = {f"module.{name}": tensor for name, tensor in load_file(file).items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "epoch.pt")
    np.testing.assert_array_equal(vectors(f"clip:Small@{tmp_path / 'epoch.pt'}"), whole)
    with pytest.raises(ModelError, match="open_clip has no 'Smal'; did you mean Small"):
        load_model(f"clip:Smal@{file}")
    with pytest.raises(ModelError, match="neither a file nor a tag of published weights"):
        load_model("clip:Small@none")


def test_tags_whose_weights_want_another_activation() -> None:
    with pytest.raises(ModelError, match=r"trained with QuickGELU, and .* take ViT-B-32-quickgelu"):
        load_model("clip:ViT-B-32@openai")
    with pytest.raises(ModelError, match="nor a tag of published weights of ViT-B-32, which are"):
        load_model("clip:ViT-B-32@no_such_tag")


def test_weights_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(open_clip, "download_pretrained", refuse)
    with pytest.raises(
        ModelError, match=r"could not be fetched .*no route.*clip:RN50-quickgelu@WEIGHTS"
    ):
        load_model("clip:RN50-quickgelu@yfcc15m")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"preprocess_cfg": {"resize_mode": "longest"}}, "resize mode 'longest'"),
        ({"preprocess_cfg": {"interpolation": "random"}}, "interpolation 'random'"),
        ({"preprocess_cfg": {"mean": 3}}, "recognised|iterable|not"),
        ({"preprocess_cfg": {"size": "x"}}, "a picture size of 'x'"),
        ({"model_cfg": {"embed_dim": 12}}, "lacks embed_dim or vision_cfg"),
        ({"model_cfg": {"embed_dim": 12, "vision_cfg": {"layer": 1}}}, "cannot build its image"),
        (
            {"model_cfg": {"embed_dim": 12, "vision_cfg": {"timm_model_name": "hf_hub:a/b"}}},
            "timm has no 'hf_hub:a/b'",
        ),
        ({"model_cfg": {"embed_dim": 13, "vision_cfg": {}}}, "does not fit"),
        ({"model_cfg": None}, "model_cfg"),
    ],
)
def test_folders_that_are_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    spec = clip_folder(tmp_path, 0)
    path = tmp_path / "open_clip_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=says):
        load_model(spec)


def test_folders_without_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="must be in open_clip's saved form"):
        load_model(f"clip:{tmp_path}")
    spec = clip_folder(tmp_path, 0)
    (tmp_path / "open_clip_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"has none of open_clip_model\.safetensors"):
        load_model(spec)


def test_the_extra_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = clip_folder(tmp_path, 0)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(ModelError, match=r"needs open_clip .*pip install 'lookalikes\[clip\]'"):
        load_model(spec)


def test_short_names() -> None:
    assert short_name("clip:ViT-B-32@laion2b_s34b_b79k") == "clip:ViT-B-32"
    assert short_name("clip:models/ours") == "clip:ours"
