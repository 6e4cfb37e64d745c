"""How often 95 % intervals hold the truth, and how often equal models are told apart.

Pair sets are planted (`benchmarks/planted.py`), so that the rates of their population are known.
Each is evaluated as users do it, and beside that:

- **independent**: the intervals of pairs that have nothing in common: Wilson's of the plain counts
  for rates at a fixed threshold; else the same influence functions, each pair for itself (DeLong's
  interval for the AUC).
- **uncorrected**: the double-or-nothing bootstrap without the shrinkage of
`pairsets.evaluation.bootstrap`.
- **given threshold**: for FPR at a target FNR, the clustered interval of the threshold found, as
  if it had been known beforehand.

Differences are of two models that share much of what makes pairs hard, first equal ones, then one
better than the other; beside ours stand the z-test of two independent samples, the paired one of
independent pairs, and McNemar's test of the verdicts on negatives.

    python -m benchmarks.coverage [--replicates 1000] [--draws 500] [--processes 2]
    python -m benchmarks.coverage_plot
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import keep
from benchmarks.planted import SHARED, WORLDS, Sample, Truth, World, plant
from pairsets.evaluation.clusters import By
from pairsets.evaluation.differences import ALPHA, differences
from pairsets.evaluation.evaluator import ModelEvaluation, evaluate_arrays
from pairsets.evaluation.human import DEFAULT_TARGET_FNR as TARGET
from pairsets.evaluation.intervals import CONFIDENCE, Interval, deviate, wilson
from pairsets.evaluation.resamples import Resampled

MAIN = f"fpr@{TARGET!r}"
# What is compared, and the name under which it is resampled.
COLUMNS = {"fpr": MAIN, "eer": "eer"}
# Rates at further targets.
POINTS = (("fpr", 0.1), ("fpr", 0.01), ("fnr", 0.1), ("fnr", 0.01))
# World, and what clusters are taken to be.
CASES: dict[str, tuple[str, By]] = {
    **{name: (name, "identity") for name in WORLDS},
    "images, by image": ("images", "image"),
    "images and identities, by image": ("images and identities", "image"),
}
# Worlds where two models are compared, and how much further apart the better one's positives are.
PAIRED = {"random": 0.25, "mined": 0.25, "few": 0.25}
# By statistic and method: the estimate, and the interval or None.
Found = dict[tuple[str, str], tuple[float, Interval | None]]
# The same of a difference: the interval, and whether the models are told apart.
Compared = dict[tuple[str, str], tuple[Interval | None, bool]]


def main() -> None:
    """Simulate all worlds and keep the shares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    context = multiprocessing.get_context("fork")
    # One thread each: sums this short lose by being shared out.
    with context.Pool(options.processes, threadpool_limits, (1,)) as pool:

        def each(label: str, work: Callable[[int], Any]) -> list[Any]:
            start = time.perf_counter()
            found = list(pool.imap(work, range(options.replicates), chunksize=20))
            print(f"{label}: {time.perf_counter() - start:.0f} s", flush=True)
            return found

        cases = {}
        for label, (name, by) in CASES.items():
            found = each(label, partial(one_set, name, by, options.draws))
            cases[label] = _case(WORLDS[name], by, found)
        paired: dict[str, Any] = {}
        for name, better in PAIRED.items():
            for kind, gain in (("equal", 0.0), ("better", better)):
                work = partial(two_models, name, gain, options.draws)
                found = each(f"{name}, {kind}", work)
                paired.setdefault(name, {})[kind] = _pairing(name, gain, found)
    keep(
        "coverage",
        {
            "confidence": CONFIDENCE,
            "replicates": options.replicates,
            "draws": options.draws,
            "target_fnr": TARGET,
            "correlation_of_models": SHARED,
            "cases": cases,
            "differences": paired,
        },
    )


def one_set(name: str, by: By, draws: int, seed: int) -> tuple[Found, tuple[float, ...]]:
    """All intervals of one pair set, and how its negatives are spread."""
    world = WORLDS[name]
    sample = plant(world, _generator(name, seed), [world.apart])
    threshold = Truth(world).threshold(TARGET)
    judged = evaluate_arrays(
        sample.labels,
        sample.scores,
        sample.clusters(by),
        TARGET,
        draws=draws,
        seed=seed,
        carried=dict.fromkeys(sample.scores, (threshold, "the truth")),
    )
    (one,) = judged.values()
    return dict(_intervals(one)), _occurrence(sample, one)


def _intervals(
    judged: ModelEvaluation,
) -> Iterator[tuple[tuple[str, str], tuple[float, Interval | None]]]:
    evaluation, carried = judged.evaluation, judged.evaluation.carried
    if carried is None:
        raise RuntimeError("no threshold was carried")
    for rate, name in ((carried.fpr, "fpr(T)"), (carried.fnr, "fnr(T)")):
        yield (name, "ours"), (rate.value, rate.interval)
        yield (name, "independent"), (rate.value, wilson(rate.value, rate.count))
    ours = {
        MAIN: evaluation.intervals.get("fpr_achieved"),
        "eer": evaluation.intervals.get("eer"),
        "auc": evaluation.intervals.get("auc"),
        "dprime": evaluation.intervals.get("dprime"),
    }
    for point in evaluation.points:
        other = "fpr" if point.fixed == "fnr" else "fnr"
        if (other, point.target) in POINTS:
            ours[f"{other}@{point.target!r}"] = point.interval
    for name, interval in ours.items():
        table = judged.resampled[name]
        yield (name, "ours"), (table.value, interval)
        alone = Resampled(table.value, table.draws, table.told, 1.0)
        yield (name, "uncorrected"), (table.value, alone.interval())
        half = deviate(CONFIDENCE) * float(table.influence @ table.influence) ** 0.5
        yield (name, "independent"), (table.value, Interval(table.value - half, table.value + half))
    between = evaluation.fpr_interpolated
    yield ("fpr interpolated", "ours"), (between, evaluation.intervals.get("fpr_interpolated"))
    yield (MAIN, "given threshold"), (evaluation.fpr_achieved, evaluation.fpr_rate.interval)


