"""A search that is stopped and asked again goes on where it was, and gives the same bytes."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Semaphore, Timer
from types import SimpleNamespace

import numpy as np
import pytest
from support import oracle
from support.oracle import as_bytes, listed

from indexes import join
from indexes.join import best, checkpoint

VECTORS = np.random.default_rng(1).standard_normal((60, 16)).astype(np.float32)
VECTORS[50:] = VECTORS[:10]
CODES = np.arange(60) // 2
CODES.setflags(write=False)
N = 40


@pytest.fixture
def eager(monkeypatch):
    """Save after every tile."""
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(checkpoint, name, 0.0)
    monkeypatch.setattr(checkpoint, "WORTH", -1.0)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "found.npz"


@pytest.fixture
def tiles(monkeypatch):
    """Numbers of the tiles that were worked off; at most two ahead of what was reported."""
    numbers, gate = [], Semaphore(2)
    original = checkpoint.Ledger.commit

    def commit(self, number, found):
        assert gate.acquire(timeout=600)
        original(self, number, found)
        numbers.append(number)

    monkeypatch.setattr(checkpoint.Ledger, "commit", commit)
    return SimpleNamespace(numbers=numbers, gate=gate)


def interrupted(path, how, tiles, error=KeyboardInterrupt, vectors=VECTORS, **options):
    """The numbers of the tiles done when `error` was raised."""
    reports = []

    def stop(done, total):
        reports.append(done)
        if len(reports) == 4:
            # From now on nothing is reported: the tiles in hand are finished all the same.
            Timer(0.15, tiles.gate.release, [len(vectors) ** 2]).start()
            raise error
        tiles.gate.release()

    tiles.numbers.clear()
    with pytest.raises(error):
        ask(path, how, vectors=vectors, progress=stop, **options)
    return set(tiles.numbers)


def ask(path, how, vectors=VECTORS, codes=CODES, n=N, **options):
    return join.top_pairs(vectors, codes, n, how=how, checkpoint=path, **options)


def resumed(path, how, tiles, **options):
    """The answer, the numbers of the tiles that were left, and what was reported."""
    tiles.numbers.clear()
    reports = []

    def report(*at):
        reports.append(at)
        tiles.gate.release()

    found = ask(path, how, progress=report, **options)
    return found, list(tiles.numbers), reports


SOME = ["plain", "bf16", "fp32, narrow", "device"]


@pytest.mark.parametrize("way", SOME, indirect=True)
def test_a_tile_is_told_of_before_it_is_kept(way, path, eager, tiles):
    """Who is told may refuse what was searched, as of a file that changed meanwhile."""
    kept = []

    def report(done, total):
        kept.append(path.exists())
        tiles.gate.release()

    ask(path, way(tile=16, threads=2), progress=report)
    # Of no tile yet, of the first, of the second.
    assert kept[:3] == [False, False, True]


@pytest.mark.parametrize("way", SOME, indirect=True)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("scale", [1.0, 1e25])  # 1e25: for which only float64 will do
def test_no_tile_is_done_twice(way, error, scale, path, eager, tiles):
    how, vectors = way(tile=16, threads=2), VECTORS * np.float32(scale)
    everything = resumed(None, how, tiles, vectors=vectors)[1]
    done = interrupted(path, how, tiles, error, vectors)
    assert 0 < len(done) < len(everything)
    assert path.exists()
    found, left, reports = resumed(path, how, tiles, vectors=vectors)
    assert sorted([*done, *left]) == sorted(everything)
    assert as_bytes(found) == as_bytes(oracle.top_pairs(vectors, CODES, N))
    # What was done before counts as done.
    assert 0 < reports[0][0] < 60 * 59 // 2
    assert reports[-1] == (60 * 59 // 2, 60 * 59 // 2)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("way", SOME, indirect=True)
def test_a_finished_search_that_is_kept_is_not_done_again(way, path, eager, tiles):
    how = replace(way(tile=16, threads=2), keep_checkpoint=True)
    whole, everything, _ = resumed(path, how, tiles)
    kept = path.read_bytes()
    found, left, reports = resumed(path, how, tiles)
    assert everything
    assert left == []
    assert reports == [(60 * 59 // 2, 60 * 59 // 2)]
    assert as_bytes(found) == as_bytes(whole) == as_bytes(oracle.top_pairs(VECTORS, CODES, N))
    assert path.read_bytes() == kept
    # Asked once more without, it is removed.
    resumed(path, way(tile=16, threads=2), tiles)
    assert list(path.parent.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from indexes import join
from indexes.join import checkpoint
checkpoint.FIRST = checkpoint.PERIOD = 0.0
vectors, path, precision = np.load(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def die(done, total):
    if path.exists():
        os.kill(os.getpid(), signal.SIGKILL)
how = join.SearchOptions(precision=precision, spectrum="off", tile=16, threads=1)
join.top_pairs(vectors, np.arange(60) // 2, 40, how=how, progress=die, checkpoint=path)
"""


