"""How fair tables of models are: by mined sets, by samples with known chances, by a census.

**Planted worlds.** A face's vector has a part that models share with the reference and a part of
their own, so that a model's scores correlate with the reference's from 0 to 0.95; how well its own
part tells identities apart is drawn for each model. Some identities are harder than others for
all. One model is a coin: random vectors. The truth is the FPR at an FNR of 13.9 % over all pairs,
by brute force in float64 (float32 for 50,000 faces). Tables are

- **mined**: the hardest 3,000 pairs of the reference, as such sets are made everywhere;
- **committee**: of three models together (mean of quantiles);
- **random**: 3,000 pairs drawn at random;
- **design**: 3,000 pairs with known probabilities, of the reference;
- **census**: all pairs.

Said of each: Kendall's tau of its FPRs with the truth over the models other than those that mined
(and, "without kin", over those that the mined table lets compete), how often a model that is truly
better stands behind the coin, and how often one is *told apart* as worse than it (p after Holm
below 0.05).

**Coverage.** Of the design's estimates at thresholds with known FPR over repeated samples; of the
census's intervals over worlds of other identities, whose rates a world of very many tells.

**Real faces.** Lite0 (the reference), the same mean-centred, thumbnails of pixels, a coin: the
design's estimates against the census.

    python -m benchmarks.fairness [--repeats 10] [--embeddings LITE0_FOLDER PIXELS_FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, describe, keep
from indexes import FlatIndex, pair_scores
from mining import Embeddings
from mining.miners.fused_negatives import mine_together
from mining.miners.stratified_design import PairStrata, listed_depth
from mining.scores.census import take_census
from pairsets.evaluation.census import compare_census
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.comparison import compare
from pairsets.evaluation.design_rates import design_rate
from pairsets.evaluation.human import DEFAULT_TARGET_FNR as TARGET
from pairsets.evaluation.kinship import KIN, rank_correlation
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.random_set import PairSpace, random_pairs

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Vectors = NDArray[np.float32]

# Correlations of models' scores with the reference's.
LEVELS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95)
# The same in worlds of many faces.
FEW = (0.0, 0.6, 0.95)
COIN, REFERENCE = "coin", "reference"
SIZE, POSITIVES, WIDTH = 3000, 1000, 48
FPRS = (1e-2, 1e-3, 1e-4)
TABLES = ("mined", "committee", "random", "design", "census")


@dataclass(frozen=True, eq=False)
class Models:
    """Models over the same faces: vectors of unit norm, by name."""

    faces: Faces
    vectors: Mapping[str, Vectors]

    def embeddings(self, model: str) -> Embeddings:
        """As commands take them."""
        manifest = {"model": model, "fingerprint": model, "similarity": "cosine"}
        return Embeddings(self.faces, self.vectors[model], manifest, Path(model))

    def scores(self, model: str, i: Rows, j: Rows) -> Floats:
        """Scores of some pairs of faces."""
        return pair_scores(self.vectors[model], self.vectors[model], i, j)


def unit(rows: Floats) -> Floats:
    """Rows of norm 1."""
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def plant(faces: int, identities: int, seed: int, levels: Sequence[float] = LEVELS) -> Models:
    """A world of models; see the module."""
    draw = np.random.default_rng(seed)
    groups = np.sort(draw.integers(0, identities, faces))
    # Some identities are easy for every model, and some are hard.
    strength = draw.lognormal(0.0, 0.35, identities)[groups][:, None]

    def part(skill: float) -> Floats:
        signal = unit(draw.standard_normal((identities, WIDTH)))[groups]
        noise = unit(draw.standard_normal((faces, WIDTH)))
        return unit(skill * strength * signal + noise)

    shared = part(0.9)
    made = {REFERENCE: shared}
    for level in levels:
        share = level / (level + (1 - level**2) ** 0.5)
        own = part(float(draw.uniform(0.6, 1.4)))
        made[f"r = {level:g}"] = np.hstack([share**0.5 * shared, (1 - share) ** 0.5 * own])
    made[COIN] = unit(draw.standard_normal((faces, WIDTH)))
    paths = [f"{group:05}/{row:06}.png" for row, group in enumerate(groups.tolist())]
    vectors = {name: np.ascontiguousarray(rows, np.float32) for name, rows in made.items()}
    return Models(Faces.of_paths(Path("faces"), paths), vectors)


def true_fpr(models: Models, model: str, block: int = 1024) -> float:
    """FPR at the target FNR over all pairs, by every score."""
    groups = models.faces.groups
    count, places = len(groups), np.arange(len(groups))
    rows = np.asarray(models.vectors[model], np.float64 if count <= 5000 else np.float32)

    def blocks() -> Iterator[tuple[Any, Any, Any]]:
        for start in range(0, count, block):
            part = slice(start, start + block)
            upper = places[part][:, None] < places
            same = groups[part][:, None] == groups
            yield rows[part] @ rows.T, same & upper, upper & ~same

    positives = np.sort(np.concatenate([product[own] for product, own, _ in blocks()]))
    cut = positives[int(TARGET * len(positives))]
    above = sum(int(np.count_nonzero((product >= cut) & other)) for product, _, other in blocks())
    return above / (count * (count - 1) // 2 - len(positives))


def kendall(first: Sequence[float], second: Sequence[float]) -> float:
    """Kendall's tau-b."""
    both = [np.sign([a - b for a, b in combinations(one, 2)]) for one in (first, second)]
    size = float(np.count_nonzero(both[0]) * np.count_nonzero(both[1])) ** 0.5
    return float((both[0] * both[1]).sum()) / size if size else 0.0


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What work gives, and the seconds it took."""
    start = time.perf_counter()
    found = work()
    return found, time.perf_counter() - start


def kinship(models: Models) -> dict[str, float]:
    """Rank correlation of each model with the reference on random pairs."""
    drawn = random_pairs(models.faces, positives=0, negatives=10_000, seed=5)
    i, j = (models.faces.positions(paths) for paths in (drawn.path_a, drawn.path_b))
    ends = Clusters.of(drawn)
    base = models.scores(REFERENCE, i, j)
    return {
        model: rank_correlation(models.scores(model, i, j), base, ends).value
        for model in models.vectors
        if model != REFERENCE
    }


def mined_set(models: Models, i: Rows, j: Rows, seed: int) -> PairSet:
    """These negatives with random positives."""
    drawn = random_pairs(models.faces, positives=POSITIVES, negatives=0, seed=seed)
    paths = models.faces.paths
    first = [paths[at] for at in i.tolist()] + list(drawn.path_a)
    second = [paths[at] for at in j.tolist()] + list(drawn.path_b)
    return PairSet.of(first, second, np.r_[np.zeros(len(i)), np.ones(len(drawn))])


def tables(models: Models, seed: int) -> tuple[dict[str, dict[str, float]], dict[str, Any]]:
    """FPR of every model by every table; who is told apart as worse than the coin; seconds."""
    names, groups = list(models.vectors), models.faces.groups
    worse: dict[str, list[str]] = {}
    found: dict[str, dict[str, float]] = {}
    kin = [model for model, value in kinship(models).items() if value >= KIN]
    index = FlatIndex(models.vectors[REFERENCE])
    top, mined_for = timed(lambda: index.top_pairs(SIZE, groups))
    some = [names[1], names[2], REFERENCE]
    together, fused_for = timed(
        lambda: mine_together({name: models.embeddings(name) for name in some}, SIZE, each=False)
    )
    positions = models.faces.positions
    fused = positions(together.path_a), positions(together.path_b)
    random = random_pairs(models.faces, positives=0, negatives=SIZE, seed=seed)
    drawn = positions(random.path_a), positions(random.path_b)
    for name, (i, j), apart in (
        ("mined", (top.i, top.j), [REFERENCE]),
        ("mined, kin apart", (top.i, top.j), [REFERENCE, *kin]),
        ("committee", fused, some),
        ("random", drawn, []),
    ):
        pairs = mined_set(models, i, j, seed)
        ends = positions(pairs.path_a), positions(pairs.path_b)
        scores = {model: models.scores(model, *ends) for model in names}
        compared = compare(name, pairs, scores, TARGET, apart=apart, draws=200)
        found[name] = {one: got.fpr_achieved for one, got in compared.evaluations.items()}
        worse[name] = [
            other
            for one in compared.differences.get("fpr", ())
            for other in {one.first, one.second} - {COIN}
            if COIN in (one.first, one.second) and one.better == COIN
        ]
    strata, design_for = timed(lambda: strata_of(models))
    found["design"] = by_design(models, strata, seed)
    censuses, census_for = timed(
        lambda: {name: take_census(models.embeddings(name), TARGET, full=True) for name in names}
    )
    compared_all = compare_census(censuses)
    found["census"] = {name: one.point("fnr", TARGET).fpr for name, one in censuses.items()}  # type: ignore[union-attr]
    worse["census"] = [
        other
        for one in next(iter(compared_all.differences.values()))
        for other in {one.first, one.second} - {COIN}
        if COIN in (one.first, one.second) and one.better == COIN
    ]
    seconds = {
        "mined": mined_for,
        "committee": fused_for,
        "design": design_for,
        "census, a model": census_for / len(names),
    }
    return found, {"worse": worse, "seconds": seconds, "kin": kin, "miners": some}


def strata_of(models: Models, references: Sequence[str] = (REFERENCE,)) -> PairStrata:
    """Strata of all pairs by the ranks of some models."""
    groups = models.faces.groups
    space = PairSpace.of_groups(groups)
    depth = listed_depth(space, SIZE)
    tops = [FlatIndex(models.vectors[name]).top_pairs(depth, groups) for name in references]
    return PairStrata.of([(one.i, one.j) for one in tops], space, SIZE)


def by_design(models: Models, strata: PairStrata, seed: int) -> dict[str, float]:
    """FPR over all pairs as a sample estimates it."""
    sample = strata.sample(seed)
    drawn = random_pairs(models.faces, positives=POSITIVES, negatives=0, seed=seed)
    ends = [models.faces.positions(paths) for paths in (drawn.path_a, drawn.path_b)]
    weights = 1 / sample.probability
    found = {}
    for model in models.vectors:
        positives = np.sort(models.scores(model, *ends))
        cut = positives[int(TARGET * len(positives))]
        wrong = models.scores(model, sample.i, sample.j) >= cut
        found[model] = float(weights[wrong].sum() / weights.sum())
    return found


def agreement(
    faces: int, identities: int, repeats: int, levels: Sequence[float] = LEVELS
) -> dict[str, Any]:
    """Tables against the truth over several worlds."""
    taus: dict[str, list[float]] = {}
    behind: dict[str, list[int]] = {}
    told: dict[str, list[int]] = {}
    seconds: dict[str, list[float]] = {}
    correlations: dict[str, list[float]] = {}
    for seed in range(repeats):
        models = plant(faces, identities, seed, levels)
        truth = {model: true_fpr(models, model) for model in models.vectors}
        found, more = tables(models, seed)
        for model, value in kinship(models).items():
            correlations.setdefault(model, []).append(value)
        shown = [model for model in truth if model != REFERENCE]
        free = [model for model in shown if model not in more["kin"]]
        for table in TABLES:
            rates = found[table]
            rows = [one for one in shown if table != "committee" or one not in more["miners"]]
            taus.setdefault(table, []).append(_tau(truth, rates, rows))
            better = [one for one in rows if one != COIN and truth[one] < truth[COIN]]
            lost = sum(rates[one] >= rates[COIN] for one in better)
            behind.setdefault(table, []).append(lost)
        taus.setdefault("mined, without kin", []).append(_tau(truth, found["mined"], free))
        for table, names in more["worse"].items():
            told.setdefault(table, []).append(len(names))
        for what, value in more["seconds"].items():
            seconds.setdefault(what, []).append(value)
    return {
        "faces": faces,
        "identities": identities,
        "repeats": repeats,
        "models": len(levels) + 1,
        "rank correlation with the reference": {
            model: round(median(values), 3) for model, values in correlations.items()
        },
        "kendall_tau": {table: round(float(np.mean(values)), 3) for table, values in taus.items()},
        "better_models_behind_the_coin": {one: sum(values) for one, values in behind.items()},
        "told_apart_as_worse_than_the_coin": {one: sum(values) for one, values in told.items()},
        "seconds": {what: round(median(values), 3) for what, values in seconds.items()},
    }


def _tau(truth: Mapping[str, float], rates: Mapping[str, float], rows: Sequence[str]) -> float:
    return kendall([truth[one] for one in rows], [rates[one] for one in rows])


def design_coverage(
    models: Models, samples: int, references: Sequence[str], shown: Sequence[str]
) -> list[dict[str, Any]]:
    """Bias, coverage and variance of the design's estimates at thresholds of known FPR."""
    groups = models.faces.groups
    i, j = np.triu_indices(len(groups), 1)
    other = groups[i] != groups[j]
    i, j = i[other], j[other]
    strata = strata_of(models, references)
    drawn = [strata.sample(seed) for seed in range(samples)]
    rows = []
    for model in shown:
        every = np.sort(models.scores(model, i, j))
        scored = [models.scores(model, one.i, one.j) for one in drawn]
        for fpr in FPRS:
            cut = every[-max(int(fpr * len(every)), 1)]
            truth = float((every >= cut).mean())
            found = [
                design_rate(values >= cut, one.probability, one.stratum, one.populations)
                for values, one in zip(scored, drawn, strict=True)
            ]
            values = np.array([one.value for one in found])
            known = [one for one in found if one.resolvable]
            error = float(values.std(ddof=1))
            rows.append(
                {
                    "model": model,
                    "references": len(references),
                    "fpr": fpr,
                    "bias_in_its_errors": round(
                        float((values.mean() - truth) / max(error / samples**0.5, 1e-300)), 2
                    ),
                    "variance_of_random": round(error**2 / (truth * (1 - truth) / SIZE), 4),
                    "resolvable": len(known) / samples,
                    "coverage": round(
                        float(np.mean([one.low <= truth <= one.high for one in known])), 3
                    )
                    if known
                    else None,
                }
            )
    return rows


