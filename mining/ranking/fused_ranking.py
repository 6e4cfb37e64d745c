"""Several references: a ranking of pairs by the fused quantile of their models, exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexes.base import at_least_one
from mining.errors import FusionError
from mining.ranking.rank_aggregation import (
    Agreement,
    Listed,
    Method,
    agreement,
    fused_quantiles,
    quantiles,
    refuse_method,
)
from mining.ranking.ranked_pairs import RankedPairs, Ranking
from pairsets.faces import Faces
from pairsets.progress import Step
from pairsets.random_set import PairSpace

Rows = NDArray[np.int64]
# Pairs listed of a model at most: 16 bytes a pair for as long as its ranking lives.
LIMIT = 2**22
# A pass over all pairs costs far more than a longer list: begin deep, and go on much deeper.
_FIRST = 2**16
_SPARE = 8
_DEEPER = 4


class Reference:
    """A model that mines together with others; it keeps the longest list that was made of it.

    Args:
        name: of the model.
        ranking: its pairs of different identities, exact and without rules: a quantile is a place
            among all of them, whatever may be taken.
    """

    def __init__(self, name: str, ranking: Ranking) -> None:
        self.name = name
        self.ranking = ranking
        self.depth = 0
        self._listed: Listed | None = None

    def listed(self, depth: int, progress: Step | None = None) -> Listed:
        """Its `depth` best pairs, or more.

        Raises:
            FusionError: the ranking is not exact, or has fewer pairs.
        """
        if self._listed is None or self.depth < depth:
            ranked = self.ranking.top(depth, progress)
            if not ranked.exact:
                raise FusionError(
                    f"the ranking of {self.name} is approximate, so the ranks of its pairs are not "
                    "known; several references need exact rankings"
                )
            if len(ranked) < depth:
                raise FusionError(
                    f"the ranking of {self.name} ends after {len(ranked):,} pairs; a quantile is a "
                    "place among all pairs: put rules on the fused ranking, not on the model's"
                )
            keys = ranked.i * len(self.ranking.faces) + ranked.j
            self._listed, self.depth = Listed.of(keys, ranked.scores), depth
        return self._listed


class FusedRanking:
    """Pairs of different identities by the fused quantile of several models: a `Ranking`.

    See `mining.ranking.rank_aggregation` for the definition, and for why the heads of the models'
    lists are enough. Rules (caps, exclusions) belong behind this ranking, as in
    `mining.ranking.filtered_ranking`.

    Args:
        references: the models, over the same faces.
        method: `mean`: hard for the models taken together; `min`: hard for each of them.
        limit: pairs listed of a model at most (as many as are asked for, if that is more).

    Raises:
        FusionError: no reference, a name twice, another method, or different faces.
        indexes.IndexesError: a limit below 1.
    """

    def __init__(
        self, references: Sequence[Reference], method: Method = "mean", *, limit: int = LIMIT
    ) -> None:
        _refuse_unfit(references, method)
        self.references = tuple(references)
        self.method: Method = method
        self.limit = at_least_one(limit, "limit")
        self.faces: Faces = references[0].ranking.faces
        self.pairs = PairSpace.of(self.faces).count_negatives
        nothing = np.empty((0, len(references)), np.int64)
        self._found = Agreement(nothing[:, 0], nothing, certain=0)
        self._depth = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The references, in the order of the columns of `quantiles`."""
        return tuple(one.name for one in self.references)

    def top(self, depth: int, progress: Step | None = None) -> RankedPairs:
        """The `depth` best pairs, all if fewer exist.

        Their scores are fused quantiles, and `quantiles [M, R]` has each model's own, a column a
        reference. Where the models disagree so much that lists of `limit` pairs do not settle
        what was asked for, `exact` is false: from the first pair that is not `sure`, pairs may be
        missing which some models list and others do not, and there may be fewer than `depth`.
        Scores, quantiles and order of those that are there hold all the same.

        Args:
            depth: 1 or more.
            progress: called with the pairs compared and the pairs in all, over the models; from
                the beginning again where longer lists are needed.

        Raises:
            FusionError: a model's ranking is not exact, or leaves pairs out.
            indexes.IndexesError: a depth below 1.
        """
        wanted = min(at_least_one(depth, "depth"), self.pairs)
        limit = min(max(self.limit, wanted), self.pairs)
        while self._found.certain < wanted and self._depth < limit:
            self._go_deeper(
                min(max(_FIRST, _SPARE * wanted, _DEEPER * self._depth), limit), progress
            )
        keys, ranks = self._found.keys[:wanted], self._found.ranks[:wanted]
        i, j = np.divmod(keys, max(1, len(self.faces)))
        scores = fused_quantiles(ranks, self.pairs, self.method)
        own = quantiles(ranks, self.pairs)
        return RankedPairs(i, j, scores, own, exact=self._found.certain >= wanted)

    def sure(self, i: Rows, j: Rows) -> int:
        """Number of the pairs `i, j [P]` that certainly come before every pair that is not listed.

        Where it is all of a set of the size wanted, that set is exact, whatever rules it was
        taken by.
        """
        keys = i * len(self.faces) + j
        return int(np.isin(keys, self._found.keys[: self._found.certain]).sum())

    def without(self, name: str) -> FusedRanking:
        """The ranking of the other references; of a single one, its own order and quantiles.

        The lists are shared: as a rule it takes no further pass over the pairs.

        Raises:
            FusionError: no reference has this name, or there is no other.
        """
        if name not in self.names:
            raise FusionError(f"no reference {name}; there are {', '.join(self.names)}")
        others = [one for one in self.references if one.name != name]
        return FusedRanking(others, self.method, limit=self.limit)

    def _go_deeper(self, depth: int, progress: Step | None) -> None:
        """List `depth` pairs of each model, and see what they agree on."""
        count = len(self.references)
        lists = [
            one.listed(depth, _part(progress, at, count)) for at, one in enumerate(self.references)
        ]
        self._found = agreement(lists, self.method)
        self._depth = depth


