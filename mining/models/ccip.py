"""CCIP, networks that tell anime characters apart, in ONNX: `ccip:FOLDER`, as deepghs publishes it.

The folder has two networks: `model_feat.onnx` makes a vector of a picture, `model_metrics.onnx`
differences of vectors. The score here is the cosine of two vectors, which is what the search, all
pairs and thresholds of this project are made for. It ranks pairs as the differences do, since the
published metric is the cosine, scaled and turned round; that is not taken on trust, but measured on
the file when it is loaded, and a metric of another kind is refused.

Pictures are stretched to the network's size, 384 x 384 where it leaves that open, and normalised by
CLIP's mean and deviation, as imgutils does it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.onnx import OnnxModel, is_dynamic, vector_output
from mining.models.onnx_sessions import image_input, open_session
from mining.models.transform import Preprocessing
from pairsets.storage.json_files import is_number, read_object, short

FEATURES, METRIC, FIGURES = "model_feat.onnx", "model_metrics.onnx", "metrics.json"
SIDE = 384
_MEAN, _STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
# Vectors that the metric is measured on, and how far rounding may lift a difference, as a share of
# the range of all.
_TRIED, _ROUNDING = 128, 1e-4

Floats = NDArray[np.float64]


class Metric:
    """Differences of vectors, by a network in ONNX."""

    def __init__(self, session: Any, path: Path) -> None:
        """Take over a session on the file at `path`.

        Raises:
            ModelError: it has other inputs and outputs than one of vectors and one of differences.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        sound = len(inputs) == len(outputs) == 1 and len(inputs[0].shape) == 2
        if not sound or inputs[0].type != "tensor(float)":
            said = ", ".join(f"{one.name} {one.type} {list(one.shape)}" for one in inputs)
            raise ModelError(
                f"{path}: takes {said} and gives {len(outputs)} outputs; expected a metric: "
                "float32 [N, D] in, differences [N, N] out"
            )
        self.path, self._session, self._input = path, session, inputs[0].name

    def differences(self, vectors: Floats) -> Floats:
        """Differences `[N, N]` of vectors `[N, D]`.

        Raises:
            ModelError: the network fails on them, or gives something else.
        """
        given = vectors.astype(np.float32)
        try:
            found = np.asarray(self._session.run(None, {self._input: given})[0])
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            raise ModelError(
                f"{self.path}: fails on vectors of {given.shape[1]} numbers, which {FEATURES} "
                f"gives ({text}). Likely cause: files of two models"
            ) from error
        if found.shape != (len(given), len(given)) or not np.isfinite(found).all():
            raise ModelError(
                f"{self.path}: gives {found.shape} for {len(given)} vectors; expected finite "
                "differences of every two"
            )
        return found.astype(np.float64)


