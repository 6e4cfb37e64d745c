"""Files on disk for numbers, where a list names pictures by number alone.

LFW's is `name/name_0001.jpg`; others leave the noughts out (`name_1.jpg`), end otherwise, or have
been through an aligner that numbers the faces of a picture (`name_0001_0.png`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from pairsets.errors import SourceError
from pairsets.paths import is_image

_NUMBER = re.compile(r"([0-9]+)(.*)", re.DOTALL)
# What a list says of a picture: what its file's path begins with, and its number.
Wanted = tuple[str, int]
# What a number is taken to be followed by where nothing says it.
_USUAL = ".jpg"


@dataclass(frozen=True)
class Form:
    """Form of the names of numbered files.

    Attributes:
        digits: of a number at least, filled up with noughts; 1 for none.
        rest: what follows, with the ending.
    """

    digits: int
    rest: str

    def __post_init__(self) -> None:
        if not 1 <= self.digits <= 18:
            raise SourceError(f"numbers of {self.digits} digits; expected 1 to 18")
        if "/" in self.rest or not self.rest:
            raise SourceError(f"a suffix {self.rest!r}; expected one such as .jpg or _0.png")

    def path(self, wanted: Wanted) -> str:
        """Path of a picture whose file is named in this form."""
        start, number = wanted
        return f"{start}{number:0{self.digits}d}{self.rest}"

    def __str__(self) -> str:
        return f"{1:0{self.digits}d}{self.rest}"


def suffix_of(text: str) -> str:
    """Text that follows a number in names of files, as a user says it.

    >>> suffix_of("png"), suffix_of(".png"), suffix_of("_0.png")
    ('.png', '.png', '_0.png')
    """
    return text if "." in text else f".{text}"


def named(
    path: Path,
    wanted: Sequence[Wanted],
    *,
    suffix: str | None,
    digits: int | None,
    usual_digits: int,
    faces: Path | None,
) -> tuple[dict[Wanted, str], list[str]]:
    """The path of each picture that is wanted, and notes on what was not said and found in `faces`.

    Found ones are all of one form, but for their endings. Where nothing on disk fits, and `suffix`
    is given, paths are as it says.

    Args:
        path: of the list, for errors.
        wanted: what the list says of each; what a path begins with holds its folder.
        suffix: what follows a picture's number, as a user says it, and then the only one that
            counts; .jpg where nothing says it.
        digits: of a number at least.
        usual_digits: the same, where nothing says it. The form of the two is taken where all
            pictures have it, whatever else is there.
        faces: the folder with the pictures, which tells what is not said.

    Raises:
        SourceError: digits or a suffix that cannot be, a picture that is missing, or several forms
            that fit; the message says which there are.
    """
    usual = Form(usual_digits if digits is None else digits, suffix_of(suffix or _USUAL))
    if faces is None or (suffix is not None and digits is not None):
        return {one: usual.path(one) for one in wanted}, []
    all_of = list(dict.fromkeys(wanted))
    listed = _Files(faces)
    rests = [usual.rest] if suffix is not None else _rests(listed, all_of)
    there = {len(number) for one in all_of[:64] for number, _ in _numbered(listed, one)}
    widths = sorted({1, usual.digits, *there})
    if all(listed.has(usual.path(one)) for one in all_of):
        return {one: usual.path(one) for one in all_of}, []
    fitting: dict[tuple[str, ...], Form] = {}
    for rest in rests:
        for width in widths:
            form = Form(width, rest)
            paths = tuple(map(form.path, all_of))
            if all(map(listed.has, paths)):
                fitting.setdefault(paths, form)
    if len(fitting) > 1:
        one, other = list(fitting.values())[:2]
        raise SourceError(
            f"{path}: {faces} has two pictures for each number, such as "
            f"{one.path(all_of[0])!r} and {other.path(all_of[0])!r}; say with --suffix and "
            "--digits which are meant"
        )
    if fitting:
        ((paths, form),) = fitting.items()
        return dict(zip(all_of, paths, strict=True)), [
            f"images are taken to end in {form.rest}, as all do in {faces}"
            if form.digits == usual.digits
            else f"images are taken to be called ..._{form}, as all are in {faces}"
        ]
    if suffix is not None:
        return {one: usual.path(one) for one in all_of}, []
    mixed = _of_several_endings(listed, all_of, widths, rests)
    if mixed is not None:
        endings = sorted({PurePosixPath(one).suffix for one in mixed})
        return dict(zip(all_of, mixed, strict=True)), [
            f"images are taken to end in {', '.join(endings)}, of each the one that is in {faces}"
        ]
    raise SourceError(f"{path}: {_missing(listed, faces, all_of, usual)}")


def unsaid(name: str, rest: str) -> list[str]:
    """A note where a file of the format `name` does not keep what follows a picture's number."""
    if rest == _USUAL:
        return []
    return [f"{name} does not say that images end in {rest}: name the suffix to read it"]


