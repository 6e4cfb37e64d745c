"""Plan of a cluster, printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from mining.cli.json_output import or_json
from mining.cli.progress_lines import span_text
from mining.cli.summary import BOX, console_of

if TYPE_CHECKING:
    from mining.cluster.plan import Plan


def plan_content(plan: Plan) -> dict[str, object]:
    """Document of a plan."""
    return {"plan": plan.content()}


@or_json(plan_content)
def print_plan(plan: Plan) -> None:
    """Print what a join takes, how long on how many machines, and what that rests on."""
    console = console_of()
    work, hardware, times = plan.work, plan.hardware, plan.times
    what = f"{hardware.gpus} GPUs" if hardware.gpus else f"{hardware.cores} cores each"
    table = Table(
        title=f"{work.faces:,} faces x {work.dim}, on {hardware.nodes} nodes, {what}",
        title_justify="left",
        box=BOX,
        show_header=False,
    )
    table.add_column("what", overflow="fold")
    table.add_column("how much", justify="right", overflow="fold")
    fits = {None: "", True: ", which fits", False: ", MORE THAN THERE IS"}[plan.fits]
    rows = [
        ("pairs to compare", f"{work.compared:,}"),
        ("operations", f"{work.operations:.3g}"),
        ("vectors", _size(plan.vectors_bytes)),
        ("their copy in low precision", _size(plan.low_bytes)),
        ("blocks, of so many rows", f"{plan.blocks:,} of {plan.block:,}"),
        ("tasks", f"{plan.tasks:,}"),
        ("read by a node", _size(plan.read_bytes)),
        ("memory of a node", _size(plan.node_bytes) + fits),
        ("join", span_text(times.total)),
        ("  of it: distribution", span_text(times.distribution)),
        ("  of it: first threshold", span_text(times.seed)),
        ("  of it: products", span_text(times.compute)),
        ("  meanwhile: merging, handing out", span_text(times.merge)),
        (
            "embedding",
            "unknown: name --model or --images-per-second"
            if plan.embedding_seconds is None
            else span_text(plan.embedding_seconds),
        ),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    kind = "GPUs" if hardware.gpus else "nodes"
    scaling = Table(title="Time of the join", title_justify="left", box=BOX)
    for name in (kind, "time", "speed-up"):
        scaling.add_column(name, justify="right", no_wrap=True)
    for shape in plan.shapes:
        mark = " (recommended)" if shape.count == plan.recommended else ""
        scaling.add_row(f"{shape.count}{mark}", span_text(shape.seconds), f"{shape.speedup:.1f}")
    console.print(scaling)
    if not plan.rate.measured:
        console.print("The rate is NOT MEASURED by us: see below.", markup=False)
    for sentence in plan.assumptions:
        console.print(f"- {sentence}", markup=False, highlight=False, soft_wrap=True)


def _size(count: float) -> str:
    """Bytes in a unit of their size."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:,.3g} {unit}"
        count /= 1024
    return f"{count:,.1f} TiB"
