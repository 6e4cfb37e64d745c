"""What a side of the comparison is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy import floating
from numpy.typing import NDArray

from benchmarks.vectors import Rows, Vectors


@dataclass(frozen=True)
class Job:
    """What is mined: `vectors [N, D]`, `groups [N]`, how many pairs, where."""

    vectors: Vectors
    groups: Rows
    pairs: int
    device: str = "cpu"


@dataclass(frozen=True)
class Answer:
    """Pairs i < j, best first, with the side's own scores."""

    i: Rows
    j: Rows
    scores: NDArray[floating[Any]]


Work = Callable[[], Answer | None]


@dataclass(frozen=True)
class Side:
    """A side: `start` prepares what is not measured and gives the call that is.

    Attributes:
        start: see above.
        warm_rows: how many rows warm it up, if not the usual number.
        of_previous: whether it runs in the environment of the previous build.
    """

    start: Callable[[Job], Work]
    warm_rows: int | None = None
    of_previous: bool = False
