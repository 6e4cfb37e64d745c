"""One class for every PyTorch network: preprocessing, device, precision and fingerprint."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from mining.errors import ModelError
from mining.models.base import Precision, Similarity, digest
from mining.models.transform import Preprocessing
from mining.models.weights import state_digest
from pairsets.storage.artefacts import installed


class TorchModel:
    """A network with the preprocessing it was trained for.

    The fingerprint leaves out the device and the place the weights were read from: results on
    two devices agree to rounding alone, and so do those of two engines.
    """

    engine = "torch"

    def __init__(
        self,
        module: nn.Module,
        preprocessing: Preprocessing,
        *,
        name: str,
        similarity: Similarity,
        facts: Mapping[str, object],
        libraries: tuple[str, ...] = (),
        device: str = "auto",
        precision: Precision = "fp32",
        notes: Sequence[str] = (),
    ) -> None:
        """Take over `module`: it is put in evaluation mode and moved to the device.

        Args:
            module: uint8 images normalised to float32 `[B, 3, H, W]` -> `[B, D]`.
            preprocessing: of one image.
            name: the `family:argument` text.
            similarity: how vectors are compared.
            facts: what else the vectors depend on, JSON-able: family, architecture.
            libraries: distributions whose versions count, beside torch, Pillow and numpy.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            precision: `bf16` runs the network under autocast.
            notes: what a user should know of how the weights were read.

        Raises:
            ModelError: the device is not to be had, or cannot do bf16.
        """
        self.name = name
        self.similarity = similarity
        self.notes = tuple(notes)
        self.provenance: Mapping[str, object] = {
            **facts,
            "weights": state_digest(module.state_dict()),
            "preprocessing": preprocessing.facts(),
            "precision": precision,
            "versions": installed("numpy", "pillow", "torch", *libraries),
        }
        self.fingerprint = digest(self.provenance)
        self.device = resolve_device(device)
        if precision == "bf16" and self.device.type == "cuda" and not _has_bf16(self.device):
            raise ModelError(f"{name}: this GPU has no bf16; ask for precision fp32")
        self.preprocessing = preprocessing
        self.precision: Precision = precision
        # Measured on CPU: ResNet-50 and EfficientNet are 1.3 and 1.8 times as fast so; a ViT
        # does not care.
        self._module = module.eval().to(self.device)
        self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Tensors, not numbers: CUDA would turn a division by a number into a multiplication by
        # its inverse, which rounds differently.
        self._scale = torch.tensor(255.0, device=self.device)
        self._mean = torch.tensor(preprocessing.mean, device=self.device).view(3, 1, 1)
        self._std = torch.tensor(preprocessing.std, device=self.device).view(3, 1, 1)

    def over(self, network: nn.Module, *, name: str, facts: Mapping[str, object]) -> TorchModel:
        """This model with another network around its own, told apart by `facts`."""
        found = copy.copy(self)
        found.name = name
        found.provenance = {**self.provenance, **facts}
        found.fingerprint = digest(found.provenance)
        found._module = network.eval()
        return found

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """uint8 `[H, W, 3]`: resized and cropped."""
        return self.preprocessing.apply(image)

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, D]` of uint8 `[B, H, W, 3]`.

        Raises:
            ModelError: the batch is not what `preprocess` makes, the network's output is not
                `[B, D]`, or the device's memory is too small.
        """
        expected = self.refuse_other(batch)
        try:
            with torch.inference_mode(), self.kernels():
                output = self._module(self.inputs(batch))
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self.name}: {len(batch)} images at once do not fit in the memory of "
                f"{self.device}; ask for smaller batches"
            ) from error
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.name}: the network fails on {expected[0]} images of {expected[1]} x "
                f"{expected[2]} pixels: {error}"
            ) from error
        return self._checked(output, len(batch))

    def refuse_other(self, batch: NDArray[np.generic]) -> tuple[int, ...]:
        """The shape of a batch; ModelError where it is not what `preprocess` makes."""
        expected = (len(batch), *self.preprocessing.size, 3)
        if batch.shape != expected or batch.dtype != np.uint8:
            raise ModelError(
                f"{self.name}: a batch must be uint8 {expected}, not {batch.dtype} {batch.shape}"
            )
        return expected

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels of what the network sees."""
        return self.preprocessing.size

    @property
    def network(self) -> nn.Module:
        """The network in evaluation mode, on `device`: `inputs` -> `[B, D]`."""
        return self._module

    def inputs(self, batch: NDArray[np.generic]) -> torch.Tensor:
        """Input of the network, float32 `[B, 3, H, W]`, normalised, from uint8 `[B, H, W, 3]`."""
        # Copied: PyTorch does not take a read-only array.
        pixels = torch.empty(batch.shape, dtype=torch.uint8)
        pixels.numpy()[...] = batch
        inputs = pixels.to(self.device).permute(0, 3, 1, 2).to(torch.float32)
        return inputs.div_(self._scale).sub_(self._mean).div_(self._std)

    def _checked(self, output: object, count: int) -> NDArray[np.float32]:
        """The network's output as an array, if it is one vector an image."""
        if not isinstance(output, torch.Tensor):
            raise ModelError(f"{self.name}: the network gives a {type(output).__name__}, no tensor")
        if output.ndim != 2 or len(output) != count:
            raise ModelError(
                f"{self.name}: the network gives {tuple(output.shape)} for {count} images; "
                f"expected ({count}, D), one vector an image. Likely cause: a head that does not "
                "pool"
            )
        vectors: NDArray[np.float32] = output.to(torch.float32).cpu().numpy()
        return vectors

    def kernels(self, precision: Precision | None = None) -> contextlib.ExitStack:
        """The context that fixes precision and, on CUDA, repeatable full-width convolutions.

        Args:
            precision: another than the model's own.
        """
        stack = contextlib.ExitStack()
        half = (precision or self.precision) == "bf16"
        stack.enter_context(torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half))
        if self.device.type == "cuda":
            # fp32 must mean fp32: cuDNN would round to TF32 of its own accord.
            stack.enter_context(
                torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
            )
        return stack


def resolve_device(device: str) -> torch.device:
    """The device of that name; `auto` is the first to be had of cuda, mps and cpu.

    Raises:
        ModelError: there is no such device here.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    has_mps = torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if gpus else "mps" if has_mps else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError:
        raise ModelError(f"device {device!r}: expected auto, cpu, cuda, cuda:N or mps") from None
    if wanted.type == "cuda" and (wanted.index or 0) >= gpus:
        build = f"PyTorch {torch.__version__} sees {gpus} CUDA devices here"
        raise ModelError(f"device {device!r} is not to be had: {build}; ask for auto or cpu")
    if wanted.type == "mps" and not has_mps:
        raise ModelError(f"device {device!r} is not to be had here; ask for auto or cpu")
    return wanted


def _has_bf16(device: torch.device) -> bool:
    """Whether a CUDA device computes in bf16 itself (Ampere and later)."""
    return torch.cuda.get_device_capability(device) >= (8, 0)
