"""Pairs that somebody has seen already, by the paths of their faces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import PairSetError
from pairsets.paths import strings
from pairsets.storage.csv_tables import read_table
from pairsets.storage.spreadsheets import copy_hint

COLUMNS = ("pathA", "pathB")
# What pairs are counted as that were excluded by name, and nothing more is known of.
EXCLUDED = "excluded"


class PathPairs(Protocol):
    """Pairs by path: a `PairSet`, `Exclusions`, or what a miner returned."""

    @property
    def path_a(self) -> NDArray[np.object_]:
        """`[K]` str, relative to the faces folder."""

    @property
    def path_b(self) -> NDArray[np.object_]:
        """`[K]` str."""


@dataclass(frozen=True, eq=False)
class Exclusions:
    """Pairs not to be taken, in either order and as often as they stand there.

    Attributes:
        path_a, path_b: `[K]` str, relative to the faces folder.
        why: what the pairs are counted as; by default as excluded.
    """

    path_a: NDArray[np.object_]
    path_b: NDArray[np.object_]
    why: str = EXCLUDED

    @classmethod
    def read(cls, path: str | Path) -> Exclusions:
        """Read the columns `pathA` and `pathB` of any CSV, whatever else it holds.

        Raises:
            PairSetError: the file is missing, not CSV, lacks a column, or has a row of another
                length; the message gives the file, the line, what was expected and what came.
        """
        path = Path(path)
        rows = list(_rows(path))
        return cls(strings(row[0] for row in rows), strings(row[1] for row in rows))

    def __len__(self) -> int:
        return len(self.path_a)


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    rows = read_table(path, "file of pairs to exclude", kind="file of pairs")
    _, header = next(rows)
    if not header:
        raise PairSetError(f"{path}: empty; expected a header with {' and '.join(COLUMNS)}")
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise PairSetError(
            f"{path}, line 1: column {', '.join(missing)} missing; expected pathA and pathB "
            f"among the columns, got {','.join(header)[:80]}; is the header line missing?"
            + copy_hint(header)
        )
    a, b = (header.index(name) for name in COLUMNS)
    for line, cells in rows:
        if not cells[a] or not cells[b]:
            raise PairSetError(
                f"{path}, line {line}: an empty path; expected two, such as "
                "rei/1.jpg and asuka/2.jpg"
            )
        for cell in (cells[a], cells[b]):
            if cell.startswith("/") or cell[1:3] in (":\\", ":/"):
                raise PairSetError(
                    f"{path}, line {line}: path {cell!r} is absolute, so no face is "
                    f"excluded by it; expected one relative to the faces folder, such as "
                    f"{'/'.join(cell.replace(chr(92), '/').split('/')[-2:])}"
                )
        yield cells[a], cells[b]
