"""Pairs that may be mistakes in the data: what each check says of them, and the file of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsets.arrays import Mask, Rows, Scores
from pairsets.errors import PairSetError
from pairsets.files.suspect_kinds import KINDS
from pairsets.pairset import PairSet, pair_key
from pairsets.paths import strings
from pairsets.storage.csv_tables import Row, csv_rows, csv_text, read_table, write_csv
from pairsets.storage.spreadsheets import copy_hint

# What stands between kinds, which none of them has, and between their reasons.
AND, ALSO = "+", "; "
SUSPECT, DROPPED, REASON = "suspect", "dropped", "reason"
_FIRST = ("pathA", "pathB", "label", SUSPECT)


@dataclass(frozen=True, eq=False)
class Doubt:
    """Doubt of one check about each of N pairs.

    Attributes:
        kind: which check, a key of `KINDS`.
        score: `[N]` float64, 0 to 1, higher is more suspicious; nan where the check does not apply
            or cannot tell, as of a picture that cannot be read.
        flagged: `[N]` bool: the pairs that the check calls suspects.
        reasons: `N`, why in words; empty where a pair is not flagged.

    The arrays are read-only copies.

    Raises:
        ValueError: another kind, length or range; a flag without a reason, or a reason without a
            flag.
    """

    kind: str
    score: Scores
    flagged: Mask
    reasons: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a doubt of kind {self.kind!r}; expected one of {', '.join(KINDS)}")
        for name, kind in (("score", np.float64), ("flagged", np.bool_)):
            array = np.array(getattr(self, name), kind)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        object.__setattr__(self, "reasons", tuple(self.reasons))
        if not self.score.shape == self.flagged.shape == (len(self.reasons),):
            raise ValueError(
                f"{self.kind}: scores {self.score.shape}, flags {self.flagged.shape} and "
                f"{len(self.reasons)} reasons; expected one of each a pair"
            )
        # nan compares false with everything: it is in no range, and allowed.
        if ((self.score < 0) | (self.score > 1)).any():
            raise ValueError(f"{self.kind}: a score outside 0 to 1")
        if self.flagged.tolist() != [bool(reason) for reason in self.reasons]:
            raise ValueError(f"{self.kind}: a flag without a reason, or the other way round")

    def __len__(self) -> int:
        return len(self.score)

    @property
    def count(self) -> int:
        """Number of pairs that are flagged."""
        return int(self.flagged.sum())

    def take(self, rows: Rows) -> Doubt:
        """Doubt about some of the pairs, by number."""
        reasons = tuple(self.reasons[row] for row in rows.tolist())
        return Doubt(self.kind, self.score[rows], self.flagged[rows], reasons)


def joined(doubts: Sequence[Doubt]) -> Doubt:
    """Doubts of one kind, about one lot of pairs after another.

    >>> one = Doubt("crop", np.array([0.1]), np.array([False]), ("",))
    >>> len(joined([one, one]))
    2
    """
    return Doubt(
        doubts[0].kind,
        np.concatenate([one.score for one in doubts]),
        np.concatenate([one.flagged for one in doubts]),
        tuple(reason for one in doubts for reason in one.reasons),
    )


@dataclass(frozen=True, eq=False)
class Suspects:
    """Pairs, and what each check says of them: a column a kind of doubt.

    Attributes:
        path_a, path_b: `[N]` str, relative to the faces folder.
        label: `[N]` int8, 1 same identity, 0 different.
        scores: by kind, `[N]` float64, 0 to 1; nan where a check cannot tell.
        flags: by kind, `[N]` bool: the suspects.
        reasons: `N`, why in words; empty where no check flags a pair.
        dropped: `[N]` bool: pairs that were left out of a pair set, and replaced.
    """

    path_a: NDArray[np.object_]
    path_b: NDArray[np.object_]
    label: NDArray[np.int8]
    scores: Mapping[str, Scores]
    flags: Mapping[str, Mask]
    reasons: tuple[str, ...]
    dropped: Mask

    @classmethod
    def of(cls, pairs: PairSet, doubts: Sequence[Doubt], dropped: Mask | None = None) -> Suspects:
        """Suspects of `pairs` by `doubts`, one of each kind."""
        order = {kind: at for at, kind in enumerate(KINDS)}
        doubts = sorted(doubts, key=lambda doubt: order[doubt.kind])
        said = [
            ALSO.join(
                f"{KINDS[doubt.kind]}: {doubt.reasons[row]}"
                for doubt in doubts
                if doubt.reasons[row]
            )
            for row in range(len(pairs))
        ]
        return cls(
            pairs.path_a,
            pairs.path_b,
            pairs.label,
            {doubt.kind: doubt.score for doubt in doubts},
            {doubt.kind: doubt.flagged for doubt in doubts},
            tuple(said),
            np.zeros(len(pairs), bool) if dropped is None else dropped,
        )

    @classmethod
    def read(cls, path: str | Path) -> Suspects:
        """Read what `write` wrote.

        Raises:
            PairSetError: the message gives the file, the line, what was expected and what came.
        """

        def ragged(cells: Sequence[str], header: Sequence[str]) -> str:
            return f"{len(cells)} values, expected {len(header)}; is a comma in a path not quoted?"

        path, hint = Path(path), "; make it with: lookalikes suspects"
        return _parse(path, read_table(path, "file of suspects", hint=hint, ragged=ragged))

    def write(self, path: Path) -> Path:
        """Write a line a pair as CSV, with `\\n` line ends, atomically.

        The columns are `pathA,pathB,label,suspect`, the score of each kind that was looked for,
        `dropped,reason`. `suspect` names the kinds that flag the pair, joined by `+`. A score that
        is nan is empty; others are written so that reading gives the same float64 back.
        """
        return write_csv(path, self._header, self._rows())

    def text(self) -> str:
        """All of it as CSV, as `write` writes it."""
        return csv_text([self._header, *self._rows()])

    @classmethod
    def of_text(cls, text: str) -> Suspects:
        """Read what `text` gave."""
        path = Path("suspects")
        return _parse(path, csv_rows(path, io.StringIO(text, newline="")))

    def __len__(self) -> int:
        return len(self.path_a)

    @property
    def flagged(self) -> Mask:
        """`[N]`: pairs that at least one check flags."""
        return np.asarray(np.any([np.zeros(len(self), bool), *self.flags.values()], axis=0))

    def kinds(self, row: int) -> tuple[str, ...]:
        """The kinds of doubt that flag a pair."""
        return tuple(kind for kind, flags in self.flags.items() if flags[row])

    def counts(self, rows: Mask | None = None) -> dict[str, int]:
        """Number of pairs that each kind flags, of all or of some."""
        chosen = np.ones(len(self), bool) if rows is None else rows
        return {kind: int((flags & chosen).sum()) for kind, flags in self.flags.items()}

    def among(self, pairs: PairSet) -> dict[int, tuple[str, str]]:
        """The suspects of a pair set by row, each with its kinds, joined by `+`, and the reason.

        Pairs are matched by their paths, in either order; others are left out.
        """
        rows = {key: row for row, key in enumerate(pairs.keys)}
        found = {}
        for at in np.flatnonzero(self.flagged).tolist():
            row = rows.get(pair_key(self.path_a[at], self.path_b[at]))
            if row is not None:
                found[row] = (AND.join(self.kinds(at)), self.reasons[at])
        return dict(sorted(found.items()))

    @property
    def _header(self) -> list[str]:
        return [*_FIRST, *self.scores, DROPPED, REASON]

    def _rows(self) -> Iterator[list[object]]:
        for row in range(len(self)):
            scores = (float(values[row]) for values in self.scores.values())
            yield [
                self.path_a[row],
                self.path_b[row],
                int(self.label[row]),
                AND.join(self.kinds(row)),
                *("" if np.isnan(score) else repr(score) for score in scores),
                int(self.dropped[row]),
                self.reasons[row],
            ]


def _parse(path: Path, told: Iterator[Row]) -> Suspects:
    _, header = next(told)
    kinds = header[len(_FIRST) : -2]
    if header != [*_FIRST, *(kind for kind in KINDS if kind in kinds), DROPPED, REASON]:
        raise PairSetError(
            f"{path}, line 1: {','.join(header)[:120]}; expected {','.join(_FIRST)}, columns "
            f"among {','.join(KINDS)}, then {DROPPED},{REASON}; is it a file of suspects?"
            + copy_hint(header)
        )
    rows = [_checked(f"{path}, line {line}", cells, kinds) for line, cells in told]
    scores = np.array([row[4:-2] for row in rows], np.float64).reshape(len(rows), len(kinds))
    flags = np.array(
        [[kind in row[3].split(AND) for kind in kinds] for row in rows], np.bool_
    ).reshape(scores.shape)
    return Suspects(
        strings(row[0] for row in rows),
        strings(row[1] for row in rows),
        np.array([row[2] for row in rows], np.int8),
        dict(zip(kinds, scores.T, strict=True)),
        dict(zip(kinds, flags.T, strict=True)),
        tuple(row[-1] for row in rows),
        np.array([row[-2] == "1" for row in rows], bool),
    )


def _checked(where: str, cells: list[str], kinds: Sequence[str]) -> list[str]:
    """The cells of a line, with nan for an empty score."""
    for name, cell in (("label", cells[2]), (DROPPED, cells[-2])):
        if cell not in ("0", "1"):
            raise PairSetError(f"{where}: {name} is {cell!r}, expected 0 or 1")
    unknown = [kind for kind in cells[3].split(AND) if kind and kind not in kinds]
    if unknown:
        raise PairSetError(
            f"{where}: {SUSPECT} is {cells[3]!r}; expected kinds that have a column "
            f"({', '.join(kinds)}), joined by {AND}"
        )
    scores = [cell or "nan" for cell in cells[4:-2]]
    for kind, cell in zip(kinds, scores, strict=True):
        try:
            # nan compares false, and is allowed. `float` would take 0_1 and digits of any script.
            wrong = "_" in cell or not cell.isascii() or not 0 <= float(cell) <= 1
            wrong &= cell != "nan"
        except ValueError:
            wrong = True
        if wrong:
            raise PairSetError(f"{where}: {kind} is {cell!r}, expected a number from 0 to 1")
    if bool(cells[3]) != bool(cells[-1]):
        raise PairSetError(f"{where}: {SUSPECT} without a {REASON}, or the other way round")
    return [*cells[:4], *scores, *cells[-2:]]
