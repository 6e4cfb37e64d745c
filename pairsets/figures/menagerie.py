"""The menagerie: each identity by its mean scores with its own pictures and with others'."""

from __future__ import annotations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pairsets.arrays import Floats, Mask
from pairsets.errors import ScoresError
from pairsets.evaluation.menagerie import Menagerie
from pairsets.figures.style import BLUE, INK, MUTED, VERMILLION, fitted, legend, panel, style

# Identities whose names are drawn.
_NAMED = 6


def menagerie(found: Menagerie, *, distance: bool = False) -> Figure:
    """Identities by mean scores with their own and with others; lambs and goats stand out.

    Lines are the quartiles between which identities are neither doves, worms, chameleons nor
    phantoms (Yager and Dunstone 2010).

    Args:
        found: the identities.
        distance: the scores are distances turned round, which axes show as they were given.

    Raises:
        ScoresError: no identity with pairs of either kind.
    """
    known = np.isfinite(found.own_mean) & np.isfinite(found.others_mean)
    if not known.any():
        raise ScoresError("no identity has pairs of its own and with others; nothing to draw")
    sign = -1 if distance else 1
    own, others = sign * found.own_mean, sign * found.others_mean
    lambs, goats = found.lambs & known, found.goats & known
    with style():
        figure, axes = panel((5.2, 4.8))
        handles: list[Artist] = []
        kinds = (
            (known & ~lambs & ~goats, MUTED, "o", 10, "identity"),
            (lambs & ~goats, VERMILLION, "^", 26, "lamb (taken for others)"),
            (goats & ~lambs, BLUE, "v", 26, "goat (not known again)"),
            (lambs & goats, INK, "D", 24, "lamb and goat"),
        )
        told = []
        for rows, colour, marker, size, name in kinds:
            if not rows.any():
                continue
            handles.append(
                axes.scatter(
                    own[rows],
                    others[rows],
                    s=size,
                    c=colour,
                    marker=marker,
                    linewidths=0,
                    alpha=0.55 if colour == MUTED else 0.95,
                    zorder=2 if colour == MUTED else 3,
                )
            )
            told.append(name)
        if known.sum() >= 4:
            for values, line in ((own, axes.axvline), (others, axes.axhline)):
                for end in np.quantile(values[known], [0.25, 0.75]):
                    line(end, color=MUTED, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
            corners = (("doves", 1, 0), ("worms", 0, 1), ("chameleons", 1, 1), ("phantoms", 0, 0))
            for word, right, top in corners:
                right, top = (1 - right, 1 - top) if distance else (right, top)
                axes.annotate(
                    word,
                    (0.985 if right else 0.015, 0.985 if top else 0.015),
                    xycoords="axes fraction",
                    ha="right" if right else "left",
                    va="top" if top else "bottom",
                    color=MUTED,
                    size=8,
                )
        _name(found, lambs | goats, own, others, axes)
        what = "distance" if distance else "score"
        axes.set(
            xlabel=f"mean {what} of the identity's own pairs",
            ylabel=f"mean {what} with others",
        )
        axes.margins(0.08)
        axes.grid(visible=False)
        legend(figure, handles, told)
    return figure


def _name(found: Menagerie, rows: Mask, own: Floats, others: Floats, axes: Axes) -> None:
    """Write the names of the identities that err most beside their points, where there is room."""
    worst = np.maximum(found.others.value, found.own.value)
    places = np.flatnonzero(rows)
    # In shares of the axes, so that names that would lie on one another are left out.
    points = np.column_stack([_shares(own), _shares(others)])
    taken: list[Floats] = []
    for at in places[np.argsort(-worst[places], kind="stable")][:_NAMED].tolist():
        near = [abs(points[at] - other) for other in taken]
        if any(gap[0] < 0.3 and gap[1] < 0.035 for gap in near):
            continue
        taken.append(points[at])
        left = points[at][0] > 0.75
        axes.annotate(
            fitted(str(found.names[at]), 90, 7, lines=1),
            (own[at], others[at]),
            xytext=(-5 if left else 5, 3),
            textcoords="offset points",
            ha="right" if left else "left",
            size=7,
            color=INK,
            parse_math=False,
        )


def _shares(values: Floats) -> Floats:
    """Places between the lowest value and the highest, from 0 to 1."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return np.asarray((values - low) / (high - low or 1.0))
