"""The vision transformers of animesion, `animesion:PATH`.

PATH is a state dict of the package pytorch-pretrained-vit (the published one is its
`ViT("L_16", image_size=128)` with the classifier taken off). Its tensors are given timm's names,
so that the package, which no longer installs cleanly, is not needed. Scores are inner products of
features as they come, un-normalised: github.com/kosuke1701/ZACI-20-dataset.
"""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass

import torch
from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.checkpoint_files import State
from mining.models.torch_model import TorchModel
from mining.models.torchvision_ops import import_timm
from mining.models.transform import Preprocessing
from mining.models.weights import fit, read_checkpoint, some, split_part

HEAD_WIDTH = 64
# Tensors that tell the sizes, and which of a file's state dicts it is.
NEEDED = (
    "patch_embedding.weight",
    "positional_embedding.pos_embedding",
    "transformer.blocks.0.pwff.fc1.weight",
)
# What the original's non-strict loading passed over: its classifier had been replaced.
LEFT_OVER = ("fc.", "pre_logits.")

_OUTER = {
    "class_token": "cls_token",
    "positional_embedding.pos_embedding": "pos_embed",
    "patch_embedding.weight": "patch_embed.proj.weight",
    "patch_embedding.bias": "patch_embed.proj.bias",
    "norm.weight": "norm.weight",
    "norm.bias": "norm.bias",
}
_INNER = {
    "norm1": "norm1",
    "norm2": "norm2",
    "proj": "attn.proj",
    "pwff.fc1": "mlp.fc1",
    "pwff.fc2": "mlp.fc2",
}
_QKV = ("attn.proj_q", "attn.proj_k", "attn.proj_v")
_BLOCK = re.compile(r"transformer\.blocks\.(\d{1,3})\.(.+)\.(weight|bias)")


@dataclass(frozen=True)
class Shape:
    """The sizes of a transformer, read off its tensors; lengths in pixels."""

    image: int
    patch: int
    width: int
    hidden: int
    depth: int
    heads: int


def load(argument: str, *, name: str, device: str, precision: Precision) -> TorchModel:
    """Load the state dict at `argument`.

    Raises:
        ModelError: not a state dict, or not one of this architecture.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected animesion:PATH, a state dict")
    path, part = split_part(argument)
    checkpoint = read_checkpoint(path, str(path), part)
    found = checkpoint.reading(dict.fromkeys(NEEDED))
    state, note = found.state, found.note(str(path), checkpoint.states)
    shape = infer_shape(state, argument)
    module = build(shape)
    fit(module, rename(state, argument), argument)
    size = (shape.image, shape.image)
    half = (0.5, 0.5, 0.5)
    return TorchModel(
        module,
        Preprocessing(size, size, "bilinear", mean=half, std=half),
        name=name,
        similarity="inner_product",
        facts={"family": "animesion", "architecture": asdict(shape)},
        libraries=("timm",),
        device=device,
        precision=precision,
        notes=[note] if note else [],
    )


def infer_shape(state: State, label: str) -> Shape:
    """Depth, width, patch and image size, read off the tensors.

    The number of heads leaves no trace in them: it is taken from `HEAD_WIDTH`, which holds for
    every configuration of that package.

    Raises:
        ModelError: a tensor that is needed is absent, or contradicts the others.
    """
    absent = [key for key in NEEDED if key not in state]
    if absent:
        raise ModelError(
            f"{label}: not a state dict of pytorch-pretrained-vit's ViT: lacks "
            f"{', '.join(absent)}; it holds {some(list(state))}. Likely cause: weights "
            "of another library"
        )
    patches, positions, hidden = (tuple(state[key].shape) for key in NEEDED)
    if len(patches) != 4 or patches[1] != 3 or patches[2] != patches[3] or 0 in patches:
        raise ModelError(f"{label}: patch_embedding.weight is {patches}, not (width, 3, P, P)")
    width, patch = patches[0], patches[2]
    side = math.isqrt(max(positions[1] - 1, 0)) if len(positions) == 3 else 0
    if side < 1 or positions != (1, side * side + 1, width):
        raise ModelError(
            f"{label}: pos_embedding is {positions}; expected (1, patches + 1, {width}) "
            "of a square image"
        )
    if width % HEAD_WIDTH:
        raise ModelError(f"{label}: width {width} is no multiple of {HEAD_WIDTH}, the heads' width")
    if len(hidden) != 2 or not hidden[0]:
        raise ModelError(f"{label}: {NEEDED[2]} is {hidden}, not (hidden, width)")
    blocks = {int(m[1]) for m in map(_BLOCK.fullmatch, state) if m}
    depth = len(blocks)
    if max(blocks) >= depth:
        # Before it is built: memory is taken for every block up to the last.
        gap = min({*range(depth)} - blocks)
        raise ModelError(f"{label}: has block {max(blocks)} and no block {gap}; is it whole?")
    return Shape(side * patch, patch, width, hidden[0], depth, width // HEAD_WIDTH)


def build(shape: Shape) -> nn.Module:
    """timm's VisionTransformer of those sizes: final norm, then the class token."""
    module: nn.Module = import_timm().models.vision_transformer.VisionTransformer(
        img_size=shape.image,
        patch_size=shape.patch,
        embed_dim=shape.width,
        depth=shape.depth,
        num_heads=shape.heads,
        # timm rounds the product down; the half keeps it from losing one.
        mlp_ratio=(shape.hidden + 0.5) / shape.width,
        num_classes=0,
        global_pool="token",
        weight_init="skip",
    )
    return module


def rename(state: State, label: str) -> State:
    """The tensors under timm's names, query, key and value joined into one.

    Raises:
        ModelError: a tensor that has no place, or a block without its query, key or value.
    """
    renamed: State = {}
    joined: dict[str, dict[str, torch.Tensor]] = {}
    strange = []
    for key, tensor in state.items():
        match = _BLOCK.fullmatch(key)
        if key in _OUTER:
            renamed[_OUTER[key]] = tensor
        elif match and match[2] in _INNER:
            renamed[f"blocks.{match[1]}.{_INNER[match[2]]}.{match[3]}"] = tensor
        elif match and match[2] in _QKV:
            joined.setdefault(f"blocks.{match[1]}.attn.qkv.{match[3]}", {})[match[2]] = tensor
        elif not key.startswith(LEFT_OVER):
            strange.append(key)
    if strange:
        raise ModelError(
            f"{label}: {len(strange)} tensors have no place in the transformer: {some(strange)}"
        )
    for key, parts in joined.items():
        if len(parts) < 3 or len({part.shape for part in parts.values()}) > 1:
            raise ModelError(f"{label}: {key} needs {', '.join(_QKV)} of one shape; has {[*parts]}")
        renamed[key] = torch.cat([parts[name] for name in _QKV])
    return renamed
