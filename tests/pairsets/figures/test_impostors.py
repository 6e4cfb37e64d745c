"""The sheet of a face and its impostors: what stands where, and what is marked."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from pairsets.errors import PairsetsError
from pairsets.figures.impostors import ROW, impostor_sheet
from pairsets.figures.style import VERMILLION, encode
from pairsets.images import ImageError

HARD_NAMES = ["W" * 60, "綾波（改二）" * 8, "$x^2$ & <b>", "_under", "नमस्ते 𓀀 🙂", "a\nb\t\x07c"]


@pytest.fixture
def faces(tmp_path):
    """Thirty flat pictures, each of its own shade, in several shapes."""
    paths = []
    for at in range(30):
        size = [(40, 40), (80, 20), (10, 300)][at % 3]
        Image.new("RGB", size, (at * 8,) * 3).save(tmp_path / f"{at}.png")
        paths.append(tmp_path / f"{at}.png")
    return paths


def sheet(faces, count, **options):
    names = [f"identity {at}" for at in range(count)]
    scores = [0.9 - at / 100 for at in range(count)]
    marks = [False] * count
    options = {"name": "rei", "names": names, "outscores": marks, **options}
    return impostor_sheet(faces[0], faces[1 : count + 1], scores, **options)


def shades(figure):
    return [int(axes.images[0].get_array()[0, 0, 0]) // 8 for axes in figure.axes]


def texts(figure):
    return {text.get_text(): text for text in figure.texts}


def test_the_face_is_large_and_impostors_follow_in_order(faces):
    figure = sheet(faces, ROW + 2, own=(faces[29], 0.875))
    assert shades(figure) == [0, *range(1, ROW + 3), 29]
    boxes = [axes.get_window_extent() for axes in figure.axes]
    large, first, own = boxes[0], boxes[1 : ROW + 1], boxes[-1]
    assert large.width > 2 * first[0].width
    assert all(box.x0 > large.x1 for box in boxes[1:-1])
    assert all(a.x1 < b.x0 and a.y0 == b.y0 for a, b in pairwise(first))
    assert boxes[ROW + 1].x0 == first[0].x0
    assert boxes[ROW + 1].y1 < first[0].y0
    assert own.y1 < large.y0
    assert own.x0 == large.x0
    assert "its own best match: 0.875" in texts(figure)


def test_scores_and_names_stand_below_their_picture(faces):
    figure = sheet(faces, 3)
    for at, axes in enumerate(figure.axes[1:]):
        box = axes.get_window_extent()
        for word in (str(at + 1), f"{0.9 - at / 100:.3f}", f"identity {at}"):
            found = texts(figure)[word].get_window_extent()
            assert box.x0 - 2 <= found.x0 < found.x1 <= box.x1 + 2
            assert found.y1 <= box.y0 + 2


def test_those_that_outscore_are_marked_in_words_line_and_colour(faces):
    figure = sheet(faces, 4, outscores=[True, False, True, False], own=(faces[9], 0.885))
    framed = [axes.patches for axes in figure.axes[1:5]]
    assert [len(patches) for patches in framed] == [1, 0, 1, 0]
    assert to_hex(framed[0][0].get_edgecolor()) == VERMILLION
    marked = {word for word in texts(figure) if word.startswith("▲")}
    assert marked == {"▲ 0.900", "▲ 0.880"}
    assert texts(figure)["▲ 0.900"].get_color() == VERMILLION
    assert "framed ▲: more alike than its own best match" in texts(figure)
    assert not any("framed" in word for word in texts(sheet(faces, 4)))


def test_faces_beside_say_which_of_several_is_meant(faces):
    beside = [faces[20], faces[21], faces[20]]
    figure = sheet(faces, 3, beside=beside, outscores=[True] * 3, own=(faces[9], 0.1))
    assert shades(figure) == [0, 1, 20, 2, 21, 3, 20, 9]
    for impostor, small in zip(figure.axes[1:7:2], figure.axes[2:7:2], strict=True):
        a, b = impostor.get_window_extent(), small.get_window_extent()
        assert a.x1 < b.x0
        assert b.width < 0.6 * figure.axes[1].get_position().width * figure.bbox.width
    assert "framed ▲: more like the small face than any of its own identity" in texts(figure)


@pytest.mark.parametrize("count", [1, 6, 13, 29])
@pytest.mark.parametrize("several", [False, True])
def test_nothing_overlaps_or_leaves_the_sheet(faces, count, several):
    names = [HARD_NAMES[at % len(HARD_NAMES)] for at in range(count)]
    figure = sheet(
        faces, count, name="W綾" * 90, names=names, outscores=[True] * count,
        own=(faces[3], -412.25), beside=faces[:count] if several else None,
    )  # fmt: skip
    encode(figure, "png")
    boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
    boxes += [axes.get_window_extent() for axes in figure.axes]
    for a, b in combinations(boxes, 2):
        width = min(a.x1, b.x1) - max(a.x0, b.x0)
        height = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert width <= 1.5 or height <= 1.5
    assert min(box.x0 for box in boxes) >= 0
    assert min(box.y0 for box in boxes) >= 0
    assert max(box.x1 for box in boxes) <= figure.bbox.width
    assert max(box.y1 for box in boxes) <= figure.bbox.height


def test_a_wide_and_a_tall_picture_are_framed_as_they_are(faces):
    figure = sheet(faces, 2, outscores=[True, True])
    encode(figure, "png")
    for axes in figure.axes[1:3]:
        frame, picture = axes.patches[0].get_window_extent(), axes.images[0].get_window_extent()
        np.testing.assert_allclose(frame.get_points(), picture.get_points(), atol=1.5)


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_input_gives_the_same_bytes(faces, file_format):
    first, second = (encode(sheet(faces, 3, own=(faces[9], 0.5)), file_format) for _ in range(2))
    assert first == second


def test_what_does_not_fit_is_refused(faces, tmp_path):
    with pytest.raises(PairsetsError, match="no impostors"):
        impostor_sheet(faces[0], [], [], name="a", names=[], outscores=[])
    with pytest.raises(PairsetsError, match="1 names for 2 impostors"):
        sheet(faces, 2, names=["a"])
    with pytest.raises(PairsetsError, match="3 marks for 2 impostors"):
        sheet(faces, 2, outscores=[True] * 3)
    with pytest.raises(PairsetsError, match="1 faces beside for 2 impostors"):
        sheet(faces, 2, beside=faces[:1])
    with pytest.raises(ImageError, match="no such file"):
        sheet([tmp_path / "gone.png", *faces], 1)
