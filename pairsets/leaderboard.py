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
from pairsets.entries import Entry, human_entry, left_out_entry, model_entry
from pairsets.errors import ScoresError
from pairsets.evaluate import Evaluation, evaluate, human_rates, resolve_target
from pairsets.pairset import PairSet


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


@dataclass(frozen=True)
class Leaderboard:
    """Rows on one pair set, in the order they are shown."""

    name: str
    entries: tuple[Entry, ...]

    def best(self, column: str) -> float | None:
        """The lowest `fpr` or `eer` among the models run here.

        People, published rows, models that mined the set and leave-one-out rows do not compete.
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
            cells = [_escape(entry.title), *self.cells(entry), _escape(entry.note)]
            lines.append("| " + " | ".join(cells) + " |")
        return "\n".join(lines) + "\n"

    def _repr_markdown_(self) -> str:
        """What a notebook shows."""
        return self.to_markdown()

    def records(self) -> list[dict[str, object]]:
        """One flat record a row, rates as shares: what the CSV and JSON files hold.

        `pairs_mined_by` is there in tables with leave-one-out rows alone, empty in the others.
        """
        several = any(entry.pairs_mined_by for entry in self.entries)
        apart = ("evaluation", "pairs_mined_by")
        records: list[dict[str, object]] = []
        for entry in self.entries:
            record: dict[str, object] = {"set": self.name}
            record |= {key: value for key, value in asdict(entry).items() if key not in apart}
            record |= dict.fromkeys(Evaluation.__dataclass_fields__)
            if entry.evaluation is not None:
                found = asdict(entry.evaluation)
                # A threshold that accepts nothing is infinite, which JSON does not know.
                record |= {
                    key: value if math.isfinite(value) else None for key, value in found.items()
                }
            if several:
                record["pairs_mined_by"] = ", ".join(entry.pairs_mined_by)
            records.append(record)
        return records


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
    """What a reference is judged on where others mined without it.

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
    published: Iterable[Entry] = (),
) -> Leaderboard:
    """Evaluate models on one set: first the person, then the models as given, then `published`.

    Args:
        name: of the set.
        pairs: the set.
        scores: by model, `[N]`, one a row of `pairs`.
        target_fnr: see `pairsets.evaluate`; leave-one-out rows have that of `pairs`.
        mined_by: the reference, or the references, that mined the set: marked.
        left_out: by reference, what it is judged on in a row of its own, below its marked one.
        published: rows to end with.

    Raises:
        ScoresError: a leave-one-out row of a model that did not mine the set or has no scores,
            on pairs that the model itself mined, or with other positives than the set's.
    """
    miners = (mined_by,) if isinstance(mined_by, str) else tuple(mined_by or ())
    target = resolve_target(pairs, target_fnr) if left_out else target_fnr
    for model, judged in (left_out or {}).items():
        _refuse_unfit(model, judged, pairs, [one for one in miners if one in scores])
    entries = [human_entry(human_rates(pairs))] if pairs.judged.any() else []
    for model, values in scores.items():
        found = evaluate(pairs, values, target)
        entries.append(model_entry(model, found, mined=model in miners, miners=len(miners)))
        if left_out and model in left_out:
            judged = left_out[model]
            found = evaluate(judged.pairs, judged.scores, target)
            entries.append(left_out_entry(model, found, judged.mined_by))
    return Leaderboard(name, (*entries, *published))


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
    if _positives(judged.pairs) != _positives(pairs):
        raise ScoresError(
            f"the leave-one-out pairs of {model} have other positives than the set, so that the "
            "same FNR would be another threshold; were the two made from other test pairs?"
        )


def _positives(pairs: PairSet) -> set[tuple[str, str]]:
    kept = pairs.positives
    ends = zip(pairs.path_a[kept], pairs.path_b[kept], strict=True)
    return {(a, b) if a < b else (b, a) for a, b in ends}


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


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
