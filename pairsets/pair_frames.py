"""Pair sets as pandas tables, and tables as pair sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.faces import differing
from pairsets.pairset import COLUMNS, VALUES, PairSet

PATHS, FLAGS = COLUMNS[:2], COLUMNS[2:]
IDENTITIES = ("identityA", "identityB")
# What a table without the column says.
_UNTOLD = {"human_prediction": -1, "invalid": 0}


def frame_of(pairs: PairSet) -> pd.DataFrame:
    """Table of a pair set: the five columns of its file, and who the two faces show."""
    columns: dict[str, Any] = {"pathA": pairs.path_a, "pathB": pairs.path_b}
    columns |= {name: getattr(pairs, name).astype(np.int64) for name in FLAGS}
    columns |= dict(zip(IDENTITIES, (pairs.identity_a, pairs.identity_b), strict=True))
    return pd.DataFrame(columns)


def pairs_of(frame: pd.DataFrame) -> PairSet:
    """Pair set of a table; see `PairSet.from_frame`.

    Raises:
        PairSetError: a column is missing, a cell is not what it may be, or a face has two
            identities; the message names the row.
    """
    if not isinstance(frame, pd.DataFrame):
        raise PairSetError(f"a {type(frame).__name__}; expected a pandas DataFrame of pairs")
    twice = [name for name in (*COLUMNS, *IDENTITIES) if list(frame.columns).count(name) > 1]
    lacking = [name for name in (*PATHS, "label") if name not in frame.columns]
    if twice or lacking:
        what = f"{twice[0]} twice" if twice else f"no {', '.join(lacking)}"
        raise PairSetError(
            f"a table with {what}; expected {', '.join(COLUMNS[:3])}, and perhaps "
            f"{', '.join((*COLUMNS[3:], *IDENTITIES))}"
        )
    told = [name for name in IDENTITIES if name in frame.columns]
    if len(told) == 1:
        raise PairSetError(f"a table with {told[0]} alone; expected both, or neither")
    first, second = (_texts(frame, name) for name in PATHS)
    flags = [_numbers(frame, name) for name in FLAGS]
    identities = _identities(frame, first, second) if told else None
    return PairSet.of(first, second, *flags, identities=identities)


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    values = frame[name].tolist()
    for row, value in enumerate(values, 1):
        if not isinstance(value, str) or not value:
            raise PairSetError(f"row {row}: {name} is {value!r:.60}; expected a text")
    return values


def _numbers(frame: pd.DataFrame, name: str) -> NDArray[np.int8]:
    """The flags of a column, or what a table without it says."""
    if name not in frame.columns:
        return np.full(len(frame), _UNTOLD[name], np.int8)
    known = sorted({*VALUES[name].values()})
    found = np.empty(len(frame), np.int8)
    for row, value in enumerate(frame[name].tolist(), 1):
        # True and 1.0 are 1; a text that says so is not.
        if isinstance(value, str) or value not in known:
            expected = ", ".join(map(str, known[:-1]))
            raise PairSetError(
                f"row {row}: {name} is {value!r:.60}; expected {expected} or {known[-1]}"
            )
        found[row - 1] = int(value)
    return found


def _identities(
    frame: pd.DataFrame, first: list[str], second: list[str]
) -> Mapping[str, str] | None:
    """Who each face shows, where it is not everywhere its folder."""
    known: dict[str, str] = {}
    names = [_texts(frame, name) for name in IDENTITIES]
    for paths, told in zip((first, second), names, strict=True):
        for row, (path, name) in enumerate(zip(paths, told, strict=True), 1):
            if known.setdefault(path, name) != name:
                raise PairSetError(
                    f"row {row}: {path!r} is {name!r}, and {known[path]!r} in another row; "
                    "expected one identity a face"
                )
    return differing(known)
