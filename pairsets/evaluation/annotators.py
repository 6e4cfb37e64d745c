"""Several people judged the same pairs: how often each errs, and how far they agree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pairsets.arrays import Mask
from pairsets.errors import PairSetError
from pairsets.evaluation.annotator_files import common_pairs
from pairsets.evaluation.clusters import By, Clusters
from pairsets.evaluation.human import HumanRates, human_rates
from pairsets.evaluation.intervals import UNKNOWN, Rate, clustered_rate
from pairsets.evaluation.kappa import Kappa, cohen, fleiss
from pairsets.pairset import PairSet


@dataclass(frozen=True)
class PairwiseAgreement:
    """Agreement of two people, on the pairs that both judged.

    Attributes:
        first, second: who.
        kappa: Cohen's.
        agreed: share of the pairs of which both say the same (`errors` are these pairs).
        positives, negatives: the same of the pairs of one identity, and of two, where asked for.
        only_first, only_second: pairs that the one takes for one identity and the other does not,
            where asked for.
    """

    first: str
    second: str
    kappa: Kappa
    agreed: Rate
    positives: Rate = UNKNOWN
    negatives: Rate = UNKNOWN
    only_first: int = 0
    only_second: int = 0


@dataclass(frozen=True, eq=False)
class Agreement:
    """Agreement of several people on one set, as `agreement` finds it.

    Kappa hangs on the mix of labels, which in a pair set is somebody's choice: compare kappas of
    one set, not of two.

    Attributes:
        people: who judged.
        rates: each person's errors.
        between: every two people.
        fleiss: of all people, on the pairs that everybody judged; None for one person alone.
        majority: errors of the majority vote, as a further person; None for one person alone, or
            where no pair has a majority.
        pairs: valid for everybody.
        invalid: marked invalid by anybody, and left out.
        judged_by: `[K + 1]`: of the pairs, those that so many people judged.
        unanimous: judged by everybody, all saying the same.
        ties: judged by two or more who are evenly split: no majority.
    """

    people: tuple[str, ...]
    rates: Mapping[str, HumanRates]
    between: tuple[PairwiseAgreement, ...]
    fleiss: Kappa | None
    majority: HumanRates | None
    pairs: int
    invalid: int
    judged_by: tuple[int, ...]
    unanimous: int
    ties: int


def agreement(annotated: Mapping[str, PairSet], *, clusters: By = "identity") -> Agreement:
    """Errors of each person, and how far several people agree.

    A pair that anybody marked invalid is left out for all. Errors of a person are over what they
    judged, those of two people over what both judged; Fleiss' kappa is of the pairs that everybody
    judged, since it asks for equally many verdicts a pair.

    Args:
        annotated: by person, the same pairs in the same rows, as of `read_annotators`.
        clusters: what pairs share that makes them depend on one another.

    Raises:
        PairSetError: nobody, other pairs, no pair valid for everybody, or somebody judged none.
    """
    common = _common(annotated)
    ends = Clusters.of(next(iter(common.values())), clusters)
    said = np.stack([one.human_prediction for one in common.values()])
    rates = {}
    for name, pairs in common.items():
        if not pairs.judged.any():
            raise PairSetError(f"{name} judged none of the {len(pairs)} pairs valid for everybody")
        rates[name] = human_rates(pairs, clusters)
    voted = majority(common) if len(common) > 1 else None
    judges = (said >= 0).sum(axis=0)
    all_judged = judges == len(common)
    same = (said == 1).sum(axis=0)
    table = np.stack([judges - same, same], axis=1)[all_judged]
    return Agreement(
        people=tuple(common),
        rates=rates,
        between=tuple(
            _between(first, second, common, ends) for first, second in combinations(common, 2)
        ),
        fleiss=fleiss(table, ends.take(all_judged)) if len(common) > 1 else None,
        majority=(
            human_rates(voted, clusters) if voted is not None and voted.judged.any() else None
        ),
        pairs=said.shape[1],
        invalid=len(next(iter(annotated.values()))) - said.shape[1],
        judged_by=tuple(np.bincount(judges, minlength=len(common) + 1).tolist()),
        unanimous=int((table == 0).any(axis=1).sum()),
        ties=int(((judges > 1) & (2 * same == judges)).sum()),
    )


def majority(annotated: Mapping[str, PairSet]) -> PairSet:
    """The pairs with the verdict of more than half of those who judged them, two at least.

    Where they are evenly split, or fewer than two judged, a pair is not judged. Two people have a
    majority only where they agree, which leaves out the pairs that are hard for people: an odd
    number of people loses none. Rows are invalid where anybody marked them.

    Raises:
        PairSetError: nobody, or other pairs.

    >>> pairs = [PairSet.of(["a/1"], ["b/1"], [0], [said]) for said in (1, 0, 1)]
    >>> majority(dict(zip("xyz", pairs))).human_prediction.tolist()
    [1]
    """
    first = common_pairs(annotated)
    said = np.stack([one.human_prediction for one in annotated.values()])
    judges, same = (said >= 0).sum(axis=0), (said == 1).sum(axis=0)
    verdict = np.where(2 * same > judges, 1, 0)
    verdict[(judges < 2) | (2 * same == judges)] = -1
    invalid = np.max([one.invalid for one in annotated.values()], axis=0)
    return replace(first, human_prediction=verdict.astype(np.int8), invalid=invalid)


def _between(
    first: str, second: str, common: Mapping[str, PairSet], clusters: Clusters
) -> PairwiseAgreement:
    one, two = common[first].human_prediction, common[second].human_prediction
    both = (one >= 0) & (two >= 0)
    label = common[first].label

    def agreed(rows: Mask) -> Rate:
        return clustered_rate((one == two)[rows], clusters.take(rows))

    return PairwiseAgreement(
        first,
        second,
        cohen(one[both], two[both], clusters.take(both)),
        agreed(both),
        agreed(both & (label == 1)),
        agreed(both & (label == 0)),
        int((both & (one > two)).sum()),
        int((both & (one < two)).sum()),
    )


def _common(annotated: Mapping[str, PairSet]) -> dict[str, PairSet]:
    """Everybody's verdicts on the pairs that are valid for all."""
    first = common_pairs(annotated)
    valid = np.all([pairs.valid for pairs in annotated.values()], axis=0)
    if not valid.any():
        raise PairSetError(
            f"none of the {len(first)} pairs is valid for everybody: somebody marked each invalid"
        )
    return {name: pairs.take(valid) for name, pairs in annotated.items()}
