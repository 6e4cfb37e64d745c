"""The file of all verdicts of a review, one a row: `OUT.judgements.csv`.

`pathA,pathB,annotator,verdict,human_prediction,reason,seconds,at,decided`; `decided` is 1 where a
row is the decision on a pair that people disagreed on, and `annotator` then who took it. Pairs
stand in the order of the pair set, verdicts on one by name, the decision last. `human_prediction`
is as in the pair file: of an invalid pair it may hold what was thought of the faces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

from pairsets.pairset import PairKey, PairSet, pair_key
from pairsets.review.store.verdicts import WORDS, ReviewError, Verdict, VerdictRecord, plain_name
from pairsets.storage.csv_tables import read_table, write_csv
from pairsets.storage.spreadsheets import copy_hint

HEADER = (
    "pathA",
    "pathB",
    "annotator",
    "verdict",
    "human_prediction",
    "reason",
    "seconds",
    "at",
    "decided",
)
# When a verdict was given that a file without times tells of: before any other. An empty cell.
UNDATED = "1970-01-01T00:00:00.000+00:00"
_PREDICTIONS = {"1": 1, "0": 0, "-1": -1}
_SECONDS = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


# One verdict or decision, as a review holds it: who says what of which row, and whether it decides.
Told = tuple[VerdictRecord, bool]


@dataclass(frozen=True)
class ForeignVerdict:
    """Verdict or decision of a source, on a pair named by its faces.

    Attributes:
        key: of the pair, by the paths that its pictures are known by; None where one is not known.
        annotator: who.
        verdict: what.
        seconds: how long it took, where that is known.
        at: when; `UNDATED` where that is not known.
        decided: whether it is a decision.
    """

    key: PairKey | None
    annotator: str
    verdict: Verdict
    seconds: float | None
    at: str
    decided: bool = False


def write_judgements(path: Path, pairs: PairSet, told: Iterable[Told]) -> Path:
    """Write verdicts and decisions on `pairs`, whatever their order, in that of the file."""

    def place(one: Told) -> tuple[int, bool, str]:
        said, decided = one
        return said.pair, decided, said.annotator

    return write_csv(path, HEADER, (_cells(pairs, *one) for one in sorted(told, key=place)))


def read_judgements(path: Path) -> list[ForeignVerdict]:
    """Read what `write_judgements` wrote; rows may stand in any order.

    Raises:
        ReviewError: the message gives the file, the line, what was expected and what came.
    """
    lines: list[ForeignVerdict] = []
    seen: dict[tuple[PairKey | None, str | None], int] = {}
    rows = read_table(path, "table of verdicts", error=ReviewError)
    _, header = next(rows)
    if tuple(header) != HEADER:
        raise ReviewError(
            f"{path}, line 1: expected exactly {','.join(HEADER)}, got "
            f"{','.join(header)[:200]!r}{copy_hint(header)}"
        )
    for number, cells in rows:
        try:
            line = _line(cells)
        except ReviewError as error:
            raise ReviewError(f"{path}, line {number}: {error}") from None
        earlier = seen.setdefault((line.key, None if line.decided else line.annotator), number)
        if earlier != number:
            what = "decision" if line.decided else f"verdict of {line.annotator}"
            raise ReviewError(
                f"{path}, line {number}: a second {what} on {cells[0]!r} and "
                f"{cells[1]!r}, after line {earlier}; expected one"
            )
        lines.append(line)
    return lines


def moment(text: str) -> str:
    """A time as the review's database has it; no time is `UNDATED`.

    Raises:
        ReviewError: another form, or a time without its offset from UTC.

    >>> moment("2026-05-01T09:30:00.5+02:00")
    '2026-05-01T07:30:00.500+00:00'
    """
    if not text:
        return UNDATED
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError
        return found.astimezone(UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        raise ReviewError(
            f"at is {text[:40]!r}, expected a time such as 2026-05-01T07:30:00.500+00:00; did a "
            "spreadsheet write it anew?"
        ) from None


def _cells(pairs: PairSet, said: VerdictRecord, decided: bool) -> tuple[object, ...]:
    return (
        pairs.path_a[said.pair],
        pairs.path_b[said.pair],
        said.annotator,
        said.verdict.word,
        said.verdict.prediction,
        said.verdict.reason,
        "" if said.seconds is None else repr(said.seconds),
        "" if said.at == UNDATED else said.at,
        int(decided),
    )


def _line(cells: list[str]) -> ForeignVerdict:
    a, b, annotator, word, prediction, reason, seconds, at, decided = cells
    if word not in WORDS:
        raise ReviewError(f"verdict is {word!r}, expected {', '.join(WORDS)}")
    if prediction not in _PREDICTIONS:
        raise ReviewError(
            f"human_prediction is {prediction!r}, expected {' or '.join(_PREDICTIONS)}"
        )
    verdict = Verdict(_PREDICTIONS[prediction], word == "invalid", reason)
    if verdict.word != word:
        raise ReviewError(f"verdict is {word} where human_prediction is {prediction}")
    if decided not in ("0", "1"):
        raise ReviewError(f"decided is {decided!r}, expected 0 or 1")
    if seconds and not (_SECONDS.fullmatch(seconds) and isfinite(float(seconds))):
        raise ReviewError(f"seconds is {seconds!r}, expected a number, 0 or more, or nothing")
    return ForeignVerdict(
        pair_key(a, b),
        plain_name(annotator),
        verdict,
        float(seconds) if seconds else None,
        moment(at),
        decided == "1",
    )
