"""Any network in an ONNX file, `onnx:PATH`, run by ONNX Runtime.

The network takes `[N, 3, H, W]` or `[N, H, W, 3]`, float32, float16 or uint8, and gives `[N, D]`
(or `[N, D, 1, 1]`). What the file does not say is taken from JSON, either `PATH.json` beside it or
the file's metadata under the key `lookalikes`; the former wins, field by field:

    {"mean": [0.485, 0.456, 0.406],   R, G, B, of values in [0, 1]; ImageNet's if nothing is said
     "std": [0.229, 0.224, 0.225],
     "size": 224,                     or [height, width], where the file leaves it open
     "resize": 256,                   shorter side before a centre crop; by default the image is
                                      stretched to `size`
     "interpolation": "bilinear",
     "similarity": "cosine",          or "inner_product"
     "output": "embedding",           which output, where there are several
     "channels": "RGB",               or "BGR", the order in which it takes the colours
     "layout": "NCHW"}                or "NHWC", where the shape leaves it open

A network that takes bytes (uint8) normalises them itself: mean and std are not for it. One that was
quantised dynamically scales its numbers by what else is in the call, and so is given one picture a
call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mining.errors import ModelError
from mining.models.base import Precision, Similarity, digest
from mining.models.onnx_files import node_types
from mining.models.onnx_sessions import LAYOUTS, ImageInput, image_input, open_session
from mining.models.transform import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from pairsets.storage.artefacts import installed
from pairsets.storage.json_files import parse_json, short

OPTIONS = (
    *("mean", "std", "size", "resize", "interpolation", "similarity", "output"),
    *("channels", "layout"),
)
METADATA_KEY = "lookalikes"
DEFAULT_SIZE = 224
CHANNELS = ("RGB", "BGR")
# Nodes that take a scale from the whole of what they are given.
DYNAMIC_NODES = {"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"}


class OnnxModel:
    """An ONNX Runtime session with its preprocessing."""

    engine = "onnx"

    def __init__(
        self,
        session: Any,
        preprocessing: Preprocessing,
        *,
        name: str,
        similarity: Similarity,
        input: ImageInput,
        output: str,
        channels: str = "RGB",
        dynamic: bool = False,
        facts: Mapping[str, object],
        notes: Sequence[str] = (),
    ) -> None:
        """Take over a session whose input and output were checked.

        Args:
            session: ONNX Runtime's.
            preprocessing: of one image.
            name: the `family:argument` text.
            similarity: how vectors are compared.
            input: what the network takes.
            output: the name of the output that holds the vectors.
            channels: `RGB`, or `BGR`.
            dynamic: an image's vector depends on what else is in the call, so that each image
                has a call of its own.
            facts: what else the vectors depend on.
            notes: what a user should know of how the file was read.
        """
        self.name = name
        self.similarity: Similarity = similarity
        self.notes = tuple(notes)
        # Said only where it is not the rule: vectors made before still fit.
        said: dict[str, object] = {}
        kind = [input.dtype.name, input.layout, channels]
        if kind != ["float32", "NCHW", "RGB"]:
            said["input"] = kind
        if dynamic:
            said["calls"] = "one image each"
        self.provenance: Mapping[str, object] = {
            **facts,
            **said,
            "output": output,
            "preprocessing": preprocessing.facts(),
            "precision": "fp32",
            "versions": installed("numpy", "pillow", "onnxruntime"),
        }
        self.fingerprint = digest(self.provenance)
        self._session = session
        self._preprocessing = preprocessing
        self._input = input
        self._output = output
        self._reversed = channels == "BGR"
        self._dynamic = dynamic

    def preprocess(self, image: Image.Image) -> NDArray[np.generic]:
        """uint8 `[H, W, 3]`: resized and cropped."""
        return self._preprocessing.apply(image)

    def encode(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        """float32 `[B, D]` of uint8 `[B, H, W, 3]`.

        Raises:
            ModelError: the network fails, or gives anything but one vector an image.
        """
        inputs = self._inputs(batch.astype(np.uint8, copy=False))
        # Some exports fix the number of images: then that many at a time, the last ones filled up.
        count = self._input.batch or (1 if self._dynamic else len(inputs))
        step = 1 if self._dynamic else count
        parts = []
        for start in range(0, len(inputs), step):
            part = inputs[start : start + step]
            filled = np.concatenate([part, np.repeat(part[-1:], count - len(part), axis=0)])
            parts.append(self._run(filled)[: len(part)])
        return np.concatenate(parts).astype(np.float32, copy=False)

    def _inputs(self, batch: NDArray[np.uint8]) -> NDArray[np.generic]:
        """Input of the network, from uint8 `[B, H, W, 3]`."""
        inputs: NDArray[Any]
        if self._input.dtype == np.uint8:
            inputs = batch.transpose(0, 3, 1, 2)
        else:
            inputs = self._preprocessing.normalise(batch)
        if self._reversed:
            inputs = inputs[:, ::-1]
        if self._input.layout == "NHWC":
            inputs = inputs.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(inputs, self._input.dtype)

    def _run(self, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        """Run the session once, and check the shape of its output."""
        try:
            vectors = np.asarray(self._session.run([self._output], {self._input.name: inputs})[0])
        except Exception as error:
            raise ModelError(
                f"{self.name}: ONNX Runtime fails on {inputs.shape}: {error}"
            ) from error
        if vectors.ndim > 2 and sorted(vectors.shape[1:])[-2] == 1:
            vectors = vectors.reshape(len(vectors), -1)  # of a pooling layer that keeps its sides
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
        known = " nor ".join(get_args(Similarity))
        raise ModelError(f"{path}: similarity {short(similarity)} is neither {known}")
    channels, layout = options.get("channels", "RGB"), options.get("layout")
    for key, value, names in (("channels", channels, CHANNELS), ("layout", layout, LAYOUTS)):
        if value is not None and value not in names:
            raise ModelError(f"{path}: {key} {short(value)} is neither {' nor '.join(names)}")
    taken = image_input(
        session.get_inputs(),
        path,
        "float32, float16 or uint8, [N, 3, H, W] or [N, H, W, 3]",
        dtypes=("float32", "float16", "uint8"),
        layout=layout,
    )
    plan = _preprocessing(taken, options, path)
    notes = _assumed(taken, plan, options, path)
    dynamic = taken.batch != 1 and is_dynamic(path.read_bytes())
    if dynamic:
        notes.append(
            f"{path}: quantised dynamically, so that a picture's vector depends on what shares a "
            "call with it; it is given one picture at a time"
        )
    return OnnxModel(
        session,
        plan,
        name=name,
        similarity=similarity,
        input=taken,
        output=vector_output(session.get_outputs(), options.get("output"), path),
        channels=channels,
        dynamic=dynamic,
        facts={"family": "onnx", "weights": weights},
        notes=notes,
    )


def is_dynamic(data: bytes) -> bool:
    """Whether a serialised model takes a scale from all that is in a call."""
    return bool(node_types(data) & DYNAMIC_NODES)


def _options(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The options of the metadata, overridden by those of the sidecar."""
    sidecar = path.with_name(f"{path.name}.json")
    options: dict[str, Any] = {}
    texts: list[tuple[str, str | bytes | None]] = [
        (f"{path}: metadata {METADATA_KEY!r}", metadata.get(METADATA_KEY))
    ]
    if sidecar.is_file():
        texts.append((str(sidecar), sidecar.read_bytes()))
    for label, text in texts:
        if text is None:
            continue
        found = parse_json(text, label, "an object of options", error=ModelError)
        if not isinstance(found, dict) or not found.keys() <= set(OPTIONS):
            raise ModelError(f"{label}: expected an object with no more than {', '.join(OPTIONS)}")
        options.update(found)
    return options


