"""Detectors in ONNX files of the YOLOv8 kind, and of other kinds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mining.models import ModelError
from mining.suspects.detector import OnnxFaceDetector, letterboxed

CANDIDATES = 40


def detector(
    folder: Path,
    *,
    shape: tuple[int | str, ...] = (1, 3, 64, 96),
    classes: int = 2,
    last: bool = False,
    factor: float = 1.0,
    half: bool = False,
    outputs: int = 1,
    candidates: int = CANDIDATES,
    said: bool = True,
) -> Path:
    """A network whose highest score is the mean brightness of its input, times a factor.

    Boxes are far larger than any score, and each class of each candidate scores less than the last.
    """
    share = np.linspace(0.1, 1, classes * candidates, dtype=np.float32).reshape(classes, candidates)
    boxes = np.full((4, candidates), 500, np.float32)
    weight = np.concatenate([np.zeros((4, candidates), np.float32), share * factor])
    offset = np.concatenate([boxes, np.zeros_like(share)])
    if last:
        weight, offset = weight.T, offset.T
    kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    as_kind = np.float16 if half else np.float32
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "weight"], ["scores"]),
        helper.make_node("Add", ["scores", "offset"], ["output0"]),
    ]
    made = [("output0", [1, *weight.shape] if said else None)]
    for number in range(1, outputs):
        nodes.append(helper.make_node("Identity", ["output0"], [f"output{number}"]))
        made.append((f"output{number}", [1, *weight.shape]))
    graph = helper.make_graph(
        nodes,
        "detector",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info(name, kind, sides) for name, sides in made],
        [
            numpy_helper.from_array(array[None].astype(as_kind), name)
            for name, array in (("weight", weight), ("offset", offset))
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=onnx.IR_VERSION_2021_7_30
    )
    path = folder / "face detector.onnx"
    onnx.save(model, path)
    return path


def grey(level: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    return Image.new("RGB", size, (level, level, level))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("said", [False, True])
def test_it_is_the_highest_class_score(last: bool, said: bool, tmp_path: Path) -> None:
    find = OnnxFaceDetector(detector(tmp_path, last=last, said=said))
    assert find.size == (64, 96)
    for level in (0, 51, 255):
        assert find(grey(level)) == pytest.approx(level / 255, abs=1e-5)


def test_an_image_is_scaled_to_fit_and_centred_on_grey(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), (200, 0, 0))
    found = letterboxed(image, (64, 96))
    assert found.shape == (64, 96, 3)
    assert (found[8:56] == [200, 0, 0]).all()
    assert (found[:8] == 114).all()
    assert (found[56:] == 114).all()
    find = OnnxFaceDetector(detector(tmp_path))
    assert find(image) == pytest.approx(found.mean() / 255, abs=1e-5)
    assert letterboxed(Image.new("RGB", (1, 4000)), (64, 96)).shape == (64, 96, 3)


def test_an_open_size_is_640(tmp_path: Path) -> None:
    path = detector(tmp_path, shape=("batch", 3, "height", "width"))
    find = OnnxFaceDetector(path)
    assert find.size == (640, 640)
    assert find(grey(102, (5, 5))) == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"shape": (1, 1, 64, 96)}, r"expected float32 \[1, 3, H, W\]"),
        ({"shape": (4, 3, 64, 96)}, "takes 4 images at a time"),
        ({"shape": (1, 3, 9000, 96)}, "at most 4096"),
        ({"half": True}, "tensor.float16.*not in half precision"),
        ({"outputs": 3}, "has 3 outputs"),
        ({"candidates": 8}, r"its output is \[1, 6, 8\]; expected \[1, 4 \+ C, A\]"),
        ({"classes": 0}, r"its output is \[1, 4, 40\]"),
    ],
)
def test_other_kinds_are_refused(options: dict[str, object], says: str, tmp_path: Path) -> None:
    path = detector(tmp_path, **options)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=says) as caught:
        OnnxFaceDetector(path)
    assert "face detector.onnx" in str(caught.value)


def test_logits_are_refused(tmp_path: Path) -> None:
    find = OnnxFaceDetector(detector(tmp_path, factor=7))
    with pytest.raises(ModelError, match="to 7; expected 0 to 1: are they logits"):
        find(grey(255))


def test_files_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        OnnxFaceDetector(tmp_path / "missing.onnx")
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\xff" * 40)
    with pytest.raises(ModelError, match=r"bad\.onnx"):
        OnnxFaceDetector(bad)
    good = detector(tmp_path)
    with pytest.raises(ModelError, match="device 'tpu'"):
        OnnxFaceDetector(good, device="tpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"lookalikes\[onnx\]"):
        OnnxFaceDetector(good)
