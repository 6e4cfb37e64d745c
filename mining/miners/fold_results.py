"""Results of mining that a pair file is written from: whole, or of a fold until all are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mining.miners.negatives import adversarial_pairs
from mining.miners.provenance import Joined, facts_of, fusion_of, manifest, mining_rows, origin_of
from mining.miners.suspect_free import kept_pairs
from mining.ranking.mined_pairs import Mined
from mining.ranking.warnings import warnings_of
from mining.suspects.evidence import not_looked_at
from pairsets.errors import PairsetsError
from pairsets.evaluation.hubness import Hubness
from pairsets.files.folds import Folds
from pairsets.files.suspects import Suspects
from pairsets.funnel import FunnelRow
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import write_json
from pairsets.storage.json_files import JsonObject, is_number, read_object


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


def _kept_quantiles(found: JsonObject) -> NDArray[np.float64] | None:
    """The quantiles of a fold that was kept, where it has some."""
    if "quantiles" not in found:
        return None
    rows = found.items("quantiles")
    if not all(isinstance(row, list) and all(map(is_number, row)) for row in rows):
        found.refuse("quantiles", "numbers of each pair")
    if len({len(row) for row in rows}) > 1 or len(rows) != len(found.items("label")):
        found.refuse("quantiles", "as many numbers of each pair")
    return np.array(rows, np.float64)


def _kept_row(row: JsonObject) -> FunnelRow:
    """A row of a funnel that was kept."""
    return FunnelRow(row.text("stage"), row.text("what"), row.count("count"), row.flag("kept"))


@dataclass(frozen=True)
class Finished:
    """Where the folds that are done are kept, so that the same command need not mine them again.

    Attributes:
        stem: the pair file; `STEM.fold-1.partial.json` and so on lie beside it.
        key: tells this work from any other.
    """

    stem: Path
    key: str

    @classmethod
    def of(cls, stem: Path, facts: object) -> Finished:
        """Store of work that hangs on `facts`, which JSON can hold."""
        return cls(stem, hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest())

    def at(self, fold: int) -> Path:
        """A path of a fold's own, for whatever is kept while it is mined."""
        return self.stem.with_suffix(f".fold-{fold}.csv")

    def write(self, fold: int, part: Part) -> None:
        """Keep what was mined within a fold."""
        if part.looked is not None:
            part.looked.write(self._looked(fold))
        else:
            # Of other work that was not finished.
            self._looked(fold).unlink(missing_ok=True)
        content = {
            "key": self.key,
            "label": part.mined.label.tolist(),
            "pathA": part.mined.path_a.tolist(),
            "pathB": part.mined.path_b.tolist(),
            "identities": None if part.mined.named is None else dict(part.mined.named),
            "quantiles": None if part.quantiles is None else part.quantiles.tolist(),
            "funnel": [asdict(row) for row in part.funnel],
            "warnings": list(part.warnings),
            "facts": dict(part.facts),
            "fusion": part.fusion,
        }
        write_json(self._part(fold), content)

    def read(self, fold: int) -> Part | None:
        """Read what was kept of a fold; None where there is nothing, or of other work."""
        try:
            found = read_object(self._part(fold), "a fold that was kept", most=None)
            if found.text("key") != self.key:
                return None
            looked = self._looked(fold)
            return Part(
                kept_pairs(found),
                _kept_quantiles(found),
                [_kept_row(row) for row in found.objects("funnel")],
                found.texts("warnings"),
                found.inner("facts").content,
                found.inner("fusion").content if "fusion" in found else None,
                Suspects.read(looked) if looked.exists() else None,
            )
        except (OSError, PairsetsError):
            return None

    def clear(self, count: int) -> None:
        """Forget them: the work is done."""
        for fold in range(1, count + 1):
            self._part(fold).unlink(missing_ok=True)
            self._looked(fold).unlink(missing_ok=True)

    def _part(self, fold: int) -> Path:
        return self.at(fold).with_suffix(".partial.json")

    def _looked(self, fold: int) -> Path:
        return self.at(fold).with_suffix(".partial.csv")
