"""Contributions of image regions to a score, read off inside the network (method `parts`).

Stylianou, Souvenir and Pless, "Visualizing Deep Similarity Networks", WACV 2019 (arXiv 1901.00536):
where a vector is the mean of features at N positions, v = 1/N sum_p f(p), the cosine of two vectors
is a sum over positions,

    s = <v_a, v_b> / (|v_a| |v_b|) = sum_p <f_a(p), v_b> / (N |v_a| |v_b|),

and its terms are a map of face A; those of face B with a and b exchanged. What is used here is that
the vector is *affine* in the features, v = c + sum_p L_p f(p): a linear embedder or a batch
normalisation after the pooling, or a linear layer on flattened features, changes nothing. The
constant c has no place of its own and is spread evenly, c / N to each position, which is what the
bias of an embedder after a mean amounts to. An inner product is not divided by the norms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mining.errors import NoPartsError
from mining.models.torch_model import TorchModel

# Affine tails deviate by rounding alone, 1e-6 of the largest vector; others by several per cent.
_AFFINE = 1e-4
# bf16 rounds to 8 bits, and the maps are made in fp32.
_AGREE = {"fp32": 1e-4, "bf16": 3e-2}
Maps = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Layout:
    """Layout of a tensor `[B, ...]` of features at `shape` positions; `channels` is their axis."""

    shape: tuple[int, int]
    channels: int


def contributions(model: TorchModel, batch: NDArray[np.generic], score: float) -> Maps:
    """Maps of both faces, float64 `[h, w]`, whose values sum to `score` each.

    The features are those of the earliest tensor that all of the network's output is an affine
    function of. They are found by trying: a tensor's place is taken by parts and mixtures of it,
    and the outputs must add up. No architecture is known by its name.

    Args:
        model: its network runs in fp32, whatever its precision.
        batch: `[2, H, W, 3]`, the faces as `preprocess` gives them.
        score: the model's own; the sums are checked against it.

    Raises:
        NoPartsError: there is no such tensor, the sums do not give the score, or the memory is
            too small.
    """
    # The third row is unlike the others, whatever these are: a constant must be the same for it.
    rows = np.concatenate([batch, 255 - batch[:1].astype(np.uint8)])
    try:
        with torch.no_grad(), model.kernels("fp32"):
            inputs = model.inputs(rows)
            step, layout = _earliest_affine(model, inputs)
            return _maps(model, inputs[:2], step, layout, score)
    except torch.OutOfMemoryError as error:
        raise NoPartsError(
            f"{model.name}: reading off its parts takes more memory than {model.device} has"
        ) from error
    except RuntimeError as error:
        raise NoPartsError(f"{model.name}: cannot be taken apart: {error}") from error


class _Tape(TorchFunctionMode):
    """Counts the tensors that PyTorch's functions return, and can put another in a step's place.

    Modules are not enough to look at: some networks pool, add and rectify in plain code. Step 0 is
    the network's input.
    """

    def __init__(self, swap: Mapping[int, Callable[[Tensor], Tensor]] | None = None) -> None:
        super().__init__()
        self.shapes: list[tuple[int, ...]] = []
        self._swap = swap or {}

    def seen(self, tensor: Tensor) -> Tensor:
        """Note a tensor, and give what stands in its place."""
        step = len(self.shapes)
        self.shapes.append(tuple(tensor.shape))
        return self._swap[step](tensor) if step in self._swap else tensor

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        found = func(*args, **(kwargs or {}))
        return self.seen(found) if type(found) is Tensor else found


def _run(
    model: TorchModel, inputs: Tensor, swap: Mapping[int, Callable[[Tensor], Tensor]] | None = None
) -> tuple[Tensor, list[tuple[int, ...]]]:
    """Output of the network, and the shapes of all its steps."""
    tape = _Tape(swap)
    given = tape.seen(inputs.clone())  # some networks begin in place
    with tape:
        output = model.network(given)
    return output, tape.shapes


def _earliest_affine(model: TorchModel, inputs: Tensor) -> tuple[int, Layout]:
    """The earliest step, looked for from the end, with an affine function behind it.

    The earliest has the finest positions, and is not a part that was cut out on the way.
    """
    _, shapes = _run(model, inputs)
    size = (int(inputs.shape[2]), int(inputs.shape[3]))
    layouts = {at: _layout(shape, len(inputs), size) for at, shape in enumerate(shapes)}
    best: tuple[int, Layout] | None = None
    for axes in (4, 3):  # of three axes it is a guess which one counts the positions
        for step in reversed(layouts):
            layout = layouts[step]
            if layout is None or len(shapes[step]) != axes:
                continue
            if not _is_affine(model, inputs, step):
                break
            best = step, layout
        if best is not None:
            return best
    raise NoPartsError(
        f"{model.name}: its score is no sum over positions of the image: what follows its spatial "
        "features is not affine (a class token, a max, a normalisation or an activation after the "
        "pooling)"
    )


def _layout(shape: tuple[int, ...], count: int, size: tuple[int, int]) -> Layout | None:
    """Layout of a tensor of this shape that holds positions of images of `size`, or None."""
    if shape[:1] != (count,):
        return None
    if len(shape) == 4:
        for channels, spatial in ((1, shape[2:]), (3, shape[1:3])):
            height, width = spatial
            # Rounding apart, the features have the image's aspect ratio.
            if height * width > 1 and abs(height * size[1] / size[0] - width) <= 1:
                return Layout((height, width), channels)
    if len(shape) == 3:
        height = round(math.sqrt(shape[1] * size[0] / size[1]))
        if height > 0 and shape[1] > 1 and shape[1] % height == 0:
            width = shape[1] // height
            if abs(height * size[1] / size[0] - width) < 1:
                return Layout((height, width), 2)
    return None


def _is_affine(model: TorchModel, inputs: Tensor, step: int) -> bool:
    """Whether the output is an affine function of that step's tensor, and of nothing else.

    For a random r, negative here and above one there, t(r F) + t((1 - r) F) must be t(F) + t(0),
    and t(0) must be the same for every image: what bypasses the tensor would show in it.
    """
    count = len(inputs)

    def variants(features: Tensor) -> Tensor:
        generator = torch.Generator().manual_seed(0)
        r = torch.rand(features[:count].shape, generator=generator).to(features) * 3 - 1
        first = features[:count]
        parts = [first, torch.zeros_like(first), r * first, first - r * first]
        return torch.cat(parts).to(features.dtype)

    try:
        output, _ = _run(model, inputs.repeat(4, 1, 1, 1), {step: variants})
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:  # a step that is not of the images alone
        return False
    whole, zero, part, rest = _wide(output).reshape(4, count, -1)
    scale = float(output.abs().max())
    off = max(float((part + rest - whole - zero).abs().max()), float((zero - zero[:1]).abs().max()))
    moved = float((whole - zero).abs().max())
    return math.isfinite(scale) and off <= _AFFINE * scale and moved > _AFFINE * scale


def _maps(model: TorchModel, inputs: Tensor, step: int, layout: Layout, score: float) -> Maps:
    """Contributions at a step with an affine function behind it, checked against the score."""
    kept: list[Tensor] = []

    def leaf(features: Tensor) -> Tensor:
        kept.append(features.detach().clone().requires_grad_())
        torch.set_grad_enabled(True)  # from here on alone; the caller's context ends it
        return kept[0] * 1  # what follows may work in place, which a leaf forbids

    output, _ = _run(model, inputs, {step: leaf})
    vectors = _wide(output)
    norms = vectors.norm(dim=1)
    unit = float(norms.prod()) if model.similarity == "cosine" else 1.0
    others = vectors.flip(0) / unit
    # An affine function has one slope everywhere, so that slope times features is exact.
    (slope,) = torch.autograd.grad((output * others.to(output)).sum(), kept[0])
    torch.set_grad_enabled(False)
    terms = _wide(slope) * _wide(kept[0])
    parts = terms.sum(layout.channels).reshape(2, *layout.shape).numpy()
    empty, _ = _run(model, inputs[:1], {step: torch.zeros_like})
    constants = (others @ _wide(empty)[0]).numpy()
    sums = parts.sum(axis=(1, 2)) + constants
    scale = float(norms.prod()) / unit
    if not (np.abs(sums - score) <= _AGREE[str(model.provenance["precision"])] * scale).all():
        raise NoPartsError(
            f"{model.name}: the parts of A add up to {sums[0]:.6g}, those of B to {sums[1]:.6g}, "
            f"and its score is {score:.6g}"
        )
    # With the constant goes what rounding has left over.
    spread = parts + ((constants + score - sums) / parts[0].size)[:, None, None]
    return spread[0], spread[1]


def _wide(tensor: Tensor) -> Tensor:
    """Copy in float64, which not every device has."""
    return tensor.detach().cpu().to(torch.float64)
