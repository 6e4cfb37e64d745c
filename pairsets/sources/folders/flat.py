"""One folder of pictures that are named as those of LFW: `AJ_Cook_0001.jpg`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pairsets.errors import SourceError
from pairsets.faces import IMAGE_SUFFIXES

_NAME = re.compile(r"(?P<character>.+)_\d+")


@dataclass(frozen=True)
class FlatFaces:
    """Pictures of a flat folder.

    Attributes:
        folder: that holds them.
        names: of the files, sorted.
        characters: of each.
        misfits: the other entries of the folder, and why they are none.
    """

    folder: Path
    names: tuple[str, ...]
    characters: tuple[str, ...]
    misfits: tuple[tuple[str, str], ...]

    @classmethod
    def scan(cls, folder: Path) -> FlatFaces:
        """Find the pictures that lie directly in a folder.

        Raises:
            SourceError: no such folder, or not one picture is named so.
        """
        if not folder.is_dir():
            what = "a file; expected a" if folder.exists() else "no such"
            raise SourceError(f"{folder}: {what} folder of pictures")
        found: list[tuple[str, str]] = []
        misfits: list[tuple[str, str]] = []
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda one: one.name):
                character = character_of_name(entry.name)
                if entry.is_symlink():
                    misfits.append((entry.name, "a link"))
                elif not entry.is_file():
                    misfits.append((entry.name, "a folder, or no regular file"))
                elif Path(entry.name).suffix.lower() not in IMAGE_SUFFIXES:
                    misfits.append((entry.name, "not an image by its name"))
                elif character is None:
                    misfits.append((entry.name, "not named CHARACTER_NUMBER"))
                else:
                    found.append((entry.name, character))
        if not found:
            raise SourceError(
                f"{folder}: no pictures named as AJ_Cook_0001.jpg directly in it"
                + (f", but {misfits[0][0]!r} ({misfits[0][1]})" if misfits else "")
            )
        names, characters = zip(*found, strict=True)
        return cls(folder, names, characters, tuple(misfits))


def character_of_name(name: str) -> str | None:
    """The character that a file's name tells.

    >>> character_of_name("AJ_Cook_0001.jpg"), character_of_name("0001.jpg")
    ('AJ_Cook', None)
    """
    stem = name[: -len(suffix)] if (suffix := Path(name).suffix) else name
    # macOS leaves `._name.jpg` files, of another format, on foreign disks.
    found = None if name.startswith("._") else _NAME.fullmatch(stem)
    return found["character"] if found else None
