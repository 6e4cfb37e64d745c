"""Work in threads and processes: order, and what is left undone after an error."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.command_line import HANGS

from mining import parallel
from mining.parallel import in_chunks, in_order, threads_alone


def test_results_come_in_order() -> None:
    items: list[int] = []
    results: list[int] = []

    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    for part, found in in_chunks(work, range(20), 4, chunk=3):
        assert len(part) <= 3
        items.extend(part)
        results.extend(found)
    assert items == list(range(20))
    assert results == [item * item for item in range(20)]


@pytest.mark.parametrize("where", ["work", "take"])
def test_after_an_error_nothing_new_is_begun(where: str) -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.002)
        if where == "work" and item == 3:
            raise ValueError("work")
        return item

    def take_all() -> None:
        for part, _ in in_chunks(work, range(2000), 2, chunk=1):
            if where == "take" and 3 in part:
                raise ValueError("take")

    with pytest.raises(ValueError, match=where):
        take_all()
    assert len(begun) < 500


def test_results_of_processes_come_in_order() -> None:
    assert list(in_order(math.factorial, range(40), 2, processes=True)) == [
        math.factorial(n) for n in range(40)
    ]
    parts = list(in_chunks(math.sqrt, range(7), 2, chunk=3, processes=True))
    assert parts == [
        (range(3), [0.0, 1.0, math.sqrt(2)]),
        (range(3, 6), [math.sqrt(3), 2.0, math.sqrt(5)]),
        (range(6, 7), [math.sqrt(6)]),
    ]
    processes = set(in_order(_process, [0] * 20, 2, processes=True))
    assert os.getpid() not in processes


def _process(_: int) -> int:
    return os.getpid()


def _killed(item: tuple[int, int]) -> int:
    """Square of a number; in another process than the one named, one of them ends it."""
    number, parent = item
    if number == 5 and os.getpid() != parent:
        os._exit(9)
    return number * number


def test_threads_do_what_an_ended_process_leaves() -> None:
    items = [(number, os.getpid()) for number in range(30)]
    assert list(in_order(_killed, items, 2, processes=True)) == [n * n for n in range(30)]
    # And what comes next has processes again.
    assert os.getpid() not in set(in_order(_process, [0] * 20, 2, processes=True))


def test_without_the_library_threads_do_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "loky", None)
    parallel._processes.cache_clear()
    try:
        assert set(in_order(_process, range(9), 2, processes=True)) == {os.getpid()}
    finally:
        parallel._processes.cache_clear()


def test_threads_do_all_where_no_process_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("loky.ProcessPoolExecutor.submit", full)
    assert set(in_order(_process, range(9), 2, processes=True)) == {os.getpid()}


def test_processes_work_in_the_folder_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        monkeypatch.chdir(tmp_path / name)
        texts = set(in_order(Path.read_text, [Path("file")] * 9, 2, processes=True))
        assert texts == {name}


def test_threads_alone_where_that_is_said() -> None:
    with threads_alone():
        assert set(in_order(_process, range(9), 2, processes=True)) == {os.getpid()}
    assert os.getpid() not in set(in_order(_process, range(9), 2, processes=True))


def test_an_error_in_a_process_is_raised_here() -> None:
    with pytest.raises(ValueError, match=r"math domain|nonnegative"):
        list(in_order(math.sqrt, [1, 4, -1, 9], 2, processes=True))


_INTERRUPTED = """
import sys, time
from mining.parallel import in_order

def work(at):
    time.sleep(0.02)
    return at

try:
    for at in in_order(work, range(10_000), 2, processes=True):
        if at == 3:
            print("begun", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


# Run as each process starts: one that is not the script's own is interrupted there.
_AT_START = """
import os, signal, sys

if "loky" in " ".join(sys.orig_argv):
    os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.skipif(os.name == "nt", reason="interrupts a group of processes, as a terminal does")
@pytest.mark.parametrize("ends", ["by itself", "interrupted", "interrupted at their start"])
def test_the_end_leaves_no_trace(ends: str, tmp_path: Path) -> None:
    """Processes end with the one that started them; Ctrl-C reaches them, and they say nothing."""
    if ends == "interrupted at their start":
        (tmp_path / "sitecustomize.py").write_text(_AT_START)
    script = tmp_path / "script.py"
    script.write_text(_INTERRUPTED.replace("10_000", "10_000" if ends == "interrupted" else "50"))
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(parallel.__file__).parents[1]))),
        },
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "begun\n"
        if ends == "interrupted":
            os.killpg(run.pid, signal.SIGINT)
        out, errors = run.communicate(timeout=HANGS)
    said = "interrupted\n" if ends == "interrupted" else ""
    assert (out, errors, run.returncode) == (said, "", 0)


_KILLED = """
import os, time
from mining.parallel import in_order

def work(at):
    time.sleep(0.05)
    return os.getpid()

print(*{*in_order(work, range(40), 2, processes=True)}, flush=True)
time.sleep(1000)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks /proc who is there")
def test_processes_end_with_a_killed_one(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_KILLED)
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(parallel.__file__).parents[1])},
    ) as run:
        assert run.stdout is not None
        processes = run.stdout.readline().split()
        run.kill()
    assert processes
    until = time.monotonic() + HANGS
    while any(map(_is_there, processes)):
        assert time.monotonic() < until
        time.sleep(0.1)


def _is_there(process: str) -> bool:
    """Whether a process runs; one that has ended may wait to be asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
