"""Kinship in tables: cells, columns of files, sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pairsets.evaluation.kinship import Correlation, Kinship
from pairsets.tables.entries import Entry

# Fields of a record; of several references each has its own, as `kinship:REFERENCE`.
FIELDS = (
    "kinship",
    "kinship_low",
    "kinship_high",
    "kinship_pairs",
    "overlap",
    "overlap_chance",
    "same_weights",
    "kin",
)


def references_of(entries: Sequence[Entry]) -> list[str]:
    """The references that some row has a kinship with, in order of appearance."""
    return list(dict.fromkeys(one.reference for entry in entries for one in entry.kinships))


def kinship_header(reference: str) -> str:
    """Heading of the column of a reference."""
    return f"rank correlation with {reference}"


def kinship_cell(entry: Entry, reference: str) -> str:
    """Rank correlation with a reference, and its interval; empty where it is not known."""
    found = _with(entry, reference)
    if found is None:
        return ""
    known = "" if found.correlation is None else correlation_text(found.correlation)
    return ", ".join(filter(None, (known, "same weights" if found.same_weights else "")))


def correlation_text(found: Correlation) -> str:
    """A rank correlation and its interval.

    >>> correlation_text(Correlation(0.66, 0.62, 0.7, 20000))
    '0.66 [0.62, 0.70]'
    """
    if math.isnan(found.low):
        return f"{found.value:.2f}"
    return f"{found.value:.2f} [{found.low:.2f}, {found.high:.2f}]"


def kinship_record(entry: Entry, references: Sequence[str]) -> dict[str, object]:
    """The fields of a row in files: one set a reference, empty of what is not known."""
    record: dict[str, object] = {}
    for reference in references:
        found = _with(entry, reference)
        correlation = None if found is None else found.correlation
        overlap = None if found is None else found.overlap
        values = (
            None if correlation is None else correlation.value,
            None if correlation is None else correlation.low,
            None if correlation is None else correlation.high,
            None if correlation is None else correlation.pairs,
            None if overlap is None else overlap.share,
            None if overlap is None else overlap.chance,
            None if found is None else found.same_weights,
            None if found is None else found.kin,
        )
        end = f":{reference}" if len(references) > 1 else ""
        record |= {f"{name}{end}": value for name, value in zip(FIELDS, values, strict=True)}
    return record


def kinship_sentence(found: Kinship) -> str:
    """Kinship in words, without a full stop.

    >>> kinship_sentence(Kinship("A", Correlation(0.66, 0.62, 0.7, 20000)))
    'kin of A, rank correlation 0.66 [0.62, 0.70]'
    """
    parts = [f"kin of {found.reference}" if found.kin else f"not kin of {found.reference}"]
    if found.same_weights:
        parts.append("the same weights with other settings")
    if found.correlation is not None:
        parts.append(f"rank correlation {correlation_text(found.correlation)}")
    if (overlap := found.overlap) is not None:
        parts.append(
            f"{_share(overlap.share)} of the hardest {overlap.hardest:,} in common "
            f"(chance {_share(overlap.chance)})"
        )
    return ", ".join(parts)


def chance_sentence(entries: Sequence[Entry]) -> str:
    """Sentence on the models that are no better than chance on the set; empty without any.

    Those that mined it are left out: their errors there are made by the choice of the pairs.
    """
    found = [
        entry.title
        for entry in entries
        if entry.eer is not None and entry.eer >= 0.5
        if not (entry.human or entry.published or entry.mined)
    ]
    if not found:
        return ""
    return f"No better than chance on these pairs, with an EER of 50 % or more: {', '.join(found)}."


def _with(entry: Entry, reference: str) -> Kinship | None:
    return next((one for one in entry.kinships if one.reference == reference), None)


def _share(share: float) -> str:
    """A share in percent, two significant digits, as small as it may be.

    >>> _share(0.41), _share(0.0003), _share(1.0), _share(0.0)
    ('41 %', '0.03 %', '100 %', '0 %')
    """
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"