def _part(progress: Step | None, at: int, parts: int) -> Step | None:
    """Progress of one of several passes of equal length, told as that of all of them."""
    if progress is None:
        return None
    return lambda done, total: progress(at * total + done, parts * total)


def _refuse_unfit(references: Sequence[Reference], method: str) -> None:
    if not references:
        raise FusionError("no reference to mine with; expected one or more")
    names = [one.name for one in references]
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise FusionError(f"reference {twice[0]} is given twice")
    refuse_method(method)
    first = references[0]
    for other in references[1:]:
        _refuse_other_faces(first.name, first.ranking.faces, other.name, other.ranking.faces)


def _refuse_other_faces(name_a: str, a: Faces, name_b: str, b: Faces) -> None:
    """Raise FusionError unless `a` and `b` are the same faces of the same identities, in order."""
    if a.paths.equals(b.paths) and np.array_equal(a.identities, b.identities):
        return
    what = f"references {name_a} and {name_b} are over different faces: "
    alone_a, alone_b = set(a.paths) - set(b.paths), set(b.paths) - set(a.paths)
    if alone_a or alone_b:
        first = min(alone_a | alone_b)
        owner, other = (name_a, name_b) if first in alone_a else (name_b, name_a)
        count = len(alone_a | alone_b) - 1
        more = f" (and {count:,} more that only one of them has)" if count else ""
        raise FusionError(
            f"{what}{first!r} is among those of {owner}, not of {other}{more}; were they embedded "
            "from different folders, or before and after a change, or was an image skipped?"
        )
    moved = np.flatnonzero(a.paths != b.paths)
    if moved.size:
        row = int(moved[0])
        raise FusionError(
            f"{what}row {row + 1} is {a.paths[row]!r} and {b.paths[row]!r}; the same faces in "
            "another order: was a table sorted?"
        )
    row = int(np.flatnonzero(a.identities != b.identities)[0])
    raise FusionError(
        f"{what}{a.paths[row]!r} is of {a.identities[row]!r} and {b.identities[row]!r}; was an "
        "identity renamed for one of them?"
    )
