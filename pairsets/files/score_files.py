"""A pair set's scores under a model, and score files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from pairsets.arrays import Floats, Mask, Rows, Scores
from pairsets.errors import ScoresError
from pairsets.files.pair_rows import PairRows
from pairsets.pairset import PairKey, PairSet, pair_key
from pairsets.path_prefixes import cause
from pairsets.storage.csv_tables import batches, read_table, write_csv
from pairsets.storage.manifests import refuse_other
from pairsets.storage.spreadsheets import copy_hint

HEADER = ("pathA", "pathB", "rank", "score", "model")
# Lines that are read at a time.
_LINES = 1 << 14
QUANTILE, RANK, SCORE = "quantile", "rank", "score"
# How tools write that there is no score, in lower case: of distances that is inf as often as -inf.
NO_SCORE = frozenset(
    ["", "na", "<na>", "none", "null"]
    + [sign + word for sign in ("", "+", "-") for word in ("nan", "inf", "infinity")]
)


def write_scores(
    path: Path,
    pairs: PairSet,
    scores: Mapping[str, Scores],
    rank: Rows | None = None,
    quantiles: Mapping[str, Floats] | None = None,
) -> Path:
    """Write `pathA,pathB,rank,score,model`: for each model, a line a pair in the pairs' order.

    A pair without a score (nan, as an invalid one may have, or -inf, where it counts as rejected)
    has no line. `rank` is empty where it is 0 or not given. With `quantiles` of the references that
    mined the set together there is one more column, `quantile`: empty in the lines of other models,
    and where a pair has none (nan). Numbers are written so that reading them gives the same float64
    back.
    """
    ranks = [""] * len(pairs) if rank is None else [str(r) if r else "" for r in rank.tolist()]
    own = {
        model: ["" if np.isnan(value) else repr(value) for value in values.tolist()]
        for model, values in (quantiles or {}).items()
    }
    none = [""] * len(pairs)
    rows = (
        (a, b, place, repr(score), model, quantile)
        for model, values in scores.items()
        for a, b, place, score, quantile in zip(
            pairs.path_a,
            pairs.path_b,
            ranks,
            values.tolist(),
            own.get(model, none),
            strict=True,
        )
        if math.isfinite(score)
    )
    if not quantiles:
        return write_csv(path, HEADER, (row[:-1] for row in rows))
    return write_csv(path, (*HEADER, QUANTILE), rows)


def quantile_columns(names: Sequence[str], quantiles: Floats, rank: Rows) -> dict[str, Floats]:
    """Quantiles of mined pairs as `write_scores` takes them: by model, `[N]`, nan for positives.

    Args:
        names: the references.
        quantiles: `[M, R]` of the mined pairs, best first, a column a reference.
        rank: `[N]` of the rows of the pair set, as of `mining.adversarial_pairs`: 1 to M, 0 for a
            positive.

    >>> quantile_columns(["A"], np.array([[1.0], [0.5]]), np.array([2, 0, 1]))["A"].tolist()
    [0.5, nan, 1.0]
    """
    # Rank 0 takes the row put last.
    padded = np.vstack([quantiles, np.full((1, len(names)), np.nan)])
    return dict(zip(names, padded[rank - 1].T, strict=True))


def read_scores(path: str | Path, pairs: PairSet, *, complete: bool = True) -> dict[str, Floats]:
    """Scores of `pairs` from a CSV: model -> `[N]`, matched by the two paths in either order.

    The columns `pathA`, `pathB` and `score` are needed; without `model` the file's name is the
    model's. Rows of pairs that are not in `pairs` are left alone. A file that is not `complete`
    may lack pairs, whose score is nan then, or all of them; so may it say that a pair has no score:
    an empty cell, nan, inf or -inf (in any case), NA, null or None.

    Raises:
        ScoresError: a column, a pair or a number is missing, wrong or there twice.
        PairSetError: the manifest of the pair file that it is called after describes another one.
    """
    path = Path(path)
    refuse_other(path)
    found = _read(path, pairs, SCORE)
    if not complete:
        return found
    if not found:
        why = why_none(path, pairs.paths) or "; are they another pair set's?"
        raise ScoresError(f"{path}: no score of any of the {len(pairs)} pairs{why}")
    for model, values in found.items():
        lacking = np.flatnonzero(np.isnan(values) & pairs.valid)
        if lacking.size:
            row = int(lacking[0])
            raise ScoresError(
                f"{path}: {lacking.size} of {int(pairs.valid.sum())} valid pairs have no score of "
                f"{model}, the first {pairs.path_a[row]}, {pairs.path_b[row]}"
            )
    return found


def says_none(path: Path, pair: PairKey) -> str:
    """Line of a score file that says that a pair has no score, in words; empty where none does.

    For an error: the line and its cell, as in `", line 5 (score 'nan')"`.
    """
    rows = read_table(path, "score file", error=ScoresError)
    _, header = next(rows)
    a, b, at = (header.index(name) for name in ("pathA", "pathB", SCORE))
    for line, cells in rows:
        if pair_key(cells[a], cells[b]) == pair and cells[at].strip().lower() in NO_SCORE:
            return f", line {line} (score {cells[at]!r})"
    return ""


def why_none(path: Path, paths: Iterable[str]) -> str:
    """The end of a message about a score file that has none of the pairs of `paths`.

    The first face of the file tells whether its paths have folders in front; else it is empty.
    """
    rows = read_table(path, "score file", error=ScoresError)
    _, header = next(rows)
    _, first = next(rows, (0, None))
    return cause(first[header.index("pathA")] if first else "", frozenset(paths).__contains__)


def read_ranks(path: str | Path, pairs: PairSet) -> Rows:
    """The mining rank of each row of `pairs` from a score file: `[N]`, 1 the hardest, 0 where none.

    Raises:
        ScoresError: the column `rank` is missing, or two lines give a pair another rank.
    """
    path = Path(path)
    found = _read(path, pairs, RANK)
    ranks = np.zeros(len(pairs), np.int64)
    for model, values in found.items():
        known = ~np.isnan(values)
        given = np.where(known, values, 0).astype(np.int64)
        if (known & ((given != values) | (given < 1))).any():
            raise ScoresError(f"{path}: a rank of {model} that is no whole number from 1 up")
        if (known & (ranks > 0) & (ranks != given)).any():
            raise ScoresError(f"{path}: the rank of a pair for {model} is another than before")
        ranks = np.maximum(ranks, given)
    return ranks


def read_quantiles(path: str | Path, pairs: PairSet) -> dict[str, Floats]:
    """Each reference's quantiles of `pairs`, from a score file: model -> `[N]`, nan where none.

    Pairs are matched as by `read_scores`. Models that did not mine the set are left out.

    Raises:
        ScoresError: the column `quantile` is missing, as in files of a set that one model mined;
            a value is no share, or there twice.
    """
    path = Path(path)
    found = _read(path, pairs, QUANTILE)
    for model, values in found.items():
        if not ((values >= 0) & (values <= 1) | np.isnan(values)).all():
            raise ScoresError(f"{path}: a quantile of {model} outside 0 to 1")
    return found


def _read(path: Path, pairs: PairSet, column: str) -> dict[str, Floats]:
    """The numbers in `column`, of `pairs`, by model: `[N]`, nan where there is none.

    Only the columns `quantile`, `rank` and `score` may have empty cells.
    """
    if path.is_dir():
        raise ScoresError(
            f"{path}: a folder; expected a score file (vectors are given with --embeddings)"
        )
    ragged = "more or fewer values than line 1 has; is a comma in a path not quoted?"
    lines = read_table(
        path, "score file", broken="not a CSV file", error=ScoresError, ragged=lambda *_: ragged
    )
    _, header = next(lines)
    missing = {"pathA", "pathB", column} - {*header}
    if missing:
        empty = "" if header else "; the file is empty"
        raise ScoresError(
            f"{path}, line 1: column {', '.join(sorted(missing))} missing{empty}"
            + copy_hint(header)
        )
    a, b, at = (header.index(name) for name in ("pathA", "pathB", column))
    named = header.index("model") if "model" in header else None
    rows, found, unnamed = PairRows(pairs), _Numbers(path, column, pairs), path.stem
    for batch in batches(lines, _LINES):
        places = rows.find([cells[a] for _, cells in batch], [cells[b] for _, cells in batch])
        told = [
            (row, (cells[named] if named is not None else "") or unnamed, cells[at], line)
            for row, (line, cells) in zip(places.tolist(), batch, strict=True)
            if row >= 0 and (column == SCORE or cells[at] != "")
        ]
        if not found.add_together(told):
            for row, model, text, line in told:
                found.add(row, model, text, line)
    return found.values


# Row of a pair, model, cell and line of the file.
_Told = tuple[int, str, str, int]


class _Numbers:
    """Numbers of pairs by model, as a file tells them."""

    def __init__(self, path: Path, column: str, pairs: PairSet) -> None:
        self.path, self.column, self.pairs = path, column, pairs
        # `[N]` of each model; nan where there is none.
        self.values: dict[str, Floats] = {}
        # The rows that a line speaks of: it may say that there is no score.
        self.told: dict[str, Mask] = {}

    def add_together(self, told: Sequence[_Told]) -> bool:
        """Add lines, if they are as they should be, none twice, and have a number each."""
        if not told:
            return True
        places, models, texts, _ = zip(*told, strict=True)
        try:
            numbers = np.fromiter(map(float, texts), np.float64, len(told))
        except ValueError:
            return False
        if not np.isfinite(numbers).all():
            return False
        rows = np.array(places, np.int64)
        among = {model: slice(None) for model in dict.fromkeys(models)}
        if len(among) > 1:
            each = np.array(models, object)
            among = {model: each == model for model in among}
        for model, mine in among.items():
            if np.unique(rows[mine]).size < rows[mine].size:
                return False
            if model in self.told and self.told[model][rows[mine]].any():
                return False
        for model, mine in among.items():
            self._begin(model)
            self.told[model][rows[mine]] = True
            self.values[model][rows[mine]] = numbers[mine]
        return True

    def add(self, row: int, model: str, text: str, line: int) -> None:
        """Add one line.

        Raises:
            ScoresError: the second of a pair, or no number.
        """
        self._begin(model)
        if self.told[model][row]:
            first, second = pair_key(self.pairs.path_a[row], self.pairs.path_b[row])
            raise ScoresError(
                f"{self.path}, line {line}: a second {self.column} of {first}, {second} for {model}"
            )
        self.told[model][row] = True
        if self.column != SCORE or text.strip().lower() not in NO_SCORE:
            self.values[model][row] = _number(text, self.path, line, self.column)

    def _begin(self, model: str) -> None:
        if model not in self.values:
            self.values[model] = np.full(len(self.pairs), np.nan)
            self.told[model] = np.zeros(len(self.pairs), np.bool_)


def _number(text: str, path: Path, line: int, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ScoresError(f"{path}, line {line}: {what} is {text!r}, expected a number") from None
    if not math.isfinite(value):
        raise ScoresError(f"{path}, line {line}: {what} is {text!r}, expected a finite number")
    return value
