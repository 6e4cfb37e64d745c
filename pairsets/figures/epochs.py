"""Curves of a training, epoch by epoch: its validation and its loss."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Protocol

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pairsets.errors import ScoresError
from pairsets.figures.style import DASHES, INK, MUTED, PALETTE, legend, style

# What is validated: as it is selected by, as the field is called, as readers are told.
_SCORES = (
    ("map@r", "map_at_r", "MAP@R", "o"),
    ("fpr-random", "fpr_random", "random FPR", "s"),
    ("fpr-adversarial", "fpr_adversarial", "adversarial FPR", "^"),
)


class Epoch(Protocol):
    """Epoch of a training: its number from 1, mean training loss, and three shares from 0 to 1."""

    @property
    def epoch(self) -> int:
        """Number of the epoch."""

    @property
    def loss(self) -> float:
        """Mean training loss in it."""

    @property
    def map_at_r(self) -> float:
        """MAP@R after it, on the fold held out."""

    @property
    def fpr_random(self) -> float:
        """False positive rate of random pairs."""

    @property
    def fpr_adversarial(self) -> float:
        """False positive rate of adversarial pairs."""


def training_curves(history: Sequence[Epoch], best_epoch: int, select: str) -> Figure:
    """Validation by epoch, in per cent, and below it the training loss.

    An arrow in the legend points to where a score is better. A line marks the best epoch in both; a
    ring stands around the score that it is best in, if any, and words above say how good. The first
    axes hold the validation, the second ones the loss.

    Args:
        history: the epochs, in order.
        best_epoch: number of the best of them.
        select: what it is best in: `map@r`, `fpr-random` or `fpr-adversarial`; `last` is no score.

    Raises:
        ScoresError: no epochs, epochs out of order, a number that is not finite or no share, a best
            epoch that is none of them, or another `select`.
    """
    best = _checked(history, best_epoch, select)
    numbers = [one.epoch for one in history]
    with style():
        figure = Figure(figsize=(4.6, 4.2), dpi=200, layout="constrained")
        rates, losses = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.4])
        handles: list[Artist] = []
        words = f"taken: epoch {best_epoch}, the last"
        for at, (name, field, said, marker) in enumerate(_SCORES):
            handles += rates.plot(
                numbers,
                [100 * getattr(one, field) for one in history],
                color=PALETTE[at],
                linestyle=DASHES[at],
                linewidth=1.6,
                marker=marker,
                markersize=3.4,
            )
            if name == select:
                value = 100 * getattr(best, field)
                rates.plot(
                    [best_epoch], [value], color=INK, linestyle="", marker="o", markersize=9,
                    markerfacecolor="none", markeredgewidth=1.2,
                )  # fmt: skip
                words = f"best: epoch {best_epoch}, {said} {value:.1f} %"
        losses.plot(
            numbers,
            [one.loss for one in history],
            color=INK,
            linewidth=1.6,
            marker="o",
            markersize=2.6,
        )
        for axes in (rates, losses):
            axes.axvline(best_epoch, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)), zorder=1)
            axes.tick_params(length=0, pad=5)
        rates.set(ylabel="validation (%)", ylim=(-2, 102), yticks=range(0, 101, 20))
        losses.set(xlabel="epoch", ylabel="training loss")
        losses.set_xlim(numbers[0] - 0.5, numbers[-1] + 0.5)
        losses.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        losses.yaxis.set_major_locator(MaxNLocator(4))
        rates.set_title(words, loc="right", size=7.5, color=INK, pad=4)
        figure.align_ylabels()
        # Upwards where higher is better.
        told = [f"{said} {'↓' if 'fpr' in name else '↑'}" for name, _, said, _ in _SCORES]
        legend(figure, handles, told)
    return figure


def _checked(history: Sequence[Epoch], best_epoch: int, select: str) -> Epoch:
    """The best epoch, where all of them can be drawn."""
    if not history:
        raise ScoresError("no epochs to draw; expected at least one")
    known = [*(name for name, *_ in _SCORES), "last"]
    if select not in known:
        raise ScoresError(f"a best epoch in {select!r}; expected one of {', '.join(known)}")
    numbers = [one.epoch for one in history]
    if numbers != sorted({*numbers}):
        raise ScoresError(f"epochs {', '.join(map(str, numbers))[:60]}; expected each once, rising")
    for one in history:
        shares = {field: getattr(one, field) for _, field, *_ in _SCORES}
        wrong = [f"{name} {value}" for name, value in shares.items() if not 0 <= value <= 1]
        wrong += [] if isfinite(one.loss) else [f"loss {one.loss}"]
        if wrong:
            raise ScoresError(
                f"epoch {one.epoch}: {', '.join(wrong)}; expected a finite loss, shares from 0 to 1"
            )
    if best_epoch not in numbers:
        raise ScoresError(f"best epoch {best_epoch} of epochs {numbers[0]} to {numbers[-1]}")
    return history[numbers.index(best_epoch)]
