"""AnimeCV folders and zips: the published layout, and hostile ones."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from support.small_models import animecv_folder, photo, random_state
from torch import nn

from mining.models import ModelError, load_model
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.models.weights import read_state

FILES = ("trunk.pth", "embedder.pth", "conf.json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("0206_small")
    animecv_folder(folder, 0)
    return folder


def packed(folder: Path, target: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for name in FILES:
            archive.write(folder / name, f"{inside}{name}")
    return target


def test_it_is_the_published_network(tmp_path: Path) -> None:
    spec = animecv_folder(tmp_path, 0, "ResNet-18")
    tv = import_torchvision()
    trunk = tv.models.resnet18()
    trunk.fc = nn.Identity()
    trunk.load_state_dict(read_state(tmp_path / "trunk.pth", "trunk"))
    embedder = nn.Sequential(nn.Linear(512, 12), nn.Dropout(0.4))
    embedder.load_state_dict(read_state(tmp_path / "embedder.pth", "embedder"))
    normalize = tv.transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    t = tv.transforms
    pipeline = t.Compose([t.Resize((224, 224)), t.ToTensor(), normalize])
    images = [photo(seed, (70 + seed, 40)) for seed in range(3)]
    with torch.no_grad():
        inputs = torch.stack([pipeline(image) for image in images])
        expected = embedder.eval()(trunk.eval()(inputs)).numpy()
    model = load_model(spec, device="cpu")
    found = model.encode(np.stack([model.preprocess(image) for image in images]))
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()
    assert np.abs(expected[0] - expected[1]).max() > 1e-2 * np.abs(expected).max()
    assert model.provenance["architecture"] == "ResNet-18"


@pytest.mark.parametrize("inside", ["", "0206_resnet152/"])
def test_folder_and_zip_are_the_same_model(folder: Path, inside: str, tmp_path: Path) -> None:
    path = packed(folder, tmp_path / "m.zip", inside)
    with zipfile.ZipFile(path, "a") as archive:  # what macOS and careless packing add
        archive.writestr("__MACOSX/0206/._trunk.pth", b"x")
        archive.writestr("0206_resnet152/old/trunk.pth", b"x")
        archive.writestr("README.txt", b"x")
    unpacked = load_model(f"animecv:{folder}", device="cpu")
    assert load_model(f"animecv:{path}", device="cpu").fingerprint == unpacked.fingerprint


def add(name: str, data: bytes = b"x") -> Callable[[zipfile.ZipFile], None]:
    return lambda archive: archive.writestr(name, data)


def add_link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("readme")
    info.external_attr = 0o120777 << 16
    archive.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (add("/etc/trunk.pth"), "refused: a member's path leaves it"),
        (add("../trunk.pth"), "refused: a member's path leaves it"),
        (add("a/../../b"), "refused: a member's path leaves it"),
        (add("a\\..\\..\\b"), "refused: a member's path leaves it"),
        (add("C:/b"), "refused: a member's path leaves it"),
        (add_link, "refused: a member is a symbolic link: 'readme'"),
        (add("other/trunk.pth"), r"expected one trunk.pth.*found trunk.pth, other/trunk.pth"),
    ],
)
def test_hostile_and_ambiguous_zips(
    spoil: Callable[[zipfile.ZipFile], None], says: str, folder: Path, tmp_path: Path
) -> None:
    path = packed(folder, tmp_path / "m.zip")
    with zipfile.ZipFile(path, "a") as archive:
        spoil(archive)
    with pytest.raises(ModelError, match=says):
        load_model(f"animecv:{path}")


def test_a_zip_that_lacks_a_file_or_scatters_them(folder: Path, tmp_path: Path) -> None:
    for names, says in {
        ("trunk.pth", "conf.json"): "expected one embedder.pth.*found none",
        ("a/trunk.pth", "a/embedder.pth", "b/conf.json"): "three files in one folder",
        (): "expected one conf.json",
    }.items():
        with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
            for name in names:
                archive.write(folder / Path(name).name, name)
        with pytest.raises(ModelError, match=says):
            load_model(f"animecv:{tmp_path / 'm.zip'}")


def test_a_zip_that_would_unpack_to_something_absurd(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(folder / "trunk.pth", "trunk.pth")
        archive.write(folder / "embedder.pth", "embedder.pth")
        archive.writestr("conf.json", b" " * (2**20 + 1))
    with pytest.raises(ModelError, match="would unpack to 1,048,577 bytes"):
        load_model(f"animecv:{tmp_path / 'm.zip'}")


def test_damaged_zips(folder: Path, tmp_path: Path) -> None:
    path = packed(folder, tmp_path / "m.zip")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="not a readable zip"):
        load_model(f"animecv:{path}")
    at = whole.index(b'[{"trunk_model"')
    path.write_bytes(whole[:at] + b"?" + whole[at + 1 :])
    with pytest.raises(ModelError, match=r"conf\.json cannot be unpacked: Bad CRC"):
        load_model(f"animecv:{path}")


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such folder or zip"):
        load_model(f"animecv:{tmp_path / 'absent'}")
    (tmp_path / "trunk.pth").write_bytes(b"")
    with pytest.raises(ModelError, match=r"lacks conf\.json, embedder\.pth"):
        load_model(f"animecv:{tmp_path}")


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ("{", "expected"),
        ("{}", "expected"),
        ("[1, 2]", "expected"),
        ('[{"dim": 5}, {}]', "KeyError: 'trunk_model'"),
        ('[{"trunk_model": "VGG", "dim": 5}, {}]', "'VGG' is none of ResNet-18"),
        ('[{"trunk_model": "timm:no", "dim": 5}, {}]', "timm has no model 'no'"),
        ('[{"trunk_model": "ResNet-18", "dim": 0}, {}]', "dim is 0"),
        ('[{"trunk_model": "ResNet-18", "dim": true}, {}]', "dim is True"),
        (
            '[{"trunk_model": "timm:test_resnet", "dim": 13}, {}]',
            r"embedder.pth: does not fit .*0.weight \(12, \d+\) for \(13, \d+\)",
        ),
        ('[{"trunk_model": "ResNet-18", "dim": 12}, {}]', r"trunk.pth: does not fit ResNet"),
    ],
)
def test_a_conf_that_does_not_say_or_fit(
    conf: str, says: str, folder: Path, tmp_path: Path
) -> None:
    for name in ("trunk.pth", "embedder.pth"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "conf.json").write_text(conf)
    with pytest.raises(ModelError, match=says):
        load_model(f"animecv:{tmp_path}")


def test_the_dimension_counts(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "trunk.pth").symlink_to(folder / "trunk.pth")
    features = read_state(folder / "embedder.pth", "e")["0.weight"].shape[1]
    embedder = nn.Sequential(nn.Linear(features, 5))
    torch.save(random_state(embedder, 0), tmp_path / "embedder.pth")
    conf = [{"trunk_model": "timm:test_resnet", "dim": 5}, {"p_dropout": 0.1}]
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    model = load_model(f"animecv:{tmp_path}", device="cpu")
    assert model.encode(model.preprocess(photo(0))[None]).shape == (1, 5)


@pytest.mark.parametrize("name", ["mobilenetv3_small_050", "lcnet_050"])
def test_a_layer_before_the_classifier_counts(name: str, tmp_path: Path) -> None:
    """timm's `num_features` is not the length of what these give."""
    module = import_timm().create_model(name, num_classes=0)
    spec = animecv_folder(tmp_path, 0, f"timm:{name}")
    model = load_model(spec, device="cpu")
    assert isinstance(model, TorchModel)
    linear = model.network[1][0]  # type: ignore[index]
    assert linear.in_features == module.head_hidden_size != module.num_features
    assert model.encode(model.preprocess(photo(0))[None]).shape == (1, 12)


def test_a_trunk_for_pictures_of_another_size(folder: Path, tmp_path: Path) -> None:
    conf = [{"trunk_model": "timm:vit_tiny_patch16_384", "dim": 12}, {}]
    for name in FILES[:2]:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    with pytest.raises(ModelError, match=r"timm's vit_tiny_patch16_384 fails on 224 x 224 pixels"):
        load_model(f"animecv:{tmp_path}", device="cpu")


def test_what_was_taken_of_either_file_is_said(folder: Path, tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    plain = load_model(f"animecv:{tmp_path}", device="cpu")
    for name in FILES[:2]:
        state = read_state(tmp_path / name, name)
        torch.save({"net": {f"module.{n}": t for n, t in state.items()}}, tmp_path / name)
    wrapped = load_model(f"animecv:{tmp_path}", device="cpu")
    assert wrapped.fingerprint == plain.fingerprint
    assert [note.partition(": its weights")[0] for note in wrapped.notes] == [
        f"{tmp_path}: trunk.pth",
        f"{tmp_path}: embedder.pth",
    ]
    assert list(plain.notes) == []
