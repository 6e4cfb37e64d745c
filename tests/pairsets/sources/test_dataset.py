"""ZACI-20's JSON of boxed faces: the same bytes back, and one clear error for anything else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pairsets.errors import SourceError
from pairsets.paths import strings
from pairsets.sources.dataset import BoxedFace, Dataset

FACES = {
    "fate/zero_(saber)": [(7, (0, 0, 9, 9)), (3, (1, 2, 3, 4))],
    "橘_雪 & co": [(3, (5, 5, 500, 6))],
    'a "quoted" \\ name': [("raw/1 2.png", (0, 1, 2, 3))],
}


def test_what_is_written_is_what_json_would_write(tmp_path):
    content = {
        name: [{"id": picture, "bbox": list(box)} for picture, box in faces]
        for name, faces in FACES.items()
    }
    path = Dataset.of(FACES).write(tmp_path / "deep" / "test.json")
    assert path.read_text("utf-8") == json.dumps(content)


def test_read_gives_back_what_was_written(tmp_path):
    made = Dataset.of(FACES)
    found = Dataset.read(made.write(tmp_path / "test.json"))
    assert list(found) == [
        BoxedFace(name, picture, box) for name, faces in FACES.items() for picture, box in faces
    ]
    assert found.characters == tuple(FACES)
    assert len(found) == 4
    assert found.counts.tolist() == [2, 1, 1]
    assert found.histogram == {1: 2, 2: 1}


def test_the_published_file_comes_back_byte_for_byte(real_data, tmp_path):
    original = real_data / "zaci20" / "zaci20_test.json"
    found = Dataset.read(original)
    assert (len(found.characters), len(found)) == (1003, 2006)
    assert found.histogram == {2: 1003}
    assert found.write(tmp_path / "test.json").read_bytes() == original.read_bytes()


def test_arrays_are_copies_that_cannot_be_written():
    boxes = np.array([[0, 0, 4, 4]], np.int32)
    made = Dataset(("a",), np.zeros(1, np.int32), strings(["1.png"]), boxes)
    boxes[0, 2] = 99
    assert made.boxes.tolist() == [[0, 0, 4, 4]]
    with pytest.raises(ValueError, match="read-only"):
        made.boxes[0, 0] = 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("{}", "no characters"),
        ("[1]", "a list; expected"),
        ('{"a": []}', "'a': expected a list of faces"),
        ('{"a": {"id": 1}}', "'a': expected a list of faces"),
        ('{"a": [3]}', "'a', face 1: expected an object with id and bbox, got 3"),
        ('{"a": [{"id": 1}]}', "'a', face 1: expected an object with id and bbox"),
        ('{"a": [{"id": 1.5, "bbox": [0, 0, 1, 1]}]}', "'a', face 1: id 1.5"),
        ('{"a": [{"id": true, "bbox": [0, 0, 1, 1]}]}', "'a', face 1: id True"),
        ('{"a": [{"id": 1, "bbox": [0, 0, 1]}]}', r"'a', face 1: bbox \[0, 0, 1\]"),
        ('{"a": [{"id": 1, "bbox": [0, 0, 1.5, 1]}]}', r"'a', face 1: bbox \[0, 0, 1.5, 1\]"),
        ('{"a": [{"id": 1, "bbox": [0, 0, 1, 1e9]}]}', "'a', face 1: bbox"),
        ('{"a": [{"id": 1, "bbox": [0, 0, 1, 9999999999]}]}', "'a', face 1: bbox"),
        ('{"a": [{"id": 1, "bbox": [4, 0, 4, 1]}]}', r"'a', picture 1: box \[4, 0, 4, 1\]"),
        ('{"a": [{"id": 1, "bbox": [-1, 0, 4, 1]}]}', r"'a', picture 1: box \[-1, 0, 4, 1\]"),
        ('{"a": [{"id": "../1.png", "bbox": [0, 0, 4, 1]}]}', "leaves its folder"),
        (
            '{"a": [{"id": 1, "bbox": [0, 0, 4, 1]}, {"id": 1, "bbox": [0, 0, 4, 1]}]}',
            "'a', picture 1: listed twice with one box",
        ),
        (
            '{"a": [{"id": 1, "bbox": [0, 0, 4, 1]}], "a": [{"id": 2, "bbox": [0, 0, 5, 1]}]}',
            "'a' is there twice",
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_another_form_is_one_clear_error(tmp_path, text, told):
    path = tmp_path / "test.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=told) as caught:
        Dataset.read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_missing_file_a_folder_and_other_bytes_are_told_apart(tmp_path):
    with pytest.raises(SourceError, match="no such dataset"):
        Dataset.read(tmp_path / "none.json")
    with pytest.raises(SourceError, match="a folder; expected a JSON file"):
        Dataset.read(tmp_path)
    (tmp_path / "latin").write_bytes(b'{"\xe9": 1}')
    with pytest.raises(SourceError, match="not UTF-8 text at byte 2"):
        Dataset.read(tmp_path / "latin")


@pytest.mark.parametrize(
    ("owner", "characters", "told"),
    [
        ([1, 0], ("a", "b"), "not grouped"),
        ([0, 0], ("a", "b"), "a character has none"),
        ([0, 1], ("a", "a"), "'a' is listed twice"),
        ([0], ("a",), "2 pictures with owners"),
    ],
)
def test_faces_that_do_not_fit_together_are_refused(owner, characters, told):
    boxes = np.array([[0, 0, 4, 4]] * 2)
    with pytest.raises(SourceError, match=told):
        Dataset(characters, np.array(owner), strings(["1.png", "2.png"]), boxes)


def test_a_picture_may_show_a_character_twice(tmp_path):
    made = Dataset.of({"rei": [("1.png", (0, 0, 9, 9)), ("1.png", (20, 0, 29, 9))]})
    found = Dataset.read(made.write(tmp_path / "test.json"))
    assert list(found) == list(made)
    assert found.histogram == {2: 1}


def test_it_is_written_as_json_writes_it(tmp_path):
    faces = {
        'x"\u0000\ud83d\ude42': [(7, (0, 1, 2, 3)), ('a "b".png', (4, 5, 6, 7))],
        "rei": [(2**40, (1, 2, 3, 4))],
    }
    expected = {
        name: [{"id": key, "bbox": list(box)} for key, box in listed]
        for name, listed in faces.items()
    }
    path = Dataset.of(faces).write(tmp_path / "x.json")
    assert path.read_bytes() == json.dumps(expected).encode()
