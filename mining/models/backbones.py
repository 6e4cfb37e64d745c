"""Networks by name, `timm:NAME[@WEIGHTS]` and `torchvision:NAME[@WEIGHTS]`, as feature extractors.

The classifier is taken off: a vector is what its last layer would have been given. WEIGHTS is a
`.safetensors` file, a state dict saved by `torch.save`, or, for timm, a folder in timm's own
saved form (`config.json` beside `model.safetensors` or `pytorch_model.bin`). `WEIGHTS#PART` names
one of several networks in a file. Without WEIGHTS the library fetches its own.
"""

from __future__ import annotations

import contextlib
import difflib
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm, import_torchvision
from mining.models.transform import Preprocessing
from mining.models.weights import fit, read_checkpoint, split_part
from pairsets.storage.json_files import read_object, short

FOLDER_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
# Arguments a saved folder has no business setting: they fetch, or undo what is set here.
_RESERVED = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path"}
_RESERVED |= {"cache_dir", "num_classes", "features_only", "global_pool", "device", "dtype"}

_PATIENCE = 10.0  # seconds to wait for the hub

# Where torchvision keeps its classifiers.
_HEADS = ("fc", "classifier", "heads", "head")
# Training-time branches, and the input transform its own weights of these two expect.
_INCEPTION = {"aux_logits": False, "transform_input": True, "init_weights": False}
_BUILD: dict[str, dict[str, Any]] = {"googlenet": _INCEPTION, "inception_v3": _INCEPTION}
_BRANCHES = ("aux1", "aux2", "AuxLogits")


def load_timm(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load a timm model with the preprocessing of its evaluation configuration.

    Raises:
        ModelError: unknown name, weights that cannot be had or do not fit, or preprocessing of a
            kind that is not supported.
    """
    timm = import_timm()
    architecture, weights, part = _split(argument, name)
    base, _, tag = architecture.partition(".")
    if not timm.is_model(base):
        raise _unknown(name, "timm", base, timm.list_models())
    if tag and not timm.is_model_pretrained(architecture):
        raise _unknown(name, "timm", architecture, timm.list_models(f"{base}.*", pretrained=True))
    config: Mapping[str, Any] = {}
    arguments: dict[str, Any] = {}
    if weights is not None and weights.is_dir():
        config, arguments, weights = _saved_folder(weights, base)
    try:
        with _no_retries(timm, architecture) if weights is None else contextlib.nullcontext():
            module: nn.Module = timm.create_model(
                architecture, pretrained=weights is None, num_classes=0, **arguments
            )
    except Exception as error:
        if weights is None:
            raise _no_weights(name, "timm", architecture, error) from error
        raise ModelError(f"{weights}: timm cannot build {architecture}: {_gist(error)}") from error
    notes: list[str] = []
    if weights is not None:
        classifier = getattr(module, "pretrained_cfg", {}).get("classifier") or ()
        names = (classifier,) if isinstance(classifier, str) else classifier
        checkpoint = read_checkpoint(weights, str(weights), part)
        notes = fit(module, checkpoint, str(weights), classifier=names)
    try:
        data = timm.data.resolve_model_data_config(module, pretrained_cfg=dict(config) or None)
    except Exception as error:  # of a configuration that makes no sense, nearly anything
        raise ModelError(f"{name}: its preprocessing makes no sense: {_gist(error)}") from None
    return TorchModel(
        module,
        _timm_preprocessing(data, name),
        name=name,
        similarity="cosine",
        facts={"family": "timm", "architecture": base, "arguments": arguments},
        libraries=("timm",),
        device=device,
        precision=precision,
        notes=notes,
    )


def load_torchvision(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load a torchvision classification model with the transforms of its default weights.

    Raises:
        ModelError: unknown name, or weights that cannot be had or do not fit.
    """
    models = import_torchvision().models
    architecture, weights, part = _split(argument, name)
    known = models.list_models(module=models)
    if architecture not in known:
        raise _unknown(name, "torchvision", architecture, known)
    transforms = models.get_model_weights(architecture).DEFAULT.transforms()
    size = (transforms.crop_size[0], transforms.crop_size[-1])
    module: nn.Module
    if weights is None:
        try:
            module = models.get_model(architecture, weights="DEFAULT")
        except Exception as error:
            raise _no_weights(name, "torchvision", architecture, error) from error
    else:
        extra = dict(_BUILD.get(architecture, {}))
        if architecture.startswith("vit_"):
            extra["image_size"] = size[0]  # the default weights' size is not the default size
        module = models.get_model(architecture, weights=None, **extra)
    classifier = _behead(module)
    notes: list[str] = []
    if weights is not None:
        checkpoint = read_checkpoint(weights, str(weights), part)
        notes = fit(module, checkpoint, str(weights), classifier=(classifier, *_BRANCHES))
    preprocessing = Preprocessing(
        size=size,
        resize=transforms.resize_size[0],
        interpolation=transforms.interpolation.value,
        mean=tuple(transforms.mean),
        std=tuple(transforms.std),
    )
    return TorchModel(
        module,
        preprocessing,
        name=name,
        similarity="cosine",
        facts={"family": "torchvision", "architecture": architecture},
        libraries=("torchvision",),
        device=device,
        precision=precision,
        notes=notes,
    )


@contextlib.contextmanager
def _no_retries(timm: Any, architecture: str) -> Iterator[None]:
    """Let the hub's client use its cache alone where the hub cannot be reached.

    Left to itself it asks a dozen times, for most of a minute, before it gives up.
    """
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError

    repository = getattr(timm.get_pretrained_cfg(architecture), "hf_hub_id", None)
    offline = constants.HF_HUB_OFFLINE
    if repository and not offline:
        try:
            get_hf_file_metadata(hf_hub_url(repository, "config.json"), timeout=_PATIENCE)
        except HfHubHTTPError:
            pass  # an answer, if not the one hoped for: timm will say what it is
        except Exception:
            constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = offline


def _split(argument: str, name: str) -> tuple[str, Path | None, str | None]:
    """NAME, WEIGHTS and its PART; a name has no `@`, a path may have any number."""
    architecture, at, weights = argument.partition("@")
    if not architecture or (at and not weights):
        family = name.partition(":")[0]
        raise ModelError(f"model {name!r}: expected {family}:NAME or {family}:NAME@WEIGHTS")
    if not at:
        return architecture, None, None
    path, part = split_part(weights)
    if not path.exists():
        raise ModelError(f"model {name!r}: {path}: no such file or folder of weights")
    return architecture, path, part


def _saved_folder(folder: Path, base: str) -> tuple[Mapping[str, Any], dict[str, Any], Path]:
    """Preprocessing configuration, model arguments and weights file of timm's saved form."""
    path = folder / "config.json"
    what = "timm's saved form, an object with architecture and pretrained_cfg"
    try:
        config = read_object(path, what, error=ModelError)
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); a folder of weights must be in timm's "
            "saved form"
        ) from None
    architecture, pretrained = config.text("architecture"), config.inner("pretrained_cfg").content
    arguments = dict(config.inner("model_args").content) if "model_args" in config else {}
    if architecture.partition(".")[0] != base:
        raise ModelError(f"{path}: holds weights of {architecture}, not of {base}")
    if reserved := sorted(_RESERVED & arguments.keys()):
        raise ModelError(f"{path}: model_args may not set {', '.join(reserved)}")
    for file in FOLDER_WEIGHTS:
        if (folder / file).is_file():
            return pretrained, arguments, folder / file
    raise ModelError(f"{folder}: has neither {' nor '.join(FOLDER_WEIGHTS)}")


