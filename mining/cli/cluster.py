"""Clusters: the option by which a command runs on one, and a plan of what one would take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mining.cluster.session import Cluster
    from mining.embeddings.options import EmbeddingOptions
    from mining.miners.inputs import MiningOptions

CLUSTER = "Cluster"
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
        from mining.cluster.embedding import EmbeddingCrew

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
    """Where `--cluster` says; a cluster that was started for it ends with the block."""
    if address is None:
        yield Place(None)
        return
    from mining.cluster.session import connect

    with connect(address) as cluster:
        yield Place(cluster)
