"""Figures of pairs, scores and error rates: each function returns a Figure and saves nothing.

Colours come from `PALETTE` and the four greys, so that whoever shows a figure can re-theme it by
replacing those values. The same input gives the same bytes in `encode`.
"""

from __future__ import annotations

import io
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Figure
from matplotlib.textpath import text_to_path
from numpy.typing import ArrayLike, NDArray

from pairsets.errors import PairsetsError, ScoresError
from pairsets.images import MAX_PIXELS, thumbnail
from pairsets.rates import Curve, Point, equal_error, fpr_at_fnr

# Okabe and Ito's colours, which readers with any kind of colour vision can tell apart.
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
PALETTE = (BLUE, VERMILLION, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
INK, MUTED, GRID, PAPER = "#1d1e21", "#6c6f75", "#dedcd6", "#ffffff"
COLUMNS = 12

_DASHES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
_TICKS = (1e-5, 1e-4, 1e-3, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.98, 0.995)
_CJK = ("Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "Meiryo", "MS Gothic")
_NORMAL = NormalDist()


def format_score(score: float) -> str:
    """A score for people: three decimals for cosines, one for large inner products.

    >>> format_score(0.91251), format_score(-412.26)
    ('0.913', '-412.3')
    """
    return f"{score:.3f}" if abs(score) < 10 else f"{score:.1f}"


def pair_columns(
    pairs: Sequence[tuple[Path, Path]],
    *,
    scores: Sequence[float] | None = None,
    names: Sequence[tuple[str, str]] | None = None,
    title: str | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Figure:
    """Pairs in columns, face A above face B, as in Figures 1 and 2 of ZACI-20.

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
    above = 2 * line + gap if names else 0.0
    below = above + (1.8 * line if scores is not None else 0.0)
    band = above + 2 * side + gap + below + 2 * gap
    columns = min(len(pairs), COLUMNS)
    width = columns * (side + gap) + gap
    height = -(-len(pairs) // COLUMNS) * band + gap + (2 * line if title else 0.0)
    with _style():
        figure = Figure(figsize=(width, height), dpi=200)

        def write(x: float, y: float, text: str, at: str, points: float, color: str = INK) -> None:
            where = (x / width, y / height)
            figure.text(
                *where, text, size=points, ha="center", va=at, color=color, parse_math=False
            )

        if title:
            write(width / 2, height - gap, _fit(title, 72 * width, 9, lines=1), "top", 9)
        for at, pair in enumerate(pairs):
            left = gap + at % COLUMNS * (side + gap)
            base = height - (2 * line if title else 0.0) - (at // COLUMNS + 1) * band + below
            for path, bottom in zip(pair, (base + side + gap, base), strict=True):
                axes = figure.add_axes((left / width, bottom / height, side / width, side / height))
                axes.imshow(np.asarray(thumbnail(path, 224, max_pixels=max_pixels)))
                axes.set_axis_off()
            middle = left + side / 2
            if names:
                first, second = (_fit(name, 72 * side, size) for name in names[at])
                write(middle, base + 2 * side + 2 * gap, first, "bottom", size)
                write(middle, base - gap, second, "top", size)
            if scores is not None:
                write(
                    middle, base - below + 0.9 * line, format_score(scores[at]), "center", 7, MUTED
                )
    return figure


def score_histograms(
    groups: Mapping[str, ArrayLike], *, threshold: float | None = None, xlabel: str = "score"
) -> Figure:
    """Histograms of scores, each normalised to a sum of 100 %, on the same 60 bins.

    Args:
        groups: scores by the name in the legend; a group without any is left out.
        threshold: drawn as a line where it is finite.
        xlabel: what the score is.

    Raises:
        ScoresError: no scores at all, or some that are not finite.
    """
    arrays = {name: np.asarray(values, np.float64).ravel() for name, values in groups.items()}
    arrays = {name: values for name, values in arrays.items() if values.size}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise ScoresError(f"{name}: {(~np.isfinite(values)).sum()} scores are not finite")
    if not arrays:
        raise ScoresError("no scores to draw")
    edges = np.histogram_bin_edges(np.concatenate(list(arrays.values())), bins=60)
    with _style():
        figure, axes = _panel((4.6, 3.1))
        handles: list[Artist] = []
        for at, values in enumerate(arrays.values()):
            shares = 100 * np.histogram(values, edges)[0] / values.size
            color, dash = (GREEN, BLUE, VERMILLION)[at % 3], _DASHES[at % len(_DASHES)]
            axes.stairs(shares, edges, fill=True, color=color, alpha=0.16)
            handles.append(axes.stairs(shares, edges, color=color, linewidth=1.3, linestyle=dash))
        if threshold is not None and np.isfinite(threshold):
            axes.axvline(threshold, color=INK, linewidth=0.9)
            axes.annotate(
                f"threshold {format_score(threshold)}",
                (threshold, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(4, -2),
                textcoords="offset points",
                va="top",
                color=INK,
            )
        axes.margins(x=0.02, y=0.14)
        axes.set(xlabel=_drawable(xlabel), ylabel="share of pairs (%)", ylim=(0, None))
        axes.grid(axis="x", visible=False)
        _legend(figure, handles, list(arrays))
    return figure


def det_curves(
    curves: Mapping[str, Curve],
    *,
    human: Point | None = None,
    target_fnrs: Sequence[float] = (),
) -> Figure:
    """DET: FNR over FPR on normal-deviate axes, where equal Gaussian scores give a straight line.

    A curve's rate of nought or one, which has no finite deviate, is drawn as half a pair; such a
    point or target stands on the frame. Of a long curve some hundred true vertices are drawn.

    Args:
        curves: by the name in the legend.
        human: a person's operating point, drawn as a star.
        target_fnrs: drawn as level lines.

    Raises:
        ScoresError: no curves, or a target that is no share.
    """
    if not curves:
        raise ScoresError("no curves to draw")
    points = [human] if human else []
    low_fpr = _floor(
        [*(1 / curve.negatives for curve in curves.values()), *(p.fpr for p in points)]
    )
    low_fnr = _floor(
        [*(1 / curve.positives for curve in curves.values()), *(p.fnr for p in points)]
    )
    reached = [0.4, *target_fnrs, *(rate for p in points for rate in (p.fpr, p.fnr))]
    for curve in curves.values():
        reached += [equal_error(curve)[0], *(fpr_at_fnr(curve, at).fpr for at in target_fnrs)]
    high = next((tick for tick in _TICKS if tick > max(reached)), _TICKS[-1])
    with _style():
        figure, axes = _panel((4.6, 4.0))
        ends = [_deviate(max(low_fpr, low_fnr)), _deviate(high)]
        axes.plot(ends, ends, color=GRID, linewidth=0.9, zorder=1)
        for target in _deviates(np.array(target_fnrs), low_fnr):
            axes.axhline(target, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        handles: list[Artist] = []
        for at, curve in enumerate(curves.values()):
            x, y = _det_vertices(curve)
            handles += axes.plot(
                x,
                y,
                color=PALETTE[at % len(PALETTE)],
                linestyle=_DASHES[at % len(_DASHES)],
                linewidth=1.6,
            )
        if human is not None:
            x, y = (
                _deviates(np.array([human.fpr]), low_fpr),
                _deviates(np.array([human.fnr]), low_fnr),
            )
            star = {"color": INK, "markersize": 11, "markeredgewidth": 0, "clip_on": False}
            handles += axes.plot(x, y, "*", **star)  # type: ignore[arg-type]
        axes.set(xlabel="false positive rate (%)", ylabel="false negative rate (%)")
        for axis, low in ((axes.xaxis, low_fpr), (axes.yaxis, low_fnr)):
            ticks = [tick for tick in _TICKS if low <= tick <= high]
            axis.set_ticks([_deviate(tick) for tick in ticks], [f"{100 * t:g}" for t in ticks])
        axes.set_xlim(_deviate(low_fpr), _deviate(high))
        axes.set_ylim(_deviate(low_fnr), _deviate(high))
        _legend(figure, handles, [*curves, *(["person"] if human else [])])
    return figure


def encode(figure: Figure, file_format: str) -> bytes:
    """The figure as `"svg"` or `"png"`; no date in it, text in SVG kept as text."""
    stream = io.BytesIO()
    with _style():
        date = {"Date": None} if file_format == "svg" else {"Software": None}
        figure.savefig(stream, format=file_format, metadata=date)
    return stream.getvalue()


def _style() -> AbstractContextManager[None]:
    return rc_context(
        {
            "font.family": list(_families()),
            "font.size": 9,
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


def _panel(inches: tuple[float, float]) -> tuple[Figure, Axes]:
    figure = Figure(figsize=inches, dpi=200, layout="constrained")
    axes = figure.subplots()
    axes.tick_params(length=0, pad=5)
    return figure, axes


def _legend(figure: Figure, handles: Sequence[Artist], names: Sequence[str]) -> None:
    """A legend above the axes; the names come last, since one with a leading `_` is dropped."""
    numbers = [str(at) for at in range(len(names))]
    legend = figure.legend(
        handles, numbers, loc="outside upper left", ncols=2, frameon=False, handlelength=2.6
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set(text=_fit(name, 115, 9, lines=1), parse_math=False)


def _deviate(share: float) -> float:
    return _NORMAL.inv_cdf(share)


def _deviates(shares: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    return np.array([_deviate(share) for share in np.clip(shares, least, 1 - least)])


def _floor(shares: Sequence[float]) -> float:
    """The tick at or below the least of `shares` that is not nought, 5 % at most."""
    least = min((share for share in shares if share > 0), default=1.0)
    return max((tick for tick in _TICKS if tick <= min(least, 0.05)), default=_TICKS[0])


def _det_vertices(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Deviates of FPR and FNR: all vertices of a short curve, of a long one evenly spread ones."""
    fpr, fnr = curve.fpr, curve.fnr
    rows = np.arange(fpr.size)
    if rows.size > 400:
        grid = np.array([_NORMAL.cdf(at) for at in np.linspace(-4.3, 4.3, 260)])
        chosen = np.r_[0, fpr.searchsorted(grid), (-fnr).searchsorted(-grid), rows[-1]]
        rows = np.unique(np.minimum(chosen, rows[-1]))
    return _deviates(fpr[rows], 0.5 / curve.negatives), _deviates(fnr[rows], 0.5 / curve.positives)


@cache
def _families() -> tuple[str, ...]:
    """DejaVu Sans, which comes with matplotlib, and what this system has for CJK names."""
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _CJK if name in installed))


def _drawable(text: str) -> str:
    """`text` on one line, characters that no font has replaced by a white square."""
    fonts = [font_manager.get_font(font_manager.findfont(name)) for name in _families()]
    return "".join(
        letter if any(font.get_char_index(ord(letter)) for font in fonts) else "\u25a1"
        for letter in " ".join(text.split())
    )


def _fit(text: str, width: float, size: float, lines: int = 2) -> str:
    """`text` broken into at most `lines` of `width` points each, the rest cut off with "…"."""
    font = font_manager.FontProperties(family=list(_families()), size=size)

    def wide(part: str) -> float:
        return text_to_path.get_text_width_height_descent(part, font, ismath=False)[0]

    rest = _drawable(text)[:400]
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
