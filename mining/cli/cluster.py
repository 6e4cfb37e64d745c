"""Clusters: the option by which a command runs on one, and a plan of what one would take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mining.cli.app import app
from mining.cli.options import OverwriteOption
from mining.cli.user_words import UserCommand, UserGroup

if TYPE_CHECKING:
    from mining.cluster.session import Cluster
    from mining.embeddings.options import EmbeddingOptions
    from mining.miners.inputs import MiningOptions

CLUSTER = "Cluster"
# Of the help.
PANEL = "Build the adversarial test split"
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Share the work among the nodes of a Ray cluster, with the same files: auto (the one "
        "that runs, else all cores here), local, or an address such as ray://HOST:10001.",
        rich_help_panel=CLUSTER,
    ),
]


@dataclass(frozen=True)
class Place:
    """Place where a command's work is done: this process, or a cluster.

    Attributes:
        cluster: None for this process.
    """

    cluster: Cluster | None

    def encoding(self, options: EmbeddingOptions) -> EmbeddingOptions:
        """Options of embedding there."""
        if self.cluster is None:
            return options
        from mining.cluster.embedding_crew import EmbeddingCrew

        return replace(options, crew=EmbeddingCrew(self.cluster))

    def mining(self, options: MiningOptions, device: str) -> MiningOptions:
        """Options of mining there, on a device as `--device` names it."""
        if self.cluster is None:
            return options
        from mining.cluster.checks import ClusterChecks
        from mining.cluster.join import JoinCrews

        # A task sees its own device alone, whatever number that has on the node.
        crews = JoinCrews(self.cluster, "cuda" if device.startswith("cuda") else None)
        return replace(options, crews=crews, checkers=ClusterChecks(self.cluster))


@contextmanager
def place(address: str | None) -> Iterator[Place]:
    """Open the place that `--cluster` names; a cluster started for it ends with the block."""
    if address is None:
        yield Place(None)
        return
    from mining.cluster.session import connect

    with connect(address, tell=lambda text: typer.echo(f"lookalikes: {text}", err=True)) as cluster:
        yield Place(cluster)


cluster = typer.Typer(
    cls=UserGroup,
    no_args_is_help=True,
    help="What a cluster of machines would take. Commands run on one with --cluster.",
)
app.add_typer(cluster, name="cluster", rich_help_panel=PANEL)


@dataclass(frozen=True)
class MachineGroup:
    """The machines that are planned with."""

    nodes: Annotated[int, typer.Option("--nodes", min=1, help="Number of machines.")] = 1
    cpus: Annotated[
        int | None,
        typer.Option("--cpus", min=1, help="Cores of each. [default: those of this machine]"),
    ] = None
    gpus: Annotated[
        str | None,
        typer.Option(
            "--gpus",
            metavar="KIND:N",
            help="Run the join on so many GPUs of all machines together, such as H100:8.",
        ),
    ] = None
    memory: Annotated[
        float | None, typer.Option("--node-memory", metavar="GIB", help="Memory of each machine.")
    ] = None
    network: Annotated[
        float,
        typer.Option("--network", metavar="GBIT", help="Gbit a second into each machine."),
    ] = 10.0


class _PlanCommand(UserCommand):
    """A command whose `--json` once named a file."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        for at, word in enumerate(args):
            file = args[at + 1 : at + 2] if word == "--json" else [word.removeprefix("--json=")]
            if word.startswith("--json=") or (word == "--json" and file and file[0][:1] != "-"):
                raise typer.BadParameter(
                    f"--json prints a document, and names no file any more; write it with --out "
                    f"{file[0]}"
                )
        return super().parse_args(ctx, args)


@cluster.command(
    cls=_PlanCommand,
    epilog="Example: `lookalikes cluster plan --faces 11000000 --dim 512 --nodes 16 --cpus 32`",
)
def plan(
    faces: Annotated[int, typer.Option("--faces", min=2, metavar="N", help="Number of faces.")],
    dim: Annotated[int, typer.Option("--dim", min=1, help="Dimensions of a vector.")],
    pairs: Annotated[int, typer.Option("--pairs", min=1, help="Number of pairs to mine.")] = 3000,
    machines: MachineGroup = MachineGroup(),
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="Network whose kept rate of embedding on a core is taken, such as resnet152.",
        ),
    ] = None,
    images_per_second: Annotated[
        float | None,
        typer.Option(
            "--images-per-second",
            metavar="NUMBER",
            help="Images that a core, or a GPU, embeds in a second.",
        ),
    ] = None,
    measure: Annotated[
        bool | None,
        typer.Option(
            "--measure/--no-measure",
            help="Time the join here for some seconds, or take a kept rate. [default: where no "
            "--gpus are named]",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="JSON file to write.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Tell what comparing all pairs of so many faces takes: memory, traffic, tasks, hours."""
    from mining.cli.cluster_summary import print_plan
    from mining.cluster.plan import Work
    from mining.commands.cluster_plan import Machines, plan_cluster

    planned = plan_cluster(
        Work(faces, dim, pairs),
        Machines(**vars(machines)),
        model=model,
        images=images_per_second,
        measure=measure,
        out=out,
        overwrite=overwrite,
    )
    print_plan(planned)
