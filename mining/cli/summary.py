"""The end of a command in print: files made, what was dropped, the tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mining.cli import json_contents
from mining.cli.json_output import or_json
from pairsets.evaluation.clusters import PLURALS
from pairsets.evaluation.comparison import Comparison
from pairsets.evaluation.hubness import Hubness
from pairsets.funnel import FunnelRow
from pairsets.storage.mirrors import told
from pairsets.tables.census import (
    area_cell,
    cell,
    census_notes,
    population_sentence,
    rate_title,
    shown_points,
)
from pairsets.tables.differences import points, statistic_title, why_not_compared
from pairsets.tables.identification import (
    gallery_sentence,
    identification_notes,
    rate_cell,
)
from pairsets.tables.identification import rate_title as identification_title
from pairsets.tables.kinship import kinship_cell
from pairsets.tables.leaderboard import (
    APART_COLUMNS,
    ZACI,
    Apart,
    Leaderboard,
    apart_cells,
    interval_cells,
    percent,
)
from pairsets.tables.threshold import rate_rows, sentences

WIDE = 132
BOX = box.SIMPLE_HEAD

if TYPE_CHECKING:
    from mining.commands.build_report import Run
    from mining.commands.compare import Compared
    from mining.commands.identify import Identified
    from mining.commands.power import PowerPlan
    from mining.commands.result import CommandResult
    from mining.commands.run_folder import RunFolder
    from mining.commands.threshold import Thresholded
    from mining.miners.impostors import Neighboured
    from pairsets.evaluation.annotators import Agreement
    from pairsets.evaluation.census import CensusComparison
    from pairsets.evaluation.gallery_search import GallerySearch
    from pairsets.evaluation.identification_differences import IdentificationComparison
    from pairsets.evaluation.intervals import Rate
    from pairsets.evaluation.kappa import Kappa
    from pairsets.report.identity_layout import IdentityLayout
    from pairsets.review.exchange.export import Exported
    from pairsets.review.exchange.imports import Imported
    from pairsets.review.exchange.label_studio import Tasks
    from pairsets.tables.protocols import Protocols


@or_json(json_contents.run_content)
def print_run(run: Run) -> None:
    """Print the tables, the funnel and the artefacts of a run."""
    console = console_of()
    if run.census is not None:
        _print_census(console, run.census)
    for board in run.leaderboards:
        _print_board(console, board)
    if run.identification is not None:
        _print_identification(console, run.identification.models)
    _print_funnel(console, run.funnel)
    _print_hubness(console, run.hubness)
    files = [
        ("adversarial pairs", run.folder.pairs("adversarial")),
        *(("leave-one-out", path) for path in run.without.values()),
        *([("suspects", run.suspects)] if run.suspects is not None else []),
        ("random pairs", run.folder.pairs("random")),
        ("tables", run.folder.leaderboard.with_suffix(".md")),
        *_searched(run.folder, run.identification),
        ("figures", run.folder.figure("adversarial").parent),
        ("report", run.folder.report),
        *_printed(run.folder),
    ]
    _print_files(console, files)
    _print_layout(console, run.layout)
    _print_warnings(console, run.warnings)


@or_json(json_contents.compared_content)
def print_compared(compared: Compared) -> None:
    """Print the tables, the differences and the artefacts of a comparison."""
    console = console_of()
    if compared.census is not None:
        _print_census(console, compared.census)
    for board in compared.leaderboards:
        _print_board(console, board)
        if board.comparison is not None:
            _print_differences(console, board.comparison)
    if compared.identification is not None:
        _print_identification(console, compared.identification.models)
    for agreed in compared.agreement.values():
        _print_agreement(console, agreed)
    _print_funnel(console, [row for row in compared.funnel if row.count])
    _print_hubness(console, compared.hubness)
    _print_files(
        console,
        [
            ("tables", compared.folder.leaderboard.with_suffix(".md")),
            ("differences", compared.folder.root / "differences.md"),
            ("scores, verdicts", compared.folder.root),
            *_searched(compared.folder, compared.identification),
            ("figures", compared.folder.figure("x").parent),
            ("report", compared.folder.report),
            *_printed(compared.folder),
        ],
    )
    _print_layout(console, compared.layout)
    _print_warnings(console, compared.warnings)


def _printed(folder: RunFolder) -> list[tuple[str, Path]]:
    """The row of the report as PDF, where it was printed."""
    return [("report, printed", folder.pdf)] if folder.pdf.exists() else []


def _searched(folder: RunFolder, found: GallerySearch | None) -> list[tuple[str, Path]]:
    """The row of the folder of a search, where there was one."""
    return [] if found is None else [("1:N", folder.identification)]


@or_json(json_contents.made_content)
def print_made(made: CommandResult) -> None:
    """Print what one stage made."""
    console = console_of()
    if made.leaderboard is not None:
        _print_board(console, made.leaderboard)
        if made.leaderboard.comparison is not None:
            _print_differences(console, made.leaderboard.comparison)
    if made.census is not None:
        _print_census(console, made.census)
    _print_protocols(console, made.protocols)
    if made.agreement is not None:
        _print_agreement(console, made.agreement)
    _print_funnel(console, [row for row in made.funnel if row.count])
    _print_hubness(console, made.hubness)
    _print_files(console, [("written", file) for file in made.files])
    for hint in made.hints:
        console.print(told(hint), markup=False, soft_wrap=True)
    _print_warnings(console, made.warnings)


@or_json(json_contents.exported_content)
def print_exported(made: Exported) -> None:
    """Print what was judged, how often people err, and how far they agree."""
    console = console_of()
    found = made.judged
    rows = [
        ("settled by a decision", found.decided),
        ("judged", found.judged),
        ("people disagree: not judged until decided", found.waiting),
        ("judged in the pair file itself", found.own),
        ("not judged", found.open),
        ("of all, invalid", int((~found.pairs.valid).sum())),
    ]
    _print_funnel(console, [FunnelRow("pairs", what, n, kept=True) for what, n in rows if n])
    if made.human is not None:
        table = Table(title="errors of people", title_justify="left", box=BOX)
        for name in ("rate", "%", "of pairs"):
            table.add_column(name, justify="left" if name == "rate" else "right", no_wrap=True)
        for name, rate in (("FPR", made.human.fpr_rate), ("FNR", made.human.fnr_rate)):
            table.add_row(name, escape(_rate(rate)), f"{rate.count:,}")
        console.print(table)
    if made.agreement is not None:
        _print_agreement(console, made.agreement)
    _print_files(console, [("written", file) for file in made.files])


@or_json(json_contents.tasks_content)
def print_tasks(made: Tasks) -> None:
    """Print what was written for Label Studio."""
    console = console_of()
    _print_files(console, [("written", file) for file in made.files])


@or_json(json_contents.imported_content)
def print_imported(made: Imported) -> None:
    """Print what was taken in, and what was not."""
    console = console_of()
    kept = [("verdicts and decisions added", made.added), ("replaced, being later", made.replaced)]
    known = ("known already", made.known)
    lost = [
        ("older than those here", made.older),
        ("not judged there", made.unjudged),
        ("of pairs that this set lacks", made.unknown),
    ]
    rows = [FunnelRow("import", what, n, kept=True) for what, n in (kept[0], kept[1], known)]
    rows += [FunnelRow("import", what, n) for what, n in lost]
    _print_funnel(console, [row for row in rows if row.count or row.what == kept[0][0]])
    console.print(f"Of {', '.join(made.people)}", markup=False, highlight=False, soft_wrap=True)
    if made.stranger:
        first = f"note the first that this set lacks is {made.stranger}"
        console.print(first, markup=False, highlight=False, soft_wrap=True)


def _rate(rate: Rate) -> str:
    if not rate.count:
        return "N/A"
    return f"{percent(rate.value)} [{percent(rate.low)}, {percent(rate.high)}]"


def _print_board(console: Console, board: Leaderboard) -> None:
    """FPR, FNR and EER, ZACI-20's rate beside its rows, and the threshold where there is room."""
    table = Table(title=f"{board.name} pairs", title_justify="left", box=BOX)
    beside = board.beside_published
    # Published rows have long notes, and no threshold.
    roomy = console.width >= WIDE and not beside
    table.add_column("model name", overflow="fold")
    for name in ("FPR (%)", "FNR (%)", "EER (%)", *([ZACI] if beside else ())):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("threshold", "AUC") if roomy else ():
        table.add_column(name, justify="right", no_wrap=True)
    references = board.kinship_references
    # Columns of several leave the names of models no room; notes and files tell of each.
    references = references if roomy and len(references) == 1 else []
    for _ in references:
        table.add_column("kinship", justify="right")
    table.add_column("note", overflow="fold")
    for entry in board.entries:
        cells = [
            f"[bold]{cell.strip('*')}[/bold] {escape(bounds)}".rstrip()
            if cell.startswith("**")
            else f"{cell} {escape(bounds)}".rstrip()
            for cell, bounds in zip(board.cells(entry), interval_cells(entry), strict=True)
        ]
        cells += [percent(entry.fpr_interpolated)] if beside else []
        more = ["", ""]
        if entry.evaluation is not None:
            found = entry.evaluation
            cut = "N/A"
            if found.reaches_target:
                cut = f"{'<= ' if found.distance else ''}{found.shown(found.threshold):.4g}"
            more = [cut, f"{found.auc:.4f}"]
        cells += more if roomy else []
        cells += [escape(kinship_cell(entry, reference)) for reference in references]
        style = "dim" if entry.published else ""
        table.add_row(escape(entry.title), *cells, escape(entry.note), style=style)
    console.print(table)
    if board.chance:
        console.print(f"{board.chance}\n", markup=False, highlight=False, soft_wrap=True)
    if board.apart is not None:
        _print_apart(console, board.apart)


