"""Assembly of a report and its figures from models on pair sets, wherever the sets came from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from pairsets import figures
from pairsets.arrays import Rows, Scores
from pairsets.evaluation.annotators import Agreement
from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.confusion import Confusion, representatives
from pairsets.evaluation.hardness import Hardness, hardness
from pairsets.evaluation.hubness import Hubness
from pairsets.faces import Faces
from pairsets.funnel import FunnelRow
from pairsets.images import MAX_PIXELS
from pairsets.pairset import PairKey, pair_key
from pairsets.progress import Step
from pairsets.report import DetSet, GalleryPair, ModelScores, Report, save_figure
from pairsets.tables.leaderboard import Leaderboard

# Pairs in a gallery: enough for ZACI-20's adversarial negatives. A face takes 5 kB of the page.
GALLERY = 3000
# Mined pairs from which a curve over their ranks says something.
FEWEST_RANKED = 40
# What the names of figures begin with.
FIGURES = ("leaderboard", "det", "roc", "scores", "hardness", "confusion")
# A row of a set.
GalleryPlace = tuple[Comparison, int]


@dataclass(frozen=True, eq=False)
class ReportInputs:
    """Findings on pair sets, from which a report is made.

    Attributes:
        title: of the page.
        faces: those of the pairs.
        boards: one a set, each with its comparison.
        ranks: by set, `[N]` mining ranks, 0 where none; only of sets that were mined.
        quantiles: by set and model, `[N]`, where several models mined together; nan where none.
        unseen: faces that cannot be read, whose pairs count and are not shown.
        facts, funnel, warnings, hubness, agreement: see `pairsets.report.Report`.
        max_pixels: width times height above which a face is refused undecoded.
    """

    title: str
    faces: Faces
    boards: Sequence[Leaderboard]
    ranks: Mapping[str, Rows] = field(default_factory=dict)
    quantiles: Mapping[str, Mapping[str, Scores]] = field(default_factory=dict)
    unseen: frozenset[str] = frozenset()
    facts: Sequence[tuple[str, str]] = ()
    funnel: Sequence[FunnelRow] = ()
    warnings: Sequence[str] = ()
    hubness: Mapping[str, Hubness] = field(default_factory=dict)
    agreement: Mapping[str, Agreement] = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS

    @property
    def comparisons(self) -> list[Comparison]:
        """Comparisons of the boards, one a set, in their order."""
        return [board.comparison for board in self.boards if board.comparison is not None]

    @property
    def models(self) -> list[str]:
        """Models that were evaluated, in order of appearance."""
        return list(dict.fromkeys(model for one in self.comparisons for model in one.judged))


def report_of(shown: ReportInputs, limit: int | None = None) -> Report:
    """Content of a report on `shown`, with at most `limit` pairs in the gallery."""
    gallery, left_out = gallery_of(shown, limit)
    return Report(
        title=shown.title,
        faces_root=shown.faces.root,
        facts=shown.facts,
        funnel=shown.funnel,
        leaderboards=shown.boards,
        ranked=list(shown.ranks),
        scores=[model_scores(shown, model) for model in shown.models],
        curves=[det_set(one) for one in shown.comparisons],
        gallery=gallery,
        gallery_left_out=left_out,
        hubness=shown.hubness,
        hardness=hardness_of(shown),
        confusions=confusions_of(shown),
        agreement=shown.agreement,
        warnings=shown.warnings,
        max_pixels=shown.max_pixels,
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
    return ModelScores(model, groups, threshold)


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


def _mapped(shown: ReportInputs) -> list[tuple[Comparison, str]]:
    """Models with the set whose false accepts are mapped: the last mined one, or else the last."""
    mined = [one for one in shown.comparisons if one.name in shown.ranks]
    last = (mined or shown.comparisons)[-1:]
    return [(one, model) for one in last for model in one.thresholds]


def gallery_of(shown: ReportInputs, limit: int | None = None) -> tuple[list[GalleryPair], int]:
    """Up to `limit` (by default `GALLERY`) pairs, and how many more there are.

    First the mined ones by rank, then those that some model gets wrong, then the rest, each set
    after the other. A pair of several sets is shown once, under all their names, if nothing but its
    rank is another there: where thresholds differ, so may verdicts, and each set shows it.
    """
    limit = GALLERY if limit is None else limit
    cards: list[list[GalleryPlace]] = []
    known: dict[PairKey, list[list[GalleryPlace]]] = {}
    comparisons = shown.comparisons
    for group in zip(*(_in_order(shown, one) for one in comparisons), strict=True):
        for at, rows in enumerate(group):
            pairs = comparisons[at].pairs
            for row in rows.tolist():
                key = pair_key(pairs.path_a[row], pairs.path_b[row])
                place = comparisons[at], row
                mine = known.setdefault(key, [])
                card = next((one for one in mine if _alike(shown, one[0], place)), None)
                if card is None:
                    card = list[GalleryPlace]()
                    mine.append(card)
                    cards.append(card)
                card.append(place)
    whole = len(cards)
    if shown.unseen:
        cards = [card for card in cards if shown.unseen.isdisjoint(_key(*card[0]))]
    kept = [
        _pair(shown, *card[0], also=[one.name for one, _ in card[1:]]) for card in cards[:limit]
    ]
    return kept, whole - len(kept)


def _key(comparison: Comparison, row: int) -> PairKey:
    return pair_key(comparison.pairs.path_a[row], comparison.pairs.path_b[row])


def _alike(shown: ReportInputs, first: GalleryPlace, second: GalleryPlace) -> bool:
    """Whether two sets say the same of a pair that they share, but for a rank that one has."""
    facts = []
    for one, row in (first, second):
        scores = [(model, float(values[row])) for model, values in one.scores.items()]
        said = [float(one.scores[model][row]) >= cut for model, cut in one.thresholds.items()]
        facts.append((scores, said, one.pairs.label[row], one.pairs.human_prediction[row]))
    ranks = {_rank(shown, *place) for place in (first, second)} - {0}
    return facts[0] == facts[1] and len(ranks) < 2


def _rank(shown: ReportInputs, comparison: Comparison, row: int) -> int:
    rank = shown.ranks.get(comparison.name)
    return 0 if rank is None else int(rank[row])


def _in_order(shown: ReportInputs, comparison: Comparison) -> tuple[Rows, Rows, Rows]:
    """The valid rows of a set: mined ones by rank, those that are misjudged, the others."""
    valid = comparison.pairs.valid
    rank = shown.ranks.get(comparison.name, np.zeros(len(valid), np.int64))
    mined = np.flatnonzero(valid & (rank > 0))
    wrong = np.zeros(len(valid), np.bool_)
    for model in comparison.thresholds:
        wrong[valid] |= ~comparison.judged[model].right
    rest = valid & (rank == 0)
    return (
        mined[np.argsort(rank[mined], kind="stable")],
        np.flatnonzero(rest & wrong),
        np.flatnonzero(rest & ~wrong),
    )


def _pair(
    shown: ReportInputs, comparison: Comparison, row: int, also: Sequence[str] = ()
) -> GalleryPair:
    pairs, name = comparison.pairs, comparison.name
    given = {model: float(values[row]) for model, values in comparison.scores.items()}
    # A pair that a model could not score has none to show, though it may have a verdict.
    scores = {model: value for model, value in given.items() if np.isfinite(value)}
    quantiles = {
        model: float(values[row])
        for model, values in shown.quantiles.get(name, {}).items()
        if model in scores and not np.isnan(values[row])
    }
    name_a, name_b = pairs.names(row)
    return GalleryPair(
        rank=_rank(shown, comparison, row),
        path_a=pairs.path_a[row],
        path_b=pairs.path_b[row],
        name_a=name_a,
        name_b=name_b,
        scores=scores,
        quantiles=quantiles,
        label=int(pairs.label[row]),
        # Without a score it is rejected.
        verdicts={model: given[model] >= cut for model, cut in comparison.thresholds.items()},
        human_prediction=int(pairs.human_prediction[row]),
        set=name,
        also=tuple(also),
    )


def draw_figures(shown: ReportInputs, folder: Path, progress: Step) -> list[Path]:
    """Draw every chart of the report as a file of its own, as PNG and as SVG; returns the paths."""
    made = list(_figures(shown))
    written = []
    for done, (name, draw) in enumerate(made):
        progress(done, len(made))
        figure = draw()
        for suffix in (".png", ".svg"):
            written.append(save_figure(figure, folder / f"{name}{suffix}"))
    progress(len(made), len(made))
    return written


def _figures(shown: ReportInputs) -> Iterator[tuple[str, Callable[[], figures.Figure]]]:
    """Names of figures, without suffix, each with the function that draws it."""
    for board in shown.boards:
        if any(entry.fpr is not None for entry in board.entries):
            yield f"leaderboard-{board.name}", partial(figures.interval_bars, board.entries)
        if board.beside_published:
            # An axis of its own: published rows have no other rate.
            yield (
                f"leaderboard-{board.name}-zaci20",
                partial(figures.interval_bars, board.entries, column="fpr_interpolated"),
            )
    for one in shown.comparisons:
        found = det_set(one)
        for kind, draw in (("det", figures.det_curves), ("roc", figures.roc_curves)):
            yield (
                f"{kind}-{one.name}",
                partial(draw, found.curves, human=found.human, target_fnrs=found.target_fnrs),
            )
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
        )
    for name, curve in hardness_of(shown).items():
        yield f"hardness-{name}", partial(figures.hardness_curves, curve)
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
        yield f"confusion-{at}", partial(figures.confusion_map, confusion, paths)
