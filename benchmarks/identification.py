"""How often the 95 % intervals of identification hold the truth, on planted galleries.

Identities are vectors of different sharpness: some have pictures that lie close together, some have
not, and some lie nearer to others. Each replicate draws new identities, a gallery with one picture
of each, mated probes, and strangers. The truth of a rate is its mean over all replicates, which is
what other identities in a gallery of the same size would give on average.

- **by identity**: the intervals that users get.
- **independent**: Wilson's, as if probes had nothing in common.

    python -m benchmarks.identification [--replicates 1000] [--draws 200] [--processes 2]
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import keep
from mining.scores.identification import identify
from pairsets.evaluation.identification import Identification, IdentificationTargets
from pairsets.evaluation.interval_options import IntervalOptions
from pairsets.evaluation.intervals import wilson

TARGETS = IdentificationTargets((0.1, 0.05), (0.2, 0.1))
# By rate and method: the value and the interval.
Found = dict[tuple[str, str], tuple[float, float, float]]


@dataclass(frozen=True)
class World:
    """Way to draw a gallery and its probes.

    Attributes:
        identities, strangers: how many are in the gallery, and how many outside it.
        probes: of each.
        noise: of a picture about its identity, where an identity's own is between half and twice.
    """

    identities: int
    strangers: int
    probes: int
    noise: float


WORLDS = {
    "usual": World(150, 75, 4, 0.55),
    "one probe each": World(200, 200, 1, 0.55),
    "many probes, few identities": World(50, 30, 15, 0.6),
}


def search(world: World, draws: int, seed: int) -> Identification:
    """Rates of one draw of the world."""
    rng = np.random.default_rng(seed)
    count, width = world.identities + world.strangers, 24
    # A common part that some have more of, so that they lie nearer to others.
    common = np.abs(rng.normal(size=(count, 1))) * 0.6
    middles = rng.normal(size=(count, width)) / width**0.5 + common * np.eye(1, width)
    spread = world.noise * 2 ** rng.uniform(-1, 1, size=count)

    def pictures(who: np.ndarray) -> np.ndarray:
        scatter = rng.normal(size=(who.size, width)) / width**0.5
        return middles[who] + spread[who, None] * scatter

    inside, all_probes = np.arange(world.identities), np.repeat(np.arange(count), world.probes)
    return identify(
        pictures(inside),
        [f"{at:04}" for at in inside],
        probes=pictures(all_probes),
        probe_identities=[f"{at:04}" for at in all_probes],
        targets=TARGETS,
        intervals=IntervalOptions(draws=draws, seed=seed),
    )


def replicate(world: World, draws: int, seed: int) -> Found:
    """Rates and intervals of one draw, by either method."""
    found: Found = {}
    with threadpool_limits(1):
        judged = search(world, draws, seed)
    for rate in judged.rates:
        bounds = rate.interval
        ends = (np.nan, np.nan) if bounds is None else (bounds.low, bounds.high)
        found[rate.name, "by identity"] = (rate.value, *ends)
        if rate.name != "map":
            alone = wilson(rate.value, rate.probes)
            found[rate.name, "independent"] = (rate.value, alone.low, alone.high)
    return found


def summarise(rows: list[Found]) -> dict[str, dict[str, object]]:
    """Coverage of each rate's intervals, by method."""
    result: dict[str, dict[str, object]] = {}
    for name, method in rows[0]:
        value, low, high = np.array([one[name, method] for one in rows]).T
        truth = float(value.mean())
        told = np.isfinite(low)
        held = (low[told] <= truth) & (truth <= high[told])
        result.setdefault(name, {"truth": truth})[method] = {
            "coverage": float(held.mean()),
            "width": float((high - low)[told].mean()),
            "with_interval": float(told.mean()),
        }
    return result


def main() -> None:
    """Run all worlds and keep the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("replicates", 1000), ("draws", 200), ("processes", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    result = {}
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for name, world in WORLDS.items():
            one: Callable[[int], Found] = partial(replicate, world, asked.draws)
            result[name] = summarise(pool.map(one, range(asked.replicates), chunksize=10))
    settings = {"replicates": asked.replicates, "draws": asked.draws}
    keep("identification", {**settings, "worlds": result})


if __name__ == "__main__":
    main()
