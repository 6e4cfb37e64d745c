"""Connections to the database of a review, of which every failure is one clear error of ours."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pairsets.review.store.verdicts import ReviewError

# How long a second process waits for the first one's commit: less than the page waits for us.
PATIENCE_S = 5.0

# What SQLite or its binding may raise: not only its own errors, where a file holds what is no text.
_FAILURES = (sqlite3.Error, sqlite3.Warning, UnicodeError, OverflowError)
_KEPT = "Nothing of this was written; what was kept before stays"
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CLOSED = (
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_AUTH,
)


class DatabaseError(ReviewError):
    """The database of a review that cannot be read or written now, or is damaged.

    Attributes:
        path: of the database.
        why: in a few words, as SQLite has it.
        told: what the message says after the path.
        code: SQLite's number of it, where it has one.
    """

    def __init__(self, path: Path, told: str, why: str, code: int | None = None) -> None:
        super().__init__(f"{path}: {told}")
        self.path, self.told, self.why, self.code = path, told, why, code

    def at(self, path: Path) -> DatabaseError:
        """Connection told by another path: the one that a temporary database was to have."""
        return DatabaseError(path, self.told, self.why, self.code)


def damaged(path: Path, why: object) -> DatabaseError:
    """The error of a database that is not as a review leaves it."""
    # What the file holds may be long, or meant for the terminal.
    shown = "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in str(why)[:300])
    return DatabaseError(
        path,
        f"a damaged database of a review ({shown}). Nothing in it was changed. Put a copy of it in "
        f"its place; without one, save what can be read with: sqlite3 {shlex.quote(path.name)} "
        f".recover | sqlite3 saved.sqlite, and take it into a new review with: lookalikes review "
        "import PAIRS saved.sqlite --store new.sqlite (docs/review.md says what else can be done)",
        shown,
    )


def failure(path: Path, error: Exception) -> DatabaseError:
    """The error of ours for one of SQLite's."""
    # Of text that is not UTF-8 the message may hold the bytes.
    why = str(error).encode("ascii", "backslashreplace").decode()[:200]
    code = getattr(error, "sqlite_errorcode", None)
    kind = None if code is None else code & 0xFF
    if kind == sqlite3.SQLITE_FULL:
        told = f"no room on the disk ({why}). {_KEPT}: make room, then do it again"
    elif kind in _BUSY:
        told = (
            f"another program has held the database for more than {PATIENCE_S:g} s ({why}). "
            f"{_KEPT}: let it end, then do it again"
        )
    elif kind in _CLOSED:
        verb = "opened" if kind == sqlite3.SQLITE_CANTOPEN else "written"
        told = (
            f"the database of a review cannot be {verb} ({why}); may you read and write the file "
            f"and its folder, or is its first page damaged? {_KEPT}; or name another place with "
            "--store"
        )
    elif kind == sqlite3.SQLITE_IOERR:
        told = f"the disk fails, or is full ({why}). {_KEPT}: see to the disk, then do it again"
    elif kind == sqlite3.SQLITE_NOTADB:
        told = (
            f"cannot be used as the database of a review ({why}); is it another file, or damaged? "
            "Name another place with --store, or put a copy of the database in its place"
        )
    elif isinstance(error, sqlite3.ProgrammingError):
        told = f"cannot be used now ({why})"
    else:
        return damaged(path, why)
    return DatabaseError(path, told, why, code)


class Cursor(sqlite3.Cursor):
    """Rows that a statement answers with; see `Connection`."""

    connection: Connection

    def execute(self, *given: Any) -> Cursor:
        """Run a statement."""
        try:
            super().execute(*given)
        except _FAILURES as error:
            self._fail(error)
        return self

    def executemany(self, *given: Any) -> Cursor:
        """Run a statement once for each row of values."""
        try:
            super().executemany(*given)
        except _FAILURES as error:
            self._fail(error)
        return self

    def fetchone(self) -> Any:
        """The next row, or None."""
        try:
            return super().fetchone()
        except _FAILURES as error:
            self._fail(error)

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        try:
            return super().fetchall()
        except _FAILURES as error:
            self._fail(error)

    def __next__(self) -> Any:
        """The next row."""
        try:
            return super().__next__()
        except _FAILURES as error:
            self._fail(error)

    def _fail(self, error: Exception) -> NoReturn:
        raise failure(self.connection.file, error) from None


class Connection(sqlite3.Connection):
    """A connection that raises `DatabaseError` wherever SQLite, or its binding, would raise.

    Attributes:
        file: what it is connected to.
    """

    file: Path

    def cursor(self, *_: Any) -> Cursor:  # type: ignore[override]
        """A cursor whose errors are ours."""
        try:
            return super().cursor(Cursor)
        except _FAILURES as error:
            raise failure(self.file, error) from None

    # sqlite3's own two run their statements past what `Cursor` overrides.
    def execute(self, *given: Any) -> Cursor:
        """Run a statement."""
        return self.cursor().execute(*given)

    def executemany(self, *given: Any) -> Cursor:
        """Run a statement once for each row of values."""
        return self.cursor().executemany(*given)


def connected(path: Path, mode: str) -> Connection:
    """A connection to a file; `mode` as SQLite has it in addresses of files.

    What the file says of itself is not trusted: of the functions that its schema might call only
    harmless ones are, and its pages are looked at before they are believed.

    Raises:
        DatabaseError: it cannot be opened.
    """
    try:
        # `isolation_level=None`: transactions begin and end where the code says so.
        found = sqlite3.connect(
            f"{path.absolute().as_uri()}?{mode}",
            uri=True,
            timeout=PATIENCE_S,
            isolation_level=None,
            check_same_thread=False,
            factory=Connection,
        )
    except _FAILURES as error:
        raise failure(path, error) from None
    found.file = path
    try:
        found.execute("PRAGMA trusted_schema = OFF")
        found.execute("PRAGMA cell_size_check = ON")
        found.execute("PRAGMA mmap_size = 0")
    except DatabaseError:
        found.close()
        raise
    return found


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
