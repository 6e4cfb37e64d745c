"""Files of metadata, plain or packed, cut into blocks of whole lines while they stream."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pairsets.errors import SourceError
from pairsets.sources.danbooru.sidecars import Sidecars, is_sidecar
from pairsets.sources.text.compression import ENDINGS as PACKED
from pairsets.sources.text.compression import PackedError, packing, unpacked

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer as Buffer

# Of text a block, about 3,200 posts: enough that handing it over costs little.
BLOCK = 8 * 2**20
# No post is longer; a file whose lines are is something else.
LONGEST = 64 * 2**20
# Bytes read at once; a mark of byte order is within the first.
_READ, _LEAST = 2**20, 2**12
ENDINGS = (".json", ".jsonl", ".ndjson")
# The header of a table of posts.
_CSV = re.compile(rb'\s*"?id"?[,;\t]')
_EXPECTED = 'one post a line: {"id": "263167", "rating": "s", "tags": [...], ...}'


def metadata_files(given: Sequence[Path]) -> tuple[list[Path | Sidecars], int]:
    """The files that are given or lie in folders that are, and how many others lie there.

    Those of a folder are in the order of their names; a file that is given twice is taken once.
    Those that hold one post each, as they lie beside pictures, are one `Sidecars` a folder, and
    come last.

    Raises:
        SourceError: one is missing or a pipe, or a folder has no metadata.
    """
    files: dict[Path, Path] = {}
    others = 0
    for path in given:
        if not path.exists():
            raise SourceError(f"{path}: no such file or folder of metadata")
        if path.is_file():
            files.setdefault(path.resolve(), path)
            continue
        if not path.is_dir():
            raise SourceError(
                f"{path}: no regular file; metadata is read from files, which may be packed, so "
                "that an interrupted selection can go on"
            )
        inside = sorted(path.iterdir(), key=lambda file: file.name)
        listed = [file for file in inside if file.is_file() and _is_metadata(file.name)]
        if not listed:
            deeper = any(file.is_dir() for file in inside)
            raise SourceError(
                f"{path}: no metadata in it; expected files such as 2020000000000000.json, .jsonl "
                f"or .ndjson, plain or {', '.join(PACKED)}, or a .json beside each picture"
                + ("; folders in it are not looked into: give them themselves" if deeper else "")
            )
        others += len(inside) - len(listed)
        for file in listed:
            files.setdefault(file.resolve(), file)
    sidecars: dict[Path, list[Path]] = {}
    lines: list[Path | Sidecars] = []
    for file in files.values():
        if is_sidecar(file):
            sidecars.setdefault(file.parent, []).append(file)
        else:
            lines.append(file)
    joined = (
        Sidecars(folder if len(listed) > 1 else listed[0], listed)
        for folder, listed in sidecars.items()
    )
    return [*lines, *joined], others


def _is_metadata(name: str) -> bool:
    plain = name.lower()
    for ending in PACKED:
        plain = plain.removesuffix(ending)
    return plain.endswith(ENDINGS) and not name.startswith(".")


@dataclass(frozen=True)
class Stretch:
    """Stretch of a plain file, for another process to read.

    Attributes:
        path: of the file.
        start, length: bytes.
    """

    path: Path
    start: int
    length: int

    def read(self) -> bytes:
        """Bytes of the stretch.

        Raises:
            SourceError: they are no longer there.
        """
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(self.start)
                data = file.read(self.length)
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror or error}") from None
        if len(data) != self.length:
            raise SourceError(f"{self.path}: changed while it was read; run it again")
        return data


def content_of(piece: bytes | Stretch) -> bytes:
    """The text of a block, read where it only says where it lies."""
    return piece if isinstance(piece, bytes) else piece.read()


@dataclass
class Stream:
    """A file of metadata while it is read.

    Attributes:
        path: of the file.
        longest: bytes of a line at most.
        taken: how many bytes were read so far, packed where it is.
        sha256: of the file, once all blocks were taken.
    """

    path: Path
    longest: int = LONGEST
    taken: int = 0
    sha256: str = ""

    @property
    def size(self) -> int:
        """Bytes of the file, packed where it is."""
        return self.path.stat().st_size

    @property
    def stamp(self) -> list[object]:
        """Stamp that changes with the file."""
        return [str(self.path.resolve()), self.size, self.path.stat().st_mtime_ns]

    def blocks(self, block: int = BLOCK) -> Iterator[bytes]:
        """Blocks of whole lines, of about `block` bytes of text; the last may lack its line end.

        Raises:
            SourceError: as `pieces`.
        """
        return map(content_of, self.pieces(block))

    def pieces(self, block: int = BLOCK) -> Iterator[bytes | Stretch]:
        """The blocks of `blocks`; of a plain file, where each lies in it.

        Raises:
            SourceError: not one post a line, packed data that is broken or cut off, or the file
                changed while it was read.
        """
        before = self.stamp
        try:
            with self.path.open("rb", buffering=0) as file:
                counted = _Counted(file, self)
                with io.BufferedReader(counted, _READ) as raw:
                    size = max(min(block, _READ), _LEAST)
                    cut = self._cut if packing(raw) else self._found
                    yield from cut(unpacked(raw, size), block)
                    while raw.read(_READ):  # what may follow the packed text
                        pass
                self.sha256 = counted.digest.hexdigest()
        except PackedError as error:
            raise SourceError(f"{self.path}: {error}") from None
        if self.stamp != before:
            raise SourceError(f"{self.path}: changed while it was read; run it again")

    def _cut(self, texts: Iterator[bytes], block: int) -> Iterator[bytes]:
        """Blocks of the text itself."""
        parts: list[bytes] = []
        length = 0
        for _, text in self._checked(texts):
            parts.append(text)
            length += len(text)
            if length < block:
                continue
            data = b"".join(parts)
            end = data.rfind(b"\n") + 1
            if end:
                yield data[:end]
            else:
                self._refuse_longer(length)
            parts, length = [data[end:]], length - end
        if length:
            yield b"".join(parts)

    def _found(self, texts: Iterator[bytes], block: int) -> Iterator[Stretch]:
        """Places of the same blocks in a plain file, of which no part is kept."""
        start = stop = last = 0  # of the block, of what was read, and behind its last line end
        for at, text in self._checked(texts):
            if not stop:
                start = at
            stop = at + len(text)
            end = text.rfind(b"\n") + 1
            last = at + end if end else last
            if stop - start < block:
                continue
            if last > start:
                yield Stretch(self.path, start, last - start)
                start = last
            else:
                self._refuse_longer(stop - start)
        if stop > start:
            yield Stretch(self.path, start, stop - start)

    def _checked(self, texts: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        """The text in parts without a mark of byte order, and where each begins."""
        at, first = 0, True
        for text in filter(None, texts):
            if first:
                whole, first = text, False
                text = text.removeprefix(b"\xef\xbb\xbf")
                at = len(whole) - len(text)
                self._refuse_other(text)
            yield at, text
            at += len(text)

    def _refuse_longer(self, length: int) -> None:
        if length > self.longest:
            most = f"{self.longest >> 20} MiB"
            raise SourceError(f"{self.path}: a line of more than {most}; expected {_EXPECTED}")

    def _refuse_other(self, begin: bytes) -> None:
        if begin.lstrip().startswith(b"["):
            raise SourceError(
                f"{self.path}, line 1: a JSON array; expected {_EXPECTED}. "
                "To convert it: jq -c '.[]' FILE"
            )
        if _CSV.match(begin):
            raise SourceError(
                f"{self.path}, line 1: a table; expected {_EXPECTED}. In the CSV of e621's export "
                "tags have no categories, so that none is known to be a character: its API, or "
                "gallery-dl, writes posts whose tags have them"
            )
        if b"\0" in begin[:4096]:
            what = "a tar archive; unpack it first" if b"ustar" in begin[:512] else "not text"
            raise SourceError(f"{self.path}: {what}; expected {_EXPECTED}")


class _Counted(io.RawIOBase):
    """A file that counts and digests what is read of it."""

    def __init__(self, file: io.FileIO, stream: Stream) -> None:
        self._file, self._stream = file, stream
        self.digest = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        count = self._file.readinto(buffer) or 0
        self.digest.update(memoryview(buffer)[:count])
        self._stream.taken += count
        return count
