"""Any network in an ONNX file, `onnx:PATH`, run by ONNX Runtime.

The network takes float32 `[N, 3, H, W]` and gives `[N, D]`. What the file does not say is taken
from JSON, either `PATH.json` beside it or the file's metadata under the key `lookalikes`; the
former wins, field by field:

    {"mean": [0.485, 0.456, 0.406],   per channel, of values in [0, 1]; ImageNet's by default
     "std": [0.229, 0.224, 0.225],
     "size": 224,                     or [height, width]; needed where the file leaves it open
     "resize": 256,                   shorter side before a centre crop; by default the image is
                                      stretched to `size`
     "interpolation": "bilinear",
     "similarity": "cosine",          or "inner_product"
     "output": "embedding"}           which output, where there are several
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.models.base import ModelError, Precision, Similarity, digest
from mining.models.onnx_files import files_digest
from mining.models.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from pairsets.artefacts import installed

OPTIONS = ("mean", "std", "size", "resize", "interpolation", "similarity", "output")
METADATA_KEY = "lookalikes"
DEFAULT_SIZE = 224


class OnnxModel:
    """An ONNX Runtime session with its preprocessing."""

    def __init__(
        self,
        session: Any,
        preprocessing: Preprocessing,
        *,
        name: str,
        similarity: Similarity,
        output: str,
        facts: Mapping[str, object],
    ) -> None:
        """Take over a session whose input and output were checked."""
        self.name = name
        self.similarity: Similarity = similarity
        self.provenance: Mapping[str, object] = {
            **facts,
            "output": output,
            "preprocessing": preprocessing.facts(),
            "precision": "fp32",
            "versions": installed("numpy", "pillow", "onnxruntime"),
        }
        self.fingerprint = digest(self.provenance)
        self._session = session
        self._preprocessing = preprocessing
        self._input = session.get_inputs()[0].name
        self._output = output
        batch = session.get_inputs()[0].shape[0]
        self._fixed_batch = batch if isinstance(batch, int) else None

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """uint8 `[H, W, 3]`: resized and cropped."""
        return self._preprocessing.apply(image)

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, D]` of uint8 `[B, H, W, 3]`.

        Raises:
            ModelError: the network fails, or gives anything but one vector an image.
        """
        inputs = self._preprocessing.normalise(batch.astype(np.uint8, copy=False))
        # Some exports fix the number of images: then that many at a time, the last ones filled up.
        step = self._fixed_batch or len(inputs)
        parts = []
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            filled = np.concatenate([part, np.repeat(part[-1:], step - len(part), axis=0)])
            parts.append(self._run(filled)[: len(part)])
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """One call of the session, its output's shape checked."""
        try:
            vectors = np.asarray(self._session.run([self._output], {self._input: inputs})[0])
        except Exception as error:
            raise ModelError(
                f"{self.name}: ONNX Runtime fails on {inputs.shape}: {error}"
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(inputs):
            raise ModelError(
                f"{self.name}: output {self._output!r} is {vectors.shape} for {len(inputs)} "
                f"images; expected ({len(inputs)}, D), one vector an image"
            )
        return vectors


def load(argument: str, *, name: str, device: str, precision: Precision) -> OnnxModel:
    """Load the ONNX file at `argument`.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, the file is none, its
            input or output is not of the kind above, or bf16 is asked for.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected onnx:PATH")
    if precision != "fp32":
        raise ModelError(f"model {name!r}: runs in the precision of its file, not in {precision}")
    path = Path(argument)
    session, weights = open_session(path, device, f"model {name!r}")
    options = _options(path, session.get_modelmeta().custom_metadata_map)
    similarity = options.get("similarity", "cosine")
    if similarity not in get_args(Similarity):
        raise ModelError(
            f"{path}: similarity {similarity!r} is neither {' nor '.join(get_args(Similarity))}"
        )
    return OnnxModel(
        session,
        _preprocessing(session.get_inputs(), options, path),
        name=name,
        similarity=similarity,
        output=_output(session.get_outputs(), options.get("output"), path),
        facts={"family": "onnx", "weights": weights},
    )


def _providers(device: str, available: list[str]) -> list[Any]:
    """ONNX Runtime's providers for a device, in order of preference."""
    kind, _, index = device.partition(":")
    has_cuda = "CUDAExecutionProvider" in available
    if kind == "cpu" or (kind == "auto" and not has_cuda):
        return ["CPUExecutionProvider"]
    if kind == "mps" or not has_cuda:
        raise ModelError(
            f"device {device!r} is not to be had from this ONNX Runtime, which offers "
            f"{', '.join(available)}; ask for auto or cpu"
        )
    # fp32 must mean fp32, not TF32.
    cuda = ("CUDAExecutionProvider", {"device_id": index or "0", "use_tf32": "0"})
    return [cuda, "CPUExecutionProvider"]


def _options(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The options of the metadata, overridden by those of the sidecar."""
    sidecar = path.with_name(f"{path.name}.json")
    options: dict[str, Any] = {}
    texts = [(f"{path}: metadata {METADATA_KEY!r}", metadata.get(METADATA_KEY))]
    if sidecar.is_file():
        texts.append((str(sidecar), sidecar.read_text(encoding="utf-8", errors="replace")))
    for label, text in texts:
        if text is None:
            continue
        try:
            found = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{label}: not JSON: {error}") from None
        if not isinstance(found, dict) or not found.keys() <= set(OPTIONS):
            raise ModelError(f"{label}: expected an object with no more than {', '.join(OPTIONS)}")
        options.update(found)
    return options


def open_session(path: Path, device: str, what: str) -> tuple[Any, str]:
    """An ONNX Runtime session on a file, and the digest of all its files.

    Args:
        path: of the file.
        device: as for models.
        what: asks for it, for the error that ONNX Runtime is missing.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, or the file is none.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"{what}: needs ONNX Runtime ({error}): pip install 'lookalikes[onnx]'"
        ) from None
    weights = files_digest(path)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3  # errors alone; they come back as exceptions
    try:
        session = onnxruntime.InferenceSession(
            str(path), settings, providers=_providers(device, onnxruntime.get_available_providers())
        )
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{path}: ONNX Runtime cannot load it: {error}") from error
    if device.startswith("cuda") and "CUDAExecutionProvider" not in session.get_providers():
        raise ModelError(f"{path}: ONNX Runtime cannot start CUDA here; ask for auto or cpu")
    return session, weights


def image_shape(inputs: list[Any], path: Path, expected: str) -> list[Any]:
    """Shape of the one input of a network on images; sides that are free are no numbers.

    Raises:
        ModelError: several inputs, or one that is not `expected`, float32 of three colours.
    """
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise ModelError(f"{path}: has {len(inputs)} inputs ({names}); expected one, of images")
    shape, dtype = list(inputs[0].shape), inputs[0].type
    sound = len(shape) == 4 and dtype == "tensor(float)"
    if not sound or (isinstance(shape[1], int) and shape[1] != 3):
        raise ModelError(
            f"{path}: input {inputs[0].name!r} is {dtype} {shape}; expected {expected}"
        )
    return shape


def _preprocessing(inputs: list[Any], options: Mapping[str, Any], path: Path) -> Preprocessing:
    """What the input's shape and the options say together."""
    shape = image_shape(inputs, path, "float32 [N, 3, H, W]")
    fixed = [side if isinstance(side, int) else None for side in shape[2:]]
    given = options.get("size", [side or DEFAULT_SIZE for side in fixed])
    try:
        height, width = (given, given) if isinstance(given, int) else given
        resize = options.get("resize", (height, width))
        plan = Preprocessing(
            size=(height, width),
            resize=resize if isinstance(resize, int) else tuple(resize),
            interpolation=options.get("interpolation", "bilinear"),
            mean=tuple(options.get("mean", IMAGENET_MEAN)),
            std=tuple(options.get("std", IMAGENET_STD)),
        )
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: its options are not of the kind expected: {error}") from None
    for side, wanted in zip(fixed, plan.size, strict=True):
        if side not in (None, wanted):
            raise ModelError(
                f"{path}: takes {fixed[0]} x {fixed[1]} pixels; the options say {given}"
            )
    return plan


def _output(outputs: list[Any], wanted: object, path: Path) -> str:
    """The name of the output that holds the vectors."""
    names = [output.name for output in outputs]
    if wanted is None and len(names) == 1:
        return str(names[0])
    if wanted in names:
        return str(wanted)
    said = f"the options say {wanted!r}" if wanted is not None else 'name one with "output"'
    raise ModelError(f"{path}: has the outputs {', '.join(names)}; {said}")
