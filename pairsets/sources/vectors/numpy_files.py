"""NumPy's files, `.npy` and `.npz`, read as data: what would have to be unpickled is refused."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pairsets.errors import SourceError
from pairsets.sources.vectors.contents import Contents, Entry, text_array

_PICKLED = (
    "holds Python objects, which would have to be unpickled, and that runs whatever program its "
    "maker put into it; save names with np.array(names, dtype=str), vectors with np.stack(vectors)"
)
_OTHER = "holds {}, neither numbers nor text"


def read_array(path: Path) -> Contents:
    """The array in a `.npy` file, mapped into memory.

    Raises:
        SourceError: none, damaged or cut short.
    """
    with path.open("rb") as stream:
        shape, dtype = _head(stream, str(path))
        left = path.stat().st_size - stream.tell()
    if dtype.hasobject:
        return Contents(path, unread={"": _PICKLED})
    _refuse_cut(str(path), shape, dtype, left)

    def opened() -> NDArray[Any]:
        if 0 in shape or not shape:
            return np.load(path, allow_pickle=False)  # type: ignore[no-any-return]
        return np.lib.format.open_memmap(path, mode="r")

    return _contents(path, [("", shape, dtype, opened)])


def read_archive(path: Path) -> Contents:
    """The arrays in a `.npz` file, each read when it is asked for.

    Raises:
        SourceError: none, or a damaged one.
    """
    try:
        found = []
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                if not info.filename.endswith(".npy"):
                    continue
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as stream:
                    shape, dtype = _head(stream, f"{path}: {name!r}")
                    left = info.file_size - stream.tell()
                if not dtype.hasobject:
                    _refuse_cut(f"{path}: {name!r}", shape, dtype, left)
                found.append((name, shape, dtype, partial(_member, path, info.filename)))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise SourceError(
            f"{path}: no .npz archive, or damaged ({error}); was the download cut short?"
        ) from None
    return _contents(path, found)


def _head(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and kind of an array, of whose text of Python NumPy raises errors of many kinds."""
    try:
        version = np.lib.format.read_magic(stream)
        read = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }.get(version)
        if read is None:
            raise ValueError(f"version {version} of the format, which holds records")
        shape, _, dtype = read(stream)
    except (zipfile.BadZipFile, OSError, MemoryError):
        raise
    except Exception as error:
        told = str(error).partition("\n")[0][:120]
        raise SourceError(f"{where}: no array of NumPy's, or damaged ({told})") from None
    return shape, dtype


def _refuse_cut(where: str, shape: tuple[int, ...], dtype: np.dtype[Any], left: int) -> None:
    size = dtype.itemsize
    for one in shape:
        size *= one
    if size != left:
        raise SourceError(
            f"{where}: {left:,} bytes where an array {shape} of {dtype} has {size:,}; was it cut "
            "short, or is it still being written?"
        )


def _contents(
    path: Path,
    found: Sequence[tuple[str, tuple[int, ...], np.dtype[Any], Callable[[], NDArray[Any]]]],
) -> Contents:
    entries, texts, unread = {}, {}, {}
    for name, shape, dtype, read in found:
        if dtype.hasobject:
            unread[name] = _PICKLED
        elif dtype.kind in "US":
            if len(shape) == 1:
                texts[name] = partial(_text, path, name, read)
        elif dtype.kind in "fiubc":
            if shape:
                entries[name] = Entry(shape, dtype.name, read)
        else:
            unread[name] = _OTHER.format(dtype)
    return Contents(path, entries, texts, unread)


def _text(path: Path, name: str, read: Callable[[], NDArray[Any]]) -> Sequence[str]:
    try:
        return text_array(read())
    except UnicodeDecodeError:
        raise SourceError(f"{path}: the names in {name!r} are bytes that are no UTF-8") from None


def _member(path: Path, name: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise SourceError(f"{path}: {name} is damaged ({error})") from None
