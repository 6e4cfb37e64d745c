"""Image towers of CLIP models, `clip:NAME@WEIGHTS` and `clip:FOLDER`, as open_clip builds them.

NAME is one of open_clip's architectures. WEIGHTS is a file, `.safetensors` or a state dict saved by
`torch.save`, of the whole model or of its image tower, or the tag of published weights, which
open_clip then fetches. FOLDER is open_clip's saved form: `open_clip_config.json` beside
`open_clip_model.safetensors`, or one of open_clip's other names.

A vector is the image's embedding, with the projection; the text tower is not even built. Pictures
are prepared as open_clip's evaluation transform does it: by the folder's `preprocess_cfg`, or that
of the tag; of a file, as all published weights of its architecture are.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.models.transform import Preprocessing
from mining.models.weights import fit, read_checkpoint, split_part
from pairsets.storage.json_files import read_object, short

CONFIG = "open_clip_config.json"
FOLDER_WEIGHTS = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors"),
    *("open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"),
)
# What open_clip assumes where nothing is said, and what a picture's vector depends on.
_ASSUMED: Mapping[str, Any] = {
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


class ImageTower(nn.Module):
    """Image tower whose output is the embedding alone; some towers give their tokens, too."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Embeddings `[B, D]` of normalised images `[B, 3, H, W]`."""
        found = self.visual(images)
        first: torch.Tensor = found[0] if isinstance(found, tuple) else found
        return first


def load(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load the image tower of a CLIP model.

    Raises:
        ModelError: open_clip is not installed, unknown name or tag, weights that cannot be had or
            do not fit, or preprocessing of a kind that is not supported.
    """
    library = _import(name)
    label = None
    if argument and Path(argument).is_dir():
        config, weights = _saved_folder(Path(argument))
        said, part, label = config["preprocess_cfg"], None, argument
        config = config["model_cfg"]
    else:
        architecture, _, given = argument.partition("@")
        if not architecture or not given:
            raise ModelError(f"model {name!r}: expected clip:NAME@WEIGHTS or clip:FOLDER")
        config = library.get_model_config(architecture)
        if config is None:
            near = difflib.get_close_matches(architecture, library.list_models(), n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ModelError(f"model {name!r}: open_clip has no {architecture!r}{hint}")
        weights, part = split_part(given)
        if weights.exists():
            said = _agreed(library, architecture, name)
        else:
            said, part = _published(library, architecture, given, config, name), None
            weights = _fetched(library, said, architecture, given)
    tower = _tower(config, label or name)
    notes = fit(tower.visual, read_checkpoint(weights, str(weights), part), str(weights))
    return TorchModel(
        tower,
        _preprocessing(tower, said, label or name),
        name=name,
        similarity="cosine",
        facts={"family": "clip", "tower": _plain(config)},
        libraries=("open-clip-torch", "timm"),
        device=device,
        precision=precision,
        notes=notes,
    )


def _import(name: str) -> Any:
    """The module open_clip, after torchvision's operators."""
    import_torchvision()
    try:
        import open_clip
    except ImportError as error:
        raise ModelError(
            f"model {name!r}: needs open_clip ({error}): pip install 'lookalikes[clip]'"
        ) from None
    return open_clip


def _saved_folder(folder: Path) -> tuple[Mapping[str, Any], Path]:
    """Configuration and weights file of open_clip's saved form."""
    path = folder / CONFIG
    what = "open_clip's saved form, an object with model_cfg and preprocess_cfg"
    try:
        found = read_object(path, what, error=ModelError)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); a folder must be in open_clip's saved form"
        ) from None
    config = {name: found.inner(name).content for name in ("model_cfg", "preprocess_cfg")}
    for file in FOLDER_WEIGHTS:
        if (folder / file).is_file():
            return config, folder / file
    raise ModelError(f"{folder}: has none of {', '.join(FOLDER_WEIGHTS)}")


