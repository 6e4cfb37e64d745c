"""Detectors in ONNX files of the YOLOv8 kind, and of other kinds."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from mining.models import ModelError
from mining.models.face_detector import Letterbox, OnnxFaceDetector, distinct

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
    path = detector(tmp_path, last=last, said=said)
    if last:
        path.with_name(f"{path.name}.json").write_text('{"kind": "yolov8"}')
    find = OnnxFaceDetector(path)
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


# Of an input of 64 x 96: one candidate for each cell of grids of 8, 16 and 32 pixels.
CELLS = 8 * 12 + 4 * 6 + 2 * 3


def rows_of(width: int, count: int, **columns: float | list[float]) -> NDArray[np.float32]:
    """`[count, width]`: boxes of 20 x 20 in the middle, numbers from a column on as given."""
    rows = np.zeros((count, width), np.float32)
    rows[:, :4] = [48, 32, 20, 20]
    for name, value in columns.items():
        values = np.atleast_1d(value)
        at = int(name.removeprefix("at"))
        rows[:, at : at + len(values)] = values
    return rows


def constant(
    folder: Path,
    rows: NDArray[np.float32],
    *,
    last: bool = True,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A network that gives these candidates for any image, as `[1, A, W]` or `[1, W, A]`."""
    table = rows[None] if last else rows.T[None]
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["table", "nothing"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, (1, 3, 64, 96))],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, table.shape)],
        [
            numpy_helper.from_array(np.ascontiguousarray(table), "table"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
        ],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=onnx.IR_VERSION_2021_7_30
    )
    helper.set_model_props(model, metadata or {})
    onnx.save(model, folder / "faces.onnx")
    return folder / "faces.onnx"


def found_by(path: Path) -> tuple[int, float]:
    """How many faces it finds in a picture, and how sure it is of the surest."""
    find = OnnxFaceDetector(path)
    boxes, scores = find.find(find.letterbox(grey(255)), min_score=0.5, overlap=0.5)
    best = find(grey(255))
    assert best == (scores[0] if len(scores) else best)
    if len(boxes):
        assert boxes[0].tolist() == pytest.approx([38, 22, 58, 42])
    return len(boxes), best


@pytest.mark.parametrize(
    ("objectness", "score", "faces"), [(0.01, 0.99, 0), (0.9, 0.8, 1), (0.9, 0.01, 0)]
)
def test_objectness_is_a_factor(
    objectness: float, score: float, faces: int, tmp_path: Path
) -> None:
    """One class, as YOLOv5 has it: three candidates for each cell of its grids."""
    rows = rows_of(6, 3 * CELLS, at4=objectness, at5=score)
    found, best = found_by(constant(tmp_path, rows))
    assert best == pytest.approx(objectness * score, rel=1e-6)
    assert found == faces


def test_of_several_classes_the_best_counts(tmp_path: Path) -> None:
    rows = rows_of(8, 3 * CELLS, at4=[0.8, 0.1, 0.75, 0.2])
    assert found_by(constant(tmp_path, rows)) == (1, pytest.approx(0.8 * 0.75, rel=1e-6))


@pytest.mark.parametrize("numbers", [3, 2])
@pytest.mark.parametrize("last", [False, True])
def test_landmarks_are_no_classes(numbers: int, last: bool, tmp_path: Path) -> None:
    """YOLOv8-face: box, score, and five landmarks with or without how visible each is."""
    landmark = [30.0, 31.0, 0.9][:numbers]
    rows = rows_of(5 + 5 * numbers, CELLS, at4=0.7, at5=landmark * 5)
    assert found_by(constant(tmp_path, rows, last=last)) == (1, pytest.approx(0.7))
    rows[:, 4] = 0.2
    assert found_by(constant(tmp_path, rows, last=last)) == (0, pytest.approx(0.2))


def test_as_many_classes_as_landmarks_have_numbers(tmp_path: Path) -> None:
    rows = rows_of(20, CELLS, at4=0.2, at19=0.6)
    assert found_by(constant(tmp_path, rows, last=False)) == (1, pytest.approx(0.6))
    find = OnnxFaceDetector(constant(tmp_path, rows, last=True))
    with pytest.raises(ModelError, match="may hold 16 classes"):
        find(grey(255))


@pytest.mark.parametrize(
    ("metadata", "best"),
    [
        ({"names": "{0: 'face', 1: 'head'}"}, 0.9),
        ({"names": "['face']"}, 0.6 * 0.9),
        ({"task": "pose", "names": "{0: 'face'}"}, 0.6),
    ],
    ids=["two classes", "one class", "landmarks"],
)
def test_the_file_may_say_what_it_is(metadata: dict[str, str], best: float, tmp_path: Path) -> None:
    """As ultralytics' exporters write it; one candidate for each cell, six numbers each."""
    rows = rows_of(6, CELLS, at4=0.6, at5=0.9)
    path = constant(tmp_path, rows, metadata=metadata)
    assert found_by(path)[1] == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("count", [CELLS, 300], ids=["YOLOX or YOLOv8", "suppressed already"])
def test_what_could_be_two_things_is_asked_for(count: int, tmp_path: Path) -> None:
    rows = rows_of(6, count, at4=0.6, at5=0.9)
    path = constant(tmp_path, rows, metadata={"names": "all of them"})
    says = r"may hold 2 classes \(YOLOv8\), or objectness and 1 .*faces\.onnx\.json: {\"kind\": "
    with pytest.raises(ModelError, match=says):
        OnnxFaceDetector(path)
    digests = set()
    for kind, best in {"yolov8": 0.9, "yolov5": 0.54, "yolov8-pose": 0.6}.items():
        path.with_name("faces.onnx.json").write_text(f'{{"kind": "{kind}"}}')
        assert found_by(path)[1] == pytest.approx(best, rel=1e-6)
        digests.add(OnnxFaceDetector(path).digest)
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "expected"),
        ('{"kind": "ssd"}', r"expected .*one of yolov8, yolov8-pose, yolov5"),
        ('{"kind": "yolov8", "size": 3}', "expected"),
    ],
    ids=["damaged", "a list", "an unknown kind", "something else too"],
)
def test_a_kind_that_is_none(text: str, says: str, tmp_path: Path) -> None:
    path = constant(tmp_path, rows_of(5, CELLS, at4=0.6), last=False)
    path.with_name("faces.onnx.json").write_text(text)
    with pytest.raises(ModelError, match=rf"faces\.onnx\.json: {says}"):
        OnnxFaceDetector(path)


@pytest.mark.parametrize("count", [CELLS, 3 * CELLS], ids=["one a cell", "three a cell"])
def test_one_score_alone_is_the_score(count: int, tmp_path: Path) -> None:
    path = constant(tmp_path, rows_of(5, count, at4=0.6))
    assert found_by(path) == (1, pytest.approx(0.6))
