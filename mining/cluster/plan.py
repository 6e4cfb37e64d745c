"""Plan of a cluster for a join: arithmetic on counts and rates, each assumption in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from mining.cluster.blocks import block_rows
from mining.cluster.rates import EmbeddingRate, JoinRate
from mining.errors import ClusterError

# Rows of a tile on a core and on a GPU, and of the block that seeds the threshold.
_SIDE, _GPU_SIDE, _SEED = 2048, 16_384, 8192
# Seconds: to hand out a task, from one place; that a task takes beside its products.
_DISPATCH, _BESIDE = 0.002, 0.005
# Pairs that one place sorts into the best so far in a second, and bytes of a pair.
_MERGED, _PAIR = 2e7, 24
# Bytes that a worker needs for a tile, what a process of Python with torch takes, and what all
# processes of a node share of the job for each row: its place, norm and group.
_TILE, _PROCESS, _ROW = 64 * 2**20, 400 * 2**20, 24
# Blocks in low precision that a worker keeps: so many, or these bytes of them.
_KEPT, _KEPT_BYTES = 3, 2**29
# Shapes that are compared, in nodes or GPUs; the share of the ideal that one should still reach.
_SHAPES, _WORTH = (1, 2, 4, 8, 16, 32, 64, 128), 0.7
HOUR = 3600.0


@dataclass(frozen=True)
class Work:
    """Work that is planned.

    Attributes:
        faces: N.
        dim: D, of the vectors.
        pairs: n, that are mined.

    Raises:
        ClusterError: no pair can be mined of it.
    """

    faces: int
    dim: int
    pairs: int

    def __post_init__(self) -> None:
        if self.faces < 2 or self.dim < 1 or self.pairs < 1:
            raise ClusterError(
                f"{self.faces:,} faces of {self.dim} dimensions, {self.pairs:,} pairs; expected at "
                "least 2 faces, 1 dimension and 1 pair"
            )

    @property
    def compared(self) -> int:
        """Pairs of faces that are compared."""
        return self.faces * (self.faces - 1) // 2

    @property
    def operations(self) -> float:
        """Multiplications and additions of all scores."""
        return 2.0 * self.dim * self.compared


@dataclass(frozen=True)
class Hardware:
    """Machines that are planned with.

    Attributes:
        nodes: how many.
        cores: of each.
        gpus: of all nodes together; 0 where the join runs on cores.
        memory: bytes of a node; None where it is not known.
        network: bytes a second into a node.

    Raises:
        ClusterError: not one machine, or one without memory or network.
    """

    nodes: int
    cores: int
    gpus: int = 0
    memory: float | None = None
    network: float = 1.25e9

    def __post_init__(self) -> None:
        for what, value in (("memory", self.memory), ("network", self.network)):
            if value is not None and not 0 < value < math.inf:
                raise ClusterError(f"{what} of {value:g} bytes; expected a number above 0")
        if self.nodes < 1 or self.cores < 1 or self.gpus < 0:
            raise ClusterError(
                f"{self.nodes} nodes of {self.cores} cores and {self.gpus} GPUs; expected at least "
                "one node of one core"
            )

    @property
    def workers(self) -> int:
        """Cores, or GPUs, that compare."""
        return self.gpus or self.nodes * self.cores


@dataclass(frozen=True)
class Times:
    """Seconds of a join, by what takes them.

    Attributes:
        distribution: until each node has the vectors of its tasks.
        seed: of the block that gives the first threshold.
        compute: of the tasks, the longest row of them on one worker.
        merge: of the tasks' best pairs into those of all, and of handing out tasks.
    """

    distribution: float
    seed: float
    compute: float
    merge: float

    @property
    def total(self) -> float:
        """All of them; tasks end one after the other, so that merging goes on meanwhile."""
        return self.distribution + self.seed + max(self.compute, self.merge)


@dataclass(frozen=True)
class Shape:
    """Number of machines, and how long a join takes on them.

    Attributes:
        count: of nodes, or of GPUs.
        seconds: of the join.
        speedup: over one of them.
    """

    count: int
    seconds: float
    speedup: float


@dataclass(frozen=True)
class Plan:
    """Plan of a join, and of embedding before it.

    Attributes:
        work, hardware, rate: that it is of.
        block: rows of a block.
        blocks: how many.
        tasks: pairs of blocks, a block with itself too.
        vectors_bytes, low_bytes: of all vectors, and of their copy in low precision.
        read_bytes: that a node reads.
        node_bytes: that a node needs in memory.
        times: of the join.
        embedding: rate of it; None where none is known.
        embedding_seconds: None where no rate is known.
        shapes: times on other numbers of nodes or GPUs.
        recommended: number of them.
    """

    work: Work
    hardware: Hardware
    rate: JoinRate
    block: int
    blocks: int
    tasks: int
    vectors_bytes: int
    low_bytes: int
    read_bytes: float
    node_bytes: float
    times: Times
    embedding: EmbeddingRate | None
    embedding_seconds: float | None
    shapes: Sequence[Shape]
    recommended: int

    @property
    def fits(self) -> bool | None:
        """Whether a node's memory is enough; None where it is not known."""
        return None if self.hardware.memory is None else self.node_bytes <= self.hardware.memory

    @property
    def assumptions(self) -> list[str]:
        """Sentences on what the figures rest on."""
        workers = "GPU" if self.hardware.gpus else "core"
        found = [
            f"A {workers} does {self.rate.operations:.3g} operations a second "
            f"({self.rate.machine}; {self.rate.source}).",
            "Every pair is compared: a narrow bound, which real faces often allow, makes it less.",
            f"A task compares two blocks of {self.block:,} rows; {_BESIDE:g} s are no product. "
            f"Handing one out takes {_DISPATCH:g} s.",
            "Each node reads all vectors once, from a shared disk or a bucket, at "
            f"{self.hardware.network / 1.25e8:.3g} Gbit/s; of one node alone they are there.",
            "In a node's memory are the job and each worker's blocks; vectors stay on its disk.",
            f"Each task sends back at most {self.work.pairs:,} pairs; {_MERGED:.3g} of them are "
            "merged in a second, in one place.",
            "All machines are of one kind and do nothing else.",
        ]
        if self.embedding is not None:
            found.append(
                f"A {workers} embeds {self.embedding.images:.3g} images a second "
                f"({self.embedding.source})."
            )
        return found

    def content(self) -> dict[str, object]:
        """The plan as JSON has it."""
        found = asdict(self)
        found["work"] |= {"compared": self.work.compared, "operations": self.work.operations}
        found["times"]["total"] = self.times.total
        return {
            "schema": 1,
            **found,
            "fits": self.fits,
            "assumptions": self.assumptions,
        }


