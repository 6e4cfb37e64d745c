"""Mined pairs: those taken from a ranking, who mined them, and an account of those not taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mining.embeddings.store import Embeddings
from mining.errors import RulesError
from mining.ranking.model_ranking import ModelRanking
from mining.ranking.occurrence_caps import take
from mining.ranking.rank_aggregation import Method
from mining.ranking.ranked_pairs import RuledRanking
from mining.ranking.rules import Rules
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces
from pairsets.files.score_files import quantile_columns
from pairsets.files.suspects import Suspects
from pairsets.pairset import PairSet
from pairsets.progress import Step


@dataclass(frozen=True)
class Fusion:
    """Fusion of several references: who, how, and how sure the order is.

    Attributes:
        names: the references, in the order of the columns of quantiles.
        method: how their quantiles were fused.
        sure: how many of the pairs are certainly the hardest; all, where they are exact.
        limit: pairs listed of a model at most.
    """

    names: tuple[str, ...]
    method: Method
    sure: int
    limit: int


@dataclass(frozen=True, eq=False, repr=False)
class Mined:
    """Mined pairs, hardest first.

    Attributes:
        path_a, path_b: `[M]` face paths; A stands before B in the order of the faces.
        scores: `[M]` float64, falling; rising for hard positives. Fused quantiles, of several.
        faces: the faces that were searched (those not ignored).
        wanted: how many pairs were asked for.
        label: 0 where the pairs are of different identities, 1 where they are of one.
        rules: what they keep to.
        ignored: how many faces the ignore list left out.
        unknown: base names on the ignore list that no face has.
        excluded: how many pairs of the searched faces were excluded by name.
        strangers: paths in the excluded pairs that no face has.
        index: `exact`, or the factory string of the approximate index that was searched.
        recall: share of the exact answer that an approximate index found, where it was measured.
        exact: whether these are the very pairs; else better ones may have been missed, or where
            there are fewer than wanted, further ones exist.
        depth: the rank of the last pair in the ranking without caps: how deep they made it go.
        listed: false where `depth` and what the caps passed over are lower bounds.
        dropped: (why, how many) pairs that scored well enough, but broke a rule.
        without_bound: with a margin, how many of the pairs have none, since neither face has
            another of its identity.
        quantiles: `[M, R]` of each of several reference models.
        before: who would fill the set without caps, where there are caps.
        references: by name, the embeddings of the models that mined.
        fusion: how several mined together.
        without: by reference, as many pairs that the others mined, to judge it on; nothing of a
            single one, and where it was not asked for.
        looked: what checks say of the pairs taken, by rank, and then of those dropped as suspects;
            None where nothing was looked for.
    """

    path_a: NDArray[np.object_]
    path_b: NDArray[np.object_]
    scores: NDArray[np.float64]
    faces: Faces
    wanted: int
    label: int = 0
    rules: Rules = field(default_factory=Rules)
    ignored: int = 0
    unknown: int = 0
    excluded: int = 0
    strangers: int = 0
    index: str = "exact"
    recall: float | None = None
    exact: bool = True
    depth: int = 0
    listed: bool = True
    dropped: tuple[tuple[str, int], ...] = ()
    without_bound: int | None = None
    quantiles: NDArray[np.float64] | None = None
    before: Hubness | None = None
    references: Mapping[str, Embeddings] = field(default_factory=dict)
    fusion: Fusion | None = None
    without: Mapping[str, Mined] = field(default_factory=dict)
    looked: Suspects | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        what = "one identity" if self.label else "two identities"
        spread = ""
        if len(self):
            spread = f", scores {self.scores[0]:.4g} to {self.scores[-1]:.4g}"
        sure = (
            "exact" if self.exact else "not all there are" if self.index == "exact" else self.index
        )
        return f"Mined({len(self):,} of {self.wanted:,} pairs of {what}{spread}, {sure})"

    def _repr_html_(self) -> str:
        """Table of the hardest pairs, as a notebook shows it; with faces where they are files."""
        there = self.faces.source is not None or bool(self.faces.root.name)
        return self.pairs.show(self.faces if there else None, self.scores)._repr_html_()

    @property
    def pairs(self) -> PairSet:
        """The mined pairs alone, hardest first."""
        return PairSet.of(self.path_a, self.path_b, self.label, identities=self.faces.named)

    @cached_property
    def hubness(self) -> Hubness:
        """Who fills the mined pairs."""
        return Hubness.of(self.path_a, self.path_b, self.faces.named)

    @property
    def hubness_by_caps(self) -> dict[str, Hubness]:
        """Who fills the mined pairs, by what to call them: with caps, before and after."""
        if self.before is None:
            return {"mined pairs": self.hubness}
        return {"before caps": self.before, "after caps": self.hubness}

    @property
    def sure(self) -> int:
        """Number of the pairs that are certainly the hardest, of several references."""
        return len(self) if self.fusion is None else self.fusion.sure

    @property
    def fused(self) -> Mined:
        """These pairs themselves: `mine_together` once had them as `fused.mined`."""
        return self

    mined = fused

    def quantiles_of(self, rank: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """Each of several references' own quantiles, `[N]` by name; of a single one, nothing.

        Args:
            rank: `[N]` of the rows of a pair set; see
                `pairsets.files.score_files.quantile_columns`.
        """
        if self.fusion is None or self.quantiles is None:
            return {}
        return quantile_columns(self.fusion.names, self.quantiles, rank)


def mined_from(
    ranking: RuledRanking, n: int, *, label: int = 0, progress: Step | None = None
) -> Mined:
    """The n best pairs of `ranking` within the occurrence caps of its rules.

    Raises:
        indexes.IndexesError: n below 1.
    """
    faces, rules, space = ranking.faces, ranking.rules, ranking.space
    taken = take(ranking, n, rules, progress)
    pairs, first = taken.pairs, taken.first
    enough = len(pairs) == n
    dropped = ranking.turned_away(float(pairs.scores[-1]) if enough else None, progress)
    caps = {
        "image": rules.max_per_image,
        "identity": rules.max_per_identity,
        "identity pair": rules.max_per_identity_pair,
    }
    more = "" if taken.listed else ", at least"
    dropped += [
        (f"over {caps[what]:,} of one {what}{more}", count)
        for what, count in taken.passed_over.items()
    ]
    without_bound = None
    if rules.margins and isinstance(ranking, ModelRanking):
        without_bound = ranking.without_bound(pairs.i, pairs.j)
    before = None
    if rules.capped:
        before = Hubness.of(faces.paths[first.i], faces.paths[first.j], faces.named)
    return Mined(
        path_a=faces.paths[pairs.i],
        path_b=faces.paths[pairs.j],
        scores=pairs.scores,
        faces=faces,
        wanted=n,
        label=label,
        rules=rules,
        ignored=space.ignored,
        unknown=space.unknown,
        excluded=len(space.exclude),
        strangers=space.strangers,
        exact=pairs.exact,
        depth=taken.depth,
        listed=taken.listed,
        dropped=tuple(dropped),
        without_bound=without_bound,
        quantiles=pairs.quantiles,
        before=before,
    )


def refuse_nothing(mined: Mined) -> None:
    """Raise RulesError where the rules let no pair through."""
    if len(mined):
        return
    kind = ("different identities", "one identity")[mined.label]
    why = ", ".join(f"{count:,} {what}" for what, count in mined.dropped if count)
    raise RulesError(
        f"no pair of {kind} keeps to the rules ({', '.join(mined.rules.given) or 'exclude'})"
        + (f": {why}" if why else "")
        + "; loosen them"
    )
