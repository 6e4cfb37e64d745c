"""Bytes of a file that may be packed by gzip, xz or zstd: told by its content, not its name."""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase, BufferedReader
from typing import Any

from pairsets.errors import SourceError

ENDINGS = (".gz", ".xz", ".zst")
# Packed bytes that zstd is given at once: it unpacks all of them, 30,000-fold if they are made so.
_AT_ONCE = 2**12
_MAGIC = {b"\x1f\x8b": ".gz", b"\xfd7zXZ\x00": ".xz", b"\x28\xb5\x2f\xfd": ".zst"}
# As pzstd begins: with a frame for who unpacks in parallel, which others skip.
_MAGIC |= {bytes([0x50 + number]) + b"\x2a\x4d\x18": ".zst" for number in range(16)}


class PackedError(SourceError):
    """Packed data that cannot be unpacked; who reads it knows its file."""


def packing(raw: BufferedReader[Any]) -> str:
    """Packing of a file, one of `ENDINGS`; empty where it is plain. Reads nothing of it."""
    begin = raw.peek(6)
    return next((kind for magic, kind in _MAGIC.items() if begin.startswith(magic)), "")


def unpacked(raw: BufferedReader[Any], size: int) -> Iterator[bytes]:
    """Content of a file in parts of about `size` bytes: unpacked, or as it is if it is plain.

    Raises:
        PackedError: broken or cut off, or zstd's library is not installed.
    """
    try:
        yield from _UNPACK[packing(raw)](raw, size)
    except EOFError:
        raise PackedError(
            "ends in the middle of its packed data; was it loaded to its end?"
        ) from None
    except ImportError:
        raise PackedError("packed by zstd; to read it: pip install 'lookalikes[zstd]'") from None
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, _BrokenError) as error:
        raise PackedError(f"broken packed data ({error})") from None


def _parts(text: BufferedIOBase, size: int) -> Iterator[bytes]:
    while data := text.read(size):
        yield data


def _gzip(raw: BufferedReader[Any], size: int) -> Iterator[bytes]:
    with gzip.open(raw) as text:
        yield from _parts(text, size)


def _xz(raw: BufferedReader[Any], size: int) -> Iterator[bytes]:
    with lzma.open(raw) as text:
        yield from _parts(text, size)


def _zstd(raw: BufferedReader[Any], size: int) -> Iterator[bytes]:
    """Text of all frames. The library's own file object takes a cut-off frame for the end."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=2**31)
    frame = None
    parts: list[bytes] = []
    length = 0
    try:
        for data in _parts(raw, _AT_ONCE):
            while data:
                frame = frame or unpacker.decompressobj()
                parts.append(frame.decompress(data))
                length += len(parts[-1])
                data = frame.unused_data if frame.eof else b""
                frame = None if frame.eof else frame
            if length >= size:
                yield b"".join(parts)
                parts, length = [], 0
    except zstandard.ZstdError as error:
        raise _BrokenError(error) from None
    if length:
        yield b"".join(parts)
    if frame is not None:
        raise EOFError


class _BrokenError(Exception):
    """Error that the library of zstd raises for broken data."""


_UNPACK: dict[str, Callable[[BufferedReader[Any], int], Iterator[bytes]]] = {
    "": _parts,
    ".gz": _gzip,
    ".xz": _xz,
    ".zst": _zstd,
}