def _print_apart(console: Console, apart: Apart) -> None:
    """Published rows of other pairs, and why they are no part of the table above."""
    table = Table(title=apart.title, title_justify="left", box=BOX)
    table.add_column("model name", overflow="fold")
    for name in APART_COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for entry in apart.entries:
        table.add_row(escape(entry.title), *apart_cells(entry), escape(entry.note), style="dim")
    console.print(table)
    console.print(f"{apart.reason}\n", markup=False, highlight=False, soft_wrap=True)


def _print_differences(console: Console, comparison: Comparison) -> None:
    """Every two models, and which of them the data cannot tell apart."""
    if lacking := why_not_compared(comparison):
        console.print(f"{lacking}\n", markup=False, highlight=False)
    for statistic, found in comparison.differences.items():
        counted = statistic == "fpr"
        what = statistic_title(comparison, statistic)
        table = Table(
            title=f"{comparison.name} pairs: difference in {what}",
            title_justify="left",
            box=BOX,
        )
        table.add_column("A", overflow="fold")
        table.add_column("B", overflow="fold")
        counts = ("only A right", "only B right") if counted else ()
        for name in ("A - B (points)", "95 %", "p (Holm)", *counts):
            table.add_column(name, justify="right", no_wrap=True)
        for one in found:
            value, low, high = (points(share) for share in (one.value, one.low, one.high))
            table.add_row(
                escape(one.first),
                escape(one.second),
                f"[bold]{value}[/bold]" if one.significant else value,
                escape(f"[{low}, {high}]"),
                "< 0.001" if one.p_holm < 0.001 else f"{one.p_holm:.3f}",
                *((f"{one.only_first:,}", f"{one.only_second:,}") if counted else ()),
            )
        console.print(table)
        groups = ", ".join(
            f"{model} ({letters})" for model, letters in comparison.groups[statistic].items()
        )
        console.print(
            f"Models that share a letter cannot be told apart: {groups}\n",
            markup=False,
            highlight=False,
        )


