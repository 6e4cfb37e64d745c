"""The leaderboards as the page shows them: numbers with intervals, drawn on one axis a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from markupsafe import Markup

from pairsets.evaluation.intervals import Interval
from pairsets.report.forest_plot import Scale
from pairsets.report.operating_points import operating_tables
from pairsets.report.phrases import is_known, listed
from pairsets.report.tables import Cell, Table
from pairsets.tables.entries import Entry
from pairsets.tables.kinship import kinship_sentence
from pairsets.tables.leaderboard import (
    ZACI,
    Apart,
    Leaderboard,
    apart_cells,
    interval_text,
    percent,
)

COLUMNS = ("fpr", "eer")
# The EER of a coin, in percent.
CHANCE = 50.0


@dataclass(frozen=True)
class RateCell:
    """A rate in a row: its text, its interval, whether it is the best, its letters, its drawing."""

    text: str
    bounds: str = ""
    best: bool = False
    letters: str = ""
    drawing: Markup = field(default_factory=Markup)


@dataclass(frozen=True)
class Row:
    """A row of a leaderboard.

    Attributes:
        entry: what it shows.
        fpr, fnr, eer: its cells.
        zaci: the rate between two thresholds that published rows have.
        kinships: how near the model is to each reference, in words.
    """

    entry: Entry
    fpr: RateCell
    fnr: RateCell
    eer: RateCell
    zaci: str
    kinships: tuple[str, ...] = ()


@dataclass(frozen=True)
class LeaderboardView:
    """A leaderboard, ready to print.

    Attributes:
        name: of the set.
        rows: in order.
        fpr_axis, eer_axis: the numbers below the drawings.
        grouped: whether models have letters.
        beside_published: whether ZACI-20's rate has a column, its published rows being among them.
        apart: published rows of other pairs, where there are some.
        remarks: sentences about what the data cannot tell.
        details: tables that are folded away.
        fnr: the FNR of all models in percent, where it is the same; people have one of their own.
        fnr_column: whether rates of missed pairs have a column, since models differ in them.
        chance: sentence on the line of chance, where an axis reaches it.
    """

    name: str
    rows: tuple[Row, ...]
    fpr_axis: Markup
    eer_axis: Markup
    grouped: bool
    beside_published: bool
    apart: Table | None
    remarks: tuple[str, ...]
    details: tuple[Table, ...]
    fnr: str = ""
    fnr_column: bool = True
    chance: str = ""


def boards_of(boards: Sequence[Leaderboard]) -> list[LeaderboardView]:
    """Leaderboards of a page, with the same columns each, so that they stand in line."""
    views = [board_of(board) for board in boards]
    grouped = any(view.grouped for view in views)
    fnr = any(view.fnr_column for view in views)
    published = any(view.beside_published for view in views)
    return [
        replace(view, grouped=grouped, fnr_column=fnr, beside_published=published) for view in views
    ]


def board_of(board: Leaderboard) -> LeaderboardView:
    """A leaderboard as the page shows it."""
    missed = _common_fnr(board)
    chances = {"eer": CHANCE, "fpr": chance_fpr(board)}
    scales = {column: Scale.of(_ends(board.entries, column)) for column in COLUMNS}
    rows = []
    for entry in board.entries:
        texts = dict(zip(("fpr", "fnr", "eer"), board.cells(entry), strict=True))
        cells = {}
        for column, text in texts.items():
            value: float | None = getattr(entry, column)
            interval: Interval | None = getattr(entry, f"{column}_interval")
            drawing = Markup("")
            if column in scales:
                shown = None if value is None else 100 * value
                drawing = scales[column].row(shown, interval, _kind(entry), chances[column])
            cells[column] = RateCell(
                text.strip("*"),
                interval_text(interval),
                text.startswith("**"),
                _letters(board, entry, column),
                drawing,
            )
        zaci = percent(entry.fpr_interpolated)
        kinships = tuple(map(kinship_sentence, entry.kinships))
        rows.append(Row(entry, cells["fpr"], cells["fnr"], cells["eer"], zaci, kinships))
    return LeaderboardView(
        name=board.name,
        rows=tuple(rows),
        fpr_axis=scales["fpr"].axis(),
        eer_axis=scales["eer"].axis(),
        grouped=any(row.fpr.letters or row.eer.letters for row in rows),
        beside_published=board.beside_published,
        apart=None if board.apart is None else _apart(board.apart),
        remarks=tuple(
            filter(None, (*(_remark(board, column) for column in COLUMNS), board.chance))
        ),
        details=tuple(operating_tables(board)),
        fnr="" if missed is None else percent(missed / 100),
        fnr_column=missed is None,
        chance=_chance_sentence(scales, chances),
    )


def chance_fpr(board: Leaderboard) -> float | None:
    """FPR in percent of a coin with the FNR of all models; None where they differ in it."""
    missed = _common_fnr(board)
    return None if missed is None else 100 - missed


def _common_fnr(board: Leaderboard) -> float | None:
    """The FNR in percent that all rows but people's print alike; None where they differ."""
    rows = [entry for entry in board.entries if not entry.human]
    texts = {percent(entry.fnr) for entry in rows}
    known = [entry.fnr for entry in rows if entry.fnr is not None]
    return 100 * known[0] if len(texts) == 1 and known else None


