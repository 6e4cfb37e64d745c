"""Fields of a post that the rule asks for, read from a line of metadata without the rest of it.

A line of Danbooru's holds thirty fields, and most of its bytes are of some that nobody asks for:
msgspec passes over these, though it checks that they are JSON. Whatever it refuses is no verdict:
Python's own reader, which takes more, has the last word.
"""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec
from msgspec import UNSET

# Digits of a whole number from which on Python's reader may refuse it.
_MOST_DIGITS = 4300
# Digits beside each other that are hardly those of an id, a date or a digest.
_MANY = 40


class Tag(msgspec.Struct, gc=False):
    """Tag of a post, of which only these two fields are read; `UNSET` where it has none."""

    name: Any = UNSET
    category: Any = UNSET


class Fields(TypedDict, total=False):
    """Fields of a post, as JSON has them, of those that Danbooru's dumps of 2020 have."""

    id: Any
    rating: Any
    file_ext: Any
    is_deleted: Any
    is_banned: Any
    tags: list[Tag]
    status: Any
    flags: Any


class OtherFields(Fields, total=False):
    """Fields of a post that is written otherwise: all that the rule may ask for."""

    file: Any
    extension: Any
    image: Any
    file_url: Any
    tags_character: Any
    tag_string_character: Any
    tags_general: Any
    tags_copyright: Any
    tags_artist: Any
    tags_metadata: Any
    tags_meta: Any
    tag_string_general: Any
    tag_string_copyright: Any
    tag_string_artist: Any


_decode = msgspec.json.Decoder(Fields).decode
_decode_other = msgspec.json.Decoder(OtherFields).decode


def fields_of(line: bytes) -> Fields | None:
    """The fields of the post in a line; None where `json` has to say what the line is.

    That is a line that it refuses, too, or whose tags are no list of objects. Repeated keys count
    as `json` counts them: the last one.
    """
    try:
        if not line.isascii():
            line.decode()  # what is passed over is not looked at as text
        if len(line) > _MOST_DIGITS and _has_many_digits(line):
            return None
        post = _decode(line)
        tags = post.get("tags")
        if tags and tags[0].category is not UNSET and post.get("file_ext") is not None:
            return post
        return _decode_other(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _has_many_digits(line: bytes) -> bool:
    """Whether more than `_MOST_DIGITS` digits may stand beside each other; only then it may.

    One of so many stands at each multiple of that number, with many more before or behind it.
    """
    return any(
        line[at - _MANY : at + 1].isdigit() or line[at : at + _MANY + 1].isdigit()
        for at in range(_MOST_DIGITS - 1, len(line), _MOST_DIGITS)
    )
