"""The figures and the report of a build: what is shown, not how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mining.commands.run_folder import RunFolder
from mining.embeddings.store import Embeddings
from mining.ranking.rank_aggregation import Method
from mining.scores.census import census_work
from pairsets import figures
from pairsets.evaluation.census import CensusComparison
from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard
from pairsets.random_set import sample_rows
from pairsets.report import save_figure, write_report
from pairsets.report.assembly import draw_figures, drawn_files, model_scores, report_of
from pairsets.report.identity_layout import IdentityLayout
from pairsets.report.inputs import ReportInputs
from pairsets.report.provenance import Provenance
from pairsets.tables.leaderboard import Leaderboard

COLUMNS = 10
# Work, as of `census_work`, that two cores do in less than a minute.
ALL_PAIRS = 1e12
Rows = NDArray[np.int64]


def draw_report(
    run: Run,
    references: Sequence[str],
    rank: Rows,
    max_pixels: int = MAX_PIXELS,
    progress: Step = unheard,
) -> None:
    """Draw the figures and `report.html` of a run.

    Of one reference, pairs are drawn with its scores, and `scores.png` shows how these lie. Several
    have no scale in common: their pairs are drawn without. Each chart of the report is a file, too.

    Args:
        run: what was made.
        references: the models that mined, or the one.
        rank: `[N]` of the adversarial rows, 0 for positives.
        max_pixels: width times height above which a face is refused undecoded.
        progress: called with the charts drawn, and all.
    """
    sets = {"random": run.random, "adversarial": run.adversarial}
    negatives = np.flatnonzero(run.random.negatives)
    drawn = {
        "random": negatives[sample_rows(negatives.size, COLUMNS)],
        "adversarial": np.argsort(np.where(rank > 0, rank, rank.size + 1))[:COLUMNS],
    }
    alone = len(references) == 1
    for name, rows in drawn.items():
        pairs = sets[name]
        figure = figures.pair_columns(
            run.faces.locate_pairs(pairs.path_a[rows], pairs.path_b[rows]),
            scores=run.scores[name][references[0]][rows].tolist() if alone else None,
            max_pixels=max_pixels,
        )
        save_figure(figure, run.folder.figure(name))
    shown = shown_of(run, references, rank, max_pixels)
    folder = run.folder.figure("scores").parent
    # An older run in this place may have had more models, or other sets.
    older = {*drawn_files(folder), run.folder.figure("scores")}
    written = draw_figures(shown, folder, progress)
    if alone:
        scores = model_scores(shown, references[0])
        figure = figures.score_histograms(
            scores.groups, threshold=scores.threshold, xlabel=f"score of {references[0]}"
        )
        written.append(save_figure(figure, run.folder.figure("scores")))
    for stale in older - {*written}:
        stale.unlink(missing_ok=True)
    write_report(report_of(shown), run.folder.report)


def shown_of(
    run: Run, references: Sequence[str], rank: Rows, max_pixels: int = MAX_PIXELS
) -> ReportInputs:
    """Inputs of the report of a run."""
    # A folder's own name may be anything, a page is UTF-8.
    name = run.faces.root.resolve().name.encode("utf-8", "replace").decode()
    return ReportInputs(
        title=f"Adversarial pairs of {name}",
        faces=run.faces,
        boards=run.leaderboards,
        ranks={"adversarial": rank},
        quantiles={"adversarial": run.quantiles},
        facts=[
            ("Faces", f"{len(run.faces):,}"),
            ("Identities", f"{run.faces.count_identities:,}"),
            _reference_fact(run, references),
            ("Random pairs", counted(run.random)),
            ("Adversarial pairs", counted(run.adversarial)),
        ],
        funnel=run.funnel,
        warnings=run.warnings,
        hubness=run.hubness,
        census=run.census,
        identification=run.identification,
        provenance=run.provenance,
        layout=run.layout,
        max_pixels=max_pixels,
    )


def counted(pairs: PairSet) -> str:
    """Numbers of pairs of each kind, for people."""
    return f"{int(pairs.positives.sum()):,} positive, {int(pairs.negatives.sum()):,} negative"


def _reference_fact(run: Run, references: Sequence[str]) -> tuple[str, str]:
    if len(references) == 1:
        return "Reference model", references[0]
    return "Reference models", f"{', '.join(references)} ({run.method} of quantiles)"


Scores = NDArray[np.float64]


@dataclass(frozen=True)
class TableOptions:
    """Contents of the tables of a build.

    Attributes:
        target_fnr: see `pairsets.evaluate`; one target, from the random set, serves both sets,
            whose positives are the same, and so does its threshold.
        published: add ZACI-20's published rows.
        floor: evaluate the `pixels` model too, to show what no model scores.
        all_pairs: tell rates over all pairs, too; None where that is at most `ALL_PAIRS`.
        identify: search a gallery drawn of the faces, too; None where counting all pairs would be
            at most `ALL_PAIRS`, which is more work, and ten identities have two pictures.
    """

    target_fnr: float | str | None = None
    published: bool = False
    floor: bool = True
    all_pairs: bool | None = None
    identify: bool | None = None

    def counts_all(self, embedded: Sequence[Embeddings]) -> bool:
        """Whether rates over all pairs are told: by default where it takes less than a minute."""
        if self.all_pairs is not None:
            return self.all_pairs
        return self.is_cheap(embedded)

    def is_cheap(self, embedded: Sequence[Embeddings]) -> bool:
        """Whether all pairs are counted in less than a minute."""
        return sum(census_work(*one.vectors.shape) for one in embedded) <= ALL_PAIRS


@dataclass(frozen=True, eq=False)
class Run:
    """The result of `build`.

    Attributes:
        folder: where it lies.
        random, adversarial: the two pair sets.
        scores: set name -> model -> `[N]`.
        leaderboards: one a set.
        funnel: what each stage dropped and passed on.
        warnings: what a user should look at.
        hubness: who fills the mined negatives; before and after the caps, where there are any.
        references: the models that mined.
        method: how several of them were fused.
        quantiles: of several, each one's own quantile of the adversarial pairs, `[N]`.
        without: of several, the pair file that each one's leave-one-out row stands on.
        suspects: the list of those that were dropped, where any were to be.
        census: the models over all pairs, where these were counted.
        identification: the models in a gallery, where one was searched.
        provenance: of its pair files and models.
        layout: the identities in the plane, or why there is no such map.
    """

    folder: RunFolder
    faces: Faces
    random: PairSet
    adversarial: PairSet
    scores: Mapping[str, Mapping[str, Scores]]
    leaderboards: Sequence[Leaderboard]
    funnel: Sequence[FunnelRow]
    warnings: Sequence[str] = field(default_factory=list)
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    references: Sequence[str] = ()
    method: Method | None = None
    quantiles: Mapping[str, Scores] = field(default_factory=dict)
    without: Mapping[str, Path] = field(default_factory=dict)
    suspects: Path | None = None
    census: CensusComparison | None = None
    identification: GallerySearch | None = None
    provenance: Provenance | None = None
    layout: IdentityLayout | None = None
