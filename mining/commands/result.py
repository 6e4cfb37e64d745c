"""Result of a command: files, what was dropped on the way, and what a user should know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pairsets.funnel import FunnelRow

if TYPE_CHECKING:  # most commands give no table, and pandas takes long to load
    from pairsets.evaluation.annotators import Agreement
    from pairsets.evaluation.census import CensusComparison
    from pairsets.evaluation.hubness import Hubness
    from pairsets.tables.leaderboard import Leaderboard
    from pairsets.tables.protocols import Protocols


@dataclass(frozen=True, eq=False)
class CommandResult:
    """Files that a command wrote, what it dropped, and what to tell of it."""

    files: Sequence[Path]
    funnel: Sequence[FunnelRow] = ()
    warnings: Sequence[str] = ()
    leaderboard: Leaderboard | None = None
    hints: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Agreement | None = None
    protocols: Mapping[str, Protocols] = field(default_factory=dict)
    census: CensusComparison | None = None
