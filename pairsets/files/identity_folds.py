"""Folds of identities: no two folds of a protocol have one in common.

`PAIRS.identity_folds.csv` stands beside a pair file that was mined so: `identity,fold`, folds from
1 on. The same file, of any origin, says which folds there are to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.faces import Faces
from pairsets.files.aliases import plain_name
from pairsets.files.folds import fold_number
from pairsets.storage.csv_tables import table_rows, write_csv

COLUMNS = ("identity", "fold")


@dataclass(frozen=True, eq=False)
class IdentityFolds:
    """The fold of each identity that is in one.

    Attributes:
        numbers: identity -> fold, 1 to K; none of the K is empty.
        unknown: how many names a file of folds has that no face has.

    Raises:
        PairSetError: fewer than two folds, or a number that no identity has below the highest.
    """

    numbers: Mapping[str, int]
    unknown: int = 0

    def __post_init__(self) -> None:
        present = {*self.numbers.values()}
        missing = next((fold for fold in range(1, len(present) + 1) if fold not in present), None)
        if missing is not None:
            raise PairSetError(
                f"no identity of these faces in fold {missing}; expected every number from 1 to "
                "that of the last fold"
            )
        if len(present) < 2:
            raise PairSetError(f"{len(present)} fold; expected two or more")

    @classmethod
    def drawn(
        cls, faces: Faces, count: int, *, ignore: Iterable[str] = (), seed: int = 0
    ) -> IdentityFolds:
        """Every identity of the faces that are not ignored, in one of `count` folds by lot.

        Identities are dealt from those with most images to those with least, one to each fold in
        turn, by lot among the folds each time. So folds have as many identities, but for one, and
        nearly as many images; two that differ by one huge identity still do. The order of the
        faces does not matter.

        Raises:
            PairSetError: fewer than two folds, or too few identities for two in each.
        """
        if count < 2:
            raise PairSetError(f"{count} folds; expected two or more")
        images = Counter(faces.identities[faces.without(ignore)].tolist())
        if len(images) < 2 * count:
            raise PairSetError(
                f"{len(images):,} identities for {count} folds; expected two or more in each: ask "
                f"for {len(images) // 2} folds at most"
                if len(images) >= 4
                else f"{len(images)} identities; two folds of two need four"
            )
        generator = np.random.default_rng(seed)
        names = sorted(images)
        lots = generator.permutation(len(names)).tolist()
        order = sorted(range(len(names)), key=lambda at: (-images[names[at]], lots[at]))
        numbers: dict[str, int] = {}
        for start in range(0, len(order), count):
            folds = (generator.permutation(count) + 1).tolist()
            # The last ones are fewer than the folds.
            dealt = zip(order[start : start + count], folds, strict=False)
            numbers |= {names[at]: fold for at, fold in dealt}
        return cls({name: numbers[name] for name in names})

    @classmethod
    def read(cls, path: str | Path, faces: Faces) -> IdentityFolds:
        """Read `identity,fold` rows of `faces`; identities that it does not name are in no fold.

        Names are compared as `pairsets.files.aliases.plain_name` has them where they are not equal.

        Raises:
            PairSetError: the file is missing or not of this form, an identity has two folds, or the
                folds that are left are not 1 to K; the message gives the file and the line.
        """
        path = Path(path)
        exact = dict.fromkeys(sorted({*faces.identities}))
        plain = {plain_name(name): name for name in exact}
        numbers: dict[str, int] = {}
        listed: dict[str, int] = {}
        unknown = 0
        for line, (cell, fold) in table_rows(path, "file of folds", COLUMNS):
            name = cell.strip()
            if not name:
                raise PairSetError(f"{path}, line {line}: an empty name")
            number = fold_number(fold.strip(), path, line)
            known = name if name in exact else plain.get(plain_name(name))
            key = known or name
            if listed.setdefault(key, line) != line:
                raise PairSetError(
                    f"{path}, line {line}: {name!r} has a fold already, in line {listed[key]}"
                )
            if known is None:
                unknown += 1
            else:
                numbers[known] = number
        if not numbers:
            raise PairSetError(
                f"{path}: none of its {unknown:,} identities is among the {len(exact):,} of the "
                "faces; was it made for other ones?"
            )
        try:
            return cls(dict(sorted(numbers.items())), unknown)
        except PairSetError as error:
            raise PairSetError(f"{path}: {error}") from None

    def write(self, path: str | Path) -> Path:
        """Write `identity,fold`, sorted by identity."""
        return write_csv(Path(path), COLUMNS, sorted(self.numbers.items()))

    def __len__(self) -> int:
        """Number of folds."""
        return max(self.numbers.values())

    def of(self, identities: Iterable[str]) -> NDArray[np.int32]:
        """`[N]`: the fold of each of `identities`, 0 where it is in none."""
        return np.array([self.numbers.get(name, 0) for name in identities], np.int32)

    @cached_property
    def sizes(self) -> list[int]:
        """`[K]`: how many identities each fold has."""
        counts = Counter(self.numbers.values())
        return [counts[fold] for fold in range(1, len(self) + 1)]
