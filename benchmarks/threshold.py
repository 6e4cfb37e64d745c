"""How often the 95 % interval of a threshold holds the right one, on planted worlds.

A pair of faces of two identities scores u_a + u_b + v_ab + e: some identities score higher with all
others (u), some two look alike (v), and faces differ (e). Where u is skewed a few identities make
most errors. The truth is the score that the target's share of pairs of two new identities reach,
known in closed form where all parts are normal, and else from ten million such pairs. Each
replicate draws new identities.

- **inverted**: the interval that users get, all thresholds whose FPR may be the target.
- **bootstrap**: percentiles of the threshold over a double-or-nothing bootstrap of identities.
- **independent**: order statistics, as if pairs had nothing in common.

    python -m benchmarks.threshold [--replicates 1000] [--draws 200] [--processes 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.machine import keep
from pairsets.evaluation.intervals import Interval, wilson
from pairsets.evaluation.rates import most_within
from pairsets.evaluation.threshold_interval import threshold_interval
from pairsets.evaluation.trials import PairTrials

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
# By method: the interval.
Found = dict[str, tuple[float, float]]
# Pairs that the truth is taken from where it has no closed form.
TRUE_PAIRS = 10_000_000


@dataclass(frozen=True)
class World:
    """Way to draw identities and scored pairs of them.

    Attributes:
        identities: how many there are.
        faces: of each, where all pairs count; 0 where pairs are listed.
        pairs: how many are listed, of random identities.
        target: the FPR.
        own, alike: standard deviations of u and v, beside that of e, which is 1.
        skewed: whether u is exponential.
    """

    identities: int
    faces: int
    pairs: int
    target: float
    own: float
    alike: float
    skewed: bool = False

    def effects(self, rng: np.random.Generator, count: int) -> Array:
        """The part of each identity's scores that it has with all others."""
        drawn = rng.exponential(size=count) - 1 if self.skewed else rng.normal(size=count)
        return np.asarray(self.own * drawn)

    def truth(self) -> float:
        """The score that the target's share of pairs of two new identities reach."""
        if not self.skewed:
            spread = (2 * self.own**2 + self.alike**2 + 1) ** 0.5
            return NormalDist(0, spread).inv_cdf(1 - self.target)
        rng = np.random.default_rng(1)
        scores = self.effects(rng, TRUE_PAIRS) + self.effects(rng, TRUE_PAIRS)
        scores += rng.normal(size=TRUE_PAIRS) * (self.alike**2 + 1) ** 0.5
        return float(np.quantile(scores, 1 - self.target))


WORLDS = {
    "listed, ZACI-20's size": World(335, 0, 3_000, 1e-2, 0.5, 0.5),
    "listed, few errors": World(335, 0, 3_000, 1e-3, 0.5, 0.5),
    "all pairs": World(200, 4, 0, 1e-3, 0.4, 0.4),
    "all pairs, skewed": World(200, 4, 0, 1e-3, 0.5, 0.4, True),
    "all pairs, few identities": World(60, 6, 0, 1e-2, 0.4, 0.4),
    "all pairs, few identities, skewed": World(60, 6, 0, 1e-2, 0.4, 0.4, True),
    "all pairs, look-alikes": World(100, 8, 0, 1e-3, 0.3, 1.0),
    "all pairs, very few identities": World(30, 10, 0, 1e-2, 0.3, 0.3),
}


@cache
def ends_of(world: World) -> tuple[Codes, Codes]:
    """The identities at the ends of all pairs of two."""
    who = np.repeat(np.arange(world.identities), world.faces)
    first, second = np.triu_indices(len(who), 1)
    apart = who[first] != who[second]
    return who[first[apart]], who[second[apart]]


