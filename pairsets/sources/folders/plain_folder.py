"""Folders of pictures, flat as `AJ_Cook_0001.jpg` or in folders: every entry is accounted for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import FacesError, SourceError
from pairsets.identities.folders import by_folder, fitting
from pairsets.identities.patterns import suggestions
from pairsets.identities.rules import REMEDIES, Naming, Rule, is_split, nearly_all_single
from pairsets.paths import is_image

_NAME = re.compile(r"(?P<identity>.+)_\d+")


@dataclass(frozen=True)
class PlainFaces:
    """Pictures of a folder, with whom each shows.

    Attributes:
        folder: that holds them.
        names: of the files, relative to it and `/`-separated, sorted.
        identities: of each.
        misfits: the other entries of the folder, and why they are none.
        notes: sentences on how the identities were told.
    """

    folder: Path
    names: tuple[str, ...]
    identities: tuple[str, ...]
    misfits: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def scan(
        cls, folder: Path, rule: Rule | None = None, *, flat: bool = False, split: str | None = None
    ) -> PlainFaces:
        """Find the pictures in a folder.

        Args:
            folder: of the pictures.
            rule: who each shows. Without one it is the folder, see
                `pairsets.identities.folders.by_folder`, and for pictures in none what stands before
                the number of their name.
            flat: only those that lie directly in it.
            split: only those in the folder of that name, a part of the data set.

        Raises:
            SourceError: no such folder, no pictures, or not one is named so.
            FacesError: it is open who they show; the message says what can be meant.
        """
        if not folder.is_dir():
            what = "a file; expected a" if folder.exists() else "no such"
            raise SourceError(f"{folder}: {what} folder of pictures")
        paths: list[str] = []
        misfits: list[tuple[str, str]] = []
        for path, why in _entries(folder, "", deep=not flat):
            (misfits.append((path, why)) if why else paths.append(path))
        if split is not None:
            paths, others = _of_split(folder, paths, split)
            misfits += others
        naming = _naming(folder, paths, rule, misfits)
        for path, name in zip(paths, naming.identities, strict=True):
            if name is None:
                why = "not named IDENTITY_NUMBER" if rule is None else f"nobody by {rule.said}"
                misfits.append((path, why))
        found = [(p, name) for p, name in zip(paths, naming.identities, strict=True) if name]
        names, identities = zip(*found, strict=True)
        single = None if rule is not None else nearly_all_single(identities)
        if single is not None:
            raise FacesError(
                f"{folder}: {single[1]:,} of {single[0]:,} identities would have a single picture; "
                f"is that who they show? There are {REMEDIES}. If each folder is one identity: "
                "--identity-level 1"
            )
        return cls(folder, names, identities, tuple(sorted(misfits)), tuple(naming.notes))


def identity_of_name(name: str) -> str | None:
    """The identity that a file's name tells.

    >>> identity_of_name("AJ_Cook_0001.jpg"), identity_of_name("0001.jpg")
    ('AJ_Cook', None)
    """
    stem = name[: -len(suffix)] if (suffix := Path(name).suffix) else name
    found = _NAME.fullmatch(stem)
    return found["identity"] if found else None


def pictures_below(folder: Path) -> list[str]:
    """Relative paths of what is a picture by its name, however deep, sorted."""
    return [path for path, why in _entries(folder, "", deep=True) if not why]


def _naming(
    folder: Path, paths: list[str], rule: Rule | None, misfits: list[tuple[str, str]]
) -> Naming:
    """Naming of each picture: whom it shows."""
    if paths and rule is not None:
        return rule.name(paths)
    if any("/" in path for path in paths):
        return by_folder(folder, paths)
    told = [identity_of_name(path) for path in paths]
    if any(told):
        _refuse_doubt(folder, paths, told)
        return Naming(told)
    if misfits and not paths:
        but = f", but {misfits[0][0]!r} ({misfits[0][1]})"
    else:
        but = f", but {paths[0]!r}" if paths else ""
    raise SourceError(
        f"{folder}: no pictures named as AJ_Cook_0001.jpg directly in it{but}"
        + (f".{fitting(paths)} There are {REMEDIES}" if paths else "")
    )


def _refuse_doubt(folder: Path, paths: list[str], told: list[str | None]) -> None:
    """Raise FacesError where the names are those of a data set that means another part of them."""
    for one in suggestions(paths):
        if one.identities != len({name for name in told if name}):
            raise FacesError(
                f"{folder}: what stands before the last number, as {told[0]!r} of {paths[0]!r}, "
                f"may not be who is shown.{fitting(paths)} If it is: "
                r"--identity-pattern '([^/]+)_\d+\.\w+$'"
            )


def _of_split(
    folder: Path, paths: list[str], split: str
) -> tuple[list[str], list[tuple[str, str]]]:
    """The pictures of one part, and the others; of `all`, all of them."""
    parts = sorted({path.partition("/")[0] for path in paths if "/" in path})
    if split == "all":
        return paths, []
    if split not in parts or not is_split(split):
        found = ", ".join(filter(is_split, parts))
        raise SourceError(
            f"{folder}: no split {split!r}; "
            + (f"there are {found}, and all" if found else "a plain folder: leave --split out")
        )
    mine = [path for path in paths if path.startswith(f"{split}/")]
    others = [path for path in paths if not path.startswith(f"{split}/")]
    return mine, [(path, f"not in {split}/") for path in others]


def _entries(folder: Path, prefix: str, *, deep: bool) -> Iterator[tuple[str, str]]:
    """Files of a folder, each with what is wrong with it, if anything is; sorted by name."""
    with os.scandir(folder) as entries:
        listed = sorted(entries, key=lambda one: one.name)
    for entry in listed:
        path = prefix + entry.name
        if entry.is_symlink():
            yield path, "a link"
        elif entry.is_dir():
            if deep:
                yield from _entries(Path(entry.path), f"{path}/", deep=True)
            else:
                yield path, "a folder, or no regular file"
        elif not entry.is_file():
            yield path, "a folder, or no regular file"
        elif not is_image(entry.name):
            yield path, "not an image by its name"
        # macOS leaves `._name.jpg` files, of another format, on foreign disks.
        elif entry.name.startswith("._"):
            yield path, "macOS resource file"
        else:
            yield path, ""
