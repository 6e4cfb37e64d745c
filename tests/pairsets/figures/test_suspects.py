"""The sheet of suspicious pairs: which faces stand where, and what is written below them."""

from __future__ import annotations

import pytest
from PIL import Image

from pairsets.errors import PairsetsError
from pairsets.figures import Doubted, encode, suspect_sheet
from pairsets.figures.suspects import ROW


@pytest.fixture
def faces(tmp_path):
    paths = []
    for at in range(24):
        Image.new("RGB", [(40, 40), (80, 20)][at % 2], (at * 10,) * 3).save(tmp_path / f"{at}.png")
        paths.append(tmp_path / f"{at}.png")
    return paths


def groups(faces, *sizes):
    left, found = list(faces), {}
    for at, size in enumerate(sizes):
        found[f"kind {at}"] = [
            Doubted(left.pop(0), left.pop(0), f"reason {at}.{k}") for k in range(size)
        ]
    return found


def shades(figure):
    return [int(a.images[0].get_array()[0, 0, 0]) // 10 for a in figure.axes if a.images]


def test_pairs_in_order_under_the_title_of_their_group(faces):
    figure = suspect_sheet(groups(faces, ROW + 1, 2))
    assert shades(figure) == list(range(2 * (ROW + 3)))
    words = [text.get_text() for text in figure.texts]
    assert words == [
        "kind 0", *(f"reason 0.{k}" for k in range(ROW + 1)), "kind 1", "reason 1.0", "reason 1.1",
    ]  # fmt: skip
    tops = [text.get_position()[1] for text in figure.texts]
    assert tops[0] > tops[1] == tops[ROW] > tops[ROW + 1] > tops[ROW + 2] > tops[ROW + 3]


def test_nothing_overlaps_or_leaves_the_sheet(faces):
    figure = suspect_sheet(groups(faces, 5, 1, 3))
    figure.draw_without_rendering()
    whole = figure.bbox
    boxes = [axes.get_window_extent() for axes in figure.axes]
    boxes += [text.get_window_extent() for text in figure.texts]
    for at, box in enumerate(boxes):
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
        assert not [other for other in boxes[at + 1 :] if box.overlaps(other)]


def test_pairs_of_two_identities_stand_in_a_row_under_their_names(faces):
    left = list(faces)
    pairs = [Doubted(left.pop(0), left.pop(0), "why", name) for name in "aaabbc"]
    figure = suspect_sheet({"kind": pairs})
    figure.draw_without_rendering()
    assert shades(figure) == list(range(12))
    firsts = [axes.get_position() for axes in figure.axes[::2]]
    rows = sorted({round(place.y0, 6) for place in firsts}, reverse=True)
    # The two of b would not fit beside the three of a.
    assert [rows.index(round(place.y0, 6)) for place in firsts] == [0, 0, 0, 1, 1, 1]
    named = {
        one.get_text(): one.get_window_extent() for one in figure.texts if one.get_text() in "abc"
    }
    assert [*named] == ["a", "b", "c"]
    for name, at in (("a", 0), ("b", 3), ("c", 5)):
        face = figure.axes[2 * at].get_window_extent()
        assert named[name].x0 == pytest.approx(face.x0, abs=2)
        assert 0 < named[name].y0 - face.y1 < face.height / 4


def test_a_picture_that_cannot_be_read_is_an_empty_frame(faces, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG and nothing more")
    figure = suspect_sheet({"bad crop": [Doubted(broken, faces[3], "broken.png: cannot be read")]})
    assert shades(figure) == [3]
    assert len(figure.axes) == 2


def test_hard_words_and_the_same_bytes(faces):
    hard = {"$x^2$ & <b>": [Doubted(faces[0], faces[1], "綾波 $\\frac$ " + "long words " * 40)]}
    first = encode(suspect_sheet(hard), "png")
    assert first == encode(suspect_sheet(hard), "png")
    (title, reason) = suspect_sheet(hard).texts
    assert title.get_text() == "$x^2$ & <b>"
    assert reason.get_text().endswith("…")


def test_nothing_to_draw():
    with pytest.raises(PairsetsError, match="no suspects to draw"):
        suspect_sheet({"duplicate picture": []})
