"""The tables of a review's database, and the pairs in them."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from pairsets.pairset import PairSet
from pairsets.review.store.connection import transaction
from pairsets.review.store.verdicts import ReviewError
from pairsets.storage import former_names
from pairsets.storage.digests import rows_digest

VERSION = 2
# "lkrv": what tells our files from other SQLite files.
APPLICATION = 0x6C6B7276
# Largest share of verdicts that a pair asked again follows.
MOST_REPEATED = 0.5

# Kinds of events, by version.
_KINDS = ("judge", "skip", "undo", "change", "import", "decide")
KINDS = {1: _KINDS, 2: (*_KINDS, "unsure", "repeat")}

# `events` is the account of everything that happened, only ever added to; `verdicts` is what stands
# now. Both change in one transaction. `key` is chosen by who judges: the same event sent twice,
# because an answer was lost on its way, is one event. `skips` are put off, skipped or unsure, as
# their event says; `repeats` are second answers, which are nobody's verdict.
_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE pairs (
  id INTEGER PRIMARY KEY,
  path_a TEXT NOT NULL,
  path_b TEXT NOT NULL,
  label INTEGER NOT NULL,
  human_prediction INTEGER NOT NULL,
  invalid INTEGER NOT NULL
) STRICT;
CREATE TABLE suspects (
  pair INTEGER PRIMARY KEY REFERENCES pairs,
  kinds TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;
CREATE TABLE annotators (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;
CREATE TABLE events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ({kinds})),
  annotator INTEGER NOT NULL REFERENCES annotators,
  pair INTEGER REFERENCES pairs,
  prediction INTEGER,
  invalid INTEGER,
  reason TEXT,
  seconds REAL,
  at TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_pair ON events (pair, annotator);
CREATE TABLE verdicts (
  annotator INTEGER NOT NULL REFERENCES annotators,
  pair INTEGER NOT NULL REFERENCES pairs,
  prediction INTEGER NOT NULL,
  invalid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  seconds REAL,
  at TEXT NOT NULL,
  event INTEGER NOT NULL REFERENCES events,
  PRIMARY KEY (annotator, pair)
) STRICT, WITHOUT ROWID;
CREATE INDEX verdicts_by_pair ON verdicts (pair);
CREATE INDEX verdicts_in_order ON verdicts (annotator, event);
CREATE INDEX verdicts_timed ON verdicts (annotator, event) WHERE seconds IS NOT NULL;
CREATE TABLE skips (
  annotator INTEGER NOT NULL REFERENCES annotators,
  pair INTEGER NOT NULL REFERENCES pairs,
  event INTEGER NOT NULL REFERENCES events,
  PRIMARY KEY (annotator, pair)
) STRICT, WITHOUT ROWID;
CREATE TABLE decisions (
  pair INTEGER PRIMARY KEY REFERENCES pairs,
  annotator INTEGER NOT NULL REFERENCES annotators,
  prediction INTEGER NOT NULL,
  invalid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL
) STRICT;
"""
_REPEATS = """
CREATE TABLE repeats (
  annotator INTEGER NOT NULL REFERENCES annotators,
  pair INTEGER NOT NULL REFERENCES pairs,
  prediction INTEGER NOT NULL,
  invalid INTEGER NOT NULL,
  reason TEXT NOT NULL,
  at TEXT NOT NULL,
  event INTEGER NOT NULL REFERENCES events,
  PRIMARY KEY (annotator, pair)
) STRICT, WITHOUT ROWID;
"""


