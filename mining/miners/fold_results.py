"""Results of mining that a pair file is written from: whole, or of a fold until all are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.miners.inputs import Joined
from mining.miners.negatives import adversarial_pairs
from mining.miners.provenance import facts_of, fusion_of, manifest, mining_rows, origin_of
from mining.miners.suspect_free import columns_of, not_looked_at, pairs_of
from mining.ranking.mined_pairs import Mined
from mining.ranking.warnings import warnings_of
from pairsets.evaluation.hubness import Hubness
from pairsets.files.designs import Design
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
        facts: what a manifest says of the mined pairs.
        recall: of an approximate index, where it was measured.
        looked: what the checks say of the pairs taken and dropped.
        folds: of the pairs, where they have some.
        design: of negatives that are a sample of all, of which `facts` are then.
    """

    pairs: PairSet
    rank: NDArray[np.int64]
    quantiles: Mapping[str, NDArray[np.float64]]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str]
    origin: Mapping[str, object]
    hubness: Mapping[str, Hubness]
    facts: Mapping[str, object]
    recall: float | None = None
    looked: Suspects | None = None
    folds: Folds | None = None
    design: Design | None = None

    @classmethod
    def of(cls, mined: Mined, joined: Joined, *, seed: int) -> Content:
        """Content of what one search mined and the pairs that join it, shuffled by `seed`."""
        pairs, rank = adversarial_pairs(mined, joined.pairs, seed=seed)
        return cls(
            pairs,
            rank,
            mined.quantiles_of(rank),
            mining_rows(mined, joined),
            warnings_of(mined),
            origin_of(mined.references.values(), fusion_of(mined)),
            mined.hubness_by_caps,
            facts_of(mined),
            mined.recall,
            mined.looked,
        )

    def manifest(
        self,
        kind: str,
        parameters: Mapping[str, object],
        inputs: Mapping[str, object],
        funnel: Sequence[FunnelRow],
    ) -> dict[str, object]:
        """The provenance of the pair file; see `mining.miners.provenance.manifest`."""
        if self.design is not None:
            content = manifest(
                self.design.kind, self.pairs, parameters, inputs, funnel, origin=self.origin
            )
            return content | {"design": self.design.content(self.facts)}
        whole = self.facts if self.folds is None else None
        content = manifest(
            kind, self.pairs, parameters, inputs, funnel, origin=self.origin, mined=whole
        )
        # Of folds it stands last.
        return content | {"mined": dict(self.facts)}

    def warnings_beside(self, path: Path) -> list[str]:
        """The warnings, and one on the pairs of the file in which suspects may be left."""
        if self.looked is None:
            return [*self.warnings]
        mined = int(self.looked.label[0])
        return [*self.warnings, *not_looked_at(self.pairs, mined, path)]


@dataclass(frozen=True, eq=False)
class Part:
    """Pairs that were mined within one fold.

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
    def of(cls, mined: Mined, joined: Joined) -> Part:
        """Part of what a search of the fold mined, and of the pairs that join it."""
        return cls(
            mined.pairs,
            mined.quantiles,
            mining_rows(mined, joined),
            warnings_of(mined),
            {
                "exact": mined.exact,
                "depth": mined.depth,
                "depth_is_exact": mined.listed,
                "recall": mined.recall,
            },
            fusion_of(mined),
            mined.looked,
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
