"""Abstention of checks that measure themselves: what is told of it, and what it rules out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mining.suspects.check import Check, expectations
from pairsets.errors import PairSetError
from pairsets.files.suspect_kinds import KINDS

MEASURED = ("alias", "mislabel", "veto")
"""Kinds whose checks measure themselves on the set at hand, and abstain where that says so."""


def refuse_untrustable(kinds: Iterable[str]) -> None:
    """Raise PairSetError unless all are kinds that measure themselves, and may so abstain."""
    for kind in kinds:
        if kind not in MEASURED:
            raise PairSetError(
                f"{kind!r} cannot be trusted in spite of what it expects: only kinds that measure "
                f"themselves can, {', '.join(MEASURED)}"
            )


def abstentions(checks: Sequence[Check]) -> list[str]:
    """A sentence on each check that flags nothing of its own accord here, or is trusted anyway.

    Names and a list of aliases speak for themselves where pictures do not.
    """
    return [
        f"{KINDS[one.kind]} ({one.kind}) {one.sentence()}"
        + (". Names and --aliases still speak." if one.kind == "alias" and one.abstains else ".")
        for one in expectations(checks)
        if one.abstains or one.trusted
    ]


def refuse_abstaining(checks: Sequence[Check]) -> None:
    """Raise PairSetError where suspects of a kind are to be dropped that it cannot tell here."""
    for one in expectations(checks):
        if one.abstains and one.kind != "alias":
            raise PairSetError(
                f"--drop-suspects {one.kind}: it {one.sentence()}. Leave {one.kind} out, mine with "
                "a better reference, or drop what it would flag nevertheless: --trust-suspects "
                f"{one.kind}"
            )