def census_coverage(worlds: int) -> dict[str, Any]:
    """How often the census's intervals hold the rates of other identities."""
    giant = one_model(60_000, 12_000, 10**6)
    truth = take_census(giant, TARGET, full=True)
    names = [
        (one.fixed, one.target) for one in truth.points if one.target >= 1e-4 or not one.target
    ]
    hits: dict[str, list[bool]] = {}
    for seed in range(worlds):
        found = take_census(one_model(400, 80, seed), TARGET, full=True)
        for fixed, target in names:
            at, real = found.point(fixed, target), truth.point(fixed, target)
            if at is not None and real is not None and at.interval.low == at.interval.low:
                inside = at.interval.low <= real.value <= at.interval.high
                hits.setdefault(at.name, []).append(inside)
    return {
        "faces": 400,
        "identities": 80,
        "worlds": worlds,
        "told": {name: len(one) / worlds for name, one in hits.items()},
        "coverage": {name: round(float(np.mean(one)), 3) for name, one in hits.items()},
    }


def one_model(faces: int, identities: int, seed: int) -> Embeddings:
    """A model's embeddings of identities of which some are harder than others."""
    draw = np.random.default_rng(seed)
    groups = np.sort(draw.integers(0, identities, faces))
    strength = draw.lognormal(0.0, 0.35, identities)[groups][:, None]
    # A direction that all identities lean to, each as much as it does: hubs.
    lean = draw.normal(0.5, 0.25, identities)[groups][:, None]
    common = np.zeros((1, WIDTH))
    common[0, 0] = 1.0
    signal = unit(draw.standard_normal((identities, WIDTH)))[groups]
    rows = unit(strength * signal + lean * common + unit(draw.standard_normal((faces, WIDTH))))
    paths = [f"{group:06}/{row:06}.png" for row, group in enumerate(groups.tolist())]
    manifest = {"model": "m", "fingerprint": "m", "similarity": "cosine"}
    table = np.ascontiguousarray(rows, np.float32)
    return Embeddings(Faces.of_paths(Path("faces"), paths), table, manifest, Path("m"))