def draw(world: World, rng: np.random.Generator) -> tuple[Codes, Codes, Array]:
    """Ends and scores of pairs of two identities."""
    count = world.identities
    if world.faces:
        a, b = ends_of(world)
    else:
        a = rng.integers(0, count, world.pairs)
        b = (a + rng.integers(1, count, world.pairs)) % count
    own = world.effects(rng, count)
    alike = rng.normal(size=(count, count)) * world.alike
    scores = own[a] + own[b] + alike[np.minimum(a, b), np.maximum(a, b)] + rng.normal(size=a.size)
    return a, b, scores


def bootstrap(
    world: World, a: Codes, b: Codes, scores: Array, draws: int, rng: np.random.Generator
) -> Interval:
    """Percentiles of the threshold where identities count twice or not at all."""
    # No draw lets in so many pairs, so that the others need no place in the order.
    order = np.argsort(-scores)[: int(20 * world.target * len(scores))]
    counts = np.zeros((world.identities, world.identities))
    np.add.at(counts, (a, b), 1)
    found = []
    for _ in range(draws):
        weight = 2 * rng.integers(0, 2, world.identities)
        each = weight[a[order]] * weight[b[order]]
        reached = np.cumsum(each) > world.target * (weight @ counts @ weight)
        assert reached.any()
        found.append(scores[order[int(reached.argmax())]])
    return Interval(*np.quantile(found, [0.025, 0.975]).tolist())


def independent(world: World, scores: Array) -> Interval:
    """Order statistics whose shares are those of Wilson's interval of the target."""
    falling = np.sort(scores)[::-1]
    bounds = wilson(world.target, len(scores))
    low, high = (min(int(share * len(scores)), len(scores) - 1) for share in vars(bounds).values())
    return Interval(float(falling[high]), float(falling[low]))


def replicate(world: World, draws: int, seed: int) -> Found:
    """The interval of one draw, by each method."""
    rng = np.random.default_rng(seed)
    with threadpool_limits(1):
        a, b, scores = draw(world, rng)
        names = np.array([f"{at:04}" for at in range(world.identities)], object)
        # Positives are no part of it; one is there since a threshold needs both kinds.
        trials = PairTrials(
            np.append(np.zeros(a.size), 1),
            np.append(scores, 0.0),
            np.append(names[a], names[0]),
            np.append(names[b], names[0]),
        )
        [cut] = trials.cuts([most_within(world.target, len(scores))])
        found = {
            "inverted": threshold_interval(trials, cut.threshold, world.target),
            "bootstrap": bootstrap(world, a, b, scores, draws, rng),
            "independent": independent(world, scores),
        }
    return {method: (one.low, one.high) for method, one in found.items()}


def summarise(rows: list[Found], truth: float) -> Iterator[tuple[str, dict[str, float]]]:
    """Coverage of each method, and how often the truth lies beyond either end."""
    for method in rows[0]:
        low, high = np.array([one[method] for one in rows]).T
        bounded = np.isfinite(low) & np.isfinite(high)
        yield (
            method,
            {
                "coverage": float(((low <= truth) & (truth <= high)).mean()),
                "too_low": float((high < truth).mean()),
                "too_high": float((low > truth).mean()),
                "median_width": float(np.median((high - low)[bounded])) if bounded.any() else 0.0,
                "bounded": float(bounded.mean()),
            },
        )


def main() -> None:
    """Run all worlds and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("replicates", 1000), ("draws", 200), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--quick", action="store_true", help="print, and keep nothing")
    asked = parser.parse_args()
    result = {}
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for name, world in WORLDS.items():
            one: Callable[[int], Found] = partial(replicate, world, asked.draws)
            truth = world.truth()
            rows = pool.map(one, range(asked.replicates), chunksize=10)
            result[name] = {"truth": truth, **dict(summarise(rows, truth))}
            if asked.quick:
                print(name, result[name], flush=True)
    if not asked.quick:
        settings = {"replicates": asked.replicates, "draws": asked.draws}
        keep("threshold", {**settings, "worlds": result})


if __name__ == "__main__":
    main()
