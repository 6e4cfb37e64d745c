"""Protocols of LFW and IJB: accuracy over folds, and TAR at fixed FAR.

Pure functions of labels and scores. A pair is accepted if score >= threshold, as in
`pairsets.evaluation.rates`, and one that scores -inf never is; TAR is 1 - FNR and FAR is FPR in the
words of those benchmarks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Counts, Floats, Mask, Rows
from pairsets.errors import ScoresError
from pairsets.evaluation.rates import fnr_at_fpr, is_resolvable, refuse_unknown, roc

# The FARs that IJB-B and IJB-C are reported at.
FARS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    """Accuracy fold by fold, each at the threshold that the others chose.

    Attributes:
        numbers: `[K]`, of the folds, rising.
        accuracy: `[K]`, share of the fold's pairs that are judged right.
        threshold: `[K]`, finite.
        pairs: `[K]`, how many the fold has.
    """

    numbers: Rows
    accuracy: Floats
    threshold: Floats
    pairs: Counts

    def __len__(self) -> int:
        """Number of folds."""
        return len(self.accuracy)

    @property
    def mean(self) -> float:
        """The mean accuracy of the folds, each counting alike."""
        return float(self.accuracy.mean())

    @property
    def standard_error(self) -> float:
        """Standard error of the mean: the deviation over folds (K - 1) divided by sqrt(K)."""
        return float(self.accuracy.std(ddof=1) / len(self) ** 0.5)


@dataclass(frozen=True)
class TarAtFar:
    """The best TAR whose FAR does not exceed a target.

    Attributes:
        far: the target.
        tar: at `threshold`.
        threshold: the lowest that keeps to the target; +inf where a negative scores highest.
        achieved: the FAR at `threshold`.
        resolvable: whether there are so many negatives that one wrong keeps to the target; if
            not, `achieved` is 0, and says nothing of the target.
    """

    far: float
    tar: float
    threshold: float
    achieved: float
    resolvable: bool


def fold_accuracy(labels: ArrayLike, scores: ArrayLike, folds: ArrayLike) -> FoldAccuracy:
    """The protocol of LFW's view 2 (Huang et al. 2007), restricted and unrestricted alike.

    Each fold is judged at the threshold that is most accurate on all other folds. Thresholds that
    are tried lie half-way between neighbouring scores of those folds, and at both ends; of several
    equally accurate ones the middle one counts, the lower of two.

    Args:
        labels: `[N]`, 1 positive, 0 negative.
        scores: `[N]`, higher is more alike; a pair that scores -inf is rejected at any threshold.
        folds: `[N]`, the number of each pair's fold; any numbers, in any order.

    Raises:
        ScoresError: other lengths, scores of nan or +inf, fewer than two folds, a fold without
            positives or negatives, one beside which no pair has a score.

    >>> found = fold_accuracy([1, 0, 1, 0], [0.9, 0.2, 0.6, 0.4], [1, 1, 2, 2])
    >>> found.mean, found.threshold.tolist()
    (1.0, [0.5, 0.55])
    """
    positive, values = np.asarray(labels) == 1, np.asarray(scores, np.float64)
    if values.ndim != 1 or positive.shape != values.shape:
        raise ScoresError(f"scores of shape {values.shape} for labels of shape {positive.shape}")
    refuse_unknown(values)
    numbers, fold = checked_folds(positive, folds)
    order = np.argsort(values)
    ranked, truth, fold = values[order], positive[order], fold[order]
    accuracy, threshold = np.empty(len(numbers)), np.empty(len(numbers))
    for at in range(len(numbers)):
        mine = fold == at
        # Those without a score are rejected whatever the threshold, so that they choose none.
        chooses = ~mine & (ranked > -np.inf)
        if not chooses.any():
            raise ScoresError(f"no pair outside fold {numbers[at]} has a score to choose by")
        threshold[at] = _most_accurate(ranked[chooses], truth[chooses])
        accuracy[at] = ((ranked[mine] >= threshold[at]) == truth[mine]).mean()
    return FoldAccuracy(numbers, accuracy, threshold, np.bincount(fold))


def checked_folds(labels: ArrayLike, folds: ArrayLike) -> tuple[Rows, Rows]:
    """The distinct folds `[K]`, sorted, and the place among them of each pair's `[N]`.

    Raises:
        ScoresError: other lengths, fewer than two folds, a fold without positives or negatives.
    """
    positive, given = np.asarray(labels) == 1, np.asarray(folds)
    if given.shape != positive.shape:
        raise ScoresError(f"folds of shape {given.shape} for labels of shape {positive.shape}")
    numbers, fold = np.unique(given, return_inverse=True)
    if len(numbers) < 2:
        raise ScoresError(
            f"{len(numbers)} fold{'s' * (len(numbers) != 1)}; each is judged at a threshold that "
            "the others choose, so expected two or more"
        )
    for kind, rows in (("positive", positive), ("negative", ~positive)):
        counts = np.bincount(fold[rows], minlength=len(numbers))
        if not counts.all():
            raise ScoresError(
                f"fold {numbers[counts.argmin()]} has no {kind} pair; expected both kinds in each"
            )
    return numbers, fold


def tar_at_far(
    labels: ArrayLike, scores: ArrayLike, fars: Sequence[float] = FARS
) -> list[TarAtFar]:
    """The 1:1 protocol of IJB: the highest TAR over thresholds whose FAR is at most each target.

    A threshold is among the scores, so that real pairs reach both rates; others take the vertex of
    the ROC *nearest* to the target, which may exceed it.

    Raises:
        ScoresError: other lengths, scores of nan or +inf, one class only, a FAR that is no share.

    >>> tar_at_far([1, 0, 1, 0], [0.9, 0.8, 0.7, 0.1], [0.5])[0].tar
    1.0
    """
    curve = roc(labels, scores)
    found = []
    for far in fars:
        at = fnr_at_fpr(curve, far)
        resolvable = is_resolvable(far, curve.negatives)
        found.append(TarAtFar(far, 1.0 - at.fnr, at.threshold, at.fpr, resolvable))
    return found


def _most_accurate(ranked: Floats, truth: Mask) -> float:
    """The threshold that judges most of the pairs right; `ranked` is rising."""
    # A cut is how many pairs are rejected; it may not part equal scores.
    cuts = np.r_[0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1, ranked.size]
    rejected = np.r_[0, np.cumsum(truth)][cuts]
    right = (cuts - rejected) + (truth.sum() - rejected)
    best = np.flatnonzero(right == right.max())
    cut = int(cuts[best[(best.size - 1) // 2]])
    if cut == 0:
        return float(ranked[0])
    if cut == ranked.size:
        return float(np.nextafter(ranked[-1], np.inf))
    low, high = float(ranked[cut - 1]), float(ranked[cut])
    half = low / 2 + high / 2
    # Between neighbouring floats there is none: `high` itself parts them.
    return half if low < half < high else high
