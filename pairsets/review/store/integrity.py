"""Whether the database of a review is whole: its tables, and every value in them.

What opens a database asks this first. A file that another program wrote, or a disk spoilt, is data:
none of its views, triggers or expressions is ever evaluated, since what is not a table of plain
columns is refused by its text, before anything but the schema is read.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

import numpy as np

from pairsets.review.store.connection import DatabaseError, damaged
from pairsets.review.store.schema import (
    APPLICATION,
    KINDS,
    MOST_REPEATED,
    tables,
    version_of,
)
from pairsets.review.store.verdicts import ReviewError, Verdict, plain_name
from pairsets.storage.digests import rows_digest

# Pairs read at a time; a text of SQLite's has an end.
_PAIRS = 1 << 16
# Rows are numbered far below this; SQLite's numbers end at 2**63 - 1, and browsers count to here.
_MOST_EVENTS = 2**53 - 1
_MOST_PEOPLE = 1_000_000
# A table of columns alone: no check, no default that is worked out, nothing generated.
_PLAIN_TABLE = re.compile(r'CREATE TABLE ["\'\w]+ ?\([^()]*\)', re.IGNORECASE)

_ABOUT = ("digest", "overlap", "seed")
_MORE = ("sample", "until", "repeat")

# By table, what no row of it may be.
_WRONG = {
    "pairs": "label NOT IN (0, 1) OR human_prediction NOT IN (-1, 0, 1) OR invalid NOT IN (0, 1)",
    "events": "{kind} OR pair IS NULL AND kind <> 'undo' OR invalid NOT IN (0, 1) OR {seconds}"
    " OR {at} OR (kind IN ('skip', 'undo', 'unsure')) <> (prediction IS NULL)",
    "verdicts": "invalid NOT IN (0, 1) OR {seconds} OR {at} OR NOT EXISTS (SELECT 1 FROM events e"
    " WHERE e.id = verdicts.event AND e.pair = verdicts.pair AND"
    " e.annotator = verdicts.annotator)",
    "decisions": "invalid NOT IN (0, 1) OR {at}",
    "repeats": "invalid NOT IN (0, 1) OR {at} OR NOT EXISTS (SELECT 1 FROM events e"
    " WHERE e.id = repeats.event AND e.pair = repeats.pair AND e.kind = 'repeat' AND"
    " e.annotator = repeats.annotator) OR NOT EXISTS (SELECT 1 FROM events f"
    " WHERE f.pair = repeats.pair AND f.annotator = repeats.annotator AND f.kind = 'judge' AND"
    " f.id < repeats.event) OR NOT EXISTS (SELECT 1 FROM verdicts v"
    " WHERE v.pair = repeats.pair AND v.annotator = repeats.annotator)",
}
# Tables of verdicts that version 1 did not have.
_NEW = ("repeats",)
_SECONDS = "(seconds IS NOT NULL AND NOT (seconds >= 0 AND seconds < 9e999))"
# Compared byte for byte: what is no time, or is written otherwise, comes out as another text; with
# no days added, the 30th of February too.
_AT = "at IS NOT strftime('%Y-%m-%dT%H:%M:%f+00:00', at, '+0 days') OR at < '0001'"


def refuse_other(found: sqlite3.Connection, path: Path, hint: str = "") -> None:
    """Raise ReviewError unless a database is a review's, of a version that is known here."""
    if application(found) != APPLICATION:
        raise ReviewError(f"{path}: a database, but not of a review{hint}")
    version = version_of(found)
    if version not in KINDS:
        raise ReviewError(
            f"{path}: version {version} of the review's database, this version of lookalikes "
            f"reads {' and '.join(map(str, KINDS))}; was it made by a newer one?"
        )


def application(found: sqlite3.Connection) -> int:
    """Kind of database that the file says it is."""
    return int(found.execute("PRAGMA application_id").fetchone()[0])


def is_empty(found: sqlite3.Connection) -> bool:
    """Whether it is nobody's database yet."""
    rows = found.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    return not rows and not application(found)


def refuse_damaged(found: sqlite3.Connection, path: Path) -> None:
    """Raise DatabaseError unless everything in a review's database is as a review leaves it.

    All of it is read once, and the pairs are compared with the digest of those it was begun with.
    """
    try:
        for problem in _problems(found):
            raise damaged(path, problem)
    except DatabaseError:
        raise
    except (ReviewError, ValueError, TypeError) as error:
        raise damaged(path, error) from None


