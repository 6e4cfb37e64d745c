"""The warning that a mean is of another kind of faces: false alarms, hits, and what it is worth.

    python -m benchmarks.post_fit [--demo demo] [--cache FOLDER] [--draws 40] [--seeds 4]

A step is learnt on some identities of one collection and put behind the vectors of others: of the
same collection, which should give no warning, or of another. Collections are the real faces of
`$LOOKALIKES_DATA/faces` and drawn faces of two styles; identities are drawn again for each draw,
and never both learnt on and judged. In each cell how often it warned, and the ratio and the share
of `mining.models.collection_mean`.

Then what a share costs: the mean that is taken off is moved from that of other real identities
towards that of drawn faces, and the EER on random pairs is set beside the share that is left. Needs
what `make demo` leaves: weights.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import keep
from benchmarks.post import (
    RANDOM,
    arguments,
    count_positives,
    drawn_vectors,
    half,
    judge,
    made,
    real_faces,
    stepped,
)
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import WhiteningPlan, learn_whitening
from mining.models.collection_mean import (
    LEAST_IDENTITIES,
    LEVEL,
    SHARE,
    CollectionMean,
    MeanFit,
    collection_mean,
    compared,
)
from mining.models.whitening_step import Whitening
from pairsets.random_set import random_pairs

REAL = "real faces"
# Identities that are learnt on, and judged.
SIZES = ((150, 150), (50, 50), (20, 20), (10, 10))
# What is embedded, the step, and the share of the draws that it gets: whitenings take long.
CELLS = (("plain", "centre", 1.0), ("layers, flip", "centre", 1.0), ("plain", "within", 0.25))
# How far the mean is moved towards that of drawn faces.
MOVES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)


def names_of(embeddings: Embeddings) -> Any:
    """The identity of each face, as text."""
    return embeddings.faces.identities.astype(str)


def some(embeddings: Embeddings, chosen: Any) -> Embeddings:
    """The faces of these identities."""
    return embeddings.take(np.flatnonzero(np.isin(names_of(embeddings), chosen)))


def mean_of(embeddings: Embeddings) -> CollectionMean:
    """The mean of vectors as `embed` finds it."""
    codes = np.unique(names_of(embeddings), return_inverse=True)[1].astype(np.int64)
    return collection_mean(np.asarray(embeddings.vectors), codes)


def fit_of(step: Whitening, judged: Embeddings) -> MeanFit:
    """How a step fits the faces, as `embed --whitening` finds it."""
    assert step.stepped is not None
    found = compared(step.stepped, mean_of(stepped(judged, step)))
    assert found is not None
    return found


def fits(
    made: Mapping[str, Embeddings], method: Any, sizes: tuple[int, int], draws: int
) -> dict[tuple[str, str], list[MeanFit]]:
    """Fits of each collection's step to each collection, a list of draws."""
    found: dict[tuple[str, str], list[MeanFit]] = {}
    for draw in range(draws):
        rng = np.random.default_rng((draw, *sizes))
        order = {name: rng.permutation(np.unique(names_of(one))) for name, one in made.items()}
        for learnt, one in made.items():
            if len(order[learnt]) < sizes[0]:
                continue
            step = learn_whitening(some(one, order[learnt][: sizes[0]]), WhiteningPlan(method))
            for name, other in made.items():
                rest = order[name][sizes[0] if name == learnt else 0 :][: sizes[1]]
                if len(rest) == sizes[1]:
                    fit = fit_of(step, some(other, rest))
                    found.setdefault((learnt, name), []).append(fit)
    return found


def cells(
    collections: Mapping[str, Mapping[str, Embeddings]], draws: int
) -> Iterator[dict[str, Any]]:
    """A line for each kind of vectors, step, sizes, and pair of collections."""
    for kind, method, share in CELLS:
        made = {name: one[kind] for name, one in collections.items()}
        for sizes in SIZES:
            found = fits(made, method, sizes, max(1, round(share * draws)))
            for (learnt, judged), those in found.items():
                yield {
                    "vectors": kind,
                    "step": method,
                    "identities": [*sizes],
                    "learnt_on": learnt,
                    "judged": judged,
                    "same": learnt == judged,
                    "draws": len(those),
                    "warned": sum(fit.foreign for fit in those),
                    "below_level": sum(fit.p < LEVEL for fit in those),
                    "below_0.05": sum(fit.p < 0.05 for fit in those),
                    "ratio": extent([fit.ratio for fit in those]),
                    "share": extent([fit.share for fit in those]),
                }


