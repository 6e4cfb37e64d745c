"""Metadata read once: streamed, judged in several processes, journaled, counted by file."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.sources.danbooru.blocks import NO_POST, Block
from pairsets.sources.danbooru.posts import Rule
from pairsets.sources.danbooru.processes import read_blocks
from pairsets.sources.danbooru.sidecars import Sidecars
from pairsets.sources.danbooru.streams import BLOCK, Stream, Stretch
from pairsets.storage.resume import Resume

# Of a file's lines, one in so many may be something else than a post, and one in any case: dumps
# end in the middle of a line. Beyond that it is another file than its user thinks.
PATIENCE = 1000
# Strays that are told word for word.
SHOWN = 10
# What a journal's record is of: the number of the file, and whether it is the file's end.
_RECORD = struct.Struct("<I?")
_SCHEMA = 2


@dataclass
class File:
    """Counts of what was read of one file.

    Attributes:
        path: of the file.
        bytes: its size, packed where it is.
        lines: blank ones included.
        posts: lines that are one.
        strays: lines that are not.
        sha256: of its bytes, once it was read.
    """

    path: Path
    bytes: int
    lines: int = 0
    posts: int = 0
    strays: int = 0
    sha256: str = ""


@dataclass
class Metadata:
    """Files of metadata, and what was read of them so far.

    Attributes:
        files: in the order in which they are read; sidecars of a folder are one.
        sources: where each is read from.
        shown: the first strays: file, line from 1 on, and what is wrong.
    """

    files: Sequence[File]
    sources: Sequence[Stream | Sidecars]
    rule: Rule
    block: int = BLOCK
    shown: list[tuple[str, int, str]] = field(default_factory=list)

    @classmethod
    def of(cls, sources: Sequence[Path | Sidecars], rule: Rule, block: int = BLOCK) -> Metadata:
        """The metadata in `sources`, not read yet."""
        read = [Stream(one) if isinstance(one, Path) else one for one in sources]
        return cls([File(one.path, one.size) for one in read], read, rule, block)

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def facts(self) -> dict[str, object]:
        """Facts that a journal must be of, to go on with it."""
        return {
            "schema": _SCHEMA,
            "files": [source.stamp for source in self.sources],
            "rule": asdict(self.rule),
            "block": self.block,
        }

    def blocks(
        self, journal: Resume, *, workers: int, step: Callable[[int, int], None]
    ) -> Generator[Block, None, None]:
        """Blocks of all files in their order, first those that the journal has.

        `step` is told MiB that are done, and of all.

        Raises:
            SourceError: a file is not metadata, or a worker died.
        """
        done = [0] * len(self.files)
        ended = 0
        for record in journal.sequence():
            number, is_end = _RECORD.unpack_from(record)
            if is_end:
                ended = number + 1
                self._end(number, record[_RECORD.size :].decode())
            else:
                done[number] += 1
                yield self._add(number, record[_RECORD.size :])
        # Blocks on their way, by the number of their file; files that were read to their end.
        asked: deque[int] = deque()
        ends: deque[tuple[int, str]] = deque()
        total, before = self.size >> 20, sum(file.bytes for file in self.files[:ended])

        def finish() -> None:
            while ends and (not asked or asked[0] > ends[0][0]):
                number, digest = ends.popleft()
                self._end(number, digest)
                journal.append(_RECORD.pack(number, True) + digest.encode())

        def texts() -> Iterator[bytes | Stretch]:
            read = before
            for number in range(ended, len(self.files)):
                stream = self.sources[number]
                for at, data in enumerate(stream.pieces(self.block)):
                    step((read + stream.taken) >> 20, total)
                    # What the journal has was packed or is to be digested, but is not judged again.
                    if at >= done[number]:
                        asked.append(number)
                        yield data
                read += stream.taken
                ends.append((number, stream.sha256))

        # Closed whatever happens, and at once: an error that is kept would keep the workers.
        with closing(read_blocks(texts(), self.rule, workers)) as records:
            for record in records:
                number = asked.popleft()
                block = self._add(number, record)
                journal.append(_RECORD.pack(number, False) + record)
                yield block
                finish()
        finish()
        step(total, total)

    def _add(self, number: int, record: bytes) -> Block:
        block, file = Block.from_bytes(record), self.files[number]
        for line, what in block.shown:
            if file.lines + line == 1:
                raise SourceError(
                    f"{file.path}, line 1: {what}; expected one post a line: is it the metadata?"
                )
            if len(self.shown) < SHOWN:
                name = file.path.name
                if isinstance(self.sources[number], Sidecars):  # whose line begins with its name
                    name = f"{name}/{what.removeprefix(NO_POST).partition(': ')[0]}"
                self.shown.append((name, file.lines + line, what))
        file.lines += block.lines
        file.posts += len(block.ids)
        file.strays += block.strays
        return block

    def _end(self, number: int, digest: str) -> None:
        file = self.files[number]
        file.sha256 = digest
        if file.strays > max(1, file.lines // PATIENCE):
            first = [
                f"line {line}: {what}"
                for name, line, what in self.shown
                if name.startswith(file.path.name)
            ]
            told = f". {'; '.join(first[:3])}" if first else ""
            raise SourceError(
                f"{file.path}: {file.strays:,} of {file.lines:,} lines are not a post; one in "
                f"{PATIENCE:,} is passed over{told}"
            )
