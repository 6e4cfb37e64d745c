"""Occurrence caps: the best pairs in which no image, character or two characters come too often.

They are defined over the whole ranking (see `mining.greedy`), which is too long to list, so as
much of it is looked through as is needed: twice the pairs wanted, then four times as deep each
time. Below `DEEPEST` pairs, the search goes on under the last one without the faces and characters
that are used up. Nothing is lost by that: a pair looked at is either taken or has something that
is used up, and what is used up stays so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from indexes.base import at_least_one
from mining.greedy import REASONS as REASONS
from mining.greedy import Greedy
from mining.ranking import DeepRanking, Progress, Ranked, Ranking
from mining.rules import Rules

Mask = NDArray[np.bool_]
# Pairs that are listed at once, whatever the caps.
DEEPEST = 2**22


@dataclass(frozen=True, eq=False)
class Taken:
    """The pairs of a ranking that the caps let through, best first.

    Attributes:
        pairs: those taken; `exact` is false too where there are too few because the ranking could
            not be followed to its end.
        first: as many of the best pairs, caps aside.
        depth: the rank, caps aside, of the last pair taken; 0 if none was.
        passed_over: how many pairs each cap left out, by `REASONS`; a pair counts under the first
            of them that was used up.
        listed: false where the ranking was too long to be listed so far; `depth` and
            `passed_over` are then lower bounds.
    """

    pairs: Ranked
    first: Ranked
    depth: int
    passed_over: dict[str, int] = field(default_factory=dict)
    listed: bool = True


def take(
    ranking: Ranking,
    n: int,
    rules: Rules,
    progress: Progress | None = None,
    *,
    deepest: int | None = None,
) -> Taken:
    """The n best pairs within the occurrence caps of `rules`; all that they allow if fewer.

    Args:
        ranking: what to take from; every other rule is its own. One that is no `DeepRanking` is
            followed down to `deepest`.
        n: how many.
        rules: with the caps.
        progress: of each search, one after the other.
        deepest: pairs to list at once; `DEEPEST` by default, and never less than twice n.

    Raises:
        indexes.IndexesError: n below 1.
    """
    n = at_least_one(n, "n")
    if not rules.capped:
        best = ranking.top(n, progress)
        return Taken(best, best, len(best))
    deepest = max(DEEPEST if deepest is None else deepest, 2 * n)
    depth = 2 * n
    while True:
        ranked = ranking.top(depth, progress)
        greedy = Greedy(ranking.faces, n, rules)
        parts = [_of(ranked, greedy.offer(ranked.i, ranked.j))]
        if greedy.wanted == 0 or len(ranked) < depth or depth == deepest:
            break
        depth = min(4 * depth, deepest)
    last, more = ranked, len(ranked) == depth
    while greedy.wanted and more and isinstance(ranking, DeepRanking):
        ask = min(4 * max(len(last), greedy.wanted), deepest)
        last = ranking.below(ask, greedy.spent(parts, float(last.scores[-1])), progress)
        parts.append(_of(last, greedy.offer(last.i, last.j)))
        if len(last) and not len(parts[-1]):
            # The first of what is left can always be taken; else this would never end.
            raise RuntimeError(f"{type(ranking).__name__}.below returned what is used up")
        more = len(last) == ask
    taken = _joined(parts)
    if greedy.wanted and more:
        taken = replace(taken, exact=False)
    return Taken(
        pairs=taken,
        first=_of(ranked, np.arange(len(ranked)) < n),
        depth=greedy.depth,
        passed_over=greedy.passed_over,
        listed=len(parts) == 1 and not (greedy.wanted and more),
    )


def _of(ranked: Ranked, kept: Mask) -> Ranked:
    quantiles = None if ranked.quantiles is None else ranked.quantiles[kept]
    return Ranked(ranked.i[kept], ranked.j[kept], ranked.scores[kept], quantiles, ranked.exact)


def _joined(parts: list[Ranked]) -> Ranked:
    quantiles = [part.quantiles for part in parts if part.quantiles is not None]
    return Ranked(
        i=np.concatenate([part.i for part in parts]),
        j=np.concatenate([part.j for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        quantiles=np.concatenate(quantiles) if len(quantiles) == len(parts) else None,
        exact=all(part.exact for part in parts),
    )
