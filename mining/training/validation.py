"""Validation of the network that is being trained, on the identities of the fold held out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex, TopPairs, pair_scores
from mining.errors import TrainingError
from mining.training.configuration import SelectionName, ValidationSettings
from pairsets.arrays import Floats, Rows
from pairsets.evaluation.rates import fpr_at_fnr, roc
from pairsets.random_set import PairSpace

Vectors = NDArray[np.float32]
# Identities whose numbers of pictures differ by less than this factor are searched together.
_ALIKE = 1.5


@dataclass(frozen=True)
class FoldScores:
    """Scores of a network on the fold held out, all from 0 to 1.

    Attributes:
        map_at_r: `mean_average_precision_at_r`; higher is better.
        fpr_random: false positive rate, at the target false negative rate, of the fold's random
            pairs; lower is better.
        fpr_adversarial: the same with the fold's hardest negatives for this very network.

    Raises:
        TrainingError: a score that is no share.
    """

    map_at_r: float
    fpr_random: float
    fpr_adversarial: float

    def __post_init__(self) -> None:
        _refuse_no_shares(self)


@dataclass(frozen=True)
class EpochScores:
    """Scores of an epoch: those of `FoldScores` after it, and the training loss in it.

    Attributes:
        epoch: from 1.
        step: batches that the network had seen by its end, all epochs together.
        map_at_r, fpr_random, fpr_adversarial: as `FoldScores` has them.
        loss: mean training loss of the epoch's batches.

    Raises:
        TrainingError: a score that is no share.
    """

    epoch: int
    step: int
    map_at_r: float
    fpr_random: float
    fpr_adversarial: float
    loss: float

    def __post_init__(self) -> None:
        _refuse_no_shares(self)


def better(
    one: EpochScores | FoldScores, other: EpochScores | FoldScores, select: SelectionName
) -> bool:
    """Whether `one` is better than `other` in what is selected by; equal is not better.

    >>> better(FoldScores(0.5, 0.1, 0.3), FoldScores(0.4, 0.1, 0.2), "map@r")
    True
    >>> better(FoldScores(0.5, 0.1, 0.3), FoldScores(0.4, 0.1, 0.2), "fpr-adversarial")
    False
    """
    if select == "last":
        return True
    if select == "map@r":
        return one.map_at_r > other.map_at_r
    if select == "fpr-random":
        return one.fpr_random < other.fpr_random
    return one.fpr_adversarial < other.fpr_adversarial


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Identities of the fold held out and its random pairs: the same for every epoch.

    Attributes:
        groups: `[N]` number of each picture's identity.
        positives: `[P, 2]` rows of the drawn pairs of one identity.
        negatives: `[M, 2]` rows of the drawn pairs of two identities.
        target_fnr: false negative rate that the false positive rates stand at.
        excluded: `[K, 2]` rows of pairs that are no negatives.
    """

    groups: Rows
    positives: Rows
    negatives: Rows
    target_fnr: float
    excluded: Rows = field(default_factory=lambda: np.empty((0, 2), np.int64))

    @classmethod
    def of(
        cls,
        identities: NDArray[Any],
        settings: ValidationSettings,
        seed: int,
        excluded: Rows | None = None,
    ) -> HeldOut:
        """The fold whose pictures show `identities [N]`, its pairs drawn by `seed`.

        Those of `excluded`, `[K, 2]` rows, are no negatives.
        Of positives and of negatives there are `settings.pairs` each, or all if there are fewer.

        Raises:
            TrainingError: the fold has no positive or no negative pair.
        """
        named, numbers, sizes = np.unique(
            np.asarray(identities, object), return_inverse=True, return_counts=True
        )
        groups = numbers.astype(np.int64)
        space = PairSpace.of_groups(groups)
        if not space.count_positives or not space.count_negatives:
            missing = "positives" if not space.count_positives else "negatives"
            raise TrainingError(
                f"validation.fold {settings.fold} of {settings.folds}: a fold without {missing}: "
                f"{len(groups):,} pictures of {len(named):,} identities, of which "
                f"{np.count_nonzero(sizes > 1):,} have two pictures; expected two identities, one "
                "of them with two pictures. Fewer validation.folds hold out more identities"
            )
        generator = np.random.default_rng(seed)
        same, different = (
            generator.choice(count, min(settings.pairs, count), replace=False).astype(np.int64)
            for count in (space.count_positives, space.count_negatives)
        )
        negatives = np.stack(space.negatives(different), axis=1)
        if excluded is None:
            excluded = np.empty((0, 2), np.int64)
        keys = np.sort(excluded, axis=1) @ [len(groups), 1]
        drawn = np.sort(negatives, axis=1) @ [len(groups), 1]
        return cls(
            groups,
            np.stack(space.positives(same), axis=1),
            negatives[~np.isin(drawn, keys)],
            settings.target_fnr,
            excluded,
        )

    def judge(self, vectors: Vectors) -> FoldScores:
        """Scores of the network that made `vectors [N, D]`, by cosine similarity.

        The adversarial pairs are the same positives and as many negatives as there are random
        ones: those of the whole fold that score highest. The rates are achieved ones, as
        `fpr_at_fnr` has them. The same vectors give the same scores for any number of threads.

        Raises:
            TrainingError: another number of vectors, or one that is not finite or is all zeros.
        """
        index = FlatIndex(_unit(vectors, len(self.groups)))
        unit = index.vectors
        positives, negatives = (
            pair_scores(unit, unit, pairs[:, 0], pairs[:, 1])
            for pairs in (self.positives, self.negatives)
        )
        hardest = self.hardest(index).scores
        return FoldScores(
            mean_average_precision_at_r(index, self.groups),
            *(self._rate(positives, scores) for scores in (negatives, hardest)),
        )

    def hardest(self, index: FlatIndex) -> TopPairs:
        """The negatives of the whole fold that score highest, as many as were drawn."""
        exclude = self.excluded if len(self.excluded) else None
        return index.top_pairs(max(1, len(self.negatives)), self.groups, exclude=exclude)

    def _rate(self, positives: Floats, negatives: Floats) -> float:
        labels = np.repeat([1, 0], [len(positives), len(negatives)])
        return fpr_at_fnr(roc(labels, np.r_[positives, negatives]), self.target_fnr).fpr


