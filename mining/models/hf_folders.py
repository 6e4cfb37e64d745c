"""Folders of the transformers library: its saved form on this machine, or fetched from the hub.

What is read of one is data: JSON and safetensors. A repository that wants its own code to be run,
or whose weights are pickled alone, is refused before the library sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mining.errors import ModelError
from mining.models.weights import some
from pairsets.storage.json_files import read_object, short

CONFIG = "config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# The library's first choice first: a processor's settings may lie among those of a larger one.
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
# Settings by which other code or other weights come in.
_ADAPTER = "adapter_config.json"
_ATTENTION = (None, "eager", "sdpa")
_PICKLED = ("*.bin", "*.bin.index.json", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
_FETCHED = (CONFIG, *PROCESSORS, _ADAPTER, WEIGHTS, INDEX, "model-?????-of-?????.safetensors")
_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?(?:@[\w./-]+)?", re.ASCII)
_PATIENCE = 10.0  # seconds to wait for the hub


def model_folder(argument: str, name: str) -> Path:
    """The folder that `hf:` names, fetched from the hub where it is none of this machine.

    Args:
        argument: a folder, or ORGANISATION/NAME, with @REVISION or without.
        name: of the model, for errors.

    Raises:
        ModelError: no such folder or repository, or it cannot be reached.
    """
    folder = Path(argument).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(
            f"model {name!r}: {argument} is a file; expected the folder that it lies in"
        )
    if not _NAME.fullmatch(argument) or argument.startswith("."):
        raise ModelError(f"model {name!r}: {argument}: no such folder, and no name of the hub")
    from huggingface_hub import snapshot_download

    repository, _, revision = argument.partition("@")
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision or None,
                allow_patterns=list(_FETCHED),
                etag_timeout=_PATIENCE,
            )
        )
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise ModelError(
            f"model {name!r}: {argument} is no folder here, and could not be fetched from the hub "
            f"({type(error).__name__}: {text}). Check the name and the connection "
            "(HF_HUB_OFFLINE=1 takes what was fetched before), or give a folder: hf:FOLDER"
        ) from error


def read_settings(folder: Path) -> Mapping[str, Any]:
    """The settings in `config.json`, if the folder can be loaded as data alone.

    Raises:
        ModelError: not in the library's saved form, code of its own, weights that are pickled
            alone, quantised or in parts of which some are missing, or an adapter.
    """
    config = _object(folder / CONFIG, "the configuration of a model of transformers'")
    processors = [folder / file for file in PROCESSORS if (folder / file).is_file()]
    if not processors:
        raise ModelError(
            f"{folder}: has no {PROCESSORS[1]}, which says how pictures are prepared. Is it a "
            "model of texts? Otherwise take the file from where the weights are from"
        )
    said = [(folder / CONFIG, config), *((one, _object(one, "a processor")) for one in processors)]
    for path, settings in said:
        if any(True for _ in _found(settings, "auto_map")):
            raise ModelError(
                f"{path}: has auto_map: this model is made by code of its repository, which is "
                "never run here. Load it in code of your own: python:MODULE:FACTORY"
            )
    if any(_found(config, "quantization_config")):
        raise ModelError(
            f"{folder / CONFIG}: has quantization_config; take the weights in floating point"
        )
    for key in ("attn_implementation", "_attn_implementation"):
        for value in _found(config, key):
            if value not in _ATTENTION:
                raise ModelError(
                    f"{folder / CONFIG}: {key} is {short(value)}, which may be code from "
                    "elsewhere; remove it, or write eager or sdpa"
                )
    if (folder / _ADAPTER).exists():
        raise ModelError(
            f"{folder / _ADAPTER}: these are changes to another model's weights (an adapter); "
            "merge them with it and save the whole"
        )
    _refuse_weights(folder)
    return config


def _object(path: Path, what: str) -> Mapping[str, Any]:
    """The JSON object in a file of the folder."""
    try:
        return read_object(path, what, error=ModelError).content
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror}); a folder must be in transformers' saved "
            f"form: {CONFIG}, {WEIGHTS} and {PROCESSORS[1]}"
        ) from None


def _found(settings: object, key: str) -> Iterator[object]:
    """Values under a key, in these settings and in those within."""
    if isinstance(settings, Mapping):
        if settings.get(key) is not None:
            yield settings[key]
        for value in settings.values():
            yield from _found(value, key)
    elif isinstance(settings, list):
        for value in settings:
            yield from _found(value, key)


def _refuse_weights(folder: Path) -> None:
    """ModelError where the weights are not all there as safetensors."""
    if (folder / INDEX).is_file() and not (folder / WEIGHTS).is_file():
        what = "the index of weights in parts, an object with weight_map"
        parts = read_object(folder / INDEX, what, error=ModelError).inner("weight_map").content
        names = sorted({str(part) for part in parts.values()})
        if strange := [name for name in names if Path(name).name != name]:
            raise ModelError(f"{folder / INDEX}: names files outside the folder: {some(strange)}")
        if missing := [name for name in names if not (folder / name).is_file()]:
            raise ModelError(
                f"{folder}: {len(missing)} of the {len(names)} parts of its weights are missing: "
                f"{some(missing)}. Likely cause: an incomplete download"
            )
    elif not (folder / WEIGHTS).is_file():
        pickled = sorted(path.name for kind in _PICKLED for path in folder.glob(kind))
        found = f"only {some(pickled)}" if pickled else "no weights"
        raise ModelError(
            f"{folder}: has {found}; expected {WEIGHTS}. Pickled weights are not read, since to "
            "load them may run code. Where you trust them, save them anew, in Python: "
            "transformers.AutoModel.from_pretrained(SOURCE).save_pretrained(FOLDER), and the same "
            "of AutoImageProcessor; or take a revision of the hub that has safetensors"
        )