def _problems(found: sqlite3.Connection) -> Iterator[str]:
    """Problems of a database, what is to be known first before."""
    version = version_of(found)
    yield from _of_schema(found, version)
    state = found.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if state != "ok":
        yield f"{state}"
    about = dict(found.execute("SELECT key, value FROM about").fetchall())
    if not about and not _count(found, "pairs") and not _count(found, "events"):
        return  # its tables were made, and nothing else yet
    if not set(_ABOUT) <= set(about) <= {*_ABOUT, *_MORE}:
        yield f"about has {', '.join(sorted(about)) or 'no rows'}; expected {', '.join(_ABOUT)}"
    if int(about["seed"]) < 0 or not 0 <= float(about["overlap"]) <= 1:
        yield f"a seed of {about['seed']}, an overlap of {about['overlap']}"
    if int(about.get("sample", 1)) < 1:
        yield f"a sample of {about['sample']}"
    if not 0 <= float(about.get("repeat", 0)) <= MOST_REPEATED:
        yield f"a share of {about['repeat']} to be asked again"
    # Some versions of SQLite do not hold the check of the table against what is in it.
    kinds = f"kind NOT IN ({', '.join(repr(kind) for kind in KINDS[version])})"
    there = [table for table in _WRONG if version > 1 or table not in _NEW]
    for table in there:
        rule = _WRONG[table].format(kind=kinds, seconds=_SECONDS, at=_AT)
        count = _count(found, f"{table} WHERE {rule}")
        if count:
            yield f"{table}: {count} rows of values that no review writes"
    yield from _of_pairs(found, about["digest"])
    broken = found.execute("PRAGMA foreign_key_check").fetchone()
    if broken:
        yield f"{broken[0]}: a row about {broken[2]} that are not there"
    for table in ("events", *there[there.index("verdicts") :]):
        columns = f"SELECT DISTINCT prediction, invalid, reason FROM {table}"
        for cells in found.execute(f"{columns} WHERE prediction IS NOT NULL").fetchall():
            Verdict(*cells)
    yield from _of_people(found)
    # Read, so that what is no text is met now.
    found.execute("SELECT kinds, reason FROM suspects").fetchall()


def _of_schema(found: sqlite3.Connection, version: int) -> Iterator[str]:
    expected, missing = _schema(version), set(_schema(version))
    rows = found.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    for kind, name, sql in rows:
        text = None if sql is None else " ".join(str(sql).split())
        missing.discard((kind, name))
        if (kind, name) in expected:
            if text != expected[kind, name]:
                yield f"the {kind} {name} is not as a review makes it"
        elif kind != "table" or text is None or not _PLAIN_TABLE.fullmatch(text):
            # Views, triggers, tables that are programs: not even looked into.
            yield f"a {kind} of another program, {name!r}"
    for kind, name in sorted(missing):
        yield f"no {kind} {name}"


@cache
def _schema(version: int) -> dict[tuple[str, str], str | None]:
    """Schema of a new database of a version: its statements by kind and name."""
    with closing(sqlite3.connect(":memory:")) as new:
        new.executescript(tables(version))
        rows = new.execute("SELECT type, name, sql FROM sqlite_schema").fetchall()
    return {
        (kind, name): None if sql is None else " ".join(sql.split()) for kind, name, sql in rows
    }


def _of_pairs(found: sqlite3.Connection, digest: str) -> Iterator[str]:
    count = _count(found, "pairs")
    first, last = found.execute("SELECT min(id), max(id) FROM pairs").fetchone()
    if (first, last) != (0, count - 1):
        yield f"{count} pairs, numbered {first} to {last}"
    columns: tuple[list[str], list[str], list[str]] = [], [], []
    for start in range(0, count, _PAIRS):
        # Three texts, and not a row each: ten times as fast.
        texts = found.execute(
            "SELECT group_concat(path_a, char(0)), group_concat(path_b, char(0)),"
            " group_concat(label, '') FROM (SELECT * FROM pairs WHERE id >= ? AND id < ?"
            " ORDER BY id)",
            (start, start + _PAIRS),
        ).fetchone()
        for column, text in zip(columns, texts, strict=True):
            column.append(text)
    label = np.frombuffer("".join(columns[2]).encode(), np.int8) - ord("0")
    if rows_digest(columns[0], columns[1], label.astype(np.int8)) != digest:
        yield "its pairs are not those that the review was begun with"


def _of_people(found: sqlite3.Connection) -> Iterator[str]:
    for number, name in found.execute("SELECT id, name FROM annotators").fetchall():
        if not 1 <= number <= _MOST_PEOPLE:
            yield f"a person of the number {number}"
        if plain_name(name) != name:
            yield f"{name!r} for a name"
    last = found.execute("SELECT max(id) FROM events").fetchone()[0] or 0
    # SQLite's own table, of which any cell may be anything.
    for (used,) in found.execute("SELECT seq FROM sqlite_sequence").fetchall():
        last = max(last, used if isinstance(used, int) else _MOST_EVENTS + 1)
    if last > _MOST_EVENTS:
        yield "events without a number left for the next one"


def _count(found: sqlite3.Connection, what: str) -> int:
    return int(found.execute(f"SELECT count(*) FROM {what}").fetchone()[0])
