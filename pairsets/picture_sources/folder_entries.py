"""Pictures below a folder, gone through in the order of their sorted paths."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from pairsets.errors import FacesError
from pairsets.paths import IMAGE_SUFFIXES, is_image, is_text
from pairsets.picture_sources.base import APPLE_DOUBLE, NO_IMAGE, RESOURCE


def images_in(folder: Path, prefix: str, skipped: Counter[str]) -> Iterator[list[str]]:
    """Relative paths of the images below `folder`, sorted by code point, some at a time.

    Args:
        folder: that is gone through.
        prefix: of the paths: where the folder lies, with a `/` behind it.
        skipped: is told what was left out, by reason.

    Raises:
        FacesError: an entry is a link, or its name is not UTF-8.
    """
    found: list[str] = []
    for name in _entries(folder):
        dot = name.rfind(".")
        if name.endswith("/"):
            yield found
            found = []
            yield from images_in(folder / name, prefix + name, skipped)
        # Most endings are spelt as they stand in the set, which is quicker asked.
        elif not (dot > 0 and name[dot:] in IMAGE_SUFFIXES) and not is_image(name):
            skipped[NO_IMAGE] += 1
        elif name.startswith("._") and _is_resource(folder / name):
            skipped[RESOURCE] += 1
        else:
            found.append(prefix + name)
    yield found


def _entries(folder: Path) -> list[str]:
    """Names in a folder, those of folders with `/` behind them, as their paths come when sorted."""
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise FacesError(
                    f"{entry.path}: a link. Links are refused: they lead out of the folder or "
                    "name one image twice. Copy the files, or hard-link them (cp -rl)"
                )
            names.append(entry.name + "/" if entry.is_dir() else entry.name)
    if not is_text("/".join(names)):
        for name in names:
            if not is_text(name):
                raise FacesError(f"{folder}: the name {name!r} is not UTF-8")
    # None of them is the beginning of another but of a file's.
    names.sort()
    return names


def _is_resource(file: Path) -> bool:
    # Only a file is opened: to open a pipe would wait for ever.
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(APPLE_DOUBLE)) == APPLE_DOUBLE
