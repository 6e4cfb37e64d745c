"""Image models of transformers: the vectors that the library gives, and what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from support.small_models import HF_SIZES, hf_folder, photo, save_hf

from mining.models import ModelError, load_model
from mining.models.names import short_name
from mining.models.torchvision_ops import import_torchvision

import_torchvision()
import huggingface_hub  # noqa: E402
import transformers as hf  # noqa: E402

SQUARE = {"height": 32, "width": 32}
TEXT = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
TEXT |= {"intermediate_size": 32, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}
SWIN = {"image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 2]}
SWIN |= {"window_size": 4}
CONVNEXT = {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}

# By name: model, processor, and what the library's own output is called.
Kind = tuple[Callable[[], Any], Callable[[], Any], str]
KINDS: dict[str, Kind] = {
    "ViT": (
        lambda: hf.ViTModel(hf.ViTConfig(**HF_SIZES)),
        lambda: hf.ViTImageProcessor(size=SQUARE),
        "pooler_output",
    ),
    "DINOv2": (
        lambda: hf.Dinov2Model(hf.Dinov2Config(**{**HF_SIZES, "image_size": 28, "patch_size": 14})),
        # A margin of 3 pixels: half of it is rounded down.
        lambda: hf.BitImageProcessor(
            size={"shortest_edge": 31}, crop_size={"height": 28, "width": 28}
        ),
        "pooler_output",
    ),
    "ResNet": (
        lambda: hf.ResNetModel(hf.ResNetConfig(**RESNET)),
        lambda: hf.ConvNextImageProcessor(size={"shortest_edge": 32}, crop_pct=0.9),
        "pooler_output",
    ),
    "Swin": (
        lambda: hf.SwinModel(hf.SwinConfig(**SWIN)),
        lambda: hf.ViTImageProcessor(size=SQUARE, resample=3, do_normalize=False),
        "pooler_output",
    ),
    "ConvNeXT": (
        lambda: hf.ConvNextModel(hf.ConvNextConfig(**CONVNEXT)),
        lambda: hf.ConvNextImageProcessor(size={"shortest_edge": 384}),
        "pooler_output",
    ),
    "SigLIP": (
        lambda: hf.SiglipModel(hf.SiglipConfig(vision_config=HF_SIZES, text_config=TEXT)),
        lambda: hf.SiglipImageProcessor(size=SQUARE),
        "features",
    ),
    "CLIP": (
        lambda: hf.CLIPModel(
            hf.CLIPConfig(projection_dim=12, vision_config=HF_SIZES, text_config=TEXT)
        ),
        lambda: hf.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=SQUARE),
        "features",
    ),
    "CLIP's image tower": (
        lambda: hf.CLIPVisionModel(hf.CLIPVisionConfig(**HF_SIZES)),
        lambda: hf.CLIPImageProcessor(size={"shortest_edge": 35}, crop_size=SQUARE),
        "pooler_output",
    ),
    "CLIP's image tower, projected": (
        lambda: hf.CLIPVisionModelWithProjection(
            hf.CLIPVisionConfig(projection_dim=12, **HF_SIZES)
        ),
        lambda: hf.CLIPImageProcessor(size={"shortest_edge": 35}, crop_size=SQUARE),
        "image_embeds",
    ),
    "BEiT": (
        lambda: hf.BeitModel(hf.BeitConfig(**HF_SIZES)),
        lambda: hf.BeitImageProcessor(size=SQUARE, do_center_crop=False),
        "pooler_output",
    ),
    "I-JEPA": (
        lambda: hf.IJepaModel(hf.IJepaConfig(**HF_SIZES)),
        # In the network's own scale, from 0 to 255.
        lambda: hf.ViTImageProcessor(
            size=SQUARE, do_rescale=False, image_mean=[120, 110, 100], image_std=[60, 50, 40]
        ),
        "mean",
    ),
}


def pictures() -> list[Image.Image]:
    return [photo(seed, (50 + 9 * seed, 44)) for seed in range(3)]


def vectors(spec: str) -> np.ndarray:
    model = load_model(spec, device="cpu")
    return model.encode(np.stack([model.preprocess(image) for image in pictures()]))


def librarys_own(folder: Path, model: Any, output: str) -> np.ndarray:
    """What the library's processor and model make of the pictures."""
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    pixels = processor(pictures(), return_tensors="pt").pixel_values
    with torch.inference_mode():
        if output == "features":
            return model.get_image_features(pixel_values=pixels).pooler_output.numpy()
        found = model(pixel_values=pixels)
        if output == "mean":
            return found.last_hidden_state.mean(1).numpy()
        return found[output].flatten(1).numpy()


@pytest.mark.parametrize("name", KINDS)
def test_vectors_are_those_of_transformers(tmp_path: Path, name: str) -> None:
    make, processor, output = KINDS[name]
    model = make().eval()
    spec = save_hf(tmp_path, 0, model, processor())
    expected = librarys_own(tmp_path, model, output)
    found = vectors(spec)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * scale)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * scale
    said = {"features": "image features", "mean": "the mean over"}.get(output, output)
    loaded = load_model(spec, device="cpu")
    assert said in loaded.notes[0]
    assert loaded.similarity == "cosine"


