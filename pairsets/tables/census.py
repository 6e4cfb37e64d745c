"""Tables of a census: models over all pairs, none left out, as Markdown, CSV and JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pairsets.evaluation.census import Census, CensusComparison, CensusPoint
from pairsets.storage.artefacts import write_json, write_text
from pairsets.storage.csv_tables import number_cell, write_csv
from pairsets.tables.differences import difference_rows
from pairsets.tables.leaderboard import escape, interval_text, percent

SCHEMA = 1
# What the names of the files of a census end in.
ENDS = (".md", ".csv", ".json", ".differences.md", ".differences.csv", ".curves.csv")
# What the files of a comparison or a build begin with.
STEM = "all-pairs"
_DIFFERENCES = ("statistic", "first", "second", "difference", "low", "high", "p", "p_holm")
_CURVES = ("model", "threshold", "fpr", "fnr", "false_accepts", "misses")


def rate_title(point: CensusPoint, unit: str = " (%)") -> str:
    """Title of a rate: what it is, with its unit, and at which target of the other."""
    if point.fixed == "eer":
        return f"EER{unit}"
    if point.fixed == "fnr":
        return f"FPR{unit} at an FNR of {percent(point.target)} %"
    return f"FNR{unit} at a FAR of {far_text(point.target)}"


def far_text(far: float) -> str:
    """A FAR in print: small ones as powers of ten.

    >>> far_text(0.1), far_text(1e-3), far_text(1e-06), far_text(2e-05)
    ('10 %', '0.1 %', '1e-6', '2e-5')
    """
    if far >= 1e-4:
        return f"{100 * far:g} %"
    digits, _, power = f"{far:g}".partition("e")
    return f"{digits}e{int(power)}"


def population_sentence(found: CensusComparison) -> str:
    """Sentence on the pairs that were counted."""
    pairs = found.population
    return (
        f"Over all {pairs.negatives:,} pairs of different identities and all {pairs.positives:,} "
        f"pairs of one, of {pairs.faces:,} faces of {len(pairs.sizes):,} identities: exact, no "
        "sample. Intervals are for other identities like these."
    )


def shown_points(found: CensusComparison) -> list[CensusPoint]:
    """Rates that a table has columns for, as the first model has them, the leading one first."""
    lead, points = found.leading(found.best), found.models[found.best].points
    eer = [at for at in points if at.fixed == "eer"]
    return [lead, *eer, *(at for at in points if at.fixed == "fpr" and at is not lead)]


def cell(found: CensusComparison, model: str, column: CensusPoint) -> tuple[str, str, bool]:
    """A model's rate in a column, its interval, and whether it is the best that the data tell."""
    at = found.models[model].point(column.fixed, column.target)
    if at is None:
        return "N/A", "", False
    return percent(at.value), interval_text(at.interval), is_best(found, model, column)


def is_best(found: CensusComparison, model: str, column: CensusPoint) -> bool:
    """Whether a model has the lowest rate of a column, told from all others'."""
    rows = found.differences.get(column.name, ())
    mine = [one for one in rows if model in (one.first, one.second)]
    return bool(mine) and all(one.better == model for one in mine)


def area_cell(census: Census) -> str:
    """The AUC, and how far the histogram leaves it open; empty where it was not counted."""
    if census.area is None:
        return ""
    area = census.area
    spread = max(area.high - area.value, area.value - area.low)
    return f"{area.value:.4f}" + (f" \u00b1{spread:.1g}" if spread > 5e-5 else "")


