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
from weakref import WeakKeyDictionary, WeakSet, finalize

import numpy as np
from numpy.typing import DTypeLike, NDArray

from indexes.base import IndexesError

MIB = 2**20
# Seconds between two looks, and what may be read in between, at least and as a share of the cap.
_PERIOD, _LEAST, _SHARE = 0.01, 128 * MIB, 0.1
# Of a mapped file, Linux maps so much around each byte that is read, where its file cache holds it
# in one piece.
_AROUND = 2 * MIB
# Left alone: to let go of less is not worth the reading again.
_WORTH = 16 * MIB
_mapped: WeakSet[mmap.mmap] = WeakSet()
_caps: list[int] = []
# How mapped files are read past their mapping, once that was asked for.
_sources: WeakKeyDictionary[mmap.mmap, _Source | None] = WeakKeyDictionary()
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
                mapped = _file_of(found)
                assert mapped is not None
                with _lock:
                    _keep_source(mapped, _Source("a temporary file", os.dup(file.fileno()), 0))
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


def gather(vectors: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    """`vectors[rows]`, an array `[M, D]` of its own, which a cap lets one have.

    Scattered rows of a mapped file would map far more of it than themselves, within milliseconds
    more than the cap leaves. So they are read from the file instead; where that cannot be opened,
    few are taken at once.

    Args:
        vectors: `[N, D]`, an array, or what takes rows as one does.
        rows: `[M]` their numbers.

    Raises:
        IndexesError: the file is shorter than it was.
    """
    size = cap_now()
    mapped = _file_of(vectors) if size is not None and isinstance(vectors, np.ndarray) else None
    if size is None or mapped is None or held() is None:
        return np.ascontiguousarray(vectors[rows])
    found = np.empty((len(rows), vectors.shape[1]), vectors.dtype)
    if _read_rows(mapped, vectors, rows, found):
        return found
    most = headroom(size) // (4 * (os.cpu_count() or 1))
    step = max(1, most // (_AROUND + vectors[:1].nbytes))
    for start in range(0, len(rows), step):
        found[start : start + step] = vectors[rows[start : start + step]]
        keep_to_cap()
    return found


def _read_rows(
    mapped: mmap.mmap, vectors: NDArray[Any], rows: NDArray[np.intp], found: NDArray[Any]
) -> bool:
    """Read rows of a mapped file into `found`, past the mapping; whether that could be done."""
    width = vectors.shape[1] * vectors.itemsize
    whole = vectors.strides[0] >= width and vectors.strides[1:] == (vectors.itemsize,)
    if not whole or not len(rows) or rows.min() < 0 or rows.max() >= len(vectors):
        return False
    file = _source_of(mapped)
    if file is None:
        return False
    begin = file.start + int(vectors.__array_interface__["data"][0]) - _address(mapped)
    # Neighbours are read at once, if nothing lies between them.
    alone = np.diff(rows) != 1 if vectors.strides[0] == width else np.ones(len(rows) - 1, np.bool_)
    edges = np.flatnonzero(alone) + 1
    at = begin + rows[np.append(0, edges)].astype(np.int64) * vectors.strides[0]
    bounds = (np.concatenate([[0], edges, [len(rows)]]) * width).tolist()
    buffer = found.reshape(-1).view(np.uint8).data
    for first, last, place in zip(bounds, bounds[1:], at.tolist(), strict=False):
        done = first
        while done < last:
            read = os.preadv(file.descriptor, [buffer[done:last]], place + done - first)
            if not read:
                raise IndexesError(f"{file.name}: the file became shorter while it was read")
            done += read
    return True


@dataclass(frozen=True)
class _Source:
    """A mapped file, open, and where in it the mapping begins."""

    name: str
    descriptor: int
    start: int


def _source_of(mapped: mmap.mmap) -> _Source | None:
    """The file that is mapped, to be read by other means; None where it is not to be found."""
    with _lock:
        if mapped not in _sources:
            _keep_source(mapped, _open_again(_address(mapped)))
        return _sources[mapped]


def _keep_source(mapped: mmap.mmap, source: _Source | None) -> None:
    _sources[mapped] = source
    if source is not None:
        finalize(mapped, os.close, source.descriptor)


def _open_again(address: int) -> _Source | None:
    """Open the file that is mapped there, if its path still leads to it."""
    try:
        lines = Path("/proc/self/maps").read_bytes().splitlines()
    except OSError:
        return None
    for line in lines:
        span, _, start, _, number, *path = line.split(None, 5)
        first, last = (int(edge, 16) for edge in span.split(b"-"))
        if not first <= address < last or not path:
            continue
        try:
            descriptor = os.open(path[0], os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        if os.fstat(descriptor).st_ino == int(number):
            return _Source(os.fsdecode(path[0]), descriptor, int(start, 16) + address - first)
        os.close(descriptor)
        return None
    return None


def rows_taken(vectors: NDArray[Any], kept: NDArray[np.bool_]) -> NDArray[Any]:
    """The rows of `vectors [N, D]` that are `kept [N]`, in a file where a cap leaves no room."""
    rows = np.flatnonzero(kept)
    found = Room(cap_now()).array((len(rows), *vectors.shape[1:]), vectors.dtype)
    step = max(1, MIB // max(1, vectors[:1].nbytes))
    for start in range(0, len(rows), step):
        found[start : start + step] = gather(vectors, rows[start : start + step])
    return found
