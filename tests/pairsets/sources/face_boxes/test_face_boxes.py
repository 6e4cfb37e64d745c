"""The table of faces: what it refuses, and boxes brought to whole pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.face_boxes import face_boxes

from pairsets.errors import SourceError
from pairsets.sources.face_boxes import FaceBoxes, fit_boxes

BOX = (1, 2, 3, 4)


def test_the_table_keeps_the_order_and_those_without_a_face():
    found = face_boxes(
        {"rei & asuka/1.png": [(BOX, 0.5), ((5, 5, 9, 9.5), float("nan"))], 12: [], 0: [(BOX, 1)]},
        sizes={12: (640, 480)},
        characters={0: "綾波"},
    )
    assert found.ids.tolist() == ["rei & asuka/1.png", 12, 0]
    assert found.counts.tolist() == [2, 0, 1]
    assert found.starts.tolist() == [0, 2, 2, 3]
    assert found.boxes[1].tolist() == [5, 5, 9, 9.5]
    assert np.isnan(found.scores[1])
    assert found.sizes.tolist() == [[0, 0], [640, 480], [0, 0]]
    assert found.characters is not None
    assert found.characters.tolist() == [None, None, "綾波"]
    with pytest.raises(ValueError, match="read-only"):
        found.boxes[0] = 0


@pytest.mark.parametrize(
    ("faces", "options", "told"),
    [
        ({-1: []}, {}, "picture -1 is no number of a post"),
        ({True: []}, {}, "of type bool"),
        ({"../x.png": []}, {}, "leaves its folder"),
        ({"/x.png": []}, {}, "is absolute"),
        ({"": []}, {}, "is empty"),
        ({"\ud800": []}, {}, "is not Unicode text"),
        ({3: [], 5: [(BOX, 1), ((4, 2, 4, 9), 1)]}, {}, "picture 5: box .4.0, 2.0, 4.0, 9.0."),
        ({5: [((0, 0, np.inf, 1), 1)]}, {}, "picture 5: box"),
        ({5: [(BOX, np.inf)]}, {}, "score is infinite"),
        ({5: []}, {"sizes": {5: (-1, 1)}}, "size is below 0"),
        ({5: []}, {"characters": {5: ""}}, "character ''"),
    ],
)
def test_what_is_refused(faces, options, told):
    with pytest.raises(SourceError, match=told):
        face_boxes(faces, **options)


def test_columns_that_do_not_fit():
    ids, boxes = np.array([3, 5], object), np.array([BOX], np.float64)
    scores = np.array([0.5])
    for starts, told in [([0, 1], "shape"), ([0, 2, 1], "do not rise"), ([0, 0, 0], "to 1")]:
        with pytest.raises(SourceError, match=told):
            FaceBoxes(ids, np.array(starts), boxes, scores)
    with pytest.raises(SourceError, match="listed twice"):
        FaceBoxes(np.array([3, 3], object), np.array([0, 0, 1]), boxes, scores)


sides = st.floats(-80, 120, allow_nan=False) | st.sampled_from([0.5, 1.5, 2.5, -0.5, 63.5, 64])


@given(st.tuples(sides, sides, sides, sides), st.integers(1, 70), st.integers(1, 70))
def test_a_fitted_box_holds_the_pixels_that_pillow_would_cut_out(box, width, height):
    fitted, usable = fit_boxes([box], [[width, height]])
    left, top, right, bottom = fitted[0].tolist()
    # Every pixel of the picture is 1, and all around it is 0.
    cut = [round(side) for side in box]
    cut[2:] = max(cut[0], cut[2]), max(cut[1], cut[3])
    inside = np.asarray(Image.new("L", (width, height), 1).crop(tuple(cut)), np.int64)
    assert (right - left) * (bottom - top) == inside.sum()
    assert bool(usable[0]) == (inside.sum() > 0)
    if usable[0]:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
    else:
        assert fitted[0].tolist() == [0, 0, 0, 0]


def test_boxes_beyond_numbers_and_unknown_sizes():
    boxes = [(np.nan, 0, 5, 5), (0, 0, np.inf, 5), (-1e300, 0, 1e300, 5), (0, 0, 5, 5)]
    fitted, usable = fit_boxes(boxes, [(9, 9), (9, 9), (9, 9), (0, 0)])
    assert usable.tolist() == [False, False, True, False]
    assert fitted[2].tolist() == [0, 0, 9, 5]
    assert fit_boxes(np.empty((0, 4)), (512, 512))[0].shape == (0, 4)


def test_the_published_boxes_stay_as_they_are(real_data):
    content = json.loads((real_data / "zaci20" / "zaci20_test.json").read_text())
    boxes = np.array([face["bbox"] for faces in content.values() for face in faces])
    fitted, usable = fit_boxes(boxes, (512, 512))
    assert len(boxes) == 2006
    assert np.array_equal(fitted, boxes)
    assert usable.all()