def census_notes(found: CensusComparison) -> list[str]:
    """Sentences on what the table does not tell."""
    notes = []
    shallow = [model for model, one in found.models.items() if not one.full]
    if shallow:
        far = max(found.models[model].highest_far for model in shallow)
        notes.append(
            f"Of {', '.join(shallow)} the pairs were counted up to a FAR of {far_text(far)}: EER, "
            "AUC and FPR at an FNR take several times as long, with --census full."
        )
    lead = found.leading(found.best)
    if math.isnan(lead.interval.low):
        notes.append(
            f"{rate_title(lead, unit='')} has no interval here: {lead.missed:,} misses, which the "
            "threshold hangs on, tell too little."
        )
    if len(found.models) > 1 and (tied := found.tied):
        notes.append(
            f"{rate_title(lead, unit='')}: these identities cannot tell {found.best}, the lowest, "
            f"from {', '.join(tied)}, so none is bold."
        )
    return notes


def census_markdown(found: CensusComparison) -> str:
    """The table of all models, what it is of, and what it does not tell."""
    columns = shown_points(found)
    header = ["model name", *map(rate_title, columns), *(["AUC"] if found.has_area else [])]
    lines = [
        population_sentence(found),
        "",
        f"| {' | '.join(header)} |",
        "|---" * len(header) + "|",
    ]
    for model, census in found.models.items():
        cells = [escape(model)]
        for column in columns:
            text, interval, best = cell(found, model, column)
            cells.append(f"{f'**{text}**' if best else text} {interval}".rstrip())
        cells += [area_cell(census)] if found.has_area else []
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, *(f"\n{escape(note)}" for note in census_notes(found))]) + "\n"


def differences_markdown(found: CensusComparison) -> str:
    """Every two models over all pairs, in points of a percent; then the groups."""
    parts = []
    titles = {point.name: rate_title(point, unit="") for point in shown_points(found)}
    for name, rows in found.differences.items():
        if not rows:
            continue
        parts.append(f"## All pairs: {titles[name]}\n")
        parts.append("\n".join(difference_rows(rows, counted=False)) + "\n")
        groups = ", ".join(
            f"{escape(model)} **{letters}**" for model, letters in found.groups[name].items()
        )
        parts.append(
            f"Models that share a letter cannot be told apart by these identities: {groups}.\n"
        )
    return "\n".join(parts) or "No two models were compared.\n"


def census_records(found: CensusComparison) -> list[dict[str, object]]:
    """One flat record a model, rates as shares."""
    return [
        {"model": model, "leads": found.leading(model).name, **census.record()}
        for model, census in found.models.items()
    ]


def census_content(found: CensusComparison) -> dict[str, object]:
    """The table of a census as JSON has it."""
    return {"schema": SCHEMA, "rows": census_records(found)}


def census_difference_records(found: CensusComparison) -> list[dict[str, object]]:
    """One record every two models and rate, as shares; what there is no telling is nan."""
    return [
        dict(zip(_DIFFERENCES, (name, *one.told), strict=True))
        for name, rows in found.differences.items()
        for one in rows
    ]


def write_census(stem: Path, found: CensusComparison) -> list[Path]:
    """Write the tables of a census, whose names begin with `stem`; returns the paths."""
    records = census_records(found)
    columns = list(dict.fromkeys(name for record in records for name in record))
    rows = ([number_cell(record.get(name)) for name in columns] for record in records)
    paths = [stem.with_name(stem.name + end) for end in ENDS]
    markdown, table, numbers, told, differences, curves = paths
    return [
        write_text(markdown, census_markdown(found)),
        write_csv(table, columns, rows),
        write_json(numbers, census_content(found)),
        write_text(told, differences_markdown(found)),
        write_csv(differences, _DIFFERENCES, _difference_rows(found)),
        write_csv(curves, _CURVES, _curve_rows(found.models)),
    ]


def _difference_rows(found: CensusComparison) -> Iterator[Sequence[object]]:
    for record in census_difference_records(found):
        yield [number_cell(value) for value in record.values()]


def _curve_rows(models: Mapping[str, Census]) -> Iterator[Sequence[object]]:
    for model, census in models.items():
        curve = census.curve
        missed = curve.positives - curve.true_positives
        columns = (curve.thresholds, curve.fpr, curve.fnr, curve.false_positives, missed)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield (model, *map(repr, row))
