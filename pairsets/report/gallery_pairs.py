"""Pairs of the gallery: which are shown, in which order, each once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pairsets.arrays import Rows
from pairsets.evaluation.comparison import Comparison
from pairsets.pairset import PairKey, pair_key
from pairsets.report import GalleryPair
from pairsets.report.inputs import ReportInputs

# Pairs in a gallery: enough for ZACI-20's adversarial negatives. A face takes 5 kB of the page.
GALLERY = 3000


# A row of a set.
GalleryPlace = tuple[Comparison, int]


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