def test_pictures_resized_before_rounding(tmp_path: Path) -> None:
    sizes = {**HF_SIZES, "patch_size": 16, "num_register_tokens": 1}
    model = hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**sizes))
    folder = Path(save_hf(tmp_path, 0, model, hf.DINOv3ViTImageProcessor(size=SQUARE))[3:])
    loaded = load_model(f"hf:{folder}", device="cpu")
    found = np.stack([loaded.preprocess(image) for image in pictures()])
    pixels = hf.AutoImageProcessor.from_pretrained(folder)(pictures(), return_tensors="pt")
    # A grey level, by the least of the deviations.
    mine = loaded.preprocessing.normalise(found)
    assert np.abs(mine - pixels.pixel_values.numpy()).max() < 1 / 255 / 0.224 + 1e-6


def test_a_classifier_has_no_pooler_of_its_own(tmp_path: Path) -> None:
    model = hf.ViTForImageClassification(hf.ViTConfig(**HF_SIZES)).eval()
    spec = save_hf(tmp_path, 0, model, hf.ViTImageProcessor(size=SQUARE))
    expected = librarys_own(tmp_path, model.vit, "last_hidden_state").reshape(3, -1, 32)[:, 0]
    np.testing.assert_allclose(vectors(spec), expected, rtol=1e-4, atol=1e-5)
    first, again = (load_model(spec, device="cpu") for _ in range(2))
    assert first.fingerprint == again.fingerprint
    assert first.provenance["pooling"] == "class token"
    assert any("no weights of a pooler" in note for note in first.notes)
    assert any("2 tensors are not used: classifier.bias" in note for note in first.notes)


def test_weights_in_parts(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    whole = load_model(hf_folder(tmp_path / "whole", 0), device="cpu")
    model = hf.ViTModel.from_pretrained(tmp_path / "whole")
    processor = hf.AutoImageProcessor.from_pretrained(tmp_path / "whole")
    folder = tmp_path / "parts"
    spec = save_hf(folder, 0, model, processor, max_shard_size="10KB")
    parts = sorted(folder.glob("model-*.safetensors"))
    assert len(parts) > 3
    assert load_model(spec, device="cpu").fingerprint == whole.fingerprint
    parts[1].unlink()
    with pytest.raises(ModelError, match=r"1 of the \d+ parts of its weights are missing: model-0"):
        load_model(spec)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))
    with pytest.raises(ModelError, match=r"names files outside the folder: \.\./elsewhere"):
        load_model(spec)


def test_half_precision_is_loaded_in_full(tmp_path: Path) -> None:
    spec = hf_folder(tmp_path, 0)
    file = tmp_path / "model.safetensors"
    state = {name: tensor.half() for name, tensor in load_file(file).items()}
    save_file(state, file, metadata={"format": "pt"})
    assert {one.dtype for one in load_model(spec).network.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("config", {"auto_map": {"AutoModel": "code.Model"}}, "config.json: has auto_map: .*code"),
        ("preprocessor_config", {"auto_map": {"A": "b.C"}}, "preprocessor_config.json: has auto_m"),
        ("config", {"quantization_config": {"quant_method": "x"}}, "has quantization_config"),
        ("config", {"_attn_implementation": "someone/kernel"}, "is 'someone/kernel', which may be"),
        ("config", {"model_type": "nonesuch"}, "cannot load it .*nonesuch"),
        ("config", {"hidden_act": "nonesuch"}, "cannot load it .*nonesuch"),
        ("config", {"num_hidden_layers": 3}, r"\d+ missing: .*layer"),
        ("config", {"num_hidden_layers": 1}, r"\d+ that it has not: .*layer"),
        ("config", {"image_size": 64}, r"position_embeddings \(1, 17, 32\) for \(1, 65, 32\)"),
        ("config", {"num_channels": 1}, r"of another shape: .*\(32, 3, 8, 8\) for \(32, 1, 8, 8\)"),
        ("preprocessor_config", {"crop_size": {"height": 40, "width": 40}},
         r"fails on pictures of 40 x 40 pixels.*doesn't match model"),
        ("preprocessor_config", {"image_processor_type": "PoolFormerImageProcessor"},
         "prepared by PoolFormerImageProcessor, which is not supported"),
        ("preprocessor_config", {"image_processor_type": "NoneSuch"}, "cannot load its image proc"),
        ("preprocessor_config", {"size": {"shortest_edge": 32, "longest_edge": 40}},
         "has size .*longest_edge.*not supported"),
        ("preprocessor_config", {"do_center_crop": False}, "shortest_edge without do_center_crop"),
        ("preprocessor_config", {"do_resize": False}, "no do_resize"),
        ("preprocessor_config", {"do_pad": True}, "has do_pad, which is not supported"),
        ("preprocessor_config", {"resample": 9}, "has resample 9, no filter"),
        ("preprocessor_config", {"image_mean": [0.5]}, "has image_mean .*expected three"),
        ("preprocessor_config", {"image_std": [0.5, 0.5, 0]}, "std is .*not above 0"),
        ("preprocessor_config", {"rescale_factor": -1}, "has rescale_factor -1"),
    ],
)  # fmt: skip
def test_folders_that_are_refused(
    tmp_path: Path, file: str, change: dict[str, object], says: str
) -> None:
    spec = hf_folder(tmp_path, 0)
    path = tmp_path / f"{file}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ModelError, match=says):
        load_model(spec)


