"""Labels of boxes: whether one says any face, a thing that is none, somebody, or nobody."""

from __future__ import annotations

import re
from functools import lru_cache

_FACE_WORDS = frozenset({"face", "faces", "head", "heads"})
_OTHER_WORDS = frozenset({"anime", "cartoon", "character", "human", "manga", "person"})
# Of classes of drawn pages and people that are neither a face nor anybody's name.
_THING_WORDS = _OTHER_WORDS | frozenset(
    {"background", "balloon", "balloons", "bodies", "body", "bubble", "characters", "eye", "eyes",
     "frame", "frames", "full", "hair", "half", "halfbody", "hand", "hands", "lower", "mouth",
     "object", "objects", "onomatopoeia", "panel", "panels", "people", "persons", "speech", "text",
     "texts", "upper"}
)  # fmt: skip
# What faces are called whose person nobody knows.
_NOBODY = frozenset(
    {"", "?", "extra", "extras", "misc", "mob", "n/a", "na", "nobody", "none", "null", "other",
     "others", "unidentified", "unknown", "unnamed", "その他", "モブ", "不明"}
)  # fmt: skip


def names_a_face(name: str) -> bool:
    """Whether a class or category means any face, and nobody's in particular.

    >>> names_a_face("anime_face"), names_a_face("Head"), names_a_face("arrowhead_(pony)")
    (True, True, False)
    """
    words = _words(name)
    return bool(words & _FACE_WORDS) and words <= _FACE_WORDS | _OTHER_WORDS


def names_nobody(label: str) -> bool:
    """Whether a label says that nobody knows whose face it is."""
    return label.strip().lower() in _NOBODY


# Many boxes have few labels.
@lru_cache(maxsize=4096)
def told_by(label: str) -> tuple[str | None, str | None]:
    """The class that a label says, if it is no face, and the name that it says."""
    if names_a_face(label) or names_nobody(label):
        return None, None
    words = _words(label)
    return (label, None) if words and words <= _THING_WORDS else (None, label)


def _words(label: str) -> set[str]:
    return {word for word in re.split(r"[\W_]+", label.lower()) if word}
