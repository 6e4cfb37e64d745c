"""A cap on the memory of a process that works on memory-mapped files larger than it.

Pages of a mapped file that were read count as memory of the process until the system takes them
back, which it does only when it runs short. `MemoryCap` gives them back before: it looks at the
process every few milliseconds, and where it holds more than it may, it lets go of the pages of all
files that are known here. What is read once more comes from the system's file cache, which is no
memory of the process; nothing is lost, since what was written lies in the file.

Sizes are in bytes. The process's own size is known on Linux; elsewhere a cap decides what is kept
in files instead of in memory, and pages are left to the system.
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from weakref import WeakSet

import numpy as np
from numpy.typing import DTypeLike, NDArray

from indexes.base import IndexesError

MIB = 2**20
# Seconds between two looks, and what may be read in between, at least and as a share of the cap.
_PERIOD, _LEAST, _SHARE = 0.01, 128 * MIB, 0.1
# Left alone: to let go of less is not worth the reading again.
_WORTH = 16 * MIB
_mapped: WeakSet[mmap.mmap] = WeakSet()
_caps: list[int] = []
# Bytes of files that stayed mapped when pages were given back last.
_left = [0]
_lock = threading.Lock()


def remember(*arrays: object) -> None:
    """Let a cap give back what was read of these arrays' files; of those in memory nothing."""
    for array in arrays:
        found = _file_of(array)
        if found is not None:
            with _lock:
                _mapped.add(found)


def _file_of(array: object) -> mmap.mmap | None:
    """The mapped file that an array is a view of; None where what was written may not be in it."""
    view: object = None
    while array is not None and not isinstance(array, mmap.mmap):
        # The last one on the way that says how its file was mapped, else the last one.
        view = view if isinstance(view, np.memmap) else array
        array = getattr(array, "base", None)
    if array is None:
        return None
    if isinstance(view, np.memmap):
        return None if view.mode == "c" else array
    return None if isinstance(view, np.ndarray) and view.flags.writeable else array


def let_go() -> None:
    """Give back the pages of all files that are known."""
    if not hasattr(mmap, "MADV_DONTNEED"):
        return
    with _lock:
        found = list(_mapped)
    for one in found:
        # Only Linux takes pages back by it and nothing else.
        with suppress(ValueError, OSError):
            one.madvise(mmap.MADV_DONTNEED)


def fetch_ahead(address: int, size: int) -> bool:
    """Ask the system to read a part of a known file from its disk before it is needed.

    Args:
        address: where the part lies in memory.
        size: of it, in bytes.

    Returns:
        Whether that is a known file's, and the system was asked.
    """
    if not hasattr(mmap, "MADV_WILLNEED") or not size:
        return False
    with _lock:
        known = list(_mapped)
    for one in known:
        start = address - _address(one)
        if 0 <= start < len(one):
            first = start - start % mmap.PAGESIZE
            with suppress(ValueError, OSError):
                one.madvise(mmap.MADV_WILLNEED, first, min(start + size, len(one)) - first)
            return True
    return False


def _address(found: mmap.mmap) -> int:
    return int(np.frombuffer(found, np.uint8).__array_interface__["data"][0])


@dataclass(frozen=True)
class Held:
    """Bytes that a process holds: those of its own, and those of files it has mapped."""

    own: int
    mapped: int


