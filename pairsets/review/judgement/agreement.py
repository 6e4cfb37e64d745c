"""Agreement of the people of a review, and the errors of each, while they judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Mask, Rows, Verdicts
from pairsets.evaluation.annotators import PairwiseAgreement
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import UNKNOWN, Rate, clustered_rate
from pairsets.evaluation.kappa import cohen
from pairsets.review.judgement.current_verdicts import NOTHING
from pairsets.review.store.queries import INVALID
from pairsets.review.store.self_agreement import SelfAgreement, self_agreement
from pairsets.review.store.store import Store

# What `_said` holds of a pair; 0 and 1 are as in `human_prediction`.
_DIFFERENT, _SAME = 0, 1


@dataclass(frozen=True)
class Person:
    """Verdicts of one person, counted, and their error rates.

    Attributes:
        name: who.
        judged: how many pairs.
        unsure: pairs that this person could not tell, and has not judged since: no verdicts.
        fpr, fnr: errors against the labels, of the pairs that count; None where no pair of two
            identities, or of one, was judged.
        again: agreement with oneself; None for who was not asked again.
    """

    name: str
    judged: int
    unsure: int
    fpr: Rate | None
    fnr: Rate | None
    again: SelfAgreement | None = None


@dataclass(frozen=True)
class LiveAgreement:
    """Agreement in a review, as `live` finds it.

    Attributes:
        people: all who are written down, who came first before.
        between: every two of them who have a pair in common.
        disagreements: pairs of which two people say different things.
        decided: those of them that a decision settles.
    """

    people: tuple[Person, ...]
    between: tuple[PairwiseAgreement, ...]
    disagreements: int
    decided: int


def live(store: Store) -> LiveAgreement:
    """Agreement and errors by the verdicts that stand now.

    Pairs that the file itself or a decision marks invalid count in no error rate and no kappa: it
    is settled that they say nothing. Other than in `pairsets.evaluation.annotators.agreement`, a
    pair that one person calls invalid counts for the others: what one says changes nobody else's
    rates.
    """
    names, said = _said(store)
    decisions = _numbers(store.settled(), 2)
    counts, settled = store.pairs.valid, np.zeros(len(store.pairs), bool)
    counts[decisions[0][decisions[1] == 1]] = False
    settled[decisions[0]] = True
    ends = Clusters.of(store.pairs)
    known = said != NOTHING
    # Where nobody judged, the highest is -1 and the lowest made 2: not apart, as for one person.
    apart = np.where(known, said, INVALID).min(axis=0, initial=INVALID) < said.max(
        axis=0, initial=NOTHING
    )
    # Rows that the file marks invalid are nobody's to judge; what was imported of them stays apart.
    apart &= store.pairs.valid
    rows = list(zip(names.values(), said, strict=True))
    unsure, again = store.unsure(), self_agreement(store)
    return LiveAgreement(
        people=tuple(
            replace(
                _person(name, mine, unsure.get(number, 0), counts, store.pairs.label, ends),
                again=again.get(name),
            )
            for number, (name, mine) in zip(names, rows, strict=True)
        ),
        between=tuple(
            _two(first, second, one, other, counts, ends)
            for (first, one), (second, other) in combinations(rows, 2)
            if ((one != NOTHING) & (other != NOTHING)).any()
        ),
        disagreements=int(apart.sum()),
        decided=int((apart & settled).sum()),
    )


def _said(store: Store) -> tuple[dict[int, str], Verdicts]:
    """Names of the people by number, and their verdicts that stand, `[people, pairs]`."""
    rows = [row[:3] for row in store.words()]
    # People after verdicts: somebody new may come between the two.
    names = store.annotators
    people, pairs, words = _numbers(rows, 3)
    said = np.full((len(names), len(store.pairs)), NOTHING, np.int8)
    # Numbers of people have gaps.
    place = np.full(max(names, default=0) + 1, -1)
    place[list(names)] = np.arange(len(names))
    said[place[people], pairs] = words
    return names, said


def _numbers(rows: Sequence[tuple[int, ...]], columns: int) -> Rows:
    """The columns of a query whose cells are whole numbers."""
    flat = np.fromiter(chain.from_iterable(rows), np.int64, columns * len(rows))
    return flat.reshape(-1, columns).T


def _person(
    name: str, said: Verdicts, unsure: int, counts: Mask, label: NDArray[np.int8], ends: Clusters
) -> Person:
    told = counts & ((said == _SAME) | (said == _DIFFERENT))
    fpr, fnr = (
        clustered_rate((said != label)[rows], ends.take(rows)) if rows.any() else None
        for rows in (told & (label == 0), told & (label == 1))
    )
    return Person(name, int((said != NOTHING).sum()), unsure, fpr, fnr)


def _two(
    first: str, second: str, one: Verdicts, other: Verdicts, counts: Mask, ends: Clusters
) -> PairwiseAgreement:
    """Two people: agreed is what both call same, different or invalid, without an interval.

    Kappa is of same and different, on the pairs that count and that neither calls invalid.
    """
    both = (one != NOTHING) & (other != NOTHING)
    told = counts & both & (one != INVALID) & (other != INVALID)
    alike, count = int((one == other)[both].sum()), int(both.sum())
    agreed = replace(UNKNOWN, value=alike / count, errors=alike, count=count)
    return PairwiseAgreement(first, second, cohen(one[told], other[told], ends.take(told)), agreed)
