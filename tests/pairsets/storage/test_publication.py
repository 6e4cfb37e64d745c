"""Files published together: all or none, whoever is killed when."""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pairsets.errors import OutputError
from pairsets.storage import locks
from pairsets.storage.artefacts import atomic_write, refuse_existing
from pairsets.storage.csv_tables import open_table
from pairsets.storage.publication import JOURNAL, alone, claimed, settle, written_together

# What changes a disk, as Python tells its audit hooks.
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def killed_before(change: int, work: Callable[[], None]) -> bool:
    """Do `work` in a child that is killed before its change of this number; whether it was."""
    child = os.fork()
    if not child:
        # What other tests left to be collected may wait for threads, which a child has not.
        gc.freeze()
        seen = 0

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal seen
            writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT
            if event in CHANGES or writes:
                seen += 1
                if seen == change:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        try:
            work()
        except BaseException:
            os._exit(3)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def listing(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def publish(folder: Path, text: str, *, more: bool = False) -> None:
    files = [folder / "a.csv", folder / "a.json"]
    if more:
        files.append(folder / "below" / "a.png")
    with written_together(
        files, manifest=folder / "a.json", stale=[folder / "a.old"], spent=[folder / "a.part"]
    ) as staged:
        for file in files:
            content = json.dumps({"of": text}) if file.suffix == ".json" else text
            (staged / file.name).write_text(content)


@needs_fork
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("before", [False, True])
def test_kill_before_every_change(tmp_path: Path, *, more: bool, before: bool) -> None:
    whole = tmp_path / "whole"
    publish(whole, "new", more=more)
    new = listing(whole)
    assert json.loads(new["a.json"])["files"].keys() == {"a.csv"}
    for change in range(1, 200):
        folder = tmp_path / f"{change}"
        folder.mkdir()
        (folder / "a.part").mkdir()
        (folder / "a.part" / "x").write_text("under way")
        if before:
            publish(folder, "old", more=more)
            (folder / "a.old").write_text("stale")
        old = listing(folder)
        killed = killed_before(change, lambda folder=folder: publish(folder, "new", more=more))
        settle(folder / "a.csv")
        assert not (folder / JOURNAL).exists()
        seen = {
            name: text
            for name, text in listing(folder).items()
            if ".tmp" not in name and "a.part" not in name
        }
        old = {name: text for name, text in old.items() if "a.part" not in name}
        assert seen in (old, new)
        publish(folder, "new", more=more)
        assert listing(folder) == new
        assert not [*folder.glob(".*")]
        if not killed:
            break
    assert change > 8
    assert not killed


@needs_fork
def test_settling_may_be_killed_too(tmp_path: Path) -> None:
    publish(tmp_path, "old")
    old = listing(tmp_path)
    # Before the journal is removed: everything is in place, and to be undone.
    for change in range(1, 100):
        if not killed_before(change, lambda: publish(tmp_path, "new")):
            break
        if not (tmp_path / JOURNAL).exists():
            publish(tmp_path, "old")
            continue
        for again in range(1, 100):
            if not killed_before(again, lambda: settle(tmp_path / "a.csv")):
                break
        kept = {name: text for name, text in listing(tmp_path).items() if ".tmp" not in name}
        assert kept == old
    publish(tmp_path, "old")
    assert listing(tmp_path) == old


def test_error_leaves_all_as_it_was(tmp_path: Path) -> None:
    publish(tmp_path, "old")
    old = listing(tmp_path)

    def write() -> None:
        with written_together([tmp_path / "a.csv", tmp_path / "a.json"]) as staged:
            (staged / "a.csv").write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert listing(tmp_path) == old


def test_a_move_that_fails_is_undone(tmp_path: Path) -> None:
    publish(tmp_path, "old")
    old = listing(tmp_path)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "inside").write_text("a folder where a file is to go")
    files = [tmp_path / "a.csv", tmp_path / "b"]

    def write() -> None:
        with written_together(files) as staged:
            (staged / "a.csv").write_text("new")
            (staged / "b").write_text("new")

    with pytest.raises(IsADirectoryError):
        write()
    assert listing(tmp_path) == old | {"b/inside": "a folder where a file is to go"}
    assert not [*tmp_path.glob(".*")]


def test_what_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    def write() -> None:
        with written_together([tmp_path / "a.csv"], overwrite=False) as staged:
            (staged / "a.csv").write_text("mine")
            (tmp_path / "a.csv").write_text("another's")

    with pytest.raises(OutputError, match=r"a\.csv: another process has written it meanwhile"):
        write()
    assert listing(tmp_path) == {"a.csv": "another's"}