class _Files:
    """The pictures of folders that are asked for, each folder looked at once."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise SourceError(f"{root}: no such folder of faces")
        self._root = root
        self.names: Callable[[str], frozenset[str]] = cache(self._names)

    def has(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        return name in self.names(folder)

    def beginning(self, start: str) -> Sequence[str]:
        """Rests behind `start` of the paths of pictures that begin with it."""
        folder, _, stem = start.rpartition("/")
        return sorted(n.removeprefix(stem) for n in self.names(folder) if n.startswith(stem))

    def _names(self, folder: str) -> frozenset[str]:
        where = self._root / folder
        if not where.is_dir() or ".." in folder.split("/") or folder.startswith("/"):
            return frozenset()
        with os.scandir(where) as entries:
            return frozenset(entry.name for entry in entries if is_image(entry.name))


def _numbered(listed: _Files, one: Wanted) -> list[tuple[str, str]]:
    """Digits and rest of the pictures that a number may stand for."""
    found = []
    for text in listed.beginning(one[0]):
        match = _NUMBER.fullmatch(text)
        if match and len(match[1]) <= 18 and int(match[1]) == one[1]:
            found.append((match[1], match[2]))
    return found


def _rests(listed: _Files, wanted: Sequence[Wanted]) -> list[str]:
    """Endings that may follow a number: those of the first picture that is there."""
    for one in wanted[:64]:
        rests = dict.fromkeys(rest for _, rest in _numbered(listed, one))
        if rests:
            return list(rests)
    return []


def _of_several_endings(
    listed: _Files, wanted: Sequence[Wanted], widths: Sequence[int], rests: Sequence[str]
) -> list[str] | None:
    """Paths that differ in form by their endings alone, if each number has but one; else None."""
    for width in widths:
        for stem in dict.fromkeys(rest[: rest.rindex(".")] for rest in rests if "." in rest):
            paths = []
            for start, number in wanted:
                head = f"{number:0{width}d}{stem}."
                found = [
                    text
                    for text in listed.beginning(start)
                    if text.startswith(head) and "." not in text[len(head) :]
                ]
                if len(found) != 1:
                    break
                paths.append(start + found[0])
            if len(paths) == len(wanted):
                return paths
    return None


def _missing(listed: _Files, faces: Path, wanted: Sequence[Wanted], usual: Form) -> str:
    lacking = [one for one in wanted if not _numbered(listed, one)]
    if not lacking:
        one = next(one for one in wanted if not listed.has(usual.path(one)))
        others = [one[0].rpartition("/")[2] + "".join(text) for text in _numbered(listed, one)]
        return (
            f"no one form of names fits all pictures in {faces}: {usual.path(one)!r} is not there, "
            f"but {', '.join(others[:3])}. Say with --suffix (such as _0.png) and --digits which "
            "are meant, or call all in one way"
        )
    start, number = lacking[0]
    folder, _, stem = start.rpartition("/")
    more = f", nor {len(lacking) - 1} more of the list" if len(lacking) > 1 else ""
    here = sorted(listed.names(folder))
    told = f"it has {', '.join(here[:3])}{', ...' if len(here) > 3 else ''}"
    if folder and not here:
        flat = any(text.startswith(stem) for text in listed.names(""))
        told = (
            f"there are pictures {stem}... in {faces} itself: `lookalikes arrange` puts them into "
            "a folder for each"
            if flat
            else f"there is no folder {folder!r} with pictures in it; is it the right folder?"
        )
    return f"no picture {number} of {stem.rstrip('_') or 'it'!r} in {faces / folder}{more}: {told}"
