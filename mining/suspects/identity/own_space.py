"""A space of vectors in which the identities of a set stand apart best, learnt of the set itself.

A network's vectors vary most with what is no identity: style, pose, framing. Of faces whose
identities are known it can be told which directions those are: the covariance *within* identities
is made one in all directions, and those are kept in which the means of identities vary most
(Fisher, "The use of multiple measurements in taxonomic problems", 1936), each weighted by the
share of its variance that is between identities, b / (b + 1). A few wrong labels among many hardly
move either. `benchmarks/suspects.py` measures what it brings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from indexes.memory import gather
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import principal
from pairsets.arrays import Floats, Rows

DIMENSIONS = 64
"""At most so many directions are kept."""
SHRINKAGE = 0.1
"""Share of a multiple of the identity matrix in the covariance within identities."""
# Faces of which the directions are learnt, spread evenly.
MOST_FACES = 20_000
# Faces beyond the first of their identity that the covariance within identities must be made of.
_LEAST_FACES = 2 * DIMENSIONS
# Of the largest variance: directions that vary less are those of rounding.
_RANK = 1e-10
_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class OwnSpace:
    """Principal directions of a set's vectors, from which its identities' own space is made.

    Attributes:
        reduced: `[N, K]` float64: the vectors about their mean, in the directions that vary most.
    """

    reduced: Floats

    @classmethod
    def of(cls, embeddings: Embeddings) -> OwnSpace | None:
        """The principal directions of embeddings; None where they do not vary."""
        count, vectors = len(embeddings), embeddings.vectors
        chosen = np.arange(0, count, max(1, -(-count // MOST_FACES)))
        with threadpool_limits(1, user_api="blas"):
            some = gather(vectors, chosen).astype(np.float64)
            mean = some.mean(axis=0)
            values, directions = principal((some - mean).T @ (some - mean) / len(some))
            told = int((values > _RANK * values[0]).sum()) if values[0] > 0 else 0
            if told < 2:
                return None
            kept = directions[:, : min(DIMENSIONS, told)]
            reduced = np.empty((count, kept.shape[1]))
            for start in range(0, count, _BLOCK):
                rows = np.arange(start, min(start + _BLOCK, count))
                reduced[rows] = (gather(vectors, rows).astype(np.float64) - mean) @ kept
        return cls(reduced)

    def vectors(self, codes: Rows) -> NDArray[np.float32] | None:
        """`[N, K]` of unit length: the space of the identities of that number each.

        None where too few of them have two faces or more.
        """
        counts = np.bincount(codes)
        many = counts > 1
        beyond = int((counts[many] - 1).sum())
        if beyond < _LEAST_FACES or len(counts) < 3:
            return None
        order = np.argsort(codes, kind="stable")
        firsts = np.cumsum(counts) - counts
        with threadpool_limits(1, user_api="blas"):
            sums = np.add.reduceat(self.reduced[order], firsts, axis=0)
            centres = sums / counts[:, None]
            apart = self.reduced - centres[codes]
            projection = _projection(centres, counts, apart.T @ apart / beyond)
            if projection is None:
                return None
            found = self.reduced @ projection
        lengths = np.linalg.norm(found, axis=1)
        return np.asarray(found / np.where(lengths > 0, lengths, 1)[:, None], np.float32)


def _projection(centres: Floats, counts: Rows, within: Floats) -> Floats | None:
    """`[K, K]` of reduced vectors; None where those of one identity do not vary.

    Args:
        centres: `[C, K]`, of so many faces each as `counts [C]` say.
        within: `[K, K]`, the covariance within identities.
    """
    size = len(within)
    level = np.trace(within) / size
    if not level > 0:
        return None
    shrunk = (1 - SHRINKAGE) * within
    shrunk[np.diag_indices(size)] += SHRINKAGE * level
    values, directions = principal(shrunk)
    whitened = directions / np.sqrt(values)
    spread = (centres - centres.mean(axis=0)) @ whitened
    between = spread.T @ spread / (len(spread) - 1)
    # Means of n faces vary by 1 / n more than identities do.
    between[np.diag_indices(size)] -= (1 / counts).mean()
    ratios, turned = principal(between)
    ratios = np.maximum(ratios, 0)
    return np.asarray(whitened @ turned * np.sqrt(ratios / (ratios + 1)))