def _truth(truth: Truth) -> dict[str, float]:
    return {
        "fpr(T)": truth.fpr_at_fnr(TARGET),
        "fnr(T)": TARGET,
        MAIN: truth.fpr_at_fnr(TARGET),
        "fpr interpolated": truth.fpr_at_fnr(TARGET),
        "eer": truth.eer,
        "auc": truth.auc,
        "dprime": truth.dprime,
        **{f"fpr@{target!r}": truth.fpr_at_fnr(target) for rate, target in POINTS if rate == "fpr"},
        **{f"fnr@{target!r}": truth.fnr_at_fpr(target) for rate, target in POINTS if rate == "fnr"},
    }


def _occurrence(sample: Sample, judged: ModelEvaluation) -> tuple[float, ...]:
    negatives = sample.identities.take(sample.labels == 0)
    counts = np.bincount(np.r_[negatives.a, negatives.b])
    effect = judged.evaluation.carried
    return (
        float(np.count_nonzero(counts)),
        float(counts.max()),
        float(counts @ counts / counts.sum()),
        effect.fpr.design_effect if effect else float("nan"),
        effect.fnr.design_effect if effect else float("nan"),
    )


def _case(world: World, by: By, found: list[tuple[Found, tuple[float, ...]]]) -> dict[str, Any]:
    truth = _truth(Truth(world))
    names = ("characters", "most_pairs_of_one", "pairs_of_a_place", "fpr_design_effect")
    spread = np.median([row for _, row in found], axis=0).tolist()
    statistics: dict[str, dict[str, Any]] = {name: {} for name in truth}
    for name, method in found[0][0]:
        rows = [one[name, method] for one, _ in found]
        statistics[name].setdefault("truth", _short(truth[name]))
        statistics[name].setdefault("mean", _short(float(np.mean([value for value, _ in rows]))))
        statistics[name][method] = _covered([interval for _, interval in rows], truth[name])
    return {
        "world": asdict(world),
        "clusters": by,
        "median_of_sets": dict(
            zip((*names, "fnr_design_effect"), map(_short, spread), strict=True)
        ),
        "statistics": statistics,
    }


def _covered(intervals: list[Interval | None], truth: float) -> dict[str, float | int]:
    """The share of intervals with the truth inside, its error, misses on either side, width."""
    known = [one for one in intervals if one is not None]
    if not known:
        return {"missing": len(intervals)}
    share = float(np.mean([truth in one for one in known]))
    return {
        "coverage": _short(share),
        "error": _short((share * (1 - share) / len(known)) ** 0.5),
        "truth_below": _short(float(np.mean([truth < one.low for one in known]))),
        "truth_above": _short(float(np.mean([truth > one.high for one in known]))),
        "width": _short(float(np.mean([one.high - one.low for one in known]))),
        "missing": len(intervals) - len(known),
    }


def two_models(name: str, gain: float, draws: int, seed: int) -> Compared:
    """The differences on one pair set between a model and one that is `gain` further apart."""
    world = WORLDS[name]
    sample = plant(world, _generator(name, seed), [world.apart, world.apart + gain])
    clusters = sample.identities
    judged = evaluate_arrays(sample.labels, sample.scores, clusters, TARGET, draws=draws, seed=seed)
    first, second = judged.values()
    found: Compared = {}
    for statistic, column in COLUMNS.items():
        (ours,) = differences(judged, clusters, statistic)
        found[statistic, "ours"] = Interval(ours.low, ours.high), ours.p < ALPHA
        parts = [one.resampled[column].influence for one in (first, second)]
        apart = parts[0] - parts[1]
        for method, squares in (
            ("unpaired", sum(float(part @ part) for part in parts)),
            ("independent", float(apart @ apart)),
        ):
            half = deviate(CONFIDENCE) * squares**0.5
            interval = Interval(ours.value - half, ours.value + half)
            found[statistic, method] = interval, 0.0 not in interval
    negatives = sample.labels == 0
    only = [
        int((one.right & ~other.right & negatives).sum())
        for one, other in ((first, second), (second, first))
    ]
    far = abs(only[0] - only[1]) / max(sum(only), 1) ** 0.5
    found["fpr", "McNemar"] = None, far > deviate(1 - ALPHA)
    return found


def _pairing(name: str, gain: float, found: list[Compared]) -> dict[str, Any]:
    world = WORLDS[name]
    truths = [_truth(Truth(world, world.apart + more)) for more in (0.0, gain)]
    result: dict[str, Any] = {}
    for statistic, column in COLUMNS.items():
        right = truths[0][column] - truths[1][column]
        result[statistic] = {"truth": _short(right)}
        for method in [method for key, method in found[0] if key == statistic]:
            rows = [one[statistic, method] for one in found]
            told = float(np.mean([row[1] for row in rows]))
            result[statistic][method] = {
                "told_apart": _short(told),
                "error": _short((told * (1 - told) / len(rows)) ** 0.5),
            }
            if method != "McNemar":
                covered = _covered([row[0] for row in rows], right)
                result[statistic][method]["interval"] = covered
    return result


def _generator(name: str, seed: int) -> np.random.Generator:
    return np.random.default_rng([list(WORLDS).index(name), seed])


def _short(value: float) -> float:
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
