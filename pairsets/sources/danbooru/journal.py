"""Blocks that were read, kept on disk until the selection is made: a killed one goes on there.

The file is a first line that says what was read, and by which rule; then a record a block, its
length and CRC-32 before it. On opening, what no whole record vouches for is cut off.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from pairsets.errors import OutputError
from pairsets.storage.locks import lock

_NAME = "blocks.bin"
_RECORD = struct.Struct("<II")


class Journal:
    """The blocks read so far, open for more."""

    def __init__(self, folder: Path, facts: Mapping[str, object]) -> None:
        """Open or start the journal in `folder`; one of other `facts` is thrown away."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = (folder / _NAME).open("a+b")
        self._first = json.dumps(facts, sort_keys=True).encode() + b"\n"

    def kept(self) -> Iterator[bytes]:
        """The whole records from the first on; then the file is ready for more of them."""
        self._file.seek(0)
        end = 0
        if self._file.readline() == self._first:
            end = self._file.tell()
            while record := self._record():
                end = self._file.tell()
                yield record
        self._file.truncate(end)
        if not end:
            self._write(self._first)

    def append(self, record: bytes) -> None:
        """Keep a block's record."""
        self._write(_RECORD.pack(len(record), zlib.crc32(record)) + record)

    def fileno(self) -> int:
        """Of the file, to lock it."""
        return self._file.fileno()

    def close(self) -> None:
        """Close it, to go on another time."""
        with suppress(OSError):
            self._file.close()

    def _record(self) -> bytes | None:
        head = self._file.read(_RECORD.size)
        if len(head) < _RECORD.size:
            return None
        length, check = _RECORD.unpack(head)
        record = self._file.read(length)
        return record if record and zlib.crc32(record) == check else None

    def _write(self, data: bytes) -> None:
        try:
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from error


def remove(folder: Path) -> None:
    """Remove the journal in `folder`, where there is one: the selection is made."""
    (folder / _NAME).unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def opened(folder: Path, facts: Mapping[str, object]) -> Iterator[Journal]:
    """The journal in `folder`, for this process alone.

    Raises:
        OutputError: another process selects into it.
    """
    journal = Journal(folder, facts)
    try:
        if not lock(journal.fileno()):
            raise OutputError(f"{folder}: another process is selecting into it")
        yield journal
    finally:
        journal.close()
