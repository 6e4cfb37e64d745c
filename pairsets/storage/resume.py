"""Finished parts of long work, kept by name in a SQLite file until all of it is done.

A run that was killed goes on from there. Each part has a checksum: what is read was written, by
the same work, or is nothing.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pairsets.errors import OutputError

_TABLES = """\
CREATE TABLE IF NOT EXISTS work (digest TEXT);
CREATE TABLE IF NOT EXISTS parts (name TEXT PRIMARY KEY, checksum INTEGER, content BLOB);
CREATE TEMP TABLE current (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_IN_USE = "in use; is the same command running elsewhere?"
# Seconds that a process waits for another one that keeps a part.
_PATIENCE = 60.0
# Of an error that says that a file is no database of ours, or not whole.
_DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR)


def files_of(path: Path) -> list[Path]:
    """A file of parts, and before it the journal that SQLite may keep beside it."""
    return [path.with_name(f"{path.name}-journal"), path]


class Resume:
    """The parts of one work, open for more of them.

    Parts of other work are not read, and go with the first part that is written.
    """

    def __init__(
        self,
        path: Path,
        facts: object,
        *,
        every: int = 1,
        alone: bool = True,
        busy: str = _IN_USE,
    ) -> None:
        """Open or make the file.

        Args:
            path: of the file; its folder is made.
            facts: tell this work from any other; as JSON has them, or `str`.
            every: how many parts are written between two commits: what a kill loses at most.
            alone: no other process has the file until it is closed.
            busy: is told where another process has it.

        Raises:
            OutputError: the file is no database, or another process has it.
        """
        self.path = path
        self._every, self._busy = every, busy
        self._waiting = self._next = 0
        digest = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, timeout=0 if alone else _PATIENCE)
        try:
            with self._told():
                if alone:
                    self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
                self._connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT")
                found = self._connection.execute("SELECT digest FROM work").fetchone()
        except BaseException:
            self._connection.close()
            raise
        self._other = None if found == (digest,) else digest

    def __enter__(self) -> Resume:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Commit what was written, and let go of the file."""
        try:
            self.commit()
        finally:
            self._connection.close()

    def read(self, name: str) -> bytes | None:
        """The content of a part; None where it is not finished, or damaged."""
        if self._other is not None:
            return None
        query = "SELECT checksum, content FROM parts WHERE name = ?"
        with self._told():
            found = self._connection.execute(query, (name,)).fetchone()
        if found is None or found[0] != zlib.crc32(name.encode() + found[1]):
            return None
        return bytes(found[1])

    def write(self, name: str, content: bytes) -> None:
        """Keep a part that is finished."""
        with self._told():
            if self._other is not None:
                self._connection.execute("DELETE FROM parts")
                self._connection.execute("DELETE FROM work")
                self._connection.execute("INSERT INTO work VALUES (?)", (self._other,))
                self._other = None
            row = name, zlib.crc32(name.encode() + content), content
            self._connection.execute("REPLACE INTO parts VALUES (?, ?, ?)", row)
        self.touch(name)

    def touch(self, name: str) -> None:
        """Say of a part that was kept that it belongs to the work as it is now."""
        with self._told():
            self._connection.execute("INSERT OR IGNORE INTO current VALUES (?)", (name,))
        self._waiting += 1
        if self._waiting >= self._every:
            self.commit()

    def current(self) -> Iterator[bytes]:
        """The parts that were written or touched since the file was opened, by name."""
        query = "SELECT content FROM current JOIN parts USING (name) ORDER BY name"
        with self._told():
            for (content,) in self._connection.execute(query):
                yield content

    def append(self, content: bytes) -> None:
        """Keep the next part of a sequence, behind those that `sequence` gave."""
        self.write(f"{self._next:012}", content)
        self._next += 1

    def sequence(self) -> Iterator[bytes]:
        """The parts that were appended, from the first to the last whole one; the rest goes."""
        for number in count():
            self._next = number
            found = self.read(f"{number:012}")
            if found is None:
                break
            yield found
        with self._told():
            self._connection.execute("DELETE FROM parts WHERE name >= ?", (f"{number:012}",))
        self.commit()

    def commit(self) -> None:
        """Let a kill lose nothing of what was written."""
        with self._told():
            self._connection.commit()
        self._waiting = 0

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = _code_of(error)
            if code == sqlite3.SQLITE_BUSY:
                raise OutputError(f"{self.path}: {self._busy}") from None
            if code == sqlite3.SQLITE_FULL:
                told = f"{self.path}: the disk is full; make room, then run it again"
                raise OutputError(told) from None
            raise OutputError(
                f"{self.path}: cannot be used to keep what is found ({error}); remove it, or "
                "choose another --out"
            ) from error


def _code_of(error: object) -> int:
    """The kind of a SQLite error, without its details; 0 of another error."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@dataclass(frozen=True)
class Parts:
    """The parts of one work, as JSON has them, in a file that is there while there are some.

    It is opened for each part alone: one that is damaged counts as none.

    Attributes:
        path: of the file.
        facts: tell this work from any other.
    """

    path: Path
    facts: object

    def read(self, name: str = "all") -> Any | None:
        """The content of a part; None where there is nothing, or of other work."""
        if not self.path.is_file():
            return None
        try:
            with Resume(self.path, self.facts, alone=False) as kept:
                found = kept.read(name)
        except OutputError:
            return None
        return None if found is None else json.loads(found)

    def write(self, content: object, name: str = "all") -> None:
        """Keep a part that is finished."""
        try:
            self._write(name, content)
        except OutputError as error:
            if _code_of(error.__cause__) not in _DAMAGED:
                raise
            self.clear()
            self._write(name, content)

    def clear(self) -> None:
        """Forget them: the work is done."""
        for file in files_of(self.path):
            file.unlink(missing_ok=True)

    def _write(self, name: str, content: object) -> None:
        with Resume(self.path, self.facts, alone=False) as kept:
            kept.write(name, json.dumps(content).encode())
