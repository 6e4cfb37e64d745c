"""The figures and the report of a run: what is shown, not how it is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pairsets import figures
from pairsets.evaluate import human_rates, is_judged
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.rates import Curve, Point, fpr_at_fnr, roc
from pairsets.report import (
    DetSet,
    GalleryPair,
    ModelScores,
    Report,
    save_figure,
    write_report,
)

if TYPE_CHECKING:
    from mining.pipeline import Run

GALLERY = 300
COLUMNS = 10
Rows = NDArray[np.int64]


def draw_report(
    run: Run,
    references: Sequence[str],
    rank: Rows,
    target_fnr: float,
    max_pixels: int = MAX_PIXELS,
) -> None:
    """Draw the figures and `report.html` of a run.

    Of one reference, pairs are drawn with its scores, and `scores.png` shows how these lie. Several
    have no scale in common: their pairs are drawn without, and each has a picture of its own.

    Args:
        run: what was made.
        references: the models that mined, or the one.
        rank: `[N]` of the adversarial rows, 0 for positives.
        target_fnr: the operating point that verdicts are given at.
        max_pixels: width times height above which a face is refused undecoded.
    """
    sets = {"random": run.random, "adversarial": run.adversarial}
    thresholds = {
        model: fpr_at_fnr(_curve(run.random, scores), target_fnr).threshold
        for model, scores in run.scores["random"].items()
    }
    negatives = np.flatnonzero(run.random.negatives)
    shown = {
        "random": negatives[sample_rows(negatives.size, COLUMNS)],
        "adversarial": np.argsort(np.where(rank > 0, rank, rank.size + 1))[:COLUMNS],
    }
    alone = len(references) == 1
    for name, rows in shown.items():
        pairs = sets[name]
        figure = figures.pair_columns(
            run.faces.locate_pairs(pairs.path_a[rows], pairs.path_b[rows]),
            scores=run.scores[name][references[0]][rows].tolist() if alone else None,
            max_pixels=max_pixels,
        )
        save_figure(figure, run.folder.figure(name))
    drawn = []
    for at, reference in enumerate(references, 1):
        spread = model_scores(run, reference, thresholds[reference])
        figure = figures.score_histograms(
            {
                "positives": spread.positives,
                "random negatives": spread.random_negatives,
                "adversarial negatives": spread.adversarial_negatives,
            },
            threshold=spread.threshold,
            xlabel=f"score of {reference}",
        )
        drawn.append(run.folder.figure("scores" if alone else f"scores-{at}"))
        save_figure(figure, drawn[-1])
    # An older run in this place may have had more references, or fewer.
    for stale in {*drawn[0].parent.glob("scores*.png")} - {*drawn}:
        stale.unlink()
    write_report(_report(run, references, rank, thresholds, max_pixels), run.folder.report)


def sample_rows(available: int, count: int, seed: int = 0) -> Rows:
    """`count` of the rows below `available`, or all if there are fewer, drawn by `seed`."""
    return np.sort(np.random.default_rng(seed).permutation(available)[:count])


def model_scores(run: Run, model: str, threshold: float) -> ModelScores:
    """A model's scores by kind of pair."""
    random, adversarial = run.random, run.adversarial
    return ModelScores(
        model=model,
        positives=run.scores["random"][model][random.positives],
        random_negatives=run.scores["random"][model][random.negatives],
        adversarial_negatives=run.scores["adversarial"][model][adversarial.negatives],
        threshold=threshold,
    )


def _report(
    run: Run,
    references: Sequence[str],
    rank: Rows,
    thresholds: dict[str, float],
    max_pixels: int,
) -> Report:
    hardest = np.flatnonzero(rank)[np.argsort(rank[rank > 0])][:GALLERY]
    models = list(thresholds)
    # A folder's own name may be anything, a page is UTF-8.
    name = (run.faces.root.name or str(run.faces.root)).encode("utf-8", "replace").decode()
    return Report(
        title=f"Adversarial pairs of {name}",
        faces_root=run.faces.root,
        facts=[
            ("Faces", f"{len(run.faces):,}"),
            ("Characters", f"{run.faces.count_characters:,}"),
            _reference_fact(run, references),
            ("Random pairs", _counts(run.random)),
            ("Adversarial pairs", _counts(run.adversarial)),
            *((f"Who fills them, {name}", found.sentence()) for name, found in run.hubness.items()),
        ],
        funnel=run.funnel,
        leaderboards=run.leaderboards,
        scores=[model_scores(run, model, thresholds[model]) for model in models],
        curves=[
            DetSet(
                name,
                {model: _curve(pairs, scores) for model, scores in run.scores[name].items()},
                _human(pairs),
            )
            for name, pairs in (("random", run.random), ("adversarial", run.adversarial))
        ],
        gallery=[_gallery_pair(run, int(row), int(rank[row]), thresholds) for row in hardest],
        warnings=run.warnings,
        max_pixels=max_pixels,
    )


def _reference_fact(run: Run, references: Sequence[str]) -> tuple[str, str]:
    if len(references) == 1:
        return "Reference model", references[0]
    return "Reference models", f"{', '.join(references)} ({run.method} of quantiles)"


def _gallery_pair(run: Run, row: int, rank: int, thresholds: dict[str, float]) -> GalleryPair:
    pairs = run.adversarial
    scores = {model: float(values[row]) for model, values in run.scores["adversarial"].items()}
    name_a, name_b = pairs.names(row)
    return GalleryPair(
        rank=rank,
        path_a=pairs.path_a[row],
        path_b=pairs.path_b[row],
        name_a=name_a,
        name_b=name_b,
        scores=scores,
        quantiles={model: float(values[row]) for model, values in run.quantiles.items()},
        label=int(pairs.label[row]),
        verdicts={model: score >= thresholds[model] for model, score in scores.items()},
        human_prediction=int(pairs.human_prediction[row]),
    )


def _curve(pairs: PairSet, scores: NDArray[np.float64]) -> Curve:
    return roc(pairs.label[pairs.valid], scores[pairs.valid])


def _human(pairs: PairSet) -> Point | None:
    if not is_judged(pairs):
        return None
    rates = human_rates(pairs)
    return Point(float("nan"), rates.fpr, rates.fnr)


def _counts(pairs: PairSet) -> str:
    valid = pairs.label[pairs.valid]
    return f"{int((valid == 1).sum()):,} positive, {int((valid == 0).sum()):,} negative"
