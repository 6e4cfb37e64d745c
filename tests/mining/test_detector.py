"""Detectors in ONNX files of the YOLOv8 kind, and of other kinds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mining.detector import Letterbox, OnnxFaceDetector, distinct
from mining.models import ModelError

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
    box: float = 500,
) -> Path:
    """A network whose highest score is the mean brightness of its input, times a factor.

    Boxes are far larger than any score, and each class of each candidate scores less than the last.
    """
    share = np.linspace(0.1, 1, classes * candidates, dtype=np.float32).reshape(classes, candidates)
    boxes = np.full((4, candidates), box, np.float32)
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
    found = Letterbox.of(image, (64, 96)).pixels
    assert found.shape == (64, 96, 3)
    assert (found[8:56] == [200, 0, 0]).all()
    assert (found[:8] == 114).all()
    assert (found[56:] == 114).all()
    find = OnnxFaceDetector(detector(tmp_path))
    assert find(image) == pytest.approx(found.mean() / 255, abs=1e-5)
    assert Letterbox.of(Image.new("RGB", (1, 4000)), (64, 96)).pixels.shape == (64, 96, 3)


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
        ({"half": True}, "float16.*not in half precision"),
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


def overlap_of(one: list[float], other: list[float]) -> float:
    """Intersection over union, of boxes with an area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0
    both = width * height
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


# Few places and few scores: many boxes are equal, and many equally sure.
boxes_and_scores = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(1, 5), st.integers(1, 5),
              st.sampled_from([0.25, 0.5, 0.75])),
    max_size=25,
)  # fmt: skip


@given(boxes_and_scores, st.sampled_from([0.0, 0.1, 1 / 3, 0.5, 0.99, 1.0]))
def test_the_surer_of_two_that_overlap_is_kept(
    rows: list[tuple[int, int, int, int, float]], overlap: float
) -> None:
    boxes = [[x, y, x + width, y + height] for x, y, width, height, _ in rows]
    expected: list[int] = []
    for row in sorted(range(len(rows)), key=lambda row: (-rows[row][4], row)):
        if all(overlap_of(boxes[row], boxes[other]) <= overlap for other in expected):
            expected.append(row)
    array = np.array(boxes, np.float64).reshape(-1, 4)
    array.setflags(write=False)
    scores = np.array([row[4] for row in rows])
    assert distinct(array, scores, overlap).tolist() == expected


def test_boxes_without_area_overlap_nothing() -> None:
    boxes = np.array([[5, 5, 5, 9], [5, 5, 5, 9], [9, 9, 2, 2]], np.float64)
    assert distinct(boxes, np.array([0.1, 0.3, 0.2]), 0.5).tolist() == [1, 2, 0]


@pytest.mark.parametrize("size", [(96, 64), (300, 200), (200, 300), (641, 37), (3, 1000), (1, 1)])
def test_a_letterbox_is_undone(size: tuple[int, int]) -> None:
    box = Letterbox.of(grey(200, size), (64, 96))
    height, width = np.nonzero((box.pixels == 200).all(axis=2))
    within = [width.min(), height.min(), width.max() + 1, height.max() + 1]
    found = box.undone(np.array([within, [-500, -500, 900, 900]], np.float64))
    assert found == pytest.approx(np.array([[0, 0, *size]] * 2))
    middle = box.undone(np.array([[48, 32, 48, 32]], np.float64))[0]
    # An odd number of pixels cannot be centred.
    assert middle[:2] == pytest.approx(np.array(size) / 2, abs=max(size) / 96 + max(size) / 64)


def test_boxes_are_those_of_sure_candidates(tmp_path: Path) -> None:
    find = OnnxFaceDetector(detector(tmp_path, classes=1, factor=0.8))
    # Each candidate's box is 500 wide around (500, 500): its corner reaches into no picture.
    boxes, scores = find.find(find.letterbox(grey(255)), min_score=0.5, overlap=0.5)
    assert boxes.shape == (0, 4)
    assert scores.shape == (0,)


def test_boxes_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    find = OnnxFaceDetector(detector(tmp_path, box=np.nan))
    image = find.letterbox(grey(255))
    with pytest.raises(ModelError, match="boxes that are no finite numbers"):
        find.find(image, min_score=0.5, overlap=0.5)
    assert find(grey(255)) == pytest.approx(1)
