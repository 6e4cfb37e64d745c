"""Correlations of image regions with a score, found from outside the network (method `masks`).

Lu, Xu and Ebrahimi, "Towards Visual Saliency Explanations of Face Verification", WACV 2024 (arXiv
2305.08546), CorrRISE: one face is hidden in part by many random masks M_k, the other stays whole,
and the map of the masked face is, position by position, Pearson's correlation of the mask's value
and the score:

    S_a(p) = corr_k( M_k(p), s(M_k A, B) ).

Above 0, the score falls when the place is hidden: it makes the faces alike. Below 0, hiding it
makes them more alike. The masks are smooth, those of RISE (Petsiuk, Das and Saenko, BMVC 2018,
arXiv 1806.07421): a coarse grid of zeros and ones, as likely the one as the other, enlarged
bilinearly and shifted at random.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mining.errors import ModelError
from mining.models.base import Similarity
from mining.saliency.view import View
from pairsets.arrays import Floats, Mask
from pairsets.progress import Step

MASKS = 1000
CELLS = 7  # of the coarse grid, along each side; RISE's number
SIDE = 8 * CELLS  # of a map, at most: masks this smooth tell no more

Masks = Callable[[int, int], Floats]


def correlations(
    views: tuple[View, View],
    vectors: tuple[Floats, Floats],
    *,
    masks: int = MASKS,
    seed: int = 0,
    batch_size: int,
    progress: Step,
) -> tuple[Floats, Floats]:
    """Maps of both faces, float64 `[h, w]` of values from -1 to 1.

    What is hidden is replaced by the mean colour of its own face. Black, which RISE takes, would be
    a large dark thing that no face has; a blurred face would go on showing its colours.

    Args:
        views: the faces, as their model sees them.
        vectors: the model's of the whole faces, `[D]`.
        masks: how many, 2 or more; both faces get the same ones.
        seed: of the masks.
        batch_size: how many masked faces are encoded at once.
        progress: told how many of both faces' masks are done, and how many there are.
    """
    total = 2 * masks
    sums = [_Correlation(view) for view in views]
    done = 0
    progress(0, total)
    for batch in _batches(masks, seed, batch_size):
        for at, view in enumerate(views):
            height, width = view.pixels.shape[:2]
            fill = view.pixels.mean(axis=(0, 1))
            pictures = [_hide(view.pixels, mask(height, width), fill) for mask in batch]
            pictures += [pictures[-1]] * (batch_size - len(batch))  # a batch of one size always
            found = view.model.encode(view.stack(pictures))[: len(batch)]
            name = view.model.name
            sums[at].add(batch, _scores(found, vectors[1 - at], view.model.similarity, name))
            done += len(batch)
            progress(done, total)
    return sums[0].result(), sums[1].result()


def score_of(a: Floats, b: Floats, similarity: Similarity) -> float:
    """The score of two vectors."""
    product = float(a @ b)
    return product if similarity == "inner_product" else product / float(_norm(a) * _norm(b))


class _Correlation:
    """Pearson's correlation at each position of a map, summed up batch by batch."""

    def __init__(self, view: View) -> None:
        height, width = view.pixels.shape[:2]
        self._shape = min(SIDE, height), min(SIDE, width)
        self._scores: list[float] = []
        self._values: list[NDArray[np.float32]] = []

    def add(self, masks: list[Masks], scores: Floats) -> None:
        """Take note of masks and the scores under them."""
        self._values += [mask(*self._shape).astype(np.float32) for mask in masks]
        self._scores += scores.tolist()

    def result(self) -> Floats:
        """float64 `[h, w]`; 0 where the score, or the mask, never changes."""
        values = np.stack(self._values).astype(np.float64)
        scores = np.array(self._scores)
        values -= values.mean(axis=0)
        scores -= scores.mean()
        spread = np.sqrt((values**2).sum(axis=0) * (scores**2).sum())
        products = np.tensordot(scores, values, axes=1)
        # Scores that differ by the rounding of float32 alone are one score.
        if np.abs(scores).max() < 1e-6:
            return np.zeros(self._shape)
        found: Floats = np.divide(products, spread, out=np.zeros(self._shape), where=spread > 0)
        return found


def _batches(count: int, seed: int, size: int) -> Iterator[list[Masks]]:
    """The masks in batches: each is a function that draws it at a height and width."""
    generator = np.random.default_rng(seed)
    for start in range(0, count, size):
        yield [
            _mask(nodes=generator.random((CELLS + 2, CELLS + 2)) < 0.5, shift=generator.random(2))
            for _ in range(min(size, count - start))
        ]


def _mask(nodes: Mask, shift: Floats) -> Masks:
    def draw(height: int, width: int) -> Floats:
        rows = _interpolation(height, shift[0])
        return rows @ nodes @ _interpolation(width, shift[1]).T

    return draw


def _interpolation(length: int, shift: float) -> Floats:
    """`[length, nodes]`: weights of the two nodes that each pixel lies between."""
    at = (np.arange(length) + 0.5) / length * CELLS + shift
    low = np.floor(at).astype(int)
    weights = np.zeros((length, CELLS + 2))
    weights[np.arange(length), low] = 1 - (at - low)
    weights[np.arange(length), low + 1] = at - low
    return weights


def _hide(pixels: NDArray[np.uint8], mask: Floats, fill: Floats) -> NDArray[np.uint8]:
    """The picture where the mask is 1, the fill where it is 0."""
    return np.rint(fill + mask[:, :, None] * (pixels - fill)).astype(np.uint8)


def _scores(found: NDArray[np.float32], other: Floats, similarity: Similarity, name: str) -> Floats:
    """Scores of masked faces with a whole one; a vector of zeros is like nothing: 0."""
    wide = found.astype(np.float64)
    if not np.isfinite(wide).all():
        raise ModelError(
            f"{name}: the vector of a masked face is not finite; is it the weights, or bf16?"
        )
    scores = wide @ other
    if similarity == "inner_product":
        return scores
    norms = _norm(wide) * _norm(other)
    return np.divide(scores, norms, out=np.zeros_like(scores), where=norms > 0)


def _norm(vectors: Floats) -> Floats:
    norms: Floats = np.sqrt((vectors**2).sum(axis=-1))
    return norms
