"""Map of identities by how alike a model finds them, as the page draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Counts, Scores
from pairsets.errors import PairsetsError
from pairsets.report.content import ConfusionMap, GalleryPair
from pairsets.report.gallery_links import address

WIDTH, HIGHEST, LOWEST, MARGIN = 1000.0, 700.0, 300.0, 22.0
# Widest strip without any identity, of the whole.
BLANK = 0.08


@dataclass(frozen=True, eq=False)
class IdentityLayout:
    """Places of identities in the plane, those near that a model finds alike; or why there is none.

    Attributes:
        model: whose vectors they come of; empty where there is no map.
        names: `[K]` the identities.
        places: `[K, 2]`, of no unit.
        note: why there is no map, with the remedy.
        lacking: whether a package is missing that could be installed.
    """

    model: str = ""
    names: Sequence[str] = ()
    places: NDArray[np.float64] | None = None
    note: str = ""
    lacking: bool = False

    def __post_init__(self) -> None:
        shape = None if self.places is None else self.places.shape
        if (shape is None) != bool(self.note) or (shape and shape != (len(self.names), 2)):
            raise PairsetsError(
                f"a map of {len(self.names)} identities with places {shape} and the note "
                f"{self.note!r}; expected two numbers each, or a note alone"
            )


@dataclass(frozen=True)
class Dot:
    """An identity as a circle: where, how large, and where it leads; both empty where to nothing.

    `errors` is in how many false accepts it is.
    """

    name: str
    x: float
    y: float
    radius: float
    errors: int
    address: str

    @property
    def told(self) -> str:
        """Who it is, and in how many false accepts.

        >>> Dot("Rei", 0, 0, 3.5, 1, "").told
        'Rei, 1 false accept'
        """
        return f"{self.name}, {self.errors:,} false accept{'s' if self.errors != 1 else ''}"


@dataclass(frozen=True)
class Line:
    """A line between two identities that are taken for one, the wider the more pairs are."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float
    title: str


@dataclass(frozen=True)
class DrawnLayout:
    """A map as its circles and lines, with the set that these count; or a note."""

    model: str
    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    note: str
    set: str = ""
    height: float = LOWEST
    width: float = WIDTH


def drawn_layout(
    layout: IdentityLayout, maps: Sequence[ConfusionMap], gallery: Sequence[GalleryPair]
) -> DrawnLayout:
    """Draw a layout; lines are the false accepts of its model on the map of confusions."""
    if layout.places is None:
        return DrawnLayout("", (), (), layout.note)
    found = next((one for one in maps if one.model == layout.model), None)
    at = {name: place for place, name in enumerate(layout.names)}
    errors = np.zeros(len(layout.names), np.int64)
    edges: list[tuple[int, int, int]] = []
    if found is not None:
        network = found.network
        joined = zip(network.low, network.high, network.accepted, strict=True)
        for low, high, count in sorted(joined, key=lambda edge: int(edge[2])):
            first, second = (at.get(str(network.identities[end]), -1) for end in (low, high))
            if min(first, second) >= 0:
                edges.append((first, second, int(count)))
                errors[[first, second]] += int(count)
    x, y, height = _fitted(layout.places)
    of_set = found.set if found else ""
    dots = _dots(layout.names, x, y, errors, _addresses(layout, of_set, gallery))
    lines = _lines(layout.names, x, y, edges)
    return DrawnLayout(layout.model, dots, lines, "", of_set, height)


def _addresses(
    layout: IdentityLayout, of_set: str, gallery: Sequence[GalleryPair]
) -> dict[str, str]:
    """Views of the gallery by identity: of its false accepts, else of its pairs with others."""
    found = {}
    for pair in gallery:
        wrong = of_set in pair.sets and pair.verdicts.get(layout.model, False)
        filters = {"set": of_set, "show": f"fa:{layout.model}"} if wrong else {"label": "different"}
        for name in () if pair.label else (pair.name_a, pair.name_b):
            if wrong or name not in found:
                found[name] = address({"name": name, **filters})
    return found


def _fitted(places: Scores) -> tuple[list[float], list[float], float]:
    """Places within the drawing, as large as it allows, x and y by one scale; and its height.

    They are turned so that they are widest from left to right. Blank strips between islands are
    narrowed to `BLANK` of the whole: how far apart these lie means nothing, and what they hold is
    to be seen.
    """
    places = np.column_stack([_drawn_together(column) for column in _turned(places).T])
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([WIDTH, HIGHEST]) - 2 * MARGIN
    scale = float((room / np.maximum(high - low, 1e-9)).min())
    height = max(LOWEST, round(float(scale * (high - low)[1] + 2 * MARGIN), 1))
    middle = np.array([WIDTH, height]) / 2
    fitted = np.round((places - (low + high) / 2) * scale + middle, 1)
    return fitted[:, 0].tolist(), fitted[:, 1].tolist(), height


def _turned(places: Scores) -> Scores:
    """Places about their mean, turned by their principal axes, the longer one first."""
    around = places - places.mean(axis=0)
    axes = np.linalg.eigh(around.T @ around)[1][:, ::-1]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(2)]
    turned: Scores = around @ (axes * np.where(largest < 0, -1, 1))
    return turned


def _drawn_together(values: Scores) -> Scores:
    """Values in the same order, no two neighbours farther apart than `BLANK` of the whole."""
    order = np.argsort(values, kind="stable")
    gaps = np.diff(values[order])
    found = np.zeros_like(values)
    found[order[1:]] = np.cumsum(np.minimum(gaps, BLANK * gaps.sum()))
    return found


def _dots(
    names: Sequence[str],
    x: list[float],
    y: list[float],
    errors: Counts,
    addresses: Mapping[str, str],
) -> tuple[Dot, ...]:
    most = max(1, int(errors.max(initial=0)))
    return tuple(
        Dot(
            name,
            x[at],
            y[at],
            round(3.5 + 7 * sqrt(int(errors[at]) / most), 1),
            int(errors[at]),
            addresses.get(name, ""),
        )
        for at, name in enumerate(names)
    )


def _lines(
    names: Sequence[str], x: list[float], y: list[float], edges: list[tuple[int, int, int]]
) -> tuple[Line, ...]:
    most = max((count for *_, count in edges), default=1)
    return tuple(
        Line(
            x[i],
            y[i],
            x[j],
            y[j],
            round(0.8 + 5.2 * sqrt(count / most), 1),
            f"{names[i]} and {names[j]}: {count:,} taken for one",
        )
        for i, j, count in edges
    )
