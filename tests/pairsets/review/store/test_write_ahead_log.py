"""A page that a disk spoilt in the file beside the database takes no verdict with it in silence."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support import database_damage as damage

from pairsets.review.exchange.imports import import_judged
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import Verdict
from pairsets.review.store.write_ahead_log import lost_commits


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A database and the file beside it, as a kill leaves them after twenty verdicts."""
    path, left = tmp_path / "open.sqlite", tmp_path / "left.sqlite"
    with Store.begin(path, damage.PAIRS) as store:
        rei = store.annotator("Rei")
        for pair in range(20):
            store.judge(rei, pair, Verdict.of("same"), key=f"key-{pair:05}")
        for end in ("", "-wal"):
            Path(f"{left}{end}").write_bytes(Path(f"{path}{end}").read_bytes())
        yield left, Path(f"{left}-wal")


def test_what_a_kill_leaves_is_whole(killed: tuple[Path, Path]) -> None:
    path, wal = killed
    assert lost_commits(wal) == 0
    # The last change cut short, wherever.
    content = wal.read_bytes()
    dice = random.Random(0)
    for size in [0, 31, 32, 33, *(dice.randrange(len(content)) for _ in range(10))]:
        wal.write_bytes(content[:size])
        assert lost_commits(wal) == 0
    wal.write_bytes(content[:-700])
    with Store.open(path) as store:
        assert len(store.said()) == 19


def test_it_tells_what_sqlite_would_pass_over(killed: tuple[Path, Path]) -> None:
    path, wal = killed
    content = wal.read_bytes()
    dice = random.Random(1)
    lost = 0
    for number in range(20):
        changed = bytearray(content)
        at = dice.randrange(32 if number % 4 == 0 else len(content))
        changed[at] ^= 1 << dice.randrange(8)
        wal.write_bytes(changed)
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            try:
                (there,) = connection.execute("SELECT count(*) FROM verdicts").fetchone()
            except sqlite3.Error:
                there = -1
        Path(f"{path}-shm").unlink(missing_ok=True)
        # Of the last commit alone nobody can tell whether it was acknowledged.
        assert (lost_commits(wal) > 0) == (there < 19)
        lost += there < 19
    assert lost >= 15


def test_pages_of_an_earlier_round_are_none_that_are_lost(tmp_path: Path) -> None:
    path = tmp_path / "round.sqlite"
    with Store.begin(path, damage.PAIRS) as store:
        rei, wal = store.annotator("Rei"), Path(f"{path}-wal")
        for pair in range(40):
            if pair == 30:
                size = wal.stat().st_size
                store._db.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            store.judge(rei, pair, Verdict.of("same"), key=f"key-{pair:05}")
        assert wal.stat().st_size == size
        assert lost_commits(wal) == 0


def test_all_that_opens_it_says_so_and_leaves_it(killed: tuple[Path, Path], tmp_path: Path) -> None:
    path, wal = killed
    content = bytearray(wal.read_bytes())
    content[len(content) // 2] ^= 1
    wal.write_bytes(content)
    before = path.read_bytes()
    message = r"left\.sqlite: left\.sqlite-wal beside it is damaged: .* in \d+ or more steps"
    with pytest.raises(DatabaseError, match=message):
        Store.begin(path, damage.PAIRS)
    with (
        Store.begin(tmp_path / "other.sqlite", damage.PAIRS) as other,
        pytest.raises(DatabaseError, match=message),
    ):
        import_judged(other, path)
    assert (path.read_bytes(), wal.read_bytes()) == (before, bytes(content))
    wal.unlink()
    with Store.begin(path, damage.PAIRS) as store:
        assert store.said() == []
