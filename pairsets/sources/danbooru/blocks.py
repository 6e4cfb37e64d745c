"""Many lines of metadata at once: what a worker makes of them, small enough to be kept on disk."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pairsets.sources.danbooru.post_fields import fields_of
from pairsets.sources.danbooru.posts import KEPT, Rule, post_id

# Lines of a block that are told word for word, and how much of each.
SHOWN, WIDTH = 5, 60
# As answers of an API hold their posts.
_HOLDERS = ("posts", "post")
NO_POST = "not the JSON object of a post: "
_HEAD = struct.Struct("<II")
_decode = json.JSONDecoder().decode


@dataclass(frozen=True, eq=False)
class Block:
    """Posts of some lines of metadata, in their order.

    Attributes:
        lines: how many there are; blank ones are no posts, and no trouble.
        ids: `[N]` int32, numbers of the posts.
        marks: `[N]` uint32: the reason why a post is left out, or `KEPT` and above: a digest of
            its character's name.
        names: of the characters of the posts that are kept.
        strays: how many lines are not a post.
        shown: the first of them: line within the block, from 1 on, and what is wrong.
    """

    lines: int
    ids: NDArray[np.int32]
    marks: NDArray[np.uint32]
    names: tuple[str, ...]
    strays: int
    shown: tuple[tuple[int, str], ...]

    def to_bytes(self) -> bytes:
        """Bytes of the block for a pipe or a file."""
        facts = [self.lines, self.strays, self.shown, self.names]
        text = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
        ids, marks = self.ids.astype("<i4"), self.marks.astype("<u4")
        return _HEAD.pack(len(text), len(ids)) + text + ids.tobytes() + marks.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Block:
        """Read a block that `to_bytes` wrote."""
        text, count = _HEAD.unpack_from(data)
        start = _HEAD.size + text
        lines, strays, shown, names = json.loads(data[_HEAD.size : start])
        ids = np.frombuffer(data, "<i4", count, start)
        marks = np.frombuffer(data, "<u4", count, start + 4 * count)
        kept = tuple((int(line), str(what)) for line, what in shown)
        return cls(lines, ids, marks, tuple(names), strays, kept)


def read_block(data: bytes, rule: Rule) -> Block:
    """Judge every line of `data`, which ends with a whole one."""
    ids: list[int] = []
    marks: list[int] = []
    names: list[str] = []
    shown: list[tuple[int, str]] = []
    strays = 0
    number = 0
    for number, line in enumerate(_lines(data), 1):
        post: Any = fields_of(line)
        found = None if post is None else post_id(post)
        if found is None:
            post, found = _read_whole(line)
        if found is None:
            if post is None and not line.strip():
                continue
            strays += 1
            if len(shown) < SHOWN:
                shown.append((number, _wrong(post, line)))
            continue
        verdict = rule.judge(post)
        ids.append(found)
        if isinstance(verdict, str):
            names.append(verdict)
            verdict = max(KEPT, crc32(verdict.encode()))
        marks.append(verdict)
    return Block(
        number,
        np.array(ids, np.int32),
        np.array(marks, np.uint32),
        tuple(names),
        strays,
        tuple(shown),
    )


def _lines(data: bytes) -> Iterator[bytes]:
    """Lines of a block, one after the other: all of them at once would not stay in the cache."""
    start = 0
    while (end := data.find(b"\n", start)) >= 0:
        yield data[start:end]
        start = end + 1
    if start < len(data):
        yield data[start:]


def _read_whole(line: bytes) -> tuple[Any, int | None]:
    """Content of a line, by Python's own reader, and the number of its post; None for neither."""
    try:
        post = _decode(line.decode())
        return post, post_id(post)
    # Nested too deeply, not UTF-8, not JSON, a number of too many digits; no object.
    except (RecursionError, ValueError, AttributeError):
        return None, None


def _wrong(post: object, line: bytes) -> str:
    begin = line[:WIDTH].decode(errors="replace").strip()
    if isinstance(post, dict):
        holder = next((name for name in _HOLDERS if isinstance(post.get(name), list)), None)
        if holder is not None:
            return f"an object that holds posts; to convert it: jq -c '.{holder}[]' FILE"
        return f"id {post.get('id')!r:.40}, expected a number below 2^31: {begin}"
    return f"{NO_POST}{begin}"