def held() -> Held | None:
    """Bytes that this process holds; None where the system does not say."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as file:  # noqa: PTH123
            _, resident, shared = map(int, file.read().split()[:3])
    except (OSError, ValueError):
        return None
    return Held((resident - shared) * mmap.PAGESIZE, shared * mmap.PAGESIZE)


def headroom(size: int) -> int:
    """Bytes below a cap of `size` that are kept free, for what is read between two looks."""
    return max(_LEAST, int(size * _SHARE))


class MemoryCap:
    """Cap on this process's memory while the context lasts; see the module.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> MemoryCap:
        _caps.append(self.size)
        if held() is not None:
            self._thread = threading.Thread(target=self._look, name="memory cap", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _caps.remove(self.size)
        self._end.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(_PERIOD):
            keep_to_cap()


def keep_to_cap() -> None:
    """Give back mapped pages if this process holds more than it may now.

    Called by those who read much, between two pieces of it; a thread of `MemoryCap` does so for all
    others.
    """
    size = cap_now()
    now = held() if size is not None else None
    if size is None or now is None:
        return
    with _lock:
        # What was left by others, and is mapped no more, does not count.
        _left[0] = min(_left[0], now.mapped)
    if now.own + now.mapped <= size - headroom(size):
        return
    with _lock:
        # Libraries are mapped too, and stay: what was left last time is not tried for again.
        worth = now.mapped >= _left[0] + _WORTH
    if worth:
        let_go()
        after = held()
        with _lock:
            _left[0] = 0 if after is None else after.mapped


class Room:
    """Place for a search's copies: in memory, or in a file where they would pass the cap.

    Args:
        size: the cap in bytes; None keeps all in memory.
        folder: for files; the system's own folder for such if None. They have no name: nothing is
            left of them when the process ends, however it does.
        reserved: bytes that the search needs besides.
    """

    def __init__(self, size: int | None, folder: Path | None = None, reserved: int = 0) -> None:
        self.size, self.folder, self.reserved = size, folder, reserved
        # What of mapped files cannot be given back: libraries.
        self._stays = 0 if size is None else _mapped_for_good()
        # Whether a file is used.
        self.used = False

    @property
    def free(self) -> int | None:
        """Bytes left for copies below the cap; None where nothing is capped."""
        if self.size is None:
            return None
        now = held()
        own = 0 if now is None else now.own
        return self.size - headroom(self.size) - own - self._stays - self.reserved

    def fits(self, size: int) -> bool:
        """Whether so many bytes may be held in memory."""
        return self.free is None or size <= self.free

    def array(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array to be filled.

        Raises:
            IndexesError: the disk has no room for it.
        """
        kind = np.dtype(dtype)
        size = int(np.prod(shape)) * kind.itemsize
        if self.fits(size) or not size:
            return np.empty(shape, kind)
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                _fill(file.fileno(), size)
                found = np.memmap(file, kind, "r+", shape=shape)
        except OSError as error:
            place = self.folder or tempfile.gettempdir()
            raise IndexesError(
                f"{place}: no room for {size / 2**30:.1f} GiB that do not fit into the memory "
                f"allowed ({error.strerror or error}); free some disk, or allow more memory"
            ) from None
        remember(found)
        self.used = True
        return found


def _mapped_for_good() -> int:
    let_go()
    now = held()
    return 0 if now is None else now.mapped


def _fill(file: int, size: int) -> None:
    """Give a file its bytes now: a full disk is to be told, not to end the process later."""
    try:
        os.posix_fallocate(file, 0, size)
    except AttributeError:
        os.truncate(file, size)
    except OSError as error:
        # Not every system has it for every disk.
        if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
            raise
        os.truncate(file, size)


@contextmanager
def capped(size: int | None, *arrays: object) -> Iterator[None]:
    """Keep this process below `size` bytes, by the pages of these arrays' files and those known.

    Searches inside it keep to it by themselves.

    Args:
        size: the cap; None is none beside those that hold already.
        arrays: mapped ones, or any.
    """
    remember(*arrays)
    with nullcontext() if size is None else MemoryCap(size):
        yield


def cap_now() -> int | None:
    """The lowest cap in bytes that this process is kept below now, or None."""
    return min(_caps, default=None)


def rows_taken(vectors: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """The rows of `vectors [N, D]` that are `kept [N]`, in a file where a cap leaves no room."""
    rows = np.flatnonzero(kept)
    found = Room(cap_now()).array((len(rows), *vectors.shape[1:]), vectors.dtype)
    step = max(1, MIB // max(1, vectors[:1].nbytes))
    for start in range(0, len(rows), step):
        found[start : start + step] = vectors[rows[start : start + step]]
    return found