def mean_average_precision_at_r(index: FlatIndex, groups: Rows) -> float:
    """MAP@R of retrieval within `index`, 0 to 1 (Musgrave et al., A Metric Learning Reality Check).

    With R the number of other rows in a row's group: the mean over i = 1 .. R of the precision
    among the i nearest rows where the i-th is of the group, of nought where it is not; then the
    mean over all rows but those that are alone in their groups. A row is never its own neighbour;
    of equal scores the lower row is nearer.

    pytorch-metric-learning's `AccuracyCalculator` gives the same number. It asks for as many
    neighbours of every row as the largest group has rows, which on uneven groups takes many
    times as long: here each row is asked for little more than its own R.

    Args:
        index: the vectors `[N, D]`.
        groups: `[N]`.

    Raises:
        TrainingError: every row is alone in its group.

    >>> index = FlatIndex([[1, 0], [0.9, 0.1], [0.8, 0.2], [0, 1]])
    >>> mean_average_precision_at_r(index, np.array([0, 1, 0, 2]))
    0.5
    >>> mean_average_precision_at_r(index, np.array([0, 0, 0, 1]))
    1.0
    """
    _, inverse, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    others = sizes[inverse] - 1
    asked = np.argsort(others, kind="stable")
    asked = asked[others[asked] > 0]
    if not asked.size:
        raise TrainingError(f"MAP@R of {len(groups):,} rows, each alone in its group")
    precisions = np.empty(len(groups), np.float64)
    start = 0
    while start < len(asked):
        widest = int(_ALIKE * others[asked[start]])
        end = int(np.searchsorted(others[asked], widest, side="right"))
        rows = asked[start:end]
        found = _neighbours(index, rows, int(others[rows[-1]]))
        precisions[rows] = _average_precisions(groups[found] == groups[rows, None], others[rows])
        start = end
    # In the order of the rows, whatever they were searched in.
    return float(precisions[np.sort(asked)].mean())


def _neighbours(index: FlatIndex, rows: Rows, k: int) -> Rows:
    """The k nearest other rows of each of `rows`, `[len(rows), k]`."""
    found = index.search(index.vectors[rows], k + 1).rows
    own = found == rows[:, None]
    # Among many equal rows a row may not be one of its own k + 1 nearest.
    own[~own.any(axis=1), -1] = True
    return np.asarray(found[~own].reshape(len(rows), k), np.int64)


def _average_precisions(alike: NDArray[np.bool_], others: Rows) -> Floats:
    """Average precision at R of rows whose neighbours, nearest first, are `alike [Q, K]`."""
    ranks = np.arange(1, alike.shape[1] + 1)
    hits = alike & (ranks <= others[:, None])
    precisions = np.where(hits, np.cumsum(hits, axis=1) / ranks, 0.0)
    return np.asarray(precisions.sum(axis=1) / others, np.float64)


def _unit(vectors: Vectors, count: int) -> Vectors:
    """The vectors at unit length; refused where they have none."""
    if vectors.ndim != 2 or len(vectors) != count:
        raise TrainingError(
            f"vectors of shape {vectors.shape} for a fold of {count:,} pictures; expected one each"
        )
    lengths = np.sqrt(np.square(vectors, dtype=np.float64).sum(axis=1))
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if wrong.size:
        raise TrainingError(
            f"{wrong.size:,} of {count:,} vectors of the held-out fold are not finite or all "
            f"zeros, the first that of picture {wrong[0] + 1:,}: the network has diverged; a lower "
            "optimizer.lr or a warmup may help"
        )
    return np.asarray(vectors / lengths[:, None], np.float32)


def _refuse_no_shares(scores: FoldScores | EpochScores) -> None:
    for name in ("map_at_r", "fpr_random", "fpr_adversarial"):
        value = getattr(scores, name)
        if not 0 <= value <= 1:
            raise TrainingError(f"{name} of {value!r}; expected a share from 0 to 1")
