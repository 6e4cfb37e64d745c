"""Tables of 1:N identification: Markdown, CSV and JSON; curves and probes as CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pairsets.evaluation.identification import Identification, IdentificationRate
from pairsets.evaluation.identification_differences import IdentificationComparison
from pairsets.storage.artefacts import write_json, write_text
from pairsets.storage.csv_tables import number_cell, write_csv
from pairsets.tables.differences import difference_rows
from pairsets.tables.leaderboard import escape, interval_text, percent

SCHEMA = 1
# What is written into a folder, but for the probes.
FILES = (
    *("identification.md", "identification.csv", "identification.json"),
    *("differences.md", "differences.csv", "cmc.csv", "det.csv"),
)
PROBES = "probes.csv"
_RATES = ("model", "rate", "value", "low", "high", "probes", "threshold", "fixed")
_DIFFERENCES = ("rate", "first", "second", "difference", "low", "high", "p", "p_holm")
_PROBES = (
    *("model", "probe", "identity", "mated", "rank", "tied", "own_score"),
    *("nearest_other", "other_score", "average_precision"),
)


def rate_title(name: str, unit: str = " (%)") -> str:
    """Title of a rate by its name.

    >>> rate_title("rank-1"), rate_title("fnir@0.01"), rate_title("map", unit="")
    ('rank-1 (%)', 'FNIR (%) at an FPIR of 1 %', 'mAP')
    """
    kind, _, target = name.partition("@")
    if not target:
        return f"{'mAP' if kind == 'map' else kind}{unit}"
    other = "FPIR" if kind == "fnir" else "FNIR"
    return f"{kind.upper()}{unit} at an {other} of {100 * float(target):g} %"


def rate_cell(rate: IdentificationRate) -> tuple[str, str]:
    """A rate in percent, and its interval; N/A where no threshold reaches the target."""
    if math.isnan(rate.value):
        return "N/A", ""
    return percent(rate.value), interval_text(rate.interval)


def gallery_sentence(found: Identification) -> str:
    """Sentence on what was searched for, and where."""
    searches, limit = found.searches, found.targets.rank_limit
    ranks = "" if limit is None else f" Open set: a search returns {limit:,} at most."
    return (
        f"{int(searches.mated.sum()):,} mated and {searches.non_mated:,} non-mated probes searched "
        f"for in a gallery of {searches.size:,} identities, exactly.{ranks} Intervals are for "
        "other identities like these, in a gallery of this size."
    )


def identification_markdown(found: IdentificationComparison) -> str:
    """The table of all models, what it is of, and what it does not tell."""
    first = next(iter(found.models.values()))
    names = [one.name for one in first.rates]
    header = ["model name", *map(rate_title, names)]
    lines = [gallery_sentence(first), "", f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for model, one in found.models.items():
        cells = [escape(model)]
        for rate in one.rates:
            value, interval = rate_cell(rate)
            value = f"**{value}**" if found.is_best(rate.name, model) else value
            cells.append(f"{value} {interval}".rstrip())
        lines.append(f"| {' | '.join(cells)} |")
    return (
        "\n".join([*lines, *(f"\n{escape(note)}" for note in identification_notes(found))]) + "\n"
    )


def identification_notes(found: IdentificationComparison) -> list[str]:
    """Sentences on each model; what holds for all of them is said once."""
    by_note: dict[str, list[str]] = {}
    for model, one in found.models.items():
        for note in one.notes():
            by_note.setdefault(note, []).append(model)
    return [
        f"{note[0].upper()}{note[1:]}."
        if len(models) == len(found.models)
        else f"{', '.join(models)}: {note}."
        for note, models in by_note.items()
    ]


def identification_differences(found: IdentificationComparison) -> str:
    """Every two models in each rate, in points of a percent; then the groups, as Markdown."""
    parts = []
    for name, rows in found.differences.items():
        parts.append(f"## {rate_title(name, unit='')}\n")
        parts.append("\n".join(difference_rows(rows, counted=name != "map")) + "\n")
        told = ", ".join(f"{escape(one)} **{group}**" for one, group in found.groups[name].items())
        parts.append(f"Models that share a letter cannot be told apart by these probes: {told}.\n")
    return "\n".join(parts) or "No two models were compared.\n"


def identification_content(
    found: IdentificationComparison, facts: Mapping[str, object]
) -> dict[str, object]:
    """The rates of all models as JSON has them, behind `facts` of what was searched."""
    models = {model: _content(one) for model, one in found.models.items()}
    return {"schema": SCHEMA, **facts, "models": models}


def difference_records(found: IdentificationComparison) -> list[dict[str, object]]:
    """One record every two models and rate, as shares; nan is where there is no telling."""
    return [
        dict(zip(_DIFFERENCES, (name, *one.told), strict=True))
        for name, rows in found.differences.items()
        for one in rows
    ]


def write_identification(
    folder: Path, found: IdentificationComparison, facts: Mapping[str, object]
) -> list[Path]:
    """Write the tables and curves into `folder`, as `FILES`; `facts` go into the JSON."""
    markdown, table, content, told, differences, cmc, det = (folder / name for name in FILES)
    return [
        write_text(markdown, identification_markdown(found)),
        write_csv(table, _RATES, _rate_rows(found)),
        write_json(content, identification_content(found, facts)),
        write_text(told, identification_differences(found)),
        write_csv(differences, _DIFFERENCES, _difference_rows(found)),
        write_csv(cmc, ("model", "rank", "found", "low", "high"), _cmc_rows(found)),
        write_csv(det, ("model", "threshold", "fpir", "fnir"), _det_rows(found)),
    ]


def write_probes(
    path: Path,
    found: IdentificationComparison,
    probes: Sequence[str],
    names: Sequence[str],
) -> Path:
    """Write a line a model and probe.

    Args:
        path: of the file.
        found: the models.
        probes: `[P]` paths.
        names: of the identities, by number.
    """
    return write_csv(path, _PROBES, _probe_rows(found, probes, names))


def _content(one: Identification) -> dict[str, object]:
    searches = one.searches
    return {
        "gallery_identities": searches.size,
        "mated_probes": int(searches.mated.sum()),
        "non_mated_probes": searches.non_mated,
        "rank_limit": one.targets.rank_limit,
        "tied_probes": searches.ties,
        "rates": {rate.name: _rate(rate) for rate in one.rates},
    }


def _rate(rate: IdentificationRate) -> dict[str, object]:
    bounds = rate.interval
    numbers = {
        "value": rate.value,
        "low": math.nan if bounds is None else bounds.low,
        "high": math.nan if bounds is None else bounds.high,
        "threshold": math.nan if rate.threshold is None else rate.threshold,
        "fixed": math.nan if rate.fixed is None else rate.fixed,
    }
    known = {name: one if math.isfinite(one) else None for name, one in numbers.items()}
    return {**known, "probes": rate.probes}


def _rate_rows(found: IdentificationComparison) -> Iterator[Sequence[object]]:
    for model, one in found.models.items():
        for rate in one.rates:
            numbers = _rate(rate)
            yield (model, rate.name, *(number_cell(numbers[name]) for name in _RATES[2:]))


def _difference_rows(found: IdentificationComparison) -> Iterator[Sequence[object]]:
    for record in difference_records(found):
        yield [number_cell(value) for value in record.values()]


def _cmc_rows(found: IdentificationComparison) -> Iterator[Sequence[object]]:
    for model, one in found.models.items():
        for rank, share in enumerate(one.cmc.tolist(), 1):
            bounds = one.cmc_intervals.get(rank)
            ends = ("", "") if bounds is None else (repr(bounds.low), repr(bounds.high))
            yield (model, rank, repr(share), *ends)


def _det_rows(found: IdentificationComparison) -> Iterator[Sequence[object]]:
    for model, one in found.models.items():
        if one.curve is None:
            continue
        columns = (one.curve.thresholds, one.curve.fpr, one.curve.fnr)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield (model, *map(number_cell, row))


def _probe_rows(
    found: IdentificationComparison, probes: Sequence[str], names: Sequence[str]
) -> Iterator[Sequence[object]]:
    for model, one in found.models.items():
        rows = one.searches
        for at, path in enumerate(probes):
            mated, other = bool(rows.mated[at]), int(rows.others[at])
            yield (
                *(model, path, names[int(rows.identities[at])], int(mated)),
                *((int(rows.ranks[at]), int(rows.tied[at])) if mated else ("", "")),
                number_cell(float(rows.own_scores[at])),
                names[other] if other >= 0 else "",
                number_cell(float(rows.other_scores[at])),
                number_cell(float(rows.precisions[at])),
            )
