"""What was mined, as a pair file is written from it: whole, or of one fold until all are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.miners.provenance import Joined, hubness_of
from mining.miners.references import Hardest
from mining.miners.suspect_free import columns_of, pairs_of
from mining.ranking.mined_pairs import Mined
from pairsets.evaluation.hubness import Hubness
from pairsets.files.folds import Folds
from pairsets.files.suspects import Suspects
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet


@dataclass(frozen=True, eq=False)
class Content:
    """All that a pair file and what stands beside it are written from.

    Attributes:
        pairs: mined ones, and those that join them.
        rank: `[N]` of each row among the mined pairs, 1 the hardest; 0 for those that join them.
        quantiles: by name, `[N]` of each of several references.
        funnel: rows of mining, and of what joins it.
        warnings: a sentence on each thing to look at.
        origin: what a manifest says of the models.
        hubness: who fills the mined pairs.
        recall: of an approximate index, where it was measured.
        mined: the mined pairs, where one search mined them.
        facts: what a manifest says of them otherwise.
        looked: what the checks say of the pairs taken and dropped.
        folds: of the pairs, where they have some.
    """

    pairs: PairSet
    rank: NDArray[np.int64]
    quantiles: Mapping[str, NDArray[np.float64]]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str]
    origin: Mapping[str, object]
    hubness: Mapping[str, Hubness]
    recall: float | None = None
    mined: Mined | None = None
    facts: Mapping[str, object] | None = None
    looked: Suspects | None = None
    folds: Folds | None = None

    @classmethod
    def of(
        cls,
        hardest: Hardest,
        looked: Suspects | None,
        pairs: PairSet,
        rank: NDArray[np.int64],
        funnel: Sequence[FunnelRow],
    ) -> Content:
        """The same of what one search mined."""
        return cls(
            pairs,
            rank,
            hardest.quantiles(rank),
            funnel,
            hardest.warnings,
            hardest.origin,
            hubness_of(hardest.mined),
            hardest.mined.recall,
            hardest.mined,
            looked=looked,
        )


@dataclass(frozen=True, eq=False)
class Part:
    """What was mined within one fold.

    Attributes:
        mined: the pairs, hardest first.
        quantiles: `[M, R]` of each of several references, among the pairs of this fold.
        funnel: rows of mining.
        warnings: a sentence on each thing to look at.
        facts: what a manifest says of the fold.
        fusion: how several references were fused.
        looked: what the checks say of the pairs taken and dropped.
    """

    mined: PairSet
    quantiles: NDArray[np.float64] | None
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str]
    facts: Mapping[str, Any]
    fusion: Mapping[str, Any] | None = None
    looked: Suspects | None = None

    @classmethod
    def of(cls, hardest: Hardest, joined: Joined, looked: Suspects | None) -> Part:
        """The same of what was mined, and the pairs that join it."""
        mined, together = hardest.mined, hardest.together
        return cls(
            mined.pairs,
            mined.quantiles,
            hardest.funnel(joined),
            hardest.warnings,
            {
                "exact": mined.exact,
                "depth": mined.depth,
                "depth_is_exact": mined.listed,
                "recall": mined.recall,
            },
            together.fused.content() if together else None,
            looked,
        )

    def content(self) -> dict[str, object]:
        """All of it as JSON keeps it for `read`."""
        return {
            **columns_of(self.mined),
            "quantiles": None if self.quantiles is None else self.quantiles.tolist(),
            "funnel": [asdict(row) for row in self.funnel],
            "warnings": list(self.warnings),
            "facts": dict(self.facts),
            "fusion": self.fusion,
            "looked": None if self.looked is None else self.looked.text(),
        }

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Part:
        """The part that was kept as `content` has it."""
        quantiles, looked = kept["quantiles"], kept["looked"]
        return cls(
            pairs_of(kept),
            None if quantiles is None else np.array(quantiles, np.float64),
            [FunnelRow(**row) for row in kept["funnel"]],
            kept["warnings"],
            kept["facts"],
            kept["fusion"],
            None if looked is None else Suspects.of_text(looked),
        )