@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_killed_after_the_first_saving(precision, path, tiles, tmp_path_factory):
    stored = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    np.save(stored, VECTORS)
    command = [sys.executable, "-c", KILLED, str(stored), str(path), precision]
    root = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=root, capture_output=True, timeout=1800, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    with np.load(path) as file:
        done = np.flatnonzero(file["done"]).tolist()
        everything = list(range(file["done"].size))
    assert done
    how = join.SearchOptions(precision=precision, spectrum="off", tile=16, threads=2)
    found, left, _ = resumed(path, how, tiles)
    assert sorted([*done, *left]) == everything
    assert as_bytes(found) == as_bytes(oracle.top_pairs(VECTORS, CODES, N))
    assert list(path.parent.iterdir()) == []


PLAIN, FAST = join.SearchOptions(tile=16), join.SearchOptions(tile=16, precision="bf16")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (PLAIN, FAST),
        (FAST, PLAIN),
        (FAST, join.SearchOptions(tile=16, precision="fp32")),
        (FAST, join.SearchOptions(tile=9, precision="bf16", threads=2)),
        (PLAIN, join.SearchOptions(tile=7)),
    ],
)
def test_another_way_may_go_on(before, after, path, eager, tiles):
    assert interrupted(path, before, tiles)
    found, _, reports = resumed(path, after, tiles)
    assert as_bytes(found) == as_bytes(oracle.top_pairs(VECTORS, CODES, N))
    assert reports[-1] == (60 * 59 // 2, 60 * 59 // 2)


OTHER = VECTORS.copy()
OTHER[59, 15] += 1
QUESTIONS = {
    "vectors": {"vectors": OTHER},
    "fewer vectors": {"vectors": VECTORS[:59], "codes": CODES[:59]},
    "n": {"n": N + 1},
    "groups": {"codes": np.arange(60) % 30},
    "min_score": {"min_score": 1.0},
    "max_score": {"max_score": 9.0},
    "exclude": {"exclude": [[0, 51], [3, 4]]},
    "exclude_groups": {"exclude_groups": [[0, 25], [3, 4]]},
    "ceilings": {"ceilings": np.full(60, 9.0)},
    "active": {"active": np.arange(60) % 2 == 0},
    "as many active": {"active": np.arange(60) > 0},
}


@pytest.mark.parametrize("how", [PLAIN, FAST], ids=["plain", "bf16"])
@pytest.mark.parametrize("question", QUESTIONS)
def test_what_another_question_left_is_not_used(how, question, path, eager, tiles):
    """The first one leaves out the last row, and each other one differs in one thing more."""
    options = dict(QUESTIONS[question])
    before = {"active": np.arange(60) < 59} if question == "as many active" else {}
    assert interrupted(path, how, tiles, **before)
    everything = resumed(None, how, tiles, **options)[1]
    found, left, _ = resumed(path, how, tiles, **options)
    asked = {"vectors": VECTORS, "codes": CODES, "n": N} | options
    truth = oracle.top_pairs(asked.pop("vectors"), asked.pop("codes"), asked.pop("n"), **asked)
    assert listed(found) == truth
    assert sorted(left) == sorted(everything)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("at", range(1, 8))
def test_interrupted_between_taking_and_noting(at, tmp_path, monkeypatch):
    """A tile that was taken and not noted as done must not be kept: it would be found twice."""
    monkeypatch.setattr(checkpoint, "WORTH", -1.0)
    generator = np.random.default_rng(1)
    vectors, codes = generator.standard_normal((60, 8)).astype(np.float32), np.arange(60) // 2
    path, original, calls = tmp_path / "found.npz", best.Best.take, []

    def interrupted(self, found):
        original(self, found)
        calls.append(1)
        if len(calls) == at:
            raise KeyboardInterrupt

    monkeypatch.setattr(best.Best, "take", interrupted)
    with pytest.raises(KeyboardInterrupt):
        join.top_pairs(vectors, codes, 40, how=join.SearchOptions(tile=16), checkpoint=path)
    monkeypatch.setattr(best.Best, "take", original)
    found = join.top_pairs(vectors, codes, 40, how=join.SearchOptions(tile=16), checkpoint=path)
    whole = join.top_pairs(vectors, codes, 40)
    assert found.i.tobytes() == whole.i.tobytes()
    assert found.scores.tobytes() == whole.scores.tobytes()
    assert not path.exists()
