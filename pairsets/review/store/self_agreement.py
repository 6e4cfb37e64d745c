"""Agreement of each person of a review with oneself, on the pairs that were asked again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.intervals import Rate, clustered_rate
from pairsets.review.store.store import Store


@dataclass(frozen=True)
class SelfAgreement:
    """Second answers of one person, counted.

    Attributes:
        alike: of the pairs answered twice, those that were called the same thing both times: same,
            different or invalid, whatever the reason. Its interval counts identities, as that of
            every rate of a pair set (`clustered_rate`). `errors` are the pairs called alike. None
            where no pair was answered twice.
        unsure: pairs judged the first time, and told neither same nor different nor invalid the
            second; they are in no share.
    """

    alike: Rate | None
    unsure: int


def self_agreement(store: Store) -> dict[str, SelfAgreement]:
    """By name, of who was asked again and answered at least once.

    The first answer is taken as it was given then: what was changed afterwards, with the label in
    sight perhaps, tells nothing of how steadily somebody judges.
    """
    found: dict[str, list[tuple[int, bool]]] = {}
    for one in store.repeats():
        found.setdefault(one.annotator, []).append((one.pair, one.is_alike))
    unsure = {store.annotators[who]: count for who, count in store.unsure_again().items()}
    ends = Clusters.of(store.pairs)
    result = {}
    for name in [name for name in store.annotators.values() if name in {*found, *unsure}]:
        alike, asked = (np.zeros(len(store.pairs), bool) for _ in range(2))
        for pair, is_alike in found.get(name, ()):
            asked[pair], alike[pair] = True, is_alike
        share = clustered_rate(alike[asked], ends.take(asked)) if asked.any() else None
        result[name] = SelfAgreement(share, unsure.get(name, 0))
    return result