def _agreed(library: Any, architecture: str, name: str) -> Mapping[str, Any]:
    """The preprocessing that all published weights of an architecture have."""
    tags = library.list_pretrained_tags_by_model(architecture)
    ways = {
        tuple(str(cfg.get(key, value)) for key, value in _ASSUMED.items()): cfg
        for cfg in (library.get_pretrained_cfg(architecture, tag) for tag in tags)
    }
    if len(ways) > 1:
        raise ModelError(
            f"model {name!r}: published weights of {architecture} prepare pictures in {len(ways)} "
            f"ways, and a file does not say which is its own; give a folder with {CONFIG}"
        )
    return next(iter(ways.values()), {})


def _published(
    library: Any, architecture: str, tag: str, config: Mapping[str, Any], name: str
) -> Mapping[str, Any]:
    """open_clip's entry on published weights, if they are of this architecture."""
    found: Mapping[str, Any] | None = library.get_pretrained_cfg(architecture, tag)
    if not found:
        known = ", ".join(library.list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelError(
            f"model {name!r}: {tag} is neither a file nor a tag of published weights of "
            f"{architecture}, which are {known}"
        )
    quick = bool(found.get("quick_gelu", False))
    if quick != bool(config.get("quick_gelu", False)) and not _is_timm(config):
        other = f"{architecture}-quickgelu" if quick else architecture.removesuffix("-quickgelu")
        raise ModelError(
            f"model {name!r}: these weights were trained with{'' if quick else 'out'} QuickGELU, "
            f"and {architecture} is with{'out' if quick else ''} it; take {other}"
        )
    return found


def _fetched(library: Any, said: Mapping[str, Any], architecture: str, tag: str) -> Path:
    """The file of published weights, from open_clip's cache or from the net."""
    try:
        return Path(library.download_pretrained(dict(said)))
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"clip:{architecture}@{tag}: these weights could not be fetched "
            f"({type(error).__name__}: {text}). Give a file you have: clip:{architecture}@WEIGHTS"
        ) from error


def _is_timm(config: Mapping[str, Any]) -> bool:
    return "timm_model_name" in config.get("vision_cfg", {})


def _plain(config: Mapping[str, Any]) -> dict[str, object]:
    """Settings that the tower is built by, for the fingerprint."""
    names = ("embed_dim", "quick_gelu", "vision_cfg")
    return {name: config[name] for name in names if name in config}


def _tower(config: Mapping[str, Any], label: str) -> ImageTower:
    """The image tower that a configuration describes, without weights."""
    from open_clip.model import _build_vision_tower

    vision = config.get("vision_cfg")
    if not isinstance(vision, Mapping) or type(config.get("embed_dim")) is not int:
        raise ModelError(f"{label}: its model_cfg lacks embed_dim or vision_cfg")
    trunk = vision.get("timm_model_name")
    if trunk is not None and not import_timm().is_model(str(trunk).partition(".")[0]):
        raise ModelError(f"{label}: timm has no {short(trunk)}, which its vision_cfg names")
    quick = bool(config.get("quick_gelu", False))
    try:
        # Weights of a trunk alone are not fetched: the tower's own come.
        given = {**vision, "timm_model_pretrained": False}
        return ImageTower(_build_vision_tower(config["embed_dim"], given, quick))
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"{label}: open_clip cannot build its image tower: {type(error).__name__}: {text}"
        ) from error


def _preprocessing(tower: ImageTower, said: Mapping[str, Any], label: str) -> Preprocessing:
    """open_clip's preprocessing, as its own evaluation transform does it."""
    settings = {**_ASSUMED, **{key: value for key, value in said.items() if value is not None}}
    given = settings.get("size", getattr(tower.visual, "image_size", 224))
    size = (given, given) if isinstance(given, int) else given
    mode = settings["resize_mode"]
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ModelError(f"{label}: a picture size of {short(given)}; expected [height, width]")
    if mode not in ("shortest", "squash") or (mode == "shortest" and size[0] != size[1]):
        raise ModelError(
            f"{label}: resize mode {short(mode)} at {short(size[0])} x {short(size[1])} is not "
            "supported"
        )
    try:
        return Preprocessing(
            size=(size[0], size[1]),
            resize=size[0] if mode == "shortest" else (size[0], size[1]),
            interpolation=settings["interpolation"],
            mean=tuple(settings["mean"]),
            std=tuple(settings["std"]),
        )
    except (ModelError, TypeError) as error:
        raise ModelError(f"{label}: {error}") from None
