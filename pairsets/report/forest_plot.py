"""Points and intervals on one axis, a small SVG a row, as they stand in the page's tables.

Places along the axis are percentages of the width, so that the drawing stretches with its cell
while points and lines keep their size. Colours come from the page's style sheet by class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, cos, floor, isfinite, log10, pi, sin

from markupsafe import Markup

from pairsets.evaluation.intervals import Interval
from pairsets.report.phrases import MINUS, is_known

_STAR = "M" + "L".join(
    f"{radius * sin(at * pi / 5):.1f} {-radius * cos(at * pi / 5):.1f}"
    for at, radius in enumerate((6.5, 2.6) * 5)
)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, with marks at `ticks`; all in percent of pairs."""

    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Scale:
        """A scale that holds nought and all `values`, with at most six round ticks.

        >>> Scale.of([2.4, 9.1])
        Scale(low=0.0, high=10.0, ticks=(0.0, 2.0, 4.0, 6.0, 8.0, 10.0))
        """
        known = [value for value in values if isfinite(value)]
        low, high = min([0.0, *known]), max([0.0, *known])
        span = (high - low) or 1.0
        size = 10.0 ** floor(log10(span / 5))
        step = next(size * part for part in (1, 2, 5, 10) if span / (size * part) <= 5 + 1e-9)
        first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
        last = max(last, first + 1)
        ticks = tuple(round(step * at, 6) for at in range(first, last + 1))
        return cls(ticks[0], ticks[-1], ticks)

    def place(self, value: float) -> str:
        """Place of a value on the axis, as SVG has it; beyond an end, at the end.

        >>> Scale.of([2.4, 9.1]).place(2.5)
        '25%'
        """
        part = (value - self.low) / (self.high - self.low)
        return f"{100 * min(max(part, 0.0), 1.0):.2f}".rstrip("0").rstrip(".") + "%"

    def reaches(self, value: float) -> bool:
        """Whether a value lies on the axis."""
        return self.low <= value <= self.high

    def axis(self) -> Markup:
        """The numbers below the rows."""
        text = Markup('<text x="{}" y="0.9em" text-anchor="middle">{}</text>')
        numbers = ((self.place(tick), _number(tick)) for tick in self.ticks)
        return _svg("axis", [text.format(*number) for number in numbers])

    def row(
        self,
        value: float | None,
        interval: Interval | None = None,
        kind: str = "",
        chance: float | None = None,
    ) -> Markup:
        """A row: marks of the ticks, the interval as a line, the value as a point.

        The ends of the axis are numbers in it, too, for a screen so narrow that rows are cards.

        Args:
            value: in percent; None leaves the row empty.
            interval: of the same, as shares.
            kind: classes: `person` draws a star, `hollow` a point that is not filled, `faded` grey.
            chance: where a coin stands, in percent; marked if the axis reaches so far.
        """
        parts = [
            Markup('<line class="{}" x1="{x}" x2="{x}" y1="0" y2="100%"/>').format(
                "zero" if tick == 0 else "tick", x=self.place(tick)
            )
            for tick in self.ticks
        ]
        if chance is not None and self.reaches(chance):
            parts.append(
                Markup('<line class="chance" x1="{x}" x2="{x}" y1="0" y2="100%"/>').format(
                    x=self.place(chance)
                )
            )
        if value is not None and is_known(interval):
            ends = (self.place(100 * interval.low), self.place(100 * interval.high))
            parts.append(
                Markup('<line class="span" x1="{}" x2="{}" y1="50%" y2="50%"/>').format(*ends)
            )
        if value is not None and "person" in kind:
            parts.append(
                Markup('<svg x="{}" y="50%" overflow="visible"><path d="{}z"/></svg>').format(
                    self.place(value), _STAR
                )
            )
        elif value is not None:
            parts.append(Markup('<circle cx="{}" cy="50%" r="4.5"/>').format(self.place(value)))
        label = Markup(
            '<text class="end" x="{}" y="100%" dy="1.1em" text-anchor="middle">{}</text>'
        )
        parts += [label.format(self.place(end), _number(end)) for end in (self.low, self.high)]
        return _svg(kind, parts)


def _number(tick: float) -> str:
    return f"{tick:g}".replace("-", MINUS)


def _svg(kind: str, parts: Iterable[Markup]) -> Markup:
    """SVG element hidden from screen readers: the same numbers stand beside it as text."""
    name = f"forest {kind}".strip()
    return Markup('<svg class="{}" aria-hidden="true">{}</svg>').format(
        name, Markup("").join(parts)
    )
