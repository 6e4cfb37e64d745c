"""Two pictures laid over each other, compared place by place.

Copies agree everywhere, whatever was done to size, frame and colours; redraws, twins and other
expressions agree in places. So what counts is the *worst* spot of what both show: about each place
the edges (gradients of all colours, which survive a change of colours) are correlated, and the
luminance too; the better of the two counts. Single places go wrong in clean copies; a few that
hang together are an earring, a mouth, an eye.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mining.suspects.pictures.alignment import Affine, Way
from mining.suspects.pictures.exposures import exposure_between
from mining.suspects.pictures.features import SIDE, Bytes, Picture
from mining.suspects.pictures.turned_frames import content
from pairsets.arrays import Mask

# Pixels on a side of what is correlated about a place, and textured places (one for 2 x 2 pixels)
# that hang together, of which the worst spot has as many. Both are small, as another mouth is;
# chosen on drawn faces of both halves of benchmarks/suspect_pictures.py, and on one of real ones.
WINDOW, SPOT = 7, 6
# Correlation from which a place agrees.
AGREES = 0.7
# Root of the variance of gradients (levels a pixel) from which a place counts as textured.
TEXTURE = 4.0
# What is added to variances, because JPEG does: of gradients, and of luminance.
NOISE, NOISE_LUMINANCE = 2.0, 25.0
# Of the picture that shows less, what the other must show too, to be compared.
LEAST_OVERLAP = 0.06
# Textured places that tell anything, and what share of places they must be.
LEAST_PLACES, LEAST_TEXTURED = 120, 0.04
# Correlation of all edges, as the matches alone lay them. Copies have 0.88 and more; of other pairs
# that come so far 99 % of real faces have less than 0.65, and 90 % of drawn ones less than 0.77.
LEAST_LIKENESS = 0.7
# The same of half the size, before anything else is done: copies have 0.73 and more, 99 % of real
# faces of different identities that come so far less than 0.53.
LEAST_AT_A_GLANCE = 0.6
# Both, from which two may be copies.
COPIES_LIKENESS, COPIES_AT_A_GLANCE = 0.85, 0.68
# Of `SIDE`, by how far the finer step may move what the matches said.
_MOVED = 0.12

Map = NDArray[np.float32]


@dataclass(frozen=True)
class Overlay:
    """Agreement of two pictures that are laid over each other.

    Attributes:
        score: correlation at the worst spot, 0 to 1; 0 where too little is textured.
        is_alike: whether the two are so alike as a whole that they may be copies.
        agreement: share of textured places that agree.
        scale: by how much larger the second shows it, in pixels of the two images.
        squeeze: by how much wider for its height.
        shares: of each picture, what the other shows too.
        colours: mean difference of their colours there, in levels.
        brighter: mean by which the second is brighter there, in levels.
        greys: whether each is without colours there.
        turn: by how much the second is turned, in degrees.
    """

    score: float
    is_alike: bool
    agreement: float
    scale: float
    squeeze: float
    shares: tuple[float, float]
    colours: float
    brighter: float
    greys: tuple[bool, bool]
    turn: float


def laid_over(
    a: Picture,
    b: Picture,
    pixels_a: Bytes,
    pixels_b: Bytes,
    way: Way,
    *,
    copies_only: bool = False,
) -> Overlay | None:
    """Compare the pixels of two pictures, one lying over the other in a given way.

    None where they share too little, or are not alike as a whole: as copies are, if only these are
    looked for.
    """
    if way.mirrored:
        pixels_b = np.ascontiguousarray(pixels_b[:, ::-1])
    # The one that shows more detail is brought to the other, so that nothing is made up.
    if size_of(way.affine) >= 1:
        return _compared(a, b, pixels_a, pixels_b, way.affine, copies_only)
    other = _compared(b, a, pixels_b, pixels_a, _inverse(way.affine), copies_only)
    return other and Overlay(
        other.score,
        other.is_alike,
        other.agreement,
        1 / other.scale,
        1 / other.squeeze,
        (other.shares[1], other.shares[0]),
        other.colours,
        -other.brighter,
        (other.greys[1], other.greys[0]),
        -other.turn,
    )


def size_of(affine: Affine) -> float:
    """Factor by which the second picture shows larger what the first does."""
    return float(np.sqrt(abs(np.linalg.det(affine[:, :2]))))


def _inverse(affine: Affine) -> Affine:
    return np.asarray(np.linalg.inv(np.vstack([affine, [0, 0, 1]]))[:2])


def _compared(
    a: Picture, b: Picture, under: Bytes, over: Bytes, affine: Affine, copies_only: bool
) -> Overlay | None:
    """Compare two pictures, of which the second is the finer one, place by place."""
    glance = _likeness_at_a_glance(under, over, affine)
    if glance < (COPIES_AT_A_GLANCE if copies_only else LEAST_AT_A_GLANCE):
        return None
    greys = [float(_spans(x.reshape(-1, 3)).mean()) < 3 for x in (under, over)]
    size = size_of(affine)
    turn = _turn(affine)
    contents = content(under, -turn), content(over, turn)
    # What was blown up from few pixels is soft: then both are to be.
    blur = max(1.0, 0.6 * a.share, 0.6 * b.share / size)
    blurs = blur, blur * size
    seen_as = _blurred(under, blurs[0]), _blurred(over, blurs[1])
    soft = seen_as
    if greys[0] != greys[1]:
        under, over = _grey(under), _grey(over)
        soft = _blurred(under, blurs[0]), _blurred(over, blurs[1])
    there, inside = _brought(soft[1], affine, contents)
    exposure = exposure_between(soft[0], there, inside > 0)
    # Light is lost before anything is blurred.
    if exposure is None:
        under, over = soft
    elif exposure.of_second:
        under, over = soft[0], _blurred(exposure.of(over), blurs[1])
    else:
        under, over = _blurred(exposure.of(under), blurs[0]), soft[1]
    edges = _edges(under), _edges(over)
    likeness = _likeness(*edges, affine, contents)
    if likeness < (COPIES_LIKENESS if copies_only else LEAST_LIKENESS):
        return None
    affine = _refined(*edges, affine, contents)
    # A turn by little shows only now.
    contents = content(under, -_turn(affine)), content(over, _turn(affine))
    size = size_of(affine)
    there, inside = _brought(over, affine, contents)
    common = int(inside.sum())
    shares = (
        common / max(1, int(contents[0].sum())),
        common * size**2 / max(1, int(contents[1].sum())),
    )
    if max(shares) < LEAST_OVERLAP:
        return None
    # At its rim a picture was blurred with what is not there.
    inside[[0, 1, -2, -1]] = 0
    inside[:, [0, 1, -2, -1]] = 0
    inside = np.asarray(cv2.erode(inside, np.ones((5, 5), np.uint8), borderValue=0))
    seen = inside > 0
    if int(seen.sum()) < LEAST_PLACES:
        return None
    score, agreement = _compared_places(under, there, edges[0], inside)
    here, other = seen_as[0], _brought(seen_as[1], affine, contents)[0]
    changes = other[seen].astype(np.int16) - here[seen]
    return Overlay(
        score=score,
        is_alike=min(glance - COPIES_AT_A_GLANCE, likeness - COPIES_LIKENESS) >= 0,
        agreement=agreement,
        scale=size * a.share / b.share,
        squeeze=float(np.divide(*np.maximum(np.hypot(*affine[:, :2]), 1e-6))),
        shares=(min(1.0, shares[0]), min(1.0, shares[1])),
        colours=float(np.abs(changes).mean()),
        brighter=float(changes.mean()),
        greys=(greys[0], greys[1]),
        turn=float(np.degrees(_turn(affine))),
    )


def _turn(affine: Affine) -> float:
    """Angle by which an affine map turns, from x towards y, in radians."""
    return float(np.arctan2(affine[1, 0] - affine[0, 1], affine[0, 0] + affine[1, 1]))


def _grey(pixels: Bytes) -> Bytes:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB))


def _blurred(pixels: Bytes, blur: float) -> Bytes:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur))


def _spans(colours: Bytes) -> Bytes:
    """`[N]`: the difference between the largest and the least of the three colours of a pixel."""
    red, green, blue = colours.T
    largest = np.maximum(np.maximum(red, green), blue)
    return np.asarray(largest - np.minimum(np.minimum(red, green), blue))


def _brought(
    over: NDArray[Any], affine: Affine, contents: tuple[Mask, Mask]
) -> tuple[NDArray[Any], Bytes]:
    """The finer picture as it lies over the coarser one, and where both show something (1)."""
    height, width = contents[0].shape
    size = width, height
    there = cv2.warpAffine(
        over,
        affine,
        size,
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = cv2.warpAffine(
        contents[1].astype(np.uint8),
        affine,
        size,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    shown = (np.asarray(inside) > 0) & contents[0]
    return np.asarray(there), shown.astype(np.uint8)


def _likeness_at_a_glance(under: Bytes, over: Bytes, affine: Affine) -> float:
    """Correlation of the edges of two pictures of half the size: most others end here."""
    edges = []
    for pixels in (under, over):
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        across, down = cv2.spatialGradient(cv2.GaussianBlur(small, (3, 3), 0.8))
        edges.append(cv2.magnitude(across.astype(np.float32), down.astype(np.float32)))
    halved = affine * [1, 1, 0.5]
    whole = np.ones(edges[0].shape, np.bool_), np.ones(edges[1].shape, np.bool_)
    there, inside = _brought(edges[1], halved, whole)
    return _correlation(np.asarray(edges[0]), there, inside > 0)


def _correlation(here: Map, there: Map, seen: Mask) -> float:
    """Correlation of two maps in some places; 0 where these are too few."""
    if seen.sum() < LEAST_PLACES / 4:
        return 0.0
    first, second = here[seen] - here[seen].mean(), there[seen] - there[seen].mean()
    norms = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / norms if norms > 0 else 0.0


def _likeness(under: Map, over: Map, affine: Affine, contents: tuple[Mask, Mask]) -> float:
    """Correlation of the edges of two pictures as they lie, softened lest a pixel matter."""
    softened = np.asarray(cv2.GaussianBlur(over, (0, 0), size_of(affine)))
    there, inside = _brought(softened, affine, contents)
    edges = np.asarray(cv2.GaussianBlur(under, (0, 0), 1.0), np.float32)
    return _correlation(edges, there, inside > 0)


def _refined(under: Map, over: Map, affine: Affine, contents: tuple[Mask, Mask]) -> Affine:
    """The affine map near to the given one under which edges correlate best.

    Evangelidis and Psarakis, 2008. Where it strays or finds none the given one stays.
    """
    edges = [np.minimum(4 * x, 255).astype(np.uint8) for x in (under, over)]
    # The edge of a corner is none of the picture.
    for one, shown in zip(edges, contents, strict=True):
        one[~shown] = 0
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    start = affine.astype(np.float32)
    try:
        _, found = cv2.findTransformECC(*edges, start, cv2.MOTION_AFFINE, until, None, 3)  # type: ignore[call-overload]
    except cv2.error:  # nothing in common, or it does not converge
        return affine
    finer = np.asarray(found, np.float64)
    height, width = under.shape[:2]
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], np.float64)
    moved = np.abs((finer - affine) @ corners).max()
    return finer if moved < _MOVED * SIDE * size_of(affine) else affine


def _edges(pixels: Bytes) -> Map:
    """Length of the gradient over all three colours, levels a pixel."""
    across = cv2.Sobel(pixels, cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(pixels, cv2.CV_32F, 0, 1, ksize=3)
    squares = cv2.add(cv2.multiply(across, across), cv2.multiply(down, down))
    lengths = cv2.sqrt(cv2.transform(squares, np.full((1, 3), 1 / 64, np.float32)))
    return np.asarray(lengths, np.float32)


def _compared_places(under: Bytes, over: Bytes, lengths: Map, inside: Bytes) -> tuple[float, float]:
    """Correlation of two pictures where they agree least, 0 to 1, and share of what agrees."""
    weight = inside.astype(np.float32)
    seen = inside > 0
    edges = [lengths, _edges(over)]
    # Of one contrast, lest the fainter one drown in `NOISE`.
    strengths = [max(float(np.sqrt((x[seen] ** 2).mean())), 1e-3) for x in edges]
    middle = np.sqrt(strengths[0] * strengths[1])
    first, second = (x * np.float32(middle / s) for x, s in zip(edges, strengths, strict=True))
    agree, texture = _correlated(first, second, weight, NOISE)
    grey = [np.asarray(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), np.float32) for x in (under, over)]
    agree = np.maximum(agree, _correlated(grey[0], grey[1], weight, NOISE_LUMINANCE)[0])
    # Enough of the window lies within both.
    whole = np.asarray(cv2.boxFilter(weight, -1, (WINDOW, WINDOW))) > 0.6
    counted = seen & whole
    counted[::2] = False
    counted[:, ::2] = False
    of = int(counted.sum())
    counted &= texture > TEXTURE
    count = int(counted.sum())
    if count < max(LEAST_PLACES, LEAST_TEXTURED * of):
        return 0.0, 0.0
    # One place for 2 x 2 pixels; others are above any correlation.
    grid = np.where(counted, agree, np.float32(2))[1::2, 1::2]
    values = np.sort(agree[counted])
    # The lowest value up to which places hang together: more of them do, the higher it is.
    low, high = SPOT - 1, len(values) - 1
    while low < high:
        middle_rank = (low + high) // 2
        if _largest_spot(grid <= values[middle_rank]) >= SPOT:
            high = middle_rank
        else:
            low = middle_rank + 1
    return float(np.clip(values[low], 0, 1)), float((values >= AGREES).mean())


def _largest_spot(places: Mask) -> int:
    """Number of places that hang together, in the largest group of them."""
    count, _, numbers, _ = cv2.connectedComponentsWithStats(places.astype(np.uint8), connectivity=8)
    return int(np.asarray(numbers)[1:, cv2.CC_STAT_AREA].max()) if count > 1 else 0


def _correlated(first: Map, second: Map, weight: Map, noise: float) -> tuple[Map, Map]:
    """Correlation of two maps around each place, and the larger of their deviations there."""

    def total(values: Map) -> Map:
        window = (WINDOW, WINDOW)
        return np.asarray(cv2.boxFilter(values * weight, -1, window, normalize=False), np.float32)

    def mean(values: Map) -> Map:
        return np.asarray(total(values) / count, np.float32)

    count = np.maximum(total(np.ones_like(weight)), np.float32(1))
    here, there = mean(first), mean(second)
    variances = [
        np.maximum(mean(x * x) - m * m, np.float32(0)) for x, m in ((first, here), (second, there))
    ]
    together = mean(first * second) - here * there
    deviations = np.sqrt((variances[0] + noise) * (variances[1] + noise))
    return np.asarray(together / deviations, np.float32), np.sqrt(np.maximum(*variances))
