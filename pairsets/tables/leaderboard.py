"""Tables of models on a pair set in ZACI-20's form, beside the published rows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from numpy.typing import ArrayLike

from pairsets.errors import ScoresError
from pairsets.evaluation.bootstrap import DRAWS
from pairsets.evaluation.comparison import Comparison, ComparisonOptions, compare
from pairsets.evaluation.evaluator import evaluate
from pairsets.evaluation.human import HumanRates
from pairsets.evaluation.intervals import Interval
from pairsets.evaluation.kinship import Kinship
from pairsets.evaluation.result import Evaluation
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import write_json, write_text
from pairsets.tables.entries import Entry, human_entry, kin_of, left_out_entry, model_entry
from pairsets.tables.kinship import (
    chance_sentence,
    kinship_cell,
    kinship_header,
    kinship_record,
    references_of,
)
from pairsets.tables.published_rows import Published

SCHEMA = 3
# What the rate is called that stands beside published ones.
ZACI = "FPR (ZACI-20)"
# The rate over all pairs of different identities, of which the set is a sample.
OVER_ALL = "FPR over all pairs (%)"


@dataclass(frozen=True)
class Apart:
    """Published rows that are not of the table's pairs: shown below it, compared with nothing."""

    name: str
    entries: tuple[Entry, ...]
    why: str

    @property
    def title(self) -> str:
        """The heading of the published rows."""
        return f"ZACI-20's published rows of its own {self.name} pairs, apart"

    @property
    def reason(self) -> str:
        """Why the published rows stand apart, as a sentence."""
        return f"They are {self.why}."


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """Rows on one pair set, in the order they are shown, and the comparison they come from.

    `apart` has published rows of other pairs; `mined_by` names the models that mined the set, where
    it was mined and they are known.
    """

    name: str
    entries: tuple[Entry, ...]
    comparison: Comparison | None = None
    apart: Apart | None = None
    mined_by: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Leaderboard({self.name!r}, {len(self.entries):,} rows)"

    @property
    def beside_published(self) -> bool:
        """True where published rows of these very pairs are among the entries."""
        return any(entry.published for entry in self.entries)

    def best(self, column: str) -> float | None:
        """The lowest `fpr` or `eer` among the models run here.

        People, published rows, models that mined the set, their kin and leave-one-out rows do not
        compete.
        """
        values = [
            value
            for entry in self.entries
            if entry.competes
            if (value := getattr(entry, column)) is not None
        ]
        return min(values, default=None)

    @property
    def kinship_references(self) -> list[str]:
        """The references that the kinship of some model is known with."""
        return references_of(self.entries)

    @property
    def chance(self) -> str:
        """Sentence on the models that are no better than chance; empty without any."""
        return chance_sentence(self.entries)

    @property
    def warnings(self) -> list[str]:
        """The warnings of the comparison."""
        return [] if self.comparison is None else self.comparison.warnings

    def tied(self, column: str) -> bool:
        """True where the data cannot tell the best in `fpr` or `eer` from some other model."""
        return self.comparison is not None and self.comparison.tied(column)

    def _contested(self, column: str) -> bool:
        """True where there is a best: of several models, and told from all others."""
        return sum(entry.competes for entry in self.entries) > 1 and not self.tied(column)

    def cells(self, entry: Entry) -> tuple[str, str, str]:
        """FPR, FNR and EER in percent as the tables print them, best in `**bold**`.

        A best that the data cannot tell from some other model is not bold, nor is one without
        another model to be better than.
        """
        texts = []
        for column in ("fpr", "fnr", "eer"):
            value = getattr(entry, column)
            text = percent(value)
            contest = column != "fnr" and entry.competes and self._contested(column)
            if contest and value is not None and value == self.best(column):
                text = f"**{text}**"
            texts.append(text)
        return texts[0], texts[1], texts[2]

    def to_markdown(self) -> str:
        """The table in the form of ZACI-20's README, intervals behind the rates.

        Beside published rows there is a column of the rate that they have. Published rows of other
        pairs are a table of their own. Each reference that models may be kin of has a column.
        """
        beside = self.beside_published
        header = ["model name", "FPR (%)", "FNR (%)", "EER (%)", *([ZACI] if beside else ())]
        references = self.kinship_references
        header += map(kinship_header, references)
        over_all = any(one.evaluation and one.evaluation.population for one in self.entries)
        header += [OVER_ALL] if over_all else []
        rows = []
        for entry in self.entries:
            rates = [
                f"{text} {bounds}".rstrip()
                for text, bounds in zip(self.cells(entry), interval_cells(entry), strict=True)
            ]
            rates += [percent(entry.fpr_interpolated)] if beside else []
            rates += [kinship_cell(entry, reference) for reference in references]
            rates += [population_cell(entry)] if over_all else []
            rows.append([entry.title, *rates, entry.note])
        text = _markdown([*map(escape, header), "note"], rows)
        text += f"\n{escape(self.chance)}\n" if self.chance else ""
        if self.apart is None:
            return text
        below = _markdown(
            ["model name", *APART_COLUMNS, "note"],
            [[entry.title, *apart_cells(entry), entry.note] for entry in self.apart.entries],
        )
        return f"{text}\n{escape(self.apart.title)}. {escape(self.apart.reason)}\n\n{below}"

    def _repr_markdown_(self) -> str:
        """The table as a notebook shows it."""
        return self.to_markdown()

    def records(self) -> list[dict[str, object]]:
        """One flat record a row, rates as shares: what the CSV and JSON files hold.

        `pairs_mined_by` is there in tables with leave-one-out rows alone, empty in the others; the
        fields of `pairsets.tables.kinship.FIELDS` in those of mined sets where a kinship is known.
        Published rows of other pairs are of another `set`, which says so.
        """
        several = any(entry.pairs_mined_by for entry in self.entries)
        references = self.kinship_references
        found = [
            entry.evaluation.record() if entry.evaluation is not None else {}
            for entry in self.entries
        ]
        columns = list(dict.fromkeys(name for one in found for name in one))
        records: list[dict[str, object]] = []
        for entry, one in zip(self.entries, found, strict=True):
            record: dict[str, object] = {"set": self.name}
            record |= {name: getattr(entry, name) for name in _COLUMNS}
            for name in _RATES:
                bounds: Interval | None = getattr(entry, f"{name}_interval")
                record |= {
                    f"{name}_low": _known(bounds, "low"),
                    f"{name}_high": _known(bounds, "high"),
                }
            if self.comparison is not None and self.comparison.groups:
                for name, groups in self.comparison.groups.items():
                    group = groups.get(entry.model) if entry.competes else None
                    record[f"{name}_group"] = group
            record |= {name: one.get(name) for name in columns}
            record["fpr_interpolated"] = entry.fpr_interpolated
            if several:
                record["pairs_mined_by"] = ", ".join(entry.pairs_mined_by)
            record |= kinship_record(entry, references)
            records.append(record)
        if self.apart is not None:
            others = Leaderboard(f"ZACI-20 {self.apart.name}", self.apart.entries).records()
            columns = list(records[0]) if records else []
            records += [dict.fromkeys(columns) | one for one in others]
        return records


