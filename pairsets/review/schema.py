"""The tables of a review's database, and how it is opened."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pairsets.pairset import PairSet
from pairsets.review.verdicts import ReviewError

VERSION = 1
# "lkrv": what tells our files from other SQLite files.
APPLICATION = 0x6C6B7276
# How long a second process waits for the first one's commit: less than the page waits for us.
PATIENCE_S = 5.0

# `events` is the account of everything that happened, only ever added to; `verdicts` is what stands
# now. Both change in one transaction. `key` is chosen by who judges: the same event sent twice,
# because an answer was lost on its way, is one event.
TABLES = """
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
  kind TEXT NOT NULL CHECK (kind IN ('judge', 'skip', 'undo', 'change', 'import', 'decide')),
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


def connect(path: Path, *, create: bool) -> sqlite3.Connection:
    """Open the database of a review, or begin one; every commit is on the disk when it returns.

    Raises:
        ReviewError: no such file (unless `create`), not writable, not a review's database, or of
            a newer version.
    """
    if not create and not path.is_file():
        what = "a folder; expected the" if path.is_dir() else "no such"
        raise ReviewError(f"{path}: {what} database of a review; begin one with: lookalikes review")
    if not create and not path.stat().st_size:
        raise ReviewError(f"{path}: empty; expected the database of a review")
    try:
        # `isolation_level=None`: transactions begin and end where the code says so.
        found = sqlite3.connect(
            path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error as error:
        raise ReviewError(
            f"{path}: cannot be opened ({error}); may you write in its folder? Else name another "
            "place with --store"
        ) from None
    try:
        # The file may be another's: what it says of itself is not trusted, and nothing is changed
        # in it before it is known to be a review's.
        found.execute("PRAGMA trusted_schema = OFF")
        _check(found, path)
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = FULL")
        found.execute("PRAGMA foreign_keys = ON")
    except sqlite3.Error as error:
        found.close()
        raise ReviewError(
            f"{path}: cannot be used as the database of a review ({error}); is it another file, "
            "or in a folder that cannot be written? Name another place with --store"
        ) from None
    except ReviewError:
        found.close()
        raise
    return found


def reading(path: Path, mode: str = "mode=ro") -> sqlite3.Connection:
    """A connection that only reads; `mode` as SQLite has it in addresses of files."""
    found = sqlite3.connect(
        f"{path.resolve().as_uri()}?{mode}",
        uri=True,
        timeout=PATIENCE_S,
        isolation_level=None,
        check_same_thread=False,
    )
    found.execute("PRAGMA trusted_schema = OFF")
    return found


def _check(found: sqlite3.Connection, path: Path) -> None:
    """Make the tables of a new database; refuse one that is not a review's."""
    with transaction(found):
        empty = not found.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
        if empty and not _application(found):
            for statement in TABLES.split(";\n"):
                found.execute(statement)
            found.execute(f"PRAGMA application_id = {APPLICATION}")
            found.execute(f"PRAGMA user_version = {VERSION}")
        refuse_other(found, path, "; choose another --store")


def refuse_other(found: sqlite3.Connection, path: Path, hint: str = "") -> None:
    """Raise ReviewError unless a database is a review's, of a version that is known here."""
    if _application(found) != APPLICATION:
        raise ReviewError(f"{path}: a database, but not of a review{hint}")
    version = found.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        raise ReviewError(
            f"{path}: version {version} of the review's database, this version of lookalikes "
            f"reads {VERSION}; was it made by a newer one?"
        )


def _application(found: sqlite3.Connection) -> int:
    return int(found.execute("PRAGMA application_id").fetchone()[0])


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing of it; on the disk at its end."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends it by itself
            connection.execute("ROLLBACK")
        raise


def begin(
    connection: sqlite3.Connection,
    path: Path,
    pairs: PairSet,
    seed: int | None,
    overlap: float | None,
) -> None:
    """Write the pairs of a new review down; of one that was begun, what their file says now."""
    about = dict(connection.execute("SELECT key, value FROM about"))
    digest = _digest(pairs)
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


def pairs_in(connection: sqlite3.Connection) -> PairSet:
    """The pairs as the database has them."""
    rows = connection.execute(
        "SELECT path_a, path_b, label, human_prediction, invalid FROM pairs ORDER BY id"
    ).fetchall()
    return PairSet.of(*zip(*rows, strict=True))


def _digest(pairs: PairSet) -> str:
    """What tells one set of pairs from another, whatever was said of them."""
    # A path has no NUL: the texts cannot run into each other.
    text = "\0".join([*pairs.path_a, *pairs.path_b])
    return hashlib.sha256(text.encode() + np.ascontiguousarray(pairs.label).tobytes()).hexdigest()
