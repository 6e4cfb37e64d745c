"""History of a review: judged pairs with their names, all verdicts, and disagreements."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from pairsets.arrays import Mask
from pairsets.review.judgement.current_verdicts import NOTHING, NUMBERS, Standing
from pairsets.review.judgement.session import Review
from pairsets.review.store.queries import INVALID
from pairsets.review.store.verdicts import VerdictRecord
from pairsets.review.web.messages import (
    DisagreementsQuery,
    Doubted,
    Face,
    HistoryQuery,
    Listing,
    Opinion,
    Pair,
)
from pairsets.review.web.pictures import ServedPictures


class History:
    """The judged pairs of a review, as one person may see them.

    Lists go on after the last line of the page before, by its place in the order and not by how
    many there were: what is judged meanwhile shifts nothing.
    """

    def __init__(self, review: Review, pictures: ServedPictures) -> None:
        self._store, self._board, self._scores = review.store, review.board, review.scores
        self._pictures = pictures
        self._standing = Standing(review.store)
        pairs = self._store.pairs
        folded = {path: path.casefold() for path in pairs.paths}
        self._texts = [
            (folded[a], folded[b]) for a, b in zip(pairs.path_a, pairs.path_b, strict=True)
        ]

    def pair(self, annotator: int, pair: int) -> Pair:
        """One pair with what was said of it; its names only if this person knows it."""
        seen = {pair} if self.is_known(annotator, pair) else set()
        return self._pairs(annotator, [pair], seen)[0]

    def is_known(self, annotator: int, pair: int) -> bool:
        """Whether this person has judged or decided a pair, and may so see all of it."""
        self._standing.sync()
        return bool(self._standing.known_to(annotator)[pair])

    def is_disputed(self, pair: int) -> bool:
        """Whether people say different things of a pair, or that was decided."""
        self._standing.sync()
        return bool(self._standing.disputed[pair])

    def judged(self, annotator: int, query: HistoryQuery) -> Listing:
        """List the pairs that this person judged, the latest first."""
        standing = self._standing
        standing.sync()
        words, events = standing.of(annotator)
        mask = words != NOTHING
        if query.verdict:
            mask &= words == NUMBERS[query.verdict]
        if query.who:
            others = {name: number for number, name in self._store.annotators.items()}
            mask &= standing.of(others[query.who])[0] != NOTHING if query.who in others else False
        if query.text:
            mask &= self._found(query.text)
        if query.show == "disagreements":
            mask &= standing.disputed
        elif query.show == "undecided":
            mask &= standing.apart & ~standing.decided
        elif query.show == "wrong":
            mask &= (words != INVALID) & (words != self._store.pairs.label)
        elif query.show == "suspects":
            suspects = np.zeros_like(mask)
            suspects[list(self._store.suspects())] = True
            mask &= suspects
        rows = np.flatnonzero(mask)
        order = rows[np.argsort(-events[rows], kind="stable")]
        if query.after:
            order = order[events[order] < int(query.after)]
        shown = order[: query.limit].tolist()
        return Listing(
            pairs=self._pairs(annotator, shown, set(shown)),
            next=str(events[shown[-1]]) if len(order) > query.limit else None,
            total=len(rows),
        )

    def disagreements(self, annotator: int, query: DisagreementsQuery) -> Listing:
        """The pairs that people disagree on, those not decided first.

        What others said of a pair that this person has neither judged nor decided is told only
        where that is asked for; its names not even then.
        """
        self._standing.sync()
        decided = self._standing.decided.copy()
        known = self._standing.known_to(annotator)
        mask = self._standing.disputed
        if query.show == "undecided":
            mask = mask & ~decided
        if not query.unjudged:
            mask = mask & known
        rows = np.flatnonzero(mask)
        order = rows[np.argsort(decided[rows], kind="stable")]
        if query.after:
            group, pair = (int(part) for part in query.after.split("-"))
            later = (decided[order] > group) | ((decided[order] == group) & (order > pair))
            order = order[later]
        shown = order[: query.limit].tolist()
        seen = {pair for pair in shown if known[pair]}
        more = len(order) > query.limit
        return Listing(
            pairs=self._pairs(annotator, shown, seen),
            next=f"{int(decided[shown[-1]])}-{shown[-1]}" if more else None,
            total=len(rows),
        )

    def _found(self, text: str) -> Mask:
        """The pairs with a path that holds a text, whatever the case."""
        wanted = text.casefold()
        return np.array([wanted in a or wanted in b for a, b in self._texts], bool)

    def _pairs(self, annotator: int, pairs: Sequence[int], seen: set[int]) -> list[Pair]:
        """Pairs as this person may see them: names and the rest of those `seen` alone."""
        said = _opinions(self._store.opinions(pairs))
        decided = _opinions(self._store.opinions(pairs, decided=True))
        doubted = {
            pair: Doubted(kinds=kinds, reason=reason)
            for pair, (kinds, reason) in self._store.suspects_among(pairs).items()
        }
        found = []
        for pair in pairs:
            names = pair in seen
            left, right = self._faces(annotator, pair, names)
            found.append(
                Pair(
                    pair=pair,
                    left=left,
                    right=right,
                    label=self._label(pair) if names else None,
                    scores=self._scores_of(pair) if names else None,
                    suspect=doubted.get(pair) if names else None,
                    said=said[pair],
                    decision=next(iter(decided[pair]), None),
                )
            )
        return found

    def _faces(self, annotator: int, pair: int, names: bool) -> list[Face]:
        """Left and right face of a pair, as this person saw them."""
        paths = [self._store.pairs.path_a[pair], self._store.pairs.path_b[pair]]
        if self._board.is_swapped(annotator, pair):
            paths.reverse()
        return [
            Face(
                image=self._pictures.address(path),
                path=path if names else None,
                identity=self._store.pairs.identity(path) if names else None,
            )
            for path in paths
        ]

    def _label(self, pair: int) -> Literal["same", "different"]:
        return "same" if self._store.pairs.label[pair] == 1 else "different"

    def _scores_of(self, pair: int) -> dict[str, float | None]:
        found = {model: float(scores[pair]) for model, scores in self._scores.items()}
        return {model: one if math.isfinite(one) else None for model, one in found.items()}


def _opinions(said: Iterable[VerdictRecord]) -> dict[int, list[Opinion]]:
    found: dict[int, list[Opinion]] = defaultdict(list)
    for one in said:
        found[one.pair].append(
            Opinion(
                annotator=one.annotator,
                verdict=one.verdict.word,
                reason=one.verdict.reason,
                at=one.at,
                seconds=one.seconds,
            )
        )
    return found
