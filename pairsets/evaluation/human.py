"""Errors of a person who judged the pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairsets.errors import PairSetError, ScoresError
from pairsets.evaluation.clusters import By, Clusters
from pairsets.evaluation.intervals import CONFIDENCE, Rate, clustered_rate
from pairsets.evaluation.rates import checked_share
from pairsets.pairset import PairSet

# What the original evaluator uses where no person judged the pairs: the human FNR on its own set.
DEFAULT_TARGET_FNR = 0.139


@dataclass(frozen=True)
class HumanRates:
    """A person's errors on the judged, valid rows.

    `fpr` or `fnr` is nan where no negative or positive was judged; `fpr_rate` and `fnr_rate` are
    the same with their clustered intervals.
    """

    fpr: float
    fnr: float
    positives: int
    negatives: int
    unjudged: int
    fpr_rate: Rate
    fnr_rate: Rate


def human_rates(
    pairs: PairSet, clusters: By = "identity", confidence: float = CONFIDENCE
) -> HumanRates:
    """FPR and FNR of `human_prediction` over the valid rows that were judged.

    Raises:
        PairSetError: no valid row was judged.
    """
    judged = pairs.judged
    if not judged.any():
        raise PairSetError("no valid pair was judged: human_prediction is -1 in all of them")
    wrong = np.asarray(pairs.human_prediction != pairs.label)
    ends = Clusters.of(pairs, clusters)
    fpr, fnr = (
        clustered_rate(wrong[rows], ends.take(rows), confidence)
        for rows in (judged & (pairs.label == 0), judged & (pairs.label == 1))
    )
    unjudged = int(pairs.valid.sum() - judged.sum())
    return HumanRates(fpr.value, fnr.value, fnr.count, fpr.count, unjudged, fpr, fnr)


def is_judged(pairs: PairSet) -> bool:
    """Whether a person judged every valid row, positives among them."""
    valid = pairs.valid
    return bool((pairs.human_prediction[valid] >= 0).all() and (pairs.label[valid] == 1).any())


def resolve_target(pairs: PairSet, target_fnr: float | str | None) -> float:
    """The FNR to report at: a share, `"human"`, or None for human where judged, else 0.139.

    Raises:
        ScoresError: another word, or a number that is no share.
        PairSetError: the human FNR is asked for and pairs are not judged.
    """
    if target_fnr is None:
        target_fnr = "human" if is_judged(pairs) else DEFAULT_TARGET_FNR
    if isinstance(target_fnr, str):
        if target_fnr != "human":
            raise ScoresError(f"a target FNR of {target_fnr!r}; expected a number or 'human'")
        if not is_judged(pairs):
            waiting = int((pairs.human_prediction[pairs.valid] < 0).sum())
            raise PairSetError(
                f"the human FNR was asked for, but {waiting} valid pairs are not judged; "
                f"give a number such as {DEFAULT_TARGET_FNR}"
            )
        rows = pairs.positives
        return float((pairs.human_prediction[rows] != 1).mean())
    return checked_share(float(target_fnr))
