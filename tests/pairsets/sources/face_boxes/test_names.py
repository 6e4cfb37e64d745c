"""Whose a box is: by its own name, its label, its category; nobody's where that cannot be told."""

from __future__ import annotations

import json

import pytest

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import read_annotations

BOX, OTHER = [1, 2, 30, 40], [50, 2, 90, 40]


def read(tmp_path, content):
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(content))
    return read_annotations(path)


@pytest.mark.parametrize(
    ("face", "name"),
    [
        pytest.param({"character": "rei"}, "rei", id="character"),
        pytest.param({"identity": "rei"}, "rei", id="identity"),
        pytest.param({"label": "rei"}, "rei", id="a label"),
        pytest.param({"label": "face", "character": "rei"}, "rei", id="a label and a character"),
        pytest.param({"label": "rei", "class": "face"}, "rei", id="a label and a class"),
        pytest.param({"label": "anime face"}, None, id="a label of any face"),
        pytest.param({"label": "0"}, None, id="a number of a class"),
        pytest.param({"label": 7}, None, id="a number"),
        pytest.param({"character": " Unknown "}, None, id="unknown"),
        pytest.param({"character": ["rei"]}, None, id="a list"),
    ],
)
def test_the_name_of_a_face_in_json(face, name, tmp_path):
    named = {"bbox": OTHER, "character": "asuka"}
    for content in (
        {"1.png": [{"bbox": BOX, **face}, named]},
        [{"path": "1.png", "faces": [{"bbox": BOX, **face}, named]}],
        [{"path": "1.png", "bbox": BOX, **face}, {"path": "1.png", **named}],
    ):
        found = read(tmp_path, content)
        assert found.names.tolist() == [name, "asuka"]
        assert found.boxes.tolist() == [BOX, OTHER]
        assert found.characters.tolist() == [None if name else "asuka"]


def test_a_label_of_a_thing_is_no_face(tmp_path):
    found = read(tmp_path, {"1": [{"bbox": BOX, "label": "half body"}, {"bbox": OTHER}]})
    assert found.boxes.tolist() == [OTHER]
    assert found.names is None
    assert found.skipped == {"box of the class 'half body', no face": 1}


def test_the_name_of_a_picture_is_that_of_its_faces_together(tmp_path):
    found = read(
        tmp_path,
        [{"path": f"{n}.png", "character": "rei", "faces": [{"bbox": BOX}]} for n in range(2)],
    )
    assert found.characters.tolist() == ["rei", "rei"]
    assert found.names is None


def test_a_box_under_two_names_is_nobodys_and_under_one_its(tmp_path):
    def face(name, box=BOX):
        return {"bbox": box, **({"character": name} if name else {})}

    found = read(
        tmp_path,
        {
            "1.png": [face("rei"), face("asuka"), face("rei")],
            "2.png": [face(None), face("rei"), face("rei")],
            "3.png": [face("rei", OTHER), face("rei"), face("asuka", OTHER)],
            "4.png": [face(None), face(None)],
        },
    )
    assert found.counts.tolist() == [1, 1, 2, 1]
    assert found.names.tolist() == [None, "rei", None, "rei", None]
    assert found.skipped == {"box of a picture that is listed again": 6}


def test_categories_of_coco(tmp_path):
    names = ["face", "rei", "Speech Balloon", "other", "asuka"]
    content = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "categories": [{"id": at, "name": name} for at, name in enumerate(names)],
        "annotations": [
            {"image_id": 1, "category_id": at, "bbox": [20 * at, 0, 9, 9]} for at in range(5)
        ]
        + [{"image_id": 1, "category_id": 1, "bbox": [0, 50, 9, 9], "iscrowd": 1}],
    }
    found = read(tmp_path, content)
    assert found.boxes[:, 0].tolist() == [0, 20, 60, 80]
    assert found.names.tolist() == [None, "rei", None, "asuka"]
    assert found.skipped == {"box of a crowd": 1, "box of the class 'Speech Balloon', no face": 1}
    content["categories"][4]["name"] = "rei"
    with pytest.raises(SourceError, match=r"categories 1 and 4 are both called 'rei': one person"):
        read(tmp_path, content)
    content["categories"] = [{"id": at, "name": "face"} for at in range(5)]
    assert read(tmp_path, content).names is None
