"""Better vectors without training: flips, layers, means and whitenings, judged on real faces.

    python -m benchmarks.post [--demo demo] [--cache FOLDER] [--seeds 4] [--draws 200]

Half of the identities in `$LOOKALIKES_DATA/faces` are judged, a step is learnt on the other half,
or on drawn faces of two styles: another collection. Once for each seed. Three sets of pairs of the
judged half, with all its positives:

- random: 5,000 random negatives;
- hard: the 1,000 negatives that the plain vectors take for the most alike, which is a handicap for
  plain and flatters what differs from it;
- own: each row's own 1,000 hardest negatives, the same handicap for all.

Of each row EER, and FPR at an FNR of 13.9 %, with our intervals by identity; of the first two sets
the difference from plain on the same pairs. Needs what `make demo` leaves: drawn faces, weights.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import keep
from mining.embeddings.options import EmbeddingOptions
from mining.embeddings.store import Embeddings
from mining.embeddings.whitening_learner import WhiteningPlan, learn_whitening
from mining.miners.negatives import mine_negatives
from mining.models.whitening_step import Whitening, unit
from mining.scores.score_pairs import score_pairs
from pairsets.evaluation.clusters import Clusters
from pairsets.evaluation.differences import differences, holm
from pairsets.evaluation.evaluator import ModelEvaluation, evaluate_all
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.progress import silent
from pairsets.random_set import random_pairs
from pairsets.sources.drawn.sample import draw_faces

LAYERS = (*(f"blocks.{number}" for number in range(2, 7)), "head")
# What is embedded: the options of each kind.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "flip": {"flip": True},
    "layers": {"layers": LAYERS},
    "layers, flip": {"layers": LAYERS, "flip": True},
}
PLANS = {
    "mean": WhiteningPlan("centre"),
    "PCA whitening": WhiteningPlan("pca"),
    "PCA whitening, 128 dimensions": WhiteningPlan("pca", 128),
    "within-class whitening": WhiteningPlan("within"),
    "within-class whitening, shrinkage 0.5": WhiteningPlan("within", None, 0.5),
}
OWN, OTHERS = "the judged faces themselves", "other identities of the collection"
TARGET, RANDOM, HARD = 0.139, 5000, 1000
_CHARACTERS = 100
# Beside `lorelei`, that of the sample.
_STYLE = "adventurer"


@dataclass(frozen=True)
class Row:
    """A way to make vectors.

    Attributes:
        kind: of `KINDS`.
        plan: of `PLANS`; None for no step.
        source: what the step is learnt on: `OWN`, `OTHERS` or a drawn style.
    """

    kind: str
    plan: str | None = None
    source: str = ""

    @property
    def name(self) -> str:
        """Name in the table."""
        return self.kind + ("" if self.plan is None else f" + {self.plan}, {self.source}")


def rows(styles: Sequence[str]) -> list[Row]:
    """All rows, the plain one first."""
    found = [Row(kind) for kind in KINDS]
    for kind in ("plain", "layers, flip"):
        found.append(Row(kind, "mean", OWN))
        found += [Row(kind, plan, OTHERS) for plan in PLANS]
        for style in styles:
            found += [Row(kind, plan, style) for plan in ("mean", "within-class whitening")]
    return found


def made(spec: str, faces: Faces, folder: Path, kinds: Sequence[str]) -> dict[str, Embeddings]:
    """Embeddings of each kind."""
    return {
        kind: EmbeddingOptions(device="cpu", **KINDS[kind]).embed(
            faces,
            EmbeddingOptions(device="cpu", **KINDS[kind]).load(spec),
            folder / kind.replace(", ", "-"),
            silent,
        )
        for kind in kinds
    }


def stepped(embeddings: Embeddings, step: Whitening | None) -> Embeddings:
    """Embeddings with a step behind, as `embed --whitening` makes them."""
    vectors = np.asarray(embeddings.vectors)
    if step is not None:
        vectors = unit(step.apply(vectors.astype(np.float64))).astype(np.float32)
    return replace(embeddings, vectors=vectors, files=())


def half(embeddings: Embeddings, seed: int, judged: bool) -> Embeddings:
    """The faces of half of the identities: those that are judged, or the others."""
    names = np.unique(embeddings.faces.identities.astype(str))
    chosen = np.random.default_rng(seed).permutation(names)[: len(names) // 2]
    inside = np.isin(embeddings.faces.identities.astype(str), chosen)
    return embeddings.take(np.flatnonzero(inside == judged))


def vectors_of(
    row: Row, real: Mapping[str, Embeddings], drawn: Mapping[str, Mapping[str, Embeddings]],
    seed: int,
) -> Embeddings:  # fmt: skip
    """The judged half's vectors."""
    judged = half(real[row.kind], seed, True)
    if row.plan is None:
        return stepped(judged, None)
    learnt = {OWN: judged, OTHERS: half(real[row.kind], seed, False)}
    source = learnt[row.source] if row.source in learnt else drawn[row.source][row.kind]
    return stepped(judged, learn_whitening(source, PLANS[row.plan]))


def joined(positives: PairSet, negatives: PairSet) -> PairSet:
    """Positives and negatives in one set."""
    return PairSet.of(
        [*positives.path_a, *negatives.path_a],
        [*positives.path_b, *negatives.path_b],
        [1] * len(positives) + [0] * len(negatives),
    )


def rates(one: ModelEvaluation) -> dict[str, Any]:
    """EER and FPR of a row, with intervals, in per cent."""
    found, said = one.evaluation, {}
    for name, key in (("eer", "eer"), ("fpr", "fpr_interpolated")):
        inside = found.intervals.get(key)
        said[name] = round(100 * getattr(found, key), 2)
        said[f"{name}_interval"] = inside and [
            round(100 * inside.low, 2), round(100 * inside.high, 2)
        ]  # fmt: skip
    return said


