"""Tables of models on a pair set in ZACI-20's form, beside the published rows."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from numpy.typing import ArrayLike

from pairsets.artefacts import write_json, write_text
from pairsets.evaluate import Evaluation, HumanRates, evaluate, human_rates
from pairsets.pairset import PairSet


@dataclass(frozen=True)
class Entry:
    """One row: rates as shares, None where they do not exist.

    `comparable` is false for the model that mined the set, whose row says little of the model;
    `published` marks figures taken from ZACI-20's own tables.
    """

    model: str
    fpr: float | None
    fnr: float | None
    eer: float | None
    note: str = ""
    comparable: bool = True
    published: bool = False
    human: bool = False
    evaluation: Evaluation | None = None

    @property
    def competes(self) -> bool:
        """Whether the row can be the best of its table."""
        return self.comparable and not self.human and not self.published


def _published(rows: Sequence[tuple[str, float, float, float | None, str]]) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            model=model,
            fpr=fpr / 100,
            fnr=fnr / 100,
            eer=None if eer is None else eer / 100,
            note=f"published; {note}",
            published=True,
            human=eer is None,
        )
        for model, fpr, fnr, eer, note in rows
    )


# Tables 1 and 2 of ZACI-20's README (March 2021), in percent.
PUBLISHED: Mapping[str, tuple[Entry, ...]] = {
    "random": _published(
        [
            ("Human", 1.59, 13.9, None, "by kosuke1701"),
            ("ResNet-152", 2.40, 13.9, 8.89, "0206_resnet152, contrastive"),
            ("SE-ResNet-152", 2.43, 13.9, 8.15, "0206_seresnet152, contrastive"),
            ("ResNet-152", 2.54, 13.9, 8.33, "0301_cls_resnet152, contrastive + cross entropy"),
            ("ResNet-18", 2.96, 13.9, 8.65, "0217_cls_resnet18, contrastive + cross entropy"),
            ("ResNet-18", 5.08, 13.9, 9.59, "0206_resnet18, contrastive"),
        ]
    ),
    "adversarial": _published(
        [
            ("Human", 13.6, 16.9, None, "by kosuke1701"),
            ("SE-ResNet-152", 68.9, 16.9, 39.7, "0206_seresnet152, contrastive"),
            ("ViT L-16", 70.9, 16.9, 39.9, "animesion"),
            ("ResNet-152", 70.9, 16.9, 32.6, "0301_cls_resnet152, contrastive + cross entropy"),
            ("ResNet-18", 75.7, 16.9, 34.7, "0217_cls_resnet18, contrastive + cross entropy"),
            ("ResNet-18", 94.9, 16.9, 43.0, "0206_resnet18, contrastive"),
        ]
    ),
}

SCHEMA = 1
NOT_COMPARABLE = "mined this set: not comparable"


@dataclass(frozen=True)
class Leaderboard:
    """Rows on one pair set, in the order they are shown."""

    name: str
    entries: tuple[Entry, ...]

    def best(self, column: str) -> float | None:
        """The lowest `fpr` or `eer` among the models run here.

        People, published rows and the model that mined the set do not compete.
        """
        values = [
            value
            for entry in self.entries
            if entry.competes
            if (value := getattr(entry, column)) is not None
        ]
        return min(values, default=None)

    def cells(self, entry: Entry) -> tuple[str, str, str]:
        """FPR, FNR and EER in percent as the tables print them, best in `**bold**`."""
        texts = []
        for column in ("fpr", "fnr", "eer"):
            value = getattr(entry, column)
            text = percent(value)
            contest = column != "fnr" and entry.competes
            if contest and value is not None and value == self.best(column):
                text = f"**{text}**"
            texts.append(text)
        return texts[0], texts[1], texts[2]

    def to_markdown(self) -> str:
        """The table in the form of ZACI-20's README."""
        lines = [
            "| model name | FPR (%) | FNR (%) | EER (%) | note |",
            "|---|---|---|---|---|",
        ]
        for entry in self.entries:
            cells = [_escape(entry.model), *self.cells(entry), _escape(entry.note)]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.to_markdown()

    def records(self) -> list[dict[str, object]]:
        """One flat record a row, rates as shares: what the CSV and JSON files hold."""
        records: list[dict[str, object]] = []
        for entry in self.entries:
            record: dict[str, object] = {"set": self.name}
            record |= {key: value for key, value in asdict(entry).items() if key != "evaluation"}
            record |= dict.fromkeys(Evaluation.__dataclass_fields__)
            if entry.evaluation is not None:
                found = asdict(entry.evaluation)
                # A threshold that accepts nothing is infinite, which JSON does not know.
                record |= {
                    key: value if math.isfinite(value) else None for key, value in found.items()
                }
            records.append(record)
        return records


def to_csv(boards: Sequence[Leaderboard]) -> str:
    """All rows of several tables as one CSV; empty cells where a rate does not exist."""
    records = [record for board in boards for record in board.records()]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(records[0]) if records else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue()


def human_entry(rates: HumanRates) -> Entry:
    """The row of the person who judged the set."""
    note = f"judged {rates.positives + rates.negatives} pairs"
    if rates.unjudged:
        note += f", {rates.unjudged} not judged"
    return Entry("Human", _number(rates.fpr), _number(rates.fnr), None, note, human=True)


def model_entry(model: str, evaluation: Evaluation, *, mined: bool = False) -> Entry:
    """A model's row; `mined` marks the reference model on the set that it mined."""
    return Entry(
        model=model,
        fpr=evaluation.fpr_interpolated,
        fnr=evaluation.target_fnr,
        eer=evaluation.eer,
        note=NOT_COMPARABLE if mined else "",
        comparable=not mined,
        evaluation=evaluation,
    )


def make_leaderboard(
    name: str,
    pairs: PairSet,
    scores: Mapping[str, ArrayLike],
    target_fnr: float | str | None,
    *,
    mined_by: str | None = None,
    published: Iterable[Entry] = (),
) -> Leaderboard:
    """Evaluate models on one set: first the person, then the models as given, then `published`."""
    entries = [human_entry(human_rates(pairs))] if pairs.judged.any() else []
    entries += [
        model_entry(model, evaluate(pairs, values, target_fnr), mined=model == mined_by)
        for model, values in scores.items()
    ]
    return Leaderboard(name, (*entries, *published))


def write_leaderboards(stem: Path, boards: Sequence[Leaderboard]) -> list[Path]:
    """Write the tables as Markdown, CSV and JSON; returns the three paths."""
    markdown = "\n".join(f"## {board.name}\n\n{board.to_markdown()}" for board in boards)
    records = [record for board in boards for record in board.records()]
    return [
        write_text(stem.with_name(stem.name + ".md"), markdown),
        write_text(stem.with_name(stem.name + ".csv"), to_csv(boards)),
        write_json(stem.with_name(stem.name + ".json"), {"schema": SCHEMA, "rows": records}),
    ]


def percent(share: float | None) -> str:
    """Three significant digits, as the published tables have them.

    >>> percent(0.024), percent(0.139), percent(1.0), percent(None)
    ('2.40', '13.9', '100', 'N/A')
    """
    return "N/A" if share is None else f"{100 * share:#.3g}".rstrip(".")


def _number(value: float) -> float | None:
    return None if value != value else value


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
