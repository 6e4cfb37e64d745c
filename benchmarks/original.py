"""The procedure ZACI-20 was made with, and ours, on the same vectors in one run.

Two stages are compared, each side in a process of its own so that its peak memory is its own:

- mining: score all pairs, rank them, keep the 3,000 best of different characters. The original
  procedure, written afresh from its description: an N x N x D array of products, a full sort of
  N x N scores, a list whose front is popped.
- evaluation: FPR at a target FNR and EER, by scikit-learn's ROC and SciPy's interpolation and
  root finder, as the original evaluator does.

    python -m benchmarks.original [--repeats 5]
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np

FACES, DIMENSIONS, PAIRS = 2006, 500, 3000


def vectors() -> np.ndarray:
    """Unit vectors of 1,003 characters with two faces each, the shape of ZACI-20's test set."""
    generator = np.random.default_rng(20)
    centres = generator.standard_normal((FACES // 2, DIMENSIONS))
    # A decaying spectrum, so that scores spread as those of real embeddings do.
    centres *= 1 / np.sqrt(1 + np.arange(DIMENSIONS))
    rows = np.repeat(centres, 2, axis=0)
    rows += 0.05 * generator.standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def mine_original(x: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    """The original procedure: all products at once, a full sort, a list popped from the front."""
    scores = np.sum(x[:, np.newaxis, :] * x[np.newaxis, :, :], axis=2)
    ranking = np.argsort(-scores, axis=None).tolist()
    found: list[tuple[int, int]] = []
    while len(found) < PAIRS:
        i, j = divmod(ranking.pop(0), len(x))
        if i > j and groups[i] != groups[j]:
            found.append((j, i))
    return found


def mine_ours(x: np.ndarray, groups: np.ndarray) -> list[tuple[int, int]]:
    """The exact join."""
    from indexes import FlatIndex

    best = FlatIndex(x).top_pairs(PAIRS, groups)
    return list(zip(best.i.tolist(), best.j.tolist(), strict=True))


def evaluate_original(labels: np.ndarray, scores: np.ndarray, target: float) -> list[float]:
    """FPR at the target FNR and EER as the original evaluator computes them."""
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(labels, scores)
    eer = 1.0 - brentq(lambda x: 1.0 - x - interp1d(tpr, fpr)(x), 0.0, 1.0, xtol=1e-15)
    return [float(interp1d(1.0 - tpr, fpr)(target)), float(eer)]


def evaluate_ours(labels: np.ndarray, scores: np.ndarray, target: float) -> list[float]:
    """The same two figures by `pairsets`."""
    from pairsets.evaluation.rates import equal_error, fpr_at_fnr_interpolated, roc

    curve = roc(labels, scores)
    return [fpr_at_fnr_interpolated(curve, target), equal_error(curve)[0]]


def _child(pipe: object, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if work is not mine_original:
        work(*arguments)  # the time of imports and first calls is not the procedure's
    start = time.perf_counter()
    answer = work(*arguments)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pipe.send((seconds, (after - before) / 1024, answer))  # type: ignore[attr-defined]


def measure(work: Callable[..., object], *arguments: object) -> tuple[float, float, object]:
    """Seconds, peak MiB over the process before it began (its imports count), and the answer."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(there, work, arguments))
    process.start()
    seconds, peak, answer = here.recv()
    process.join()
    return seconds, peak, answer


def main() -> None:
    """Measure both sides in turn and keep medians."""
    # Here, since the sides beside it run where another build of `pairsets` is installed.
    from benchmarks.machine import keep

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    x, groups = vectors(), np.arange(FACES) // 2
    generator = np.random.default_rng(1)
    labels = np.r_[np.ones(855, int), np.zeros(2991, int)]
    scores = generator.standard_normal(labels.size) + 1.5 * labels
    sides: dict[str, list[tuple[float, float, object]]] = {
        "original mining": [], "our mining": [], "original rates": [], "our rates": [],
    }  # fmt: skip
    for _ in range(repeats):
        sides["original mining"].append(measure(mine_original, x, groups))
        sides["our mining"].append(measure(mine_ours, x, groups))
        sides["original rates"].append(measure(evaluate_original, labels, scores, 119 / 855))
        sides["our rates"].append(measure(evaluate_ours, labels, scores, 119 / 855))
    seconds = {side: statistics.median(run[0] for run in runs) for side, runs in sides.items()}
    memory = {side: statistics.median(run[1] for run in runs) for side, runs in sides.items()}
    theirs, ours = sides["original mining"][0][2], sides["our mining"][0][2]
    rates = [np.array(sides[side][0][2]) for side in ("original rates", "our rates")]
    keep(
        "original",
        {
            "vectors": [FACES, DIMENSIONS],
            "pairs": PAIRS,
            "repeats": repeats,
            "same_pairs": set(theirs) == set(ours),  # type: ignore[call-overload]
            "largest_difference_of_rates": float(np.abs(rates[0] - rates[1]).max()),
            "median_seconds": seconds,
            "median_peak_mib_over_inputs": memory,
            "time_ratio_mining": seconds["original mining"] / seconds["our mining"],
            "memory_ratio_mining": memory["original mining"] / max(memory["our mining"], 1.0),
            "time_ratio_rates": seconds["original rates"] / seconds["our rates"],
            "all_seconds": {
                side: [round(run[0], 4) for run in runs] for side, runs in sides.items()
            },
        },
    )


if __name__ == "__main__":
    main()
