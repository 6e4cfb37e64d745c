"""Funnel of a command: what was dropped on the way, how many, and why."""

from __future__ import annotations

from dataclasses import dataclass

from pairsets.errors import PairsetsError
from pairsets.faces import Faces


def faces_rows(faces: Faces) -> list[FunnelRow]:
    """Funnel rows of reading the folder."""
    rows = [FunnelRow("faces", what, count) for what, count in sorted(faces.skipped.items())]
    rows.append(FunnelRow("faces", "images found", len(faces), kept=True))
    if faces.said is not None:
        what = f"identities, by {faces.said}"
        rows.append(FunnelRow("faces", what, faces.count_identities, kept=True))
    return rows


@dataclass(frozen=True)
class FunnelRow:
    """A line of the funnel: what a stage dropped and why, or with `kept` what it passed on."""

    stage: str
    what: str
    count: int
    kept: bool = False

    def __post_init__(self) -> None:
        if self.count < 0:
            raise PairsetsError(f"funnel, {self.stage}: {self.count} {self.what}; expected >= 0")
