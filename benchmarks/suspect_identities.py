"""How well wrong identities are found: planted aliases, names, labels and vetoes, and time.

    python -m benchmarks.suspect_identities [--half test] [--demo demo] [--cache FOLDER]

Wants what `make demo` leaves (300 drawn characters, looked at by `pixels` and an ImageNet network);
with LOOKALIKES_DATA also real faces, which are embedded into `--cache` with the same two models.
Labels are replanted, pictures stay as they are:

- **aliases**: 12 characters are split in two, of so many pictures each. Decoys are every
  character's three nearest others, once each; among drawn ones there are look-alikes that differ in
  one trait (counted apart), among real ones sisters. Besides, one picture of 2 to 8 is put under a
  neighbour's name too, which makes nobody one. Plain rule: the mean score of their pairs is no
  lower than the mean of their own.
- **names**: names are rewritten, every name against every other; and as decoys made into those of
  somebody else. Plain rules: `difflib` finds the two alike to 0.8, or what stands before the
  brackets is equal.
- **mislabels**: 3 % of faces are moved to a character drawn at random, or one of the five nearest.
  Plain rule: nearer to the mean of another character than to that of its own other faces.
- **vetoes**: the 3,000 hardest negatives of one model where 30 characters are split and 3 % of
  faces moved; the other model vetoes. Plain rule: it scores no lower than its mean positive.

`clean` is what is flagged of the hardest negatives where nothing was planted; of real faces some of
it may be wrong in the data. `seconds` is measured on random vectors.

The limits for aliases were set on the drawn faces and one half of the real characters (`--half
tune`); results are of the other half of the real ones, but of the same drawn faces, split by other
seeds. Those for mislabels were set on both halves, with other faces moved. The *form* of all rules
was found while looking at planted errors in both halves.
"""

from __future__ import annotations

import argparse
import csv
import difflib
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import RESULTS, describe
from indexes import FlatIndex
from mining import embed, load_model
from mining.embeddings.store import Embeddings
from mining.models.names import short_name
from mining.suspects.aliases import SameIdentity
from mining.suspects.identity.names import Likeness, likeness
from mining.suspects.identity.positive_scores import Positives
from mining.suspects.mislabels import Mislabelled
from mining.suspects.vetoes import SecondModel
from pairsets.faces import Faces
from pairsets.pairset import PairSet
from pairsets.paths import strings
from pairsets.storage.artefacts import write_json

SIZES = [(1, 1), (2, 2), (2, 3), (3, 3), (3, 5), (5, 5), (8, 8)]
SEEDS = {"tune": range(4), "test": range(100, 106)}
SPLIT, MOVED, HARDEST = 12, 0.03, 3000
NETWORK = "timm:tf_efficientnet_lite0"
Names = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class World:
    """Faces as two models see them: a network and `pixels`, rows alike."""

    network: Embeddings
    pixels: Embeddings

    @property
    def identities(self) -> Names:
        """`[N]`."""
        return self.network.faces.identities

    def relabelled(self, identities: Names, rows: NDArray[np.int64] | None = None) -> World:
        """The same pictures in folders of other names, those of `rows` alone."""
        if rows is None:
            rows = np.arange(len(identities))
        return World(*(refolded(each, identities, rows) for each in (self.network, self.pixels)))

    @property
    def sides(self) -> dict[str, list[Embeddings]]:
        """Who looks."""
        network, pixels = self.network, self.pixels
        return {"network": [network], "pixels": [pixels], "both": [network, pixels]}


def refolded(given: Embeddings, identities: Names, rows: NDArray[np.int64]) -> Embeddings:
    """Embeddings of `rows` in folders of other names, in the order of their new paths.

    The file of row N is `name/N`.
    """
    paths = [f"{identities[row]}/{row:06}" for row in rows.tolist()]
    order = np.argsort(np.array(paths, object), kind="stable")
    faces = Faces.of_paths(Path("faces"), [paths[at] for at in order.tolist()])
    return replace(given, faces=faces, vectors=np.asarray(given.vectors)[rows[order]])


def half(world: World, which: str) -> World:
    """Every second character of a shuffled list."""
    names = np.unique(world.identities.astype(str))
    np.random.default_rng(99).shuffle(names)
    kept = {*names[("tune", "test").index(which) :: 2].tolist()}
    rows = np.array([at for at, name in enumerate(world.identities) if name in kept])
    return world.relabelled(world.identities, rows)