@pytest.mark.parametrize(
    "journal",
    [
        {"moves": [{"folder": "..", "staged": ".a.1.tmp", "new": ["x"], "old": [], "stale": []}]},
        {"moves": [{"folder": ".", "staged": ".a.1.tmp", "new": ["../x"], "old": [], "stale": []}]},
        {"moves": [{"folder": "/tmp", "staged": ".a.1.tmp", "new": [], "old": [], "stale": []}]},
        {"moves": [{"folder": ".", "staged": "below", "new": ["x"], "old": [], "stale": []}]},
        {"moves": [{"folder": ".", "staged": ".a.1.tmp", "new": [1], "old": [], "stale": []}]},
        {"moves": [7]},
        {"moves": {}},
        [],
        "damaged",
    ],
)
def test_a_strange_journal_moves_nothing(tmp_path: Path, journal: object) -> None:
    (tmp_path / "x").write_text("kept")
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / "a.csv").write_text("kept")
    (folder / JOURNAL).write_text(json.dumps(journal) + "\n")
    with pytest.raises(OutputError, match="not the journal of a command"):
        settle(folder / "a.csv")
    assert (tmp_path / "x").read_text() == (folder / "a.csv").read_text() == "kept"


def test_a_journal_cut_off_is_of_nothing_moved(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("kept")
    (tmp_path / JOURNAL).write_text('{"moves": [{"folder": "."')
    with open_table(tmp_path / "a.csv", "table") as stream:
        assert stream.read() == "kept"
    assert listing(tmp_path) == {"a.csv": "kept"}


@needs_fork
def test_litter_goes_but_not_anothers(tmp_path: Path) -> None:
    def stop() -> None:
        with atomic_write(tmp_path / "a.csv") as stream:
            stream.write(b"half")
            os.kill(os.getpid(), signal.SIGKILL)

    killed_before(0, stop)
    assert [file.name.startswith(".a.csv.") for file in tmp_path.iterdir()] == [True]
    (tmp_path / ".b.csv.1.tmp").write_text("of another file")
    with (tmp_path / ".a.csv.2.tmp").open("w") as at_work:
        locks.lock(at_work.fileno())
        with atomic_write(tmp_path / "a.csv") as stream:
            stream.write(b"whole")
    found = {file.name for file in tmp_path.iterdir()}
    assert found == {"a.csv", ".a.csv.2.tmp", ".b.csv.1.tmp"}


def test_what_a_library_says_in_words_names_the_file_too(tmp_path: Path) -> None:
    def write() -> None:
        with written_together([tmp_path / "index.faiss"]) as staged:
            raise OSError(f"{staged / 'index.faiss'}: no room")

    with pytest.raises(OSError, match=f"^{re.escape(str(tmp_path / 'index.faiss'))}: no room$"):
        write()
    assert not [*tmp_path.iterdir()]


@needs_fork
def test_one_process_at_a_time_names_the_other(tmp_path: Path) -> None:
    @alone()
    def write(out: Path) -> None:
        out.write_text("written")

    read, end = os.pipe()
    child = os.fork()
    if not child:
        gc.freeze()
        with claimed(tmp_path / "new" / "a.csv"):
            os.write(end, b"x")
            signal.pause()
        os._exit(0)
    try:
        assert os.read(read, 1) == b"x"
        with pytest.raises(OutputError, match=rf"a\.json: process {child}, at work since 20"):
            write(tmp_path / "new" / "a.json")
        write(tmp_path / "new" / "b.csv")
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(read)
        os.close(end)
    assert (tmp_path / "new" / ".a.lock").exists()
    write(tmp_path / "new" / "a.json")
    assert {file.name for file in (tmp_path / "new").iterdir()} == {"a.json", "b.csv"}


def test_what_is_claimed_may_follow_from_another_argument(tmp_path: Path) -> None:
    @alone(otherwise=("path", lambda path: path.with_suffix(".more.csv")))
    def write(path: Path, out: Path | None = None) -> list[str]:
        return [file.name for file in tmp_path.iterdir()]

    assert write(tmp_path / "a.csv") == [".a.more.lock"]
    assert write(path=tmp_path / "a.csv", out=tmp_path / "b.csv") == [".b.lock"]
    assert not [*tmp_path.iterdir()]


def test_a_claim_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    with claimed(tmp_path / "one" / "two" / "out", folder=True):
        pass
    assert not [*tmp_path.iterdir()]


def test_refusal_settles_first(tmp_path: Path) -> None:
    # All in place, and the journal still there: nothing counts yet.
    (tmp_path / "a.csv").write_text("new")
    moves = [{"folder": ".", "staged": ".a.csv.1.tmp", "new": ["a.csv"], "old": [], "stale": []}]
    (tmp_path / JOURNAL).write_text(json.dumps({"moves": moves}) + "\n")
    refuse_existing([tmp_path / "a.csv"], overwrite=False)
    assert not [*tmp_path.iterdir()]
