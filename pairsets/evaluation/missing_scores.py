"""Pairs that a model has no score of: refused, counted as rejected, or left out.

A model that finds no face in a picture cannot score its pairs. NIST counts such a failure to enrol
as a rejection: FNMR rises, FMR does not. Within this package a rejected pair scores -inf.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np

from pairsets.arrays import Mask, Scores
from pairsets.errors import ScoresError
from pairsets.pairset import PairSet

Missing = Literal["fail", "reject", "drop"]
REMEDIES = (
    "--missing reject counts such pairs as rejected at every threshold (NIST's way: FNR rises, FPR "
    "does not), --missing drop leaves them out for all models; in Python missing='reject', 'drop'"
)


def unscored(pairs: PairSet, scores: Scores) -> Mask:
    """`[N]`: the valid rows of `pairs` without a score; nan and either infinity are none."""
    return np.asarray(pairs.valid & ~np.isfinite(scores), np.bool_)


def refuse_unscored(
    pairs: PairSet, scores: Scores, model: str, where: str, of_set: str = ""
) -> None:
    """Raise ScoresError where a file, named by `where`, lacks scores of valid pairs.

    The message names the first three, and both remedies.
    """
    rows = np.flatnonzero(unscored(pairs, scores))
    if rows.size:
        shown = "; ".join(f"{pairs.path_a[row]}, {pairs.path_b[row]}" for row in rows[:3])
        raise ScoresError(
            f"{where}: {rows.size} of {int(pairs.valid.sum())} valid pairs{of_set} have no "
            f"score of {model}, the first {shown}; are some in another file, or is it another "
            f"pair set's? Else {REMEDIES}"
        )


def settle(
    pairs: PairSet, scores: Mapping[str, Scores], missing: Missing = "fail"
) -> tuple[Mask, dict[str, Scores]]:
    """Rows that stay, `[N]`, and scores by model `[N]`, -inf where a pair counts as rejected.

    Args:
        pairs: the set.
        scores: by model, `[N]`, one a row of `pairs`; nan and either infinity are none.
        missing: `fail` refuses valid pairs without a score, `reject` counts them as rejected,
            `drop` leaves them out for all models, so that these stay comparable.

    Raises:
        ScoresError: pairs without a score under `fail`; no such `missing`.
    """
    if missing not in get_args(Missing):
        raise ScoresError(f"missing={missing!r}; expected one of {', '.join(get_args(Missing))}")
    kept = np.ones(len(pairs), np.bool_)
    found = {}
    for model, values in scores.items():
        lacking = unscored(pairs, values)
        if missing == "fail" and lacking.any():
            row = int(np.flatnonzero(lacking)[0])
            raise ScoresError(
                f"{f'{model}: ' if model else ''}{int(lacking.sum())} scores are not finite, the "
                f"first of pair {row + 1} ({pairs.path_a[row]}, {pairs.path_b[row]}): "
                f"{values[row]}. {REMEDIES}"
            )
        if missing == "drop":
            kept &= ~lacking
        # An invalid pair is not judged, so that nothing of it is rejected, whatever its file says.
        idle = ~pairs.valid & np.isinf(values)
        if lacking.any() or idle.any():
            values = np.where(lacking, -np.inf, np.where(idle, np.nan, values))
        found[model] = values
    return kept, found
