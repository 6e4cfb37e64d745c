"""Assembly of a report and its figures from models on pair sets, wherever the sets came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from pairsets import figures
from pairsets.arrays import Scores
from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.confusion import Confusion, representatives
from pairsets.evaluation.confusion_network import ConfusionNetwork
from pairsets.evaluation.hardness import Hardness, hardness
from pairsets.evaluation.hubness import hub_faces
from pairsets.progress import Step
from pairsets.report import DetSet, ModelScores, Report, save_figure
from pairsets.report.chart_tables import (
    ChartTable,
    census_table,
    confusion_table,
    det_table,
    hardness_table,
    histogram_table,
    interval_table,
    roc_table,
)
from pairsets.report.content import ConfusionMap, HubFaces
from pairsets.report.gallery_pairs import gallery_of
from pairsets.report.inputs import ReportInputs
from pairsets.report.leaderboards import chance_fpr
from pairsets.storage.csv_tables import write_csv

# Mined pairs from which a curve over their ranks says something.
FEWEST_RANKED = 40
# What the names of figures begin with.
FIGURES = ("leaderboard", "det", "roc", "scores", "hardness", "confusion")

# How they are written: two pictures, and the data.
ENDINGS = ("png", "svg", "csv")


def report_of(shown: ReportInputs, limit: int | None = None) -> Report:
    """Content of a report on `shown`, with at most `limit` pairs in the gallery."""
    gallery = gallery_of(shown, limit)
    return Report(
        title=shown.title,
        faces_root=shown.faces.root,
        facts=shown.facts,
        funnel=[*(shown.provenance.funnel if shown.provenance else ()), *shown.funnel],
        leaderboards=shown.boards,
        ranked=list(shown.ranks),
        scores=[model_scores(shown, model) for model in shown.models],
        curves=[det_set(one) for one in shown.comparisons],
        gallery=gallery.pairs,
        gallery_left_out=gallery.left_out,
        gallery_scattered=gallery.scattered,
        thresholds={one.name: one.thresholds for one in shown.comparisons},
        hubness=shown.hubness,
        hubs=hubs_of(shown),
        hardness=hardness_of(shown),
        confusions=confusions_of(shown),
        maps=maps_of(shown),
        layout=shown.layout,
        agreement=shown.agreement,
        census=shown.census,
        identification=shown.identification,
        mined=shown.mined,
        warnings=shown.warnings,
        max_pixels=shown.max_pixels,
        provenance=shown.provenance,
    )


def det_set(comparison: Comparison) -> DetSet:
    """The curves of a set, and the person's point where both kinds of pairs were judged."""
    human = comparison.human
    whole = human is not None and human.positives > 0 and human.negatives > 0
    return DetSet(
        comparison.name,
        {model: one.curve for model, one in comparison.judged.items()},
        human if whole else None,
        (comparison.target_fnr,),
    )


def model_scores(shown: ReportInputs, model: str) -> ModelScores:
    """A model's scores on the positives of the first set and the negatives of each."""
    groups: dict[str, Scores] = {}
    threshold = None
    measures = {} if shown.provenance is None else shown.provenance.measures
    for one in shown.comparisons:
        if model not in one.scores:
            continue
        values = one.scores[model]
        # Pairs without a score have no place among the others.
        scored = np.isfinite(values)
        if not groups:
            groups["positives"] = values[one.pairs.positives & scored]
            threshold = one.thresholds.get(model)
        groups[f"{one.name} negatives"] = values[one.pairs.negatives & scored]
    return ModelScores(model, groups, threshold, measures.get(model, ""))


def hardness_of(shown: ReportInputs) -> dict[str, Hardness]:
    """Hardness of each mined set that has pairs enough."""
    found = {}
    for one in shown.comparisons:
        rank = shown.ranks.get(one.name)
        if rank is None or ((rank > 0) & one.pairs.negatives).sum() < FEWEST_RANKED:
            continue
        accepted = {model: one.scores[model] >= cut for model, cut in one.thresholds.items()}
        found[one.name] = hardness(one.pairs, rank, accepted)
    return found


def confusions_of(shown: ReportInputs) -> dict[str, Confusion]:
    """A map for each model that takes some identities for others."""
    found = {}
    for one, model in _mapped(shown):
        confusion = Confusion.of(one.pairs, one.scores[model], one.thresholds[model])
        if len(confusion):
            found[f"{model}, {one.name} pairs"] = confusion
    return found


