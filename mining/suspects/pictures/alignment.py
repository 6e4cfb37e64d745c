"""Alignment of two pictures, from spots that match to the same place in both.

A way to lie is an affine matrix `[2, 3]` that takes a place of the first picture to one of the
second, in the pixels that are compared (`features.SIDE`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mining.suspects.pictures.features import Bytes, Floats, Picture, mirrored_words
from mining.suspects.pictures.single_thread import product
from pairsets.arrays import Rows

# How alike two spots must look to be matched (cosine), and how many matches are looked at.
ALIKE, MATCHES = 0.88, 48
# Pixels by which a match may miss.
MISS = 3.0
# Matches that must agree. Copies have 9 and more (median 45), of real faces of different
# identities that a model takes for one 91 % have fewer.
LEAST_MATCHES = 5
# Scales between two pictures, either way, and between their two axes.
LARGEST_SCALE, LARGEST_SQUEEZE = 2.4, 2.0
# Bits of 64 by which perceptual hashes of copies may differ: then the whole of one picture is laid
# over the whole of the other, too.
HASH_BITS = 10
# Half the logarithm of two sizes may miss by so much: spots' scales are coarse.
_OCTAVES = 0.7
# Spots closer together than this along an axis say nothing of its scale.
_CLOSE = 8.0

Affine = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Way:
    """Way in which the second picture may lie over the first, mirrored or not."""

    affine: Affine
    mirrored: bool


def ways(a: Picture, b: Picture) -> Iterator[Way]:
    """The ways in which `b` may show what `a` shows; none for most pairs."""
    for mirrored in (False, True):
        words, spots = b.words, b.spots
        if mirrored:
            words = mirrored_words(words)
            spots = np.stack([b.shape[1] - 1 - spots[:, 0], spots[:, 1]], axis=1)
        rows, columns = _matches(a.words, words)
        larger = b.scales[columns] / a.scales[rows]
        affine = _agreed(a.spots[rows], spots[columns], larger)
        if affine is not None:
            yield Way(affine, mirrored)
        if (a.hashes[mirrored] ^ b.hashes[0]).bit_count() <= HASH_BITS:
            yield Way(_whole(a, b), mirrored)


def _whole(a: Picture, b: Picture) -> Affine:
    """The whole of the first picture over the whole of the second."""
    affine = np.zeros((2, 3))
    for axis in range(2):
        affine[axis, axis] = scale = b.shape[1 - axis] / a.shape[1 - axis]
        affine[axis, 2] = (scale - 1) / 2  # pixels are counted from their middle
    return affine


def _matches(first: Bytes, second: Bytes) -> tuple[Rows, Rows]:
    """Rows of words that are each other's best, the best `MATCHES` of them."""
    if min(len(first), len(second)) < LEAST_MATCHES:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # Sums of whole numbers below 2^24: exact, whatever the order.
    ours, theirs = first.astype(np.float32), second.astype(np.float32)
    alike = product(ours, np.ascontiguousarray(theirs.T))
    alike /= np.sqrt((ours * ours).sum(axis=1))[:, None] + 1e-6
    alike /= np.sqrt((theirs * theirs).sum(axis=1)) + 1e-6
    best = alike.argmax(axis=1)
    rows = np.flatnonzero(alike.argmax(axis=0)[best] == np.arange(len(best)))
    values = alike[rows, best[rows]]
    rows, values = rows[values >= ALIKE], values[values >= ALIKE]
    rows = rows[np.argsort(-values, kind="stable")[:MATCHES]]
    return rows, best[rows]


def _agreed(p: Floats, q: Floats, larger: Floats) -> Affine | None:
    """The squeeze and shift `q = s p + t` of most matches; None if too few agree on any.

    Every two matches propose one, all matches vote: exhaustive where RANSAC draws lots.

    Args:
        p, q: `[N, 2]`, the places that match.
        larger: `[N]`, by how much the second spot is larger.
    """
    i, j = np.triu_indices(len(p), 1)
    apart, there = p[i] - p[j], q[i] - q[j]
    wide = (np.abs(apart) > _CLOSE).all(axis=1)
    i, s = i[wide], there[wide] / apart[wide]
    sound = (s > 1 / LARGEST_SCALE).all(axis=1) & (s < LARGEST_SCALE).all(axis=1)
    i, s = i[sound], s[sound]
    squeeze = s[:, 0] / s[:, 1]
    sound = (squeeze < LARGEST_SQUEEZE) & (squeeze > 1 / LARGEST_SQUEEZE)
    i, s = i[sound], s[sound]
    if not len(i):
        return None
    t = q[i] - s * p[i]
    mean = np.sqrt(s.prod(axis=1))[:, None]
    off = [np.abs(np.multiply.outer(s[:, x], p[:, x]) + t[:, x, None] - q[:, x]) for x in (0, 1)]
    agree = np.maximum(*off) < MISS * np.maximum(1, mean)
    agree &= np.abs(np.log2(larger / mean)) < _OCTAVES
    votes = agree.sum(axis=1)
    most = int(votes.argmax())
    kept = agree[most]
    # Places, not matches: several spots at one place are one witness.
    places = {(round(x / 4), round(y / 4)) for x, y in p[kept].tolist()}
    if len(places) < LEAST_MATCHES:
        return None
    affine = np.zeros((2, 3))
    for axis in range(2):
        here, there = p[kept, axis].astype(np.float64), q[kept, axis].astype(np.float64)
        centred = here - here.mean()
        slope = float(centred @ there / (centred @ centred))
        affine[axis, axis], affine[axis, 2] = slope, there.mean() - slope * here.mean()
    return affine
