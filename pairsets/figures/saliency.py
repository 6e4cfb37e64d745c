"""Figure of two faces, and over each where a model looked."""

from __future__ import annotations

from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from pairsets.arrays import Floats
from pairsets.errors import PairsetsError
from pairsets.figures.style import BLUE, INK, MUTED, PAPER, VERMILLION, fitted, format_score, style

Kind = Literal["shares", "correlations"]
Box = tuple[float, float, float, float]
Map = NDArray[np.float64]
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)

PIXELS = 448  # of the longer side of a face
_OPAQUE = 0.9  # of the strongest colour, so that the face shows through
HATCH = "#c4c2bc"
_PALE = 0.85  # the grey behind the scale; faces are turned into greys about as pale
# Blue and vermillion differ for every kind of colour vision. Towards 0 both fade, evenly.
_SIGNS = np.array([to_rgb(BLUE), to_rgb(VERMILLION)])


def saliency(
    faces: tuple[Image.Image, Image.Image],
    maps: tuple[Map, Map],
    *,
    score: float,
    kind: Kind,
    boxes: tuple[Box, Box] = (WHOLE, WHOLE),
    names: tuple[str, str] | None = None,
    model: str | None = None,
    masks: int | None = None,
) -> Figure:
    """Figure of both faces, plain and below with their maps, on one scale of colours.

    Axes 0 and 1 of the figure hold faces A and B, 2 and 3 their maps, 4 the scale.

    Args:
        faces: RGB images.
        maps: of A and of B, `[h, w]`, first row on top; above 0 what raises the score, below 0
            what lowers it.
        score: written above.
        kind: `shares`, which sum to the score, or `correlations` with it.
        boxes: what part of each face its map covers, as fractions: left, top, right, bottom. The
            rest is hatched, since the model does not see it.
        names: of the faces.
        model: its name.
        masks: how many a correlation was taken over.

    Raises:
        PairsetsError: a map that is no finite `[h, w]`, or a box of no size.
    """
    for which, values, box in zip("AB", maps, boxes, strict=True):
        if values.ndim != 2 or not values.size or not np.isfinite(values).all():
            raise PairsetsError(f"map of {which}: {values.shape}, or not finite; expected [h, w]")
        if not (box[0] < box[2] and box[1] < box[3]):
            raise PairsetsError(f"box of {which}: {box}; expected left < right and top < bottom")
    limit = max(float(np.abs(values).max()) for values in maps) or 1.0
    side, gap, line, left = 2.4, 0.12, 0.17, 0.2
    width = 2 * left + 2 * side + gap
    words = _words(kind, maps, score, boxes, masks)
    above, below = 4.7 * line, (4.3 + 1.15 * len(words)) * line
    height = above + 2 * side + gap + below
    with style():
        figure = Figure(figsize=(width, height), dpi=200)

        def write(x: float, y: float, text: str, points: float, color: str, at: str) -> None:
            where = (x / width, y / height)
            figure.text(
                *where, text, size=points, color=color, ha=at, va="center", parse_math=False
            )

        def axes_at(x: float, y: float, wide: float, high: float) -> Axes:
            return figure.add_axes((x / width, y / height, wide / width, high / height))

        heading = f"Score {format_score(score)}"
        write(left, height - 1.5 * line, heading, 13, INK, "left")
        if model:
            shown = fitted(model, 72 * (width - 2 * left - 1.6), 8, lines=1)
            write(width - left, height - 1.5 * line, shown, 8, MUTED, "right")
        columns = (left, left + side + gap)
        for at, x in enumerate(columns):
            name = f"{'AB'[at]}: {names[at]}" if names else "AB"[at]
            write(x, height - 3.7 * line, fitted(name, 72 * side, 8, lines=1), 8, INK, "left")
        for row, y in enumerate((below + side + gap, below)):
            for at, x in enumerate(columns):
                axes = axes_at(x, y, side, side)
                face = faces[at].copy()
                face.thumbnail((PIXELS, PIXELS), Image.Resampling.LANCZOS)
                axes.set_axis_off()
                if row == 0:
                    axes.imshow(np.asarray(face))
                else:
                    _overlay(axes, face, maps[at] / limit, boxes[at])
        low = min(0.0, *(float(values.min()) for values in maps))
        high = max(0.0, *(float(values.max()) for values in maps))
        if low == high:
            low, high = -limit, limit
        bar = axes_at(left, below - 2.1 * line, width - 2 * left, 0.8 * line)
        _scale(bar, low, high, limit)
        for row, text in enumerate(words):
            shown = fitted(text, 72 * (width - 2 * left), 7, lines=1)
            write(left, below - (4.5 + 1.15 * row) * line, shown, 7, MUTED, "left")
    return figure


