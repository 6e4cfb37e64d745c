"""The models of AnimeCV, `animecv:PATH`: a ResNet trunk and a linear embedder.

PATH is the published folder or its zip (`0206_resnet152.zip`), with `trunk.pth`, `embedder.pth`
and `conf.json`. Layout and preprocessing: github.com/kosuke1701/AnimeCV and ZACI-20-dataset.
"""

from __future__ import annotations

import copy
import stat
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.models.transform import Preprocessing
from mining.models.weights import fit, read_checkpoint
from pairsets.storage.json_files import parse_json, short

TRUNKS = ("ResNet-18", "ResNet-34", "ResNet-50", "ResNet-101", "ResNet-152")
PREPROCESSING = Preprocessing(size=(224, 224), resize=(224, 224), interpolation="bilinear")
# Pictures of a model of ours that is trained at another size.
STATED = "lookalikes_preprocessing"
# Several times the largest published file; what is beyond is no such model.
MEMBERS = {"conf.json": 2**20, "trunk.pth": 4 * 2**30, "embedder.pth": 2**30}


@dataclass(frozen=True)
class Conf:
    """Facts of the network that `conf.json` = `[CONF, PARAMS]` states.

    Attributes:
        trunk: one of `TRUNKS`, or `timm:NAME`.
        dim: length of the vectors.
        preprocessing: of pictures; AnimeCV's, unless our own training wrote another one down.
    """

    trunk: str
    dim: int
    preprocessing: Preprocessing = PREPROCESSING


def load(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load the folder or zip at `argument`.

    Raises:
        ModelError: not such a folder or zip, or its weights do not fit its `conf.json`.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected animecv:PATH, a folder or zip")
    path = Path(argument)
    if path.is_dir():
        read = _folder_reader(path)
    elif path.is_file():
        read = _zip_reader(path)
    else:
        raise ModelError(f"{path}: no such folder or zip")
    conf = _parse_conf(read("conf.json"), f"{path}: conf.json")
    trunk, features = build_trunk(conf.trunk, f"{path}: conf.json")
    label = f"{path}: trunk.pth"
    notes = fit(trunk, read_checkpoint(read("trunk.pth"), label), label)
    # The published embedder is Sequential(Linear, Dropout); dropout is the identity here.
    embedder = nn.Sequential(nn.Linear(features, conf.dim), nn.Identity())
    label = f"{path}: embedder.pth"
    notes += fit(embedder, read_checkpoint(read("embedder.pth"), label), label)
    return TorchModel(
        nn.Sequential(trunk, embedder),
        conf.preprocessing,
        name=name,
        similarity="cosine",
        facts={"family": "animecv", "architecture": conf.trunk, "dim": conf.dim},
        libraries=("timm",) if conf.trunk.startswith("timm:") else ("torchvision",),
        device=device,
        precision=precision,
        notes=notes,
    )


def _folder_reader(folder: Path) -> Callable[[str], bytes]:
    """Reads the files of an unpacked model."""
    absent = [member for member in MEMBERS if not (folder / member).is_file()]
    if absent:
        raise ModelError(f"{folder}: lacks {', '.join(absent)}; expected {', '.join(MEMBERS)}")

    def read(member: str) -> bytes:
        try:
            if (folder / member).stat().st_size > MEMBERS[member]:
                raise ModelError(f"{folder / member}: too large to be an AnimeCV model")
            return (folder / member).read_bytes()
        except OSError as error:
            raise ModelError(f"{folder / member}: cannot be read: {error.strerror}") from None

    return read


def _zip_reader(path: Path) -> Callable[[str], bytes]:
    """Reads the members of a packed model into memory; nothing is ever unpacked to disk."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = _members(archive.infolist(), path)
    except ModelError:
        raise
    except Exception as error:  # a directory of the archive that lies makes it raise many kinds
        raise ModelError(f"{path}: not a readable zip: {error}") from None

    def read(member: str) -> bytes:
        info = found[member]
        if info.file_size > MEMBERS[member]:
            raise ModelError(
                f"{path}: {info.filename} would unpack to {info.file_size:,} bytes; "
                "too large to be an AnimeCV model"
            )
        try:
            with zipfile.ZipFile(path) as archive:
                return archive.read(info)
        except Exception as error:  # encrypted, cut off, an unknown compression, ...
            raise ModelError(f"{path}: {info.filename} cannot be unpacked: {error}") from None

    return read


def _members(infos: list[zipfile.ZipInfo], path: Path) -> dict[str, zipfile.ZipInfo]:
    """The three members, at top level or in one folder; a hostile archive is refused whole."""
    candidates: dict[str, list[zipfile.ZipInfo]] = {member: [] for member in MEMBERS}
    for info in infos:
        parts = PurePosixPath(info.filename.replace("\\", "/")).parts
        if not parts or parts[0] == "/" or ":" in parts[0] or ".." in parts:
            raise ModelError(f"{path}: refused: a member's path leaves it: {info.filename!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ModelError(f"{path}: refused: a member is a symbolic link: {info.filename!r}")
        if len(parts) <= 2 and parts[-1] in candidates and not info.is_dir():
            candidates[parts[-1]].append(info)
    for member, these in candidates.items():
        if len(these) != 1:
            names = ", ".join(info.filename for info in these) or "none"
            raise ModelError(
                f"{path}: expected one {member}, at top level or in one folder; found {names}"
            )
    found = {member: these[0] for member, these in candidates.items()}
    if len({info.filename.rpartition("/")[0] for info in found.values()}) > 1:
        names = ", ".join(info.filename for info in found.values())
        raise ModelError(f"{path}: expected the three files in one folder; found {names}")
    return found


def _parse_conf(text: bytes, label: str) -> Conf:
    """Check `conf.json` as far as it matters here."""
    try:
        conf, _params = parse_json(text, label, "[CONF, PARAMS]", error=ModelError)
        trunk, dim = conf["trunk_model"], conf["dim"]
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{label}: expected [CONF, PARAMS] with CONF's trunk_model and dim "
            f"({type(error).__name__}: {error})"
        ) from None
    if not isinstance(trunk, str) or not (trunk in TRUNKS or trunk.startswith("timm:")):
        raise ModelError(
            f"{label}: trunk_model {short(trunk)} is none of {', '.join(TRUNKS)}, timm:NAME"
        )
    if type(dim) is not int or not 0 < dim <= 65536:
        raise ModelError(f"{label}: dim is {short(dim)}, not a number of components")
    return Conf(trunk, dim, _preprocessing(conf, label))


def _preprocessing(conf: Mapping[str, object], label: str) -> Preprocessing:
    """The preprocessing that `conf.json` states under our own name; else AnimeCV's."""
    stated = conf.get(STATED)
    if stated is None:
        return PREPROCESSING
    # In their order; `crop` is there where it is not the usual one.
    wanted = [*PREPROCESSING.facts()]
    if not isinstance(stated, dict) or {*stated} - {"crop"} != {*wanted}:
        raise ModelError(f"{label}: {STATED} is {short(stated)}; expected {', '.join(wanted)}")
    facts: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in stated.items()
    }
    try:
        return Preprocessing(**facts)
    except (ModelError, TypeError) as error:
        raise ModelError(f"{label}: {STATED}: {error}") from None