def plan_join(
    work: Work, hardware: Hardware, rate: JoinRate, embedding: EmbeddingRate | None = None
) -> Plan:
    """Plan a join, and embedding where its rate is known.

    >>> rate = JoinRate("m", "core", 1e12, 1, "a machine", "a guess", False)
    >>> plan = plan_join(Work(1_000_000, 512, 3000), Hardware(1, 100), rate)
    >>> round(plan.work.operations / 1e12), round(plan.times.compute, 1)
    (512, 5.3)
    """
    block, blocks, tasks = _blocks(work, hardware)
    low = rate.low_bytes * work.faces * work.dim
    workers = math.ceil(hardware.workers / hardware.nodes)
    kept = max(_KEPT * block * work.dim * rate.low_bytes, min(_KEPT_BYTES, low))
    node = _ROW * work.faces + workers * (_TILE + _PROCESS + kept)
    shapes = _shapes(work, hardware, rate)
    return Plan(
        work=work,
        hardware=hardware,
        rate=rate,
        block=block,
        blocks=blocks,
        tasks=tasks,
        vectors_bytes=4 * work.faces * work.dim,
        low_bytes=low,
        read_bytes=4.0 * work.faces * work.dim,
        node_bytes=float(node),
        times=times_of(work, hardware, rate),
        embedding=embedding,
        embedding_seconds=(
            None if embedding is None else work.faces / (embedding.images * hardware.workers)
        ),
        shapes=shapes,
        recommended=_recommended(shapes),
    )


def times_of(work: Work, hardware: Hardware, rate: JoinRate) -> Times:
    """Seconds of a join on some machines."""
    block, _, tasks = _blocks(work, hardware)
    workers = hardware.workers
    one = work.operations / tasks / rate.operations + _BESIDE
    read = 4.0 * work.faces * work.dim
    seed = min(_SEED, work.faces)
    on_one_node = rate.operations * max(1, workers // hardware.nodes)
    sent = tasks * min(work.pairs, block * block)
    return Times(
        distribution=read / hardware.network if hardware.nodes > 1 else 0.0,
        seed=work.dim * seed * (seed - 1) / on_one_node,
        # Whole tasks: the last of them leave workers idle.
        compute=math.ceil(tasks / workers) * one,
        merge=sent / _MERGED + tasks * _DISPATCH,
    )


def _blocks(work: Work, hardware: Hardware) -> tuple[int, int, int]:
    """Rows of a block, how many blocks, and how many tasks."""
    side = _GPU_SIDE if hardware.gpus else _SIDE
    rows = min(block_rows(work.faces, hardware.workers, side), work.faces)
    blocks = math.ceil(work.faces / rows)
    return rows, blocks, blocks * (blocks + 1) // 2


def _shapes(work: Work, hardware: Hardware, rate: JoinRate) -> list[Shape]:
    """Times on 1, 2, 4, ... nodes or GPUs, the number that was asked for among them."""
    asked = hardware.gpus or hardware.nodes
    counts = sorted({*_SHAPES, asked})
    each = max(1, hardware.gpus // hardware.nodes)
    found: list[Shape] = []
    for count in counts:
        other = (
            replace(hardware, gpus=count, nodes=math.ceil(count / each))
            if hardware.gpus
            else replace(hardware, nodes=count)
        )
        seconds = times_of(work, other, rate).total
        found.append(Shape(count, seconds, (found[0].seconds if found else seconds) / seconds))
    return found


def _recommended(shapes: Sequence[Shape]) -> int:
    """The fewest that are done within an hour; else the most that are still worth it."""
    quick = [shape.count for shape in shapes if shape.seconds <= HOUR]
    worth = [shape.count for shape in shapes if shape.speedup >= _WORTH * shape.count]
    return min(quick, default=max(worth))