def extent(values: list[float]) -> list[float]:
    """Least, median and largest."""
    return [round(one, 3) for one in (min(values), statistics.median(values), max(values))]


def moved(real: Embeddings, drawn: Embeddings, seed: int) -> list[dict[str, float]]:
    """The share that is left and the EER, for each move of the mean of one half."""
    judged, others = half(real, seed, True), half(real, seed, False)
    step = learn_whitening(others, WhiteningPlan("centre"))
    away = learn_whitening(drawn, WhiteningPlan("centre")).mean - step.mean
    faces = judged.faces
    pairs = random_pairs(faces, positives=count_positives(faces), negatives=RANDOM, seed=seed)
    vectors, found = {}, []
    for move in MOVES:
        one = replace(step, mean=step.mean + move * away)
        learnt = mean_of(stepped(others, one))
        vectors[str(move)] = stepped(judged, one)
        # Faces with the moved mean would have been left without any.
        bare = replace(learnt, mean=np.zeros_like(learnt.mean))
        left = compared(bare, mean_of(vectors[str(move)]))
        assert left is not None
        found.append({"move": move, "share": left.share})
    rates = judge({"none": stepped(judged, None), **vectors}, pairs, 0, False)
    lines = [
        {
            "move": one["move"],
            "share": round(one["share"], 3),
            "eer": rates[str(one["move"])]["eer"],
        }
        for one in found
    ]
    return [*lines, {"move": -1.0, "share": -1.0, "eer": rates["none"]["eer"]}]


def costs(real: Embeddings, drawn: Embeddings, seeds: int) -> list[dict[str, Any]]:
    """A line a move, means over halves; the last is without any step."""
    each = [moved(real, drawn, seed) for seed in range(seeds)]
    return [
        {
            "move": None if lines[0]["move"] < 0 else lines[0]["move"],
            "share": None if lines[0]["move"] < 0 else extent([one["share"] for one in lines]),
            "eer": round(statistics.mean(one["eer"] for one in lines), 2),
        }
        for lines in zip(*each, strict=True)
    ]


def main() -> None:
    """Embed, learn, compare and keep."""
    chosen, spec = arguments(__doc__, 40)
    if (faces := real_faces()) is None:
        return
    with tempfile.TemporaryDirectory(prefix="post-fit.") as temporary:
        cache, kinds = chosen.cache or Path(temporary), ["plain", "layers, flip"]
        found: dict[str, Mapping[str, Embeddings]] = {
            REAL: made(spec, faces, cache / "real", kinds)
        }
        found |= drawn_vectors(spec, cache, kinds)
        lines = [*cells(found, chosen.draws)]
        drawn = found["drawn faces (lorelei)"]
        cost = {kind: costs(found[REAL][kind], drawn[kind], chosen.seeds) for kind in kinds}
        sizes = {
            name: {"faces": len(one["plain"]), "identities": one["plain"].faces.count_identities}
            for name, one in found.items()
        }
    sums: dict[str, dict[str, int]] = {}
    for one in lines:
        kind = "same" if one["same"] else "foreign"
        found_so_far = sums.setdefault(f"{kind}, {one['identities'][0]} identities", {})
        for name in ("draws", "warned"):
            found_so_far[name] = found_so_far.get(name, 0) + one[name]
    keep(
        "post_fit",
        {
            "model": "timm:tf_efficientnet_lite0, ImageNet",
            "collections": sizes,
            "level": LEVEL,
            "share": SHARE,
            "least_identities": LEAST_IDENTITIES,
            "summary": sums,
            "costs": cost,
            "cells": lines,
        },
    )


if __name__ == "__main__":
    main()
