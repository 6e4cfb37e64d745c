"""Names of models in tables and of their folders."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mining.errors import ModelError
from mining.models.adapted_model import split_steps
from mining.models.model_labels import split_label

_MODEL_SUFFIXES = {".zip", ".pth", ".pt", ".onnx", ".safetensors"}


class Known(Protocol):
    """Model, run or not, that has a text of its own and a fingerprint."""

    @property
    def name(self) -> str:
        """The `family:argument` text."""

    @property
    def fingerprint(self) -> str:
        """Digest of what makes its vectors; words may stand before it, with a hyphen."""


def embeddings_name(model: Known) -> str:
    """Folder name for a model's vectors: readable, and another one for other weights.

    What tells two models of one short name apart is the beginning of the fingerprint.
    """
    return f"{_plain(model.name)}-{model.fingerprint.rpartition('-')[2][:8]}"


def plain_names(models: Sequence[Known], texts: Sequence[str] | None = None) -> list[str]:
    """Short names that any file can have; with a fingerprint where two models would share one.

    Args:
        models: in order.
        texts: what they are called instead of their own text, such as with a label.
    """
    called = [model.name for model in models] if texts is None else texts
    plain = [_plain(text) for text in called]
    folded = [name.casefold() for name in plain]
    return [
        name if name and folded.count(name.casefold()) == 1 else embeddings_name(model)
        for name, model in zip(plain, models, strict=True)
    ]


def _plain(text: str) -> str:
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", short_name(text)).strip("-._")
    return words[:60]


def short_name(spec: str) -> str:
    """Name of a model in tables: its label, or its family and name without folders and weights.

    Steps behind it stay (see `mining.models.adapted_model`), the names of its layers alone go.

    >>> short_name("animecv:models/0206_resnet152.zip")
    'animecv:0206_resnet152'
    >>> short_name("timm:resnet50.a1_in1k@weights/best.safetensors")
    'timm:resnet50.a1_in1k'
    >>> short_name("timm:resnet50@w.pth+layers=layer3,head+flip")
    'timm:resnet50+layers+flip'
    >>> short_name("hf:facebook/dinov2-base@main")
    'hf:dinov2-base'
    >>> short_name("ours=timm:resnet50@w.pth")
    'ours'
    """
    label, spec = split_label(spec)
    if label is not None:
        return label
    spec, steps = split_steps(spec)
    steps = re.sub(r"(?<=\+layers)=[^+]+", "", steps)
    family, _, argument = spec.partition(":")
    if family in ("timm", "torchvision") or (family == "clip" and "@" in argument):
        return f"{family}:{argument.partition('@')[0]}{steps}"
    if family == "python" or not argument:
        return f"{spec}{steps}"
    if family == "hf" and argument[0] not in "./~":
        argument = argument.partition("@")[0]  # the revision
    path = Path(argument)
    path = path.resolve() if path.name in ("", "..") else path
    return f"{family}:{path.stem if path.suffix in _MODEL_SUFFIXES else path.name}{steps}"


def model_names(specs: Sequence[str]) -> list[str]:
    """Short names, whole where two models would share one; labels as they are.

    Raises:
        ModelError: a label that another model has, or is called by.
    """
    short = [short_name(spec) for spec in specs]
    names = [
        name if short.count(name) == 1 else spec for name, spec in zip(short, specs, strict=True)
    ]
    for at, spec in enumerate(specs):
        label = split_label(spec)[0]
        others = {*short[:at], *short[at + 1 :], *names[:at], *names[at + 1 :]}
        if label is not None and label in others:
            raise ModelError(
                f"{spec}: another model is called {label}, too; give each a name of its own"
            )
    return names
