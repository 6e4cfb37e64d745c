"""Parts of a pair set that a protocol tests one by one, and the file that keeps them.

`PAIRS.folds.csv` stands beside its pair file: `pathA,pathB,fold`, a row a pair, folds from 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.pairset import PairSet, pair_key
from pairsets.storage.csv_tables import table_rows, write_csv

COLUMNS = ("pathA", "pathB", "fold")


@dataclass(frozen=True, eq=False)
class Folds:
    """The fold of each pair of a set.

    Attributes:
        numbers: `[N]` int32, 1 to K, in the order of the set; none of the K is empty.

    Raises:
        PairSetError: a number below 1, or one that no pair has below the highest.
    """

    numbers: NDArray[np.int32]

    def __post_init__(self) -> None:
        numbers = np.array(self.numbers, np.int32)
        if numbers.ndim != 1 or not numbers.size:
            raise PairSetError(f"folds of shape {numbers.shape}; expected one number a pair")
        present = np.unique(numbers)
        # Not all numbers up to the last: that may be two thousand millions.
        gaps = np.flatnonzero(present != np.arange(1, present.size + 1))
        if gaps.size:
            what = f"fold {present[0]}" if present[0] < 1 else f"no pair in fold {gaps[0] + 1}"
            raise PairSetError(f"{what}; expected every number from 1 to that of the last fold")
        numbers.setflags(write=False)
        object.__setattr__(self, "numbers", numbers)

    @classmethod
    def read(cls, path: str | Path, pairs: PairSet) -> Folds:
        """Read the folds of `pairs`, whatever the order of the rows, or of the faces in one.

        Raises:
            PairSetError: the file is missing or not of this form, a pair has no fold or two, or
                one is not in the set; the message gives the file and the line.
        """
        path = Path(path)
        wanted = {key: row for row, key in enumerate(pairs.keys)}
        numbers = np.zeros(len(pairs), np.int32)
        for line, (a, b, fold) in table_rows(path, "file of folds", COLUMNS):
            row = wanted.get(pair_key(a, b))
            if row is None:
                raise PairSetError(
                    f"{path}, line {line}: {a!r} and {b!r} are no pair of the set; were the "
                    "folds made for another one?"
                )
            if numbers[row]:
                raise PairSetError(f"{path}, line {line}: {a!r} and {b!r} have a fold already")
            numbers[row] = fold_number(fold, path, line)
        lacking = np.flatnonzero(numbers == 0)
        if lacking.size:
            row = int(lacking[0])
            raise PairSetError(
                f"{path}: no fold for {lacking.size} of {len(pairs)} pairs, the first "
                f"{pairs.path_a[row]!r} and {pairs.path_b[row]!r}"
            )
        try:
            return cls(numbers)
        except PairSetError as error:
            raise PairSetError(f"{path}: {error}") from None

    def write(self, path: str | Path, pairs: PairSet) -> Path:
        """Write `pathA,pathB,fold`, a row a pair of `pairs`."""
        rows = zip(pairs.path_a, pairs.path_b, self.numbers.tolist(), strict=True)
        return write_csv(Path(path), COLUMNS, rows)

    def __len__(self) -> int:
        """Number of folds."""
        return int(self.numbers.max())


def fold_number(text: str, path: Path, line: int) -> int:
    """A fold's number in a table.

    Raises:
        PairSetError: not one of 1, 2, ...
    """
    # Very long numbers are slow to read, or refused by Python in words of its own.
    sound = text.isascii() and text.isdigit() and len(text) <= 10
    if not sound or not 0 < int(text) < 2**31:
        raise PairSetError(f"{path}, line {line}: fold {text!r:.40}; expected 1, 2, ...")
    return int(text)
