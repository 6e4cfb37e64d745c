"""Face detector whose faces are what is red, and what is blue, in a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

CANDIDATES = 40


def write_finder(path: Path, height: int = 96, width: int = 128) -> Path:
    """Write a network of the YOLOv8 kind, of four candidates that count and many that do not.

    They are the smallest box around all that is red, sure by how red the reddest pixel is; that
    of blue, a tenth less sure; and each of the two again, a little shifted and half as sure.
    """
    nodes: list[onnx.NodeProto] = []
    constants: dict[str, np.ndarray] = {
        "half": np.float32(0.5),
        "shift": np.array([1, 1, 0, 0, 0], np.float32).reshape(1, 5, 1),
        "weaker": np.array([1, 1, 1, 1, 0.5], np.float32).reshape(1, 5, 1),
        "rest": np.zeros((1, 5, CANDIDATES - 4), np.float32),
        "zero": np.float32(0),
    }

    def node(kind: str, *inputs: str, **options: object) -> str:
        name = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **options))
        return name

    def constant(name: str, value: np.ndarray) -> str:
        constants[name] = value
        return name

    columns = np.broadcast_to(np.arange(width, dtype=np.float32), (1, 1, height, width)).copy()
    rows = np.broadcast_to(
        np.arange(height, dtype=np.float32)[:, None], (1, 1, height, width)
    ).copy()
    found = []
    for colour, weights in {"red": (1, -1, 0), "blue": (0, -1, 0.9)}.items():
        kernel = constant(colour, np.array(weights, np.float32).reshape(1, 3, 1, 1))
        level = node("Conv", "images", kernel)
        there = node("Greater", level, "half")
        ends = []
        for name, places, beyond in (("x", columns, width), ("y", rows, height)):
            first = constant(f"{name}_first", places)
            last = constant(f"{name}_last", places + 1)
            most = constant(f"{name}_most", np.float32(beyond))
            low = node("ReduceMin", node("Where", there, first, most), axes=[1, 2, 3], keepdims=1)
            high = node("ReduceMax", node("Where", there, last, "zero"), axes=[1, 2, 3], keepdims=1)
            ends.append((low, high))
        centres = [node("Mul", node("Add", low, high), "half") for low, high in ends]
        sides = [node("Sub", high, low) for low, high in ends]
        score = node("Relu", node("ReduceMax", level, axes=[1, 2, 3], keepdims=1))
        whole = node("Concat", *centres, *sides, score, axis=1)
        shape = constant("shape", np.array([1, 5, 1], np.int64))
        one = node("Reshape", whole, shape)
        found += [one, node("Mul", node("Add", one, "shift"), "weaker")]
    nodes.append(helper.make_node("Concat", [*found, "rest"], ["output0"], axis=2))
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "finder",
        [helper.make_tensor_value_info("images", kind, [1, 3, height, width])],
        [helper.make_tensor_value_info("output0", kind, [1, 5, CANDIDATES])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=onnx.IR_VERSION_2021_7_30
    )
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
