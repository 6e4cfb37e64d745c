"""A process that reads files larger than the memory it may have."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.oracle import as_bytes

from indexes import FlatIndex, IndexesError, join, memory
from indexes.join import options
from indexes.join.stack import Stacked
from indexes.memory import MIB, Room, cap_now, capped, held, rows_taken

linux = pytest.mark.skipif(held() is None, reason="the system does not say what a process holds")

# Reads a file of 400 MiB twice, below a cap of `more` MiB beyond what it holds at first.
READER = """
import sys
import numpy as np
from indexes.memory import MIB, capped, held
path, more = sys.argv[1], int(sys.argv[2])
rows = np.memmap(path, np.float32, "r").reshape(-1, 256)
now = held()
cap = now.own + now.mapped + more * MIB if more else None
with capped(cap, rows):
    for _ in range(2):
        for start in range(0, len(rows), 1024):
            assert rows[start : start + 1024].sum() == 1024 * 256
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print((int(peak.split()[1]) * 1024 - now.own - now.mapped) // MIB)
"""


@linux
def test_a_file_larger_than_the_cap_is_read(tmp_path):
    path = tmp_path / "rows.f32"
    with path.open("wb") as file:
        for _ in range(100):
            file.write(np.ones(MIB, "<f4").tobytes())
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", READER, str(path), more],
                check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
            ).stdout
        )
        for more in ("0", "256")
    ]  # fmt: skip
    assert grown[0] >= 400
    assert grown[1] < 256


# Gathers rows from all over a file of 400 MiB; nobody looks at the process meanwhile.
GATHERER = """
import sys
import numpy as np
from indexes import memory
from indexes.memory import MIB, capped, gather, held
memory._PERIOD = 3600
if sys.argv[2] == "not to be opened":
    memory._open_again = lambda address: None
rows = np.memmap(sys.argv[1], np.float32, "r").reshape(-1, 256)
now = held()
order = np.random.default_rng(0).permutation(len(rows))
with capped(now.own + now.mapped + 256 * MIB, rows):
    for start in range(0, 40_000, 20_000):
        some = order[start : start + 20_000]
        assert (gather(rows, some)[:, 0] == some).all()
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print((int(peak.split()[1]) * 1024 - now.own - now.mapped) // MIB)
"""


@linux
@pytest.mark.parametrize("way", ["opened", "not to be opened"])
def test_scattered_rows_of_a_file_larger_than_the_cap_are_gathered(tmp_path, way):
    path = tmp_path / "rows.f32"
    with path.open("wb") as file:
        for start in range(0, 409_600, 4096):
            numbers = np.arange(start, start + 4096, dtype="<f4")
            file.write(np.repeat(numbers, 256).tobytes())
    grown = subprocess.run(
        [sys.executable, "-c", GATHERER, str(path), way],
        check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert int(grown.stdout) < 256


@pytest.mark.parametrize("cap", [None, 1])
@pytest.mark.parametrize("place", ["memory", "file", "long head", "no name", "replaced"])
def test_gathered_rows_are_those_asked_for(tmp_path, monkeypatch, cap, place):
    if hasattr(os, "preadv"):
        # A system may read less than it is asked for.
        whole = os.preadv
        monkeypatch.setattr(os, "preadv", lambda file, parts, at: whole(file, [parts[0][:7]], at))
    expected = np.arange(3000, dtype=np.float32).reshape(1000, 3)
    vectors, path = expected, tmp_path / "some rows.npy"
    if place == "no name":
        vectors = Room(1, tmp_path).array((1000, 3), np.float32)
        vectors[:] = expected
    elif place == "long head":
        head = 3 * mmap.ALLOCATIONGRANULARITY + 64
        path.write_bytes(bytes(head) + expected.tobytes())
        vectors = np.memmap(path, np.float32, "r", head, (1000, 3))
    elif place != "memory":
        np.save(path, expected)
        vectors = np.load(path, mmap_mode="r")
    if place == "replaced":
        path.unlink()
        # As Linux names the one that is gone.
        for other in (path, tmp_path / f"{path.name} (deleted)"):
            with other.open("wb") as file:
                np.save(file, -expected)
    draw = np.random.default_rng(0)
    rows = np.r_[draw.integers(0, 1000, 500), 7:70, 999, 999, 0, 1].astype(np.int32)
    both = Stacked(vectors[:300], vectors[300:])
    with capped(cap):
        for some in (rows, rows[:1], rows[:0]):
            for found in (memory.gather(vectors, some), memory.gather(both, some)):
                assert np.array_equal(found, expected[some])
                assert found.flags.writeable
                assert found.flags.c_contiguous
            assert np.array_equal(
                memory.gather(vectors[5::3], some % 300), expected[5::3][some % 300]
            )
            assert np.array_equal(memory.gather(vectors[:, 1:], some), expected[some, 1:])
            assert np.array_equal(memory.gather(vectors, -1 - some), expected[-1 - some])
        with pytest.raises(IndexError):
            memory.gather(vectors, np.array([1000]))


@linux
def test_a_file_that_became_shorter_is_told(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((5000, 64), np.float32))
    vectors = np.load(path, mmap_mode="r")
    with capped(1):
        memory.gather(vectors, np.array([4999]))
        if not any(memory._sources.values()):
            # To read what is mapped would end this process.
            pytest.skip("a mapped file cannot be opened once more here")
        os.truncate(path, 4096)
        with pytest.raises(IndexesError, match=r"rows\.npy: the file became shorter"):
            memory.gather(vectors, np.array([4999]))


def test_a_cap_is_known_while_it_lasts():
    assert cap_now() is None
    with capped(2 * 10**9), capped(None), capped(3 * 10**9):
        assert cap_now() == 2 * 10**9
    assert cap_now() is None


def test_what_does_not_fit_goes_into_a_file_without_a_name(tmp_path):
    room = Room(2**40, tmp_path)
    inside = room.array((10, 3), np.int8)
    assert not isinstance(inside, np.memmap)
    assert not room.used
    room = Room(1, tmp_path)
    outside = room.array((10, 3), np.int8)
    assert isinstance(outside, np.memmap)
    assert room.used
    outside[:] = 7
    memory.let_go()
    assert (outside == 7).all()
    assert not [*tmp_path.iterdir()]


def test_a_disk_without_room_is_told(tmp_path):
    with pytest.raises(IndexesError, match=r"no room for 1048576\.0 GiB"):
        Room(1, tmp_path).array((2**50,), np.int8)
    assert not [*tmp_path.iterdir()]


def test_rows_are_taken_into_memory_or_a_file():
    vectors = np.arange(60, dtype=np.float32).reshape(20, 3)
    kept = np.arange(20) % 3 > 0
    assert np.array_equal(rows_taken(vectors, kept), vectors[kept])
    with capped(1):
        found = rows_taken(vectors, kept)
    assert isinstance(found, np.memmap)
    assert np.array_equal(found, vectors[kept])


def test_read_ahead_of_any_part(tmp_path):
    path = tmp_path / "rows.f32"
    np.arange(2**16, dtype="<f4").tofile(path)
    rows = np.memmap(path, np.float32, "r").reshape(-1, 64)
    parts = {"all": rows, "some": rows[3:9], "last": rows[-1:], "other": np.ones((2, 2))}
    for name, part in parts.items():
        before = part.copy()
        address = part.__array_interface__["data"][0]
        assert not memory.fetch_ahead(address, part.nbytes)
        memory.remember(rows)
        assert memory.fetch_ahead(address, part.nbytes) == (name != "other")
        assert not memory.fetch_ahead(address, 0)
        assert np.array_equal(part, before)
        memory._mapped.clear()


@pytest.mark.skipif(not hasattr(mmap, "MADV_DONTNEED"), reason="pages are not given back here")
def test_what_was_written_to_a_copy_is_not_given_back(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, np.zeros((5000, 8), np.float32))
    for mode in ("c", "r+"):
        rows = np.load(path, mmap_mode=mode)
        rows[7] = 3
        memory.remember(rows[2:])
        memory.let_go()
        assert (rows[7] == 3).all()


@pytest.fixture
def world(tmp_path, monkeypatch) -> tuple[np.ndarray, np.ndarray]:
    monkeypatch.setattr(options, "SMALL", (0, 0))
    vectors = np.random.default_rng(5).standard_normal((3000, 48)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    return np.load(tmp_path / "vectors.npy", mmap_mode="r"), np.arange(3000) // 3


def test_too_little_memory_is_refused_with_what_it_takes(world):
    vectors, codes = world
    index = FlatIndex(vectors)
    with pytest.raises(IndexesError) as caught:
        index.top_pairs(10, codes, how=join.SearchOptions(memory=MIB, threads=1))
    needed = int(str(caught.value).partition(" needs ")[2].partition(" MiB")[0].replace(",", ""))
    expected = as_bytes(index.top_pairs(10, codes))
    # What the process holds, and the room kept free, grow with the cap by less than this.
    how = join.SearchOptions(memory=int((needed + 16) * 1.25) * MIB, threads=1)
    assert as_bytes(index.top_pairs(10, codes, how=how)) == expected
