"""Seconds and memory of the evaluation, beside the libraries that compute part of it.

    PYTHONPATH=FOLDER python -m benchmarks.evaluation [--repeats 3]

Every run is in a process of its own, the sides in turn within each repeat; seconds run from arrays
in memory to the numbers, peak memory is what comes on top of the arrays. FOLDER is where peers were
put that are no part of the project's environment:

    pip install --no-deps --target FOLDER bob.measure pyeer numba llvmlite tabulate h5py

Part one is a large set and no bootstrap:

- **ours**: `evaluate_arrays(..., draws=0)`: ROC, AUC, d', EER, nine rates at a target, achieved and
  interpolated, and the clustered intervals and design effects of FPR and FNR.
- **scikit-learn**: `roc_curve` and `roc_auc_score`; no operating point, no interval.
- **bob.measure**: EER, and the same nine rates (achieved); no AUC, no interval.
- **pyeer**: ROC, AUC, EER, FNR at four FPRs and d'; no interval.

Part two is the bootstrap: 1,000 draws of clusters, five models on the same draws. Peers have none;
beside it stands what a loop over scikit-learn takes for the ROC and the AUC of the same draws,
predicted from a few of them.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import keep
from benchmarks.processes import Gauge, UnfinishedError, alone
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.evaluator import TARGETS, evaluate_arrays
from pairsets.evaluation.human import DEFAULT_TARGET_FNR as TARGET
from pairsets.storage.artefacts import installed

FNRS = (TARGET, *TARGETS)
# Of the loop over scikit-learn, the draws that are measured.
FEW = 10


@dataclass(frozen=True, eq=False)
class Arrays:
    """Pairs as arrays: `labels [N]`, scores `[N]` of some models, clusters at both ends."""

    labels: NDArray[np.int8]
    scores: dict[str, NDArray[np.float64]]
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    count: int

    @classmethod
    def draw(cls, pairs: int, identities: int, models: int = 1) -> Arrays:
        """A tenth positives, in random order; characters differ in how hard they are."""
        generator = np.random.default_rng(0)
        labels = (generator.random(pairs) < 0.1).astype(np.int8)
        a = generator.integers(0, identities, pairs)
        step = generator.integers(1, identities, pairs)
        b = np.where(labels == 1, a, (a + step) % identities)
        difficulty = generator.normal(size=identities)
        common = (difficulty[a] + difficulty[b]) / 2 + 2.0 * labels
        scores = {
            f"model {number + 1}": common + generator.normal(size=pairs) for number in range(models)
        }
        return cls(labels, scores, a, b, identities)

    @property
    def kinds(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Negative and positive scores of the first model."""
        (scores, *_) = self.scores.values()
        return scores[self.labels == 0], scores[self.labels == 1]


Answer = dict[str, float]
Work = Callable[[Arrays], Answer]


def ours(given: Arrays) -> Answer:
    """All numbers that need no bootstrap."""
    clusters = Clusters(given.a, given.b, given.count)
    judged = evaluate_arrays(given.labels, given.scores, clusters, TARGET, draws=0)
    (one,) = (judged.evaluation for judged in judged.values())
    return {"auc": one.auc, "eer": one.eer, "fpr_at_fnr": one.fpr_achieved, "dprime": one.dprime}


def scikit_learn(given: Arrays) -> Answer:
    """The curve and its area."""
    from sklearn.metrics import roc_auc_score, roc_curve

    (scores,) = given.scores.values()
    roc_curve(given.labels, scores)
    return {"auc": float(roc_auc_score(given.labels, scores))}


def bob_measure(given: Arrays) -> Answer:
    """EER and rates at targets, of scores that are sorted once."""
    import bob.measure as bob

    negatives, positives = (np.sort(kind) for kind in given.kinds)
    found = {"eer": float(bob.eer(negatives, positives, True))}
    for fnr in FNRS:
        threshold = bob.frr_threshold(negatives, positives, fnr, True)
        found[f"fpr_at_{fnr}"] = float(bob.farfrr(negatives, positives, threshold)[0])
    for fpr in TARGETS:
        bob.farfrr(negatives, positives, bob.far_threshold(negatives, positives, fpr, True))
    return {"eer": found["eer"], "fpr_at_fnr": found[f"fpr_at_{TARGET}"]}


def pyeer(given: Arrays) -> Answer:
    """Curve, area, EER, rates at targets and d'."""
    from pyeer import eer_stats

    negatives, positives = given.kinds
    _, fmr, fnmr = eer_stats.calculate_roc(positives, negatives)
    area = eer_stats.calculate_roc_auc(fmr, fnmr)
    eer = eer_stats.get_eer_values(fmr, fnmr)
    for target in TARGETS:
        eer_stats.get_fmr_op(fmr, fnmr, target)
    apart = eer_stats.get_decidability_value(
        positives.mean(), positives.std(), negatives.mean(), negatives.std()
    )
    return {"auc": float(area), "eer": float(eer[-1]), "dprime": float(apart)}


