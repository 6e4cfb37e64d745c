"""Vectors on their way to disk: appended batch by batch, so that no kill loses finished work.

A folder holds `vectors.f32`, rows of float32 one after the other, and `journal.jsonl`: a first
line with the model's fingerprint and the dimensions, then a line a batch that names its images
and the CRC-32 of its rows. Rows are written before their line, so a line vouches for its rows;
on opening, what no whole line vouches for is cut off.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from indexes.memory import remember
from mining.errors import ModelError
from pairsets.errors import OutputError
from pairsets.picture_sources.base import FileFacts
from pairsets.storage import locks
from pairsets.storage.json_files import JsonObject, parse_json

Vectors = NDArray[np.float32]
# Of a file's status, as columns of a table.
FACTS = ("size", "mtime_ns", "ctime_ns", "inode")


@dataclass(frozen=True, slots=True)
class Source:
    """One image file as it was when its vector was made.

    Size, times (ns) and inode are those of `os.stat`, or what stands for them where the picture is
    no file here (see `pairsets.picture_sources`): as long as they stand, the file is taken to be
    the same, as git does; the digest decides when they changed.
    """

    path: str
    sha256: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def stands(self, facts: FileFacts) -> bool:
        """Whether the file's facts are still the recorded ones."""
        return astuple(self)[2:] == facts

    @classmethod
    def kept(cls, values: object) -> Source:
        """The record that a journal holds; ValueError where it is none."""
        kinds = (str, str, int, int, int, int)
        if not isinstance(values, list) or [type(one) for one in values] != [*kinds]:
            raise ValueError("no record of a file")
        return cls(*values)

    @classmethod
    def of(cls, path: str, sha256: str, facts: FileFacts) -> Source:
        """The record of a file with this content and these facts."""
        return cls(path, sha256, *facts)


class VectorJournal:
    """The vectors finished so far, open for more."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        """Open or start the journal in `folder`.

        Raises:
            ModelError: it holds unfinished vectors of another model.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.fingerprint = folder, fingerprint
        self.sources: list[Source] = []
        self.dimensions: int | None = None
        self._rows: IO[bytes] = (folder / "vectors.f32").open("a+b")
        self._lines: IO[bytes] = (folder / "journal.jsonl").open("a+b")
        self._recover()

    def append(self, sources: Sequence[Source], vectors: Vectors) -> None:
        """Add a batch of finished rows, `[len(sources), D]`."""
        data = np.ascontiguousarray(vectors, "<f4").tobytes()
        try:
            if self.dimensions is None:
                self.dimensions = int(vectors.shape[1])
                self._line({"fingerprint": self.fingerprint, "dimensions": self.dimensions})
            self._rows.write(data)
            self._rows.flush()
            self._line({"crc32": zlib.crc32(data), "sources": [astuple(item) for item in sources]})
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.folder)) from error
        self.sources.extend(sources)

    def vectors(self) -> Vectors:
        """All finished rows `[len(sources), D]`, memory-mapped."""
        if self.dimensions is None or not self.sources:
            return np.empty((0, self.dimensions or 1), np.float32)
        shape = (len(self.sources), self.dimensions)
        found: Vectors = np.memmap(self.folder / "vectors.f32", "<f4", mode="r", shape=shape)
        remember(found)
        return found

    def close(self) -> None:
        """Close the files; what could not be written was reported, and is cut off on opening."""
        for file in (self._rows, self._lines):
            with suppress(OSError):
                file.close()

    def _line(self, content: dict[str, Any]) -> None:
        self._lines.write(json.dumps(content, separators=(",", ":")).encode() + b"\n")
        self._lines.flush()

    def _recover(self) -> None:
        """Read the batches whose rows are there; cut both files off behind the last of them."""
        self._lines.seek(0)
        self._rows.seek(0)
        written = os.fstat(self._rows.fileno()).st_size
        kept_lines = kept_rows = 0
        other = self.fingerprint
        for line in self._lines:
            try:
                content = _parse(line)
                if self.dimensions is None:
                    other = content.text("fingerprint")
                    if other != self.fingerprint:
                        break
                    self.dimensions = content.count("dimensions", least=1)
                else:
                    batch = [Source.kept(item) for item in content.items("sources")]
                    size = 4 * self.dimensions * len(batch)
                    if size > written - kept_rows:
                        break
                    data = self._rows.read(size)
                    if zlib.crc32(data) != content.count("crc32"):
                        break
                    self.sources.extend(batch)
                    kept_rows += len(data)
            except ValueError:
                break  # damaged: what stands before it is sound
            kept_lines += len(line)
        if other != self.fingerprint:
            self.close()
            raise ModelError(
                f"{self.folder}: holds unfinished vectors of another model, with the fingerprint "
                f"{other[:12]}, here {self.fingerprint[:12]}; embed with that one, choose another "
                f"folder, or remove {self.folder}"
            )
        if not self.sources:  # a first line alone vouches for nothing
            self.dimensions, kept_lines = None, 0
        self._lines.truncate(kept_lines)
        self._rows.truncate(kept_rows)
        self._lines.seek(0, os.SEEK_END)
        self._rows.seek(0, os.SEEK_END)


def _parse(line: bytes) -> JsonObject:
    """A whole line's content; ValueError for one that was cut off."""
    if not line.endswith(b"\n"):
        raise ValueError("no line end")
    what = "a batch"
    return JsonObject.of(parse_json(line, "the journal", what), "the journal", what)


def exclusive(folder: Path) -> AbstractContextManager[None]:
    """Hold `folder` alone; another process that asks for it meanwhile gets an OutputError."""

    def busy(owner: locks.Owner) -> OutputError:
        return OutputError(f"{folder}: {owner}, embeds into it; wait until it is done")

    return locks.exclusive(folder, busy)
