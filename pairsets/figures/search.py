"""Figures of a search for parameters: its course, what mattered, and where good values lie."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from pairsets.figures.style import BLUE, MUTED, VERMILLION, panel, style

Value = float | int | bool | None
# Panels in a row of `search_slices`.
_ACROSS = 4


def search_course(
    history: Sequence[tuple[int, float]], *, maximizes: bool = True, score: str = "score"
) -> Figure:
    """Scores of trials by their number, and the best up to each.

    Args:
        history: number and score of each completed trial.
        maximizes: whether a higher score is better.
        score: its name.

    Raises:
        ValueError: no trial.
    """
    if not history:
        raise ValueError("no trial to draw")
    numbers, scores = np.array(history, dtype=float).T
    best = np.maximum.accumulate(scores) if maximizes else np.minimum.accumulate(scores)
    with style():
        figure, axes = panel((6, 3.2))
        axes.plot(numbers, scores, "o", color=BLUE, markersize=4, label="trial")
        axes.step(numbers, best, where="post", color=VERMILLION, linewidth=1.6, label="best so far")
        axes.set(xlabel="trial", ylabel=score)
        axes.legend(frameon=False)
    return figure


def search_importances(importances: Mapping[str, float]) -> Figure:
    """Bars of the share of each parameter in what the score varies by, the largest on top.

    Raises:
        ValueError: no parameter.
    """
    if not importances:
        raise ValueError("no importance to draw")
    names = sorted(importances, key=lambda name: importances[name])
    with style():
        figure, axes = panel((6, 0.8 + 0.28 * len(names)))
        axes.barh(names, [importances[name] for name in names], color=BLUE)
        axes.set(xlabel="share in what the score varies by")
    return figure


def search_slices(
    params: Sequence[Mapping[str, Value]], scores: Sequence[float], *, score: str = "score"
) -> Figure:
    """A panel for each parameter: scores by its values, on a logarithm where they span decades.

    Args:
        params: values by name, of each completed trial.
        scores: `[len(params)]`.
        score: its name.

    Raises:
        ValueError: no trial, or other numbers of trials and scores.
    """
    if not params or len(params) != len(scores):
        raise ValueError(f"{len(params)} trials, {len(scores)} scores; expected as many, and one")
    names = [*params[0]]
    rows = math.ceil(len(names) / _ACROSS)
    with style():
        figure = Figure(figsize=(10, 0.4 + 2.2 * rows), dpi=200, layout="constrained")
        panels = figure.subplots(rows, _ACROSS, squeeze=False, sharey=True).ravel()
        for axes, name in zip(panels, names, strict=False):
            values = np.array([float(one[name] or 0) for one in params])
            axes.scatter(values, scores, c=np.arange(len(scores)), cmap="Blues", s=12, vmin=-5)
            if (values > 0).all() and values.max() > 20 * values.min():
                axes.set_xscale("log")
            axes.set_xlabel(name, fontsize=8)
            axes.tick_params(length=0, colors=MUTED)
        for axes in panels[len(names) :]:
            axes.set_axis_off()
        for axes in panels[::_ACROSS]:
            axes.set_ylabel(score)
    return figure
