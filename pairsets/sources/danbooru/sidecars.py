"""Posts in files of their own, as gallery-dl writes one beside each picture: read as one file.

    danbooru_1001_ab12.jpg.json: {"id": 1001, "rating": "g", "tags_character": ["rei"], ...}

They may be indented, which no line of a dump is, and a file may hold several, one after the other,
as `jq` prints them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pairsets.errors import SourceError
from pairsets.paths import IMAGE_SUFFIXES
from pairsets.sources.text.compression import ENDINGS as PACKED

ENDING = ".json"
# A post takes some KiB.
_LARGEST = 64 * 2**20
# What else `.json` is put behind, besides pictures.
_FILMS = frozenset({".jxl", ".mp4", ".swf", ".ugoira", ".webm", ".zip"})
_INDENTED = re.compile(rb"\A(?:\xef\xbb\xbf)?\s*\{[ \t]*\r?\n")
# No other brace that closes stands before a line that opens one: there would be a comma.
_BETWEEN = re.compile(rb"\}[ \t]*\r?\n\s*(?=\{)")
_BLANK = bytes.maketrans(b"\r\n", b"  ")


def is_sidecar(path: Path) -> bool:
    """Whether a file holds one post, or some that are indented: its name or its beginning says so.

    A file of many posts, one a line, is none.
    """
    name = path.name.lower()
    if any(name.endswith(ending) for ending in PACKED):
        return False
    inner = PurePosixPath(name.removesuffix(ENDING)).suffix
    if name.endswith(ENDING) and inner in IMAGE_SUFFIXES | _FILMS:
        return True
    with path.open("rb") as file:
        return bool(_INDENTED.match(file.read(256)))


@dataclass
class Sidecars:
    """Posts in files of their own, one each, in an order; read as a `Stream` is.

    Attributes:
        path: the folder, or the one file.
        files: at least one.
        taken: how many of their bytes were read so far.
        sha256: of the files put together, once all blocks were taken.
    """

    path: Path
    files: Sequence[Path]
    taken: int = 0
    sha256: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def stamp(self) -> list[object]:
        """Stamp that changes with any of the files."""
        digest = hashlib.sha256()
        for file in self.files:
            status = file.stat()
            digest.update(f"{file.name}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return [str(self.path.resolve()), len(self.files), digest.hexdigest()]

    def pieces(self, block: int) -> Iterator[bytes]:
        """Blocks of whole lines, of about `block` bytes; a line that is no post names its file.

        Raises:
            SourceError: a file that is far too large for a post.
        """
        digest = hashlib.sha256()
        parts: list[bytes] = []
        length = 0
        for file in self.files:
            if file.stat().st_size > _LARGEST:
                raise SourceError(
                    f"{file}: more than {_LARGEST >> 20} MiB; expected one post, or some, indented"
                )
            data = file.read_bytes()
            digest.update(data)
            self.taken += len(data)
            parts.append(_lines(file, data))
            length += len(parts[-1])
            if length >= block:
                yield b"".join(parts)
                parts, length = [], 0
        if parts:
            yield b"".join(parts)
        self.sha256 = digest.hexdigest()


def _lines(file: Path, data: bytes) -> bytes:
    """The posts of a file, one a line: JSON has no line ends within its strings."""
    if b"\0" in data:
        return _stray(file, data.replace(b"\0", b" "))
    posts = _BETWEEN.sub(b"}\0", data.removeprefix(b"\xef\xbb\xbf").strip()).translate(_BLANK)
    # Read here as well, for only here is it known whose fault it is.
    return b"".join(
        post + b"\n" if _is_post(post) else _stray(file, post) for post in posts.split(b"\0")
    )


def _is_post(text: bytes) -> bool:
    try:
        found = json.loads(text)
    except (RecursionError, ValueError):
        return False
    return isinstance(found, dict) and "id" in found


def _stray(file: Path, data: bytes) -> bytes:
    """A line that is no JSON, and says of which file it is."""
    begin = data[:40].translate(_BLANK) or b"empty"
    return f"{file.name}: ".encode(errors="replace") + begin + b"\n"
