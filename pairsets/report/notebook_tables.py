"""Results as notebooks show them: tables of HTML without a style sheet or a script.

What shows notebooks strips styles and scripts from files that it does not trust, so that these
tables need neither. Every text is escaped, and pictures are data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Scores
from pairsets.errors import PairSetError
from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.result import Evaluation
from pairsets.faces import Faces, resolve
from pairsets.pairset import PairSet
from pairsets.report.phrases import decimal_bounds, score, share
from pairsets.report.templates import page_environment
from pairsets.report.thumbnails import DATA_URI, encode_readable
from pairsets.tables.entries import human_entry, model_entry, score_notes
from pairsets.tables.leaderboard import Leaderboard, interval_text

# Twice the size at which faces are shown: screens have more pixels than that.
_PIXELS = 144
# As many as a reader looks at, and a notebook's file can hold.
_MOST = 200
_SAID = {1: "same", 0: "different"}
_NOT_COMPARED = "mined these pairs, or is kin of what did: compared with none"


@dataclass(frozen=True)
class NotebookCell:
    """Cell of a table: a text, a note below it, whether it is the best, a picture as a data URI."""

    text: str
    note: str = ""
    best: bool = False
    picture: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class PairTable:
    """First pairs of a set with faces and scores, a table in a notebook.

    Attributes:
        pairs: those that are shown.
        scores: `[N]`, or None.
        pictures: data URIs by path; empty without faces.
        total: how many pairs the set has.
    """

    pairs: PairSet
    scores: Scores | None
    pictures: Mapping[str, str]
    total: int

    @classmethod
    def of(
        cls,
        pairs: PairSet,
        faces: Faces | str | Path | None = None,
        scores: ArrayLike | None = None,
        *,
        most: int = 10,
    ) -> PairTable:
        """Table of the first pairs; see `pairsets.pairset.PairSet.show`."""
        if not 0 < most <= _MOST:
            raise PairSetError(f"{most} pairs to show; expected 1 to {_MOST}")
        known = None if scores is None else np.asarray(scores, np.float64)
        if known is not None and known.shape != (len(pairs),):
            raise PairSetError(f"scores of shape {known.shape} for {len(pairs):,} pairs")
        rows = np.arange(min(most, len(pairs)))
        some = pairs.take(rows)
        pictures = {} if faces is None else _pictures(some, faces)
        return cls(some, None if known is None else known[rows], pictures, len(pairs))

    def __repr__(self) -> str:
        return f"PairTable({len(self.pairs):,} of {self.total:,} pairs)"

    def _repr_html_(self) -> str:
        """The table."""
        judged = bool(self.pairs.judged.any())
        columns = ["A", "B", "Pair", *(["Judged"] if judged else [])]
        columns += [] if self.scores is None else ["Score"]
        rows = [self._cells(row, judged=judged) for row in range(len(self.pairs))]
        return _rendered(f"{len(self.pairs):,} of {self.total:,} pairs", columns, rows)

    def _cells(self, row: int, *, judged: bool) -> list[NotebookCell]:
        pairs = self.pairs
        sides = zip(
            (pairs.path_a[row], pairs.path_b[row]),
            (pairs.identity_a[row], pairs.identity_b[row]),
            strict=True,
        )
        cells = [
            NotebookCell(who, path, picture=self.pictures.get(path, "")) for path, who in sides
        ]
        left_out = "" if pairs.valid[row] else "invalid: left out"
        cells.append(NotebookCell(_SAID[int(pairs.label[row])], left_out))
        if judged:
            cells.append(NotebookCell(_SAID.get(int(pairs.human_prediction[row]), "")))
        if self.scores is not None:
            known = float(self.scores[row])
            cells.append(NotebookCell("no score" if np.isnan(known) else score(known)))
        return cells


def evaluation_html(found: Evaluation) -> str:
    """Table of a model's rates on a set, each with its interval."""
    bounds = found.intervals.get
    at = f"at an FNR of {share(found.fnr_achieved)} %"
    rows = [
        ("FPR %", share(found.fpr_achieved), interval_text(bounds("fpr_achieved")), at),
        ("EER %", share(found.eer), interval_text(bounds("eer")), ""),
        ("AUC", _number(found.auc), decimal_bounds(bounds("auc"), 3), ""),
        ("d\u2032", _number(found.dprime), decimal_bounds(bounds("dprime"), 3), ""),
        ("Threshold", score(found.shown(found.threshold)), "", found.accepts),
    ]
    cells = [
        [NotebookCell(name, note), NotebookCell(text, span)] for name, text, span, note in rows
    ]
    return _rendered(_pairs_said(found), ["", "Value"], cells, _notes(found))


