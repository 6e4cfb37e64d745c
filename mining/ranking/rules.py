"""Rules of which of the best pairs are taken: scores, margins to the positives, occurrence caps."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isfinite
from operator import index

import numpy as np
from numpy.typing import NDArray

from mining.errors import RulesError

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """Rules that a mined pair keeps to, besides being one of the best. None is no rule.

    Attributes:
        min_score, max_score: scores that count, both included.
        margin: how far the score of a pair of different identities has to stay below p(x) for both
            of its faces, p(x) being the highest score of face x with another searched face of its
            own identity; 0 or more. A face that is alone sets no bound.
        relative_margin: the same as a share of |p(x)|, 0 to 1: the bound is p(x) - R |p(x)|, which
            is below p(x) for negative scores too. With both margins, the stricter bound holds.
        max_per_image, max_per_identity, max_per_identity_pair: in how many of the pairs one
            image, one identity, the same two identities may be. Pairs are taken best first;
            one that would exceed a cap is passed over.

    Raises:
        RulesError: a number outside these bounds, or `min_score` above `max_score`.

    >>> Rules(max_per_image=5).capped, Rules(margin=0.1).capped
    (True, False)
    """

    min_score: float | None = None
    max_score: float | None = None
    margin: float | None = None
    relative_margin: float | None = None
    max_per_image: int | None = None
    max_per_identity: int | None = None
    max_per_identity_pair: int | None = None

    def __post_init__(self) -> None:
        for name in ("min_score", "max_score", "margin", "relative_margin"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        for name in ("max_per_image", "max_per_identity", "max_per_identity_pair"):
            object.__setattr__(self, name, _cap(name, getattr(self, name)))
        if self.margin is not None and self.margin < 0:
            raise RulesError(
                f"margin of {self.margin:g}; expected 0 or more: it is how far a pair stays below "
                "the positives"
            )
        if self.relative_margin is not None and not 0 <= self.relative_margin <= 1:
            raise RulesError(
                f"relative_margin of {self.relative_margin:g}; expected a share from 0 to 1 (5 % "
                "is 0.05)"
            )
        low, high = self.min_score, self.max_score
        if low is not None and high is not None and low > high:
            raise RulesError(
                f"min_score of {low:g} above max_score of {high:g}: no score is between them; are "
                "the two swapped?"
            )

    @property
    def margins(self) -> bool:
        """Whether pairs have to stay below their faces' positives."""
        return self.margin is not None or self.relative_margin is not None

    @property
    def capped(self) -> bool:
        """Whether there is an occurrence cap."""
        caps = (self.max_per_image, self.max_per_identity, self.max_per_identity_pair)
        return any(cap is not None for cap in caps)

    @property
    def given(self) -> list[str]:
        """The names of the rules that are set."""
        return [name for name, value in asdict(self).items() if value is not None]

    def ceilings(self, best: Scores) -> Scores:
        """The highest score that a pair of each face may have, `[N]`.

        Args:
            best: `[N]` p(x); -inf for a face that is alone, whose bound is +inf.
        """
        alone = np.isneginf(best)
        own = np.where(alone, 0.0, best)
        bounds = np.full(best.shape, np.inf)
        if self.margin is not None:
            bounds = np.minimum(bounds, own - self.margin)
        if self.relative_margin is not None:
            bounds = np.minimum(bounds, own - self.relative_margin * np.abs(own))
        return np.where(alone, np.inf, bounds)


def _number(name: str, value: float | None) -> float | None:
    if value is None:
        return None
    try:
        number = float("nan") if isinstance(value, bool | str) else float(value)
    except TypeError:
        number = float("nan")
    if not isfinite(number):
        raise RulesError(f"{name} of {value}; expected a finite number")
    return number


def _cap(name: str, value: int | None) -> int | None:
    if value is None:
        return None
    try:
        cap = -1 if isinstance(value, bool) else index(value)
    except TypeError:
        cap = -1
    if cap < 1:
        raise RulesError(
            f"{name} of {value}; expected a whole number of 1 or more (leave it out for no cap)"
        )
    return cap
