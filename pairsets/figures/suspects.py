"""Pairs that may be mistakes in the data, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pairsets.errors import PairsetsError
from pairsets.figures.style import INK, MUTED, fitted, style
from pairsets.images import MAX_PIXELS, ImageError, thumbnail

# Pairs a row; inches: a face, what stands between faces and between pairs, a line of text.
ROW = 4
_SIDE, _GAP, _LINE, _SIZE = 0.95, 0.14, 0.135, 6.5
_LINES = 4


@dataclass(frozen=True)
class Doubted:
    """A pair and why it is doubted, in words."""

    a: Path
    b: Path
    reason: str


def suspect_sheet(
    groups: Mapping[str, Sequence[Doubted]], *, max_pixels: int = MAX_PIXELS
) -> Figure:
    """Suspicious pairs side by side, under a title a group, the reason below each.

    An image that cannot be read is an empty frame: that may be why the pair is a suspect.

    Args:
        groups: by title; groups without pairs are left out.
        max_pixels: width times height above which an image is refused undecoded.

    Raises:
        PairsetsError: no pair in any group.
    """
    groups = {title: pairs for title, pairs in groups.items() if pairs}
    if not groups:
        raise PairsetsError("no suspects to draw; expected at least one pair")
    wide = 2 * _SIDE + 2 * _GAP
    band = _SIDE + (_LINES + 0.6) * _LINE
    title = 2.2 * _LINE
    width = _GAP + ROW * wide
    height = _GAP + sum(title + -(-len(pairs) // ROW) * band for pairs in groups.values())
    with style():
        figure = Figure(figsize=(width, height), dpi=200)
        top = height - _GAP / 2
        for name, pairs in groups.items():
            figure.text(
                _GAP / width, (top - 0.4 * _LINE) / height, name,
                size=_SIZE + 1.5, color=INK, va="top", weight="bold", parse_math=False,
            )  # fmt: skip
            top -= title
            for at, pair in enumerate(pairs):
                x, y = _GAP + at % ROW * wide, top - at // ROW * band - _SIDE
                for side, path in enumerate((pair.a, pair.b)):
                    left = x + side * (_SIDE + 0.04)
                    axes = figure.add_axes(
                        (left / width, y / height, _SIDE / width, _SIDE / height)
                    )
                    axes.set_xticks([])
                    axes.set_yticks([])
                    try:
                        face = thumbnail(path, int(260 * _SIDE), max_pixels=max_pixels)
                    except ImageError:
                        continue
                    axes.imshow(np.asarray(face))
                    axes.set_axis_off()
                words = fitted(pair.reason, 72 * (2 * _SIDE), _SIZE, lines=_LINES)
                figure.text(
                    x / width, (y - 0.35 * _LINE) / height, words,
                    size=_SIZE, color=MUTED, va="top", parse_math=False,
                )  # fmt: skip
            top -= -(-len(pairs) // ROW) * band
    return figure
