"""Memory, cores and folders, as the system tells them, and where it does not."""

from __future__ import annotations

import os

import pytest

from mining.diagnosis.machine import GIB, Place, has_driver, memory_facts, own_places, usable_cores

MEMINFO = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"


@pytest.fixture
def meminfo(tmp_path):
    file = tmp_path / "meminfo"
    file.write_text(MEMINFO)
    return file


@pytest.mark.parametrize(
    ("limit", "used", "total", "free"),
    [
        (None, None, 16 * GIB, 8 * GIB),
        ("max", "1", 16 * GIB, 8 * GIB),
        (str(4 * GIB), str(GIB), 4 * GIB, 3 * GIB),
        (str(12 * GIB), str(GIB), 12 * GIB, 8 * GIB),
        (str(64 * GIB), str(GIB), 16 * GIB, 8 * GIB),
        (str(4 * GIB), "x", 4 * GIB, 8 * GIB),
    ],
)
def test_memory_is_that_of_the_container(tmp_path, meminfo, limit, used, total, free):
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
    assert memory_facts(meminfo, tmp_path) == {"total": total, "free": free}


def test_memory_that_is_not_told_is_not_known(tmp_path):
    (tmp_path / "meminfo").write_text("MemTotal: many kB\n")
    assert memory_facts(tmp_path / "meminfo", tmp_path)["free"] is None
    assert memory_facts(tmp_path / "none", tmp_path)["free"] is None


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", None), ("100000 100000", 1), ("50000 100000", 1), ("x", None)],
)
def test_cores_are_those_of_the_container(tmp_path, quota, cores):
    (tmp_path / "cpu.max").write_text(f"{quota}\n")
    assert usable_cores(tmp_path) == (cores or usable_cores(tmp_path / "none"))


def test_a_folder_that_is_not_there_yet_is_the_one_above_it(tmp_path):
    found = Place.of("cache", tmp_path / "a" / "b", "XDG_CACHE_HOME")
    assert found.writable
    assert found.free
    assert found.finding() is None or "free" in found.finding().what


def test_a_folder_below_a_file_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    found = Place.of("cache", tmp_path / "file" / "a", "XDG_CACHE_HOME").finding()
    assert "cannot be written to" in found.what
    assert "XDG_CACHE_HOME" in found.remedy
    assert found.broken


def test_a_full_disk_and_no_folder_at_all():
    full = Place("cache", None, 0, True, "XDG_CACHE_HOME")
    assert full.finding().what == "cache: there is no such folder"
    assert not Place("weights", None, None, False, "HF_HOME", needed=False).finding().broken


def test_little_room_is_a_note(tmp_path):
    found = Place("cache", tmp_path, GIB // 2, True, "XDG_CACHE_HOME").finding()
    assert "0.50 GiB of its disk are free" in found.what
    assert not found.broken


def test_a_user_without_a_home_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)

    def none():
        raise RuntimeError("no home")

    monkeypatch.setattr("pathlib.Path.home", none)
    cache = next(one for one in own_places() if one.name == "cache")
    assert cache.path is None
    assert "XDG_CACHE_HOME" in cache.finding().remedy


def test_a_driver_is_known_by_its_files(tmp_path):
    assert not has_driver([tmp_path / "none"])
    assert has_driver([tmp_path / "none", tmp_path])
    assert usable_cores() <= (os.cpu_count() or 1)
