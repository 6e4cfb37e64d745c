"""A pair set and its scores -> the rates ZACI-20 reports, and more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.errors import PairSetError, ScoresError
from pairsets.pairset import PairSet
from pairsets.rates import (
    area_under,
    checked_share,
    equal_error,
    fpr_at_fnr,
    fpr_at_fnr_interpolated,
    roc,
)

# What the original evaluator uses where no person judged the pairs: the human FNR on its own set.
DEFAULT_TARGET_FNR = 0.139


@dataclass(frozen=True)
class HumanRates:
    """A person's errors on the judged, valid rows.

    `fpr` or `fnr` is nan where no negative or positive was judged.
    """

    fpr: float
    fnr: float
    positives: int
    negatives: int
    unjudged: int


@dataclass(frozen=True)
class Evaluation:
    """What a model's scores are worth on a pair set.

    Attributes:
        target_fnr: the FNR at which FPR is reported.
        fpr_interpolated: FPR at that FNR as the original `evaluate.py` computes it.
        fpr_achieved, fnr_achieved, threshold: the rates of the highest threshold whose FNR does
            not exceed the target, and that threshold (accept if score >= threshold).
        eer, eer_threshold: see `pairsets.rates.equal_error`.
        auc: area under the ROC, ties counted half.
        positives, negatives: valid rows of each kind; `invalid`: rows left out.
    """

    target_fnr: float
    fpr_interpolated: float
    fpr_achieved: float
    fnr_achieved: float
    threshold: float
    eer: float
    eer_threshold: float
    auc: float
    positives: int
    negatives: int
    invalid: int


def human_rates(pairs: PairSet) -> HumanRates:
    """FPR and FNR of `human_prediction` over the valid rows that were judged.

    Raises:
        PairSetError: no valid row was judged.
    """
    judged = pairs.judged
    if not judged.any():
        raise PairSetError("no valid pair was judged: human_prediction is -1 in all of them")
    wrong = pairs.human_prediction != pairs.label

    def rate(label: int) -> tuple[float, int]:
        rows = judged & (pairs.label == label)
        return (float(wrong[rows].mean()) if rows.any() else float("nan")), int(rows.sum())

    fpr, negatives = rate(0)
    fnr, positives = rate(1)
    return HumanRates(fpr, fnr, positives, negatives, int(pairs.valid.sum() - judged.sum()))


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
        return human_rates(pairs).fnr
    return checked_share(float(target_fnr))


def evaluate(
    pairs: PairSet, scores: ArrayLike, target_fnr: float | str | None = None
) -> Evaluation:
    """Evaluate `scores [N]`, one a row of `pairs`; invalid rows are left out.

    Args:
        pairs: the pair set.
        scores: higher is more alike; those of invalid rows are not looked at.
        target_fnr: a share, `"human"` (the person's FNR on these pairs), or None: human where
            every valid pair was judged, else 0.139 as in the original evaluator.

    Raises:
        ScoresError: another number of scores, values that are not finite, one class only.
        PairSetError: the human FNR is asked for and pairs are not judged.
    """
    values = np.asarray(scores, np.float64)
    if values.shape != (len(pairs),):
        raise ScoresError(f"scores of shape {values.shape} for {len(pairs)} pairs")
    wrong = np.flatnonzero(pairs.valid & ~np.isfinite(values))
    if wrong.size:
        row = int(wrong[0])
        raise ScoresError(
            f"{wrong.size} scores are not finite, the first of pair {row + 1} "
            f"({pairs.path_a[row]}, {pairs.path_b[row]}): {values[row]}"
        )
    invalid = int((~pairs.valid).sum())
    try:
        curve = roc(pairs.label[pairs.valid], values[pairs.valid])
    except ScoresError as error:
        left = f" (after {invalid} invalid pairs were left out)" if invalid else ""
        raise ScoresError(f"{error}{left}") from None
    target = resolve_target(pairs, target_fnr)
    achieved = fpr_at_fnr(curve, target)
    eer, eer_threshold = equal_error(curve)
    return Evaluation(
        target_fnr=target,
        fpr_interpolated=fpr_at_fnr_interpolated(curve, target),
        fpr_achieved=achieved.fpr,
        fnr_achieved=achieved.fnr,
        threshold=achieved.threshold,
        eer=eer,
        eer_threshold=eer_threshold,
        auc=area_under(curve),
        positives=curve.positives,
        negatives=curve.negatives,
        invalid=invalid,
    )