def _print_census(console: Console, found: CensusComparison) -> None:
    """Rates over all pairs, and which models these identities cannot tell apart."""
    columns = shown_points(found)
    # The files have all FARs; a terminal has room for two.
    small = [one for one in columns[1:] if one.fixed == "fpr" and one.target <= 1e-3][:2]
    columns = [columns[0], *(one for one in columns[1:] if one.fixed == "eer"), *small]
    table = Table(title="all pairs", title_justify="left", box=BOX)
    table.add_column("model name", overflow="fold")
    area = found.has_area
    for name in (*map(rate_title, columns), *(["AUC"] if area else [])):
        table.add_column(name, justify="right")
    for model, census in found.models.items():
        cells = []
        for column in columns:
            text, interval, best = cell(found, model, column)
            shown = f"[bold]{text}[/bold]" if best else text
            cells.append(f"{shown} {escape(interval)}".rstrip())
        table.add_row(escape(model), *cells, *([area_cell(census)] if area else []))
    console.print(table)
    for text in (population_sentence(found), *census_notes(found)):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(found.models) > 1:
        letters = found.groups[found.leading(found.best).name]
        groups = ", ".join(f"{model} ({one})" for model, one in letters.items())
        console.print(
            f"Models that share a letter cannot be told apart over all pairs: {groups}\n",
            markup=False,
            highlight=False,
        )


