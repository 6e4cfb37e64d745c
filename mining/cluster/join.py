"""The join on a cluster: shares of tiles as tasks, each of which reads its vectors from storage.

Vectors never go through Ray: every node maps the file. What goes through it is the job, put once by
the driver, and the pairs that come back. The threshold of all is told with each share and asked
for meanwhile; it only saves work.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.base import Rows, Vectors
from indexes.join.best import Found
from indexes.join.job import Crew, JoinJob, ShareSearcher
from mining.cluster.blocks import block_rows
from mining.cluster.session import Cluster
from mining.cluster.threshold import Threshold, ThresholdClient
from mining.cluster.vector_source import VectorSource
from mining.embeddings.store import Embeddings

Mask = NDArray[np.bool_]
# The share's number, the bounds of its tiles, and a threshold known when it was handed out.
_Item = tuple[int, Rows, float]
# What a process of a node has of the search it works on: the searcher, and its view of the bar.
_at_work: dict[str, tuple[ShareSearcher, ThresholdClient]] = {}


@dataclass(frozen=True)
class JoinCrews:
    """Maker of crews for searches on a cluster.

    Attributes:
        cluster: who works.
        device: CUDA device of the tasks, one each; None for processors.
    """

    cluster: Cluster
    device: str | None = None

    def over(self, embeddings: Embeddings, kept: Mask) -> Crew:
        """Make the crew that searches the faces that are `kept [N]` of these embeddings.

        Raises:
            ClusterError: their vectors are of no file.
        """
        return JoinCrew(self.cluster, VectorSource.of(embeddings, kept), self.device)


@dataclass(frozen=True, eq=False)
class JoinCrew:
    """Nodes of a cluster that search shares of one join; see `indexes.join.job.Crew`.

    Attributes:
        cluster: who works.
        source: the vectors as the nodes open them.
        device: as of `JoinCrews`.
    """

    cluster: Cluster
    source: VectorSource
    device: str | None = None

    def block(self, count: int, width: int, side: int) -> int:
        """Rows of a share's blocks: enough shares for all who work, none too large for a node."""
        workers = sum(node.gpus if self.device else node.cpus for node in self.cluster.nodes)
        return block_rows(count, workers, side)

    def search(
        self,
        job: JoinJob,
        vectors: Vectors,
        tiles: Sequence[Rows],
        commit: Callable[[int, Found], float],
    ) -> None:
        """Search all shares on the nodes.

        Raises:
            ClusterError: a node does not see the vectors; memory ran out; or see `Cluster.share`.
        """
        bar = Threshold(job.rules.lowest)
        known = [job.threshold]

        def items() -> Iterator[_Item]:
            # Made when a node is ready for it, with the threshold as it is then.
            for number, bounds in enumerate(tiles):
                yield number, bounds, known[0]

        done = self.cluster.share(
            search_share,
            items(),
            fixed=[uuid.uuid4().hex, job, self.source, bar.client()],
            cpus=0.0 if self.device else 1.0,
            gpus=1.0 if self.device else 0.0,
            called=lambda number, _: f"share {number + 1} of {len(tiles)} of the search",
        )
        try:
            with contextlib.closing(done):
                for number, found in done:
                    known[0] = commit(number, found)
                    bar.rebuild(known[0])
        finally:
            bar.close()


def search_share(
    item: _Item, name: str, job: JoinJob, source: VectorSource, bar: ThresholdClient
) -> Found:
    """Search one share, in a process of a node, with what the process has kept of the others."""
    if name not in _at_work:
        _at_work.clear()
        _at_work[name] = ShareSearcher(job, source.open()), bar
    searcher, bar = _at_work[name]
    _, tiles, threshold = item
    return searcher.search(tiles, max(threshold, bar.raise_to(threshold)), bar.raise_to)
