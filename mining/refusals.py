"""What cannot be mined or evaluated, told before the work and not after it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mining.negatives import ignored_rows
from pairsets.errors import FacesError, PairSetError
from pairsets.faces import Faces, character_of
from pairsets.pairset import PairSet


def refuse_one_character(faces: Faces, ignored: Iterable[str], source: Path) -> None:
    """Raise FacesError unless there are pairs of different characters to mine."""
    kept = faces.without(ignored)
    count = len(set(faces.characters[kept]))
    if count < 2:
        after = "" if kept.all() else " after the ignore list"
        raise FacesError(
            f"{source}: {count} character{'s' * (count != 1)}{after}; "
            "pairs of different characters need two"
        )


def refuse_unfit(test: PairSet, ignored: Iterable[str], source: str, joined: int = 1) -> None:
    """Raise PairSetError unless the pairs of `test` labelled `joined` can stand beside mined ones.

    Mined negatives are joined by positives (1), hard positives by negatives (0).
    """
    same = np.array(
        [character_of(a) == character_of(b) for a, b in zip(test.path_a, test.path_b, strict=True)],
        bool,
    )
    rows = test.valid & (test.label == joined)
    wrong = np.flatnonzero(rows & (same != bool(joined)))
    if wrong.size:
        row = int(wrong[0])
        lie = ("the folder of one character", "folders of different characters")[joined]
        raise PairSetError(
            f"{source}: pair {row + 1} ({test.path_a[row]}, {test.path_b[row]}) has label "
            f"{joined}, but the two lie in {lie}; the miner goes by the folders"
        )
    if not (rows & ~ignored_rows(test, ignored)).any():
        kind = ("negative", "positive")[joined]
        raise PairSetError(f"{source}: no valid {kind} pair without a face on the ignore list")


def refuse_lacking(pairs: PairSet, labels: Iterable[int], source: str) -> None:
    """Raise PairSetError unless `pairs` has valid rows of each of `labels`."""
    for label in labels:
        if not (pairs.valid & (pairs.label == label)).any():
            kind = ("negative", "positive")[label]
            invalid = int((~pairs.valid).sum())
            left = f" (after {invalid} invalid rows were left out)" if invalid else ""
            raise PairSetError(
                f"{source}: no valid {kind} pair among its {len(pairs)}{left}; "
                "rates need both kinds"
            )
