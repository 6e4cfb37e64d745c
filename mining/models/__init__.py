"""Reference models by name: `family:argument` -> a model.

A family is one function in one module and one line in `FAMILIES`; its module, and with it
PyTorch, is imported when a model of it is loaded and not before.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Protocol, cast, get_args

from mining.errors import ModelError
from mining.models.base import DEVICES, Model, Precision, Similarity
from mining.models.model_labels import split_label

__all__ = ["FAMILIES", "Loader", "Model", "ModelError", "Precision", "Similarity", "load_model"]

FAMILIES: dict[str, str] = {
    "animecv": "mining.models.animecv:load",
    "animesion": "mining.models.animesion:load",
    "ccip": "mining.models.ccip:load",
    "clip": "mining.models.clip:load",
    "hf": "mining.models.hf:load",
    "insightface": "mining.models.insightface:load",
    "onnx": "mining.models.onnx:load",
    "pixels": "mining.models.pixels:load",
    "python": "mining.models.callables:load",
    "timm": "mining.models.backbones:load_timm",
    "torchvision": "mining.models.backbones:load_torchvision",
}


class Loader(Protocol):
    """Value of a line of `FAMILIES`: makes a model from the text after the family."""

    def __call__(self, argument: str, *, name: str, device: str, precision: Precision) -> Model:
        """The model called `name`; raises ModelError where it cannot be had."""


def load_model(spec: str, *, device: str = "auto", precision: Precision = "fp32") -> Model:
    """Load the model that `family:argument` names.

    Args:
        spec: `pixels`, `timm:NAME[@WEIGHTS]`, `torchvision:NAME[@WEIGHTS]`, `animecv:PATH`,
            `animesion:PATH`, `ccip:FOLDER`, `clip:NAME@WEIGHTS`, `hf:FOLDER`,
            `hf:ORGANISATION/NAME`, `insightface:PATH`, `onnx:PATH` or `python:module:factory`.
        device: `auto` takes cuda, mps or cpu, in that order; also `cuda:N`. A family that
            computes without PyTorch or ONNX Runtime stays where it is.
        precision: `bf16` for PyTorch networks alone.

    Raises:
        ModelError: no such family, no such device, or the family cannot load the argument.

    >>> load_model("pixels").similarity
    'cosine'
    """
    family, _, argument = spec.partition(":")
    if family not in FAMILIES:
        label, named = split_label(spec)
        if label is not None:
            raise ModelError(
                f"model {spec!r}: {label} would be its name in tables, and a model that is loaded "
                f"is in none; load {named!r}"
            )
        near = difflib.get_close_matches(family, FAMILIES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ModelError(
            f"model {spec!r}: no model family is called {family!r}{hint} "
            f"A model is named FAMILY:ARGUMENT, and the families are {', '.join(FAMILIES)}"
        )
    if device.partition(":")[0] not in DEVICES:
        raise ModelError(f"device {device!r} is none of {', '.join(DEVICES)}")
    if precision not in get_args(Precision):
        raise ModelError(f"precision {precision!r} is none of {', '.join(get_args(Precision))}")
    module, _, function = FAMILIES[family].partition(":")
    load = cast(Loader, getattr(importlib.import_module(module), function))
    return load(argument, name=spec, device=device, precision=precision)
