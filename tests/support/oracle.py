"""Oracle of naive answers that everything fast is compared with."""

from __future__ import annotations

import numpy as np


def score(a: np.ndarray, b: np.ndarray) -> float:
    """Inner product in float64, one coordinate after the other."""
    total = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        total += x * y
    return total


def top_pairs(
    vectors: np.ndarray,
    groups,
    n: int,
    *,
    min_score: float | None = None,
    max_score: float | None = None,
    exclude=(),
    ceilings=None,
    active=None,
    exclude_groups=(),
) -> list[tuple[int, int, float]]:
    """The n best pairs i < j of different groups, by a double loop."""
    apart = set() if exclude_groups is None else {frozenset(pair) for pair in exclude_groups}
    found = []
    for i, j, value in _pairs(vectors, min_score, max_score, exclude):
        if groups[i] == groups[j] or frozenset((groups[i], groups[j])) in apart:
            continue
        if active is not None and not (active[i] and active[j]):
            continue
        if ceilings is not None and value > min(ceilings[i], ceilings[j]):
            continue
        found.append((i, j, value))
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))[:n]


def pairs_between(
    left: np.ndarray,
    right: np.ndarray,
    groups,
    n: int,
    *,
    exclude=(),
    ceilings=None,
    active=None,
    **options,
) -> list[tuple[int, int, float]]:
    """The n best pairs of a row of `left` and one of `right`, of different groups.

    What `options` have of rows is a pair: of the ones, of the others; `exclude` has one of each.
    """
    split = len(left)
    joined = {
        name: None if values is None else [*values[0], *values[1]]
        for name, values in (("ceilings", ceilings), ("active", active))
    }
    stacked = np.concatenate([left, right])
    within = [(i, j) for i in range(split) for j in range(split)]
    within += [(split + i, split + j) for i in range(len(right)) for j in range(len(right))]
    exclude = [(i, split + j) for i, j in exclude] + within
    found = top_pairs(stacked, [*groups[0], *groups[1]], n, exclude=exclude, **joined, **options)
    return [(i, j - split, score) for i, j, score in found]


def bottom_pairs(
    vectors: np.ndarray,
    groups,
    n: int,
    *,
    min_score: float | None = None,
    max_score: float | None = None,
    exclude=(),
) -> list[tuple[int, int, float]]:
    """The n worst pairs i < j of equal groups, by a double loop."""
    pairs = _pairs(vectors, min_score, max_score, exclude)
    found = [pair for pair in pairs if groups[pair[0]] == groups[pair[1]]]
    return sorted(found, key=lambda pair: (pair[2], pair[0], pair[1]))[:n]


def best_of_group(vectors: np.ndarray, groups) -> list[float]:
    """The best score of each row with another row of its group, -inf where there is none."""
    best = [-np.inf] * len(vectors)
    for i, j, value in bottom_pairs(vectors, groups, len(vectors) ** 2):
        best[i], best[j] = max(best[i], value), max(best[j], value)
    return best


def search(vectors: np.ndarray, query: np.ndarray, k: int) -> list[tuple[int, float]]:
    """The k best rows for one query, by sorting all."""
    found = [(row, score(vectors[row], query)) for row in range(len(vectors))]
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]


def listed(found) -> list[tuple[int, int, float]]:
    """List of a `TopPairs` or `BottomPairs`, as the functions above give one."""
    return list(zip(found.i.tolist(), found.j.tolist(), found.scores.tolist(), strict=True))


def as_bytes(pairs) -> tuple[bytes, bytes, bytes]:
    """Bytes of the rows and scores of a list or an answer: -0.0 is not 0.0."""
    i, j, scores = zip(*(pairs if isinstance(pairs, list) else listed(pairs)), strict=True)
    return np.array(i, int).tobytes(), np.array(j, int).tobytes(), np.array(scores, float).tobytes()


def _pairs(vectors, min_score, max_score, exclude):
    """Pairs i < j between the limits that are not excluded, either way round."""
    left_out = set() if exclude is None else {frozenset(map(int, pair)) for pair in exclude}
    for i in range(len(vectors)):
        for j in range(i + 1, len(vectors)):
            value = score(vectors[i], vectors[j])
            if min_score is not None and value < min_score:
                continue
            if max_score is not None and value > max_score:
                continue
            if frozenset((i, j)) not in left_out:
                yield i, j, value