def real_faces(folders: Sequence[Path], samples: int) -> dict[str, Any]:
    """The design's estimates against the census on real faces."""
    lite, pixels = (Embeddings.load(folder) for folder in folders)
    centred = unit(lite.vectors - lite.vectors.mean(axis=0, dtype=np.float64))
    coin = unit(np.random.default_rng(0).standard_normal((len(lite), WIDTH)))
    models = Models(
        lite.faces,
        {
            REFERENCE: np.asarray(lite.vectors),
            "centred": centred.astype(np.float32),
            "pixels": np.asarray(pixels.vectors),
            COIN: coin.astype(np.float32),
        },
    )
    names = list(models.vectors)
    censuses, seconds = timed(
        lambda: {name: take_census(models.embeddings(name), TARGET, full=True) for name in names}
    )
    groups = models.faces.groups
    top = FlatIndex(models.vectors[REFERENCE]).top_pairs(SIZE, groups)
    pairs = mined_set(models, top.i, top.j, 0)
    ends = [models.faces.positions(paths) for paths in (pairs.path_a, pairs.path_b)]
    scores = {name: models.scores(name, ends[0], ends[1]) for name in names}
    mined = compare("mined", pairs, scores, TARGET, apart=[REFERENCE])
    kin = kinship(models)
    told = [
        {"better": one.better, "worse": one.second if one.better == one.first else one.first}
        for one in mined.differences["fpr"]
        if one.better is not None
    ]
    points = {name: one.point("fnr", TARGET) for name, one in censuses.items()}
    return {
        "faces": len(models.faces),
        "negatives": censuses[REFERENCE].population.negatives,
        "census_seconds_of_four_models": round(seconds, 2),
        "fpr_over_all_pairs": {
            name: [at.fpr, at.interval.low, at.interval.high]
            for name, at in points.items()
            if at is not None
        },
        "fpr_on_the_mined_set": {n: one.fpr_achieved for n, one in mined.evaluations.items()},
        "rank_correlation_with_the_reference": kin,
        "kin": [name for name, value in kin.items() if value >= KIN],
        "told_apart_on_the_mined_set_with_kin": told,
        "design": design_coverage(models, samples, [REFERENCE], names),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and keep the result."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--worlds", type=int, default=300)
    parser.add_argument("--large", type=int, default=1, help="worlds of 50,000 faces")
    parser.add_argument("--embeddings", type=Path, nargs=2)
    parser.add_argument("--parts", nargs="*", help="measure these alone, and keep the others")
    options = parser.parse_args(arguments)
    world = plant(800, 60, 1)
    shown = [REFERENCE, "r = 0.95", "r = 0.8", "r = 0.6", "r = 0.4", "r = 0", COIN]
    parts: dict[str, Callable[[], Any]] = {
        "small": lambda: agreement(2000, 100, options.repeats),
        "design": lambda: [
            *design_coverage(world, options.samples, [REFERENCE], shown),
            *design_coverage(world, options.samples, [REFERENCE, "r = 0.4", "r = 0"], shown),
        ],
        "census": lambda: census_coverage(options.worlds),
        "real": lambda: real_faces(options.embeddings, options.samples),
        "large": lambda: agreement(50_000, 1000, options.large, FEW),
    }
    kept = RESULTS / "fairness.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    # What was not measured this time stays, if it is of the same machine.
    result = {part: before[part] for part in parts if part in before}
    if before.get("machine") != json.loads(json.dumps(describe())):
        result = {}
    for part in options.parts or [part for part in parts if part != "real" or options.embeddings]:
        result[part] = parts[part]()
        print(part, flush=True)
    keep("fairness", result)


if __name__ == "__main__":
    main()
