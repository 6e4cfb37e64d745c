"""What a command prints at its end: what was made, what was dropped, the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pairsets.hubness import Hubness
from pairsets.leaderboard import Leaderboard, percent
from pairsets.report import FunnelRow

WIDE = 132

if TYPE_CHECKING:
    from mining.pipeline import Run
    from mining.steps import Made


def print_run(run: Run) -> None:
    """Print the tables, the funnel and the artefacts of a run."""
    console = _console()
    for board in run.leaderboards:
        _print_board(console, board)
    _print_funnel(console, run.funnel)
    _print_hubness(console, run.hubness)
    files = [
        ("adversarial pairs", run.folder.pairs("adversarial")),
        *(("leave-one-out", path) for path in run.without.values()),
        ("random pairs", run.folder.pairs("random")),
        ("tables", run.folder.leaderboard.with_suffix(".md")),
        ("figures", run.folder.figure("adversarial").parent),
        ("report", run.folder.report),
    ]
    _print_files(console, files)
    _print_warnings(console, run.warnings)


def print_made(made: Made) -> None:
    """Print what one stage made."""
    console = _console()
    if made.leaderboard is not None:
        _print_board(console, made.leaderboard)
    _print_funnel(console, [row for row in made.funnel if row.count])
    _print_hubness(console, made.hubness)
    _print_files(console, [("written", file) for file in made.files])
    for hint in made.hints:
        console.print(hint, markup=False, soft_wrap=True)
    _print_warnings(console, made.warnings)


def _print_board(console: Console, board: Leaderboard) -> None:
    """ZACI-20's columns, then what a threshold really achieves where there is room."""
    table = Table(title=f"{board.name} pairs", title_justify="left", box=box.SIMPLE_HEAD)
    roomy = console.width >= WIDE
    table.add_column("model name", overflow="fold")
    for name in ("FPR (%)", "FNR (%)", "EER (%)"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("FPR achieved", "threshold", "AUC") if roomy else ():
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for entry in board.entries:
        cells = [
            f"[bold]{cell.strip('*')}[/bold]" if cell.startswith("**") else cell
            for cell in board.cells(entry)
        ]
        more = ["", "", ""]
        if entry.evaluation is not None:
            found = entry.evaluation
            more = [percent(found.fpr_achieved), f"{found.threshold:.4g}", f"{found.auc:.4f}"]
        style = "dim" if entry.published else ""
        table.add_row(
            escape(entry.title), *cells, *(more if roomy else ()), escape(entry.note), style=style
        )
    console.print(table)


def _console() -> Console:
    """The terminal; a wide page where the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _print_funnel(console: Console, rows: Sequence[FunnelRow]) -> None:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("stage")
    table.add_column("count", justify="right")
    table.add_column("what")
    stage = None
    for row in rows:
        what = row.what if row.kept else f"left out: {row.what}"
        count = f"{row.count:,}"
        table.add_row(
            escape(row.stage) if row.stage != stage else "",
            f"[bold]{count}[/bold]" if row.kept else count,
            escape(what),
        )
        stage = row.stage
    console.print(table)


def _print_hubness(console: Console, found: Mapping[str, Hubness]) -> None:
    """Who fills the mined pairs; with caps, before and after them side by side."""
    if not found:
        return
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("who fills the pairs")
    for name in found:
        table.add_column(name, justify="right")
    columns = [dict(hubness.rows()) for hubness in found.values()]
    for what in columns[0]:
        table.add_row(what, *(column.get(what, "") for column in columns))
    console.print(table)


def _print_files(console: Console, files: Iterable[tuple[str, Path]]) -> None:
    for what, path in files:
        console.print(f"{what:>18}  {path}", markup=False, highlight=False, soft_wrap=True)


def _print_warnings(console: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(f"[bold yellow]note[/] {escape(warning)}", highlight=False)