def _print_identification(console: Console, found: IdentificationComparison) -> None:
    """Rates of a search in a gallery, a line a rate, and which models it cannot tell apart."""
    table = Table(title="identification, 1:N", title_justify="left", box=BOX)
    table.add_column("rate")
    for model in found.models:
        table.add_column(escape(model), justify="right", overflow="fold")
    for rate in next(iter(found.models.values())).rates:
        cells = []
        for model, one in found.models.items():
            value, interval = rate_cell(one.rate(rate.name))
            value = f"[bold]{value}[/bold]" if found.is_best(rate.name, model) else value
            cells.append(f"{value} {escape(interval)}".rstrip())
        table.add_row(identification_title(rate.name), *cells)
    console.print(table)
    sentence = gallery_sentence(next(iter(found.models.values())))
    for text in (sentence, *identification_notes(found)):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    if len(found.models) > 1:
        told = ", ".join(f"{model} ({one})" for model, one in found.groups["rank-1"].items())
        console.print(
            f"Models that share a letter cannot be told apart at rank 1: {told}",
            markup=False,
            highlight=False,
        )


def _print_protocols(console: Console, found: Mapping[str, Protocols]) -> None:
    """Accuracy over folds, and TAR at FARs."""
    if not found:
        return
    table = Table(title="protocols", title_justify="left", box=BOX)
    table.add_column("model name", overflow="fold")
    for name in next(iter(found.values())).titles:
        table.add_column(name, justify="right")
    for model, one in found.items():
        table.add_row(escape(model), *one.cells)
    console.print(table)