def judge(
    made: Mapping[str, Embeddings], pairs: PairSet, draws: int, compared: bool
) -> dict[str, dict[str, Any]]:
    """Rates of each row on one set, and differences from the first."""
    scores = {name: score_pairs(pairs, one) for name, one in made.items()}
    judged = evaluate_all(pairs, scores, TARGET, draws=draws)
    found = {name: rates(one) for name, one in judged.items()}
    if not compared:
        return found
    first, *others = judged
    ends = Clusters.of(pairs, "identity")
    for statistic in ("eer", "fpr"):
        rows = [
            differences({name: judged[name], first: judged[first]}, ends, statistic)[0]
            for name in others
        ]
        for one, p in zip(rows, holm([row.p for row in rows]).tolist(), strict=True):
            found[one.first][f"{statistic}_less_plain"] = [
                round(100 * value, 2) for value in (one.value, one.low, one.high)
            ]
            found[one.first][f"{statistic}_p_holm"] = float(f"{p:.2g}")
    return found


def seed_results(
    real: Mapping[str, Embeddings], drawn: Mapping[str, Mapping[str, Embeddings]], seed: int,
    draws: int,
) -> dict[str, Any]:  # fmt: skip
    """All rows on the three sets of one judged half."""
    vectors = {row.name: vectors_of(row, real, drawn, seed) for row in rows([*drawn])}
    faces = vectors["plain"].faces
    both = random_pairs(faces, positives=count_positives(faces), negatives=RANDOM, seed=seed)
    positives, negatives = both.take(both.label == 1), both.take(both.label == 0)
    hard = mine_negatives(vectors["plain"], HARD, device="cpu").pairs
    found = {
        "random": judge(vectors, joined(positives, negatives), draws, True),
        "hard": judge(vectors, joined(positives, hard), draws, True),
        "own": {},
    }
    for name, one in vectors.items():
        mined = mine_negatives(one, HARD, device="cpu").pairs
        found["own"] |= judge({name: one}, joined(positives, mined), draws, False)
    return {"seed": seed, "faces": len(faces), "positives": len(positives), **found}


def count_positives(faces: Faces) -> int:
    """Number of all pairs of one identity."""
    counts = np.unique(faces.identities.astype(str), return_counts=True)[1]
    return int((counts * (counts - 1) // 2).sum())


def summary(results: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """A line a row: means over the seeds, and in how many of them it differs from plain."""
    for name in results[0]["random"]:
        line: dict[str, Any] = {"row": name}
        for kind in ("random", "hard", "own"):
            those = [result[kind][name] for result in results]
            for rate in ("eer", "fpr"):
                line[f"{kind}_{rate}"] = round(statistics.mean(one[rate] for one in those), 1)
                if f"{rate}_less_plain" in those[0]:
                    told = [one[f"{rate}_less_plain"] for one in those
                            if one[f"{rate}_p_holm"] < 0.05]  # fmt: skip
                    line[f"{kind}_{rate}_better"] = sum(one[0] < 0 for one in told)
                    line[f"{kind}_{rate}_worse"] = sum(one[0] > 0 for one in told)
        yield line


def arguments(about: str, draws: int) -> tuple[argparse.Namespace, str]:
    """What a run is asked for, and the text that loads the model.

    Args:
        about: what the script does.
        draws: how many there are by default.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("demo/sample"))
    parser.add_argument("--cache", type=Path, help="where vectors are kept")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--draws", type=int, default=draws)
    chosen = parser.parse_args()
    return chosen, f"timm:tf_efficientnet_lite0@{chosen.demo / 'tf_efficientnet_lite0'}"


def real_faces() -> Faces | None:
    """The real faces; None, which is told, where this machine has none."""
    data = Path(os.environ.get("LOOKALIKES_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "faces").is_dir():
        print(f"no real faces in {data}: set LOOKALIKES_DATA to the folder that has them")
        return None
    return Faces.scan(data / "faces")


def drawn_vectors(
    spec: str, cache: Path, kinds: Sequence[str]
) -> dict[str, Mapping[str, Embeddings]]:
    """Embeddings of drawn faces of two styles, by kind."""
    found: dict[str, Mapping[str, Embeddings]] = {}
    for style in ("lorelei", _STYLE):
        if not (cache / style / "faces").is_dir():
            draw_faces(cache / style, characters=_CHARACTERS, style=style, seed=0)
        faces = Faces.scan(cache / style / "faces")
        found[f"drawn faces ({style})"] = made(spec, faces, cache / f"{style}.vectors", kinds)
    return found


def main() -> None:
    """Embed, learn, judge and keep."""
    chosen, spec = arguments(__doc__, 200)
    if (faces := real_faces()) is None:
        return
    with tempfile.TemporaryDirectory(prefix="post.") as temporary:
        cache = chosen.cache or Path(temporary)
        real = made(spec, faces, cache / "real", [*KINDS])
        drawn = drawn_vectors(spec, cache, ["plain", "layers, flip"])
        results = [seed_results(real, drawn, seed, chosen.draws) for seed in range(chosen.seeds)]
        counts = {name: len(one["plain"]) for name, one in drawn.items()}
    keep(
        "post",
        {
            "model": "timm:tf_efficientnet_lite0, ImageNet",
            "layers": [*LAYERS],
            "faces": len(real["plain"]),
            "identities": real["plain"].faces.count_identities,
            "drawn": counts,
            "target_fnr": TARGET,
            "draws": chosen.draws,
            "summary": [*summary(results)],
            "seeds": results,
        },
    )


if __name__ == "__main__":
    main()