def load(argument: str, *, name: str, device: str, precision: Precision) -> OnnxModel:
    """Load the two networks of the folder at `argument`.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, one of the files is missing
            or of another kind, the metric ranks otherwise than the cosine, or bf16 is asked for.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected ccip:FOLDER")
    if precision != "fp32":
        raise ModelError(f"model {name!r}: runs in the precision of its file, not in {precision}")
    folder = Path(argument)
    for file in (FEATURES, METRIC):
        if not (folder / file).is_file():
            raise ModelError(
                f"{folder / file}: no such file; expected a folder with {FEATURES} and {METRIC}, "
                "as one of deepghs/ccip_onnx on the Hugging Face Hub"
            )
    session, weights = open_session(folder / FEATURES, device, f"model {name!r}")
    path = folder / FEATURES
    taken = image_input(session.get_inputs(), path, "float32, [N, 3, H, W]", layout="NCHW")
    size = taken.height or SIDE, taken.width or SIDE
    metric_session, metric_weights = open_session(folder / METRIC, "cpu", f"model {name!r}")
    model = OnnxModel(
        session,
        Preprocessing(size=size, resize=size, mean=_MEAN, std=_STD),
        name=name,
        similarity="cosine",
        input=taken,
        output=vector_output(session.get_outputs(), None, path),
        dynamic=taken.batch != 1 and is_dynamic(path.read_bytes()),
        facts={"family": "ccip", "weights": weights, "metric": metric_weights},
    )
    noise = np.random.default_rng(0).integers(0, 256, (1, *size, 3), dtype=np.uint8)
    metric = Metric(metric_session, folder / METRIC)
    model.notes = tuple(_measured(metric, model.encode(noise).shape[1], folder))
    return model


def _measured(metric: Metric, dimensions: int, folder: Path) -> list[str]:
    """Sentences on what the metric was found to be; ModelError where it is not the cosine's.

    It is measured on vectors of many directions and lengths, among them a half circle, whose
    cosines go through all values from 1 to -1.
    """
    circle = _half_circle(dimensions, np.linspace(0, np.pi, _TRIED // 2))
    rng = np.random.default_rng(1)
    vectors = np.concatenate([circle, rng.normal(size=(_TRIED // 2, dimensions))])
    vectors *= rng.uniform(0.2, 5, size=(len(vectors), 1))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found, cosines = metric.differences(vectors), unit @ unit.T
    a, b = np.nonzero(~np.eye(len(vectors), dtype=bool))
    order = np.argsort(-cosines[a, b], kind="stable")
    cosine, difference = cosines[a, b][order], found[a, b][order]
    span = float(np.ptp(difference))
    fallen = np.maximum.accumulate(difference) - difference
    worst = int(fallen.argmax())
    if span <= 0 or fallen[worst] > _ROUNDING * span:
        before = int(difference[: worst + 1].argmax())
        raise ModelError(
            f"{metric.path}: its difference is no falling function of the cosine of two vectors: "
            f"{difference[before]:.6g} at a cosine of {cosine[before]:.6f}, "
            f"{difference[worst]:.6g} at {cosine[worst]:.6f}. Search, all pairs and thresholds are "
            "by cosine or inner product here, and would rank otherwise. Score the pairs with its "
            "own code, and give the scores as a score file"
        )
    pair = vectors[[0, _TRIED // 4]]
    alone, together = metric.differences(pair)[0, 1], found[0, _TRIED // 4]
    if abs(alone - together) > _ROUNDING * span:
        raise ModelError(
            f"{metric.path}: the difference of two vectors depends on the others in the call: "
            f"{alone:.6g} alone, {together:.6g} among {len(vectors)}"
        )
    return [
        f"{folder}: scores are cosines; its differences fall as the cosine rises, measured on "
        f"{len(cosine):,} pairs of vectors, so that both rank pairs alike",
        *_flat(cosine, difference, span, folder),
        *_threshold(metric, dimensions, folder),
    ]


def _half_circle(dimensions: int, angles: Floats) -> Floats:
    """Unit vectors at these angles to the first of two orthogonal directions."""
    rng = np.random.default_rng(2)
    plane, _ = np.linalg.qr(rng.normal(size=(dimensions, 2)))
    found: Floats = np.outer(np.cos(angles), plane[:, 0]) + np.outer(np.sin(angles), plane[:, 1])
    return found


def _flat(cosine: Floats, difference: Floats, span: float, folder: Path) -> list[str]:
    """Notes on cosines that the metric does not tell apart: those beyond where it is cut off."""
    notes = []
    last = difference >= difference.max() - 1e-7 * span
    first = difference <= difference.min() + 1e-7 * span
    for where, low in ((last, True), (first, False)):
        ends = cosine[where]
        if np.ptp(ends) > 0.01:
            edge = f"below {ends.max():.3f}" if low else f"above {ends.min():.3f}"
            notes.append(
                f"{folder}: for cosines {edge} the difference is always "
                f"{difference[where][0]:.6g}; the score tells such pairs apart, the metric does not"
            )
    return notes


def _threshold(metric: Metric, dimensions: int, folder: Path) -> list[str]:
    """Note on the cosine at the threshold that `metrics.json` publishes; none without the file.

    Raises:
        ModelError: the file is damaged, or its threshold is none.
    """
    path = folder / FIGURES
    if not path.is_file():
        return []
    what = "the figures of a metric, an object with threshold"
    value = read_object(path, what, error=ModelError).content.get("threshold")
    if not is_number(value):
        raise ModelError(f"{path}: threshold is {short(value)}; expected a difference, a number")
    low, high = 0.0, np.pi
    for _ in range(40):
        middle = (low + high) / 2
        pair = _half_circle(dimensions, np.array([0.0, middle]))
        if metric.differences(pair)[0, 1] <= value:
            low = middle
        else:
            high = middle
    if low == 0 or high == np.pi:
        return [f"{folder}: no two vectors are {value:.6g} apart, which is its threshold"]
    return [
        f"{folder}: its threshold, a difference of at most {value:.6g}, is a score of at least "
        f"{np.cos(low):.4f}"
    ]