def _preprocessing(taken: ImageInput, options: Mapping[str, Any], path: Path) -> Preprocessing:
    """Preprocessing that the input's shape and the options together ask for."""
    if taken.dtype == np.uint8 and options.keys() & {"mean", "std"}:
        raise ModelError(
            f"{path}: takes bytes (uint8), which it normalises itself; leave mean and std out of "
            "its options"
        )
    fixed = [taken.height, taken.width]
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
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: its options are not of the kind expected: {error}") from None
    for side, wanted in zip(fixed, plan.size, strict=True):
        if side not in (None, wanted):
            raise ModelError(
                f"{path}: takes {fixed[0]} x {fixed[1]} pixels; the options say {short(given)}"
            )
    return plan


def vector_output(outputs: list[Any], wanted: object, path: Path) -> str:
    """The name of the output that holds the vectors; of several, the one that is wanted.

    Raises:
        ModelError: there is none, or it is not told which.
    """
    names = [output.name for output in outputs]
    if not names:
        raise ModelError(f"{path}: has no output; expected one of vectors")
    if wanted is None and len(names) == 1:
        return str(names[0])
    if wanted in names:
        return str(wanted)
    remedy = f'name one with "output" in {path.name}.json: {{"output": "{names[0]}"}}'
    said = f"the options say {short(wanted)}" if wanted is not None else remedy
    raise ModelError(f"{path}: has the outputs {', '.join(names)}; {said}")


def _assumed(
    taken: ImageInput, plan: Preprocessing, options: Mapping[str, Any], path: Path
) -> list[str]:
    """Notes on preprocessing that neither the file nor its options state, and was assumed."""
    said = []
    if None in (taken.height, taken.width) and "size" not in options:
        said.append(f"pictures of {plan.size[0]} x {plan.size[1]} pixels")
    example = ""
    if taken.dtype != np.uint8:
        lacking = [what for what in ("mean", "std") if what not in options]
        said += [f"ImageNet's {what} {list(getattr(plan, what))}" for what in lacking]
        example = ', as {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}' if lacking else ""
    if (said or taken.dtype == np.uint8) and "channels" not in options:
        said.append("colours in the order RGB")
    if not said:
        return []
    return [
        f"{path}: nothing says how its pictures are prepared; assumed: {', '.join(said)}. Where "
        f"that is wrong so are its vectors: say it in {path.name}.json{example}"
    ]
