"""Files of text, plain or packed, read in blocks."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.progress import Step
from pairsets.sources.text.compression import unpacked

BLOCK = 2**20
# What people take for a text file, by its first bytes.
_NO_TEXT = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "packed by bzip2; unpack it first: bunzip2",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "an SQLite database",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
}


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Errors of the block, which say at most a line or a file within it, name the file too."""
    try:
        yield
    except SourceError as error:
        text = str(error)
        if text.startswith(str(path / "_")[:-1]):  # of a file within the folder
            raise
        raise SourceError(f"{path}{', ' if text.startswith('line ') else ': '}{text}") from None


def blocks(path: Path, progress: Step | None = None) -> Iterator[bytes]:
    """The bytes of a file, unpacked where it is gzip, xz or zstd, which its content tells.

    Args:
        path: of the file.
        progress: called with the bytes of the file that were read, and its size.

    Raises:
        SourceError: no such file, no file, empty, packed in another way, damaged.
    """
    if path.is_dir():
        raise SourceError("a folder; expected a file of face annotations")
    if not path.exists():
        raise SourceError("no such file of face annotations")
    if not path.is_file():
        raise SourceError("no regular file; expected a file of face annotations")
    with path.open("rb") as raw:
        size = path.stat().st_size
        magic = raw.peek(512)
        if magic[257:262] == b"ustar":
            raise SourceError("a tar archive; unpack it first; expected face annotations")
        for begin, what in _NO_TEXT.items():
            if magic.startswith(begin):
                raise SourceError(f"{what}; expected face annotations in JSON, TSV or XML")
        for block in unpacked(raw, BLOCK):
            yield block
            if progress is not None:
                progress(raw.tell(), size)


def texts(source: Iterator[bytes]) -> Iterator[str]:
    """Blocks as text, without a byte-order mark.

    Raises:
        SourceError: not UTF-8; says in which line.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    line = 1
    for block in source:
        try:
            text = decoder.decode(block)
        except UnicodeDecodeError as error:
            line += bytes(error.object).count(b"\n", 0, error.start)
            raise SourceError(f"line {line}: {_no_utf8(error)}") from None
        line += text.count("\n")
        if text:
            yield text
    if decoder.getstate()[0]:
        raise SourceError(f"line {line}: not UTF-8 text: cut off within a character")


def lines(source: Iterator[str]) -> Iterator[tuple[int, str]]:
    """Lines that are not blank, with their number from 1 on.

    Raises:
        SourceError: a line of more than `BLOCK` characters.
    """
    number, rest = 1, ""
    for text in source:
        # Not `splitlines`, which also splits at characters that a name may have.
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            if line.strip():
                yield number, line.removesuffix("\r")
            number += 1
        if len(rest) > BLOCK:
            raise SourceError(f"line {number}: more than {BLOCK} characters; is it text?")
    if rest.strip():
        yield number, rest.removesuffix("\r")


def _no_utf8(error: UnicodeDecodeError) -> str:
    bad = bytes(error.object)[error.start : error.start + 4]
    return f"not UTF-8 text: {bad!r}; is the file of another kind, or in another encoding?"