def split(world: World, sizes: tuple[int, int], count: int, seed: int) -> tuple[World, set[Any]]:
    """Some characters as two of so many faces, others of theirs left out; and their names."""
    generator = np.random.default_rng(seed)
    identities = world.identities.copy()
    names, counts = np.unique(identities.astype(str), return_counts=True)
    large = names[counts >= sum(sizes)]
    generator.shuffle(large)
    kept = np.ones(len(identities), bool)
    planted = set()
    for at, name in enumerate(large[:count].tolist()):
        rows = generator.permutation(np.flatnonzero(identities == name))
        other = f"zz{at}"
        identities[rows[: sizes[0]]] = other
        kept[rows[sum(sizes) :]] = False
        planted.add((min(name, other), max(name, other)))
    return world.relabelled(identities, np.flatnonzero(kept)), planted


def neighbours(given: Embeddings, count: int = 3) -> set[tuple[str, str]]:
    """Each character with its nearest others, by the inner product of means."""
    groups, names = given.faces.groups, list(dict.fromkeys(given.faces.identities.tolist()))
    means = np.stack([given.vectors[groups == code].mean(axis=0) for code in range(len(names))])
    scores = means @ means.T
    np.fill_diagonal(scores, -np.inf)
    near = np.argsort(-scores, axis=1)[:, :count]
    return {
        (min(names[a], names[b]), max(names[a], names[b]))
        for a in range(len(names))
        for b in near[a].tolist()
    }


def copied(world: World, seed: int) -> tuple[World, list[tuple[str, str]]]:
    """One picture of some characters also as the first of a neighbour's; and the characters."""
    generator = np.random.default_rng(seed)
    identities = world.identities
    names, counts = np.unique(identities.astype(str), return_counts=True)
    few = {*names[(counts > 1) & (counts <= 8)].tolist()}
    near = sorted(pair for pair in neighbours(world.network, 1) if {*pair} <= few)
    chosen = [near[at] for at in generator.permutation(len(near))[: 2 * SPLIT].tolist()]
    taken: set[str] = set()
    pairs = [(a, b) for a, b in chosen if not {a, b} & taken and not taken.update((a, b))]
    rows = np.arange(len(identities))
    for a, b in pairs:
        rows[np.flatnonzero(identities == b)[0]] = generator.choice(np.flatnonzero(identities == a))
    planted = World(
        *(
            replace(each, vectors=np.asarray(each.vectors)[rows])
            for each in (world.network, world.pixels)
        )
    )
    return planted, pairs


def aliases(
    world: World, seeds: Sequence[int], look_alikes: frozenset[tuple[str, str]]
) -> dict[str, Any]:
    """Recall by size, and how many decoys are flagged, of each who looks and of the plain rule."""
    found: dict[str, Any] = {}
    for side in world.sides:
        tally: dict[str, dict[str, list[bool]]] = {"ours": {}, "plain": {}}
        who: dict[str, dict[str, set[tuple[str, str]]]] = {"ours": {}, "plain": {}}
        for sizes, seed in ((sizes, seed) for sizes in SIZES for seed in seeds):
            planted_world, planted = split(world, sizes, SPLIT, seed)
            if not planted:
                continue
            looking = planted_world.sides[side]
            asked = sorted({*planted} | neighbours(looking[0]))
            flagged = SameIdentity(looking)(one_each(looking[0].faces, asked)).flagged
            plain = np.logical_and.reduce([_means(each, asked) for each in looking])
            for rule, said in (("ours", flagged), ("plain", plain)):
                for pair, yes in zip(asked, said.tolist(), strict=True):
                    kind = "look_alikes" if pair in look_alikes else "decoys"
                    kind = f"{sizes[0]}+{sizes[1]}" if pair in planted else kind
                    tally[rule].setdefault(kind, []).append(yes)
                    if yes:
                        who[rule].setdefault(kind, set()).add(pair)
        for seed in seeds:
            shared_world, pairs = copied(world, seed)
            looking = shared_world.sides[side]
            flagged = SameIdentity(looking)(one_each(looking[0].faces, pairs)).flagged
            plain = np.logical_and.reduce([_means(each, pairs) for each in looking])
            for rule, said in (("ours", flagged), ("plain", plain)):
                kind = "one_picture_under_both"
                tally[rule].setdefault(kind, []).extend(said.tolist())
                for pair, yes in zip(pairs, said.tolist(), strict=True):
                    if yes:
                        who[rule].setdefault(kind, set()).add(pair)
        found[side] = {rule: _rates(kinds, who[rule]) for rule, kinds in tally.items()}
    return found


