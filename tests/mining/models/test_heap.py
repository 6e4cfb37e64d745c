"""The heap setting: in force within the block alone, and harmless elsewhere."""

from __future__ import annotations

import ctypes
import platform

import pytest

from mining.models import heap


class Recording:
    def __init__(self, _):
        self.calls = []
        Recording.last = self

    def mallopt(self, option, value):
        self.calls.append((option, value))

    def malloc_trim(self, pad):
        self.calls.append(("trim", pad))


def test_set_within_the_block_and_put_back_after_an_error(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(ctypes, "CDLL", Recording)

    def interrupted():
        with heap.kept_heap():
            assert Recording.last.calls == [(-4, 0), (-1, 2**31 - 1)]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert Recording.last.calls[2:] == [(-4, 65_536), (-1, 128 * 1024), ("trim", 0)]


def test_other_c_libraries_are_left_alone(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(ctypes, "CDLL", None)  # calling it would fail
    with heap.kept_heap():
        pass
