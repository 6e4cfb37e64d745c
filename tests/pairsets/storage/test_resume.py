"""What is kept of long work: whole parts of the same work, by one process at a time."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from pairsets.errors import OutputError
from pairsets.storage.resume import Parts, Resume, files_of

FACTS = {"files": [1, "a"]}


def test_parts_are_those_of_one_work(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "work.partial"
    with Resume(file, FACTS) as kept:
        kept.write("b", b"two")
        kept.write("a", b"one")
    with Resume(file, FACTS) as kept:
        assert (kept.read("a"), kept.read("c")) == (b"one", None)
        assert list(kept.current()) == []
        kept.touch("b")
        kept.write("c", b"three")
        assert list(kept.current()) == [b"two", b"three"]
    with Resume(file, "other work") as kept:
        assert kept.read("a") is None
    with Resume(file, FACTS) as kept:
        assert kept.read("a") == b"one"
    with Resume(file, "other work") as kept:
        kept.write("c", b"new")
    with Resume(file, FACTS) as kept:
        assert kept.read("a") is kept.read("c") is None
    assert [one.name for one in file.parent.iterdir()] == ["work.partial"]


def test_a_sequence_ends_at_the_first_that_is_damaged(tmp_path: Path) -> None:
    file = tmp_path / "work.partial"
    with Resume(file, FACTS) as kept:
        assert list(kept.sequence()) == []
        for content in (b"0", b"1", b"2"):
            kept.append(content)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE parts SET content = x'00' WHERE name LIKE '%1'")
        connection.commit()
    for _ in range(2):
        with Resume(file, FACTS) as kept:
            assert list(kept.sequence()) == [b"0"]
    with Resume(file, FACTS) as kept:
        assert list(kept.sequence()) == [b"0"]
        kept.append(b"3")
    with Resume(file, FACTS) as kept:
        assert list(kept.sequence()) == [b"0", b"3"]


def test_one_process_has_it_at_a_time(tmp_path: Path) -> None:
    with (
        Resume(tmp_path / "work.partial", FACTS),
        pytest.raises(OutputError, match=r"work\.partial: in use; is the same command running"),
        Resume(tmp_path / "work.partial", FACTS),
    ):
        pass


def test_a_stranger_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "work.partial").write_text("my own notes, which are no database " * 100)
    with pytest.raises(OutputError, match=r"cannot be used to keep what is found .*; remove it"):
        Resume(tmp_path / "work.partial", FACTS)
    assert (tmp_path / "work.partial").read_text().startswith("my own notes")


@pytest.mark.parametrize("content", [b"", b"{", b"SQLite format 3\0" + bytes(200)])
def test_damaged_parts_are_none(tmp_path: Path, content: bytes) -> None:
    parts = Parts(tmp_path / "work.partial", FACTS)
    parts.path.write_bytes(content)
    assert parts.read() is None
    parts.write({"a": [1, None]})
    assert parts.read() == {"a": [1, None]}
    assert Parts(parts.path, 2).read() is None
    parts.clear()
    assert not list(tmp_path.iterdir())
    parts.clear()
    assert parts.read() is None
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="it kills")
def test_a_kill_loses_what_was_not_committed_alone(tmp_path: Path) -> None:
    file = tmp_path / "work.partial"
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pairsets.storage.resume import Resume\n"
        "kept = Resume(Path(sys.argv[1]), {'files': [1, 'a']}, every=3)\n"
        "for number in range(8): kept.write(f'{number}', bytes(100_000))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, file],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with Resume(file, FACTS) as kept:
        assert [kept.read(f"{number}") is None for number in range(8)] == [False] * 6 + [True] * 2
    for one in files_of(file):
        one.unlink(missing_ok=True)
    assert not list(tmp_path.iterdir())
