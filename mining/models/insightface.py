"""Face recognition networks of InsightFace, `insightface:PATH`: ArcFace's and their like, in ONNX.

Pictures are stretched to the network's size, 112 x 112, and taken in the order R, G, B as
(x - 127.5) / 127.5; a network that does this itself, by a subtraction and a multiplication among
its first eight nodes, is given 0 to 255, as InsightFace's own `ArcFaceONNX` decides it. Vectors are
compared by their cosine.

These networks are trained on faces that were aligned by five points: give them such faces, or
align them by their landmarks with `lookalikes align`. Which licence the weights have, their
publisher says.
"""

from __future__ import annotations

from pathlib import Path

from mining.errors import ModelError
from mining.models.base import Precision
from mining.models.onnx import OnnxModel, is_dynamic, vector_output
from mining.models.onnx_files import first_node_names
from mining.models.onnx_sessions import image_input, open_session
from mining.models.transform import Preprocessing

SIDE = 112
# InsightFace's own look at a graph: names of nodes, among the first eight.
_LOOKED_AT = 8
_SUBTRACTIONS, _MULTIPLICATIONS = ("Sub", "_minus"), ("Mul", "_mul")
_HALF, _BYTE = (0.5, 0.5, 0.5), (1 / 255, 1 / 255, 1 / 255)


def load(argument: str, *, name: str, device: str, precision: Precision) -> OnnxModel:
    """Load the recognition network at `argument`.

    Raises:
        ModelError: ONNX Runtime is not installed or lacks the device, the file is none, it is no
            recognition network, or bf16 is asked for.
    """
    if not argument:
        raise ModelError(f"model {name!r}: expected insightface:PATH")
    if precision != "fp32":
        raise ModelError(f"model {name!r}: runs in the precision of its file, not in {precision}")
    path = Path(argument)
    session, weights = open_session(path, device, f"model {name!r}")
    if path.with_name(f"{path.name}.json").exists():
        raise ModelError(
            f"{path}: {path.name}.json beside it says how its pictures are prepared, and of this "
            f"family that is settled; load onnx:{path} to have it heard"
        )
    taken = image_input(session.get_inputs(), path, "float32, [N, 3, 112, 112]", layout="NCHW")
    sides = taken.height or SIDE, taken.width or SIDE
    if sides != (SIDE, SIDE):
        raise ModelError(
            f"{path}: takes {sides[0]} x {sides[1]} pixels; a recognition network takes 112 x 112. "
            f"Is it a detector or one of another kind? Then onnx:{path}"
        )
    data = path.read_bytes()
    names = first_node_names(data, _LOOKED_AT)
    normalises = all(
        any(one.startswith(starts) for one in names) for starts in (_SUBTRACTIONS, _MULTIPLICATIONS)
    )
    mean, std = ((0.0, 0.0, 0.0), _BYTE) if normalises else (_HALF, _HALF)
    return OnnxModel(
        session,
        Preprocessing(size=(SIDE, SIDE), resize=(SIDE, SIDE), mean=mean, std=std),
        name=name,
        similarity="cosine",
        input=taken,
        output=vector_output(session.get_outputs(), None, path),
        dynamic=taken.batch != 1 and is_dynamic(data),
        facts={"family": "insightface", "weights": weights},
        notes=[
            f"{path.name}: takes faces aligned by five points; where yours are not, align them: "
            "lookalikes align FACES --landmarks FILE"
        ],
    )
