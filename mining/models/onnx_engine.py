"""A PyTorch network's export run by ONNX Runtime on the CPU: the same vectors but for rounding.

Pictures go through the network a few at a time (`CALL`), each such call in a thread of its own.
Threads then never wait for one another within a network, and what a call computes does not depend
on how many of them there are. A batch is as many calls as it takes, the last one filled up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from mining.models.base import Similarity
from mining.models.onnx_exports import INPUT, OUTPUT, Export
from mining.models.torch_model import TorchModel

# Images a call. Measured with two cores: 1 is 5 % slower with EfficientNet-Lite0, 4 no faster; and
# the fewer they are the more calls, and threads, a batch keeps busy.
CALL = 2


class OnnxEngine:
    """A model of PyTorch's whose network ONNX Runtime runs; all else is the model's own."""

    def __init__(self, model: TorchModel, export: Export, *, batch_size: int) -> None:
        """Open a session on an export.

        Args:
            model: whose export it is.
            export: of its network, `CALL` images a call.
            batch_size: images that `encode` will be given: threads beyond one a call help within
                the calls.

        Raises:
            ModelError: ONNX Runtime is not installed, or cannot load the export.
        """
        try:
            import onnxruntime
        except ImportError as error:
            raise ModelError(
                f"{model.name}: the engine onnx needs ONNX Runtime ({error}): pip install "
                "'lookalikes[onnx]', or ask for the engine torch"
            ) from None
        self.model, self.export = model, export
        self.name: str = model.name
        self.similarity: Similarity = model.similarity
        self.notes: Sequence[str] = model.notes
        self.provenance: Mapping[str, object] = model.provenance
        self.fingerprint: str = model.fingerprint
        threads = torch.get_num_threads()
        self._callers = min(threads, -(-batch_size // CALL))
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3  # errors alone; they come back as exceptions
        settings.intra_op_num_threads = threads - self._callers + 1
        # Threads that wait by spinning would take their time from those that decode.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: Any = onnxruntime.InferenceSession(
                export.data, settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ModelError(
                f"{model.name}: ONNX Runtime {onnxruntime.__version__} cannot load its export "
                f"{export.file}: {error}; ask for the engine torch"
            ) from error

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """uint8 `[H, W, 3]`: resized and cropped."""
        return self.model.preprocess(image)

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, D]` of uint8 `[B, H, W, 3]`.

        Raises:
            ModelError: the batch is not what `preprocess` makes, or the network fails.
        """
        self.model.refuse_other(batch)
        parts = [batch[start : start + CALL] for start in range(0, len(batch), CALL)]
        if self._callers == 1 or len(parts) == 1:
            found = [self._vectors(part) for part in parts]
        else:
            with ThreadPoolExecutor(self._callers, "network") as pool:
                found = list(pool.map(self._vectors, parts))
        return np.concatenate(found)

    def _vectors(self, part: NDArray[np.generic]) -> NDArray[np.float32]:
        """Vectors of at most `CALL` images."""
        filled = np.concatenate([part, np.repeat(part[-1:], CALL - len(part), axis=0)])
        inputs = self.model.preprocessing.normalise(filled.astype(np.uint8, copy=False))
        try:
            (vectors,) = self._session.run([OUTPUT], {INPUT: inputs})
        except Exception as error:
            raise ModelError(
                f"{self.name}: ONNX Runtime fails on its export {self.export.file}: {error}; ask "
                "for the engine torch"
            ) from error
        found: NDArray[np.float32] = np.asarray(vectors, np.float32)[: len(part)]
        return found
