"""One post of metadata: whether it is of one character that may be shown.

Danbooru2020 lists tags as objects, with most values as strings; category 4 is a character:

    {"id": "263167", "rating": "s", "file_ext": "jpg", "is_deleted": false, "is_banned": false,
     "tags": [{"id": "470575", "name": "1girl", "category": "0"},
              {"id": "414", "name": "ayanami_rei", "category": "4"}], ...}

Later dumps have numbers, and the characters in one string: `"tag_string_character": "ayanami_rei"`.
gallery-dl writes `"tags_character": ["ayanami_rei"]`, or one string, for several sites, beside
`tags` as a list of texts. e621 has `"tags": {"character": ["ayanami_rei"], ...}`, `file.ext` and
`flags.deleted`. Where tags have no categories, as in the API of Gelbooru, nobody says which of them
is a character: such a post is left out under a reason of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from pairsets.errors import SourceError
from pairsets.paths import is_text
from pairsets.sources.danbooru.post_fields import Tag

# Danbooru2020: safe, questionable, explicit. Later: general, sensitive, questionable, explicit.
RATINGS = ("g", "s", "q", "e")
# What the pictures of a post may be; its small version is a JPEG of the first frame in any case.
EXTENSIONS = ("jpg", "jpeg", "png", "bmp", "webp", "gif", "avif")
# Ids of Danbooru have 32 bits; a table of what was seen goes up to the highest id.
ID_LIMIT = 2**31

# Why a post is left out, the first reason that holds; what stands behind them is kept.
(DELETED, BANNED, UNRATED, RATED, UNTYPED, FILE, UNSAID, NOBODY, SEVERAL, NAMELESS) = range(1, 11)
KEPT = 11
_CHARACTER = ("4", 4)
_CHARACTER_SET = frozenset(_CHARACTER)
_YES = frozenset({"true", "t", "1", "yes"})
# Where the characters may stand, if not among objects with a category: text, or a list of it.
_CHARACTERS = ("tags_character", "tag_string_character")
# Beside one of these, a post without the former has no character: what is empty may be left out.
_CATEGORIES = ("tags_general", "tags_copyright", "tags_artist", "tags_metadata", "tags_meta",
               "tag_string_general", "tag_string_copyright", "tag_string_artist")  # fmt: skip
# Of what is not a tag's object; the file's name or address ends with its type.
_FILES = ("image", "file_url")


@dataclass(frozen=True)
class Rule:
    """Rule of which posts may be taken: ratings, types of files, deleted and banned ones.

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
        """Reasons in the funnel for posts left out, in the order of the rule."""
        return {
            DELETED: "deleted",
            BANNED: "banned",
            UNRATED: "no rating",
            RATED: f"rated other than {', '.join(self.ratings)}",
            UNTYPED: "no type of the file",
            FILE: f"files other than {', '.join(self.extensions)}",
            UNSAID: "tags without categories, so that none is known to be a character",
            NOBODY: "no character tag",
            SEVERAL: "more than one character tag",
            NAMELESS: "a character tag without a name",
        }

    def judge(self, post: Mapping[str, Any]) -> int | str:
        """The name of the post's one character, or why it is left out.

        What a post does not say is not so: no `is_deleted`, not deleted.
        """
        if not self.keep_deleted and (
            _yes(post.get("is_deleted"))
            or ("flags" in post and _yes(_inner(post, "flags", "deleted")))
            or post.get("status") == "deleted"
        ):
            return DELETED
        if not self.keep_banned and _yes(post.get("is_banned")):
            return BANNED
        # Dumps write one letter, other tools the word.
        if _word(post.get("rating"))[:1] not in self.ratings:
            return UNRATED if post.get("rating") is None else RATED
        extension = post.get("file_ext")
        if extension is None:
            extension = _extension(post)
        if _word(extension).lstrip(".") not in self.extensions:
            return UNTYPED if extension is None else FILE
        names = characters_of(post)
        if names is None:
            return UNSAID
        if len(names) != 1:
            return SEVERAL if names else NOBODY
        return names.pop() or NAMELESS


