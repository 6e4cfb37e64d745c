"""The picture of two faces and where a model looked: what is drawn where, in which colour."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from pairsets.errors import PairsetsError
from pairsets.figures import encode
from pairsets.figures.saliency import HATCH, saliency

HARD_NAMES = ["W" * 90, "綾波（改二）" * 8, "$x^2$ & <b>", "_under", "नमस्ते 𓀀 🙂", "", "a\nb\t\x07c"]
GREY = Image.new("RGB", (60, 60), (128, 128, 128))
RED = Image.new("RGB", (60, 60), (200, 10, 10))


def drawn(maps, **options):
    options = {"score": 0.5, "kind": "shares", **options}
    return saliency((RED, GREY), tuple(np.asarray(one, float) for one in maps), **options)


def colours(figure, side: int) -> np.ndarray:
    """RGBA that is laid over a face, `[h, w, 4]`."""
    return np.asarray(figure.axes[2 + side].images[1].get_array())


def test_faces_stand_side_by_side_above_their_maps():
    figure = drawn([np.ones((3, 3))] * 2)
    boxes = [axes.get_position() for axes in figure.axes]
    assert len(boxes) == 5
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[0].x0 == pytest.approx(boxes[2].x0)
    assert boxes[1].x0 == pytest.approx(boxes[3].x0)
    assert boxes[4].y1 < boxes[2].y0 < boxes[2].y1 < boxes[0].y0
    assert np.asarray(figure.axes[0].images[0].get_array())[5, 5].tolist() == [200, 10, 10]
    assert np.asarray(figure.axes[1].images[0].get_array())[5, 5].tolist() == [128, 128, 128]


def test_signs_are_told_by_hue_and_sizes_by_strength():
    values = np.zeros((4, 4))
    values[0, 0], values[0, 3], values[3, 0] = 1, -1, 0.5
    over = colours(drawn([values, values * 0.5]), 0)
    last = over.shape[0] - 1
    raised, lowered, half, none = over[0, 0], over[0, last], over[last, 0], over[last, last]
    assert raised[0] > raised[2] + 0.5  # red, not blue
    assert lowered[2] > lowered[0] + 0.5
    assert raised[3] == pytest.approx(lowered[3])
    assert 0.8 < raised[3] < 1  # the face shows through
    assert half[3] == pytest.approx(raised[3] / 2)
    assert none[3] == 0


def test_both_maps_have_one_scale():
    figure = drawn([np.full((3, 3), 0.2), np.full((3, 3), 0.1)])
    strong, weak = colours(figure, 0)[0, 0, 3], colours(figure, 1)[0, 0, 3]
    assert strong == pytest.approx(2 * weak)


def test_the_scale_has_the_colours_of_the_maps():
    figure = drawn([np.full((3, 3), 0.4), np.full((3, 3), -0.1)])
    bar = figure.axes[4].images[0]
    assert bar.get_extent()[:2] == pytest.approx([-0.1, 0.4])
    row = np.asarray(bar.get_array())[0]
    assert row[-1] == pytest.approx(colours(figure, 0)[0, 0])
    assert row[0] == pytest.approx(colours(figure, 1)[0, 0])
    assert row[:, 3].argmin() == pytest.approx(len(row) / 5, abs=2)  # 0 is a fifth of the way


def test_the_bar_begins_at_0_where_nothing_lowers_the_score():
    assert drawn([np.full((2, 2), 0.4)] * 2).axes[4].images[0].get_extent()[:2] == [0, 0.4]


def test_maps_of_nothing_are_drawn():
    figure = drawn([np.zeros((7, 7))] * 2)
    assert not colours(figure, 0)[..., 3].any()
    assert len(encode(figure, "png")) > 1000


def test_what_the_model_does_not_see_is_hatched():
    figure = drawn([np.ones((7, 7))] * 2, boxes=((0.25, 0, 0.75, 1), (0, 0, 1, 1)))
    left, right, bottom, top = figure.axes[2].images[1].get_extent()
    assert (left, right) == pytest.approx((15, 45))
    assert (bottom, top) == pytest.approx((60, 0))
    assert [len(axes.collections) for axes in figure.axes[2:4]] == [2, 0]
    assert any("Hatched" in text.get_text() for text in figure.texts)
    assert HATCH in encode(figure, "svg").decode()
    assert not any("Hatched" in text.get_text() for text in drawn([np.ones((7, 7))] * 2).texts)


def test_words_say_what_the_values_are():
    def said(**options) -> str:
        figure = drawn([np.ones((7, 5))] * 2, score=-412.26, **options)
        return "\n".join(text.get_text() for text in figure.texts)

    shares = said(names=("rei/1.png", "asuka/2.png"), model="timm:x")
    for part in (
        "Score -412.3",
        "A: rei/1.png",
        "B: asuka/2.png",
        "timm:x",
        "7 x 5",
        "sum to -412.3",
    ):
        assert part in shares
    masked = said(kind="correlations", masks=400)
    assert "within ±0.10 it is chance" in masked
    assert "sum to" not in masked
    assert "chance" not in said(kind="correlations")


@pytest.mark.parametrize("name", HARD_NAMES)
def test_hard_names_neither_warn_nor_overlap(name):
    figure = drawn(
        [np.ones((7, 7))] * 2, names=(name, name), model=name * 3, kind="correlations", masks=1000
    )
    encode(figure, "png")
    encode(figure, "svg")
    boxes = [text.get_window_extent() for text in figure.texts if text.get_text()]
    boxes += [panel.get_window_extent() for panel in figure.axes]
    for a, b in combinations(boxes, 2):
        assert not a.overlaps(b)
    width, height = figure.get_size_inches() * figure.dpi
    assert all(
        box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height for box in boxes
    )


def test_no_sentence_is_cut():
    for options in ({"score": -1234567.8}, {"kind": "correlations", "masks": 100_000}):
        figure = drawn([np.ones((128, 128))] * 2, boxes=((0.1, 0, 1, 1),) * 2, **options)
        assert not any(text.get_text().endswith("…") for text in figure.texts)


def test_the_faces_are_left_alone_and_the_bytes_are_the_same():
    face = Image.new("RGB", (900, 500), (1, 2, 3))
    one = np.arange(49.0).reshape(7, 7)
    one.setflags(write=False)
    twice = [
        encode(saliency((face, face), (one, one), score=1, kind="shares"), form)
        for form in ("png", "png", "svg", "svg")
    ]
    assert twice[0] == twice[1]
    assert twice[2] == twice[3]
    assert face.size == (900, 500)


@pytest.mark.parametrize(
    ("maps", "boxes", "told"),
    [
        ([np.ones((2, 2)), np.full((2, 2), np.nan)], ((0, 0, 1, 1),) * 2, "map of B: .*not finite"),
        ([np.ones(4), np.ones((2, 2))], ((0, 0, 1, 1),) * 2, r"map of A: \(4,\)"),
        ([np.ones((0, 2)), np.ones((2, 2))], ((0, 0, 1, 1),) * 2, r"map of A: \(0, 2\)"),
        ([np.ones((2, 2))] * 2, ((0, 0, 1, 1), (0.5, 0, 0.5, 1)), "box of B"),
    ],
)
def test_nonsense_is_refused(maps, boxes, told):
    with pytest.raises(PairsetsError, match=told):
        drawn(maps, boxes=boxes)