def _markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines += ["| " + " | ".join(map(escape, cells)) + " |" for cells in rows]
    return "\n".join(lines) + "\n"


def _known(bounds: Interval | None, end: str) -> float | None:
    value = float(getattr(bounds, end, "nan"))
    return None if math.isnan(value) else value


_COLUMNS = ("model", "fpr", "fnr", "eer", "note", "comparable", "published", "human")
_RATES = ("fpr", "fnr", "eer")


def to_csv(boards: Sequence[Leaderboard]) -> str:
    """All rows of several tables as one CSV; empty cells where a rate does not exist."""
    records = [record for board in boards for record in board.records()]
    stream = io.StringIO()
    columns = list(dict.fromkeys(name for record in records for name in record))
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Pairs that a reference is judged on, where others mined without it.

    Attributes:
        pairs: the positives of the set, and the negatives that the others mined.
        scores: `[N]` of the reference left out, one a row of `pairs`.
        mined_by: the others.
    """

    pairs: PairSet
    scores: ArrayLike
    mined_by: Sequence[str]


def make_leaderboard(
    name: str,
    pairs: PairSet,
    scores: Mapping[str, ArrayLike],
    target_fnr: float | str | None,
    *,
    mined_by: str | Sequence[str] | None = None,
    left_out: Mapping[str, LeftOut] | None = None,
    kinships: Mapping[str, Sequence[Kinship]] | None = None,
    published: Published | None = None,
    annotators: Mapping[str, HumanRates] | None = None,
    **options: Unpack[ComparisonOptions],
) -> Leaderboard:
    """Evaluate models on one set: people first, then models, the lowest FPR first.

    Models of the same FPR stand by EER, then in the order given. Kin of a reference that mined the
    set follow, in the same order, compared with nothing; then those that mined it, in the order
    given, each with its leave-one-out row: their rates are not of the same kind.
    Published rows come last, or apart.

    Args:
        name: of the set.
        pairs: the set.
        scores: by model, `[N]`, one a row of `pairs`.
        target_fnr: see `pairsets.evaluate`; leave-one-out rows have that of `pairs`.
        mined_by: the reference, or the references, that mined the set: marked.
        left_out: by reference, what it is judged on in a row of its own, below its marked one.
        kinships: by model, those with the references that mined the set, as far as they are known.
        published: rows to end with; apart, unless they are of these very pairs.
        annotators: further people, by name, with a row each below that of the set's own.
        options: see `pairsets.evaluation.comparison.compare`.

    Raises:
        ScoresError: a leave-one-out row of a model that did not mine the set or has no scores,
            on pairs that the model itself mined, or with other positives than the set's.
    """
    miners = (mined_by,) if isinstance(mined_by, str) else tuple(mined_by or ())
    for model, judged in (left_out or {}).items():
        _refuse_unfit(model, judged, pairs, [one for one in miners if one in scores])
    near = kinships or {}
    kin = [model for model in scores if model not in miners and kin_of(near.get(model, ()))]
    found = compare(
        name,
        pairs,
        scores,
        target_fnr,
        apart=[one for one in scores if one in miners or one in kin],
        **options,
    )
    entries = [human_entry(found.human)] if found.human is not None else []
    entries += [human_entry(rates, person) for person, rates in (annotators or {}).items()]
    evaluations = found.evaluations
    competing = [model for model in evaluations if model not in miners]
    competing.sort(key=lambda model: (model in kin, *_order(evaluations[model])))
    for model in [*competing, *(model for model in evaluations if model in miners)]:
        evaluation = evaluations[model]
        mined, likeness = model in miners, near.get(model, ())
        count = len(miners)
        entries.append(model_entry(model, evaluation, mined=mined, miners=count, kinships=likeness))
        if left_out and model in left_out:
            judged = left_out[model]
            alone = evaluate(
                judged.pairs,
                judged.scores,
                found.target_fnr,
                clusters=options.get("clusters", "identity"),
                draws=options.get("draws", DRAWS),
                seed=options.get("seed", 0),
            )
            entries.append(left_out_entry(model, alone, judged.mined_by, likeness))
    why = None if published is None else published.why_apart(found.pairs, found.target_fnr)
    apart = None
    if published is not None and why is None:
        entries += published.entries
    elif published is not None and why is not None:
        apart = Apart(published.name, published.entries, why)
    return Leaderboard(name, tuple(entries), found, apart, miners)


def _order(evaluation: Evaluation) -> tuple[float, float]:
    """Better first; last those without a rate, as nothing is below what is not known."""
    rates = evaluation.fpr_achieved, evaluation.eer
    first, second = (math.inf if math.isnan(rate) else rate for rate in rates)
    return first, second


def _refuse_unfit(model: str, judged: LeftOut, pairs: PairSet, miners: Sequence[str]) -> None:
    """Raise ScoresError unless `judged` can make the leave-one-out row of `model`."""
    if model not in miners:
        raise ScoresError(
            f"a leave-one-out row of {model}, which is not among the models that mined the set "
            f"and have scores on it ({', '.join(miners) or 'none'})"
        )
    if model in judged.mined_by or not judged.mined_by:
        raise ScoresError(
            f"a leave-one-out row of {model} on pairs mined by "
            f"{', '.join(judged.mined_by) or 'nobody'}; expected the other references"
        )
    theirs, ours = (set(one.take(one.positives).keys) for one in (judged.pairs, pairs))
    if theirs != ours:
        raise ScoresError(
            f"the leave-one-out pairs of {model} have other positives than the set, so that the "
            "same FNR would be another threshold; were the two made from other test pairs?"
        )


def leaderboards_content(boards: Sequence[Leaderboard]) -> dict[str, object]:
    """The tables as JSON has them: all rows of all sets."""
    return {"schema": SCHEMA, "rows": [record for board in boards for record in board.records()]}


def write_leaderboards(stem: Path, boards: Sequence[Leaderboard]) -> list[Path]:
    """Write the tables as Markdown, CSV and JSON; returns the three paths."""
    markdown = "\n".join(f"## {board.name}\n\n{board.to_markdown()}" for board in boards)
    return [
        write_text(stem.with_name(stem.name + ".md"), markdown),
        write_text(stem.with_name(stem.name + ".csv"), to_csv(boards)),
        write_json(stem.with_name(stem.name + ".json"), leaderboards_content(boards)),
    ]


def percent(share: float | None) -> str:
    """Three significant digits, as the published tables have them.

    >>> percent(0.024), percent(0.139), percent(1.0), percent(None)
    ('2.40', '13.9', '100', 'N/A')
    """
    return "N/A" if share is None else f"{100 * share:#.3g}".rstrip(".")


def interval_cells(entry: Entry) -> tuple[str, str, str]:
    """The 95 % intervals of FPR, FNR and EER in percent; empty where there is none.

    >>> interval_cells(Entry("A", 0.136, None, None, fpr_interval=Interval(0.0990, 0.1841)))
    ('[9.90, 18.4]', '', '')
    """
    bounds = (entry.fpr_interval, entry.fnr_interval, entry.eer_interval)
    first, second, third = map(interval_text, bounds)
    return first, second, third


def interval_text(interval: Interval | None) -> str:
    """An interval of a share in percent; empty where it is not known.

    >>> interval_text(Interval(0.0990, 0.1841)), interval_text(None)
    ('[9.90, 18.4]', '')
    """
    if interval is None or not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"[{percent(interval.low)}, {percent(interval.high)}]"


def population_cell(entry: Entry) -> str:
    """The cell of `OVER_ALL`: a rate in percent and its interval; N/A where it is not known."""
    found = None if entry.evaluation is None else entry.evaluation.population
    if found is None:
        return "N/A"
    if not found.fpr.resolvable:
        return "not resolvable"
    return f"{percent(found.fpr.value)} [{percent(found.fpr.low)}, {percent(found.fpr.high)}]"


APART_COLUMNS = (ZACI, "FNR (%)", "EER (%)")


def apart_cells(entry: Entry) -> tuple[str, str, str]:
    """The cells of `APART_COLUMNS` of a published row."""
    return percent(entry.fpr_interpolated), percent(entry.fnr), percent(entry.eer)


def escape(text: str) -> str:
    """`text` as a cell of a Markdown table."""
    return " ".join(text.splitlines()).replace("|", "\\|")
