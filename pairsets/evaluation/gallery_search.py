"""A gallery that models searched for the same probes: what was drawn, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.funnel import FunnelRow


@dataclass(frozen=True, eq=False)
class GallerySearch:
    """Models that searched one gallery, and what its tables, its files and the page tell of it.

    Attributes:
        models: side by side.
        pictures: of the gallery, all identities' together.
        pooled: whether an identity is known by the mean of its pictures.
        probes: `[P]` paths of what was searched for.
        names: of the identities, by number.
        funnel: gallery and probes, and what was left out.
        facts: of what was searched, and how.
    """

    models: IdentificationComparison
    pictures: int
    pooled: bool
    probes: Sequence[str]
    names: Sequence[str]
    funnel: Sequence[FunnelRow]
    facts: Mapping[str, object]
