"""Options of intervals: what pairs share, and the bootstrap's draws."""

from __future__ import annotations

from dataclasses import dataclass

from pairsets.evaluation.bootstrap import DRAWS, refuse_few
from pairsets.evaluation.clusters import By


@dataclass(frozen=True)
class IntervalOptions:
    """Options of how intervals are computed.

    Attributes:
        clusters: what pairs share that makes them depend on one another.
        draws: of the bootstrap; 0 leaves out what has no closed form.
        seed: of the draws.
    """

    clusters: By = "identity"
    draws: int = DRAWS
    seed: int = 0

    def refuse_few(self) -> None:
        """Raise ScoresError for less than 100 draws, unless there are none."""
        if self.draws:
            refuse_few(self.draws)
