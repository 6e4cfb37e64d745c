"""Judge of two pictures: how they lie over each other, and how well they agree there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mining.suspects.pictures.alignment import ways
from mining.suspects.pictures.caches import PictureCache
from mining.suspects.pictures.words import told

if TYPE_CHECKING:  # processes that compare need no tables
    from pairsets.pairset import PairKey

# Score from which no further way to lie is looked for: the two are one picture.
SURE = 0.62
# Of the picture that shows less, what the other must show too, so that they may be one.
LEAST_SHOWN = 0.25


@dataclass(frozen=True)
class Comparison:
    """Comparison of two pictures that are laid over each other as well as they can be.

    Attributes:
        score: agreement at the worst spot, 0 to 1, of what shows a good part of the one; nan where
            a picture cannot be read.
        agreement: share of textured places that agree, of the way that has most.
        shared: of the picture that shows less, what the other shows too, in that way.
        common: score of a part however small.
        why: how the two differ, in words.
    """

    score: float = 0.0
    agreement: float = 0.0
    shared: float = 0.0
    common: float = 0.0
    why: str = ""


# A comparison of what cannot be read.
UNREAD = Comparison(np.nan)


def compared(key: PairKey, pictures: PictureCache, *, copies_only: bool = False) -> Comparison:
    """Comparison of two pictures.

    Args:
        key: their paths.
        pictures: what reads them.
        copies_only: no further than it takes to see that they are no copies; then the agreement
            is 0.
    """
    # Needs OpenCV, of which it was asked before whether it is there.
    from mining.suspects.pictures.overlay import laid_over

    a, b = map(pictures.picture, key)
    if a is None or b is None:
        return UNREAD
    # Of one colour, too: a blank file twice is one picture twice.
    if a.digest == b.digest:
        return Comparison(1.0, 1.0, 1.0, 1.0, "pixel by pixel")
    best = Comparison()
    for way in ways(a, b):
        pixels_a, pixels_b = map(pictures.pixels, key, (a, b))
        if pixels_a is None or pixels_b is None:  # gone since
            return UNREAD
        overlay = laid_over(a, b, pixels_a, pixels_b, way, copies_only=copies_only)
        if overlay is None:
            continue
        shared = max(overlay.shares)
        score = overlay.score if overlay.is_alike and shared >= LEAST_SHOWN else 0.0
        if (score, overlay.agreement) > (best.score, best.agreement):
            why = told(a, b, way, overlay)
            best = Comparison(score, overlay.agreement, shared, overlay.score, why)
        if score >= SURE:
            break
    return best
