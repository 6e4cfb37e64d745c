"""The map of confusions: cells, numbers, names, blocks, and how it is themed."""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from PIL import Image

from pairsets import PairSet, ScoresError
from pairsets.evaluation.confusion import Confusion
from pairsets.figures.confusion import confusion_map
from pairsets.figures.style import GRID, INK, MUTED, PALETTE, PAPER, VERMILLION, encode
from pairsets.images import ImageError
from pairsets.report import to_svg

HARD_NAMES = [
    "W" * 60, "綾波（改二）" * 8, "$x^2$ & <b>", "_under", "नमस्ते 𓀀 🙂", "a\nb\t\x07c", "橘_雪",
    "x", "nested folder/ayanami_rei (plug suit)",
]  # fmt: skip


def confusion(names, *, errors=None):
    """Every two identities have a pair; the given numbers of further ones are accepted."""
    path_a, path_b, scores = [], [], []
    for a, b in combinations(sorted(names), 2):
        wrong = 1 if errors is None else errors.get((a, b), 0)
        for at in range(1 + wrong):
            path_a.append(f"{a}/{at}")
            path_b.append(f"{b}/{at}")
            scores.append(0.1 if at == 0 else 0.9)
    return Confusion.of(PairSet.of(path_a, path_b, 0), scores, 0.5, limit=max(2, len(names)))


ERRORS = {("a", "b"): 9, ("c", "d"): 4, ("b", "c"): 1}


def squares(figure):
    """Filled cells of the matrix by (row, column): colour and opacity."""
    found = {}
    for patch in figure.axes[0].patches:
        if patch.get_fill():
            place = int(np.floor(patch.get_y())), int(np.floor(patch.get_x()))
            found[place] = to_hex(patch.get_facecolor()), patch.get_alpha()
    return found


def test_cells_show_false_accepts_by_strength_and_number():
    made = confusion("abcd", errors=ERRORS)
    figure = confusion_map(made)
    axes, names = figure.axes[0], made.identities.tolist()
    found = squares(figure)
    strengths = {}
    for i, first in enumerate(names):
        for j, second in enumerate(names):
            errors = ERRORS.get(tuple(sorted((first, second))), 0)
            color, alpha = found[i, j]
            assert color == (MUTED if i == j else VERMILLION if errors else GRID)
            if errors:
                strengths[errors] = alpha
    assert strengths[1] < strengths[4] < strengths[9] < 0.8
    numbers = {
        (t.get_position()[1] - 0.5, t.get_position()[0] - 0.5): t.get_text() for t in axes.texts
    }
    assert numbers == {
        (i, j): str(made.accepted[i, j]) for i, j in zip(*np.nonzero(made.accepted), strict=True)
    }
    # Row 0 is above, as one reads a table.
    assert axes.get_ylim() == (4, 0)


def test_pairs_that_do_not_exist_are_left_empty():
    pairs = PairSet.of(["a/0", "b/0"], ["b/0", "c/0"], 0)
    made = Confusion.of(pairs, [1.0, 1.0], 0.5)
    assert len(squares(confusion_map(made))) == 3 + 4


def test_groups_are_outlined():
    made = confusion("abcd", errors=ERRORS)
    assert {frozenset(group) for group in made.groups} == {frozenset("ab"), frozenset("cd")}
    outlines = [patch for patch in confusion_map(made).axes[0].patches if not patch.get_fill()]
    assert [patch.get_bbox().bounds for patch in outlines] == [(0, 0, 2, 2), (2, 2, 2, 2)]
    assert {to_hex(patch.get_edgecolor()) for patch in outlines} == {INK}


def test_names_stand_at_the_rows_and_above_the_columns():
    made = confusion("abcd", errors=ERRORS)
    figure = confusion_map(made)
    matrix = figure.axes[0].get_window_extent()
    cell = matrix.width / 4
    for at, name in enumerate(made.identities):
        row, column = [text for text in figure.texts if text.get_text() == name]
        beside, over = row.get_window_extent(), column.get_window_extent()
        assert beside.x1 < matrix.x0
        assert (beside.y0 + beside.y1) / 2 == pytest.approx(matrix.y1 - (at + 0.5) * cell, abs=4)
        assert over.y0 >= matrix.y1
        assert matrix.x0 + (at - 0.1) * cell < over.x0 < matrix.x0 + (at + 0.5) * cell


