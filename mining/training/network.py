"""Network that is trained: a trunk, and the linear embedder of AnimeCV's models behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mining.errors import ModelError, TrainingError
from mining.models.animecv import TRUNKS, build_trunk, vector_length
from mining.models.backbones import load_timm, load_torchvision
from mining.models.torch_model import TorchModel
from mining.models.transform import Preprocessing
from mining.models.weights import split_part
from mining.training.configuration import TrainingConfig
from pairsets.storage.digests import sha256


@dataclass(frozen=True)
class TrunkSource:
    """Network that a training starts from.

    Attributes:
        architecture: one of AnimeCV's names (`ResNet-18`), or `timm:NAME`.
        weights: file or folder of weights to start from; None for those that the library fetches.
        scratch: start from random weights instead.
    """

    architecture: str
    weights: str | None = None
    scratch: bool = False

    @classmethod
    def parse(cls, text: str, *, scratch: bool = False) -> TrunkSource:
        """The source that a text names: `ResNet-18`, `torchvision:resnet18` or `timm:NAME`.

        Weights stand after an `@`.

        Raises:
            TrainingError: another family, a network of torchvision that AnimeCV has not, or weights
                where random ones are asked for.

        >>> TrunkSource.parse("torchvision:resnet18@w.pth")
        TrunkSource(architecture='ResNet-18', weights='w.pth', scratch=False)
        """
        name, at, weights = text.partition("@")
        match = re.fullmatch(r"(?:torchvision:)?resnet-?(\d+)", name, re.IGNORECASE)
        architecture = f"ResNet-{match[1]}" if match else name
        base, _, _ = architecture.partition(".")
        if architecture not in TRUNKS and not (base.startswith("timm:") and base != "timm:"):
            raise TrainingError(
                f"trunk {text!r}: expected timm:NAME or {', '.join(TRUNKS)}, with @WEIGHTS behind "
                "it where you have some"
            )
        if at and not weights:
            raise TrainingError(f"trunk {text!r}: no weights behind the @")
        if at and scratch:
            raise TrainingError(f"trunk {text!r}: weights, and --from-scratch; give one of them")
        return cls(architecture, weights or None, scratch)

    @property
    def facts(self) -> dict[str, object]:
        """Facts of the start, JSON-able: whether it is random, and the weights' digest.

        Raises:
            TrainingError: no such weights.
        """
        if self.weights is None:
            return {"scratch": self.scratch, "weights": None}
        place = split_part(self.weights)[0]
        files = sorted(place.iterdir()) if place.is_dir() else [place]
        if not all(file.is_file() for file in files):
            raise TrainingError(f"trunk weights {self.weights}: no such file or folder of weights")
        return {"scratch": False, "weights": [sha256(file) for file in files]}

    @property
    def said(self) -> str:
        """The start of the weights, for the model card."""
        if self.scratch:
            return "random weights"
        return (
            f"weights given as {Path(self.weights).name}" if self.weights else "pretrained weights"
        )


class FaceNetwork(nn.Module):
    """Trunk and embedder: float32 `[B, 3, H, W]` -> `[B, dim]`, not normalised.

    The dropout stands behind the linear layer, where the published models have it.
    """

    def __init__(self, trunk: nn.Module, features: int, dim: int, dropout: float) -> None:
        super().__init__()
        self.trunk = trunk
        self.embedder = nn.Sequential(nn.Linear(features, dim), nn.Dropout(dropout))

    def forward(self, inputs: Tensor) -> Tensor:
        """Vectors of normalised pictures."""
        return torch.as_tensor(self.embedder(self.trunk(inputs)))


def build_network(config: TrainingConfig, source: TrunkSource, seed: int) -> FaceNetwork:
    """The network of a configuration, with the weights it starts from.

    Args:
        config: its trunk is that of `source`.
        source: of the weights.
        seed: of the weights that are random; the caller's random state is left alone.

    Raises:
        ModelError: weights that do not fit, or cannot be had.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if source.scratch:
            trunk, features = build_trunk(source.architecture, "trunk")
        else:
            trunk = _load(source).network
            features = vector_length(trunk, f"trunk {source.architecture}")
        _refuse_size(trunk, source, config.input_size)
        return FaceNetwork(trunk.train(), features, config.dim, config.dropout)


def _refuse_size(trunk: nn.Module, source: TrunkSource, size: int) -> None:
    """Refuse a trunk that does not take pictures of this size: told before they are all read."""
    try:
        with torch.inference_mode():
            trunk.eval()(torch.zeros(1, 3, size, size))
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        raise TrainingError(
            f"trunk {source.architecture} fails on pictures of {size} x {size} pixels: {error}; "
            "another --input-size?"
        ) from None


def normalised(
    pixels: NDArray[np.uint8], preprocessing: Preprocessing, device: torch.device
) -> Tensor:
    """Input of the network, float32 `[B, 3, H, W]`, from uint8 `[B, H, W, 3]`.

    In the very numbers of `mining.models.TorchModel`, which divides by tensors.
    """
    mean = torch.tensor(preprocessing.mean, device=device).view(3, 1, 1)
    std = torch.tensor(preprocessing.std, device=device).view(3, 1, 1)
    inputs = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).to(torch.float32)
    return inputs.div_(torch.tensor(255.0, device=device)).sub_(mean).div_(std)


def _load(source: TrunkSource) -> TorchModel:
    """The trunk with weights that were given, or that its library fetches."""
    end = f"@{source.weights}" if source.weights else ""
    if source.architecture.startswith("timm:"):
        name = f"{source.architecture}{end}"
        model = load_timm(name.removeprefix("timm:"), name=name, device="cpu", precision="fp32")
        if model.provenance.get("arguments"):
            raise ModelError(
                f"{source.weights}: its config.json has model_args, which AnimeCV's layout cannot "
                "hold; give a network as timm builds it by its name alone"
            )
        return model
    name = "torchvision:" + source.architecture.lower().replace("-", "") + end
    argument = name.removeprefix("torchvision:")
    return load_torchvision(argument, name=name, device="cpu", precision="fp32")