def build_trunk(trunk: str, label: str) -> tuple[nn.Module, int]:
    """The network without its classifier, with random weights, and the length of what it gives.

    Args:
        trunk: one of `TRUNKS`, or `timm:NAME`.
        label: how errors call where that was said.

    Raises:
        ModelError: timm has no such network, or it gives no vectors.
    """
    family, _, architecture = trunk.partition(":")
    if family == "timm":
        timm = import_timm()
        if not timm.is_model(architecture):
            raise ModelError(f"{label}: timm has no model {architecture!r}")
        module: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0)
        return module, vector_length(module, f"{label}: timm's {architecture}")
    resnet = import_torchvision().models.get_model(trunk.lower().replace("-", ""), weights=None)
    features = int(resnet.fc.in_features)
    resnet.fc = nn.Identity()
    return resnet, features


def vector_length(module: nn.Module, what: str) -> int:
    """The length of the vector that a network gives, which its attributes do not tell.

    timm's `num_features` is that of the last feature map: a layer between pooling and classifier
    (MobileNetV3, GhostNet, LCNet, HGNetV2, EfficientViT) gives vectors of another length.
    """
    # On `meta` tensors are shapes alone, nothing is computed; not every operator is made for it.
    for device in ("meta", "cpu"):
        try:
            with torch.inference_mode():
                network = copy.deepcopy(module).to(device).eval()
                output = network(torch.zeros(1, 3, *PREPROCESSING.size, device=device))
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            fault = error
            continue
        if not isinstance(output, torch.Tensor) or output.ndim != 2:
            raise ModelError(f"{what} gives no vector; expected a network that pools")
        return int(output.shape[1])
    height, width = PREPROCESSING.size
    raise ModelError(
        f"{what} fails on {height} x {width} pixels, which this kind of model takes: {fault}"
    ) from fault
