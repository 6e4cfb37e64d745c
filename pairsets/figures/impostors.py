"""A face and those that are taken for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from pairsets.errors import PairsetsError
from pairsets.figures.style import INK, MUTED, VERMILLION, fitted, format_score, style
from pairsets.images import MAX_PIXELS, thumbnail

ROW = 5
# Inches that the words above and below the impostors take, be there ever so few.
_WORDS = 3.6
# Inches: the faces, what stands between them, a line of text, and points of that text.
_LARGE, _SIDE, _SMALL, _GAP, _LINE, _SIZE = 2.1, 1.0, 0.5, 0.1, 0.13, 7.0


def impostor_sheet(
    face: Path,
    impostors: Sequence[Path],
    scores: Sequence[float],
    *,
    name: str,
    names: Sequence[str],
    outscores: Sequence[bool],
    own: tuple[Path, float] | None = None,
    beside: Sequence[Path] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Figure:
    """A face large at the left, and its impostors in order, `ROW` or more a row.

    The first axes hold the face, the next ones the impostors, each followed by the face beside it;
    the last one its own match. Impostors that outscore that match are framed and marked with ▲, in
    words, colour and line alike.

    Args:
        face: the image file asked about.
        impostors: the image files, most alike first.
        scores: one an impostor.
        name: what the face is called.
        names: the identities of the impostors.
        outscores: which impostors are more alike than the face's own best match.
        own: that match, the most alike other face of its identity, and its score.
        beside: the face that each impostor resembles, where there are several.
        max_pixels: width times height above which an image is refused undecoded.

    Raises:
        PairsetsError: no impostors, or another number of scores, names, marks or faces beside.
        FacesError: an image that cannot be read.
    """
    count = len(impostors)
    if not count:
        raise PairsetsError("no impostors to draw; expected at least one")
    columns = {"scores": scores, "names": names, "marks": outscores, "faces beside": beside}
    for what, values in columns.items():
        if values is not None and len(values) != count:
            raise PairsetsError(f"{len(values)} {what} for {count} impostors")
    across = _across(count)
    step = _SIDE + _GAP + (_SMALL + _GAP / 2 if beside else 0.0)
    band = _SIDE + 3.4 * _LINE + 1.5 * _GAP
    rows = -(-count // across)
    footed = any(outscores)
    left = _LARGE + (1.7 * _LINE + _SIDE + _GAP if own else 0.0)
    top = 2.2 * _LINE
    width = 4 * _GAP + _LARGE + max(min(count, across) * step, _WORDS)
    height = top + max(left, rows * band) + (1.9 * _LINE if footed else _GAP)
    with style():
        sheet = _Sheet(width, height, max_pixels)
        picture, write = sheet.picture, sheet.write
        base = height - top
        title = height - 0.6 * _LINE
        write(_GAP, title, fitted(name, 72 * _LARGE * 0.92, _SIZE, lines=1), bold=True)
        picture(face, _GAP, base - _LARGE, _LARGE)
        start = _GAP + _LARGE + 2 * _GAP
        says = "most alike of other identities" if own or beside else "most alike"
        says += ", each with the face that it is like" if beside else ""
        write(start, title, says, MUTED)
        for at in range(count):
            x, y = start + at % across * step, base - at // across * band - _SIDE
            axes = picture(impostors[at], x, y, _SIDE)
            score = format_score(scores[at])
            if outscores[at]:
                _frame(axes)
                score = f"▲ {score}"
            if beside:
                picture(beside[at], x + _SIDE + _GAP / 2, y, _SMALL)
            below = y - 0.35 * _LINE
            color = VERMILLION if outscores[at] else INK
            write(x, below, f"{at + 1}", MUTED)
            write(x + _SIDE, below, score, color, bold=True, at="right")
            written = fitted(names[at], 72 * (step - _GAP), _SIZE)
            write(x, below - 1.15 * _LINE, written, INK)
        if own:
            y = base - _LARGE - 1.7 * _LINE
            write(_GAP, y + _LINE, f"its own best match: {format_score(own[1])}", MUTED)
            picture(own[0], _GAP, y - _SIDE, _SIDE)
        if footed:
            words = "more alike than its own best match"
            if beside:
                words = "more like the small face than any of its own identity"
            write(start, 1.5 * _LINE, f"framed ▲: {words}", VERMILLION)
    return sheet.figure


class _Sheet:
    """A figure on which pictures and words are put by inches from its lower left corner."""

    def __init__(self, width: float, height: float, max_pixels: int) -> None:
        self.figure = Figure(figsize=(width, height), dpi=200)
        self._width, self._height, self._max_pixels = width, height, max_pixels

    def picture(self, path: Path, x: float, y: float, side: float) -> Axes:
        """Draw an image file into a square."""
        width, height = self._width, self._height
        axes = self.figure.add_axes((x / width, y / height, side / width, side / height))
        image = thumbnail(path, int(260 * side), max_pixels=self._max_pixels)
        axes.imshow(np.asarray(image))
        axes.set_axis_off()
        return axes

    def write(
        self,
        x: float,
        y: float,
        text: str,
        color: str = INK,
        *,
        bold: bool = False,
        at: str = "left",
    ) -> None:
        """Write below a place, to the right of it or to the left."""
        self.figure.text(
            x / self._width, y / self._height, text, size=_SIZE, color=color, va="top", ha=at,
            weight="bold" if bold else "normal", parse_math=False,
        )  # fmt: skip


def _across(count: int) -> int:
    """Columns: more impostors make a wider sheet, too."""
    return next((wide for wide in (ROW, 8) if count <= wide * wide // 2), 12)


def _frame(axes: Axes) -> None:
    """A frame around the picture, whatever its shape."""
    axes.add_patch(
        Rectangle(
            (0, 0), 1, 1, transform=axes.transAxes, fill=False, clip_on=False,
            edgecolor=VERMILLION, linewidth=2.4,
        )
    )  # fmt: skip
