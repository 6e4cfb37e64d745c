"""Commands of the review whose disk is full, whose database is locked, or that are not alone."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from support import database_damage as damage

from mining.commands import review
from mining.commands.review import export_review, export_tasks, import_review
from mining.errors import RunError
from pairsets.files.side_files import store_of
from pairsets.review.store import connection
from pairsets.review.store.access import reading
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import Store


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Path, Path]:
    """A pair file, and somebody else's review of it."""
    source = damage.databases(tmp_path / "theirs")[0]
    folder = tmp_path / "mine"
    folder.mkdir()
    return damage.PAIRS.write(folder / "set.csv"), source


@contextmanager
def no_file_beyond(size: int) -> Iterator[None]:
    """Files that may not grow stand for a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def told_with(size: int, pairs: Path, source: Path) -> Exception | None:
    """What an import says where files end at `size`; None where it succeeds."""
    try:
        with no_file_beyond(size):
            import_review(pairs, source)
    except (DatabaseError, OSError) as error:
        return error
    return None


def stands(path: Path) -> list[object]:
    with Store.open(path) as store:
        return [*store.said(), *store.decisions().values(), store.last_event]


def test_a_full_disk_begins_no_review(judged: tuple[Path, Path]) -> None:
    pairs, source = judged
    place = store_of(pairs)
    sizes = [*range(0, 120_000, 12_000), 10**9]
    refused = 0
    while error := told_with(sizes[refused], pairs, source):
        refused += 1
        assert str(place) in str(error)
        assert list(pairs.parent.iterdir()) == [pairs]
    assert refused >= 8
    assert len(stands(place)) > 150


def test_a_full_disk_changes_nothing_of_a_review(judged: tuple[Path, Path]) -> None:
    pairs, source = judged
    place = store_of(pairs)
    with Store.begin(place, damage.PAIRS) as store:
        store.judge(store.annotator("Asuka"), 7, damage.Verdict.of("same"), key="before-it")
    before = stands(place)
    refused = 0
    while error := told_with(refused * 16_384, pairs, source):
        refused += 1
        assert str(place) in str(error)
        assert "what was kept before stays" in str(error)
        assert stands(place) == before
        with Store.open(place) as store:
            assert list(store.annotators.values()) == ["Asuka"]
    assert refused >= 4
    assert import_review(pairs, source).added == 0


@pytest.mark.parametrize(
    "command",
    [
        lambda pairs, source: import_review(pairs, source),
        lambda pairs, _: export_review(pairs, pairs.parent / "out.csv", overwrite=False),
        lambda pairs, _: export_tasks(pairs, pairs.parent / "out.json", overwrite=False),
    ],
    ids=["import", "export", "tasks"],
)
def test_a_locked_database_is_named(
    judged: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[[Path, Path], object],
) -> None:
    pairs, source = judged
    place = store_of(pairs)
    place.write_bytes(source.read_bytes())
    monkeypatch.setattr(connection, "PATIENCE_S", 0.05)
    with closing(sqlite3.connect(place, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DatabaseError) as raised:
            command(pairs, damage.PAIRS.write(pairs.parent / "Kei.csv"))
        other.execute("ROLLBACK")
    assert str(raised.value) == (
        f"{place}: another program has held the database for more than 0.05 s (database is "
        "locked). Nothing of this was written; what was kept before stays: let it end, then do it "
        "again"
    )
    assert not list(pairs.parent.glob("out.*"))
    assert stands(place) == stands(source)


def test_a_database_that_may_only_be_read_is_named(judged: tuple[Path, Path]) -> None:
    _, source = judged
    with (
        closing(reading(source)) as connection,
        pytest.raises(DatabaseError, match=r"full\.sqlite: .* cannot be written .*readonly"),
    ):
        connection.execute("DELETE FROM verdicts")


def test_the_lock_of_a_killed_import_goes_with_the_next(judged: tuple[Path, Path]) -> None:
    pairs, source = judged
    import_review(pairs, source)
    there = sorted(pairs.parent.iterdir())
    (pairs.parent / ".set.review.lock").write_text("{}")
    assert import_review(pairs, source).added == 0
    assert sorted(pairs.parent.iterdir()) == there


def test_a_review_that_began_meanwhile_is_not_replaced(
    judged: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, source = judged
    place, take_in = store_of(pairs), Store.take_in

    def slowly(self: Store, *given: object, **more: object) -> dict[str, int]:
        with Store.begin(place, damage.PAIRS) as store:
            store.judge(store.annotator("Asuka"), 7, damage.Verdict.of("same"), key="meanwhile")
        return take_in(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "take_in", slowly)
    with pytest.raises(RunError, match=r"set\.review\.sqlite: another process began this review"):
        import_review(pairs, source)
    monkeypatch.undo()
    assert len(stands(place)) == 2
    assert import_review(pairs, source).added > 100
    assert sorted(file.name for file in pairs.parent.iterdir()) == ["set.csv", place.name]


def test_a_file_system_without_second_names(
    judged: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(review.os, "link", refuse)
    pairs, source = judged
    added = import_review(pairs, source).added
    assert added > 100
    assert import_review(pairs, source).known == added


def test_the_source_is_to_blame_for_its_own_damage(judged: tuple[Path, Path]) -> None:
    pairs, source = judged
    damage.DAMAGES["a trigger"](source)
    with pytest.raises(DatabaseError, match=r"theirs/full\.sqlite: a damaged database"):
        import_review(pairs, source)
    assert list(pairs.parent.iterdir()) == [pairs]
