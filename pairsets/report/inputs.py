"""Inputs of a report: what was computed before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pairsets.arrays import Rows, Scores
from pairsets.evaluation.annotators import Agreement
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS
from pairsets.report.identity_layout import IdentityLayout
from pairsets.report.provenance import Provenance
from pairsets.tables.leaderboard import Leaderboard


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Findings on pair sets, from which a report is made.

    Attributes:
        title: of the page.
        faces: those of the pairs.
        boards: one a set, each with its comparison.
        ranks: by set, `[N]` mining ranks, 0 where none; only of sets that were mined.
        quantiles: by set and model, `[N]`, where several models mined together; nan where none.
        unseen: faces that cannot be read, whose pairs count and are not shown.
        facts, funnel, warnings, hubness, agreement: see `pairsets.report.Report`.
        census: the models over all pairs, where these were counted.
        identification: the models in a gallery, where one was searched.
        provenance: of what is shown.
        layout: the identities in the plane, or why there is no such map.
        max_pixels: width times height above which a face is refused undecoded.
    """

    title: str
    faces: Faces
    boards: Sequence[Leaderboard]
    ranks: Mapping[str, Rows] = field(default_factory=dict)
    quantiles: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    unseen: frozenset[str] = frozenset()
    facts: Sequence[tuple[str, str]] = ()
    funnel: Sequence[FunnelRow] = ()
    warnings: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    census: CensusComparison | None = None
    identification: GallerySearch | None = None
    provenance: Provenance | None = None
    layout: IdentityLayout | None = None
    max_pixels: int = MAX_PIXELS

    @property
    def comparisons(self) -> list[Comparison]:
        """Comparisons of the boards, one a set, in their order."""
        return [board.comparison for board in self.boards if board.comparison is not None]

    @property
    def mined(self) -> int:
        """Number of mined pairs of the largest mined set; 0 without any."""
        return max((int((ranks > 0).sum()) for ranks in self.ranks.values()), default=0)

    @property
    def models(self) -> list[str]:
        """Models that were evaluated, in order of appearance."""
        return list(dict.fromkeys(model for one in self.comparisons for model in one.judged))
