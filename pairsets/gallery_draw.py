"""Gallery and probes drawn from one collection of faces, by identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsets.arrays import Mask, Rows
from pairsets.errors import SampleError

# Share of the identities that are in no gallery, so that there are rates of the open set.
HELD_OUT = 0.2


@dataclass(frozen=True)
class GalleryOptions:
    """Options of the gallery.

    Attributes:
        size: pictures of each identity, of a drawn gallery.
        held_out: share of the identities that are in no drawn gallery.
        seed: of the draw.
        pool: whether an identity has one vector, the mean of its pictures'.
    """

    size: int = 1
    held_out: float = HELD_OUT
    seed: int = 0
    pool: bool = False


@dataclass(frozen=True, eq=False)
class GalleryDraw:
    """Drawn gallery, and the probes that are searched for in it.

    Attributes:
        gallery, probes: rows of the faces, rising; together all of them.
        held_out: identities that are in no gallery.
        alone: identities of the gallery that have no further face, so that nobody looks for them.
        fewer: identities of the gallery with fewer faces there than asked for.
    """

    gallery: Rows
    probes: Rows
    held_out: int
    alone: int
    fewer: int


def draw_gallery(
    identities: ArrayLike,
    paths: Sequence[str] | None = None,
    *,
    gallery_size: int = 1,
    held_out: float = HELD_OUT,
    seed: int = 0,
) -> GalleryDraw:
    """Draw a gallery: some faces of each identity, but for those that are held out.

    All other faces are probes: mated ones, and, of identities held out, non-mated ones. An identity
    with too few faces keeps one as a probe; of one with a single face that face is in the gallery,
    where others may be taken for it. A larger gallery holds the faces of a smaller one with the
    same seed.

    Args:
        identities: `[N]` who each face shows.
        paths: `[N]` names by which faces are drawn, whatever their order; by row if None.
        gallery_size: faces of each identity in the gallery, where it has so many and one more.
        held_out: share of the identities that are held out, at least one of them unless 0.
        seed: of the draw.

    Raises:
        SampleError: a size below 1, no share, or no identity that would have both gallery and
            probes.

    >>> found = draw_gallery(["a", "a", "b", "b", "c"], held_out=0, seed=0)
    >>> found.gallery.tolist(), found.probes.tolist(), found.alone
    ([1, 2, 4], [0, 3], 1)
    """
    if gallery_size < 1:
        raise SampleError(f"a gallery of {gallery_size} faces an identity; expected 1 or more")
    if not 0 <= held_out < 1:
        raise SampleError(
            f"a share of {held_out} of the identities held out; expected 0 to below 1"
        )
    names, codes = np.unique(np.asarray(identities), return_inverse=True)
    if not codes.size:
        raise SampleError("no faces to draw a gallery from")
    rows = np.arange(codes.size)
    if paths is not None:
        rows = np.argsort(np.asarray(paths), kind="stable")
    rows = rows[np.argsort(codes[rows], kind="stable")]
    generator = np.random.default_rng(seed)
    out = _outside(generator, names.size, held_out)
    keys = generator.random(rows.size)
    order = np.lexsort((keys, codes[rows]))
    rows = rows[order]
    sizes = np.bincount(codes)
    kept = np.minimum(gallery_size, np.maximum(sizes - 1, 1))
    kept[out] = 0
    place = np.arange(rows.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    inside = place < kept[codes[rows]]
    mated = ~out & (sizes > kept)
    if not mated.any():
        raise SampleError(
            f"{codes.size:,} faces of {names.size:,} identities: none that is in the gallery has "
            "a second face to look for; expected an identity with two faces or more, not held out"
        )
    return GalleryDraw(
        np.sort(rows[inside]),
        np.sort(rows[~inside]),
        int(out.sum()),
        int((~out & (sizes == 1)).sum()),
        int((~out & (kept < gallery_size)).sum()),
    )


def _outside(generator: np.random.Generator, count: int, share: float) -> Mask:
    """Identities that are held out, drawn uniformly."""
    wanted = max(round(share * count), 1) if share else 0
    out = np.zeros(count, bool)
    out[generator.permutation(count)[:wanted]] = True
    return out
