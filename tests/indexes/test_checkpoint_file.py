"""The file that a stopped search leaves: when it is written, and what is made of a damaged one."""

from __future__ import annotations

import os
import pickle
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from support import oracle

from indexes import IndexesError, join
from indexes.join import checkpoint

VECTORS = np.random.default_rng(1).standard_normal((60, 16)).astype(np.float32)
CODES = np.arange(60) // 2
TRUTH = oracle.top_pairs(VECTORS, CODES, 40)
PLAIN, FAST = join.SearchOptions(tile=16), join.SearchOptions(tile=16, precision="bf16")


def ask(path, how=PLAIN, progress=None):
    found = join.top_pairs(VECTORS, CODES, 40, how=how, progress=progress, checkpoint=path)
    return oracle.listed(found)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "found.npz"


@pytest.fixture
def eager(monkeypatch):
    """Save after every tile."""
    for name in ("FIRST", "PERIOD"):
        monkeypatch.setattr(checkpoint, name, 0.0)


@pytest.fixture
def left(path, eager) -> bytes:
    """What an interrupted search has left at `path`."""

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(path, progress=stop)
    return path.read_bytes()


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self):
        return os.mkdir, (self.mark,)


def saved(save, *arrays, **named) -> bytes:
    buffer = BytesIO()
    save(buffer, *arrays, **named)
    return buffer.getvalue()


def changed(whole: bytes, name: str, change) -> bytes:
    """A whole file of the same search, of which one array is another."""
    with np.load(BytesIO(whole)) as file:
        arrays = {key: file[key] for key in file.files}
    return saved(np.savez, **{**arrays, name: change(arrays[name])})


# By what is wrong with it: made of a whole file, and of an object that must not be unpickled.
DAMAGES = {
    "empty": lambda whole, trap: b"",
    "half": lambda whole, trap: whole[: len(whole) // 2],
    "nearly whole": lambda whole, trap: whole[:-10],
    "a bit of the first array": lambda whole, trap: (
        whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    ),
    "text": lambda whole, trap: b"no checkpoint\n",
    "pickle": lambda whole, trap: pickle.dumps(trap),
    "array": lambda whole, trap: saved(np.save, np.arange(3)),
    "pickle in an array": lambda whole, trap: saved(np.save, np.array([trap], object)),
    "pickle in a zip": lambda whole, trap: saved(np.savez, key=np.array([trap], object)),
    "a score that was not found": lambda whole, trap: changed(whole, "scores", lambda x: x + 1),
    "pairs that there are not": lambda whole, trap: changed(whole, "j", lambda x: x + 1000),
    "tiles that are not done": lambda whole, trap: changed(whole, "done", np.ones_like),
    "zip of something else": lambda whole, trap: saved(np.savez, other=np.arange(3)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_left(damage, left, path):
    mark = path.with_name("unpickled")
    content = DAMAGES[damage](left, Trap(mark))
    path.write_bytes(content)
    with pytest.raises(IndexesError, match="not a checkpoint that can be read") as caught:
        ask(path)
    assert str(path) in str(caught.value)
    assert "remove it to start again" in str(caught.value)
    assert path.read_bytes() == content
    assert not mark.exists()
    path.unlink()
    assert ask(path) == TRUTH


def test_the_trap_would_have_shown(path):
    """Or the test above would say nothing of it."""
    np.load(BytesIO(saved(np.save, np.array([Trap(path)], object))), allow_pickle=True)
    assert path.is_dir()


def test_a_folder_in_its_place(path):
    path.mkdir()
    with pytest.raises(IndexesError, match="not a checkpoint that can be read"):
        ask(path)


def test_a_folder_that_is_not_there(path):
    """Said at once, not when there is something to keep."""
    with pytest.raises(IndexesError, match="no folder"):
        ask(path.parent / "nowhere" / path.name)


@pytest.mark.parametrize("how", [PLAIN, FAST], ids=["plain", "bf16"])
def test_a_saving_that_fails_leaves_the_one_before(how, path, eager, monkeypatch):
    whole, save = [], np.savez

    def full(file, **arrays):
        if whole:
            file.write(b"half of it")
            raise OSError("no space left")
        save(file, **arrays)
        whole.append(file.tell())

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full)
        with pytest.raises(OSError, match="no space left"):
            ask(path, how)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.stat().st_size == whole[0]
    assert ask(path, how) == TRUTH
    assert list(path.parent.iterdir()) == []


@pytest.fixture
def clock(monkeypatch):
    """The seconds that a checkpoint sees."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(checkpoint, "time", SimpleNamespace(monotonic=lambda: now.seconds))
    return now


def test_when_it_saves(path, clock):
    """After a minute, then twice a minute; here a tile takes ten seconds."""
    times, ticks, saved = [], [], [b""]

    def tick(done, total):
        if path.exists() and path.read_bytes() != saved[-1]:
            saved.append(path.read_bytes())
            times.append(clock.seconds - 1000)
        if done:
            clock.seconds += 10
            ticks.append(done)

    assert ask(path, join.SearchOptions(tile=10), progress=tick) == TRUTH
    assert times == list(range(60, 10 * len(ticks), 30))
    assert len(times) > 3
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(("seconds", "kept"), [(1, False), (6, True)])
@pytest.mark.parametrize("how", [PLAIN, FAST], ids=["plain", "bf16"])
def test_what_is_soon_done_again_is_not_kept(how, seconds, kept, path, clock):
    def stop(done, total):
        if done:
            clock.seconds += seconds
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(path, how, progress=stop)
    assert path.exists() == kept
    assert ask(path, how) == TRUTH
    assert not path.exists()