def bootstrap(draws: int) -> Work:
    """All numbers, and intervals of those without a closed form."""

    def work(given: Arrays) -> Answer:
        clusters = Clusters(given.a, given.b, given.count)
        judged = evaluate_arrays(given.labels, given.scores, clusters, TARGET, draws=draws)
        first = next(iter(judged.values())).evaluation.intervals
        return {f"{name}_width": one.high - one.low for name, one in first.items()}

    return work


def loop(given: Arrays) -> Answer:
    """A few draws of the same bootstrap with scikit-learn, one model after the other."""
    from sklearn.metrics import roc_auc_score, roc_curve

    kept = np.random.default_rng(0).random((FEW, given.count)) < 0.5
    area = 0.0
    for draw in kept:
        rows = draw[given.a] & draw[given.b]
        for scores in given.scores.values():
            roc_curve(given.labels[rows], scores[rows])
            area = float(roc_auc_score(given.labels[rows], scores[rows]))
    return {"auc": area}


@dataclass(frozen=True)
class Side:
    """A side: its work, and the module it needs."""

    work: Work
    needs: str = "numpy"


SIDES = {
    "ours": Side(ours),
    "scikit-learn": Side(scikit_learn, "sklearn.metrics"),
    "bob.measure": Side(bob_measure, "bob.measure"),
    "pyeer": Side(pyeer, "pyeer.eer_stats"),
}


def timed(work: Work, pairs: int, identities: int, models: int = 1) -> tuple[float, float, Answer]:
    """Seconds, MiB beyond the arrays, and the answer; for a process of its own."""
    work(Arrays.draw(2000, 100, models))  # imports, compilers, threads
    given = Arrays.draw(pairs, identities, models)
    gauge = Gauge()
    start = time.perf_counter()
    answer = work(given)
    return time.perf_counter() - start, gauge.peak_mib(), answer


def measure(sides: dict[str, Side], pairs: int, identities: int, models: int, repeats: int) -> Any:
    """Every side, in turn within each repeat."""
    runs: dict[str, list[tuple[float, float, Answer]]] = {name: [] for name in sides}
    missing = {name: why for name, side in sides.items() if (why := _missing(side.needs))}
    for repeat in range(repeats):
        for name, side in sides.items():
            if name in missing:
                continue
            try:
                runs[name].append(alone(timed, side.work, pairs, identities, models))
            except UnfinishedError as error:
                missing[name] = str(error)
                continue
            seconds, mib, _ = runs[name][-1]
            print(f"{name}, run {repeat + 1}: {seconds:.2f} s, {mib:,.0f} MiB", flush=True)
    return {
        name: {"left_out": missing[name]}
        if name in missing
        else {
            "median_seconds": round(statistics.median(run[0] for run in runs[name]), 3),
            "median_peak_mib": round(statistics.median(run[1] for run in runs[name])),
            "seconds": [round(run[0], 3) for run in runs[name]],
            "answer": runs[name][0][2],
        }
        for name in sides
    }


def _missing(module: str) -> str | None:
    """Why a peer cannot run; asked in a process of its own, so that nothing is loaded here."""
    try:
        alone(_load, module)
    except UnfinishedError as error:
        return f"not installed: {error}"
    return None


def _load(module: str) -> None:
    importlib.import_module(module)


def main() -> None:
    """Measure both parts and keep medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pairs", type=int, default=10_000_000, help="of part one")
    parser.add_argument("--characters", type=int, default=20_000, help="of part one")
    parser.add_argument("--drawn-pairs", type=int, default=100_000, help="of part two")
    parser.add_argument("--drawn-characters", type=int, default=5_000, help="of part two")
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--models", type=int, default=5)
    options = parser.parse_args()
    rates = measure(SIDES, options.pairs, options.characters, 1, options.repeats)
    drawn = measure(
        {"ours": Side(bootstrap(options.draws)), "loop": Side(loop, "sklearn.metrics")},
        options.drawn_pairs,
        options.drawn_characters,
        options.models,
        options.repeats,
    )
    looped = drawn.pop("loop")
    if "left_out" not in looped:
        times = options.draws / FEW
        looped["predicted_seconds"] = round(looped["median_seconds"] * times, 1)
    keep(
        "evaluation",
        {
            "repeats": options.repeats,
            "peers": installed("bob.measure", "numba", "pyeer"),
            "rates": {"pairs": options.pairs, "characters": options.characters, "sides": rates},
            "bootstrap": {
                "pairs": options.drawn_pairs,
                "characters": options.drawn_characters,
                "models": options.models,
                "draws": options.draws,
                "ours": drawn["ours"],
                "scikit-learn loop": {"draws": FEW, **looped},
            },
        },
    )


if __name__ == "__main__":
    main()
