"""Figure of pairs of faces in columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pairsets.errors import PairsetsError
from pairsets.figures.style import INK, MUTED, fitted, format_score, style
from pairsets.images import MAX_PIXELS, thumbnail

COLUMNS = 12


def pair_columns(
    pairs: Sequence[tuple[Path, Path]],
    *,
    scores: Sequence[float] | None = None,
    names: Sequence[tuple[str, str]] | None = None,
    title: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Figure:
    """Figure of pairs in columns, face A above face B, as Figures 1 and 2 of ZACI-20.

    More than `COLUMNS` pairs go on in a further band of two rows. Axes `2 k` and `2 k + 1` of the
    figure hold the faces of pair `k`.

    Args:
        pairs: the image files.
        scores: one a pair, written below it.
        names: two a pair, written above A and below B; long ones are wrapped and shortened.
        title: above everything.
        max_pixels: width times height above which an image is refused undecoded.

    Raises:
        PairsetsError: no pairs, or another number of scores or names.
        FacesError: an image that cannot be read.
    """
    if not pairs:
        raise PairsetsError("no pairs to draw; expected at least one")
    for what, values in (("scores", scores), ("names", names)):
        if values is not None and len(values) != len(pairs):
            raise PairsetsError(f"{len(values)} {what} for {len(pairs)} pairs")
    side, gap, line, size = 1.0, 0.05, 0.12, 6.5
    told = [[fitted(name, 72 * side, size) for name in two] for two in names or ()]
    # As many lines as the longest name takes, so that scores stand in a row, close to their pairs.
    over, under = (
        line * max((two[at].count("\n") + 1 for two in told), default=0) for at in (0, 1)
    )
    above = over + gap if told else 0.0
    below = (under + gap if told else 0.0) + (1.4 * line if scores is not None else 0.0)
    band = above + 2 * side + gap + below + 3 * gap
    columns = min(len(pairs), COLUMNS)
    width = columns * (side + gap) + gap
    height = -(-len(pairs) // COLUMNS) * band + gap + (2 * line if title else 0.0)
    with style():
        figure = Figure(figsize=(width, height), dpi=200)

        def write(x: float, y: float, text: str, at: str, points: float, color: str = INK) -> None:
            where = (x / width, y / height)
            figure.text(
                *where, text, size=points, ha="center", va=at, color=color, parse_math=False
            )

        if title:
            write(width / 2, height - gap, fitted(title, 72 * width, 9, lines=1), "top", 9)
        for at, pair in enumerate(pairs):
            left = gap + at % COLUMNS * (side + gap)
            base = height - (2 * line if title else 0.0) - (at // COLUMNS + 1) * band + below + gap
            for path, bottom in zip(pair, (base + side + gap, base), strict=True):
                axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
                axes.imshow(np.asarray(thumbnail(path, 224, max_pixels=max_pixels)))
                axes.set_axis_off()
            middle = left + side / 2
            if told:
                first, second = told[at]
                write(middle, base + 2 * side + 2 * gap, first, "bottom", size)
                write(middle, base - gap, second, "top", size)
            if scores is not None:
                write(middle, base - below + gap, format_score(scores[at]), "bottom", 7, MUTED)
    return figure
