"""All pairs as the page shows them: how often models err, beside where they fail."""

from __future__ import annotations

from dataclasses import dataclass

from pairsets.evaluation.census import CensusComparison
from pairsets.report.charts import Chart, drawn_chart
from pairsets.report.phrases import listed, share
from pairsets.report.tables import Cell, Table
from pairsets.tables.census import (
    area_cell,
    cell,
    census_notes,
    far_text,
    population_sentence,
    rate_title,
    shown_points,
)
from pairsets.tables.leaderboard import interval_text


@dataclass(frozen=True)
class CensusView:
    """Rates over all pairs, ready to print.

    Attributes:
        lede: sentence on the model with the lowest rate.
        value, bounds, caption: its rate, drawn large, its interval, and what it is.
        population: sentence on the pairs that were counted.
        table: the rates of all models.
        chart: FNR over FAR.
        remarks: what the data cannot tell, and what was not counted.
    """

    lede: str
    value: str
    bounds: str
    caption: str
    population: str
    table: Table
    chart: Chart
    remarks: tuple[str, ...]


def census_of(found: CensusComparison, mined: int) -> CensusView:
    """A census as the page shows it; `mined` is the number of hardest pairs of a mined set."""
    lead, columns, area = found.leading(found.best), shown_points(found), found.has_area
    titles = [rate_title(column, unit=" %") for column in columns]
    rows = []
    for model, census in found.models.items():
        cells = []
        for column in columns:
            text, interval, told = cell(found, model, column)
            cells.append(Cell(text, interval, best=told))
        area_text, _, spread = area_cell(census).partition(" ")
        cells += [Cell(area_text or "N/A", spread)] if area else []
        rows.append((model, tuple(cells)))
    table = Table("", (*titles, *(["AUC"] if area else [])), tuple(rows), foot=_foot(found))
    letters = found.groups.get(lead.name, {}) if len(found.models) > 1 else {}
    return CensusView(
        lede=_lede(found),
        value=share(lead.value),
        bounds=interval_text(lead.interval),
        caption=rate_title(lead, unit=""),
        population=population_sentence(found),
        table=table.with_groups(letters),
        chart=_chart(found, mined),
        remarks=tuple(census_notes(found)),
    )


def _lede(found: CensusComparison) -> str:
    lead, pairs = found.leading(found.best), found.population
    rate = share(lead.value)
    if lead.fixed == "fnr":
        what = (
            f"takes {rate} % of all {pairs.negatives:,} pairs of different identities for the same "
            f"one, at a threshold that misses {share(lead.target)} % of the pairs of one identity"
        )
    else:
        what = (
            f"misses {rate} % of all {pairs.positives:,} pairs of one identity, where it may take "
            f"{far_text(lead.target)} of all {pairs.negatives:,} others for one"
        )
    if len(found.models) == 1:
        return f" {what}."
    if tied := found.tied:
        return (
            f" {what}. No other of {len(found.models)} models does so less often, but these "
            f"identities cannot tell it from {listed(list(tied))}."
        )
    count = len(found.models)
    return f" {what}. That is the lowest rate of {count} models, by more than chance explains."


def _foot(found: CensusComparison) -> str:
    if len(found.models) < 2:
        return ""
    return (
        "The best model of the first column stands first. Bold: the data tell that this rate is "
        "lower than all others. Models that share a letter under Group cannot be told apart in the "
        "first column."
    )


def _chart(found: CensusComparison, mined: int) -> Chart:
    from pairsets.figures import census_curves

    curves = {model: one.curve for model, one in found.models.items()}
    caption = (
        "The share of the pairs of one identity that a model misses (FNR), where its threshold "
        "takes that share of all pairs of different identities for one (FAR); at the left end it "
        "is a single pair. Lower is better; dashed is chance."
    )
    if mined:
        caption += (
            f" Shaded: where a threshold takes at most {mined:,} pairs for one, as many as the "
            "mined set has. Of what lies to the right, that set tells nothing."
        )
    return drawn_chart(
        census_curves(curves, mined=mined),
        "all-pairs",
        f"FNR over FAR, all pairs: {', '.join(curves)}",
        "",
        caption,
    )