def _chance_sentence(scales: Mapping[str, Scale], chances: Mapping[str, float | None]) -> str:
    """Sentence on the dashed lines of a board's drawings; empty where no axis reaches chance."""
    said = [
        f"an {column.upper()} of {percent(at / 100)} %"
        for column in COLUMNS
        if (at := chances[column]) is not None and scales[column].reaches(at)
    ]
    return f"Dashed is chance, what tossing a coin gives: {' and '.join(said)}." if said else ""


def _apart(apart: Apart) -> Table:
    """Table of rows that stand on no common axis, being of other pairs."""
    rows = [
        (entry.title, (*map(Cell, apart_cells(entry)), Cell("", entry.note)))
        for entry in apart.entries
    ]
    columns = (f"{ZACI} %", "FNR %", "EER %", "Note")
    return Table(apart.title, columns, tuple(rows), foot=apart.reason, wrapping=True)


def _ends(entries: Sequence[Entry], column: str) -> list[float]:
    """Values in percent that the axis has to reach."""
    found = []
    for entry in entries:
        value, interval = getattr(entry, column), getattr(entry, f"{column}_interval")
        found += [] if value is None else [100 * value]
        found += [100 * interval.high] if value is not None and is_known(interval) else []
    return found


def _kind(entry: Entry) -> str:
    """Classes of the drawing of a row."""
    kinds = {
        "person": entry.human,
        "hollow": entry.published,
        "faded": not entry.comparable,
    }
    return " ".join(kind for kind, holds in kinds.items() if holds)


def _letters(board: Leaderboard, entry: Entry, column: str) -> str:
    """Group letters of the model's own row: others of its name are not what was compared."""
    if board.comparison is None or entry.human or entry.published or entry.pairs_mined_by:
        return ""
    return board.comparison.groups.get(column, {}).get(entry.model, "")


def _remark(board: Leaderboard, column: str) -> str:
    """Sentence on the models that the best cannot be told from; empty where it can."""
    if board.comparison is None or not board.tied(column):
        return ""
    best = next(
        (
            entry.model
            for entry in board.entries
            if entry.competes and getattr(entry, column) == board.best(column)
        ),
        None,
    )
    others = [
        one.second if one.first == best else one.first
        for one in board.comparison.differences.get(column, ())
        if best in (one.first, one.second) and not one.significant
    ]
    if best is None or not others:
        return ""
    return (
        f"{column.upper()}: these pairs cannot tell the lowest one, that of {best}, from "
        f"{'that' if len(others) == 1 else 'those'} of {listed(others)}, so none is bold."
    )
