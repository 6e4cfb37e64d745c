"""What could lose a verdict, or bring one back: skips and imports, clocks, keys, lost files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.reviews import all_pairs

import pairsets.review.store.store as store_module
from pairsets.review.judgement.assignment import Assignment
from pairsets.review.store.connection import DatabaseError
from pairsets.review.store.store import KeyReusedError, Store
from pairsets.review.store.verdicts import ReviewError, Verdict, VerdictRecord, plain_name

PAIRS = all_pairs(count=30, invalid=0)
SAME, DIFFERENT = Verdict.of("same"), Verdict.of("different")
AT = "2026-05-01T09:00:00.000+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.begin(tmp_path / "review.sqlite", PAIRS) as found:
        yield found


def words(store: Store) -> dict[int, str]:
    return {one.pair: one.verdict.word for one in store.said()}


def test_undo_leaves_what_was_imported_of_a_skipped_pair(store: Store) -> None:
    ann = store.annotator("Ann")
    store.judge(ann, 1, SAME, key="key-1")
    store.skip(ann, 3, key="key-2")
    store.take_in([VerdictRecord("Ann", 3, DIFFERENT, None, AT)])
    assert store.undo(ann, key="key-3") == 1
    assert words(store) == {3: "different"}
    assert store.undo(ann, key="key-4") is None
    assert words(store) == {3: "different"}


def test_an_undo_of_nothing_takes_nothing_back_when_sent_again(store: Store) -> None:
    ann = store.annotator("Ann")
    assert store.undo(ann, key="key-1") is None
    store.judge(ann, 5, SAME, key="key-2")
    assert store.undo(ann, key="key-1") is None
    assert words(store) == {5: "same"}
    # Boards read over an event without a pair.
    assert Assignment(store).progress(ann).done == 1


def test_a_key_stands_for_one_verdict(store: Store) -> None:
    ann = store.annotator("Ann")
    store.judge(ann, 5, SAME, key="key-1")
    store.judge(ann, 5, SAME, key="key-1")
    with pytest.raises(KeyReusedError):
        store.judge(ann, 5, DIFFERENT, key="key-1")
    with pytest.raises(KeyReusedError):
        store.judge(ann, 6, SAME, key="key-1")
    with pytest.raises(KeyReusedError):
        store.undo(ann, key="key-1")
    assert words(store) == {5: "same"}


def test_a_change_stands_although_the_clock_went_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = store.annotator("Ann")
    monkeypatch.setattr(store_module, "now", lambda: "2027-01-01T00:00:00.000+00:00")
    store.judge(ann, 5, SAME, key="key-1")
    (before,) = store.said()
    monkeypatch.setattr(store_module, "now", lambda: "2026-01-01T00:00:00.000+00:00")
    store.change(ann, 5, DIFFERENT, key="key-2")
    assert store.said()[0].at > before.at
    assert store.take_in([before])["older"] == 1
    assert words(store) == {5: "different"}


def test_what_was_taken_back_does_not_come_back(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not even within one millisecond.
    monkeypatch.setattr("pairsets.review.store.store.now", lambda: "2026-05-01T07:30:00.500+00:00")
    ann = store.annotator("Ann")
    store.judge(ann, 5, SAME, key="key-1")
    (before,) = store.said()
    store.undo(ann, key="key-2")
    assert store.take_in([before])["older"] == 1
    assert words(store) == {}


def test_a_database_that_is_gone_is_not_written_to(store: Store, tmp_path: Path) -> None:
    ann = store.annotator("Ann")
    for file in tmp_path.glob("review.sqlite*"):
        file.unlink()
    with pytest.raises(DatabaseError, match="moved or deleted"):
        store.judge(ann, 5, SAME, key="key-1")


def test_who_reads_does_not_wait_for_who_writes(store: Store) -> None:
    store.judge(store.annotator("Ann"), 5, SAME, key="key-1")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        # Who waited would do so in vain, until that is an error.
        assert words(store) == {5: "same"}
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_joiners_are_letters_and_ends_of_lines_are_not() -> None:
    name = "علی\u200cرضا"
    assert plain_name(name) == name
    for wrong in ("a\u2028b", "a\u2029b", "a\u202eb", "a\0b"):
        with pytest.raises(ReviewError, match="cannot be shown"):
            plain_name(wrong)
