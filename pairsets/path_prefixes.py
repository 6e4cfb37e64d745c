"""Paths as others wrote them: whether they stay in their folder, and are plain.

The commonest misfit are those that have folders in front which those of the faces have not.
"""

from __future__ import annotations

from collections.abc import Callable


def surplus(path: str, known: Callable[[str], bool]) -> str | None:
    """The leading folders of `path` without which it is a known one; None where there are none.

    >>> surplus("/data/faces/rei/1.jpg", {"rei/1.jpg"}.__contains__)
    '/data/faces/'
    """
    for spelt in dict.fromkeys((path, path.replace("\\", "/"))):
        at = spelt.find("/")
        while at >= 0:
            if known(spelt[at + 1 :]):
                return spelt[: at + 1]
            at = spelt.find("/", at + 1)
    return None


def cause(path: str, known: Callable[[str], bool]) -> str:
    """The end of a message about an unknown path: what is too much in front of it, if anything is.

    >>> cause("faces/rei/1.jpg", {"rei/1.jpg"}.__contains__)
    "; paths are relative to the faces folder, and these have 'faces/' in front: leave it out"
    """
    front = surplus(path, known)
    if front is not None:
        return (
            f"; paths are relative to the faces folder, and these have {front!r} in front: leave "
            "it out"
        )
    if path.startswith("/") or path[1:3] in (":\\", ":/"):
        return f"; {path!r} is absolute, and paths are relative to the faces folder"
    return ""


def is_text(name: str) -> bool:
    """Whether a name is one that a file can hold: not empty, no half of a surrogate pair."""
    try:
        return bool(name.encode())
    except UnicodeEncodeError:
        return False


def why_unsafe(path: str) -> str | None:
    """Reason why a path may leave its folder or is not plain, or None.

    >>> why_unsafe("../secret.png")
    'leaves its folder (..)'
    """
    if not path:
        return "is empty"
    if "\0" in path:
        return "has a NUL character"
    if path.startswith("/") or (len(path) > 2 and path[1:3] in (":\\", ":/")):
        return "is absolute"
    parts = path.split("/")
    if ".." in parts:
        return "leaves its folder (..)"
    if "." in parts or "" in parts:
        return "is not in its plain spelling ('.' or '//' in it)"
    return None
