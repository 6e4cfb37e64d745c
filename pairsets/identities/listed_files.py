"""Places of a list's files among pictures, where it has other folders or endings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pairsets.errors import FacesError
from pairsets.paths import base_name


def stem(path: str) -> str:
    """A path without the ending of its last part.

    >>> stem("rei.ayanami/1.jpg"), stem("rei.ayanami/1")
    ('rei.ayanami/1', 'rei.ayanami/1')
    """
    front, dot, end = path.rpartition(".")
    # No ending has a blank: "Mr. Ash" has none.
    return front if dot and front and "/" not in end and " " not in end else path


def placed(list_: Path, listed: Sequence[str], paths: Sequence[str]) -> tuple[dict[str, int], str]:
    """The number of each listed file's picture, and in words how it was found, unless as it is.

    Raises:
        FacesError: none is there, or there are several ways to find them.
    """
    rows = {path: row for row, path in enumerate(paths)}
    places = {file: rows[file] for file in listed if file in rows}
    if places:
        return places, ""
    for found in (_behind(list_, listed, rows), _inside(list_, listed, paths)):
        if found[0]:
            return found
    # As CelebA's PNG files, whose list names JPEG files.
    stems: dict[str, int] = {}
    for row, path in enumerate(paths):
        if stems.setdefault(stem(path), row) != row:
            stems = {}
            break
    for bare in (False, True):
        places = {}
        for file in listed:
            name = base_name(stem(file)) if bare else stem(file)
            if name in stems or file in stems:
                places[file] = stems[name if name in stems else file]
        if places and len({*places.values()}) == len(places):
            return places, f"{list_.name} was read without the endings of its files."
    raise FacesError(
        f"{list_}: not one of its {len(listed):,} files, as {listed[0]!r}, is among the "
        f"{len(paths):,} pictures, as {paths[0]!r}; is it the list of another folder?"
    )


def _behind(list_: Path, listed: Sequence[str], rows: dict[str, int]) -> tuple[dict[str, int], str]:
    """Rows of files that are listed with the folders above this one; and a sentence on it."""
    fronts: Counter[str] = Counter()
    for file in listed:
        for at, sign in enumerate(file):
            if sign == "/" and file[at + 1 :] in rows:
                fronts[file[: at + 1]] += 1
    if not fronts:
        return {}, ""
    if len(fronts) > 1:
        names = ", ".join(sorted(fronts)[:3])
        raise FacesError(
            f"{list_}: its files below {names} all fit the pictures when that is left out; name "
            "them as they lie in the folder of faces"
        )
    front = next(iter(fronts))
    places = {
        file: rows[file[len(front) :]]
        for file in listed
        if file.startswith(front) and file[len(front) :] in rows
    }
    return places, f"{list_.name} was read without {front!r} in front of its files."


def _inside(list_: Path, listed: Sequence[str], paths: Sequence[str]) -> tuple[dict[str, int], str]:
    """Rows of files that are listed without some folders they lie in; and a sentence on it."""
    wanted = frozenset(listed)
    places: dict[str, int] = {}
    for row, path in enumerate(paths):
        for at, sign in enumerate(path):
            tail = path[at + 1 :] if sign == "/" else ""
            if tail in wanted:
                if tail in places:
                    raise FacesError(
                        f"{list_}: {tail!r} may be {paths[places[tail]]!r} or {path!r}; list "
                        "files with their folders"
                    )
                places[tail] = row
    return places, f"{list_.name} names its files without their folders." if places else ""
