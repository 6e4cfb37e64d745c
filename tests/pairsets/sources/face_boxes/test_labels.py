"""Boxes in plain text: WIDER FACE's, and YOLO's labels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import read_annotations
from pairsets.sources.folders.picture_paths import PicturePaths

WIDER = """0--Parade/a b.jpg
2
449 330 122 149 0 0 0 0 0 0
10 20 30 40 1 0 0 1 2 0
0--Parade/none.jpg
0
0 0 0 0 0 0 0 0 0 0
0--Parade/bare.jpg
0
1--Hand/1.png
1
1.5 2 3 4 0 0 0 0 0 0
"""


def read(tmp_path, text):
    path = tmp_path / "boxes.txt"
    path.write_text(text)
    return read_annotations(path)


def test_boxes_of_wider_face(tmp_path):
    found = read(tmp_path, WIDER)
    assert found.ids.tolist() == [
        "0--Parade/a b.jpg",
        "0--Parade/none.jpg",
        "0--Parade/bare.jpg",
        "1--Hand/1.png",
    ]
    assert found.boxes.tolist() == [[449, 330, 571, 479], [1.5, 2, 4.5, 6]]
    assert found.counts.tolist() == [1, 0, 0, 1]
    assert found.skipped == {"box marked as invalid": 1}
    assert not found.relative
    assert found.characters is None


def test_results_in_its_form_have_a_score(tmp_path):
    found = read(tmp_path, "a.jpg\n2\n0 0 1 1 0.25\n1 1 2 2\n")
    assert found.boxes.tolist() == [[0, 0, 1, 1], [1, 1, 3, 3]]
    assert found.scores.tolist() == [0.25, pytest.approx(np.nan, nan_ok=True)]
    assert not found.relative


def test_labels_of_retinaface(tmp_path):
    marks = " ".join(["1.5"] * 15)
    found = read(tmp_path, f"# x/a.jpg\n10 20 30 40 {marks} 0.8\n# x/b.jpg\n# x/c.jpg\n1 2 3 4\n")
    assert found.ids.tolist() == ["x/a.jpg", "x/b.jpg", "x/c.jpg"]
    assert found.counts.tolist() == [1, 0, 1]
    assert found.boxes.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a.jpg\n2\n1 2 3 4\n", "line 3: 'a.jpg' has 1 faces, not 2 .*whole", id="cut"),
        pytest.param("a.jpg\n1\n1 2 3 4\n1 2 3 4\nb.jpg\n0\n", "line 5: 'a.jpg' has 2", id="more"),
        pytest.param("a.jpg\n1\n1 2 3 4 5 6\n", "line 3: 6 numbers of a face", id="columns"),
        pytest.param("a.jpg\n1\nx y\n", "line 3: 'x y'; expected the path", id="no numbers"),
        pytest.param("a.jpg\n0\n1 2 3 4\n", "has 1 faces, not 0", id="a face of none"),
        pytest.param("a.jpg\n1\n1 2 3 4\nb.jpg\n1.5\n", "expected how many", id="no count"),
        pytest.param("a.jpg\n1\n1 2 3 4\nb.jpg\n", "nothing says how many", id="cut before it"),
    ],
)
def test_lines_of_another_form(text, told, tmp_path):
    with pytest.raises(SourceError, match=told):
        read(tmp_path, text)


@pytest.fixture
def labels(tmp_path):
    """A function that writes labels; beside them lie pictures of 200 x 100."""
    for name in ("1001.png", "rei/a.jpg", "rei/b c.png"):
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (200, 100)).save(path)

    def write(content):
        for name, text in content.items():
            path = tmp_path / "labels" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path / "labels"

    return write


def pictures(folder):
    return PicturePaths(folder.parent / "pictures")


def test_labels_of_one_class_are_faces(labels):
    folder = labels(
        {
            "1001.txt": "3 0.5 0.5 1 1\n",
            "rei/a.txt": "3 0.25 0.5 0.5 0.25 0.75\n\n",
            "rei/b c.txt": "",
            "rei/gone.txt": "3 0.5 0.5 0.1 0.1\n3 0.5 0.5 0.2 0.1\n",
        }
    )
    found = read_annotations(folder, pictures=pictures(folder))
    assert found.ids.tolist() == [1001, "rei/a.jpg", "rei/b c.png"]
    assert found.relative
    assert found.boxes.tolist() == [[0, 0, 1, 1], [0, 0.375, 0.5, 0.625]]
    assert found.scores.tolist() == [pytest.approx(np.nan, nan_ok=True), 0.75]
    assert found.names is None
    assert found.skipped == {"label of no picture that was found": 2}
    with pytest.raises(SourceError, match=r"whose size they do not say; .*--pictures.*--picture-s"):
        read_annotations(folder)
    with pytest.raises(SourceError, match=r"rei/a\.txt: the label of a picture whose name has"):
        read_annotations(folder, sized=True)


def test_whole_numbers_are_shares_too(labels):
    found = read_annotations(labels({"1001.txt": "0 0.5 0.5 1 1\n"}), sized=True)
    assert found.relative
    assert found.boxes.tolist() == [[0, 0, 1, 1]]


def test_labels_of_classes_with_names(labels):
    folder = labels(
        {
            "classes.txt": "rei\nface\n\nbody\n",
            "1001.txt": "0 0.5 0.5 1 1\n1 0.5 0.5 0.5 1\n3 0.5 0.5 1 1\n",
        }
    )
    found = read_annotations(folder, sized=True)
    assert found.names.tolist() == ["rei", None]
    assert found.skipped == {"box of the class 'body', no face": 1}
    labels({"1001.txt": "2 0.5 0.5 1 1\n"})
    with pytest.raises(SourceError, match="line 1: class 2, which has no name"):
        read_annotations(folder, sized=True)


def test_a_label_of_two_pictures_is_refused(labels):
    folder = labels({"rei/a.txt": "0 0.5 0.5 1 1\n"})
    Image.new("RGB", (9, 9)).save(folder.parent / "pictures" / "rei" / "a.png")
    with pytest.raises(SourceError, match=r"of 'rei/a\.jpg' or of 'rei/a\.png'\? Both are there"):
        read_annotations(folder, pictures=pictures(folder))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("0 0.5 0.5 1\n", "line 1: '0 0.5 0.5 1'; expected class x y width", id="four"),
        pytest.param("0 0.1 0.2 0.3 0.4 0.5 0.6\n", "are they outlines or landmarks", id="outline"),
        pytest.param("0 100 50 20 20\n", "shares .*are they pixels", id="pixels"),
        pytest.param("0 -0.1 0.5 0.2 0.2\n", "are they pixels", id="below nought"),
        pytest.param("0 0.5 0.5 nan 0.2\n", "are they pixels", id="no number"),
        pytest.param("0 0.5 0.5 0.2 0.2 7\n", "confidence 7; .*number of a track", id="a track"),
        pytest.param("face 0.5 0.5 0.2 0.2\n", "expected class x y", id="a class by name"),
        pytest.param(
            "0 0.5 0.5 0.2 0.2\n1 0.5 0.5 0.2 0.2\n",
            r"line 2: class 1 beside 0, and nothing says what they are; .*classes\.txt",
            id="two classes without names",
        ),
    ],
)
def test_labels_of_another_form(text, told, labels):
    folder = labels({"1001.txt": text})
    with pytest.raises(SourceError, match=told) as caught:
        read_annotations(folder, sized=True)
    assert str(caught.value).startswith(str(folder / "1001.txt"))


def test_folders_of_another_kind(labels, tmp_path):
    folder = labels({"1001.txt": "0 0.5 0.5 1 1\n", "1002.xml": "<book/>"})
    with pytest.raises(SourceError, match=r"a folder of 1 \.xml and 1 \.txt"):
        read_annotations(folder, sized=True)
    other = tmp_path / "json"
    other.mkdir()
    shape = {"label": "rei", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}
    content = {"version": "5.0.1", "flags": {}, "shapes": [shape], "imagePath": "1.png"}
    (other / "1.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=r"a folder without \.xml or \.txt; of JSON give one"):
        read_annotations(other)
    with pytest.raises(SourceError, match=r"LabelMe's JSON of one picture; .*labelme2coco"):
        read_annotations(other / "1.json")
