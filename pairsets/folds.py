"""Parts of a pair set that a protocol tests one by one, and the file that keeps them.

`PAIRS.folds.csv` stands beside its pair file: `pathA,pathB,fold`, a row a pair, folds from 1 on.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.artefacts import reading, write_csv
from pairsets.errors import PairSetError
from pairsets.pairset import PairSet, pair_key

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
        missing = np.setdiff1d(np.arange(1, present[-1] + 1), present)
        if present[0] < 1 or missing.size:
            what = f"fold {present[0]}" if present[0] < 1 else f"no pair in fold {missing[0]}"
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
        with reading(path, "file of folds") as stream:
            for line, a, b, fold in _rows(path, stream):
                row = wanted.get(pair_key(a, b))
                if row is None:
                    raise PairSetError(
                        f"{path}, line {line}: {a!r} and {b!r} are no pair of the set; were the "
                        "folds made for another one?"
                    )
                if numbers[row]:
                    raise PairSetError(f"{path}, line {line}: {a!r} and {b!r} have a fold already")
                numbers[row] = fold
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
        """How many folds there are."""
        return int(self.numbers.max())


def folds_of(pairs: Path) -> Path:
    """Where the folds of a pair file lie.

    >>> folds_of(Path("sets/lfw.csv")).as_posix()
    'sets/lfw.folds.csv'
    """
    return pairs.with_suffix(".folds.csv")


def _rows(path: Path, stream: Iterator[str]) -> Iterator[tuple[int, str, str, int]]:
    reader = csv.reader(stream, strict=True)
    expected = ",".join(COLUMNS)
    try:
        header = next(reader, None)
        if header is None or tuple(header) != COLUMNS:
            raise PairSetError(f"{path}, line 1: expected the header {expected}")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(COLUMNS):
                raise PairSetError(
                    f"{path}, line {reader.line_num}: {len(cells)} values, expected {expected}"
                )
            if not (cells[2].isascii() and cells[2].isdigit() and 0 < int(cells[2]) < 2**31):
                raise PairSetError(
                    f"{path}, line {reader.line_num}: fold {cells[2]!r}; expected 1, 2, ..."
                )
            yield reader.line_num, cells[0], cells[1], int(cells[2])
    except csv.Error as error:
        raise PairSetError(f"{path}, line {reader.line_num}: not CSV ({error})") from None
