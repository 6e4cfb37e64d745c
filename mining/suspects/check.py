"""A check: what is asked of pairs that may be mistakes in the data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pairsets.files.expectations import Expectation
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard


class CheckCrew(Protocol):
    """Processes elsewhere that ask the same of pairs."""

    def shared(self, kind: str, root: Path, make: Callable[[Path], Check]) -> Check:
        """A check of which each process makes its own; it says the same of each pair.

        Args:
            kind: of the check.
            root: the folder of the faces.
            make: makes it of that folder; can be sent to another process.
        """


class Check(Protocol):
    """A plain function of pairs, made once with what it looks at.

    What it says of a pair hangs on that pair alone: not on the others, their order, or which of
    the two faces stands first.
    """

    @property
    def kind(self) -> str:
        """A key of `pairsets.files.suspect_kinds.KINDS`."""

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair, with the reasons in words."""


@runtime_checkable
class MeasuredCheck(Protocol):
    """A check that measures itself on the set at hand, and abstains where it is too often wrong."""

    @property
    def expected(self) -> Expectation:
        """Precision and recall of its flags on this set; it flags nothing where it abstains."""


def expectations(checks: Sequence[object]) -> list[Expectation]:
    """Expectations of those of the checks that measure themselves."""
    return [check.expected for check in checks if isinstance(check, MeasuredCheck)]
