"""Scores of a trained network on the identities held out, with intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from indexes import FlatIndex, pair_scores
from mining.training.validation import HeldOut
from pairsets.evaluation.evaluator import evaluate
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.result import Evaluation
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.tables.leaderboard import interval_text, percent

Rows = NDArray[np.int64]
RANDOM, ADVERSARIAL = "random", "adversarial"


def fold_evaluations(
    faces: Faces, vectors: NDArray[np.float32], held_out: HeldOut, *, seed: int = 0
) -> dict[str, Evaluation]:
    """Evaluations on the random pairs of a fold, and on the hardest for this very network.

    Args:
        faces: held out.
        vectors: `[N, D]` of unit norm, of each of them.
        held_out: with the random pairs.
        seed: of the bootstrap.
    """
    index = FlatIndex(vectors)
    hardest = held_out.hardest(index)
    sets = {
        RANDOM: held_out.negatives,
        ADVERSARIAL: np.column_stack([hardest.i, hardest.j]),
    }
    found = {}
    for name, negatives in sets.items():
        rows = np.concatenate([held_out.positives, negatives])
        pairs = _pair_set(faces, rows, len(held_out.positives))
        scores = pair_scores(vectors, vectors, rows[:, 0], rows[:, 1])
        found[name] = evaluate(pairs, scores, held_out.target_fnr, seed=seed)
    return found


def score_rows(evaluations: Mapping[str, Evaluation]) -> tuple[tuple[str, str, str, str], ...]:
    """Rows of a card's table: set, statistic, value and 95 % interval, in percent."""
    rows = []
    for name, one in evaluations.items():
        for statistic, title, value in (
            ("fpr_achieved", f"FPR at FNR {percent(one.target_fnr)} %", one.fpr_achieved),
            ("eer", "EER", one.eer),
        ):
            rows.append((name, title, f"{percent(value)} %", _text(one.intervals.get(statistic))))
    return tuple(rows)


def _text(interval: Interval | None) -> str:
    return "not known" if interval is None else f"{interval_text(interval)} %"


def _pair_set(faces: Faces, rows: Rows, positives: int) -> PairSet:
    label = np.zeros(len(rows), np.int8)
    label[:positives] = 1
    return PairSet(
        path_a=np.array(faces.paths)[rows[:, 0]],
        path_b=np.array(faces.paths)[rows[:, 1]],
        label=label,
        human_prediction=np.full(len(rows), -1, np.int8),
        invalid=np.zeros(len(rows), np.int8),
        identities=faces.named,
    )
