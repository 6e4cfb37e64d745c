"""Records with named values, as of JSON lines and Parquet, -> pairs, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.pairset import COLUMNS, read_identities
from pairsets.sources.formats import Pairs
from pairsets.sources.formats.collection import gather

# What a record may have; the first three it must have.
NAMES = (*COLUMNS, "fold")
EXPECTED = "pathA, pathB and label, and optionally human_prediction, invalid and fold"
_MOST = 2**31
Values = Sequence[object]


def gather_records(
    path: Path,
    records: Iterable[tuple[int, Values]],
    *,
    unit: str = "line",
    notes: Sequence[str] = (),
    identities: Path | None = None,
) -> Pairs:
    """Pairs that records tell, as `Pairs`.

    Args:
        path: of the file, for errors.
        records: number, and values in the order of `NAMES`; None stands for one that is missing.
        unit: what the numbers count.
        notes: sentences to hand on.
        identities: file that may be there, and says who each face shows.

    Raises:
        PairSetError: `identities` is not of these faces.
        SourceError: a value that is missing or of another kind, a fold for some pairs alone, or
            what `gather` refuses.
    """
    lines: list[int] = []
    first: list[str] = []
    second: list[str] = []
    known: dict[str, str] = {}
    labels, human, invalid = bytearray(), bytearray(), bytearray()
    folds: list[Any] = []
    for line, values in records:
        a, b, label, said, flag, fold = values
        if said is None:
            said = -1
        if flag is None:
            flag = 0
        if not (
            type(a) is str
            and type(b) is str
            # Of JSON's kinds only numbers and true or false are equal to these.
            and label in (0, 1)
            and said in (-1, 0, 1)
            and flag in (0, 1)
            and (fold is None or type(fold) is int or _is_whole(fold))
        ):
            raise SourceError(f"{path}, {unit} {line}: {_problem(a, b, label, said, flag, fold)}")
        if lines and (fold is None) != (folds[0] is None):
            raise SourceError(
                f"{path}, {unit} {line}: {'no' if fold is None else 'a'} fold, unlike the pairs "
                "before it; expected one for each pair or for none"
            )
        lines.append(line)
        # One string for each face, however often it comes.
        first.append(known.setdefault(a, a))
        second.append(known.setdefault(b, b))
        labels.append(int(label))
        human.append(int(said) + 1)
        invalid.append(int(flag))
        folds.append(fold)
    parts = _folds(path, folds, lines, unit)
    return gather(
        path,
        first,
        second,
        np.frombuffer(bytes(labels), np.int8),
        human_prediction=np.frombuffer(bytes(human), np.int8) - 1,
        invalid=np.frombuffer(bytes(invalid), np.int8),
        folds=parts,
        lines=lines,
        unit=unit,
        notes=notes,
        identities=None if identities is None else read_identities(identities, known),
    )


def records_of(content: Pairs) -> Iterator[tuple[object, ...]]:
    """Values in the order of `NAMES`, without the fold where there are none."""
    pairs = content.pairs
    columns = [column.tolist() for column in (pairs.label, pairs.human_prediction, pairs.invalid)]
    if content.folds is not None:
        columns.append(content.folds.numbers.tolist())
    return zip(pairs.path_a, pairs.path_b, *columns, strict=True)


def _is_whole(value: object) -> bool:
    """Whether a number is whole though it is no int, as where a table had gaps."""
    return isinstance(value, float) and value.is_integer()


def _folds(
    path: Path, folds: Sequence[Any], lines: Sequence[int], unit: str
) -> NDArray[np.int64] | None:
    """The fold of each pair, where there are any."""
    if not folds or folds[0] is None:
        return None
    wrong = next((at for at, fold in enumerate(folds) if not 0 <= fold < _MOST), None)
    if wrong is not None:
        raise SourceError(
            f"{path}, {unit} {lines[wrong]}: fold is {folds[wrong]}, expected 1, 2, ..."
        )
    return np.array(folds, np.int64)


def _problem(*values: object) -> str:
    """Description of the first value that is wrong."""
    allowed = ((), (), (0, 1), (-1, 0, 1), (0, 1))
    for name, value, known in zip(NAMES, values, (*allowed, ()), strict=True):
        if value is None and name != "fold":
            return f"no {name}; expected {EXPECTED}"
        if name in COLUMNS[:2]:
            if type(value) is not str:
                return f"{name} is {value!r:.60}, expected text"
        elif name == "fold":
            return f"fold is {value!r:.60}, expected a whole number from 1 on"
        elif value not in known:
            return f"{name} is {value!r:.60}, expected {' or '.join(map(str, known))}"
    return f"expected {EXPECTED}"
