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
from pairsets.arrays import Mask, Rows

# How alike two spots must look to be matched (cosine), and how many matches are looked at.
ALIKE, MATCHES = 0.88, 48
# Matches, of the best, of which every two propose how one picture lies over the other.
PROPOSERS = 28
# Pixels by which a match may miss.
MISS = 3.0
# Places that must agree. Of 464 planted copies all have as many, and all but one 8 and more; of
# real faces of different identities that a model takes for one half have fewer.
LEAST_MATCHES = 5
# Scales between two pictures, either way, and between their two axes.
LARGEST_SCALE, LARGEST_SQUEEZE = 2.4, 2.0
# Radians by which one may be turned.
LARGEST_TURN = 0.22
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
            whole = _whole(a, b)
            if affine is None or _apart(affine, whole, a.shape) > MISS:
                yield Way(whole, mirrored)


def _whole(a: Picture, b: Picture) -> Affine:
    """The whole of the first picture over the whole of the second."""
    affine = np.zeros((2, 3))
    for axis in range(2):
        affine[axis, axis] = scale = b.shape[1 - axis] / a.shape[1 - axis]
        affine[axis, 2] = (scale - 1) / 2  # pixels are counted from their middle
    return affine


def _apart(first: Affine, second: Affine, shape: tuple[int, int]) -> float:
    """Pixels by which two maps take a corner of a picture to other places, at most."""
    height, width = shape
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
    return float(np.abs((first - second) @ corners).max())


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
    """The squeeze, or the turn, and the shift of most matches; None if too few agree on any.

    Every two matches propose one of each, all matches vote: exhaustive where RANSAC draws lots.

    Args:
        p, q: `[N, 2]`, the places that match.
        larger: `[N]`, by how much the second spot is larger.
    """
    best: tuple[int, Affine] | None = None
    if len(p) < LEAST_MATCHES:
        return None
    for proposed, fitted in ((_squeezes, _squeeze_of), (_turns, _turn_of)):
        agree = proposed(p, q, larger)
        if not len(agree):
            continue
        kept = agree[int(agree.sum(axis=1).argmax())]
        # Places, not matches: several spots at one place are one witness.
        places = {(round(x / 4), round(y / 4)) for x, y in p[kept].tolist()}
        if len(places) >= LEAST_MATCHES and (best is None or len(places) > best[0]):
            best = len(places), fitted(p[kept].astype(np.float64), q[kept].astype(np.float64))
    return None if best is None else best[1]


def _squeezes(p: Floats, q: Floats, larger: Floats) -> Mask:
    """`[M, N]`: which matches agree with each `q = s p + t` that two of them propose."""
    i, j = np.triu_indices(min(len(p), PROPOSERS), 1)
    apart, there = p[i] - p[j], q[i] - q[j]
    wide = (np.abs(apart) > _CLOSE).all(axis=1)
    i, s = i[wide], there[wide] / apart[wide]
    sound = (s > 1 / LARGEST_SCALE).all(axis=1) & (s < LARGEST_SCALE).all(axis=1)
    i, s = i[sound], s[sound]
    squeeze = s[:, 0] / s[:, 1]
    sound = (squeeze < LARGEST_SQUEEZE) & (squeeze > 1 / LARGEST_SQUEEZE)
    i, s = i[sound], s[sound]
    t = q[i] - s * p[i]
    mean = np.sqrt(s.prod(axis=1))[:, None]
    off = [np.abs(np.multiply.outer(s[:, x], p[:, x]) + t[:, x, None] - q[:, x]) for x in (0, 1)]
    agree = np.maximum(*off) < MISS * np.maximum(1, mean)
    return np.asarray(agree & (np.abs(np.log2(larger / mean)) < _OCTAVES))


def _turns(p: Floats, q: Floats, larger: Floats) -> Mask:
    """`[M, N]`: which matches agree with each turn, scale and shift that two of them propose."""
    here, there = (one[:, 0] + 1j * one[:, 1] for one in (p, q))
    i, j = np.triu_indices(min(len(p), PROPOSERS), 1)
    apart = here[i] - here[j]
    wide = np.abs(apart) > _CLOSE
    i, turn = i[wide], (there[i] - there[j])[wide] / apart[wide]
    scale = np.abs(turn)
    sound = (scale > 1 / LARGEST_SCALE) & (scale < LARGEST_SCALE)
    sound &= np.abs(np.angle(turn)) < LARGEST_TURN
    i, turn, scale = i[sound], turn[sound], scale[sound, None]
    off = np.abs((here - here[i, None]) * turn[:, None] + there[i, None] - there)
    agree = off < MISS * np.maximum(1, scale)
    return np.asarray(agree & (np.abs(np.log2(larger / scale)) < _OCTAVES))


def _squeeze_of(p: Affine, q: Affine) -> Affine:
    """The squeeze and shift that take places nearest to others."""
    affine = np.zeros((2, 3))
    for axis in range(2):
        here, there = p[:, axis], q[:, axis]
        centred = here - here.mean()
        slope = float(centred @ there / (centred @ centred))
        affine[axis, axis], affine[axis, 2] = slope, there.mean() - slope * here.mean()
    return affine


def _turn_of(p: Affine, q: Affine) -> Affine:
    """The turn, scale and shift that take places nearest to others."""
    here, there = (one[:, 0] + 1j * one[:, 1] for one in (p, q))
    centred = here - here.mean()
    turn = complex(np.vdot(centred, there) / np.vdot(centred, centred))
    shift = complex(there.mean() - turn * here.mean())
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
