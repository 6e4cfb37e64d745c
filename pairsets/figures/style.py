"""Style of all figures: colours, fonts, legends, and how a figure becomes bytes."""

from __future__ import annotations

import io
import math
import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache

import numpy as np
from matplotlib import font_manager, rc_context, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.textpath import text_to_path
from matplotlib.ticker import NullFormatter

# Okabe and Ito's colours, which readers with any kind of colour vision can tell apart.
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
PALETTE = (BLUE, VERMILLION, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
INK, MUTED, GRID, PAPER = "#1d1e21", "#6c6f75", "#dedcd6", "#ffffff"
DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
# Points of type in charts of the page, all of `WIDE` inches: at the width of a phone, 390 px, still
# 11 px and more. Elsewhere it is `PLAIN`.
TEXT, SMALL, PLAIN = 11.0, 10.5, 9.0
WIDE = 4.6
# Inches of a line of the legend.
_LINE = 0.23
# Points that a name has in the legend: of two columns, and of one.
_HALF, _WHOLE = 112, 280
_CJK = ("Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic")


def format_score(score: float) -> str:
    """A score for people: three decimals for cosines, one or none for large inner products.

    >>> format_score(0.91251), format_score(-412.26), format_score(14264.0)
    ('0.913', '-412.3', '14,264')
    """
    if abs(score) < 10:
        return f"{score:.3f}"
    return f"{score:.1f}" if abs(score) < 1000 else f"{score:,.0f}"


def encode(figure: Figure, file_format: str) -> bytes:
    """The figure as `"svg"` or `"png"`; no date in it, text in SVG kept as text."""
    stream = io.BytesIO()
    with style():
        date = {"Date": None} if file_format == "svg" else {"Software": None}
        figure.savefig(stream, format=file_format, metadata=date)
    return stream.getvalue()


def style(size: float = PLAIN) -> AbstractContextManager[None]:
    """The settings that every figure is made and encoded in; `size` is that of its type."""
    return rc_context(
        {
            "font.family": list(families()),
            "font.size": size,
            "text.color": INK,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": MUTED,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "grid.color": GRID,
            "grid.linewidth": 0.7,
            "xtick.color": MUTED,
            "ytick.color": MUTED,
            "figure.facecolor": PAPER,
            "axes.facecolor": "none",
            "svg.fonttype": "none",
            "svg.hashsalt": "lookalikes",
        }
    )


def panel(inches: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure of one chart."""
    figure = Figure(figsize=inches, dpi=200, layout="constrained")
    axes = figure.subplots()
    set_ticks(axes)
    return figure, axes


def page_panel(high: float, names: Sequence[str]) -> tuple[Figure, Axes]:
    """A figure of one chart of the page, `high` inches and what the legend of `names` takes."""
    return panel((WIDE, high + legend_height(names)))


def set_ticks(axes: Axes) -> None:
    """Give axes numbers without marks, in the type of the figure, also those made when drawn."""
    axes.tick_params(which="both", length=0, pad=5, labelsize=rcParams["font.size"])


def set_log_percents(axes: Axes, low: float) -> None:
    """Make the axis logarithmic, from `low` to 100 percent, its few numbers written out."""
    decades = math.ceil(math.log10(100 / low))
    # The smaller a number, the longer.
    step = math.ceil(decades / (6 if decades <= 8 else 3))
    powers = range(2, 2 - decades, -step)[::-1]
    axes.set_xscale("log")
    axes.xaxis.set_ticks(
        [float(f"1e{power}") for power in powers],
        [np.format_float_positional(float(f"1e{power}"), trim="-") for power in powers],
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, 100)


def smallest_type(figure: Figure) -> float:
    """Points of the smallest words in a figure."""
    return min(float(text.get_fontsize()) for text in figure.findobj(Text) if text.get_text())


def legend_height(names: Sequence[str]) -> float:
    """Inches that the legend of `names` takes above the axes."""
    return _LINE * -(-len(names) // _columns(names))


def _columns(names: Sequence[str]) -> int:
    """Columns of a legend: one where a name does not fit in half of it."""
    return 2 if all(_fits(name) for name in names) else 1


def _fits(name: str) -> bool:
    return fitted(name, _HALF, rcParams["font.size"], lines=1) == drawable(name)[:400].strip()


def legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """A legend above the axes; the names come last, since one with a leading `_` is dropped."""
    numbers = [str(at) for at in range(len(names))]
    columns = _columns(names)
    legend = figure.legend(
        handles,
        numbers,
        loc="outside upper left",
        ncols=columns,
        frameon=False,
        handlelength=2.3,
        columnspacing=1.2,
        labelspacing=0.35,
    )
    width = _HALF if columns == 2 else _WHOLE
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=fitted(name, width, rcParams["font.size"], lines=1), parse_math=False)


@cache
def families() -> tuple[str, ...]:
    """DejaVu Sans, which comes with matplotlib, and what this system has for CJK names."""
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _CJK if name in installed))


def drawable(text: str) -> str:
    """`text` on one line, characters that no font has replaced by a white square."""
    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in families()]
    return "".join(
        letter if any(font.get_char_index(ord(letter)) for font in fonts) else "\u25a1"
        for letter in " ".join(text.split())
    )


def fitted(text: str, width: float, size: float, lines: int = 2) -> str:
    """`text` broken into at most `lines` of `width` points each, the rest cut off with "…"."""
    font = font_manager.FontProperties(family=list(families()), size=size)

    def wide(part: str) -> float:
        return text_to_path.get_text_width_height_descent(part, font, ismath=False)[0]

    rest = drawable(text)[:400]
    rows: list[str] = []
    while rest and len(rows) < lines:
        ends = range(1, len(rest) + 1)
        cut = max(1, bisect_right(ends, width, key=lambda end: wide(rest[:end])))
        if cut < len(rest) and len(rows) < lines - 1:
            breaks = [found.end() for found in re.finditer(r"[\s_/-]", rest[:cut])]
            cut = breaks[-1] if breaks and breaks[-1] > cut // 3 else cut
        rows.append(rest[:cut].strip())
        rest = rest[cut:].lstrip()
    if rest:
        row = rows[-1]
        while row and wide(row + "…") > width:
            row = row[:-1]
        rows[-1] = row + "…"
    return "\n".join(rows)