def _rates(kinds: dict[str, list[bool]], who: dict[str, set[tuple[str, str]]]) -> dict[str, Any]:
    """Recall of what was planted, by kind, and false alarms: of how many different characters.

    Most decoys are the same in every world, and so are false alarms.
    """
    planted = {kind: said for kind, said in kinds.items() if "+" in kind}
    return {
        "recall": {kind: round(float(np.mean(said)), 3) for kind, said in planted.items()},
        "planted": sum(map(len, planted.values())),
        "found": sum(map(sum, planted.values())),
        "false_alarms": {
            kind: {"flagged": sum(said), "of": len(said), "distinct": len(who.get(kind, ()))}
            for kind, said in kinds.items()
            if kind not in planted
        },
    }


def one_each(faces: Faces, pairs: Sequence[tuple[str, str]]) -> PairSet:
    """One pair of faces of each two characters."""
    first: dict[str, str] = {}
    for path, name in zip(faces.paths, faces.identities, strict=True):
        first.setdefault(name, path)
    return PairSet.of([first[a] for a, _ in pairs], [first[b] for _, b in pairs], 0)


def _means(given: Embeddings, pairs: Sequence[tuple[str, str]]) -> NDArray[np.bool_]:
    """The plain rule for aliases."""
    rows = {name: np.flatnonzero(given.faces.identities == name) for both in pairs for name in both}
    vectors = np.asarray(given.vectors, np.float64)

    def own(name: str) -> list[float]:
        scores = vectors[rows[name]] @ vectors[rows[name]].T
        return scores[np.triu_indices(len(scores), 1)].tolist()

    said = []
    for a, b in pairs:
        mine = own(a) + own(b)
        cross = float((vectors[rows[a]] @ vectors[rows[b]].T).mean())
        said.append(bool(mine) and cross >= np.mean(mine))
    return np.array(said)


REWRITTEN: dict[str, Callable[[str], str | None]] = {
    "case and spaces": lambda name: name.title().replace("_", " "),
    "hyphens": lambda name: name.replace("_", "-") if "_" in name.partition("_(")[0] else None,
    "word order": lambda name: _turned(name),
    "costume before the series": lambda name: (
        name.replace("_(", "_(summer)_(", 1) if "_(" in name else None
    ),
    "costume after a full name": lambda name: (
        f"{name}_(school uniform)" if "_" in name and "(" not in name else None
    ),
    "version after the series": lambda name: f"{name}_(tom-neko)" if "_(" in name else None,
    "rebuilt, same series": lambda name: name.replace("_(", "_kai_(", 1) if "_(" in name else None,
}


DECOYS: dict[str, Callable[[str], tuple[str, str] | None]] = {
    "one of a role, by name": lambda name: _of_a_role(name),
    "numbered": lambda name: (name, name.replace("_(", "_(1)_(", 1)) if "_(" in name else None,
    "another form": lambda name: (
        (name, name.replace("_(", "_(alter)_(", 1)) if "_(" in name else None
    ),
    "another series": lambda name: (
        (name, f"{name.partition('_(')[0]}_(elsewhere)") if "_(" in name else None
    ),
    "an initial": lambda name: _with_an_initial(name),
}


def _of_a_role(name: str) -> tuple[str, str] | None:
    """`guard_(series)` and `guard_(given name)_(series)`."""
    stem, bracket, series = name.partition("_(")
    return (f"guard_({series}", f"guard_({stem})_({series}") if bracket else None


def _with_an_initial(name: str) -> tuple[str, str] | None:
    """`marian_(series)` and `maria_n_(series)`, by the first word of a name."""
    stem, bracket, rest = name.partition("_(")
    first = stem.split("_")[0]
    if len(first) < 3 or not first.isalpha():
        return None
    return f"{first}{bracket}{rest}", f"{first[:-1]}_{first[-1]}{bracket}{rest}"


