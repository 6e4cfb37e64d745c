"""One post of Danbooru's metadata: whether it is of one character that may be shown.

Danbooru2020 lists tags as objects, with most values as strings; category 4 is a character:

    {"id": "263167", "rating": "s", "file_ext": "jpg", "is_deleted": false, "is_banned": false,
     "tags": [{"id": "470575", "name": "1girl", "category": "0"},
              {"id": "414", "name": "ayanami_rei", "category": "4"}], ...}

Later dumps have numbers, and the characters in one string: `"tag_string_character": "ayanami_rei"`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pairsets.errors import SourceError

# Danbooru2020: safe, questionable, explicit. Later: general, sensitive, questionable, explicit.
RATINGS = ("g", "s", "q", "e")
# What the pictures of a post may be; its small version is a JPEG of the first frame in any case.
EXTENSIONS = ("jpg", "jpeg", "png", "bmp", "webp", "gif", "avif")
# Ids of Danbooru have 32 bits; a table of what was seen goes up to the highest id.
ID_LIMIT = 2**31

# Why a post is left out, the first reason that holds; what stands behind them is kept.
DELETED, BANNED, RATED, FILE, NOBODY, SEVERAL, NAMELESS = range(1, 8)
KEPT = 8
_CHARACTER = ("4", 4)
_YES = frozenset({"true", "t", "1", "yes"})


@dataclass(frozen=True)
class Rule:
    """Which posts may be taken.

    Attributes:
        ratings: of `RATINGS`.
        extensions: of the original file, in lower case and without a dot.
        keep_deleted, keep_banned: take these posts, too.

    Raises:
        SourceError: no rating, one that does not exist, or no extension.
    """

    ratings: tuple[str, ...] = ("g", "s")
    extensions: tuple[str, ...] = EXTENSIONS
    keep_deleted: bool = False
    keep_banned: bool = False

    def __post_init__(self) -> None:
        extensions = tuple(sorted({name.strip().lower().lstrip(".") for name in self.extensions}))
        unknown = [name for name in self.ratings if name not in RATINGS]
        if unknown or not self.ratings:
            raise SourceError(
                f"rating {unknown[0]!r}: unknown; expected some of {', '.join(RATINGS)}"
                if unknown
                else f"no rating is left; expected some of {', '.join(RATINGS)}"
            )
        if not extensions or "" in extensions:
            raise SourceError("no extension, or an empty one; expected some such as jpg")
        object.__setattr__(self, "ratings", tuple(r for r in RATINGS if r in self.ratings))
        object.__setattr__(self, "extensions", extensions)

    @property
    def reasons(self) -> dict[int, str]:
        """What the funnel calls the posts left out, in the order of the rule."""
        return {
            DELETED: "deleted",
            BANNED: "banned",
            RATED: f"rated other than {', '.join(self.ratings)}",
            FILE: f"files other than {', '.join(self.extensions)}",
            NOBODY: "no character tag",
            SEVERAL: "more than one character tag",
            NAMELESS: "a character tag without a name",
        }

    def judge(self, post: Mapping[str, Any]) -> int | str:
        """The name of the post's one character, or why it is left out.

        What a post does not say is not so: no `is_deleted`, not deleted; no rating or extension,
        not one of those asked for.
        """
        if not self.keep_deleted and _yes(post.get("is_deleted")):
            return DELETED
        if not self.keep_banned and _yes(post.get("is_banned")):
            return BANNED
        # Dumps write one letter, other tools the word.
        if _word(post.get("rating"))[:1] not in self.ratings:
            return RATED
        if _word(post.get("file_ext")).lstrip(".") not in self.extensions:
            return FILE
        names = characters_of(post)
        if len(names) != 1:
            return SEVERAL if names else NOBODY
        return names.pop() or NAMELESS


def post_id(post: Mapping[str, Any]) -> int | None:
    """The number of a post, a JSON number or a string of digits; None where it has none."""
    number = post.get("id")
    if type(number) is str and number.isascii() and number.isdigit() and len(number) < 20:
        number = int(number)
    return number if type(number) is int and 0 <= number < ID_LIMIT else None


def characters_of(post: Mapping[str, Any]) -> set[str]:
    """The names of the character tags, each once; those that name nothing are one empty name."""
    tags = post.get("tags")
    if type(tags) is not list or not tags:
        listed = post.get("tag_string_character")
        # At blanks alone: there are names with other kinds of space.
        parts = listed.split(" ") if type(listed) is str else []
        found: set[Any] = {name for name in parts if name.strip()}
    else:
        try:
            found = {tag["name"] for tag in tags if tag["category"] in _CHARACTER}
        except (KeyError, TypeError):
            found = {
                _hashable(tag.get("name"))
                for tag in tags
                if isinstance(tag, dict) and tag.get("category") in _CHARACTER
            }
    return {_name(name) for name in found}


def _name(name: object) -> str:
    """A tag's name as text; empty for what no folder can be called."""
    if type(name) is int:
        return str(name)
    if type(name) is not str or "\0" in name:
        return ""
    name = name.strip()
    if not name.isascii():
        try:
            name.encode()
        except UnicodeEncodeError:  # half of a surrogate pair
            return ""
    return name


def _hashable(name: object) -> object:
    return name if isinstance(name, str | int) else None


def _yes(value: object) -> bool:
    return value is not None and value is not False and str(value).strip().lower() in _YES


def _word(value: object) -> str:
    return value.strip().lower() if type(value) is str else ""
