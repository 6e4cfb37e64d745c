"""Identification by vectors: gallery and probes put together, searched exactly, and rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from indexes.base import as_vectors
from indexes.join.gallery import search_gallery
from mining.embeddings.journal import Vectors
from mining.embeddings.store import Embeddings
from mining.embeddings.two_folders import refuse_other_model
from mining.errors import EmbeddingError, RunError
from mining.models.base import Similarity
from pairsets.arrays import Rows
from pairsets.evaluation.identification import (
    Identification,
    IdentificationTargets,
    rate_identification,
)
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.searches import Searches, average_precisions
from pairsets.gallery_draw import HELD_OUT, GalleryDraw, draw_gallery
from pairsets.paths import strings
from pairsets.progress import Step
from pairsets.sources.templates import pooled

Names = NDArray[np.object_]
# Unit vectors whose mean is shorter cancel out: what is left is but their rounding.
_SHORTEST = 1e-6


@dataclass(frozen=True, eq=False)
class Side:
    """Gallery, or probes: vectors, the rows that count, and who they show.

    Attributes:
        vectors: `[N, D]`.
        names: `[K]` who the rows that count show.
        rows: `[K]` which of the vectors count.
    """

    vectors: Vectors
    names: Names
    rows: Rows

    @classmethod
    def of(cls, vectors: Vectors, names: Names, rows: Rows | None = None) -> Side:
        """All rows of some vectors, or those given."""
        taken = np.arange(len(vectors)) if rows is None else rows
        return cls(vectors, names[taken], taken)

    def without(self, lost: NDArray[np.bool_]) -> Side:
        """The side without some of its rows `[K]`."""
        return Side(self.vectors, self.names[~lost], self.rows[~lost])

    def pooled(self, *, unit: bool) -> Side:
        """One vector an identity: the mean of its own, of unit length if `unit`.

        That of `lookalikes pool`, each picture a medium of its own.

        Raises:
            EmbeddingError: an identity whose vectors cancel out.
        """
        names, codes = np.unique(self.names, return_inverse=True)
        _, vectors = pooled(self.vectors, self.rows, codes, np.arange(len(codes)))
        if unit:
            lengths = np.linalg.norm(vectors, axis=1)
            if (lengths <= _SHORTEST).any():
                lost = names[lengths <= _SHORTEST]
                raise EmbeddingError(
                    f"{len(lost):,} identities whose vectors cancel out, {lost[0]!r} the first; "
                    "they have no mean to be found by: leave out the pooling"
                )
            vectors = vectors / lengths[:, None]
        return Side(vectors.astype(np.float32), strings(names.tolist()), np.arange(len(names)))


@dataclass(frozen=True, eq=False)
class Gallery:
    """Gallery and probes of one model.

    Attributes:
        entries: of the gallery.
        probes: searched for in it.
        draw: that they were drawn by; None of two sets.
    """

    entries: Side
    probes: Side
    draw: GalleryDraw | None = None

    @property
    def names(self) -> NDArray[np.object_]:
        """Names of all identities; numbers of searches are places among them."""
        return np.unique(np.concatenate([self.entries.names, self.probes.names]))

    def search(
        self, *, pool: bool = False, unit: bool = True, step: Step | None = None
    ) -> Searches:
        """Search the gallery for every probe, exactly.

        Args:
            pool: whether an identity of the gallery has one vector, the mean of its own.
            unit: whether that mean is of unit length.
            step: called with probes done and in all.

        Raises:
            RunError: no gallery, or no probes.
            EmbeddingError, ScoresError, IndexesError: see `Side.pooled`, `Searches`,
                `search_gallery`.
        """
        for side, what in ((self.entries, "the gallery"), (self.probes, "probes")):
            if not len(side.rows):
                raise RunError(f"{what} without a face: there is nothing to search")
        names = self.names
        entries = self.entries.pooled(unit=unit) if pool else self.entries
        groups = np.searchsorted(names, entries.names)
        own = np.searchsorted(names, self.probes.names)
        found = search_gallery(
            entries.vectors,
            self.probes.vectors,
            groups,
            own,
            gallery_rows=entries.rows,
            probe_rows=self.probes.rows,
            progress=step,
        )
        outscored = found.mate_above + found.mate_tied
        precisions = average_precisions(found.mate_probes, found.mate_scores, outscored, len(own))
        return Searches(
            own,
            found.other_groups,
            np.isin(own, groups),
            found.groups_above,
            found.groups_tied,
            found.own_scores,
            found.other_scores,
            precisions,
            len(np.unique(groups)),
            len(names),
        )


def identify(
    gallery: Embeddings | ArrayLike,
    identities: ArrayLike | None = None,
    *,
    probes: Embeddings | ArrayLike | None = None,
    probe_identities: ArrayLike | None = None,
    metric: Similarity = "cosine",
    gallery_size: int = 1,
    pool: bool = False,
    held_out: float = HELD_OUT,
    seed: int = 0,
    targets: IdentificationTargets = IdentificationTargets(),
    intervals: IntervalOptions = IntervalOptions(),
) -> Identification:
    """Search a gallery for probes, 1:N, and rate it: CMC, mAP, FNIR and FPIR, with intervals.

    Args:
        gallery: embeddings, or vectors `[N, D]`; without `probes`, of what both are drawn from.
        identities: `[N]` who each shows, of vectors alone.
        probes: embeddings or vectors `[P, D]` of the probes, all of which are searched for.
        probe_identities: `[P]`, of vectors alone.
        metric: `cosine` brings vectors to unit length, `inner_product` takes them as they are;
            embeddings say themselves by which they are compared.
        gallery_size, held_out, seed: see `pairsets.gallery_draw.draw_gallery`; not with `probes`.
        pool: whether an identity of the gallery has one vector, the mean of its own.
        targets: operating points of the open set.
        intervals: draws and seed of the bootstrap.

    Raises:
        RunError: vectors without identities, or embeddings of two models.
        SampleError: as `draw_gallery`.
        ScoresError: no probe whose identity is in the gallery, or an FPIR that cannot be told.
        IndexesError: vectors that are not finite, or of another shape.

    >>> rows = np.random.default_rng(0).normal(size=(6, 8))
    >>> found = identify(np.repeat(rows, 2, axis=0), np.repeat(list("abcdef"), 2), held_out=0)
    >>> found.rate("rank-1").value
    1.0
    """
    first, unit = _side(gallery, identities, metric, "gallery")
    if probes is None:
        paths = gallery.faces.paths if isinstance(gallery, Embeddings) else None
        found = draw_from(first, paths, gallery_size=gallery_size, held_out=held_out, seed=seed)
    else:
        second, _ = _side(probes, probe_identities, metric, "probes")
        if isinstance(gallery, Embeddings) and isinstance(probes, Embeddings):
            refuse_other_model(gallery, probes)
        found = Gallery(first, second)
    return rate_identification(found.search(pool=pool, unit=unit), targets, intervals)


def draw_from(
    side: Side,
    paths: Sequence[str] | None,
    *,
    gallery_size: int = 1,
    held_out: float = HELD_OUT,
    seed: int = 0,
) -> Gallery:
    """Gallery and probes drawn from all rows of one side."""
    draw = draw_gallery(side.names, paths, gallery_size=gallery_size, held_out=held_out, seed=seed)
    entries, probes = (
        Side(side.vectors, side.names[rows], side.rows[rows])
        for rows in (draw.gallery, draw.probes)
    )
    return Gallery(entries, probes, draw)


def _side(
    given: Embeddings | ArrayLike, identities: ArrayLike | None, metric: Similarity, what: str
) -> tuple[Side, bool]:
    """A side of all rows, and whether its vectors are compared by cosine."""
    if isinstance(given, Embeddings):
        return Side.of(given.vectors, given.faces.identities), given.similarity == "cosine"
    vectors = as_vectors(given, f"vectors of the {what}")
    names = np.asarray(identities if identities is not None else [])
    if names.shape != (len(vectors),):
        raise RunError(
            f"{what}: identities of shape {names.shape} for {len(vectors):,} vectors; expected "
            "who each shows"
        )
    if metric not in get_args(Similarity):
        raise RunError(f"a metric of {metric!r}; expected {' or '.join(get_args(Similarity))}")
    if metric == "cosine":
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        if not lengths.all():
            raise RunError(f"{what}: vector {int(lengths.argmin())} is nought, and has no cosine")
        vectors = np.asarray(vectors / lengths[:, None], np.float32)
    return Side.of(vectors, strings(map(str, names.tolist()))), metric == "cosine"
