"""Checks of pictures on a cluster: some pairs at a time, each process with a check of its own."""

from __future__ import annotations

import contextlib
import socket
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mining.cluster.session import Cluster
from mining.errors import ClusterError
from mining.parallel import threads_alone
from mining.suspects.check import Check
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard
from pairsets.storage.mirrors import mirror_of, origin_of
from pairsets.storage.remote_files import RemoteFolder

# Pairs that a node takes at a time: some seconds of work.
_PAIRS = 512

# The check of a process, by its key.
_made: dict[str, Check] = {}


class ClusterChecks:
    """Nodes of a cluster that look at pictures.

    Args:
        cluster: that they are of.
        pairs: that a node takes at a time.
    """

    def __init__(self, cluster: Cluster, *, pairs: int = _PAIRS) -> None:
        self._cluster, self._pairs = cluster, pairs

    def shared(self, kind: str, root: Path, make: Callable[[Path], Check]) -> Check:
        """A check of which each process makes its own; see `mining.suspects.check`."""
        return ClusterCheck(self._cluster, kind, root, make, self._pairs)


class ClusterCheck:
    """A check whose pairs are shared among nodes; what it says of a pair is the same.

    Args:
        cluster: of the nodes.
        kind: of the check.
        root: the folder of the faces.
        make: makes it of that folder, in each process.
        pairs: that a node takes at a time.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: str,
        root: Path,
        make: Callable[[Path], Check],
        pairs: int = _PAIRS,
    ) -> None:
        self._cluster, self.kind, self._pairs = cluster, kind, pairs
        self._recipe = CheckRecipe(uuid.uuid4().hex, root.absolute(), origin_of(root), make)

    def __call__(self, pairs: PairSet, progress: Step = unheard) -> Doubt:
        """Doubt of each pair; see `Check`.

        Raises:
            ClusterError: see `Cluster.share`.
        """
        keys = pairs.keys
        # Neighbours share faces.
        order = sorted(range(len(keys)), key=keys.__getitem__)
        lots = [order[start : start + self._pairs] for start in range(0, len(order), self._pairs)]
        score, flagged = np.full(len(keys), np.nan), np.zeros(len(keys), np.bool_)
        reasons, done = [""] * len(keys), 0

        def shares() -> Iterator[Asked]:
            for rows in lots:
                yield Asked(
                    [keys[row][0] for row in rows],
                    [keys[row][1] for row in rows],
                    pairs.label[rows].tolist(),
                )

        results = self._cluster.share(ask, shares(), fixed=[self._recipe])
        with contextlib.closing(results):
            for number, answer in results:
                self._refuse_lacking(answer)
                rows, doubt = lots[number], answer.doubt
                score[rows], flagged[rows] = doubt.score, doubt.flagged
                for row, reason in zip(rows, doubt.reasons, strict=True):
                    reasons[row] = reason
                done += len(rows)
                progress(done, len(keys))
        return Doubt(self.kind, score, flagged, tuple(reasons))

    def _refuse_lacking(self, answer: Answer) -> None:
        """Raise ClusterError where a node could not read a file that is here, or has another."""
        if self._recipe.bucket is not None:
            return
        for path, size in answer.sizes.items():
            file = self._recipe.root / path
            if file.exists() and file.stat().st_size != size:
                raise ClusterError(
                    f"node {answer.node}: has another file {file} than is here; give all nodes the "
                    "same faces, as by a shared disk"
                )
        for path in answer.unread:
            file = self._recipe.root / path
            if not answer.there[path] and file.exists():
                raise ClusterError(
                    f"node {answer.node}: has no file {file}, which is here; the faces must lie at "
                    "the same place on every node, as on a shared disk"
                )


@dataclass(frozen=True)
class CheckRecipe:
    """Recipe for a check, as it is sent to each process.

    Attributes:
        key: another one for each check, by which a process knows what it has made.
        root: the folder of the faces.
        bucket: that it stands for, or None.
        make: makes the check of a folder.
    """

    key: str
    root: Path
    bucket: RemoteFolder | None
    make: Callable[[Path], Check]


@dataclass(frozen=True)
class Answer:
    """Doubt of some pairs, and what a node could not read.

    Attributes:
        doubt: of the pairs.
        unread: causes by path.
        there: by the same paths, whether the node has the file.
        sizes: of the files that the node has, by path, in bytes; none of a bucket.
        node: which one it was.
    """

    doubt: Doubt
    unread: dict[str, str]
    there: dict[str, bool]
    sizes: dict[str, int]
    node: str


@dataclass(frozen=True)
class Asked:
    """Pairs that a node is asked about.

    Attributes:
        path_a, path_b: of their faces.
        label: 1 of a positive, 0 of a negative.
    """

    path_a: list[str]
    path_b: list[str]
    label: list[int]


def ask(asked: Asked, recipe: CheckRecipe) -> Answer:
    """Ask a process's own check about some pairs."""
    root = recipe.root if recipe.bucket is None else mirror_of(recipe.bucket.url)
    if recipe.key not in _made:
        _made.clear()
        _made[recipe.key] = recipe.make(root)
    check = _made[recipe.key]
    # The cluster has a task for each core.
    with threads_alone():
        doubt = check(PairSet.of(asked.path_a, asked.path_b, asked.label))
    wanted = {*asked.path_a, *asked.path_b}
    unread = {path: why for path, why in getattr(check, "unread", {}).items() if path in wanted}
    there = {path: recipe.bucket is not None or (root / path).exists() for path in unread}
    files = {path: root / path for path in wanted if recipe.bucket is None}
    sizes = {path: file.stat().st_size for path, file in files.items() if file.exists()}
    return Answer(doubt, unread, there, sizes, socket.gethostname())
