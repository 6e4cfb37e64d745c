"""Checks of pictures on a cluster: some pairs at a time, each process with a check of its own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from mining.cluster.session import Cluster
from mining.suspects.check import Check
from pairsets.files.suspects import Doubt
from pairsets.pairset import PairSet
from pairsets.progress import Step, unheard

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

    def shared(self, kind: str, make: Callable[[], Check]) -> Check:
        """A check of which each process makes its own; see `mining.suspects.check`."""
        return ClusterCheck(self._cluster, kind, make, self._pairs)


class ClusterCheck:
    """A check whose pairs are shared among nodes; what it says of a pair is the same.

    Args:
        cluster: of the nodes.
        kind: of the check.
        make: makes it, in each process.
        pairs: that a node takes at a time.
    """

    def __init__(
        self, cluster: Cluster, kind: str, make: Callable[[], Check], pairs: int = _PAIRS
    ) -> None:
        self._cluster, self.kind, self._make, self._pairs = cluster, kind, make, pairs
        self._key = uuid.uuid4().hex

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
                yield Asked([keys[row][0] for row in rows], [keys[row][1] for row in rows])

        results = self._cluster.share(ask, shares(), fixed=[self._key, self._make])
        with contextlib.closing(results):
            for number, doubt in results:
                rows = lots[number]
                score[rows], flagged[rows] = doubt.score, doubt.flagged
                for row, reason in zip(rows, doubt.reasons, strict=True):
                    reasons[row] = reason
                done += len(rows)
                progress(done, len(keys))
        return Doubt(self.kind, score, flagged, tuple(reasons))


@dataclass(frozen=True)
class Asked:
    """Pairs that a node is asked about.

    Attributes:
        path_a, path_b: of their faces.
    """

    path_a: list[str]
    path_b: list[str]


def ask(asked: Asked, key: str, make: Callable[[], Check]) -> Doubt:
    """Ask a process's own check about some pairs."""
    if key not in _made:
        _made.clear()
        _made[key] = make()
    return _made[key](PairSet.of(asked.path_a, asked.path_b, 0))
