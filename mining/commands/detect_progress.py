"""What a long search for faces has found so far, in a SQLite file that survives a kill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mining.errors import RunError
from pairsets.sources.dataset import PictureId

# Pictures between two commits: what a kill loses at most.
_AT_ONCE = 64


@dataclass(frozen=True)
class Item:
    """A picture as it was listed; `old` if it was looked at before and has not changed since."""

    path: str
    key: PictureId
    size: int
    mtime_ns: int
    old: bool


@dataclass(frozen=True)
class Record:
    """What is known of a picture: its line in the file, or why it cannot be read."""

    item: Item
    line: str
    faces: int
    error: str | None = None


class Detected:
    """What was found so far, by path: read and written in constant memory."""

    def __init__(self, connection: sqlite3.Connection, facts: str) -> None:
        """Take over a file; what it holds of another detector or other parameters is dropped."""
        self._connection = connection
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS found (path TEXT PRIMARY KEY, size INTEGER, mtime INTEGER,"
            " line TEXT, faces INTEGER, error TEXT, seen INTEGER) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS made_with (facts TEXT)")
        before = connection.execute("SELECT facts FROM made_with").fetchone()
        if before is None or before[0] != facts:
            connection.execute("DELETE FROM found")
            connection.execute("DELETE FROM made_with")
            connection.execute("INSERT INTO made_with VALUES (?)", (facts,))
        # What could not be read may be by now.
        connection.execute("DELETE FROM found WHERE error IS NOT NULL")
        connection.execute("UPDATE found SET seen = 0")
        connection.commit()
        self._waiting = 0

    def has(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether a file was looked at, and is still as it was then."""
        row = self._connection.execute(
            "SELECT size, mtime FROM found WHERE path = ?", (path,)
        ).fetchone()
        return bool(row == (size, mtime_ns))

    def add(self, found: Record | Item) -> None:
        """Keep what was found, or that what is known of a picture still holds."""
        if isinstance(found, Item):
            self._connection.execute("UPDATE found SET seen = 1 WHERE path = ?", (found.path,))
        else:
            item = found.item
            self._connection.execute(
                "INSERT OR REPLACE INTO found VALUES (?, ?, ?, ?, ?, ?, 1)",
                (item.path, item.size, item.mtime_ns, found.line, found.faces, found.error),
            )
        self._waiting += 1
        if self._waiting >= _AT_ONCE:
            self.commit()

    def commit(self) -> None:
        """Let a kill lose nothing of what was added."""
        self._connection.commit()
        self._waiting = 0

    def counts(self) -> dict[str, int]:
        """Pictures of this run, those with a face, and faces."""
        row = self._connection.execute(
            "SELECT COUNT(*), COALESCE(SUM(faces > 0), 0), COALESCE(SUM(faces), 0) FROM found"
            " WHERE seen"
        ).fetchone()
        return dict(zip(("pictures", "with", "faces"), row, strict=True))

    def errors(self) -> list[tuple[str, str]]:
        """Path and cause of what could not be read, by path."""
        return self._connection.execute(
            "SELECT path, error FROM found WHERE seen AND error IS NOT NULL ORDER BY path"
        ).fetchall()

    def lines(self) -> Iterator[str]:
        """The lines of this run, by path."""
        for (line,) in self._connection.execute("SELECT line FROM found WHERE seen ORDER BY path"):
            yield line


@contextmanager
def detected(path: Path, facts: str) -> Iterator[Detected]:
    """The journal in a file; what was added is kept, however the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(sqlite3.connect(path, timeout=0)) as connection:
            journal = Detected(connection, facts)
            try:
                yield journal
            finally:
                journal.commit()
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code == sqlite3.SQLITE_BUSY:
            raise RunError(f"{path}: in use; is the same command running elsewhere?") from None
        if code == sqlite3.SQLITE_FULL:
            raise RunError(f"{path}: the disk is full; make room, then run it again") from None
        raise RunError(
            f"{path}: cannot be used to keep what is found ({error}); remove it, or choose another "
            "--out"
        ) from None
