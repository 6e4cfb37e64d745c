"""Pairs that may be mistakes in the data, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
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
    """A pair and why it is doubted, in words.

    Attributes:
        a, b: the pictures.
        reason: why.
        names: who they show; one text for all pairs of the same two.
    """

    a: Path
    b: Path
    reason: str
    names: str = ""


_names = attrgetter("names")


def suspect_sheet(
    groups: Mapping[str, Sequence[Doubted]], *, max_pixels: int = MAX_PIXELS
) -> Figure:
    """Suspicious pairs side by side, under a title a group, the reason below each.

    Those of the same two identities, one after the other, stand under their names; where they fit
    in a row, in one. An image that cannot be read is an empty frame: that may be why the pair is a
    suspect.

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
    title = 2.2 * _LINE
    width = _GAP + ROW * wide
    placed = {name: _places(pairs) for name, pairs in groups.items()}
    bands = {
        name: _SIDE + (_LINES + 0.6 + 1.5 * any(pair.names for pair in pairs)) * _LINE
        for name, pairs in groups.items()
    }
    height = _GAP + sum(title + bands[name] * (at[-1][1] + 1) for name, at in placed.items())
    with style():
        figure = Figure(figsize=(width, height), dpi=200)
        top = height - _GAP / 2
        for name, pairs in groups.items():
            figure.text(
                _GAP / width, (top - 0.4 * _LINE) / height, name,
                size=_SIZE + 1.5, color=INK, va="top", weight="bold", parse_math=False,
            )  # fmt: skip
            top -= title
            band = bands[name]
            # Faces are at the foot of their band but for the reason; names stand above them.
            head = band - _SIDE - (_LINES + 0.6) * _LINE
            for at, (pair, (column, row)) in enumerate(zip(pairs, placed[name], strict=True)):
                x, y = _GAP + column * wide, top - row * band - head - _SIDE
                if pair.names and (not column or pairs[at - 1].names != pair.names):
                    run = next(groupby(pairs[at:], key=_names))[1]
                    room = min(sum(1 for _ in run), ROW - column) * wide - _GAP
                    figure.text(
                        x / width, (y + _SIDE + 0.35 * _LINE) / height,
                        fitted(pair.names, 72 * room, _SIZE, lines=1),
                        size=_SIZE, color=INK, va="bottom", parse_math=False,
                    )  # fmt: skip
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
            top -= (placed[name][-1][1] + 1) * band
    return figure


def _places(pairs: Sequence[Doubted]) -> list[tuple[int, int]]:
    """Column and row of each pair; those of one name begin a row where they would not fit."""
    places: list[tuple[int, int]] = []
    at = 0
    for names, run in groupby(pairs, key=_names):
        count = len([*run])
        if names and at % ROW and at % ROW + count > ROW:
            at += ROW - at % ROW
        places += [(place % ROW, place // ROW) for place in range(at, at + count)]
        at += count
    return places
