"""The naive answers that everything fast is compared with."""

from __future__ import annotations

import numpy as np


def score(a: np.ndarray, b: np.ndarray) -> float:
    """Inner product in float64, one coordinate after the other."""
    total = 0.0
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        total += x * y
    return total


def top_pairs(vectors: np.ndarray, groups, n: int) -> list[tuple[int, int, float]]:
    """The n best pairs i < j of different groups, by a double loop."""
    found = [
        (i, j, score(vectors[i], vectors[j]))
        for i in range(len(vectors))
        for j in range(i + 1, len(vectors))
        if groups[i] != groups[j]
    ]
    return sorted(found, key=lambda pair: (-pair[2], pair[0], pair[1]))[:n]


def search(vectors: np.ndarray, query: np.ndarray, k: int) -> list[tuple[int, float]]:
    """The k best rows for one query, by sorting all."""
    found = [(row, score(vectors[row], query)) for row in range(len(vectors))]
    return sorted(found, key=lambda hit: (-hit[1], hit[0]))[:k]