def test_a_face_an_identity_stands_along_both_axes(tmp_path):
    made = confusion("abcd", errors=ERRORS)
    faces = {}
    for shade, name in ((10, "a"), (90, "b"), (200, "d")):
        Image.new("RGB", (50, 30), (shade,) * 3).save(tmp_path / f"{name}.png")
        faces[name] = tmp_path / f"{name}.png"
    figure = confusion_map(made, faces)
    matrix = figure.axes[0].get_position()
    drawn = {}
    for axes in figure.axes:
        if axes.images:
            box = axes.get_position()
            left = box.x1 < matrix.x0
            assert left != (box.y0 > matrix.y1)
            share = (
                (matrix.y1 - box.y1) / matrix.height
                if left
                else (box.x0 - matrix.x0) / matrix.width
            )
            drawn[left, int(4 * share)] = int(axes.images[0].get_array()[0, 0, 0])
    place = made.identities.tolist().index
    shades = {"a": 10, "b": 90, "d": 200}
    assert drawn == {(left, place(n)): s for n, s in shades.items() for left in (True, False)}
    with pytest.raises(ImageError, match="no such file"):
        confusion_map(made, {"a": tmp_path / "gone.png"})


@pytest.mark.parametrize(
    "names", [HARD_NAMES, HARD_NAMES[:2], [f"identity_{n:02}" for n in range(24)]]
)
def test_names_neither_overlap_nor_leave_the_figure(names):
    figure = confusion_map(confusion(names))
    encode(figure, "png")
    matrix = figure.axes[0].get_window_extent()
    rows = [text.get_window_extent() for text in figure.texts if not text.get_rotation()]
    columns = [text for text in figure.texts if text.get_rotation()]
    assert len(rows) == len(columns) == len(names)
    for a, b in combinations(rows, 2):
        assert min(a.y1, b.y1) <= max(a.y0, b.y0) + 1
    every = [text.get_window_extent() for text in (*figure.texts, *figure.axes[-1].texts)]
    assert all(box.x1 <= matrix.x0 for box in rows)
    assert all(text.get_window_extent().y0 >= matrix.y1 for text in columns)
    assert min(box.x0 for box in every) >= 0
    assert min(box.y0 for box in every) >= 0
    assert max(box.x1 for box in every) <= figure.bbox.width
    assert max(box.y1 for box in every) <= figure.bbox.height


def test_numbers_are_left_out_where_they_cannot_be_read():
    names = [f"identity {at}" for at in range(45)]
    pairs = [(f"{a}/0", f"{b}/0") for a, b in combinations(names, 2)]
    made = Confusion.of(
        PairSet.of(*zip(*pairs, strict=True), 0), np.ones(len(pairs)), 0.5, limit=45
    )
    figure = confusion_map(made)
    assert not figure.axes[0].texts
    assert figure.bbox.width < 200 * 9


def test_the_key_names_the_strongest_and_one():
    words = [
        text.get_text() for text in confusion_map(confusion("abcd", errors=ERRORS)).axes[-1].texts
    ]
    assert words == ["1", "2", "9 false accepts", "pairs, none accepted", "group"]
    words = [text.get_text() for text in confusion_map(confusion("ab")).axes[-1].texts]
    assert words[0] == "1 false accept"


def test_all_its_colours_can_be_themed():
    svg = to_svg(confusion_map(confusion(HARD_NAMES)), name="m", description="map")
    plain = set(re.findall(r"#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", svg)))
    assert plain <= {"#000000"}
    themed = set(re.findall(r"var\(--[\w-]+, (#[0-9a-f]{6})\)", svg))
    assert {VERMILLION, GRID, INK, MUTED} <= themed <= {*PALETTE, INK, MUTED, GRID, PAPER}
    assert "<image" not in svg


@pytest.mark.parametrize("file_format", ["svg", "png"])
def test_the_same_input_gives_the_same_bytes(file_format):
    made = confusion(HARD_NAMES)
    assert encode(confusion_map(made), file_format) == encode(confusion_map(made), file_format)


def test_nothing_to_draw_is_refused():
    made = Confusion.of(PairSet.of(["a/0"], ["b/0"], 0), [0.1], 0.5)
    with pytest.raises(ScoresError, match="no false accepts among 1 negatives"):
        confusion_map(made)


def test_a_cell_is_a_square_of_its_own():
    patches = confusion_map(confusion("abcd")).axes[0].patches
    filled = [patch for patch in patches if patch.get_fill()]
    assert all(isinstance(patch, Rectangle) for patch in filled)
    for a, b in combinations([patch.get_bbox() for patch in filled], 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)
