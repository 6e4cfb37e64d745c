"""Verdicts from elsewhere: a judged pair file, all verdicts, another review, Label Studio."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from pairsets.arrays import Rows
from pairsets.errors import PairSetError
from pairsets.evaluation.annotator_files import rows_among
from pairsets.pairset import COLUMNS, PairKey, PairSet
from pairsets.review.exchange.judgement_table import (
    HEADER,
    UNDATED,
    ForeignVerdict,
    read_judgements,
)
from pairsets.review.exchange.label_studio_answers import begins_so, read_answers
from pairsets.review.store.access import read_whole
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord, plain_name
from pairsets.storage.csv_tables import line_cells

Kind = Literal["pairs", "judgements", "database", "answers"]
_SQLITE = b"SQLite format 3\0"
# A header is a line; what has none in so many bytes is something else.
_MOST_HEADER = 4096


@dataclass(frozen=True)
class Imported:
    """Result of `import_judged`: whose verdicts were taken in, and how many.

    Attributes:
        kind: of the source: a judged pair file, a file of all verdicts, a review's database, an
            export of Label Studio.
        people: whose verdicts and decisions on pairs of this set the source has, by their names
            here.
        added: verdicts and decisions that are new here.
        replaced: that stand now instead of other, earlier ones of the same person (of decisions:
            of anybody).
        older: that were left out because another one here is later.
        known: that stand here already.
        unjudged: valid rows of a pair file, or tasks of Label Studio, that say nothing.
        unknown: judged pairs of the source that this set lacks, left out.
        stranger: the first of these in an export of Label Studio, in words; else empty.
    """

    kind: Kind
    people: tuple[str, ...]
    added: int
    replaced: int
    older: int
    known: int
    unjudged: int
    unknown: int
    stranger: str = ""


@dataclass(frozen=True)
class _Found:
    """Verdicts and decisions of a source, in the rows of this set.

    Attributes:
        said, decided: verdicts and decisions; `pair` is -1 where this set lacks the pair.
        people: who judged or decided, in the order in which they are written down here.
        unjudged: see `Imported`.
        unknown: the same.
        stranger: the same.
    """

    said: Sequence[VerdictRecord]
    decided: Sequence[VerdictRecord]
    people: tuple[str, ...]
    unjudged: int
    unknown: int
    stranger: str = ""


def import_judged(store: Store, source: Path, *, who: str | None = None) -> Imported:
    """Take in what somebody judged elsewhere, all of it or nothing; twice is as good as once.

    Pairs are matched by their two paths in either order. A pair file tells no times: its verdicts
    count as given before any other (`UNDATED`), so that what a person says in the review stands.
    Its invalid rows are invalid verdicts that keep the file's `human_prediction`.

    Args:
        store: of this review.
        source: a judged pair file, the `.judgements.csv` of an export, another review's database,
            or an export of Label Studio; which, its first bytes tell. It is only read.
        who: who judged the pair file, by default the file's name without its ending; of the
            others, another name for the only person they have.

    Raises:
        ReviewError, PairSetError: nothing there, or of another kind or damaged; none of the pairs,
            or another label of one; nothing judged; a name for several people.
    """
    source = Path(source)
    # Asked before it is opened: on Unix, to close a file lets go of SQLite's locks on it.
    if source.exists() and source.samefile(store.path):
        raise ReviewError(f"{source}: this review's own database; expected another one")
    kind = _kind_of(source)
    if kind == "pairs":
        found = _of_pair_file(store, source, plain_name(source.stem if who is None else who))
    else:
        found = _READERS[kind](store, source)
        if who is not None:
            found = _renamed(found, source, plain_name(who))
    said, decided = (
        [one for one in those if one.pair >= 0] for those in (found.said, found.decided)
    )
    told = {one.annotator for one in (*said, *decided)}
    people = tuple(name for name in found.people if name in told)
    if not people:
        raise ReviewError(
            f"{source}: no verdict in it on any of the {len(store.pairs)} pairs of this review; "
            "is it judged?"
        )
    counts = store.take_in(said, decided, annotators=people)
    return Imported(
        kind=kind,
        people=people,
        unjudged=found.unjudged,
        unknown=found.unknown,
        stranger=found.stranger,
        **counts,
    )


def _kind_of(source: Path) -> Kind:
    try:
        with source.open("rb") as stream:
            start = stream.read(_MOST_HEADER)
    except (FileNotFoundError, NotADirectoryError):
        raise ReviewError(f"{source}: no such file of verdicts") from None
    except IsADirectoryError:
        raise ReviewError(
            f"{source}: a folder; expected a judged pair file, a .judgements.csv, the database of "
            "a review, or an export of Label Studio"
        ) from None
    if start.startswith(_SQLITE):
        return "database"
    if begins_so(start):
        return "answers"
    line = start.decode("utf-8-sig", "replace").partition("\n")[0].removesuffix("\r")
    header = line_cells(line)
    # Reading it says what else is wrong with a header, if anything.
    if set(header) & (set(HEADER) - set(COLUMNS)):
        return "judgements"
    if set(header) & set(COLUMNS):
        return "pairs"
    raise ReviewError(
        f"{source}, line 1: {'empty' if not start else 'no verdicts'}; expected a judged pair file "
        f"({','.join(COLUMNS)}), a file of all verdicts ({','.join(HEADER)}), the database of a "
        "review, or an export of Label Studio as JSON or JSON-MIN"
    )


def _of_pair_file(store: Store, source: Path, who: str) -> _Found:
    theirs = PairSet.read(source)
    at = _placed(store, theirs, source)
    judged = np.flatnonzero((theirs.human_prediction >= 0) | ~theirs.valid)
    said = [
        VerdictRecord(
            who,
            int(at[row]),
            Verdict(int(theirs.human_prediction[row]), bool(theirs.invalid[row])),
            None,
            UNDATED,
        )
        for row in judged
    ]
    unknown = int((at[judged] < 0).sum())
    return _Found(said, [], (who,), len(theirs) - len(judged), unknown)


def _of_judgements(store: Store, source: Path) -> _Found:
    lines = read_judgements(source)
    keys = {line.key for line in lines}
    return _here(store, source, lines, len(keys - {*store.pairs.keys}), len(keys))


def _of_answers(store: Store, source: Path) -> _Found:
    found = read_answers(source, store.pairs)
    count = len(found.verdicts)
    here = _here(
        store, source, found.verdicts, found.unknown, count, found.unanswered, found.stranger
    )
    return replace(here, stranger=found.stranger)


def _here(
    store: Store,
    source: Path,
    given: Sequence[ForeignVerdict],
    unknown: int,
    count: int,
    unjudged: int = 0,
    stranger: str = "",
) -> _Found:
    """Verdicts in the rows of this set, `unknown` of `count` pairs or answers having none."""
    if given and unknown == count:
        raise PairSetError(
            f"{source}: none of its {count} pairs is among the {len(store.pairs)} of this review; "
            "is it of another pair set?" + (stranger and f" {stranger}")
        )
    rows: dict[PairKey | None, int] = {key: row for row, key in enumerate(store.pairs.keys)}
    said: tuple[list[VerdictRecord], list[VerdictRecord]] = [], []
    for one in given:
        row = rows.get(one.key, -1)
        record = VerdictRecord(one.annotator, row, one.verdict, one.seconds, one.at)
        said[one.decided].append(record)
    people = tuple(sorted({one.annotator for one in given}))
    return _Found(*said, people, unjudged, unknown)


def _of_database(store: Store, source: Path) -> _Found:
    with closing(read_whole(source)) as connection:
        theirs = Store(source, connection)
        at = _placed(store, theirs.pairs, source)
        said, decided = theirs.to_merge()
        names = theirs.annotators
    told = [*said, *decided]
    judges = {one.annotator for one in told}
    people = tuple(name for name in names.values() if name in judges)
    unknown = len({one.pair for one in told if at[one.pair] < 0})

    def here(those: Iterable[VerdictRecord]) -> list[VerdictRecord]:
        return [replace(one, pair=int(at[one.pair])) for one in those]

    return _Found(here(said), here(decided), people, 0, unknown)


def _placed(store: Store, theirs: PairSet, source: Path) -> Rows:
    """Rows here of the source's pairs, -1 where there is none."""
    return rows_among(theirs, store.pairs, source, whose="of this review", where="this review")


_READERS: dict[Kind, Callable[[Store, Path], _Found]] = {
    "judgements": _of_judgements,
    "database": _of_database,
    "answers": _of_answers,
}


def _renamed(found: _Found, source: Path, who: str) -> _Found:
    if len(found.people) > 1:
        raise ReviewError(
            f"{source}: verdicts of {len(found.people)} people ({', '.join(found.people)}); one "
            f"name, {who}, cannot stand for all of them: leave it out"
        )
    said, decided = (
        [replace(one, annotator=who) for one in those] for those in (found.said, found.decided)
    )
    return replace(found, said=said, decided=decided, people=(who,))
