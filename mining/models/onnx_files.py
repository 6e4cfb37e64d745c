"""The files an ONNX model is made of: itself, and the ones its large tensors are kept in.

And what its graph computes with, as far as the kinds of its nodes tell.

Read straight from the protobuf encoding (protobuf.dev/programming-guides/encoding), so that
neither the onnx package is needed nor a file opened that lies outside the model's folder. Field
numbers: onnx/onnx.proto.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from mining.errors import ModelError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

_NAME, _OP_TYPE = 3, 4  # in a Node
_GRAPH, _NODE = 7, 1  # in a Model, in a Graph

# message -> field number -> message: every way from a model to the tensors in it.
_PATHS: dict[str, dict[int, str]] = {
    "Model": {7: "Graph", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node"},
    "Node": {5: "Attribute"},
    "Attribute": {
        5: "Tensor",
        6: "Graph",
        10: "Tensor",
        11: "Graph",
        22: "SparseTensor",
        23: "SparseTensor",
    },
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}


def files_digest(path: Path) -> str:
    """SHA-256, in hex, of a model's file and of its external data, by content alone.

    Raises:
        ModelError: not readable, not an ONNX file, external data that is missing or lies outside
            the model's folder.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror}") from None
    sha = hashlib.sha256(data)
    for location in sorted(external_locations(data, str(path))):
        file = path.parent / location
        where = PurePosixPath(location.replace("\\", "/"))
        inside = file.resolve().is_relative_to(path.parent.resolve())
        if where.is_absolute() or ".." in where.parts or not inside:
            raise ModelError(f"{path}: refused: external data outside its folder: {location!r}")
        if not file.is_file():
            raise ModelError(f"{path}: its external data {location!r} is missing beside it")
        with file.open("rb") as stream:
            sha.update(hashlib.file_digest(stream, "sha256").digest())
    return sha.hexdigest()


def external_locations(data: bytes, label: str) -> set[str]:
    """The `location` of every tensor of a serialised model that is kept in another file.

    Raises:
        ModelError: the bytes are not in the protobuf encoding.
    """
    found: set[str] = set()
    try:
        for kind, message in _messages(data):
            if kind == "Entry":
                pair = {number: bytes(value) for number, value in _fields(message)}
                if pair.get(1) == b"location":
                    found.add(pair.get(2, b"").decode())
    except (IndexError, ValueError) as error:
        raise ModelError(f"{label}: not an ONNX file, or cut off ({error})") from None
    return found


def node_types(data: bytes) -> set[str]:
    """The `op_type` of every node of a serialised model, those of inner graphs among them.

    Raises:
        IndexError, ValueError: the bytes are not in the protobuf encoding.
    """
    return {
        bytes(value).decode("utf-8", "replace")
        for kind, message in _messages(data)
        if kind == "Node"
        for number, value in _fields(message)
        if number == _OP_TYPE
    }


def first_node_names(data: bytes, count: int) -> list[str]:
    """Names of the first nodes of a serialised model's graph, at most so many, in their order.

    Raises:
        IndexError, ValueError: the bytes are not in the protobuf encoding.
    """
    graphs = [value for number, value in _fields(memoryview(data)) if number == _GRAPH]
    nodes = [value for graph in graphs for number, value in _fields(graph) if number == _NODE]
    names = []
    for node in nodes[:count]:
        found = [bytes(value) for number, value in _fields(node) if number == _NAME]
        names.append(found[-1].decode("utf-8", "replace") if found else "")
    return names


def _messages(data: bytes) -> Iterator[tuple[str, memoryview]]:
    """Every message on the ways of `_PATHS` through a serialised model, with its kind."""
    open_messages = [(memoryview(data), "Model")]
    while open_messages:
        message, kind = open_messages.pop()
        yield kind, message
        if inner := _PATHS.get(kind):
            open_messages += [(v, inner[n]) for n, v in _fields(message) if n in inner]


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The number and content of each length-delimited field of one message."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        if wire == _VARINT:
            _, at = _varint(message, at)
        elif wire == _BYTES:
            length, at = _varint(message, at)
            if at + length > len(message):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, message[at : at + length]
            at += length
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A base-128 integer and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("an integer of more than ten bytes")
