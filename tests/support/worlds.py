"""Worlds of few faces with vectors, full of ties, and naive answers under the rules."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from mining import Embeddings, Rules
from pairsets import Faces
from support import oracle


def world(vectors, identities):
    """World that a miner can take for embeddings: `faces` `<identity>/<row>`, and vectors."""
    paths = [f"{identity}/{row:03}" for row, identity in enumerate(identities)]
    order = np.argsort(paths)
    faces = Faces.of_paths(Path("faces"), [paths[at] for at in order])
    return embeddings_of(faces, np.asarray(vectors)[order])


def embeddings_of(faces, vectors):
    """Embeddings of faces that lie in no folder."""
    array = np.array(vectors, np.float32)
    array.setflags(write=False)
    return Embeddings(faces, array, {}, Path())


@st.composite
def worlds(draw, most=14):
    """Worlds of few faces with small whole numbers: equal scores, duplicates, negative scores."""
    count = draw(st.integers(2, most))
    size = draw(st.integers(1, 3))
    row = st.lists(st.integers(-2, 2), min_size=size, max_size=size)
    vectors = draw(st.lists(row, min_size=count, max_size=count))
    identities = draw(st.lists(st.sampled_from("abcde"), min_size=count, max_size=count))
    return world(vectors, identities)


def optional(values):
    return st.none() | values


@st.composite
def rule_sets(draw, margins=True):
    """Rules that do not contradict themselves."""
    low, high = draw(optional(st.integers(-6, 6))), draw(optional(st.integers(-6, 6)))
    if low is not None and high is not None and low > high:
        low, high = high, low
    caps = optional(st.integers(1, 4))
    return Rules(
        min_score=low,
        max_score=high,
        margin=draw(optional(st.sampled_from([0, 0.5, 1, 3]))) if margins else None,
        relative_margin=draw(optional(st.sampled_from([0, 0.25, 1]))) if margins else None,
        max_per_image=draw(caps),
        max_per_identity=draw(caps),
        max_per_identity_pair=draw(caps),
    )


def all_pairs(found, *, same=False):
    """Pairs (i, j, score), the hardest first: one identity's (`same`), or two's."""
    identities = found.faces.identities
    pairs = [
        (i, j, oracle.score(found.vectors[i], found.vectors[j]))
        for i in range(len(identities))
        for j in range(i + 1, len(identities))
        if (identities[i] == identities[j]) == same
    ]
    return sorted(pairs, key=lambda pair: (pair[2] if same else -pair[2], pair[0], pair[1]))


def own_best(found):
    """Best score of each face with another of its identity, or None."""
    best = [None] * len(found.faces)
    for i, j, score in all_pairs(found, same=True):
        for face in (i, j):
            best[face] = score if best[face] is None else max(best[face], score)
    return best


def why_not(pair, found, rules, excluded=frozenset()):
    """Name of the rule that forbids a pair, or None."""
    i, j, score = pair
    if (i, j) in excluded:
        return "excluded"
    if rules.min_score is not None and score < rules.min_score:
        return "low"
    if rules.max_score is not None and score > rules.max_score:
        return "high"
    if rules.margins:
        best = own_best(found)
        for own in (best[i], best[j]):
            if own is None:
                continue
            if rules.margin is not None and score > own - rules.margin:
                return "margin"
            if rules.relative_margin is not None and score > own - rules.relative_margin * abs(own):
                return "margin"
    return None


def greedy(pairs, found, n, rules):
    """Pairs that the caps let through, their ranks, and the number each cap passed over."""
    identities = found.faces.identities
    images, folders, twos = Counter(), Counter(), Counter()
    taken, ranks, passed = [], [], Counter()
    for rank, (i, j, score) in enumerate(pairs, 1):
        if len(taken) == n:
            break
        both = tuple(sorted((identities[i], identities[j])))
        if full(rules.max_per_image, images[i], images[j]):
            passed["image"] += 1
        elif full(rules.max_per_identity, *(folders[name] for name in both)):
            passed["identity"] += 1
        elif full(rules.max_per_identity_pair, twos[both]):
            passed["identity pair"] += 1
        else:
            taken.append((i, j, score))
            ranks.append(rank)
            images.update([i, j])
            folders.update({*both})
            twos.update([both])
    return taken, ranks, passed


def full(cap, *counts):
    return cap is not None and max(counts) >= cap


def rows_of(mined, found):
    """Rows (i, j, score) of mined pairs."""
    rows = [found.faces.positions(paths).tolist() for paths in (mined.path_a, mined.path_b)]
    return list(zip(*rows, mined.scores.tolist(), strict=True))