def _overlay(axes: Axes, face: Image.Image, values: Map, box: Box) -> None:
    """Draw the face in pale grey, and the map in colour over the part that it covers."""
    width, height = face.size
    grey = np.asarray(face.convert("L"), np.float64) / 255
    pale = np.repeat((0.5 + 0.5 * grey)[:, :, None], 3, axis=2)
    axes.imshow(pale, extent=(0, width, height, 0), vmin=0, vmax=1)
    left, top, right, bottom = (
        part * length for part, length in zip(box, (width, height, width, height), strict=True)
    )
    size = max(1, round(right - left)), max(1, round(bottom - top))
    drawn = _enlarged(values, size)
    axes.imshow(_colored(drawn), extent=(left, right, bottom, top), interpolation="nearest")
    for x0, y0, x1, y1 in (
        (0.0, 0.0, float(width), top),
        (0.0, bottom, float(width), float(height)),
        (0.0, max(top, 0.0), left, min(bottom, float(height))),
        (right, max(top, 0.0), float(width), min(bottom, float(height))),
    ):
        if x1 - x0 > 0.5 and y1 - y0 > 0.5:
            axes.fill_between(
                [x0, x1], y0, y1, facecolor=PAPER, edgecolor=HATCH, hatch="////", linewidth=0
            )
    axes.set(xlim=(0, width), ylim=(height, 0))


def _enlarged(values: Map, size: tuple[int, int]) -> Map:
    """The map at that width and height, bilinear: nothing rises above what was measured."""
    image = Image.fromarray(values.astype(np.float32))
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float64)


def _colored(values: Map) -> Floats:
    """RGBA of values from -1 to 1: the sign is the hue, the size how opaque it is."""
    colors = np.empty((*values.shape, 4))
    colors[..., :3] = _SIGNS[(values > 0).astype(int)]
    colors[..., 3] = _OPAQUE * np.abs(values).clip(0, 1)
    return colors


def _scale(axes: Axes, low: float, high: float, limit: float) -> None:
    """Draw the colours between the lowest and the highest value, over the same pale grey."""
    values = np.linspace(low, high, 512)[None]
    axes.imshow(_colored(values / limit), extent=(low, high, 0, 1), aspect="auto")
    axes.set(facecolor=(_PALE,) * 3, yticks=[])
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.tick_params(length=2, pad=2, labelsize=7)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _words(
    kind: Kind,
    maps: tuple[Map, Map],
    score: float,
    boxes: tuple[Box, Box],
    masks: int | None,
) -> list[str]:
    """Lines on what the colours mean, in plain words: two or three."""
    is_lowered = any((values < 0).any() for values in maps)
    lines = [f"Orange places raise the score{', blue ones lower it' if is_lowered else ''}."]
    if kind == "shares":
        height, width = maps[0].shape
        terms = f"the {height} x {width} values of either face sum to {format_score(score)}."
        lines.append(f"A value is a place's share of the score: {terms}")
    else:
        chance = f"; within \u00b1{2 / masks**0.5:.2f} it is chance" if masks else ""
        lines.append(f"A value is the correlation of showing the place with the score{chance}.")
    if any(box != WHOLE for box in boxes):
        lines.append("Hatched: the model does not see it.")
    return lines
