"""Provenance of a page: when, by which command, with which seed, of which files and models."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pairsets.errors import OutputError
from pairsets.funnel import FunnelRow

EPOCH = "SOURCE_DATE_EPOCH"


@dataclass(frozen=True)
class Provenance:
    """Origin of what a page shows, at its foot.

    Attributes:
        day: when it was made, as `day_made` has it.
        command: as it was typed, without where to and whether over what is there; empty where no
            command line was.
        seed: of what was drawn.
        versions: of lookalikes, and of what it computes with.
        sets: SHA-256 of each pair file, by set.
        models: fingerprint of each model, None where its vectors are not at hand.
        measures: what the scores of each model are, "cosine" or "inner product", where it is known.
        funnel: what was left out when the pair files were made, unless what is shown made them.
    """

    day: str
    command: str = ""
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str | None] = field(default_factory=dict)
    measures: Mapping[str, str] = field(default_factory=dict)
    funnel: Sequence[FunnelRow] = ()


def day_made() -> str:
    """Day of today in UTC, as `2026-11-30`; that of `SOURCE_DATE_EPOCH` where it is set.

    Set, the same input gives the same page on any day.

    Raises:
        OutputError: `SOURCE_DATE_EPOCH` is no number of seconds since 1970.
    """
    said = os.environ.get(EPOCH, "")
    if not said:
        return datetime.now(UTC).date().isoformat()
    try:
        return datetime.fromtimestamp(int(said), UTC).date().isoformat()
    except (ValueError, OverflowError, OSError):
        raise OutputError(
            f"{EPOCH}={said!r}: expected whole seconds since 1970, as of `date +%s`; set it so, or "
            "unset it for the day of today"
        ) from None
