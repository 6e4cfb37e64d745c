"""Evaluation of plain arrays: labels, scores, and who stands at the ends of each pair."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.arrays import Scores
from pairsets.errors import ScoresError
from pairsets.evaluation.clusters import Clusters


def labels_of(labels: Any) -> NDArray[np.int8]:
    """`[N]` labels, 1 for pairs of one identity and 0 for pairs of two.

    Raises:
        ScoresError: something else among them; the row is named.
    """
    values = np.asarray(labels)
    if values.ndim != 1:
        raise ScoresError(f"labels of shape {values.shape}; expected one a pair")
    wrong = [
        at
        for at, value in enumerate(values.tolist())
        if isinstance(value, str) or value not in (0, 1)
    ]
    if wrong:
        raise ScoresError(
            f"{len(wrong):,} labels are neither 1 (one identity) nor 0 (two), the first of pair "
            f"{wrong[0] + 1}: {values.tolist()[wrong[0]]!r:.60}"
        )
    return values.astype(np.int8)


def scores_in(scores: Any, count: int) -> Scores:
    """`[N]` scores as float64.

    Raises:
        ScoresError: no numbers, or another number of them.
    """
    try:
        values = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise ScoresError(f"scores that are not one number a pair: {error}") from None
    if values.shape != (count,):
        raise ScoresError(f"scores of shape {values.shape} for {count:,} labels")
    return values


def ends_of(
    labels: NDArray[np.int8], identities_a: Any, identities_b: Any, *, independent: bool
) -> Clusters:
    """Clusters of pairs that share an identity, or of none that are said to be independent.

    Raises:
        ScoresError: identities missing or of another length, or not said whether there are any; or
            labels that contradict them.
    """
    count = len(labels)
    if independent:
        if identities_a is not None or identities_b is not None:
            raise ScoresError("identities and independent=True; expected the one or the other")
        rows = np.arange(count)
        return Clusters(2 * rows, 2 * rows + 1, 2 * count)
    if identities_a is None or identities_b is None:
        raise ScoresError(
            "who stands at the ends of each pair is not told, and intervals hang on it: give "
            "identities_a and identities_b; or, if no two pairs share one, independent=True"
        )
    sides = [np.asarray(side, object) for side in (identities_a, identities_b)]
    for side in sides:
        if side.shape != (count,):
            raise ScoresError(f"identities of shape {side.shape} for {count:,} pairs")
        missing = np.flatnonzero(pd.isna(side))
        if missing.size:
            raise ScoresError(f"pair {missing[0] + 1} has no identity; expected a name or a number")
    # Sorted, so that the order of the pairs changes no draw.
    codes, names = pd.factorize(np.concatenate(sides), sort=True)
    a, b = codes[:count], codes[count:]
    against = np.flatnonzero((a == b) != (labels == 1))
    # A few may be mistakes in the data; many are columns that do not belong together.
    if against.size > max(1, count // 100):
        row = int(against[0])
        raise ScoresError(
            f"{against.size:,} of {count:,} labels contradict the identities, the first of pair "
            f"{row + 1}: label {labels[row]} of {sides[0][row]!r:.40} and {sides[1][row]!r:.40}; "
            "do the columns belong together?"
        )
    return Clusters(a, b, len(names))


def refuse_other_rows(**columns: Any) -> None:
    """Raise ScoresError where two Series name their rows differently.

    By position, which is all that arrays have, a value would be taken for another pair's.
    """
    known = {name: one.index for name, one in columns.items() if isinstance(one, pd.Series)}
    names = list(known)
    for name in names[1:]:
        if not known[name].equals(known[names[0]]):
            raise ScoresError(
                f"{names[0]} and {name} are Series of different indexes: it cannot be told which "
                "value is whose. Give columns of one table, or .to_numpy() if they stand in one "
                "order"
            )