def test_weights_that_the_library_would_draw_at_random(tmp_path: Path) -> None:
    spec = hf_folder(tmp_path, 0)
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    lost = next(name for name in state if name.endswith("layernorm.weight"))
    save_file({n: t for n, t in state.items() if n != lost}, file, metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"do not fit ViTModel.*1 missing: {lost}.*Likely cause"):
        load_model(spec)
    file.write_bytes(file.read_bytes()[:1000])
    with pytest.raises(ModelError, match="transformers cannot load it"):
        load_model(spec)


def test_pickled_weights_alone(tmp_path: Path) -> None:
    spec = hf_folder(tmp_path, 0)
    file = tmp_path / "model.safetensors"
    torch.save(load_file(file), tmp_path / "pytorch_model.bin")
    # Beside safetensors they are not looked at.
    load_model(spec)
    file.unlink()
    with pytest.raises(ModelError, match=r"only pytorch_model\.bin; expected .*save_pretrained"):
        load_model(spec)
    (tmp_path / "pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match=r"has no weights; expected model\.safetensors"):
        load_model(spec)


def test_folders_without_files(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json: cannot be read .*transformers' saved f"):
        load_model(f"hf:{tmp_path}")
    spec = hf_folder(tmp_path, 0)
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"adapter_config\.json: .*merge them"):
        load_model(spec)
    (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(ModelError, match=r"is a file; expected the folder"):
        load_model(f"hf:{tmp_path / 'config.json'}")
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ModelError, match=r"has no preprocessor_config\.json.*model of texts"):
        load_model(spec)


def test_models_that_give_no_vectors_of_pictures(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    hf_folder(tmp_path / "text", 0)
    processor = hf.AutoImageProcessor.from_pretrained(tmp_path / "text")
    shutil.rmtree(tmp_path / "text")
    text = {**TEXT, "pad_token_id": 0}
    spec = save_hf(tmp_path / "text", 0, hf.BertModel(hf.BertConfig(**text)), processor)
    with pytest.raises(ModelError, match="BertModel takes input_ids, and no pictures"):
        load_model(spec)
    masked = hf.ViTMAEModel(hf.ViTMAEConfig(**HF_SIZES))
    spec = save_hf(tmp_path / "masked", 0, masked, processor)
    with pytest.raises(ModelError, match="gives other vectors for the same pictures"):
        load_model(spec)


def test_the_fingerprint_is_of_what_vectors_depend_on(tmp_path: Path) -> None:
    spec = hf_folder(tmp_path, 0)
    path = tmp_path / "config.json"
    before, said = load_model(spec).fingerprint, json.loads(path.read_text())
    path.write_text(json.dumps({**said, "id2label": {"0": "cat"}, "transformers_version": "5.0"}))
    assert load_model(spec).fingerprint == before
    path.write_text(json.dumps({**said, "num_attention_heads": 4}))
    assert load_model(spec).fingerprint != before


def test_a_name_of_the_hub_is_taken_from_its_cache(tmp_path: Path) -> None:
    cached = tmp_path / "models--someone--small"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("0123abcd")
    folder = cached / "snapshots" / "0123abcd"
    folder.mkdir(parents=True)
    expected = load_model(hf_folder(folder, 0), device="cpu").fingerprint
    code = (
        "import sys; from mining.models import load_model; "
        "print(*(load_model(one).fingerprint for one in sys.argv[1:]))"
    )
    specs = ["hf:someone/small", "hf:someone/small@main"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code, *specs],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [expected, expected]
    assert done.stderr == ""


def test_names_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, object]] = []

    def refuse(name: str, *, revision: object, **_: object) -> str:
        asked.append((name, revision))
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(ModelError, match=r"no folder here, and could not .*no route.*HF_HUB_OFFLI"):
        load_model("hf:someone/small@v2")
    assert asked == [("someone/small", "v2")]
    for name in ("hf:/no/such", "hf:./small", "hf:../small", "hf:a/b/c", "hf:a b"):
        with pytest.raises(ModelError, match="no such folder, and no name of the hub"):
            load_model(name)
    assert len(asked) == 1


def test_the_extra_is_named_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModelError, match=r"needs transformers .*pip install 'lookalikes\[hf\]'"):
        load_model(f"hf:{tmp_path}")


def test_short_names() -> None:
    assert short_name("hf:facebook/dinov2-base") == "hf:dinov2-base"
    assert short_name("hf:facebook/dinov2-base@refs/pr/3") == "hf:dinov2-base"
    assert short_name("hf:/data/models@home/ours") == "hf:ours"


def test_a_runs_own_seed_is_left_alone(tmp_path: Path) -> None:
    spec = hf_folder(tmp_path, 0)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    load_model(spec, device="cpu")
    assert torch.equal(torch.rand(3), expected)