def _timm_preprocessing(data: Mapping[str, Any], name: str) -> Preprocessing:
    """timm's data configuration, as its own evaluation transform reads it."""
    try:
        channels, height, width = data["input_size"]
        scaled = tuple(math.floor(side / data["crop_pct"]) for side in (height, width))
        mean, std = tuple(map(float, data["mean"])), tuple(map(float, data["std"]))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ModelError(f"{name}: its preprocessing makes no sense: {error}") from None
    mode = data["crop_mode"]
    if channels != 3:
        raise ModelError(f"{name}: takes {short(channels)} channels, not RGB")
    if mode not in ("center", "squash") or (mode == "center" and height != width):
        raise ModelError(
            f"{name}: crop mode {short(mode)} at {short(height)} x {short(width)} is not supported"
        )
    try:
        return Preprocessing(
            size=(height, width),
            resize=scaled[0] if mode == "center" else (scaled[0], scaled[1]),
            interpolation=data["interpolation"],
            mean=mean,  # type: ignore[arg-type]
            std=std,  # type: ignore[arg-type]
        )
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None


def _behead(module: nn.Module) -> str:
    """Put the identity in the place of the last classifying layer; its name."""
    for attribute in _HEADS:
        head = getattr(module, attribute, None)
        if isinstance(head, nn.Module):
            layers = head.named_modules(prefix=attribute)
            last: str = [n for n, layer in layers if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
            parent, _, child = last.rpartition(".")
            setattr(module.get_submodule(parent), child, nn.Identity())
            return last
    raise ModelError(f"{type(module).__name__}: no classifier found under {', '.join(_HEADS)}")


def _unknown(name: str, library: str, wanted: str, known: Iterable[str]) -> ModelError:
    """The error for a name that the library does not know."""
    near = difflib.get_close_matches(wanted, known, n=3)
    hint = f"; did you mean {', '.join(near)}?" if near else ""
    return ModelError(f"model {name!r}: {library} has no {wanted!r}{hint}")


def _no_weights(name: str, library: str, architecture: str, error: Exception) -> ModelError:
    """The error for pretrained weights that the library has not, or cannot fetch."""
    return ModelError(
        f"model {name!r}: {library}'s pretrained weights of {architecture} could not be fetched "
        f"({_gist(error)}). Give weights you have: {library}:{architecture}@WEIGHTS"
    )


def _gist(error: Exception) -> str:
    """The kind of an error and its first line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
