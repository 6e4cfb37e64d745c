"""Tables of what LFW's and IJB's protocols say of models: Markdown, CSV and JSON."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pairsets.arrays import Scores
from pairsets.evaluation.protocols import FoldAccuracy, TarAtFar, fold_accuracy, tar_at_far
from pairsets.evaluation.result import shown_threshold
from pairsets.files.folds import Folds
from pairsets.pairset import PairSet
from pairsets.storage.artefacts import write_json, write_text
from pairsets.storage.csv_tables import write_csv
from pairsets.tables.leaderboard import escape

SCHEMA = 1
ENDS = (".protocols.md", ".protocols.csv", ".protocols.json")
_COLUMNS = (
    *("set", "model", "protocol", "fold", "pairs", "accuracy", "standard_error"),
    *("far", "far_achieved", "tar", "threshold", "resolvable"),
)


@dataclass(frozen=True, eq=False)
class Protocols:
    """Results of the protocols of one model; `folds` is None where the set has none.

    Where `distance`, its scores are distances turned round, and files have thresholds of these.
    """

    folds: FoldAccuracy | None
    tars: tuple[TarAtFar, ...]
    distance: bool = False

    @property
    def titles(self) -> list[str]:
        """Titles of the columns of a table."""
        first = [] if self.folds is None else [f"{len(self.folds)}-fold accuracy (%)"]
        return first + [f"TAR (%) at FAR {far_text(one.far)}" for one in self.tars]

    @property
    def cells(self) -> list[str]:
        """A text a title, two digits behind the point as papers have them."""
        texts = []
        if self.folds is not None:
            texts.append(f"{100 * self.folds.mean:.2f} ± {100 * self.folds.standard_error:.2f}")
        return texts + [f"{100 * one.tar:.2f}" if one.resolvable else "N/A" for one in self.tars]


def follow_protocols(
    pairs: PairSet,
    scores: Mapping[str, Scores],
    folds: Folds | None = None,
    fars: Sequence[float] = (),
    *,
    turned: Collection[str] = (),
) -> dict[str, Protocols]:
    """Results of the protocols of each model; nothing where neither folds nor FARs are given.

    Args:
        pairs: the set; invalid rows are left out.
        scores: by model, `[N]`, higher is more alike; -inf is a pair that counts as rejected.
        folds: of the pairs.
        fars: to report TAR at.
        turned: models whose scores are distances, turned round already.

    Raises:
        ScoresError: see `pairsets.evaluation.protocols`.
    """
    if folds is None and not fars:
        return {}
    rows = pairs.valid
    labels = pairs.label[rows]
    return {
        model: Protocols(
            None if folds is None else fold_accuracy(labels, values[rows], folds.numbers[rows]),
            tuple(tar_at_far(labels, values[rows], fars)) if fars else (),
            model in turned,
        )
        for model, values in scores.items()
    }


def unresolved(pairs: PairSet, found: Mapping[str, Protocols]) -> list[str]:
    """A sentence on the FARs that the set is too small for, where there are any."""
    if not found:
        return []
    lost = [far_text(one.far) for one in next(iter(found.values())).tars if not one.resolvable]
    if not lost:
        return []
    count = int(pairs.negatives.sum())
    return [
        f"TAR at FAR {', '.join(lost)} cannot be told: a single one of {count:,} negatives is a "
        f"FAR of {1 / count:.2g}"
    ]


def protocols_content(name: str, found: Mapping[str, Protocols]) -> dict[str, object]:
    """The tables of the set called `name` as JSON has them."""
    models = {model: _content(one) for model, one in found.items()}
    return {"schema": SCHEMA, "set": name, "models": models}


def write_protocols(stem: Path, name: str, found: Mapping[str, Protocols]) -> list[Path]:
    """Write the tables of the set called `name`; the three paths are `stem` and `ENDS`.

    The CSV has a line a model and fold, one a model for the mean of the folds, whose `fold` is
    empty, and one a model and FAR. `threshold` is empty where no pair may be accepted.
    """
    markdown, lines, content = (stem.with_name(stem.name + end) for end in ENDS)
    titles = ["model name", *next(iter(found.values())).titles]
    table = [titles, ["---"] * len(titles)]
    table += [[escape(model), *one.cells] for model, one in found.items()]
    text = "\n".join("| " + " | ".join(cells) + " |" for cells in table)
    rows = (row for model, one in found.items() for row in _rows(model, one))
    return [
        write_text(markdown, f"## {name}\n\n{text}\n"),
        write_csv(lines, _COLUMNS, ([name, *map(row.get, _COLUMNS[1:])] for row in rows)),
        write_json(content, protocols_content(name, found)),
    ]


def far_text(far: float) -> str:
    """A FAR as papers write it.

    >>> far_text(1e-6), far_text(2.5e-3), far_text(0.1)
    ('1e-6', '2.5e-3', '0.1')
    """
    if far >= 0.01 or far == 0:
        return f"{far:g}"
    return np.format_float_scientific(far, trim="-", exp_digits=1)


def _rows(model: str, one: Protocols) -> Iterator[dict[str, object]]:
    if one.folds is not None:
        shared: dict[str, object] = {"model": model, "protocol": "fold accuracy"}
        yield from (shared | fold for fold in _parts(one.folds, one.distance))
        yield shared | {"pairs": int(one.folds.pairs.sum()), **_mean(one.folds)}
    for tar in _targets(one.tars, one.distance):
        yield {"model": model, "protocol": "TAR at FAR", **tar}


def _content(one: Protocols) -> dict[str, object]:
    folds = None
    if one.folds is not None:
        folds = {**_mean(one.folds), "folds": _parts(one.folds, one.distance)}
    content = {"fold_accuracy": folds, "tar_at_far": _targets(one.tars, one.distance)}
    return content | ({"accepts": "distance <= threshold"} if one.distance else {})


def _mean(folds: FoldAccuracy) -> dict[str, object]:
    return {"accuracy": folds.mean, "standard_error": folds.standard_error}


def _parts(folds: FoldAccuracy, distance: bool) -> list[dict[str, object]]:
    threshold = 0.0 - folds.threshold if distance else folds.threshold
    columns = (folds.numbers, folds.pairs, folds.accuracy, threshold)
    names = ("fold", "pairs", "accuracy", "threshold")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _targets(tars: Sequence[TarAtFar], distance: bool) -> list[dict[str, object]]:
    return [
        {
            "far": tar.far,
            "far_achieved": tar.achieved,
            "tar": tar.tar,
            "threshold": shown_threshold(tar.threshold, distance=distance)
            if math.isfinite(tar.threshold)
            else None,
            "resolvable": tar.resolvable,
        }
        for tar in tars
    ]
