"""Paired differences and verdicts as files: Markdown and CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.differences import Difference
from pairsets.storage.artefacts import write_text
from pairsets.storage.csv_tables import number_cell, write_csv
from pairsets.tables.leaderboard import escape, percent

_HEADER = (
    "set",
    "statistic",
    "first",
    "second",
    "difference",
    "low",
    "high",
    "p",
    "p_holm",
    "only_first_right",
    "only_second_right",
)
_VERDICTS = ("pathA", "pathB", "label", "human_prediction")


def statistic_title(comparison: Comparison, statistic: str) -> str:
    """Title of a statistic of a comparison: FPR names the FNR that it is taken at."""
    return "EER" if statistic == "eer" else f"FPR at an FNR of {percent(comparison.target_fnr)} %"


def points(share: float) -> str:
    """A difference of shares in points of a percent, signed; `?` where there is no telling.

    >>> points(-0.277), points(float("nan"))
    ('-27.70', '?')
    """
    return "?" if share != share else f"{100 * share:+.2f}"


def differences_markdown(comparisons: Sequence[Comparison]) -> str:
    """Every two models of every set, in points of a percent; then the groups."""
    if not any(one.differences for one in comparisons):
        return "No two models were compared.\n"
    parts = []
    for one in comparisons:
        if lacking := why_not_compared(one):
            parts.append(f"## {escape(one.name)}\n\n{escape(lacking)}\n")
        for statistic, found in one.differences.items():
            parts.append(f"## {escape(one.name)}: {statistic_title(one, statistic)}\n")
            parts.append("\n".join(difference_rows(found, counted=statistic == "fpr")) + "\n")
            parts.append(
                "Models that share a letter cannot be told apart by these pairs: "
                + ", ".join(
                    f"{escape(model)} **{group}**" for model, group in one.groups[statistic].items()
                )
                + ".\n"
            )
    return "\n".join(parts)


def why_not_compared(comparison: Comparison) -> str | None:
    """A sentence where the models that are left do not make two; None where some were compared."""
    if comparison.differences or not comparison.apart:
        return None
    return (
        f"No two models to compare: {', '.join(sorted(comparison.apart))} mined the set, or score "
        "as a model does that mined it, so that errors there say little of them."
    )


def difference_rows(found: Sequence[Difference], *, counted: bool) -> Iterator[str]:
    """Lines of a Markdown table; if `counted`, with the pairs that one alone gets right."""
    header = ["A", "B", "A - B (points)", "95 % interval", "p (Holm)"]
    header += ["only A right", "only B right"] if counted else []
    yield f"| {' | '.join(header)} |"
    yield "|---" * len(header) + "|"
    for one in found:
        value, low, high = (points(share) for share in (one.value, one.low, one.high))
        value = f"**{value}**" if one.significant else value
        p = "< 0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}"
        cells = [escape(one.first), escape(one.second), value, f"[{low}, {high}]", p]
        cells += [f"{one.only_first:,}", f"{one.only_second:,}"] if counted else []
        yield f"| {' | '.join(cells)} |"


def differences_table(comparison: Comparison) -> pd.DataFrame:
    """Every two models in every statistic, in points of a percent, for a notebook to show."""
    rows = [
        {
            "A - B in": statistic_title(comparison, statistic),
            "A": one.first,
            "B": one.second,
            "points": round(100 * one.value, 2),
            "95 % interval": f"[{points(one.low)}, {points(one.high)}]",
            "p (Holm)": one.p_holm,
            "only A right": one.only_first,
            "only B right": one.only_second,
        }
        for statistic, found in comparison.differences.items()
        for one in found
    ]
    return pd.DataFrame(rows)


def difference_records(comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """One record every two models, statistic and set, as shares; nan is where there is no telling.

    Its keys are the columns of the CSV.
    """
    return [
        dict(
            zip(
                _HEADER,
                (one.name, row.statistic, *row.told, row.only_first, row.only_second),
                strict=True,
            )
        )
        for one in comparisons
        for found in one.differences.values()
        for row in found
    ]


def write_differences(stem: Path, comparisons: Sequence[Comparison]) -> list[Path]:
    """Write `stem.md` and `stem.csv` (shares, not percent); returns the paths."""
    records = difference_records(comparisons)
    rows = ([number_cell(value) for value in record.values()] for record in records)
    return [
        write_text(stem.with_name(stem.name + ".md"), differences_markdown(comparisons)),
        write_csv(stem.with_name(stem.name + ".csv"), _HEADER, rows),
    ]


def write_verdicts(path: Path, comparison: Comparison) -> Path:
    """Write who gets which valid pair right, at each model's threshold for the target FNR.

    The columns are `pathA,pathB,label,human_prediction` and `right:MODEL` of each: 1 or 0; empty
    for a model without such a threshold.
    """
    rows = np.flatnonzero(comparison.pairs.valid)
    pairs = comparison.pairs.take(rows)
    right: list[list[object]] = [
        one.right.astype(int).tolist() if one.evaluation.reaches_target else [""] * len(pairs)
        for one in comparison.judged.values()
    ]
    columns = (
        pairs.path_a,
        pairs.path_b,
        pairs.label.tolist(),
        pairs.human_prediction.tolist(),
        *right,
    )
    header = (*_VERDICTS, *(f"right:{model}" for model in comparison.judged))
    return write_csv(path, header, zip(*columns, strict=True))
