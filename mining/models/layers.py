"""Vectors of several layers of a network, one after another.

What a layer gives is averaged over positions (or tokens), brought to unit length, and joined to the
others: none outweighs the rest by its scale.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mining.errors import ModelError
from mining.models.base import Model
from mining.models.torch_model import TorchModel

# The usual output of a network, whatever its last module is called.
HEAD = "head"


class Layers(nn.Module):
    """A network whose output is that of several of its modules."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        """Take over `network`.

        Args:
            network: `[B, 3, H, W]` -> `[B, D]`.
            names: of its modules, in the order of the parts; `HEAD` is its output.
        """
        super().__init__()
        self.network = network
        self.names = tuple(names)

    def forward(self, inputs: Tensor) -> Tensor:
        """float32 `[B, D]` of float32 `[B, 3, H, W]`: parts of unit length each."""
        kept: dict[str, Any] = {}
        hooks = []
        for name in self.names:
            if name != HEAD:

                def keep(module: nn.Module, given: Any, output: Any, name: str = name) -> None:
                    if name in kept:
                        raise ModelError(f"the layer {name!r} runs several times; name another")
                    kept[name] = output

                hooks.append(self.network.get_submodule(name).register_forward_hook(keep))
        try:
            kept[HEAD] = self.network(inputs)
        finally:
            for hook in hooks:
                hook.remove()
        sides = (inputs.shape[2], inputs.shape[3])
        parts = [pooled(kept.get(name), name, sides) for name in self.names]
        return torch.cat([nn.functional.normalize(part.float(), dim=1) for part in parts], dim=1)


def pooled(output: object, name: str, sides: tuple[int, int]) -> Tensor:
    """The mean over positions of what a layer gives, `[B, C]`.

    Args:
        output: `[B, C]`, `[B, C, H, W]`, `[B, H, W, C]` or `[B, tokens, C]`.
        name: of the layer, for errors.
        sides: height and width of the network's input, whose shape positions have.

    Raises:
        ModelError: anything else, or nothing: the layer was not run.
    """
    if output is None:
        raise ModelError(f"the layer {name!r} is not run by the network; name another")
    if not isinstance(output, Tensor) or not 2 <= output.ndim <= 4:
        what = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise ModelError(f"the layer {name!r} gives {what}, no map of features; name another")
    if output.ndim == 2:
        return output
    if output.ndim == 3:
        return output.mean(dim=1)
    # Positions have the shape of the picture; where both orders could be, channels come first.
    shape = tuple(output.shape[1:])
    last = _alike(shape[:2], sides) and not _alike(shape[1:], sides)
    return output.mean(dim=(1, 2) if last else (2, 3))


def _alike(shape: tuple[int, ...], sides: tuple[int, int]) -> bool:
    """Whether a map is a picture of these sides, smaller, but for the rounding of a side."""
    height, width = shape
    return abs(height * sides[1] - width * sides[0]) < max(sides)


def with_layers(model: Model, names: Sequence[str]) -> TorchModel:
    """A model whose vectors are those of several layers of its network.

    Args:
        model: of PyTorch's.
        names: of modules, as `named_modules` calls them, each once; `head` is the usual vector.

    Raises:
        ModelError: no network of PyTorch's, no such layer (with the nearest names), or one whose
            output is no map of features.
    """
    if not isinstance(model, TorchModel):
        raise ModelError(
            f"{model.name}: no network of PyTorch's, and layers are of such alone; leave them out"
        )
    known = [name for name, _ in model.network.named_modules() if name]
    if not names or len({*names}) < len(names):
        raise ModelError(f"layers {', '.join(names) or 'none'}: expected names, each once")
    for name in names:
        if name not in {HEAD, *known}:
            near = difflib.get_close_matches(name, [HEAD, *known], n=3)
            hint = f"; did you mean {', '.join(near)}?" if near else f", as {', '.join(known[:3])}"
            raise ModelError(f"{model.name}: its network has no layer {name!r}{hint}")
    found = model.over(
        Layers(model.network, names),
        name=f"{model.name}+layers={','.join(names)}",
        facts={"layers": {"names": [*names], "pooling": "mean", "scale": "unit length"}},
    )
    # Told now, and not after an hour of decoding.
    found.encode(np.zeros((1, *found.size, 3), np.uint8))
    return found
