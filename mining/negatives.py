"""Embeddings -> the ranked pairs of different characters that the model confuses most."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes import ApproximateIndex, FlatIndex
from indexes.join import Progress
from mining.embeddings import Embeddings
from pairsets.faces import Faces, base_name
from pairsets.pairset import PairSet

DEFAULT_PAIRS = 3000


@dataclass(frozen=True, eq=False)
class Negatives:
    """Mined pairs, best score first.

    Attributes:
        path_a, path_b: `[M]` face paths; A stands before B in the order of the faces.
        scores: `[M]` float64, falling.
        faces: the faces that were searched (those not ignored).
        ignored: how many faces the ignore list left out.
        unknown: base names on the ignore list that no face has.
        wanted: how many pairs were asked for; fewer exist where M is less.
        index: `exact`, or the factory string of the approximate index that was searched.
        recall: share of the exact answer that an approximate index found, where it was measured.
    """

    path_a: NDArray[np.object_]
    path_b: NDArray[np.object_]
    scores: NDArray[np.float64]
    faces: Faces
    ignored: int
    unknown: int
    wanted: int
    index: str = "exact"
    recall: float | None = None

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def pairs(self) -> PairSet:
        """The mined pairs alone, hardest first."""
        return PairSet.of(self.path_a, self.path_b, 0)


def mine_negatives(
    embeddings: Embeddings,
    n: int = DEFAULT_PAIRS,
    *,
    ignore: Iterable[str] = (),
    index: str | None = None,
    recall: bool = False,
    progress: Progress | None = None,
) -> Negatives:
    """The n best-scoring pairs of different characters: exact over all pairs, unless asked not to.

    The score is the inner product of the stored vectors: the cosine, for a cosine model.

    Args:
        embeddings: of the reference model.
        n: how many pairs; all if fewer exist.
        ignore: base names of images never to take.
        index: FAISS factory string of an approximate index to search instead.
        recall: measure what share of the exact pairs the approximate index found.
        progress: called with the pairs compared and the pairs in all.

    Raises:
        indexes.IndexesError: n below 1, or a factory string that FAISS refuses.
    """
    names = frozenset(ignore)
    kept = embeddings.faces.without(names)
    everything = bool(kept.all())
    faces = embeddings.faces if everything else _take(embeddings.faces, kept)
    # A mask would copy a memory-mapped array into memory: only where faces are ignored.
    vectors = embeddings.vectors if everything else embeddings.vectors[kept]
    if index is None:
        best = FlatIndex(vectors).top_pairs(n, faces.groups, progress=progress)
    else:
        best = ApproximateIndex(vectors, index).top_pairs(n, faces.groups, recall=recall)
    return Negatives(
        path_a=faces.paths[best.i],
        path_b=faces.paths[best.j],
        scores=best.scores,
        faces=faces,
        ignored=int((~kept).sum()),
        unknown=len(names - embeddings.faces.base_names),
        wanted=n,
        index=index or "exact",
        recall=best.recall,
    )


def adversarial_pairs(
    negatives: Negatives, test: PairSet, *, seed: int = 0, ignore: Iterable[str] = ()
) -> tuple[PairSet, NDArray[np.int64]]:
    """Mined negatives and the valid positives of `test`, shuffled by `seed`, nothing judged.

    Positives with an image whose base name is in `ignore` are left out.

    Returns:
        The pair set, and `[N]` the rank of each row among the negatives (1 is the hardest; 0 for
        a positive).
    """
    kept = test.positives & ~ignored_rows(test, ignore)
    count = int(kept.sum())
    label = np.r_[np.ones(count, np.int8), np.zeros(len(negatives), np.int8)]
    rank = np.r_[np.zeros(count, np.int64), np.arange(1, len(negatives) + 1)]
    order = np.random.default_rng(seed).permutation(label.size)
    path_a = np.r_[test.path_a[kept], negatives.path_a][order]
    path_b = np.r_[test.path_b[kept], negatives.path_b][order]
    return PairSet.of(path_a, path_b, label[order]), rank[order]


def ignored_rows(pairs: PairSet, ignore: Iterable[str]) -> NDArray[np.bool_]:
    """`[N]`: rows with an image whose base name is in `ignore`."""
    names = frozenset(ignore)
    ends = zip(pairs.path_a, pairs.path_b, strict=True)
    return np.array([base_name(a) in names or base_name(b) in names for a, b in ends], bool)


def _take(faces: Faces, kept: NDArray[np.bool_]) -> Faces:
    return Faces(faces.root, faces.paths[kept], faces.characters[kept])