def maps_of(shown: ReportInputs) -> list[ConfusionMap]:
    """The whole network of each model that takes some identities for others."""
    found = []
    for one, model in _mapped(shown):
        network = ConfusionNetwork.of(one.pairs, one.scores[model], one.thresholds[model])
        if len(network):
            found.append(ConfusionMap(model, one.name, network))
    return found


def hubs_of(shown: ReportInputs) -> HubFaces | None:
    """Faces in most pairs of the set whose confusions are mapped; None where none is in several."""
    for one in _last(shown):
        found = hub_faces(one.pairs)
        who = [one.pairs.identity(hub.names[0]) for hub in found]
        return HubFaces(one.name, found, who) if found else None
    return None


def _mapped(shown: ReportInputs) -> list[tuple[Comparison, str]]:
    """Models with the set whose false accepts are mapped: the last mined one, or else the last."""
    return [(one, model) for one in _last(shown) for model in one.thresholds]


def _last(shown: ReportInputs) -> list[Comparison]:
    """The last mined set, or else the last one; none without sets."""
    mined = [one for one in shown.comparisons if one.name in shown.ranks]
    return (mined or shown.comparisons)[-1:]


def draw_figures(shown: ReportInputs, folder: Path, progress: Step) -> list[Path]:
    """Draw every chart of the report as a file of its own, PNG and SVG, its data beside it as CSV.

    Returns the paths.
    """
    made = list(_figures(shown))
    written = []
    for done, (name, draw, table) in enumerate(made):
        progress(done, len(made))
        figure = draw()
        for suffix in (".png", ".svg"):
            written.append(save_figure(figure, folder / f"{name}{suffix}"))
        written.append(write_csv(folder / f"{name}.csv", table.header, table.rows))
    progress(len(made), len(made))
    return written


def drawn_files(folder: Path) -> list[Path]:
    """Files in a folder that are called as those that `draw_figures` writes."""
    named = [*(f"{kind}-*" for kind in FIGURES), "all-pairs"]
    return [file for name in named for end in ENDINGS for file in folder.glob(f"{name}.{end}")]


def _figures(
    shown: ReportInputs,
) -> Iterator[tuple[str, Callable[[], figures.Figure], ChartTable]]:
    """Names of figures, without suffix, each with the function that draws it, and its data."""
    for board in shown.boards:
        if any(entry.fpr is not None for entry in board.entries):
            yield (
                f"leaderboard-{board.name}",
                partial(figures.interval_bars, board.entries),
                interval_table(board.entries),
            )
        if board.beside_published:
            # An axis of its own: published rows have no other rate.
            yield (
                f"leaderboard-{board.name}-zaci20",
                partial(figures.interval_bars, board.entries, column="fpr_interpolated"),
                interval_table(board.entries, "fpr_interpolated"),
            )
    for one in shown.comparisons:
        found = det_set(one)
        for kind, draw, table_of in (
            ("det", figures.det_curves, det_table),
            ("roc", figures.roc_curves, roc_table),
        ):
            yield (
                f"{kind}-{one.name}",
                partial(draw, found.curves, human=found.human, target_fnrs=found.target_fnrs),
                table_of(found),
            )
    if shown.census is not None:
        curves = {model: one.curve for model, one in shown.census.models.items()}
        draw_census = partial(figures.census_curves, curves, mined=shown.mined)
        yield "all-pairs", draw_census, census_table(curves)
    for at, model in enumerate(shown.models, 1):
        scores = model_scores(shown, model)
        yield (
            f"scores-{at}",
            partial(
                figures.score_histograms,
                scores.groups,
                threshold=scores.threshold,
                xlabel=f"score of {model}",
            ),
            histogram_table(scores.groups),
        )
    chances = {board.name: chance_fpr(board) for board in shown.boards}
    for name, curve in hardness_of(shown).items():
        draw_hardness = partial(figures.hardness_curves, curve, chance=chances.get(name))
        yield f"hardness-{name}", draw_hardness, hardness_table(curve)
    for at, (one, model) in enumerate(_mapped(shown), 1):
        cut = one.thresholds[model]
        confusion = Confusion.of(one.pairs, one.scores[model], cut)
        if not len(confusion):
            continue
        shown_by = representatives(one.pairs, one.scores[model], cut, confusion.identities)
        paths = {
            name: shown.faces.locate(path)
            for name, path in shown_by.items()
            if path not in shown.unseen
        }
        yield (
            f"confusion-{at}",
            partial(figures.confusion_map, confusion, paths),
            confusion_table(confusion),
        )
