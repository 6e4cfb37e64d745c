"""The threshold for a target FPR, from all pairs of some faces or from a list of scored pairs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from indexes.join import SearchOptions
from indexes.join.gallery import search_gallery
from mining.embeddings.store import Embeddings
from mining.errors import RunError
from mining.scores.face_trials import FaceTrials
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.evaluator import settled
from pairsets.evaluation.intervals import UNKNOWN, clustered_rate
from pairsets.evaluation.missing_scores import Missing
from pairsets.evaluation.threshold import (
    FOLDS,
    TARGET_FPR,
    SetRates,
    Threshold,
    repeats_for,
    set_threshold,
)
from pairsets.evaluation.trials import PairTrials
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

# Faces whose pairs are all counted within minutes, and those whose nearest other is looked for.
MOST_FACES, _PROBES = 50_000, 5_000
# Of the rates that a threshold has on the hardest pairs of a folder.
LOOK_ALIKES = "look-alikes"
# Looks at all pairs beside those of the cross-validation, and the share of them in one of its
# parts: twice those of four fifths of the identities, once those of one.
_LOOKS, _OF_PART = 7, 2 * (1 - 1 / FOLDS) ** 2 + 1 / FOLDS**2


def choose_threshold(
    source: Embeddings | PairSet,
    scores: ArrayLike | None = None,
    target_fpr: float = TARGET_FPR,
    *,
    distance: bool = False,
    missing: Missing = "fail",
    most_faces: int = MOST_FACES,
    seed: int = 0,
    step: Step = unheard,
) -> Threshold:
    """Choose the threshold whose FPR is at most a target, with its interval and what it costs.

    Of embeddings all pairs of their faces are counted, and each face is also judged with its
    nearest face of another identity; of a pair set the pairs listed.

    Args:
        source: embeddings, or a pair set, of which invalid rows are left out.
        scores: `[N]`, one a row of a pair set.
        target_fpr: share of pairs of different identities that may be accepted.
        distance: the scores are distances, lower is more alike.
        missing: of pairs without a score, see `pairsets.evaluation.missing_scores.settle`.
        most_faces: of more faces, whole identities are drawn until there are about so many; 0 for
            all.
        seed: of the draws, and of how identities are dealt into parts.
        step: called with the pairs counted so far, and about how many there will be.

    Raises:
        ScoresError: a target that the pairs cannot tell, no pair of one kind, no scores of a pair
            set, or scores of embeddings, which have their own.
        EmbeddingError: the file of the vectors changed meanwhile.
    """
    if isinstance(source, PairSet):
        if scores is None:
            raise ScoresError("a pair set without scores; expected one a pair, or embeddings")
        given = np.asarray(scores, np.float64)
        kept, values = settled(source, {"": -given if distance else given}, missing)
        trials = trials_of(kept, values[""])
        return set_threshold(trials, target_fpr, seed=seed, distance=distance)
    if scores is not None or distance:
        raise ScoresError("embeddings have scores of their own; expected none beside them")
    return of_faces(drawn_faces(source, most_faces, seed), target_fpr, seed=seed, step=step)


def trials_of(pairs: PairSet, scores: ArrayLike) -> PairTrials:
    """The valid rows of a pair set as trials, with `scores [N]`, one a row."""
    rows = pairs.valid
    return PairTrials(
        pairs.label[rows],
        np.asarray(scores, np.float64)[rows],
        pairs.identity_a[rows],
        pairs.identity_b[rows],
    )


def drawn_faces(embeddings: Embeddings, most_faces: int, seed: int) -> Embeddings:
    """Embeddings of the faces that count: all, or identities drawn until they are enough.

    Raises:
        RunError: fewer faces than two.
    """
    count = len(embeddings)
    if most_faces < 0 or most_faces == 1:
        raise RunError(f"{most_faces} faces; expected two or more, or 0 for all")
    if not most_faces or count <= most_faces:
        return embeddings
    names, codes = np.unique(embeddings.faces.identities, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    sizes = np.bincount(codes, minlength=len(names))
    # At least two, or there is nobody to be taken for.
    taken = max(int(np.searchsorted(np.cumsum(sizes[order]), most_faces, side="right")), 2)
    chosen = np.zeros(len(names), np.bool_)
    chosen[order[:taken]] = True
    return embeddings.take(np.flatnonzero(chosen[codes]))


def of_faces(
    embeddings: Embeddings,
    target_fpr: float = TARGET_FPR,
    *,
    seed: int = 0,
    how: SearchOptions | None = None,
    step: Step = unheard,
) -> Threshold:
    """Threshold of all pairs of these faces, judged on look-alikes; see `choose_threshold`."""
    with embeddings.watched():
        progress = _Work(step)
        trials = FaceTrials(embeddings.vectors, embeddings.faces.identities, how, progress.add)
        progress.expect(trials.negatives + trials.positives)
        found = set_threshold(trials, target_fpr, seed=seed)
        alike = look_alikes(embeddings, found.value, seed)
    progress.end()
    return replace(found, judged={LOOK_ALIKES: alike})


def look_alikes(embeddings: Embeddings, threshold: float, seed: int = 0) -> SetRates:
    """Rates at which a face and its nearest face of another identity are taken for one.

    Of more than 5,000 faces so many are drawn; each is searched for among all, exactly.
    """
    _, codes = np.unique(embeddings.faces.identities, return_inverse=True)
    count = len(embeddings)
    probes = np.arange(count)
    if count > _PROBES:
        drawn = np.random.default_rng(seed).choice(count, _PROBES, replace=False)
        probes = np.sort(drawn)
    found = search_gallery(
        embeddings.vectors, embeddings.vectors, codes, codes[probes], probe_rows=probes
    )
    ends = Clusters(codes[probes], found.other_groups, int(codes.max()) + 1)
    rate = clustered_rate(found.other_scores >= threshold, ends)
    return SetRates(rate, UNKNOWN, "faces with their nearest face of another identity")


class _Work:
    """Progress of several looks at all pairs as one."""

    def __init__(self, step: Step) -> None:
        self._step, self._done, self._all = step, 0, 1

    def expect(self, pairs: int) -> None:
        """Estimate the work from the number of all pairs."""
        self._all = int(pairs * (_LOOKS + repeats_for(pairs) * FOLDS * _OF_PART)) + 1

    def add(self, done: int, total: int) -> None:
        """Hear of one look."""
        self._step(min(self._done + done, self._all), self._all)
        if done == total:
            self._done += total

    def end(self) -> None:
        """Tell that all is done."""
        self._step(self._all, self._all)
