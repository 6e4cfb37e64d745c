"""A search in a gallery as the page shows it: who is found among many, and who is let in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pairsets.evaluation.gallery_search import GallerySearch
from pairsets.evaluation.identification import IdentificationRate
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.report.charts import Chart, drawn_chart
from pairsets.report.phrases import listed
from pairsets.report.tables import Cell, Table
from pairsets.tables.identification import identification_notes, rate_cell, rate_title

# Rates of the table, of the open set the first that is there.
_CLOSED = ("rank-1", "rank-5", "map")
_OPEN = ("fnir@0.01", "fpir@0.1")


@dataclass(frozen=True)
class IdentificationView:
    """A search in a gallery, ready to print.

    Attributes:
        intro: sentences on who is in the gallery, and who is searched for.
        table: the rates of all models.
        remarks: what the data cannot tell.
        charts: CMC, and where there are strangers the errors of the open set.
    """

    intro: str
    table: Table
    remarks: tuple[str, ...]
    charts: tuple[Chart, ...]


def identification_of(found: GallerySearch) -> IdentificationView:
    """A search in a gallery as the page shows it."""
    models = found.models
    columns = shown_rates(models)
    rows = []
    for model in models.order(columns[0].name):
        one = models.models[model]
        rates = [one.rate(column.name) for column in columns]
        cells = (Cell(*rate_cell(rate), best=models.is_best(rate.name, model)) for rate in rates)
        rows.append((model, tuple(cells)))
    titles = tuple(rate_title(column.name, unit=" %") for column in columns)
    table = Table("", titles, tuple(rows), foot=_foot(models, columns))
    return IdentificationView(
        intro=_intro(found),
        table=table.with_groups(models.groups.get(columns[0].name, {})),
        remarks=(*_ties(models, columns), *identification_notes(models)),
        charts=tuple(_charts(models)),
    )


def shown_rates(found: IdentificationComparison) -> list[IdentificationRate]:
    """Rates that the table has columns for, as the first model has them."""
    rates = {one.name: one for one in next(iter(found.models.values())).rates}
    names = [*(name for name in _CLOSED if name in rates)]
    names += [name for name in _OPEN if name in rates][:1]
    return [rates[name] for name in names]


def _intro(found: GallerySearch) -> str:
    searches = next(iter(found.models.models.values())).searches
    size, mated = searches.size, int(searches.mated.sum())
    if found.pictures == size:
        held = f"one picture of each of {size:,} identities"
    else:
        held = f"{found.pictures:,} pictures of {size:,} identities"
        held += ", each known by the mean of its own" if found.pooled else ""
    text = (
        "Who is this, of all those who are known? "
        f"{'Each model searches the same' if len(found.models.models) > 1 else 'Searched is a'} "
        f"gallery, {held}, for {mated:,} other pictures of them (mated probes)"
    )
    if searches.non_mated:
        strangers = np.unique(searches.identities[~searches.mated]).size
        text += (
            f", and for {searches.non_mated:,} pictures of {strangers:,} strangers, who are not "
            "there (non-mated probes)"
        )
    return (
        f"{text}. The more are known, the more easily one is taken for another: these numbers are "
        "those of a gallery of this size, and say little of a larger one."
    )


def _foot(found: IdentificationComparison, columns: list[IdentificationRate]) -> str:
    words = {
        "rank-1": "Rank-1: the share of searches for someone known whose first answer is right.",
        "rank-5": "Rank-5: the right one is among the first five.",
        "map": "mAP: how early the right pictures come, on average; 100 where they are always "
        "first.",
        "fnir@0.01": "FNIR at an FPIR of 1 %: a search may answer \u201cnobody\u201d. Set so that "
        "one stranger in a hundred is taken for somebody, it does not find this share of those who "
        "are known; lower is better.",
        "fpir@0.1": "FPIR at an FNIR of 10 %: a search may answer \u201cnobody\u201d. Set so that "
        "one in ten of those who are known is not found, it takes this share of the strangers for "
        "somebody; lower is better.",
    }
    said = [words[column.name] for column in columns]
    said.append("Brackets are 95 % intervals, for other identities like these.")
    if len(found.models) > 1:
        said.append(
            "The best model at rank 1 stands first. Bold: the searches tell that this rate is "
            "better than all others. Models that share a letter under Group cannot be told apart "
            "at rank 1."
        )
    return " ".join(said)


def _ties(found: IdentificationComparison, columns: list[IdentificationRate]) -> list[str]:
    """A sentence on each column whose best these searches cannot tell from some other."""
    texts = []
    for column in columns:
        rows = found.differences.get(column.name, ())
        values = {model: one.rate(column.name).value for model, one in found.models.items()}
        known = {model: value for model, value in values.items() if value == value}
        if not rows or not known:
            continue
        best = (min if column.falls else max)(known, key=lambda model: known[model])
        others = [
            one.second if one.first == best else one.first
            for one in rows
            if best in (one.first, one.second) and not one.significant
        ]
        if others:
            texts.append(
                f"{rate_title(column.name, unit='')}: these searches cannot tell the best, "
                f"{best}, from {listed(others)}, so none is bold."
            )
    return texts


def _charts(found: IdentificationComparison) -> list[Chart]:
    from pairsets.figures import cmc_curves, open_set_curves

    models = ", ".join(found.models)
    told = {model: one.cmc_intervals for model, one in found.models.items()}
    charts = [
        drawn_chart(
            cmc_curves({model: one.cmc for model, one in found.models.items()}, told),
            "cmc",
            f"CMC: {models}",
            "Found among the first ranks (CMC)",
            "The share of searches for someone known that have the right one among the first "
            "answers. Higher is better; whiskers are 95 % intervals.",
        )
    ]
    curves = {model: one.curve for model, one in found.models.items() if one.curve is not None}
    if curves:
        charts.append(
            drawn_chart(
                open_set_curves(curves),
                "open-set",
                f"FNIR over FPIR: {models}",
                "Where strangers come, too",
                "Those who are known and not found, over the strangers who are taken for "
                "somebody, at all thresholds. Lower left is better.",
            )
        )
    return charts
