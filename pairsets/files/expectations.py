"""Expectation of a check of suspects: how often it is right on the set at hand, or why not told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pairsets.files.suspect_kinds import KINDS


@dataclass(frozen=True)
class Share:
    """Share of a whole with its interval of 95 %.

    Attributes:
        value, low, high: from 0 to 1, `low <= value <= high`.

    Raises:
        ValueError: not so.
    """

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1:
            raise ValueError(
                f"a share of {self.value} within {self.low} to {self.high}; expected numbers from "
                "0 to 1 that rise from the low end over the share to the high end"
            )

    def __str__(self) -> str:
        """Percentages, such as `96 % (91 to 99 %)`.

        >>> str(Share(0.961, 0.907, 0.9999))
        '96 % (90 to 100 %)'
        """
        low, high = math.floor(self.low * 100), math.ceil(self.high * 100)
        return f"{self.value:.0%} ({low} to {high} %)".replace("%", " %", 1)


@dataclass(frozen=True)
class Expectation:
    """Expected precision and recall of one check on the set at hand, or why it abstains.

    Attributes:
        kind: of suspects, a key of `pairsets.files.suspect_kinds.KINDS`.
        precision: share of its flags that are right; None where it cannot tell.
        recall: share of the mistakes that it flags; None where it cannot tell.
        planted: number of mistakes that were planted to measure it.
        why: the cause of its abstaining, in words; empty where it speaks.
        trusted: it was to speak whatever it expects.
        flagged: number of all that it looked at that reach its level; None where it is not told.

    Raises:
        ValueError: an unknown kind, or a check that speaks without a precision.
    """

    kind: str
    precision: Share | None
    recall: Share | None
    planted: int
    why: str = ""
    trusted: bool = False
    flagged: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"an expectation of kind {self.kind!r}; expected one of {[*KINDS]}")
        if not self.why and self.precision is None:
            raise ValueError(f"{self.kind}: neither a precision nor why there is none")

    @property
    def abstains(self) -> bool:
        """True where nothing is flagged because too little of it would be right."""
        return bool(self.why) and not self.trusted

    def sentence(self) -> str:
        """Expectation in words, for a person who reads the summary of a command."""
        if self.why or self.precision is None:
            start = "speaks as told, though: " if self.trusted else "abstains: "
            return start + self.why
        said = f"of its flags {self.precision} are expected to be right here"
        if self.flagged == 0:
            said = "nothing stood out enough here to be flagged"
        found = "" if self.recall is None else f"; of all such mistakes it finds {self.recall}"
        return f"{said}{found} (measured on {self.planted:,} planted)"

    def content(self) -> dict[str, Any]:
        """Content for JSON, as `of_content` reads it."""
        shares = {
            name: None if share is None else {**vars(share)}
            for name, share in (("precision", self.precision), ("recall", self.recall))
        }
        return {**vars(self), **shares}

    @classmethod
    def of_content(cls, content: Mapping[str, Any]) -> Expectation:
        """Read what `content` gave.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        shares = {
            name: None if content[name] is None else Share(**content[name])
            for name in ("precision", "recall")
        }
        return cls(**{**content, **shares})
