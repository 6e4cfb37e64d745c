"""The database of a review opened to write or to read, and never before it is known whole."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

from pairsets.review.store.connection import Connection, DatabaseError, connected, transaction
from pairsets.review.store.integrity import is_empty, refuse_damaged, refuse_other
from pairsets.review.store.schema import bring_up, make_tables
from pairsets.review.store.verdicts import ReviewError
from pairsets.review.store.write_ahead_log import lost_commits

# What lies beside a database: commits that are not in it yet, or what a commit cut short undoes.
_BESIDE = ("-wal", "-journal")
_TRIES = 4


def connect(path: Path, *, create: bool) -> Connection:
    """Open the database of a review, or begin one; every commit is on the disk when it returns.

    One that is there is first read through by a connection that cannot write: what is refused stays
    as it is, byte for byte, and so does what lies beside it.

    Raises:
        ReviewError: no such file (unless `create`), not writable, not a review's database, damaged,
            or of a newer version.
    """
    if not path.is_file() and (path.exists() or not create):
        what = "a folder" if path.is_dir() else "no file" if path.exists() else "no such"
        expected = "database of a review; begin one with: lookalikes review"
        raise ReviewError(f"{path}: {what}{'; expected the' if path.exists() else ''} {expected}")
    begun = path.is_file() and path.stat().st_size > 0
    if not create and not begun:
        raise ReviewError(f"{path}: empty; expected the database of a review")
    known = _is_whole(path, create=create) if begun else True
    found = connected(path, "mode=rwc" if create else "mode=rw")
    try:
        if not known:
            _refuse(found, path, create=create)
        with transaction(found):
            if create and is_empty(found):
                make_tables(found)
            refuse_other(found, path, _OTHER)
        bring_up(found)
        found.execute("PRAGMA journal_mode = WAL")
        found.execute("PRAGMA synchronous = FULL")
        found.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        found.close()
        raise
    return found


def reading(path: Path) -> Connection:
    """A connection that only reads, to a database that is open elsewhere, and so known."""
    return connected(path, "mode=ro")


def read_whole(path: Path, *, create: bool = False) -> Connection:
    """A connection that only reads, as of one moment, to a database that is whole.

    Nothing is written, neither in it nor beside it.

    Args:
        path: of the database.
        create: let one pass that is nobody's yet.

    Raises:
        ReviewError: not a review's database, of a newer version, or damaged.
    """
    for last in (False,) * (_TRIES - 1) + (True,):
        before = _state(path)
        # A database that is in use has a second file of what is new; without it nobody writes, and
        # SQLite need not lock the file, which would leave files behind, or fail in a folder of
        # others.
        mode = "mode=ro" if before[1:] != (None, None) or last else "immutable=1"
        try:
            _refuse_lost(path)
            found = connected(path, mode)
            try:
                found.execute("BEGIN")
                _refuse(found, path, create=create)
            except BaseException:
                found.close()
                raise
        except DatabaseError:
            # Somebody may have begun to write meanwhile, of which a reader without locks sees half.
            if last or _state(path) == before:
                raise
        else:
            return found
    raise AssertionError("the last try returns or raises")


_OTHER = "; choose another --store"


def _is_whole(path: Path, *, create: bool) -> bool:
    """True, or an error; False where a change was cut short, which only one who writes can undo."""
    try:
        read_whole(path, create=create).close()
    except DatabaseError as error:
        if error.code == sqlite3.SQLITE_READONLY_ROLLBACK:
            return False
        raise
    return True


def _refuse(found: Connection, path: Path, *, create: bool) -> None:
    if create and is_empty(found):
        return
    refuse_other(found, path, _OTHER if create else "")
    refuse_damaged(found, path)


def _refuse_lost(path: Path) -> None:
    """Raise DatabaseError where SQLite would pass over commits in the file beside a database."""
    wal, lost = path.with_name(path.name + "-wal"), 0
    for _ in range(_TRIES):
        before, earlier = _state(path), lost
        lost = lost_commits(wal)
        if not lost:
            return
        # Asked twice: what changes meanwhile is no damage, and who writes has read it whole.
        if lost == earlier and _state(path) == before:
            break
    else:
        return
    raise DatabaseError(
        path,
        f"{wal.name} beside it is damaged: to go on would lose what was written last, in {lost} or "
        "more steps. Nothing was changed. Put a copy of both files in their place; without one, "
        "keep these two somewhere, and move the damaged one away: the review goes on with what is "
        "in the database itself",
        f"{wal.name} is damaged",
    )


def _state(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """State of a file and of those beside it, which any writing changes; None where empty."""
    found: list[tuple[int, int] | None] = []
    for file in (path, *(path.with_name(path.name + end) for end in _BESIDE)):
        found.append(None)
        with suppress(OSError):
            at = file.stat()
            if at.st_size or file == path:
                found[-1] = (at.st_size, at.st_mtime_ns)
    return tuple(found)
