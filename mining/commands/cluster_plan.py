"""Plan of a cluster: what a join of so many faces takes, on which machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from mining.cluster.measurement import measure_join
from mining.cluster.plan import Hardware, Plan, Work, plan_join
from mining.cluster.rates import EmbeddingRate, JoinRate, embedding_rate, join_rate
from mining.errors import ClusterError
from pairsets.storage.artefacts import refuse_existing, write_json
from pairsets.storage.publication import alone

# The kept rate of a core that is planned with where nothing is measured.
KEPT = "epyc"


@dataclass(frozen=True)
class Machines:
    """Machines as they are asked for.

    Attributes:
        nodes: how many.
        cpus: cores of each; those of this machine if None.
        gpus: `KIND:COUNT`, of all nodes together.
        memory: GiB of a node.
        network: Gbit a second into a node.
    """

    nodes: int = 1
    cpus: int | None = None
    gpus: str | None = None
    memory: float | None = None
    network: float = 10.0

    @property
    def gpu(self) -> tuple[str, int] | None:
        """Kind and number of the GPUs.

        Raises:
            ClusterError: the text is none of both.
        """
        if self.gpus is None:
            return None
        kind, _, count = self.gpus.partition(":")
        if not kind or not (count or "1").isdecimal() or int(count or "1") < 1:
            raise ClusterError(f"GPUs {self.gpus!r}: expected a kind and a number, as in H100:8")
        return kind, int(count or "1")

    def hardware(self) -> Hardware:
        """The machines as a plan takes them."""
        gpu = self.gpu
        return Hardware(
            nodes=self.nodes,
            cores=self.cpus or os.cpu_count() or 1,
            gpus=0 if gpu is None else gpu[1],
            memory=None if self.memory is None else self.memory * 2**30,
            network=self.network * 1.25e8,
        )


@alone()
def plan_cluster(
    work: Work,
    machines: Machines,
    *,
    model: str | None = None,
    images: float | None = None,
    measure: bool | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> Plan:
    """Plan the join of so many faces, and embedding them, on some machines.

    Args:
        work: faces, dimensions and pairs.
        machines: that it is planned for.
        model: network whose kept rate of embedding is taken.
        images: a second, of a core or GPU, instead.
        measure: time the join here for the rate of a core; by default where no GPU is named.
        out: JSON file to write.
        overwrite: replace it.

    Raises:
        ClusterError: no rate is kept of what is named; or nothing to plan.
        OutputError: `out` is there.
    """
    if out is not None:
        refuse_existing([out], overwrite=overwrite)
    hardware, gpu = machines.hardware(), machines.gpu
    if gpu is not None and measure:
        raise ClusterError("a join is measured on cores; leave --measure or --gpus out")
    rate = _rate(gpu, work, measured=measure is not False)
    planned = plan_join(work, hardware, rate, _embedding(gpu, model, images))
    if out is not None:
        write_json(out, planned.content())
    return planned


def _rate(gpu: tuple[str, int] | None, work: Work, *, measured: bool) -> JoinRate:
    """Rate of a core, measured or kept, or of a GPU."""
    if gpu is None:
        return measure_join(work.dim) if measured else join_rate(KEPT)
    rate = join_rate(gpu[0])
    if rate.per != "gpu":
        raise ClusterError(f"{gpu[0]}: a kind of core, and no GPU")
    return rate


def _embedding(
    gpu: tuple[str, int] | None, model: str | None, images: float | None
) -> EmbeddingRate | None:
    if images is not None:
        if not 0 < images < float("inf"):
            raise ClusterError(f"{images:g} images a second; expected a number above 0")
        return EmbeddingRate(model or "the model", images, "as given", measured=False)
    if model is None:
        return None
    if gpu is not None:
        raise ClusterError(
            f"no rate of {model} on a GPU is kept; give images a second (--images-per-second)"
        )
    return embedding_rate(model)
