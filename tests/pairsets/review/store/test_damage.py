"""Whatever bytes the database of a review holds: one clear error, or it is as good as new."""

from __future__ import annotations

import csv
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support import database_damage as damage

from pairsets.errors import PairsetsError
from pairsets.review.exchange.imports import import_judged
from pairsets.review.store.access import read_whole
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import Store
from pairsets.review.store.verdicts import ReviewError

READERS = damage.readers()


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return damage.databases(tmp_path_factory.mktemp("healthy"))


@pytest.mark.parametrize("name", READERS)
def test_healthy_databases_are_read(healthy: list[Path], tmp_path: Path, name: str) -> None:
    for path in healthy:
        if (path.stem, name) == ("new", "review import of it"):
            with pytest.raises(ReviewError, match="no verdict in it"):
                READERS[name](path, tmp_path / path.stem)
        else:
            READERS[name](path, tmp_path / path.stem)


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_gives_one_clear_error_or_none(
    healthy: list[Path], tmp_path: Path, name: str
) -> None:
    refused = 0
    for seed in range(50):
        dice = random.Random(f"{name} {seed}")
        path = healthy[seed % len(healthy)]
        changed = tmp_path / f"{seed}.sqlite"
        changed.write_bytes(damage.mutated(path.read_bytes(), dice))
        try:
            READERS[name](changed, tmp_path / str(seed))
        except PairsetsError:
            refused += 1
    assert refused >= 15


@pytest.mark.parametrize("kind", damage.DAMAGES)
def test_what_no_review_leaves_is_refused(healthy: list[Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(healthy[0].read_bytes())
    damage.DAMAGES[kind](path)
    told = set()
    # One opens it to write, the other to read.
    for name in ("review", "review import of it"):
        with pytest.raises(ReviewError) as raised:
            READERS[name](path, tmp_path / name)
        told.add(str(raised.value).partition(".sqlite: ")[2].partition("). Nothing")[0])
    assert len(told) <= 2  # another version, another kind: with a hint where it is one's own
    assert all(text.startswith(("a damaged database", "version 9", "a database")) for text in told)


@pytest.mark.parametrize("kind", damage.HARMLESS)
def test_what_does_no_harm_is_read(healthy: list[Path], tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other.sqlite"
    path.write_bytes(healthy[0].read_bytes())
    damage.HARMLESS[kind](path)
    for name, read in READERS.items():
        read(path, tmp_path / name)


def test_what_is_refused_says_what_to_do(healthy: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "a b.sqlite"
    path.write_bytes(healthy[0].read_bytes())
    damage.DAMAGES["a trigger"](path)
    with pytest.raises(DatabaseError) as raised:
        Store.open(path)
    assert str(raised.value) == (
        f"{path}: a damaged database of a review (a trigger of another program, 'of_mine'). "
        "Nothing in it was changed. Put a copy of it in its place; without one, save what can be "
        "read with: sqlite3 'a b.sqlite' .recover | sqlite3 saved.sqlite, and take it "
        "into a new review with: lookalikes review import PAIRS saved.sqlite --store new.sqlite "
        "(docs/review.md says what else can be done)"
    )


def test_a_damaged_database_in_use_is_left_alone(healthy: list[Path], tmp_path: Path) -> None:
    """What is only in the file beside it is damaged too, and stays: nothing is brought in."""
    path = tmp_path / "review.sqlite"
    path.write_bytes(healthy[0].read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE verdicts SET seconds = -1")
        files = [path, path.with_name("review.sqlite-wal")]
        before = [file.read_bytes() for file in files]
        assert len(before[1]) > 4096
        with pytest.raises(DatabaseError, match=r"verdicts: .* values that no review writes"):
            Store.begin(path, damage.PAIRS)
        assert [file.read_bytes() for file in files] == before


def test_a_change_cut_short_is_undone_before_anything_is_read(
    healthy: list[Path], tmp_path: Path
) -> None:
    """As of a database that another program keeps with a journal: only who writes can undo it."""
    path = tmp_path / "review.sqlite"
    path.write_bytes(healthy[0].read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        before = path.read_bytes()
        connection.execute("PRAGMA cache_size = 1")
        connection.execute("BEGIN")
        connection.execute("UPDATE verdicts SET seconds = -1")
        connection.execute("UPDATE events SET seconds = -1")
        # As a crash would leave it: pages written, and what undoes them.
        after, journal = path.read_bytes(), Path(f"{path}-journal").read_bytes()
        connection.execute("ROLLBACK")
    assert after != before
    path.write_bytes(after)
    Path(f"{path}-journal").write_bytes(journal)
    with pytest.raises(DatabaseError, match="readonly"):
        read_whole(path)
    with Store.open(path) as store:
        assert min(one.seconds or 0 for one in store.said()) == 0


def test_the_verdicts_alone_are_saved_as_the_page_says(healthy: list[Path], tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "docs" / "review.md").read_text(encoding="utf-8")
    question = text.partition("```sql\n")[2].partition("```")[0]
    path, saved = tmp_path / "damaged.sqlite", tmp_path / "saved.judgements.csv"
    path.write_bytes(healthy[0].read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE events")
        rows = connection.execute(question)
        with saved.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)  # its lines end as those of `sqlite3 -csv` do
            writer.writerow(column[0] for column in rows.description)
            writer.writerows(rows)
    with pytest.raises(DatabaseError, match="no index events_by_pair"):
        Store.open(path)
    with Store.open(healthy[0]) as store, Store.begin(tmp_path / "new", damage.PAIRS) as new:
        import_judged(new, saved)
        assert {(one.annotator, one.pair, one.verdict, one.at) for one in new.said()} == {
            (one.annotator, one.pair, one.verdict, one.at) for one in store.said()
        }
