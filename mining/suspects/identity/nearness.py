"""Nearness of two identities' pictures: whether one model takes them for one identity.

Two things are asked, in units of the spread of the scores of all pairs of one identity:

- *as near as their own*: the median score of their pairs, less the mean of either one's own pairs.
  Of one identity under two names it is about nought, of two it is below;
- *nearer than all others*: for the median face of either, how much nearer it is to the other
  identity than to the nearest of all the rest. This tells a pair apart whose own pictures are not
  alike, to whom everybody is near.

Both are held below a limit, so that a great deal of one does not make up for want of the other.
What is asked falls with the number of pictures: of two, `own` is one score, and much of it chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mining.suspects.identity.identities import Identities
from pairsets.arrays import Floats, Rows

NEAR = 0.55
"""The strength from which on two identities are one, if their names say nothing.

Set on identities split into two names of 2 + 2 to 8 + 8 pictures (drawn faces, and half of a set of
game icons; pixels and an ImageNet network), against each identity's three nearest others: about
one of 1,000 such neighbours was to be above it under the network, look-alikes that were drawn to
differ in one trait left aside. `benchmarks/suspect_identities.py` measures 2.4 of 1,000 on the
other half of the icons (43 of 17,737, which are 8 different pairs), and 0.7 on drawn faces that
were split otherwise (12 of 16,552).
"""
# Limits of what counts of either.
_MOST_OWN, _MOST_LEAD = 0.25, 1.0
# Of identities that were split, what is asked first varies by about half the sum of the inverse
# numbers of pictures, under each of those models alike. Twins are nearer to each other than to all
# others, but are further than this below nought when there are pictures enough.
_BELOW = 0.4
FACES = 16
"""Of one identity no more faces are looked at, spread evenly.

With twice as many no flag changed of 86,000 pairs of identities that were split, and decoys.
"""
# A cosine from here on is that of a copy: the ImageNet network used for calibration scores no two
# pictures so that are not, and copies that were resized or cropped less.
_COPY = 0.97
# Pictures cease to bring certainty here: eight of either.
_LEAST_CHANCE = 0.5


@dataclass(frozen=True)
class Nearness:
    """Nearness of two identities to each other under one model.

    Attributes:
        strength: higher is more likely one identity; nan where the model cannot tell.
        cross: median score of their pairs.
        own: mean of the mean scores of either one's own pairs.
        pairs: how many pairs of them `cross` was taken of.
    """

    strength: float
    cross: float
    own: float
    pairs: int


UNKNOWN = Nearness(np.nan, np.nan, np.nan, 0)


def nearness(identities: Identities, a: int, b: int) -> Nearness:
    """Nearness of identities a and b, by number; the same in either order."""
    a, b = min(a, b), max(a, b)
    spread = identities.positives.spread
    if not spread > 0:
        return UNKNOWN
    faces = identities.members(a, FACES), identities.members(b, FACES)
    scores = identities.cross(*faces)
    sizes = identities.sizes[[a, b]].astype(np.float64)
    lengths = identities.lengths[faces[0]][:, None] * identities.lengths[faces[1]]
    copies = scores >= _COPY * lengths
    # One picture under both names is a mistake that makes nobody one. Two are no accident.
    if min(copies.any(axis=0).sum(), copies.any(axis=1).sum()) == 1:
        keep = ~copies.any(axis=1), ~copies.any(axis=0)
        sizes -= [(~each).sum() for each in keep]
        faces = faces[0][keep[0]], faces[1][keep[1]]
        scores = scores[np.ix_(*keep)]
    # One score alone says no more than that two pictures are alike, or one.
    if scores.size < 2:
        return UNKNOWN
    # Of an identity with one face it is not known how alike its own are: as all are.
    owns = [
        identities.positives.mean if identities.sizes[code] == 1 else identities.own[code]
        for code in (a, b)
    ]
    own = (owns[0] + owns[1]) / 2
    cross = float(np.median(scores))
    ahead = (
        _lead(identities, faces[0], b, scores.mean(axis=1)),
        _lead(identities, faces[1], a, scores.mean(axis=0)),
    )
    inverse = float((1 / sizes).sum())
    as_own = (cross - own) / spread
    lead = (ahead[0] + ahead[1]) / 2 / spread
    strength = min(
        2 * min(as_own, _MOST_OWN) + min(lead, _MOST_LEAD) + 1 - max(inverse**0.5, _LEAST_CHANCE),
        NEAR + 2 * (as_own + _BELOW * inverse),
    )
    return Nearness(round(strength, 6), cross, own, scores.size)


def _lead(identities: Identities, rows: Rows, other: int, near: Floats) -> float:
    """Lead of `other` over the nearest of the rest, for the median face."""
    nearest, best, after = identities.rivals(rows)
    ahead = near - np.where(nearest == other, after, best)
    # Of two identities in all there is no rest.
    return float(np.median(np.where(np.isfinite(ahead), ahead, 0)))
