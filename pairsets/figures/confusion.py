"""A map of which identities are taken for which."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from pairsets.errors import ScoresError
from pairsets.evaluation.confusion import Confusion
from pairsets.figures.style import GRID, INK, MUTED, VERMILLION, families, fitted, style
from pairsets.images import MAX_PIXELS, thumbnail

# Inches: the matrix, a cell at most and at least, a name at most, what stands between, the key.
_ROOM, _WIDEST, _NARROWEST, _NAME, _GAP, _KEY = 6.0, 0.42, 0.12, 1.6, 0.06, 3.9
# How high a slanted name rises, and how far it goes, of its length.
_SLANT = 0.73
# Ink on the strongest is legible on light paper and on dark.
_FAINT, _STRONG = 0.14, 0.72


def confusion_map(
    confusion: Confusion,
    faces: Mapping[str, Path] | None = None,
    *,
    max_pixels: int = MAX_PIXELS,
) -> Figure:
    """The matrix of false accepts between identities, its groups outlined.

    The number in a cell is how many pairs of the two are taken for one identity; the stronger its
    colour, the more (by the square root, since few pairs have most of them). A pale cell has pairs
    and no false accept, an empty one no pair. Strength is opacity of one colour, so that the map
    can be themed.

    The first axes hold the matrix; then come, where there are `faces`, those at the left, and the
    same above it.

    Args:
        confusion: what to draw.
        faces: an image file by identity; one that is not there is left blank.
        max_pixels: width times height above which an image is refused undecoded.

    Raises:
        ScoresError: no false accepts to draw.
        FacesError: an image that cannot be read.
    """
    size = len(confusion)
    if not size:
        raise ScoresError(
            f"no false accepts among {confusion.pairs:,} negatives: there is no map to draw"
        )
    cell = float(np.clip(_ROOM / size, _NARROWEST, _WIDEST))
    points = float(np.clip(72 * cell * 0.42, 4.0, 8.0))
    face = cell + _GAP if faces else 0.0
    side = size * cell
    names = [fitted(name, 72 * _NAME, points, lines=1) for name in confusion.identities]
    longest = max(_length(name, points) for name in names) / 72 + 0.5 * _GAP
    left, above = longest + 3 * _GAP + face, _SLANT * (longest + cell) + 2 * _GAP + face
    # Names above the columns are slanted: they must not meet, and the last ones stand out.
    side, below = size * cell, 0.42
    right = max(_SLANT * longest - cell / 2 + _GAP, _KEY - side)
    width, height = left + side + right, above + side + below
    with style():
        figure = Figure(figsize=(width, height), dpi=200)

        def add(x: float, y: float, wide: float, high: float) -> Axes:
            axes = figure.add_axes((x / width, y / height, wide / width, high / height))
            axes.set_axis_off()
            return axes

        def write(x: float, y: float, text: str, **how: object) -> None:
            settings = {"size": points, "color": INK, "va": "center", **how}
            figure.text(x / width, y / height, text, parse_math=False, **settings)  # type: ignore[arg-type]

        axes = add(left, below, side, side)
        axes.set(xlim=(0, size), ylim=(size, 0))
        _cells(axes, confusion, points if cell >= 0.16 else None)
        _groups(axes, confusion)
        for at, written in enumerate(names):
            y = below + side - (at + 0.5) * cell
            x = left + (at + 0.5) * cell
            write(left - face - _GAP, y, written, ha="right")
            write(
                x - 0.15 * cell, below + side + face + _GAP, written,
                rotation=45, rotation_mode="anchor", ha="left", va="baseline",
            )  # fmt: skip
        for at, name in enumerate(confusion.identities):
            if faces and name in faces:
                picture = np.asarray(
                    thumbnail(faces[name], max(32, int(240 * cell)), max_pixels=max_pixels)
                )
                inner = 0.94 * cell
                y = below + side - (at + 0.97) * cell
                add(left - cell - _GAP, y, inner, inner).imshow(picture)
                add(left + (at + 0.03) * cell, below + side + _GAP, inner, inner).imshow(picture)
        _key(add(left, 0, _KEY, below), int(confusion.accepted.max()), below)
    return figure


def _length(text: str, size: float) -> float:
    """Length of a line of text, in points."""
    font = font_manager.FontProperties(family=list(families()), size=size)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def _opacity(errors: int, most: int) -> float:
    return round(_FAINT + (_STRONG - _FAINT) * math.sqrt(errors / most), 3)


def _cells(axes: Axes, confusion: Confusion, points: float | None) -> None:
    """Draw a square a pair of identities, with its number if `points` says how large."""
    most = int(confusion.accepted.max())
    for (row, column), count in np.ndenumerate(confusion.counts):
        errors = int(confusion.accepted[row, column])
        if row == column:
            axes.add_patch(_square(column, row, facecolor=MUTED, alpha=0.35, inset=0.36))
        elif errors:
            strength = _opacity(errors, most)
            axes.add_patch(_square(column, row, facecolor=VERMILLION, alpha=strength))
        elif count:
            axes.add_patch(_square(column, row, facecolor=GRID, alpha=0.6))
        if errors and points is not None:
            axes.text(
                column + 0.5, row + 0.5, f"{errors}", size=min(points, 7.5), color=INK,
                ha="center", va="center_baseline",
            )  # fmt: skip


def _groups(axes: Axes, confusion: Confusion) -> None:
    """Draw an outline around each group's block on the diagonal."""
    names = confusion.identities.tolist()
    for group in confusion.groups:
        start = names.index(group[0])
        axes.add_patch(
            Rectangle(
                (start, start), len(group), len(group), fill=False, edgecolor=INK, linewidth=1.3,
                clip_on=False,
            )
        )  # fmt: skip


def _square(x: float, y: float, *, facecolor: str, alpha: float, inset: float = 0.03) -> Rectangle:
    side = 1 - 2 * inset
    return Rectangle(
        (x + inset, y + inset), side, side, facecolor=facecolor, alpha=alpha, linewidth=0
    )


def _key(axes: Axes, most: int, high: float) -> None:
    """Draw the key of the colours, in a line below the matrix."""
    axes.set(xlim=(0, _KEY), ylim=(0, high))
    x, y, square = 0.0, high / 2 - 0.09, 0.14

    def entry(text: str, patch: Rectangle) -> None:
        nonlocal x
        patch.set_bounds(x, y, square, square)
        axes.add_patch(patch)
        axes.text(x + square + 0.05, y + square / 2, text, size=7, color=MUTED, va="center")
        x += square + 0.2 + _length(text, 7) / 72

    for errors in sorted({1, max(1, round(most / 4)), most}):
        what = (" false accept" + "s" * (most > 1)) * (errors == most)
        strength = _opacity(errors, most)
        entry(f"{errors}{what}", Rectangle((0, 0), 1, 1, facecolor=VERMILLION, alpha=strength))
    entry("pairs, none accepted", Rectangle((0, 0), 1, 1, facecolor=GRID, alpha=0.6))
    entry("group", Rectangle((0, 0), 1, 1, fill=False, edgecolor=INK, linewidth=1.1))