def comparison_html(found: Comparison) -> str:
    """Table of the models on a set, the lowest FPR first, behind them those not compared."""
    entries = []
    for model, one in found.evaluations.items():
        row = model_entry(model, one)
        apart = model in found.apart
        entries.append(replace(row, comparable=False, note=_NOT_COMPARED) if apart else row)
    entries.sort(key=lambda one: (not one.comparable, one.fpr is None, one.fpr))
    people = [] if found.human is None else [human_entry(found.human)]
    board = Leaderboard(found.name, (*people, *entries), found)
    letters = found.groups.get("fpr", {})
    rows = []
    for entry in board.entries:
        spans = (entry.fpr_interval, entry.fnr_interval, entry.eer_interval)
        rates = [
            NotebookCell(text.strip("*"), interval_text(span), best=text.startswith("**"))
            for text, span in zip(board.cells(entry), spans, strict=True)
        ]
        group = [NotebookCell(letters.get(entry.model, ""))] if letters else []
        rows.append([NotebookCell(entry.title, entry.note), *rates[:1], *group, *rates[1:]])
    columns = ["Model", "FPR %", *(["Group"] if letters else []), "FNR %", "EER %"]
    some = next(iter(found.evaluations.values()), None)
    said = "" if some is None else f": {_pairs_said(some)}"
    foot = [
        f"FPR at the highest threshold whose FNR does not exceed {share(found.target_fnr)} %. "
        "Lower is better; bold is a best that these pairs tell from all others. Brackets are 95 % "
        "intervals, which allow for pairs that share identities."
    ]
    foot += ["Models that share a letter cannot be told apart by their FPR."] if letters else []
    return _rendered(f"{found.name}{said}", columns, rows, [*foot, *found.warnings])


def _pictures(pairs: PairSet, faces: Faces | str | Path) -> dict[str, str]:
    """Data URIs of the faces by path; of those that cannot be read none."""
    if not isinstance(faces, Faces):
        faces = resolve(Path(faces), pairs.paths)
    else:
        faces.positions(pairs.paths)
    files = [faces.locate(path) for path in pairs.paths]
    encoded = zip(pairs.paths, encode_readable(files, _PIXELS), strict=True)
    return {path: DATA_URI + picture for path, picture in encoded if picture is not None}


def _pairs_said(found: Evaluation) -> str:
    return (
        f"{found.positives:,} pairs of one identity, {found.negatives:,} of two; "
        f"{found.clusters:,} identities or pictures"
    )


def _notes(found: Evaluation) -> list[str]:
    notes = ["Brackets are 95 % intervals, which allow for pairs that share identities."]
    if not found.intervals:
        notes = ["Nothing was resampled, so that these rates have no intervals here."]
    return [*notes, *(f"{note}." for note in score_notes(found))]


def _number(value: float) -> str:
    return "N/A" if np.isnan(value) else f"{value:.3f}"


def _rendered(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[NotebookCell]],
    foot: Sequence[str] = (),
) -> str:
    template = page_environment().get_template("notebook.html.jinja")
    return template.render(caption=caption, columns=columns, rows=rows, foot=foot)
