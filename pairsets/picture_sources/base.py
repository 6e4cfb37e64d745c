"""Source of pictures by their paths, wherever they lie; and how one is laid into a file."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pairsets import images
from pairsets.arrays import Rows
from pairsets.identities.rules import Naming, Rule
from pairsets.storage.remote_files import digest_of
from pairsets.text_column import TextColumn

# By which a picture is known again without reading it: of a file its size, times (ns) and inode.
FileFacts = tuple[int, int, int, int]
FactRows = NDArray[np.int64]
NOTHING: FileFacts = (-1, -1, -1, -1)
# Why an entry is left out.
NO_IMAGE = "not an image by its name"
RESOURCE = "macOS resource file"
# macOS leaves `._name.jpg` files, of another format, on foreign disks and in tars.
APPLE_DOUBLE = b"\x00\x05\x16\x07"


class PictureSource(Protocol):
    """Pictures by path, that can be read in another process, too.

    Attributes:
        name: where they lie, for messages.
    """

    @property
    def name(self) -> str:
        """Place of the pictures, for messages."""

    def read(self, path: str) -> tuple[bytes, FileFacts]:
        """The bytes of a picture, and its facts.

        Raises:
            ImageError: this one cannot be read.
            RemoteError: none can be.
        """

    def facts(self, paths: Sequence[str]) -> FactRows:
        """`[N, 4]`: the facts of each picture, `NOTHING` of one that is not there."""

    def take(self, paths: TextColumn) -> PictureSource:
        """Source of these pictures alone, small to send elsewhere."""

    def in_order(self, paths: TextColumn) -> TextColumn:
        """Order of these paths in which they are read fastest."""

    def locate(self, path: str) -> Path:
        """A file of this machine with the picture, fetched where it is not there yet.

        Raises:
            ImageError, RemoteError: as `read`.
        """


@dataclass(frozen=True)
class Opened:
    """A source with what it holds.

    Attributes:
        source: of the pictures.
        paths: of all pictures, sorted by code point.
        skipped: how many entries were left out, by reason.
        naming: says who they show, by a rule or, for None, as it lies.
    """

    source: PictureSource
    paths: TextColumn
    naming: Callable[[Rule | None], Naming]
    skipped: Mapping[str, int] = field(default_factory=dict)


def facts_of(status: os.stat_result) -> FileFacts:
    """Size, times and inode of a file, by which it is known again."""
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def row_of(paths: TextColumn, path: str) -> int:
    """The row of a path.

    Raises:
        ImageError: it is not among them.
    """
    row = int(paths.find([path])[0])
    if row < 0:
        raise images.ImageError("no such picture", path)
    return row


def rows_of_facts(known: FactRows, rows: Rows) -> FactRows:
    """`[N, 4]`: the facts in these rows, `NOTHING` for -1."""
    found = np.full((len(rows), len(NOTHING)), -1, np.int64)
    found[rows >= 0] = known[rows[rows >= 0]]
    return found


def laid(file: Path, facts: FileFacts, read: Callable[[], bytes]) -> Path:
    """`file`, with a picture of these facts in it: as it lies there, or read and put in place.

    A file that was laid for other facts, or changed since, is not believed: its time stamp is a
    digest of the facts.
    """
    stamp = digest_of(repr(facts)) >> 2
    try:
        status = file.stat()
        if status.st_mtime_ns == stamp and (facts[0] < 0 or status.st_size == facts[0]):
            return file
    except OSError:
        pass
    data = read()
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_name(f".{os.getpid()}.{threading.get_ident()}.part")
    try:
        half.write_bytes(data)
        os.utime(half, ns=(stamp, stamp))
        half.replace(file)
    finally:
        half.unlink(missing_ok=True)
    return file


def checked(data: bytes, path: str) -> bytes:
    """Bytes of a picture that are neither none nor too many.

    Raises:
        ImageError: they are.
    """
    if not data:
        raise images.ImageError("the file is empty (0 bytes)", path)
    refuse_large(len(data), path)
    return data


def refuse_large(size: int, path: str) -> None:
    """Raise ImageError for a picture of more than `images.MAX_BYTES`."""
    if size > images.MAX_BYTES:
        raise images.ImageError(f"is larger than the limit of {images.MAX_BYTES >> 20} MiB", path)