def post_id(post: Mapping[str, Any]) -> int | None:
    """The number of a post, a JSON number or a string of digits; None where it has none."""
    number = post.get("id")
    if type(number) is str and number.isascii() and number.isdigit() and len(number) < 20:
        number = int(number)
    return number if type(number) is int and 0 <= number < ID_LIMIT else None


def characters_of(post: Mapping[str, Any]) -> set[str] | None:
    """The names of the character tags, each once; those that name nothing are one empty name.

    None where the post does not say which of its tags are characters.
    """
    tags = post.get("tags")
    found: set[Any] | None
    if type(tags) is list and tags and type(tags[0]) is Tag:
        found = _tagged(tags)
        if not found and all(tag.category is UNSET for tag in tags):
            found = _elsewhere(post)
    elif type(tags) is list and tags and (type(tags[0]) is not str or _objects(tags)):
        try:
            found = {tag["name"] for tag in tags if tag["category"] in _CHARACTER}
        except (KeyError, TypeError):
            objects = _objects(tags)
            found = {
                _hashable(tag.get("name")) for tag in objects if tag.get("category") in _CHARACTER
            }
            if objects and not any("category" in tag for tag in objects):
                found = _elsewhere(post)
    else:
        found = _elsewhere(post)
    return set(map(_name, found)) if found else found


def _tagged(tags: list[Tag]) -> set[Any]:
    """Names of the tags that are of a character."""
    try:
        return {tag.name for tag in tags if tag.category in _CHARACTER_SET}
    except TypeError:  # a category or a name that is a list or an object
        return {_hashable(tag.name) for tag in tags if tag.category in _CHARACTER}


def _elsewhere(post: Mapping[str, Any]) -> set[Any] | None:
    """Names of characters that do not stand among objects; None where there is no place for any."""
    tags = post.get("tags")
    places = [post[name] for name in _CHARACTERS if post.get(name) is not None]
    if type(tags) is dict and tags.get("character") is not None:
        places.append(tags["character"])
    found = next((names for names in map(_listed, places) if names), set())
    if found or places:
        return found
    # An empty list of tags may be of objects, and says that there are none.
    told = tags == [] or any(name in post for name in _CATEGORIES)
    return found if told or (type(tags) is dict and "general" in tags) else None


def _listed(value: object) -> set[Any]:
    """Names in one text, parted at blanks alone, for there are other kinds of space; or in a list.

    What is neither is one name that names nothing.
    """
    if type(value) is str:
        return {name for name in value.split(" ") if name.strip()}
    return {_hashable(name) for name in value} if isinstance(value, list) else {_hashable(value)}


def _objects(tags: list[Any]) -> list[dict[str, Any]]:
    return [tag for tag in tags if isinstance(tag, dict)]


def _extension(post: Mapping[str, Any]) -> object:
    """The type of a post's file where there is no `file_ext`; None where nothing says it."""
    found = _inner(post, "file", "ext")
    if found is None:
        found = post.get("extension")
    for name in _FILES:
        text = post.get(name)
        if found is None and type(text) is str:
            base = text.partition("?")[0].rpartition("/")[2]
            found = base.rpartition(".")[2] if "." in base else None
    return found


def _inner(post: Mapping[str, Any], outer: str, inner: str) -> object:
    """Field of an object within a post."""
    value = post.get(outer)
    return value.get(inner) if type(value) is dict else None


def _name(name: object) -> str:
    """A tag's name as text; empty for what no folder can be called."""
    if type(name) is int:
        return str(name)
    if type(name) is not str or "\0" in name:
        return ""
    name = name.strip()
    return name if name.isascii() or is_text(name) else ""


def _hashable(name: object) -> object:
    return name if isinstance(name, str | int) else None


def _yes(value: object) -> bool:
    if value is False or value is None:
        return False
    return str(value).strip().lower() in _YES


def _word(value: object) -> str:
    return value.strip().lower() if type(value) is str else ""
