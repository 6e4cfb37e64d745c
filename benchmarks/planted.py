"""Pair sets whose true error rates are known: characters of random difficulty, Gaussian scores.

The score of two different characters i and j is `(u_i + u_j) / sqrt 2`, where u is how easily a
character is taken for another, that of two faces of character c is `apart + v_c`; v tells how alike
its faces are, and goes along with u. Images have effects of their own, what is left is noise. Each
kind of score has the variance 1 in all, so that every rate of the *population* (other characters,
faces and pairs drawn in the same way) has a closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from pairsets.evaluation.clusters import By, Clusters

# Correlation of u and v, and of the scores of two models on the same pairs.
ALIKE, SHARED = 0.5, 0.7
# 400 characters of equal chance.
NORMAL_QUANTILES = ndtri((np.arange(400) + 0.5) / 400)
Floats = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """A way to draw pair sets.

    Attributes:
        what: in words.
        characters: how many there are; a pair set need not use them all.
        negatives, positives: pairs; positives go round the characters.
        apart: how far positives score above nought, where negatives of characters drawn equally
            often have their mean.
        by_character, by_image: shares of a score's variance.
        images: of each character.
        hubs: a character is drawn for negatives in proportion to `exp(hubs * min(z, 2.5))`, z
            being normal.
        harder: correlation of z with u: whether it is the difficult characters that are hubs.
    """

    what: str
    identities: int
    negatives: int
    positives: int
    apart: float
    by_identity: float = 0.6
    by_image: float = 0.0
    images: int = 1
    hubs: float = 0.0
    harder: float = 0.0

    def occurrence(self, z: Floats) -> Floats:
        """How often characters are drawn, as shares of all draws."""
        weights = np.exp(self.hubs * np.minimum(z, 2.5))
        return np.asarray(weights / weights.sum())


@dataclass(frozen=True, eq=False)
class Sample:
    """One pair set: `labels [N]`, `scores [N]` by model, its clusters of either kind."""

    labels: Rows
    scores: dict[str, Floats]
    identities: Clusters
    images: Clusters

    def clusters(self, by: By) -> Clusters:
        """Of the `N` pairs."""
        return self.identities if by == "identity" else self.images


class Truth:
    """The rates of a world's population; positives may stand elsewhere than the world says.

    Negatives are a mixture of normal scores, one for every two values of z; positives are normal.
    """

    def __init__(self, world: World, apart: float | None = None) -> None:
        self.apart = world.apart if apart is None else apart
        z = NORMAL_QUANTILES if world.harder else np.zeros(1)
        mean = (world.by_identity / 2) ** 0.5 * world.harder * z
        weights = world.occurrence(z)
        self.weights = np.outer(weights, weights).ravel()
        self.means = np.add.outer(mean, mean).ravel()
        self.deviation = (1 - world.by_identity * world.harder**2) ** 0.5

    def fpr(self, threshold: float) -> float:
        """At a threshold."""
        return float(self.weights @ ndtr((self.means - threshold) / self.deviation))

    def fnr(self, threshold: float) -> float:
        """At a threshold."""
        return float(ndtr(threshold - self.apart))

    def threshold(self, fnr: float) -> float:
        """The threshold of that FNR."""
        return float(self.apart + ndtri(fnr))

    def fpr_at_fnr(self, target: float) -> float:
        """FPR at the threshold whose FNR is `target`."""
        return self.fpr(self.threshold(target))

    def fnr_at_fpr(self, target: float) -> float:
        """FNR at the threshold whose FPR is `target`."""
        return self.fnr(_root(lambda at: self.fpr(at) - target))

    @property
    def eer(self) -> float:
        """The rate at the threshold where both are the same."""
        return self.fpr(_root(lambda at: self.fpr(at) - self.fnr(at)))

    @property
    def auc(self) -> float:
        """The chance that a positive outscores a negative."""
        return float(
            self.weights @ ndtr((self.apart - self.means) / (1 + self.deviation**2) ** 0.5)
        )

    @property
    def dprime(self) -> float:
        """Of the means and variances."""
        mean = float(self.weights @ self.means)
        variance = self.deviation**2 + float(self.weights @ (self.means - mean) ** 2)
        return float((self.apart - mean) / ((1 + variance) / 2) ** 0.5)


def _root(function: Callable[[float], float]) -> float:
    return float(brentq(function, -20, 20, xtol=1e-12))


def plant(world: World, generator: np.random.Generator, models: Sequence[float]) -> Sample:
    """Draw one pair set and the scores of models that set positives so far apart.

    Several models share `SHARED` of the variance of every effect, noise among them. Worlds whose
    hubs are harder are for one model: what models share with the hubs would add up.
    """
    if world.harder and len(models) > 1:
        raise ValueError("several models in a world whose hubs are harder")
    z = generator.normal(size=world.identities)
    often = world.occurrence(z)
    ends = generator.choice(world.identities, (2, 2 * world.negatives + 100), p=often)
    a, b = ends[:, ends[0] != ends[1]][:, : world.negatives]
    same = np.arange(world.positives) % world.identities
    first, second = np.r_[a, same], np.r_[b, same]
    labels = np.r_[np.zeros(a.size, np.int64), np.ones(same.size, np.int64)]
    face = generator.integers(0, world.images, first.size)
    # Another image for the second face; of one image alone nothing depends on it.
    other = (face + generator.integers(1, max(world.images, 2), face.size)) % world.images
    faces = first * world.images + face, second * world.images + other

    def effects() -> Floats:
        """Standardised scores: negatives and positives about nought."""
        u = generator.normal(size=world.identities)
        u = world.harder * z + (1 - world.harder**2) ** 0.5 * u
        v = ALIKE * u + (1 - ALIKE**2) ** 0.5 * generator.normal(size=world.identities)
        x = generator.normal(size=world.identities * world.images)
        by_identity = np.where(labels == 1, v[first], (u[first] + u[second]) / 2**0.5)
        by_image = (x[faces[0]] + x[faces[1]]) / 2**0.5
        rest = 1 - world.by_identity - world.by_image
        return np.asarray(
            world.by_identity**0.5 * by_identity
            + world.by_image**0.5 * by_image
            + rest**0.5 * generator.normal(size=first.size)
        )

    alone = len(models) == 1
    shared = effects()
    scores = {}
    for number, apart in enumerate(models):
        drawn = shared if alone else SHARED**0.5 * shared + (1 - SHARED) ** 0.5 * effects()
        scores[f"model {number + 1}"] = drawn + apart * labels
    return Sample(
        labels,
        scores,
        Clusters(first, second, world.identities),
        Clusters(*faces, world.identities * world.images, "image"),
    )


# Sizes, hubs and the share of characters of `random` and `mined` are those of the published
# ZACI-20 test sets: there 943 and 699 characters stand in negatives, at most 8 and 119 times, and
# the design effect of a person's FPR is 1 and 12.
WORLDS: dict[str, World] = {
    "random": World("as the published random set: few pairs share a character", 855, 944, 855, 3.1),
    "small": World("the same, much smaller", 150, 200, 150, 2.06),
    "medium": World("every character in some 20 pairs", 300, 3000, 900, 2.06),
    "mined": World("as the published mined set: hubs", 850, 3000, 850, 2.06, hubs=1.6),
    "mined, hubs harder": World(
        "the same, hubs being the difficult characters", 850, 3000, 850, 2.85, hubs=1.6, harder=0.5
    ),
    "few": World("60 characters in 100 pairs each", 60, 3000, 600, 2.06),
    "images": World(
        "images differ, characters do not", 300, 3000, 900, 2.06, 0.0, by_image=0.6, images=4
    ),
    "images and identities": World(
        "images and identities differ", 300, 3000, 900, 2.06, 0.3, by_image=0.3, images=4
    ),
}