def tables(version: int = VERSION) -> str:
    """The statements that make the tables of a version."""
    kinds = ", ".join(f"'{kind}'" for kind in KINDS[version])
    return _TABLES.format(kinds=kinds) + (_REPEATS if version > 1 else "")


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a new review, within a transaction."""
    for statement in tables().split(";\n"):
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")


def version_of(connection: sqlite3.Connection) -> int:
    """Version of the tables, as the file has it."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def bring_up(connection: sqlite3.Connection) -> None:
    """Bring the tables of version 1 to the present one, in one transaction; else do nothing.

    SQLite changes no check of a table: `events` is made anew. Until then nothing holds the rows
    that refer to it, and their text stays as it is.
    """
    if version_of(connection) != 1:
        return
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA legacy_alter_table = ON")
    new = [one for one in tables().split(";\n") if re.match(r"\s*CREATE \w+ (events|repeats)", one)]
    with transaction(connection):
        # Another process may have done it while this one waited.
        if version_of(connection) == 1:
            connection.execute("ALTER TABLE events RENAME TO former_events")
            connection.execute("DROP INDEX events_by_pair")
            events, index, repeats = new
            connection.execute(events)
            connection.execute("INSERT INTO events SELECT * FROM former_events ORDER BY id")
            connection.execute("DROP TABLE former_events")
            connection.execute(index)
            connection.execute(repeats)
            connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("PRAGMA legacy_alter_table = OFF")


def begin(
    connection: sqlite3.Connection,
    path: Path,
    pairs: PairSet,
    seed: int | None,
    overlap: float | None,
    sample: int | None = None,
    until: str | None = None,
    repeat: float | None = None,
) -> None:
    """Write the pairs of a new review down; of one that was begun, what their file says now."""
    count = int(pairs.valid.sum())
    if sample is not None and not 1 <= sample <= count:
        raise ReviewError(
            f"a sample of {sample} pairs; expected 1 to {count}: so many can be judged"
        )
    about = dict(connection.execute("SELECT key, value FROM about"))
    digest = rows_digest(pairs.path_a, pairs.path_b, pairs.label)
    if not about:
        about = {"digest": digest, "seed": str(seed or 0), "overlap": "1.0"}
    elif about["digest"] != digest:
        count = connection.execute("SELECT count(*) FROM pairs").fetchone()[0]
        raise ReviewError(
            f"{path}: the review of {count} other pairs, or of these in other rows or with other "
            f"labels ({len(pairs)} pairs now); was the pair file made again? Name another database "
            "with --store, and take its verdicts over with: lookalikes review import"
        )
    elif seed is not None and int(about["seed"]) != seed:
        raise ReviewError(
            f"{path}: begun with the seed {about['seed']}, not {seed}; the order of a review does "
            "not change: leave out --seed"
        )
    if overlap is not None:
        about["overlap"] = repr(float(overlap))
    if sample is not None:
        before = int(about.get("sample", sample))
        if sample < before:
            raise ReviewError(
                f"{path}: begun with a sample of {before} pairs, not {sample}; a sample can grow, "
                "and keeps the pairs that it had: leave out --sample, or give a larger one"
            )
        about["sample"] = str(sample)
    if until is not None:
        about["until"] = until
    if repeat is not None:
        about["repeat"] = repr(float(repeat))
    connection.executemany("REPLACE INTO about VALUES (?, ?)", about.items())
    columns = (pairs.label, pairs.human_prediction, pairs.invalid)
    rows = zip(pairs.path_a, pairs.path_b, *(c.tolist() for c in columns), strict=True)
    # Not `REPLACE`, which deletes: for each row SQLite would look through all events for its own.
    connection.executemany(
        "INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET human_prediction = excluded.human_prediction, invalid = excluded.invalid"
        " WHERE human_prediction <> excluded.human_prediction OR invalid <> excluded.invalid",
        ((number, *row) for number, row in enumerate(rows)),
    )


def rename_reasons(connection: sqlite3.Connection) -> None:
    """Bring reasons of an earlier version to their present names; nothing is written without."""
    for former, present in former_names.REASONS.items():
        for table in ("verdicts", "decisions", "events"):
            query = f"SELECT EXISTS (SELECT 1 FROM {table} WHERE reason = ?)"
            if connection.execute(query, (former,)).fetchone()[0]:
                with transaction(connection):
                    update = f"UPDATE {table} SET reason = ? WHERE reason = ?"
                    connection.execute(update, (present, former))


def pairs_in(connection: sqlite3.Connection) -> PairSet:
    """The pairs as the database has them."""
    rows = connection.execute(
        "SELECT path_a, path_b, label, human_prediction, invalid FROM pairs ORDER BY id"
    ).fetchall()
    return PairSet.of(*zip(*rows, strict=True))
