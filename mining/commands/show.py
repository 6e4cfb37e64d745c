"""Pairs drawn in columns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.result import CommandResult
from mining.scores.pair_files import mined_in
from pairsets import figures
from pairsets.errors import PairSetError, ScoresError
from pairsets.faces import resolve
from pairsets.files.score_files import read_scores
from pairsets.identities.rules import Rule
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.random_set import sample_rows
from pairsets.report import save_figure
from pairsets.storage.artefacts import refuse_existing, refuse_inside


def show_pairs(
    path: Path,
    faces: Path,
    out: Path,
    *,
    count: int = 10,
    label: int = 0,
    scores: Path | None = None,
    model: str | None = None,
    names: bool = False,
    identities: Rule | None = None,
    seed: int = 0,
    overwrite: bool = False,
    max_pixels: int = MAX_PIXELS,
) -> CommandResult:
    """Draw pairs in columns: with scores the hardest ones, else some at random.

    Those are the highest-scoring ones of `model`. Without `model`, where a file with several models
    has the ranks of a mined set, they are its first ones, whoever mined it: several references have
    a rank in common, and no score.
    """
    refuse_inside(out, faces)
    refuse_existing([out], overwrite=overwrite, inputs=[path, scores])
    pairs = PairSet.read(path, identities)
    chosen = pairs.take(pairs.valid & (pairs.label == label))
    if not len(chosen):
        raise PairSetError(f"{path}: no valid pair with label {label} to show")
    shown: list[float] | None = None
    hints: list[str] = []
    if scores is None:
        rows = sample_rows(len(chosen), count, seed)
    else:
        kept = pairs.valid & (pairs.label == label)
        rows, shown, hints = _hardest(scores, pairs, kept, model, count)
    present = resolve(faces, [*chosen.path_a[rows], *chosen.path_b[rows]])
    figure = figures.pair_columns(
        present.locate_pairs(chosen.path_a[rows], chosen.path_b[rows]),
        scores=shown,
        names=[chosen.names(int(r)) for r in rows] if names else None,
        max_pixels=max_pixels,
    )
    save_figure(figure, out)
    return CommandResult([out], hints=hints)


def _hardest(
    path: Path, pairs: PairSet, kept: NDArray[np.bool_], model: str | None, count: int
) -> tuple[NDArray[np.int64], list[float] | None, list[str]]:
    """Rows to show among those `kept`, their scores, and whose these are where that is open."""
    found = {name: values[kept] for name, values in read_scores(path, pairs).items()}
    if model is not None and model not in found:
        raise ScoresError(f"{path}: no scores of {model}; it has {', '.join(found)}")
    mined = mined_in(path, pairs) if model is None and len(found) > 1 else None
    ranks = np.zeros(0) if mined is None else mined.ranks[kept]
    if mined is not None and ranks.any():
        rows = np.argsort(np.where(ranks > 0, ranks, ranks.max() + 1), kind="stable")
        rows = rows[: np.count_nonzero(ranks)]
        miner = None if mined.quantiles else _falling(found, rows)
        if miner is None:
            hint = (
                "By the rank that they were mined with; --only-model NAME goes by a model's scores"
            )
            return rows[:count], None, [hint]
        hint = f"By the rank that they were mined with, that of {miner}, whose scores are shown"
        return rows[:count], found[miner][rows[:count]].tolist(), [hint]
    name = next(iter(found)) if model is None else model
    rows = np.lexsort((np.arange(found[name].size), -found[name]))[:count]
    others = [one for one in found if one != name and model is None]
    hints = [f"Scores of {name}; --only-model takes {' or '.join(others)}"] if others else []
    return rows, found[name][rows].tolist(), hints


def _falling(found: Mapping[str, NDArray[np.float64]], rows: NDArray[np.int64]) -> str | None:
    """The model whose scores fall, or rise, all along the ranks: the one that mined."""
    for model, values in found.items():
        steps = np.diff(values[rows])
        if (steps <= 0).all() or (steps >= 0).all():
            return model
    return None
