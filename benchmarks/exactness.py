"""Our answer against brute force in float64, which shares no code with the join.

A score is the sum of the products in float64, coordinate by coordinate in order: `cumsum` adds
that way. BLAS adds in another order, so its products only choose what is scored so; they differ by
less than `_SLACK` times the largest squared norm.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.jobs import Answer
from benchmarks.vectors import Rows, Vectors, leading_energy

FULL = 20_000
_SLACK = 1e-11
_BLOCKS, _BLOCK_ROWS, _COLUMNS = 8, 64, 8192
Scores = NDArray[np.float64]


class MismatchError(Exception):
    """Our answer is not the exact one."""


def check(folder: Path, pairs: int, answer: Answer) -> dict[str, object]:
    """Compare with brute force, whole up to 20,000 rows and on sampled blocks of rows beyond.

    Returns what was compared, and facts about the vectors.

    Raises:
        MismatchError: a pair is missing, too many, out of order, or its score differs in a bit.
    """
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    groups = np.load(folder / "groups.npy")
    if len(vectors) <= FULL:
        _expect_same(answer, *brute_force(vectors, groups, pairs))
        checked = "all pairs"
    else:
        compared = check_blocks(vectors, groups, pairs, answer)
        checked = f"{compared:,} pairs of {2 * _BLOCKS} blocks of {_BLOCK_ROWS} rows"
    sizes = np.bincount(groups)
    return {
        "exact_on": checked,
        "identities": int((sizes > 0).sum()),
        "largest_identity": int(sizes.max()),
        "energy_of_64_directions": round(leading_energy(vectors), 4),
        "last_score": float(answer.scores[-1]),
    }


def brute_force(vectors: Vectors, groups: Rows, pairs: int) -> tuple[Rows, Rows, Scores]:
    """The best pairs of all, as `indexes` defines them."""
    exact = vectors.astype(np.float64)
    slack = _SLACK * float(np.einsum("nd,nd->n", exact, exact).max())
    i = j = np.empty(0, np.int64)
    rough, threshold = np.empty(0), -np.inf
    for start in range(0, len(exact), _BLOCK_ROWS * 8):
        rows = np.arange(start, min(start + _BLOCK_ROWS * 8, len(exact)))
        block = exact[rows] @ exact[start:].T
        row, column = np.nonzero(block >= threshold - slack)
        kept = (row < column) & (groups[row + start] != groups[column + start])
        row, column = row[kept], column[kept]
        i, j = np.concatenate([i, row + start]), np.concatenate([j, column + start])
        rough = np.concatenate([rough, block[row, column]])
        if rough.size > pairs:
            threshold = float(np.partition(rough, rough.size - pairs)[-pairs])
            near = rough >= threshold - slack
            i, j, rough = i[near], j[near], rough[near]
    scores = score(vectors, i, j)
    order = np.lexsort((j, i, -scores))[:pairs]
    return i[order], j[order], scores[order]


def check_blocks(vectors: Vectors, groups: Rows, pairs: int, answer: Answer) -> int:
    """Compare on blocks of rows, half of them around rows of the answer, against all columns.

    Returns how many pairs were looked at.
    """
    count = len(vectors)
    draw = np.random.default_rng(1)
    listed = draw.choice(np.concatenate([answer.i, answer.j]), _BLOCKS)
    starts = np.concatenate([draw.integers(0, count, _BLOCKS), listed - _BLOCK_ROWS // 2])
    rows = np.unique(np.clip(starts, 0, count - _BLOCK_ROWS)[:, None] + np.arange(_BLOCK_ROWS))
    keys = answer.i * count + answer.j
    if (groups[answer.i] == groups[answer.j]).any() or (answer.i >= answer.j).any():
        raise MismatchError("a pair of one identity, or with i >= j")
    if np.unique(keys).size != len(keys) or len(keys) > pairs:
        raise MismatchError("a pair twice, or more pairs than asked for")
    if not np.array_equal(score(vectors, answer.i, answer.j), answer.scores):
        raise MismatchError("a score that is not the float64 sum in order")
    # With fewer pairs than asked for, all there are must be among them.
    last = float(answer.scores[-1]) if len(keys) == pairs else -np.inf
    left = vectors[rows].astype(np.float64)
    found = []
    for start in range(0, count, _COLUMNS):
        right = vectors[start : start + _COLUMNS].astype(np.float64)
        row, column = np.nonzero(left @ right.T >= last - _SLACK * _largest(left, right))
        i, j = rows[row], column + start
        kept = groups[i] != groups[j]
        found.append(np.minimum(i, j)[kept] * count + np.maximum(i, j)[kept])
    near = np.unique(np.concatenate(found))
    scores = score(vectors, near // count, near % count)
    missing = np.setdiff1d(near[scores > last], keys)
    # Of equal scores the first by (i, j) are kept.
    cut = np.setdiff1d(near[scores == last], keys)
    if missing.size or (cut < keys[-1]).any():
        raise MismatchError(f"{missing.size + cut.size} pairs missing on {len(rows)} rows")
    touched = keys[np.isin(answer.i, rows) | np.isin(answer.j, rows)]
    if np.setdiff1d(touched, near[scores >= last]).size:
        raise MismatchError("pairs that brute force does not find")
    return len(rows) * count - len(rows) * (len(rows) + 1) // 2


def score(vectors: Vectors, i: Rows, j: Rows) -> Scores:
    """The reported score of each pair."""
    scores = np.empty(len(i))
    step = max(1, 2**22 // vectors.shape[1])
    for start in range(0, len(i), step):
        some = slice(start, start + step)
        products = vectors[i[some]].astype(np.float64)
        products *= vectors[j[some]]
        scores[some] = np.cumsum(products, axis=1)[:, -1]
    return scores


def missed(truth: Answer, found: Answer, count: int) -> dict[str, int]:
    """How many of the true pairs another answer lacks.

    Pairs within 1e-5 of the last score may be swapped by rounding in float32; those that are lost
    for another reason are counted again by themselves.
    """
    lost = ~np.isin(truth.i * count + truth.j, found.i * count + found.j)
    clear = lost & (truth.scores > truth.scores[-1] + 1e-5)
    return {"missed": int(lost.sum()), "missed_beyond_rounding": int(clear.sum())}


def _expect_same(answer: Answer, i: Rows, j: Rows, scores: Scores) -> None:
    if len(answer.i) != len(i):
        raise MismatchError(f"{len(answer.i)} pairs, brute force has {len(i)}")
    same = (answer.i == i) & (answer.j == j) & (answer.scores == scores)
    if not same.all():
        at = int(np.argmin(same))
        raise MismatchError(
            f"rank {at}: ({answer.i[at]}, {answer.j[at]}, {answer.scores[at]!r}), brute force has "
            f"({i[at]}, {j[at]}, {scores[at]!r}); {(~same).sum()} ranks differ"
        )


def _largest(left: Scores, right: Scores) -> float:
    """Largest product of two norms."""
    squares = [float(np.einsum("nd,nd->n", part, part).max()) for part in (left, right)]
    return float(np.sqrt(squares[0] * squares[1]))