def _print_agreement(console: Console, found: Agreement) -> None:
    """Print how far the people who judged agree beyond chance."""
    if len(found.people) < 2:
        return
    table = Table(title="agreement of the people who judged", title_justify="left", box=BOX)
    for name in ("A", "B"):
        table.add_column(name, overflow="fold")
    for name in ("Cohen's kappa", "agree on", "pairs"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.between:
        agreed = f"{percent(one.agreed.value)} %" if one.agreed.count else "N/A"
        cells = (escape(one.first), escape(one.second), escape(_kappa(one.kappa)))
        table.add_row(*cells, agreed, f"{one.kappa.count:,}")
    console.print(table)
    if found.fleiss is not None:
        console.print(
            f"Fleiss' kappa of all: {_kappa(found.fleiss)}, on {found.fleiss.count:,} pairs",
            markup=False,
            highlight=False,
        )


def _kappa(found: Kappa) -> str:
    if found.value is None:
        return "undefined"
    bounds = found.interval
    around = f" [{bounds.low:.2f}, {bounds.high:.2f}]" if bounds is not None else ""
    return f"{found.value:.3f}{around}"


@or_json(json_contents.neighbours_content)
def print_neighbours(found: Neighboured) -> None:
    """Print a face's nearest impostors, and what to hold their scores against."""
    console = console_of()
    table = Table(
        title=f"most like {escape(found.query)}, of other identities, by {escape(found.model)}",
        title_justify="left",
        box=BOX,
    )
    for name in found.header:
        numeric = name in ("rank", "score")
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in found.rows():
        table.add_row(*map(escape, row))
    console.print(table)
    for note in found.notes():
        console.print(note, markup=False, highlight=False, soft_wrap=True)
    _print_files(console, [("written", file) for file in found.files])


@or_json(json_contents.identified_content)
def print_identified(made: Identified) -> None:
    """Print the rates of each model that searched a gallery, a line a rate."""
    console = console_of()
    _print_identification(console, made.models)
    _print_funnel(console, made.funnel)
    _print_files(console, [("written", file) for file in made.files])


@or_json(json_contents.threshold_content)
def print_threshold(made: Thresholded) -> None:
    """Print a threshold in three sentences, its rates, and what to know of them."""
    console, found = console_of(), made.threshold
    for text in sentences(found, made.model, made.where):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    table = Table(title="rates at this threshold", title_justify="left", box=BOX)
    table.add_column("pairs", overflow="fold")
    for name in ("FPR %", "", "negatives", "FNR %", "", "positives"):
        table.add_column(name, justify="right")
    for row in rate_rows(found):
        table.add_row(*map(escape, row))
    console.print(table)
    for note in found.notes():
        console.print(f"{note[0].upper()}{note[1:]}.", markup=False, highlight=False)
    _print_funnel(console, made.funnel)
    _print_files(console, [("written", file) for file in made.files])
    _print_warnings(console, made.warnings)


@or_json(json_contents.planned_content)
def print_planned(planned: PowerPlan) -> None:
    """Print how large a set it takes to tell every two models apart."""
    console = console_of()
    table = Table(
        title=f"{planned.pairs}: what it takes to tell a difference of "
        f"{100 * planned.plans[0].points:.3g} points",
        title_justify="left",
        box=BOX,
    )
    for name in ("A", "B"):
        table.add_column(name, overflow="fold")
    for name in (
        "A - B",
        f"seen in {100 * planned.plans[0].power:.3g} %",
        "negatives",
        "positives",
        PLURALS[planned.plans[0].by],
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for one in planned.plans:
        grown = one.present if one.enough else one.grown
        table.add_row(
            escape(one.first),
            escape(one.second),
            f"{100 * one.difference:+.2f}",
            f"{100 * one.detectable:.2f}",
            *(f"{number:,}" for number in (grown.negatives, grown.positives, grown.identities)),
        )
    console.print(table)
    for one in planned.plans:
        for sentence in one.sentences():
            console.print(sentence, markup=False, highlight=False, soft_wrap=True)
    _print_funnel(console, planned.funnel)
    _print_warnings(console, planned.warnings)


def console_of() -> Console:
    """The terminal; a wide page where the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _print_funnel(console: Console, rows: Sequence[FunnelRow]) -> None:
    if not rows:
        return
    table = Table(box=BOX)
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
    table = Table(box=BOX)
    table.add_column("who fills the pairs")
    for name in found:
        table.add_column(name, justify="right")
    columns = [dict(hubness.rows()) for hubness in found.values()]
    for what in columns[0]:
        table.add_row(what, *(column.get(what, "") for column in columns))
    console.print(table)


def _print_files(console: Console, files: Iterable[tuple[str, Path]]) -> None:
    for what, path in files:
        console.print(f"{what:>18}  {told(path)}", markup=False, highlight=False, soft_wrap=True)


def _print_layout(console: Console, layout: IdentityLayout | None) -> None:
    """Print why the report has no map of identities, where a package is lacking."""
    if layout is not None and layout.lacking:
        console.print(told(layout.note), markup=False, soft_wrap=True)


def _print_warnings(console: Console, warnings: Iterable[str]) -> None:
    for warning in warnings:
        console.print(f"[bold yellow]note[/] {escape(told(warning))}", highlight=False)
