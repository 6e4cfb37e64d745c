"""One class for every PyTorch network: preprocessing, device, precision and fingerprint."""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from indexes.base import IndexesError
from indexes.join.options import device_names
from indexes.join.workers import Meanwhile
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
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; of several, `cuda:0,1` or `cuda:all`,
                `encode_many` uses each, and all else the first.
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
        self.device, *others = resolve_devices(device)
        if precision == "bf16" and self.device.type == "cuda" and not _has_bf16(self.device):
            raise ModelError(f"{name}: this GPU has no bf16; ask for precision fp32")
        self.preprocessing = preprocessing
        self.precision: Precision = precision
        # Measured on CPU: ResNet-50 and EfficientNet are 1.3 and 1.8 times as fast so; a ViT
        # does not care.
        self._module = module.eval().to(self.device)
        self._module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._constants = _constants(preprocessing, self.device)
        self._twins = [_moved(self, other) for other in others]

    @property
    def streams(self) -> bool:
        """Whether `encode_many` is quicker than `encode`, batch by batch: on CUDA devices."""
        return self.device.type == "cuda"

    def encode_many(
        self, batches: Iterable[NDArray[np.generic]]
    ) -> Generator[NDArray[np.float32], None, None]:
        """Vectors `[B, D]` of each batch, in order, as `encode` gives them.

        The next batches are copied to the devices while the network is at work on the ones before.

        Raises:
            ModelError: as of `encode`.
        """
        from mining.models.batch_stream import streamed

        return streamed([self, *self._twins], batches)

    def over(self, network: nn.Module, *, name: str, facts: Mapping[str, object]) -> TorchModel:
        """This model with another network around its own, told apart by `facts`."""
        found = copy.copy(self)
        found.name = name
        found.provenance = {**self.provenance, **facts}
        found.fingerprint = digest(found.provenance)
        found._module = network.eval()
        found._twins = []
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
        self.refuse_other(batch)
        with self.explained(len(batch)):
            output = self._module(self.inputs(batch))
        return self._checked(output, len(batch))

    @contextlib.contextmanager
    def explained(self, count: int) -> Iterator[None]:
        """Context to run the network in, on `count` images: its precision, and clear errors.

        Raises:
            ModelError: the network's own error, or too little memory.
        """
        height, width = self.size
        try:
            with torch.inference_mode(), self.kernels():
                yield
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self.name}: {count} images at once do not fit in the memory of "
                f"{self.device}; ask for smaller batches"
            ) from error
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.name}: the network fails on {count} images of {height} x "
                f"{width} pixels: {error}"
            ) from error

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
        return self.normalised(pixels.to(self.device))

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Input of the network from uint8 `[B, H, W, 3]` that lies on the device."""
        inputs = pixels.permute(0, 3, 1, 2).to(torch.float32)
        # Tensors, not numbers: CUDA would turn a division by a number into a multiplication by
        # its inverse, which rounds differently.
        scale, mean, std = self._constants
        return inputs.div_(scale).sub_(mean).div_(std)

    def _checked(self, output: object, count: int) -> NDArray[np.float32]:
        """The network's output as an array, if it is one vector an image."""
        vectors: NDArray[np.float32] = self.checked(output, count).cpu().numpy()
        return vectors

    def checked(self, output: object, count: int) -> torch.Tensor:
        """The network's output in float32, if it is one vector an image.

        Raises:
            ModelError: it is something else.
        """
        if not isinstance(output, torch.Tensor):
            raise ModelError(f"{self.name}: the network gives a {type(output).__name__}, no tensor")
        if output.ndim != 2 or len(output) != count:
            raise ModelError(
                f"{self.name}: the network gives {tuple(output.shape)} for {count} images; "
                f"expected ({count}, D), one vector an image. Likely cause: a head that does not "
                "pool"
            )
        return output.to(torch.float32)

    def kernels(self, precision: Precision | None = None) -> contextlib.ExitStack:
        """The context that fixes precision and, on CUDA, repeatable full-width convolutions.

        Args:
            precision: another than the model's own.
        """
        stack = contextlib.ExitStack()
        half = (precision or self.precision) == "bf16"
        stack.enter_context(torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=half))
        if self.device.type == "cuda":
            stack.enter_context(_exact_convolutions())
        return stack


# Inside it fp32 means fp32: cuDNN would round to TF32 of its own accord. The flags are the whole
# process's, and several threads may encode at once.
_exact_convolutions = Meanwhile(
    lambda: torch.backends.cudnn.flags(
        enabled=True, benchmark=False, deterministic=True, allow_tf32=False
    )
)


def _constants(preprocessing: Preprocessing, device: torch.device) -> tuple[torch.Tensor, ...]:
    """Divisor of pixels, and the mean and deviation that normalise what that leaves."""
    mean, std = (
        torch.tensor(values, device=device).view(3, 1, 1)
        for values in (preprocessing.mean, preprocessing.std)
    )
    return torch.tensor(255.0, device=device), mean, std


def _moved(model: TorchModel, device: torch.device) -> TorchModel:
    """The model on another device, with a network of its own."""
    found = copy.copy(model)
    found.device = device
    found._module = copy.deepcopy(model.network).to(device)
    found._constants = _constants(model.preprocessing, device)
    found._twins = []
    return found


def resolve_devices(device: str) -> list[torch.device]:
    """Devices of that name, each once: several CUDA devices are `cuda:0,1` or `cuda:all`.

    Raises:
        ModelError: one of them is not here.
    """
    if not re.fullmatch(r"cuda:(all|\d+(,\d+)+)", device):
        return [resolve_device(device)]
    resolve_device("cuda")
    try:
        names = device_names(device, torch.cuda.device_count())
    except IndexesError as error:
        raise ModelError(str(error)) from None
    return [torch.device(name) for name in names]


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