def _turned(name: str) -> str | None:
    stem, bracket, rest = name.partition("_(")
    words = stem.split("_")
    return "_".join(reversed(words)) + bracket + rest if len({*words}) > 1 else None


NAME_RULES: dict[str, Callable[[str, str], bool]] = {
    "ours": lambda a, b: likeness(a, b) >= Likeness.ORDER,
    "difflib 0.8": lambda a, b: difflib.SequenceMatcher(None, a, b).ratio() >= 0.8,
    "same stem": lambda a, b: a.partition("_(")[0] == b.partition("_(")[0],
}


def by_name(names: Sequence[str]) -> dict[str, Any]:
    """Recall by kind of rewriting, and what is flagged of decoys and of the names themselves."""
    chosen = random.Random(0).sample(sorted(names), min(300, len(names)))
    found: dict[str, Any] = {"names": len(chosen), "pairs": len(chosen) * (len(chosen) - 1) // 2}
    for rule, says in NAME_RULES.items():
        recall = {}
        for kind, rewrite in REWRITTEN.items():
            said = [says(name, new) for name in chosen if (new := rewrite(name)) is not None]
            recall[kind] = round(float(np.mean(said)), 3) if said else None
        false = sum(says(a, b) for at, a in enumerate(chosen) for b in chosen[:at])
        decoys = {}
        for kind, make in DECOYS.items():
            said = [says(*both) for name in chosen if (both := make(name)) is not None]
            decoys[kind] = {"flagged": sum(said), "of": len(said)}
        found[rule] = {"recall": recall, "decoys": decoys, "flagged_as_they_are": false}
    return found


def move(world: World, near: bool, seed: int) -> tuple[World, dict[str, str]]:
    """Some faces in folders of other characters; the new path of each and whose it is."""
    generator = np.random.default_rng(seed)
    identities, true = world.identities.copy(), world.identities
    names = np.unique(true.astype(str))
    vectors = np.asarray(world.network.vectors)
    means = np.stack([vectors[true == name].mean(axis=0) for name in names.tolist()])
    paths = {}
    for row in generator.permutation(len(true))[: int(MOVED * len(true))].tolist():
        if (identities == identities[row]).sum() < 2:
            continue
        order = np.argsort(-(means @ vectors[row])) if near else generator.permutation(len(names))
        others = [name for name in names[order].tolist() if name != true[row]]
        identities[row] = others[int(generator.integers(5))]
        paths[f"{identities[row]}/{row:06}"] = str(true[row])
    return world.relabelled(identities), paths


def mislabels(world: World, seeds: Sequence[int]) -> dict[str, Any]:
    """Precision and recall over all faces, of each who looks and of the plain rule."""
    found: dict[str, Any] = {}
    for kind, near in (("at random", False), ("to one of the five nearest", True)):
        tally: dict[tuple[str, str], list[tuple[bool, bool, bool]]] = {}
        for seed in seeds:
            planted_world, moved = move(world, near, seed)
            sizes = dict(
                zip(
                    *np.unique(planted_world.identities.astype(str), return_counts=True),
                    strict=True,
                )
            )
            for side, looking in planted_world.sides.items():
                paths = looking[0].faces.paths.tolist()
                scores, _ = Mislabelled(looking).of_faces(paths)
                ours = scores >= 0.5
                plain = np.logical_and.reduce([_nearer(each) for each in looking])
                for rule, said in (("ours", ours), ("plain", plain)):
                    tally.setdefault((side, rule), []).extend(
                        (bool(yes), path in moved, sizes[path.partition("/")[0]] <= 3)
                        for path, yes in zip(paths, said.tolist(), strict=True)
                    )
        found[kind] = {}
        for (side, rule), rows in tally.items():
            said, wrong, small = np.array(rows).T
            hit = said & wrong
            found[kind].setdefault(side, {})[rule] = {
                "precision": round(float(hit.sum() / said.sum()), 3) if said.any() else None,
                "recall": round(float(hit.sum() / wrong.sum()), 3),
                "recall_of_2_or_3_faces": round(float(hit[small].sum() / wrong[small].sum()), 3),
                "flagged": int(said.sum()),
                "planted": int(wrong.sum()),
                "faces": len(rows),
            }
    return found


def _nearer(given: Embeddings) -> NDArray[np.bool_]:
    """The plain rule for mislabels."""
    groups, vectors = given.faces.groups, np.asarray(given.vectors, np.float64)
    counts = np.bincount(groups)
    sums = np.zeros((len(counts), vectors.shape[1]))
    np.add.at(sums, groups, vectors)
    scores = vectors @ (sums / counts[:, None]).T
    line = np.arange(len(vectors))
    left = counts[groups] - 1
    own = np.einsum("nd,nd->n", vectors, sums[groups]) - np.einsum("nd,nd->n", vectors, vectors)
    scores[line, groups] = -np.inf
    return np.asarray((left > 0) & (scores.max(axis=1) > own / np.maximum(left, 1)))


def hardest(given: Embeddings, count: int = HARDEST) -> PairSet:
    """The hardest negatives."""
    top = FlatIndex(given.vectors).top_pairs(count, given.faces.groups)
    return PairSet.of(given.faces.paths[top.i], given.faces.paths[top.j], 0)


def vetoes(world: World, seeds: Sequence[int]) -> dict[str, Any]:
    """What either model vetoes of the other's hardest negatives."""
    found: dict[str, Any] = {}
    for miner, other in (("network", "pixels"), ("pixels", "network")):
        rows: list[tuple[bool, bool, bool]] = []
        for seed in seeds:
            twice, _ = split(world, (2, 2), 30, seed)
            planted, _ = move(twice, False, seed)
            true = _truth(world, planted)
            pairs = hardest(planted.sides[miner][0])
            (second,) = planted.sides[other]
            said = SecondModel(second)(pairs).flagged
            mean = Positives.of(second).mean
            a, b = second.faces.positions(pairs.path_a), second.faces.positions(pairs.path_b)
            plain = np.einsum("nd,nd->n", second.vectors[a], second.vectors[b]) >= mean
            wrong = [true[x] == true[y] for x, y in zip(pairs.path_a, pairs.path_b, strict=True)]
            rows.extend(zip(said.tolist(), plain.tolist(), wrong, strict=True))
        ours, plain, wrong = np.array(rows).T
        found[f"{other} on what {miner} mined"] = {
            rule: {
                "precision": round(float((said & wrong).sum() / max(1, said.sum())), 3),
                "recall": round(float((said & wrong).sum() / max(1, wrong.sum())), 3),
                "flagged": int(said.sum()),
            }
            for rule, said in (("ours", ours), ("plain", plain))
        } | {"pairs": len(rows), "wrong": int(wrong.sum())}
    return found


def _truth(world: World, planted: World) -> dict[str, str]:
    """Whose each face really is: the planted vectors are looked up among the given ones."""
    whose = {
        vector.tobytes(): str(name)
        for vector, name in zip(
            np.asarray(world.network.vectors), world.identities.tolist(), strict=True
        )
    }
    return {
        path: whose[vector.tobytes()]
        for path, vector in zip(
            planted.network.faces.paths, np.asarray(planted.network.vectors), strict=True
        )
    }


def clean(world: World) -> dict[str, Any]:
    """What is flagged of the hardest negatives where nothing is planted."""
    found: dict[str, Any] = {}
    for miner in ("network", "pixels"):
        pairs = hardest(world.sides[miner][0])
        said: dict[str, Any] = {}
        for side, looking in world.sides.items():
            alias, wrong = SameIdentity(looking)(pairs), Mislabelled(looking)(pairs)
            said[side] = {
                "alias_pairs": alias.count,
                "alias_characters": len({*alias.reasons} - {""}),
                "mislabel_pairs": wrong.count,
                "mislabel_reasons": len({*wrong.reasons} - {""}),
            }
        other = "pixels" if miner == "network" else "network"
        said[f"veto by {other}"] = SecondModel(world.sides[other][0])(pairs).count
        found[f"mined by {miner}"] = {"pairs": len(pairs)} | said
    return found


def seconds() -> dict[str, Any]:
    """Of random vectors: 50,000 faces of 5,000 characters, 512 numbers each."""
    generator = np.random.default_rng(0)
    groups = np.sort(generator.integers(0, 5000, 50_000))
    vectors = generator.normal(size=(50_000, 512)) + 2 * generator.normal(size=(5000, 512))[groups]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    faces = Faces.of_paths(
        Path("faces"), [f"{group:05}/{row:06}" for row, group in enumerate(groups.tolist())]
    )
    manifest = {"model": "random", "similarity": "cosine"}
    given = Embeddings(faces, vectors.astype(np.float32), manifest, Path("none"))
    found: dict[str, Any] = {}
    for count in (3000, 100_000):
        ends = generator.integers(0, 50_000, (2, 2 * count))
        ends = np.unique(np.sort(ends[:, groups[ends[0]] != groups[ends[1]]], axis=0), axis=1)
        ends = generator.permutation(ends, axis=1)[:, :count]
        pairs = PairSet.of(faces.paths[ends[0]], faces.paths[ends[1]], 0)
        found[f"{count} pairs"] = {}
        for name, make in _CHECKS.items():
            start = time.perf_counter()
            make(given)(pairs)
            found[f"{count} pairs"][name] = round(time.perf_counter() - start, 1)
    return found


_CHECKS: dict[str, Callable[[Embeddings], Any]] = {
    "alias": lambda given: SameIdentity([given]),
    "mislabel": lambda given: Mislabelled([given]),
    "veto": SecondModel,
}


def worlds(demo: Path, cache: Path | None, which: str) -> Iterator[tuple[str, World]]:
    """The drawn faces, and half of the real ones where there are some."""
    by_model = {
        short_name(each.model): each
        for each in map(Embeddings.load, sorted((demo / "run" / "embeddings").iterdir()))
    }
    drawn = World(by_model[NETWORK], by_model["pixels"])
    yield "drawn", drawn.relabelled(drawn.identities)
    data = os.environ.get("LOOKALIKES_DATA")
    if data is None or not (Path(data) / "faces").is_dir():
        print("no real faces: LOOKALIKES_DATA is not set to a folder that has them")
        return
    with tempfile.TemporaryDirectory() as folder:
        faces = Faces.scan(Path(data) / "faces")
        spec = f"{NETWORK}@{demo / 'sample' / 'tf_efficientnet_lite0'}"
        made = [
            embed(faces, load_model(name), (cache or Path(folder)) / name.partition(":")[0])
            for name in (spec, "pixels")
        ]
        yield "real", half(World(*made), which)


def main() -> None:
    """Plant, look and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--half", choices=list(SEEDS), default="test")
    parser.add_argument("--demo", type=Path, default=Path("demo"))
    parser.add_argument("--cache", type=Path, help="where vectors of the real faces are kept")
    parser.add_argument("--out", type=Path, default=RESULTS / "suspect_identities.json")
    chosen = parser.parse_args()
    seeds = SEEDS[chosen.half]
    with (chosen.demo / "sample" / "lookalikes.csv").open(encoding="utf-8") as stream:
        look_alikes = frozenset((min(a, b), max(a, b)) for a, b, _ in list(csv.reader(stream))[1:])
    found: dict[str, Any] = {}
    for name, world in worlds(chosen.demo, chosen.cache, chosen.half):
        found[name] = {
            "faces": len(world.identities),
            "characters": len({*world.identities}),
            "aliases": aliases(world, seeds, look_alikes),
            "mislabels": mislabels(world, seeds),
            "vetoes": vetoes(world, seeds[:3]),
            "clean": clean(world),
        }
        print(f"{name}: done", flush=True)
    found["names"] = {"drawn": by_name(_drawn_names(chosen.demo))}
    published = Path(os.environ.get("LOOKALIKES_DATA", "")) / "zaci20" / "zaci20_test_pairs.csv"
    if published.is_file():
        pairs = PairSet.read(published)
        found["names"]["published"] = by_name([*{path.rpartition("/")[0] for path in pairs.paths}])
    found["seconds"] = seconds()
    content = {
        "benchmark": "suspect_identities",
        "machine": describe(),
        "half": chosen.half,
        **found,
    }
    write_json(chosen.out, content)


def _drawn_names(demo: Path) -> list[str]:
    folder = next(iter(sorted((demo / "run" / "embeddings").iterdir())))
    return sorted(set(strings(Embeddings.load(folder).faces.identities)))


if __name__ == "__main__":
    main()
