"""Examples for each format of `FORMATS`: one set of pairs that it can hold whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pairsets import PairSet
from pairsets.files.folds import Folds
from pairsets.sources.formats import Pairs

NAMES = ("Aaron_Peirsol", "橘_雪", "d & e", "Zoë", ".hidden", 'the "boss"', "a, b", "Ibn'x", "O")
ANY = ("1.jpg", "2.png", "x y.webp")


def numbered(identity: str, number: int) -> str:
    """A face named as those of LFW are."""
    return f"{identity}/{identity}_{number:04d}.jpg"


def balanced(folds: int = 3, size: int = 4) -> Pairs:
    """Pairs of folds, in each `size` positives, then as many negatives; all pairs differ."""
    a, b, label = [], [], []
    for fold in range(folds):
        for at in range(size):
            a.append(numbered(NAMES[at], 2 * fold + 1))
            b.append(numbered(NAMES[at], 2 * fold + 2))
            label.append(1)
        for at in range(size):
            # The second face of some is the smaller path: the order within a pair counts too.
            a.append(numbered(NAMES[at + 1], fold + 1))
            b.append(numbered(NAMES[at], 12 - fold))
            label.append(0)
    numbers = np.repeat(np.arange(1, folds + 1), 2 * size)
    return Pairs(PairSet.of(a, b, label), Folds(numbers))


def of_any_kind(*, count: int = 60, seed: int = 3, folds: int = 4) -> Pairs:
    """Pairs with verdicts, invalid ones and folds of different sizes, in no order of labels."""
    generator = np.random.default_rng(seed)
    faces = [f"{name}/{file}" for name in NAMES for file in ANY] + ["deep/er/7.gif"]
    left, right = np.triu_indices(len(faces), 1)
    rows = generator.permutation(left.size)[:count]
    # Half of them the other way round.
    turned = generator.random(count) < 0.5
    first, second = (
        np.where(turned, right[rows], left[rows]),
        np.where(turned, left[rows], right[rows]),
    )
    a, b = [faces[at] for at in first], [faces[at] for at in second]
    label = [int(x.rpartition("/")[0] == y.rpartition("/")[0]) for x, y in zip(a, b, strict=True)]
    human = generator.integers(-1, 2, count)
    invalid = (generator.random(count) < 0.2).astype(int)
    numbers = np.concatenate([np.arange(folds), generator.integers(0, folds, count - folds)]) + 1
    return Pairs(PairSet.of(a, b, label, human, invalid), Folds(numbers))


def labelled() -> Pairs:
    """Pairs that are valid and judged by nobody, without folds, as training libraries hold."""
    found = of_any_kind().pairs
    return Pairs(PairSet.of(found.path_a, found.path_b, found.label))


def starred() -> Pairs:
    """Pairs in which each anchor has positives and negatives, as tuples need."""
    a, b, label = [], [], []
    for at, name in enumerate(NAMES):
        a += [f"{name}/1.jpg"] * 3
        b += [f"{name}/2.png", f"{NAMES[at - 1]}/2.png", f"{NAMES[at - 2]}/x y.webp"]
        label += [1, 0, 0]
    return Pairs(PairSet.of(a, b, label))


def templates() -> Pairs:
    """Pairs of IJB: a template is of the subject of the smallest template it is tied to."""
    subjects = {1: (1, 11, 111), 2: (2, 22), 5: (5, 50)}
    face = {t: f"subject_{s:06d}/{t}" for s, all_of in subjects.items() for t in all_of}
    rows = [(1, 11, 1), (11, 111, 1), (2, 22, 1), (50, 5, 1), (1, 2, 0), (111, 50, 0), (22, 5, 0)]
    return Pairs(
        PairSet.of(
            [face[a] for a, _, _ in rows], [face[b] for _, b, _ in rows], [r[2] for r in rows]
        )
    )


def flat() -> Pairs:
    """Pairs of numbered pictures in one folder, two folds of three positives, three negatives."""
    a, b = np.arange(24).reshape(2, 6, 2).transpose(2, 0, 1).reshape(2, 12)
    label = [1, 1, 1, 0, 0, 0] * 2
    names = [[f"{number}.jpg" for number in side.tolist()] for side in (a, b)]
    return Pairs(PairSet.of(*names, label), Folds(np.repeat([1, 2], 6)))


def named() -> Pairs:
    """Pairs of any kind but for what a table of others cannot mark."""
    found = of_any_kind()
    pairs = found.pairs
    return Pairs(PairSet.of(pairs.path_a, pairs.path_b, pairs.label), found.folds)


# A new format gets a line here; every test of the contract then runs on it.
EXAMPLES: dict[str, Callable[[], Pairs]] = {
    "csv": of_any_kind,
    "jsonl": of_any_kind,
    "parquet": of_any_kind,
    "lfw": balanced,
    "sllfw": balanced,
    "calfw": balanced,
    "n-tuples": starred,
    "triplets": starred,
    "pml": labelled,
    "ijb": templates,
    "trials": balanced,
    "table": named,
    "indices": flat,
}
# What a file has to be called to be known for what it is, where its content does not tell.
FILES = {"ijb": "ijbc_template_pair_label.txt"}
# Known by no more than its content and that of others.
ASKED = {"indices"}
