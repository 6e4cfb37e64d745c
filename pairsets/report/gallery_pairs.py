"""Pairs of the gallery: which are shown, in which order, each once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pairsets.arrays import Rows
from pairsets.evaluation.comparison import Comparison
from pairsets.pairset import PairKey, pair_key
from pairsets.report import GalleryPair
from pairsets.report.inputs import ReportInputs

# Pairs and faces in a gallery. A face takes 3 kB of the page; how fast one of this size opens and
# filters is measured by `benchmarks/report_page.py`.
GALLERY, GALLERY_FACES = 20_000, 10_000

# A row of a set, and the places of one card.
GalleryPlace = tuple[Comparison, int]
Card = list[GalleryPlace]
# Pairs of a set that share their label.
SetKind = tuple[str, int]


@dataclass(frozen=True, eq=False)
class GalleryChoice:
    """Pairs of a gallery, chosen from those of all sets.

    Attributes:
        pairs: in the order shown.
        left_out: how many there are beyond those.
        scattered: sets and labels of which some that is left out is harder than some that is shown.
    """

    pairs: list[GalleryPair]
    left_out: int
    scattered: frozenset[SetKind]


def gallery_of(
    shown: ReportInputs, limit: int | None = None, faces: int = GALLERY_FACES
) -> GalleryChoice:
    """Up to `limit` pairs (by default `GALLERY`) of up to `faces` faces.

    First the mined ones by rank, then those that some model gets wrong, first those that most do,
    then the rest, each set after the other. Where not all fit, each set has the same share of its
    pairs of one identity and of those of two, the first ones in this order. A pair of several sets
    is shown once, under all their names, if nothing but its rank is another there: where thresholds
    differ, so may verdicts, and each set shows it.
    """
    cards = _cards(shown)
    kinds: dict[SetKind, list[int]] = {}
    for at, card in enumerate(cards):
        for kind in map(_kind, card):
            kinds.setdefault(kind, []).append(at)
    visible = [shown.unseen.isdisjoint(_key(*card[0])) for card in cards]
    fit = [[at for at in places if visible[at]] for places in kinds.values()]
    kept = _share(cards, fit, GALLERY if limit is None else limit, faces)
    return GalleryChoice(
        [
            _pair(shown, *cards[at][0], also=[one.name for one, _ in cards[at][1:]])
            for at in sorted(kept)
        ],
        len(cards) - len(kept),
        frozenset(kind for kind, places in kinds.items() if not _leads(places, kept)),
    )


def _kind(place: GalleryPlace) -> SetKind:
    comparison, row = place
    return comparison.name, int(comparison.pairs.label[row])


def _leads(places: Sequence[int], kept: Collection[int]) -> bool:
    """Whether no place that is kept comes after one that is not."""
    inside = [place in kept for place in places]
    return inside == sorted(inside, reverse=True)


def _share(cards: Sequence[Card], kinds: Iterable[list[int]], limit: int, faces: int) -> set[int]:
    """Places of the cards that fit: of each kind in turn the next, until one is too many."""
    kept: set[int] = set()
    paths: set[str] = set()
    waiting = [iter(places) for places in kinds]
    while waiting:
        for kind in list(waiting):
            at = next((place for place in kind if place not in kept), None)
            if at is None:
                waiting.remove(kind)
                continue
            new = set(_key(*cards[at][0])) - paths
            if len(kept) == limit or len(paths) + len(new) > faces:
                return kept
            kept.add(at)
            paths |= new
    return kept


def _cards(shown: ReportInputs) -> list[Card]:
    """All pairs in the order shown, each with its places: the sets and rows that say the same."""
    cards: list[Card] = []
    known: dict[PairKey, list[Card]] = {}
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
    return cards


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
    """The valid rows of a set: mined ones by rank, those most often misjudged, the others."""
    valid = comparison.pairs.valid
    rank = shown.ranks.get(comparison.name, np.zeros(len(valid), np.int64))
    mined = np.flatnonzero(valid & (rank > 0))
    wrong = np.zeros(len(valid), np.int64)
    for model in comparison.thresholds:
        wrong[valid] += ~comparison.judged[model].right
    rest = valid & (rank == 0)
    misjudged = np.flatnonzero(rest & (wrong > 0))
    return (
        mined[np.argsort(rank[mined], kind="stable")],
        misjudged[np.argsort(-wrong[misjudged], kind="stable")],
        np.flatnonzero(rest & (wrong == 0)),
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
